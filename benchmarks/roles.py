"""The data owner and the service, each in a process of its own, so that times and memory are each one's own.

They exchange bytes only, as they would over a network.
"""

from __future__ import annotations

import multiprocessing as mp
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_MB = 1e6


@dataclass(frozen=True)
class Medians:
    """Medians in ms, sizes in bytes, peak resident memory in MB; ``exact`` is None where answers are reals."""

    samples: int
    key_bytes: int
    key_ms: float
    encrypt_ms: float
    request_bytes: int
    key_load_ms: float
    server_ms: float
    server_floor_ms: float | None
    zero_ms: float
    response_bytes: int
    decrypt_ms: float
    max_error: float
    exact: bool | None
    client_mb: float
    server_mb: float


def measure(model_file: Path, X: npt.NDArray[np.float64], expected: npt.NDArray[np.float64], repeat: int) -> Medians:
    """Run a batch through both roles ``repeat`` times; ``expected`` are the plain model's scores of X."""
    vector = X[0] if len(X) == 1 else X
    with _Role(_Owner, model_file) as client, _Role(_Service, model_file) as service:
        key, key_ms = client.ask("keys", repeat)
        key_load_ms = service.ask("load", key, repeat)
        query, encrypt_ms = client.ask("encrypt", vector, repeat)
        result, answered, server_ms, floor_ms = service.ask("evaluate", query, repeat)
        scores, decrypt_ms = client.ask("decrypt", result, repeat)
        reference = service.ask("reference", client.ask("quantize", vector))
        exact = np.array_equal(scores.reshape(reference.shape), reference)
        return Medians(
            len(X),
            len(key),
            key_ms,
            encrypt_ms,
            len(query),
            key_load_ms,
            server_ms,
            floor_ms,
            service.ask("zero", repeat),
            len(result),
            decrypt_ms,
            float(np.abs(scores.reshape(expected.shape) - expected).max()),
            exact and answered == len(X),
            client.ask("memory"),
            service.ask("memory"),
        )


class _Role:
    """A spawned process that answers (method, arguments) with one of its object's methods."""

    def __init__(self, make: Callable[[Path], Any], model_file: Path) -> None:
        context = mp.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(make, model_file, there), daemon=True)
        self._process.start()
        there.close()

    def __enter__(self) -> _Role:
        return self

    def ask(self, method: str, *arguments: Any) -> Any:
        self._here.send((method, arguments))
        return self._here.recv()

    def __exit__(self, *_: object) -> None:
        self._here.close()
        self._process.join()


def _serve(make: Callable[[Path], Any], model_file: Path, connection: Connection) -> None:
    role = make(model_file)
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        connection.send(getattr(role, method)(*arguments))


def _median_ms(step: Callable[[], Any], repeat: int) -> tuple[Any, float]:
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        out = step()
        times.append((time.perf_counter() - start) * 1e3)
    return out, statistics.median(times[1:])


def _memory_mb() -> float:
    """Peak resident memory of this process alone: ``getrusage`` would count the parent's, from before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kib) * 1024 / _MB


class _Owner:
    """The data owner: reads the signature only."""

    def __init__(self, model_file: Path) -> None:
        from hermetic.signature import Signature

        self.signature = Signature.from_bytes(model_file.with_suffix(".signature").read_bytes())

    def keys(self, repeat: int) -> tuple[bytes, float]:
        from hermetic import Client

        def make() -> bytes:
            self.client = Client(self.signature)
            return self.client.public_key.to_bytes()

        return _median_ms(make, repeat)

    def encrypt(self, X: npt.NDArray[np.float64], repeat: int) -> tuple[bytes, float]:
        return _median_ms(lambda: self.client.encrypt(X).to_bytes(), repeat)

    def quantize(self, X: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        return self.client.quantize(X)[0]

    def decrypt(self, data: bytes, repeat: int) -> tuple[npt.NDArray[np.float64], float]:
        from hermetic import Result

        scores, ms = _median_ms(lambda: self.client.decrypt(Result.from_bytes(data, self.signature)), repeat)
        return np.asarray(scores), ms

    def memory(self) -> float:
        return _memory_mb()


class _Service:
    """The service: bytes in, bytes out."""

    def __init__(self, model_file: Path) -> None:
        from hermetic import CompiledModel

        self.model = CompiledModel.load(model_file)

    def load(self, key: bytes, repeat: int) -> float:
        from hermetic import MaskingKey, PublicKey

        def parse() -> None:
            self.key = MaskingKey(PublicKey.from_bytes(key))

        return _median_ms(parse, repeat)[1]

    def evaluate(self, data: bytes, repeat: int) -> tuple[bytes, int, float, float | None]:
        from hermetic import Query

        from .floor import measure_core, work_of

        signature = self.model.signature

        def answer() -> bytes:
            query = Query.from_bytes(data, signature)
            return self.model.evaluate(query, self.key).to_bytes()

        wall, used = time.perf_counter(), time.process_time()
        result, ms = _median_ms(answer, repeat)
        cores = max(1, round((time.process_time() - used) / (time.perf_counter() - wall)))
        query = Query.from_bytes(data, signature)
        floor = None
        if signature.circuit.kind == "linear":
            core = measure_core(signature.parameters, query.batch.layout.points)
            floor = work_of(signature, query, len(data) + len(result)).milliseconds(core, cores)
        return result, query.samples, ms, floor

    def zero(self, repeat: int) -> float:
        """The yardstick: one encryption of zero by SEAL under a public key, at the model's parameters."""
        import seal

        literal = seal.EncryptionParameters(seal.scheme_type.ckks)
        literal.set_poly_modulus_degree(self.model.signature.parameters.ring_degree)
        literal.set_coeff_modulus([seal.Modulus(prime) for prime in self.model.signature.parameters.key_primes])
        context = seal.SEALContext(literal, True, seal.sec_level_type.tc128)
        encryptor = seal.Encryptor(context, seal.KeyGenerator(context).create_public_key())
        return _median_ms(encryptor.encrypt_zero, repeat)[1]

    def reference(self, integers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return self.model.reference(integers)

    def memory(self) -> float:
        return _memory_mb()
