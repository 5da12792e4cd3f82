"""The evaluation process as it is, which also says on demand which keys it holds."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from hermetic.serve.evaluator import Evaluator
from hermetic.serve.frames import answer_front_process
from hermetic.serve.messages import Message


@dataclass(frozen=True)
class TellHeldKeys(Message):
    """Say which keys are held."""


@dataclass(frozen=True)
class HeldKeys(Message):
    """The keys that are."""

    key_ids: Sequence[str]


class TellingEvaluator(Evaluator):
    """Knows one more message."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self._handlers = {**self._handlers, TellHeldKeys: self._tell}

    def _tell(self, _: TellHeldKeys, __: memoryview) -> tuple[Message, bytes]:
        return HeldKeys(sorted([*self._keys, *self._legacy._keys])), b""


if __name__ == "__main__":
    answer_front_process(int(sys.argv[1]), TellingEvaluator(json.loads(sys.argv[2])["threads"]).answer)
