"""An evaluation process: models and parsed public keys in, sanitised answers out. It sees no network.

The front process owns every decision: which models are loaded, which keys are held and which are dropped. Between
requests this process makes encryptions of zero ahead for the keys used last, within the memory it was given.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections import OrderedDict

from ..circuits.linear.evaluate import ZeroPool
from ..circuits.linear.wire import Query
from ..errors import HermeticError, MismatchError, ModelFileError
from ..keys.public import PublicKey
from ..model import EncryptedModel
from ..rlwe.parameters import Parameters
from .faults import describe_fault
from .frames import Channel, Head
from .legacy_evaluation import LegacyEvaluation


class KeyRing:
    """The public keys held here, and their encryptions of zero made ahead: at most ``ahead`` a key, and
    ``memory`` bytes in all.
    """

    def __init__(self, ahead: int, memory: int) -> None:
        self._ahead = ahead
        self._memory = memory
        self._keys: OrderedDict[str, tuple[ZeroPool, int]] = OrderedDict()

    def add(self, data: bytes) -> None:
        key = PublicKey.from_bytes(data)
        self._keys[key.id] = (ZeroPool(key), zero_bytes(key.parameters))

    def drop(self, key_id: str) -> None:
        self._keys.pop(key_id, None)

    def use(self, key_id: str) -> ZeroPool:
        """The key's pool; the key becomes the one used last. Raises :class:`MismatchError` if it is not held."""
        if key_id not in self._keys:
            raise MismatchError("the public key must be known to the evaluation process. It is not: try again.")
        self._keys.move_to_end(key_id)
        return self._keys[key_id][0]

    def make_one_ahead(self) -> bool:
        """Make one encryption of zero for the key used last that lacks any. False if there is nothing to make."""
        used = sum(len(pool) * size for pool, size in self._keys.values())
        for pool, size in reversed(self._keys.values()):
            if len(pool) < self._ahead:
                return self._free(size, used, pool) and _add_one(pool)
        return False

    def _free(self, wanted: int, used: int, keep: ZeroPool) -> bool:
        """Give up encryptions of the keys that were used longest ago, until there is room; never those of ``keep``
        or of a key used after it.
        """
        for pool, size in self._keys.values():
            while used + wanted > self._memory and pool is not keep and len(pool):
                pool.take()
                used -= size
            if pool is keep:
                break
        return used + wanted <= self._memory


def zero_bytes(parameters: Parameters) -> int:
    """Bytes of one encryption of zero, (2, L, N) words of 64 bits."""
    return 2 * len(parameters.data_primes) * parameters.ring_degree * 8


def _add_one(pool: ZeroPool) -> bool:
    pool.fill(len(pool) + 1)
    return True


class Evaluator:
    """Answers the messages of the front process."""

    def __init__(self, keys: KeyRing) -> None:
        self._models: dict[str, EncryptedModel] = {}
        self._keys = keys
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
            reply, data = {"fault": describe_fault(error)}, b""
        return {"id": head["id"], **reply}, data

    def _load(self, head: Head, payload: memoryview) -> tuple[Head, bytes]:
        """Load a model from the bytes of its file, exactly as the front process read them."""
        with os.fdopen(os.memfd_create("model"), "wb") as file:
            file.write(payload)
            file.flush()
            path = f"/proc/self/fd/{file.fileno()}"
            try:
                model = EncryptedModel.load(path)
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
            self._keys.drop(key_id)
            self._legacy.drop(key_id)

    def _evaluate(self, head: Head, payload: memoryview) -> tuple[Head, bytes]:
        started = time.perf_counter()
        self._drop_keys(head["drop"])
        if head["key_bytes"]:
            self._keys.add(bytes(payload[: head["key_bytes"]]))
        model = self._models[head["model"]]
        query = Query.from_bytes(bytes(payload[head["key_bytes"] :]), model.signature)
        answer = model.evaluate(query, self._keys.use(head["key"])).to_bytes()
        return {"ms": (time.perf_counter() - started) * 1e3}, answer

    def _evaluate_legacy(self, head: Head, payload: memoryview) -> tuple[Head, bytes]:
        started = time.perf_counter()
        self._drop_keys(head["drop"])
        answer = self._legacy.answer(self._models[head["model"]], head, payload)
        return {"ms": (time.perf_counter() - started) * 1e3}, answer


def main(descriptor: int, options: Head) -> None:
    """Serve the front process at the other end of a socket until it closes it."""
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the front process decides when to stop
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=descriptor))
    keys = KeyRing(options["ahead"], options["memory"])
    evaluator = Evaluator(keys)
    while True:
        while not channel.pending() and keys.make_one_ahead():
            pass
        try:
            head, payload = channel.receive()
            channel.send(*evaluator.answer(head, payload))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
