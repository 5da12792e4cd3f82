"""An evaluation process: models and parsed public keys in, sanitised answers out. It sees no network.

The front process owns every decision: which models are loaded, which keys are held and which are dropped.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..circuits.masking import MaskingKey
from ..circuits.query import Query
from ..errors import HermeticError, MismatchError, ModelFileError
from ..keys.public import PublicKey
from ..model import CompiledModel
from .failures import describe_failure
from .frames import answer_front_process
from .legacy_evaluation import LegacyEvaluation
from .messages import (
    Done,
    DropKey,
    Evaluate,
    Evaluated,
    EvaluateLegacy,
    Failed,
    Handlers,
    LoadModel,
    Message,
    Refused,
    UnloadModel,
    answered,
)


class Evaluator:
    """Answers the messages of the front process."""

    def __init__(self, threads: int) -> None:
        """``threads`` may work on a large answer."""
        self._threads = threads
        self._models: dict[str, CompiledModel] = {}
        self._keys: dict[str, MaskingKey] = {}
        self._legacy = LegacyEvaluation()
        self._handlers: Handlers = {
            LoadModel: self._load,
            UnloadModel: self._unload,
            DropKey: self._drop,
            Evaluate: self._evaluate,
            EvaluateLegacy: self._evaluate_legacy,
        }

    def answer(self, message: Message, payload: memoryview) -> tuple[Message, bytes]:
        """The reply to one message: also to one that is wrong, and where this program fails."""
        try:
            return answered(self._handlers, message, payload)
        except HermeticError as error:
            return Refused(str(error)), b""
        except Exception as error:
            return Failed(describe_failure(error)), b""

    def _load(self, message: LoadModel, payload: memoryview) -> tuple[Message, bytes]:
        """Load a model from the bytes of its file, exactly as the front process read them."""
        with os.fdopen(os.memfd_create("model"), "wb") as file:
            file.write(payload)
            file.flush()
            path = f"/proc/self/fd/{file.fileno()}"
            try:
                model = CompiledModel.load(path)
            except ModelFileError as error:
                raise ModelFileError(str(error).replace(path, "the file")) from None
        model.prepare(1)
        self._models[message.model] = model
        return Done(), model.signature.to_bytes()

    def _unload(self, message: UnloadModel, _: memoryview) -> tuple[Message, bytes]:
        self._models.pop(message.model, None)
        self._legacy.unload(message.model)
        return Done(), b""

    def _drop(self, message: DropKey, _: memoryview) -> tuple[Message, bytes]:
        self._drop_keys([message.key_id])
        return Done(), b""

    def _drop_keys(self, key_ids: Iterable[str]) -> None:
        for key_id in key_ids:
            self._keys.pop(key_id, None)
            self._legacy.drop(key_id)

    def _evaluate(self, message: Evaluate, payload: memoryview) -> tuple[Message, bytes]:
        started = time.perf_counter()
        self._drop_keys(message.drop)
        if message.key_bytes:
            key = PublicKey.from_bytes(bytes(payload[: message.key_bytes]))
            self._keys[key.id] = MaskingKey(key)
        model = self._models[message.model]
        query = Query.from_bytes(payload[message.key_bytes :], model.signature)
        answer = model.evaluate(query, self._key(message.key_id), threads=self._threads).to_bytes()
        return Evaluated((time.perf_counter() - started) * 1e3), answer

    def _key(self, key_id: str) -> MaskingKey:
        if key_id not in self._keys:
            raise MismatchError("the public key was not found in the evaluation process: try again.")
        return self._keys[key_id]

    def _evaluate_legacy(self, message: EvaluateLegacy, payload: memoryview) -> tuple[Message, bytes]:
        started = time.perf_counter()
        self._drop_keys(message.drop)
        answer = self._legacy.answer(self._models[message.model], message, payload)
        return Evaluated((time.perf_counter() - started) * 1e3), answer


def main(descriptor: int, options: Mapping[str, Any]) -> None:
    """Serve the front process at the other end of a socket until it closes it."""
    answer_front_process(descriptor, Evaluator(options["threads"]).answer)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
