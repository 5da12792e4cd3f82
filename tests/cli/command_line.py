"""What the tests of the command line pass around."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERMETIC = Path(sys.executable).with_name("hermetic")

Invoke = Callable[..., Any]
Shell = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True, eq=False)
class Project:
    """A fitted estimator with its files: the estimator's, its data's, the compiled model's."""

    estimator: Any
    X: Any
    estimator_file: str
    data_file: str
    model_file: str
