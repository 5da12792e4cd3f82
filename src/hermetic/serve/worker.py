"""An evaluation process: models and parsed public keys in, sanitised answers out. It sees no network.

The front process owns every decision: which models are loaded, which keys are held and which are dropped.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time

from ..circuits.linear.evaluate import MaskingKey
from ..circuits.linear.wire import Query
from ..errors import HermeticError, MismatchError, ModelFileError
from ..keys.public import PublicKey
from ..model import CompiledModel
from .failures import describe_failure
from .frames import Channel, Head
from .legacy_evaluation import LegacyEvaluation


class Evaluator:
    """Answers the messages of the front process."""

    def __init__(self, threads: int) -> None:
        """``threads`` may work on a large answer."""
        self._threads = threads
        self._models: dict[str, CompiledModel] = {}
        self._keys: dict[str, MaskingKey] = {}
        self._legacy = LegacyEvaluation()

    def answer(self, head: Head, payload: memoryview) -> tuple[Head, bytes]:
        """The reply to one message.

        ``error`` says what is wrong with a model file, a key or a query; ``fault`` names where this program failed.
        """
        try:
            reply, data = getattr(self, f"_{head['op']}")(head, payload)
        except HermeticError as error:
            reply, data = {"error": str(error)}, b""
        except Exception as error:
            reply, data = {"fault": describe_failure(error)}, b""
        return {"id": head["id"], **reply}, data

    def _load(self, head: Head, payload: memoryview) -> tuple[Head, bytes]:
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
        self._models[head["model"]] = model
        return {}, model.signature.to_bytes()

    def _unload(self, head: Head, _: memoryview) -> tuple[Head, bytes]:
        self._models.pop(head["model"], None)
        self._legacy.unload(head["model"])
        return {}, b""

    def _drop(self, head: Head, _: memoryview) -> tuple[Head, bytes]:
        self._drop_keys([head["key"]])
        return {}, b""

    def _drop_keys(self, key_ids: list[str]) -> None:
        for key_id in key_ids:
            self._keys.pop(key_id, None)
            self._legacy.drop(key_id)

    def _evaluate(self, head: Head, payload: memoryview) -> tuple[Head, bytes]:
        started = time.perf_counter()
        self._drop_keys(head["drop"])
        if head["key_bytes"]:
            key = PublicKey.from_bytes(bytes(payload[: head["key_bytes"]]))
            self._keys[key.id] = MaskingKey(key)
        model = self._models[head["model"]]
        query = Query.from_bytes(payload[head["key_bytes"] :], model.signature)
        answer = model.evaluate(query, self._key(head["key"]), threads=self._threads).to_bytes()
        return {"ms": (time.perf_counter() - started) * 1e3}, answer

    def _key(self, key_id: str) -> MaskingKey:
        if key_id not in self._keys:
            raise MismatchError("the public key must be known to the evaluation process. It is not: try again.")
        return self._keys[key_id]

    def _evaluate_legacy(self, head: Head, payload: memoryview) -> tuple[Head, bytes]:
        started = time.perf_counter()
        self._drop_keys(head["drop"])
        answer = self._legacy.answer(self._models[head["model"]], head, payload)
        return {"ms": (time.perf_counter() - started) * 1e3}, answer


def main(descriptor: int, options: Head) -> None:
    """Serve the front process at the other end of a socket until it closes it."""
    # These are sent to the whole group; the front process decides when to stop.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=descriptor))
    evaluator = Evaluator(options["threads"])
    while True:
        try:
            head, payload = channel.receive()
            channel.send(*evaluator.answer(head, payload))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
