"""What every test shares: how hard Hypothesis searches, which files are quick, and which signals programs get."""

import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import settings

from quick import is_quick

# Cryptography has no steady speed, so no example has a deadline.
settings.register_profile("dev", deadline=None, max_examples=50)
# The same examples on every run, and a failing one printed so that it can be replayed elsewhere.
settings.register_profile("ci", deadline=None, max_examples=200, derandomize=True, print_blob=True)

settings.load_profile("ci" if os.environ.get("CI") else "dev")

# Programs are started as from a terminal, also where the tests were started with nohup or in the background.
if threading.current_thread() is threading.main_thread():
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only files that compute, and start and download nothing")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what is not quick; None leaves the decision to others."""
    slow = config.getoption("--quick") and collection_path.suffix == ".py" and not is_quick(collection_path)
    return True if slow else None
