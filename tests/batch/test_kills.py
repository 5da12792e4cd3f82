"""Sixteen kills in the middle of a job, of workers and of the driver: every row is answered all the same, once.

The four losses of a node are in :mod:`test_ray`.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from tabled import ROWS, Case

EACH, KILLS = 5, 8
SHARDS = ROWS // EACH

# It kills itself after its second answer, and says before who its workers are.
DRIVER = """
import json, os, signal, sys
import psutil
from hermetic.batch import score

answered = []
def kill(done, total):
    answered.append(done)
    if len(answered) == 2:
        print(json.dumps([one.pid for one in psutil.Process().children()]), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
score(*sys.argv[1:], workers=2, progress=kill)
"""


def is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "hermetic.batch.worker" in process.cmdline()
    return False


def test_workers_are_killed(case: Case) -> None:
    """Both, after every fifth of the job. No shard is tried more than three times."""
    case.encrypted(each=EACH)
    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if len(killed) < KILLS and done >= (len(killed) // 2 + 1) * total / 5:
            for worker in filter(is_worker, psutil.Process().children()):
                worker.kill()
                killed.append(worker.pid)

    summary = case.scored(progress=kill)
    assert (len(killed), summary.answered, summary.failures) == (KILLS, ROWS, ())
    case.check(case.decrypted())


def test_drivers_are_killed(case: Case) -> None:
    """What each leaves is whole, and the next does the rest. Its workers end with it, without a word."""
    case.encrypted(each=EACH)
    answers = Path(case.job, "answers")
    kept: dict[str, bytes] = {}
    for _ in range(KILLS):
        command = [sys.executable, "-c", DRIVER, case.job, str(case.model_file)]
        driver = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (driver.returncode, driver.stderr) == (-signal.SIGKILL, "")
        workers = [psutil.Process(one) for one in json.loads(driver.stdout) if psutil.pid_exists(one)]
        assert not psutil.wait_procs(workers, timeout=60)[1]
        found = {one.name: one.read_bytes() for one in answers.iterdir() if not one.name.startswith(".")}
        assert len(found) >= len(kept) + 2
        assert kept.items() <= found.items()
        kept = found
    assert len(kept) < SHARDS
    summary = case.scored()
    assert (summary.answered_before, summary.answered) == (len(kept) * EACH, ROWS - len(kept) * EACH)
    case.check(case.decrypted())
