"""``python -m hermetic.batch.worker``: an evaluator in a process of its own, for :mod:`.local_engine`.

It reads one JSON object a line from standard input and writes one a line to standard output. The first says which job
and model; each that follows is a shard. It ends, quietly, with whoever started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from ..errors import HermeticError
from ..object_stores import StoreError
from .evaluator import Evaluator
from .manifest import Shard


def main() -> None:
    """Answer until the input ends, or nobody reads the output any more."""
    with contextlib.suppress(BrokenPipeError):
        try:
            evaluator = Evaluator(**json.loads(sys.stdin.readline()))
        except (HermeticError, StoreError) as error:
            _say({"refused": str(error)})
            return
        _say({"ready": True})
        for line in sys.stdin:
            _say(evaluator.answer(Shard(**json.loads(line))).document())


def _say(document: dict[str, Any]) -> None:
    """Past Python's buffer, which would be written once more at the end."""
    os.write(sys.stdout.fileno(), f"{json.dumps(document)}\n".encode())


if __name__ == "__main__":
    main()
