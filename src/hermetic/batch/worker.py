"""``python -m hermetic.batch.worker``: an evaluator in a process of its own, for :mod:`.local_engine`.

It reads one JSON object a line from standard input and writes one a line to standard output. The first says which job
and model; each that follows is a shard. It ends with its input, so with whoever started it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ..errors import HermeticError
from ..object_stores import StoreError
from .evaluator import Evaluator
from .manifest import Shard


def main() -> None:
    """Answer until the input ends."""
    try:
        evaluator = Evaluator(**json.loads(sys.stdin.readline()))
    except (HermeticError, StoreError) as error:
        _say({"refused": str(error)})
        return
    _say({"ready": True})
    for line in sys.stdin:
        _say(evaluator.answer(Shard(**json.loads(line))).document())


def _say(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main()
