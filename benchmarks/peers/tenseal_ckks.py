"""Measure TenSEAL's CKKS vectors on a linear model, at the best parameters found for each of three methods.

    python tenseal_ckks.py --input data.npz --repeat 20 --method packed

``data.npz`` holds ``coef`` (k, d), ``intercept`` (k,) and ``x`` (n, d). One JSON object is printed. Only
TenSEAL's public API is used. The methods:

* ``matmul``: ``vector.matmul(matrix)``, which TenSEAL's documentation and MNIST tutorial teach for a linear
  layer. It multiplies and rotates once per *input* (the diagonal method), on all cores.
* ``dot``: ``vector.dot(row)`` per output, on inputs padded to a power of two: log2(inputs) rotations and one
  answer ciphertext per output.
* ``packed``: the client repeats each input ``ROWS`` times, so that a ciphertext holds N/2/``ROWS`` inputs.
  The server multiplies by the weights of ``ROWS`` outputs, adds the ciphertexts up, and folds the sum with
  ``enc_matmul_plain`` by ones: log2(N/2/``ROWS``) rotations and one answer ciphertext per ``ROWS`` outputs.
  That is the least work for the server, at the price of a larger request.

What makes each faster or smaller than the tutorials' settings at no cost:

* The intercept is the weight of one more input, 1. ``+ bias`` would need the product back at the bias's
  scale: a rescaling, thus one more prime in every ciphertext and key, and slower rotations. Without it,
  N=4096 suffices.
* Encryption is symmetric where the server itself need not encrypt. ``matmul`` must: it uploads a public key.
* There are no relinearisation keys. Of Galois keys TenSEAL offers no choice: it always makes the full set.

The parameters are the first of the method's list in ``CHOICES`` that keep the error within half of
``--tolerance`` on the first images. All are at 128 bits by Microsoft SEAL's own check, which TenSEAL leaves
on. server_ms is: deserialise the request, compute all k outputs, serialise the answer. The server loads the
keys once per client, in key_load_ms.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import math
import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from measuring import labels, silence_stdout, timed

Floats = npt.NDArray[np.float64]

ts: Any = None  # the tenseal module: main imports it once standard output is silenced

ROWS = 16
PROBES = 4


@dataclass(frozen=True)
class Choice:
    """CKKS parameters. The last prime is the key switching one, which no ciphertext carries."""

    degree: int
    prime_bits: tuple[int, ...]
    scale_bits: float
    rescale: bool = False  # drop a prime before the rotations; the scale is then the square root of that prime

    @property
    def slots(self) -> int:
        """Numbers that one ciphertext holds."""
        return self.degree // 2

    def scale(self) -> float:
        """The scale of inputs and weights."""
        if not self.rescale:
            return float(2**self.scale_bits)
        # Three factors at scale s, divided by a prime s², leave exactly the scale s that TenSEAL assumes.
        sealapi: Any = importlib.import_module("tenseal.sealapi")
        return math.sqrt(sealapi.CoeffModulus.Create(self.degree, list(self.prime_bits))[-2].value())

    def __str__(self) -> str:
        scale = f"scale 2^{self.scale_bits:g}" + (", one rescaling" if self.rescale else ", no rescaling")
        return f"N={self.degree}, {'+'.join(map(str, self.prime_bits))} bits, {scale}"


CHOICES: dict[str, tuple[Choice, ...]] = {
    "matmul": (Choice(4096, (60, 49), 26), Choice(8192, (45, 45, 55), 40)),
    "dot": (Choice(4096, (60, 49), 26), Choice(8192, (45, 45, 55), 40)),
    "packed": (Choice(4096, (38, 37, 34), 22), Choice(8192, (40, 60, 50), 30, rescale=True)),
}


class Layer:
    """A linear layer by one method: how the client lays out an input, and what the server computes."""

    symmetric = True

    def __init__(self, weights: Floats, choice: Choice) -> None:
        """Prepare ``weights`` (k, inputs), the intercepts being their last column."""
        self.choice = choice
        self.outputs, self.inputs = weights.shape

    def vectors(self, x: Floats) -> list[Floats]:
        """The vectors that the client encrypts."""
        raise NotImplementedError

    def compute(self, context: Any, vectors: list[Any]) -> list[Any]:
        """The encrypted outputs, in order, from the encrypted vectors."""
        raise NotImplementedError


class MatmulLayer(Layer):
    """``vector.matmul(matrix)``."""

    symmetric = False  # the server adds to encryptions of zero that it makes itself

    def __init__(self, weights: Floats, choice: Choice) -> None:
        super().__init__(weights, choice)
        if self.inputs + self.outputs > choice.slots + 1:
            raise ValueError("the model is too large for one ciphertext")
        self.matrix = ts.plain_tensor(weights.T)

    def vectors(self, x: Floats) -> list[Floats]:
        return [x]

    def compute(self, context: Any, vectors: list[Any]) -> list[Any]:
        return [vectors[0].matmul(self.matrix)]


class DotLayer(Layer):
    """``vector.dot(row)`` for each output."""

    def __init__(self, weights: Floats, choice: Choice) -> None:
        super().__init__(weights, choice)
        self.padding = (1 << (self.inputs - 1).bit_length()) - self.inputs
        if self.inputs + self.padding > choice.slots:
            raise ValueError("the model is too large for one ciphertext")
        self.rows = [ts.plain_tensor(np.pad(row, (0, self.padding))) for row in weights]

    def vectors(self, x: Floats) -> list[Floats]:
        return [np.pad(x, (0, self.padding))]

    def compute(self, context: Any, vectors: list[Any]) -> list[Any]:
        return [vectors[0].dot(row) for row in self.rows]


class PackedLayer(Layer):
    """``ROWS`` outputs at a time: slot ``i·ROWS + r`` of a block holds input i times a weight of output r."""

    def __init__(self, weights: Floats, choice: Choice) -> None:
        super().__init__(weights, choice)
        self.width = choice.slots // ROWS
        self.blocks = -(-self.inputs // self.width)
        groups = -(-self.outputs // ROWS)
        padded = np.zeros((groups * ROWS, self.blocks * self.width))
        padded[: self.outputs, : self.inputs] = weights
        tiles = padded.reshape(groups, ROWS, self.blocks, self.width).transpose(0, 2, 3, 1)
        self.tiles = [[ts.plain_tensor(tile.ravel()) for tile in group] for group in tiles]
        self.ones = ts.plain_tensor(np.ones(self.width))

    def vectors(self, x: Floats) -> list[Floats]:
        padded = np.pad(x, (0, self.blocks * self.width - self.inputs))
        return list(np.repeat(padded, ROWS).reshape(self.blocks, -1))

    def compute(self, context: Any, vectors: list[Any]) -> list[Any]:
        sums = []
        for group in self.tiles:
            total = vectors[0].mul(group[0])
            for vector, tile in zip(vectors[1:], group[1:], strict=True):
                total.add_(vector.mul(tile))
            context.auto_rescale = self.choice.rescale
            sums.append(total.enc_matmul_plain_(self.ones, ROWS))
            context.auto_rescale = False
        return sums


LAYERS: dict[str, type[Layer]] = {"matmul": MatmulLayer, "dot": DotLayer, "packed": PackedLayer}


class Session:
    """One client with its keys, and the server that got its upload."""

    def __init__(self, layer: Layer, threads: int) -> None:
        self.layer = layer
        self.threads = threads
        self.client: Any = None
        self.server: Any = None

    def new_keys(self) -> bytes:
        """A new client's upload."""
        kind = ts.ENCRYPTION_TYPE.SYMMETRIC if self.layer.symmetric else ts.ENCRYPTION_TYPE.ASYMMETRIC
        choice = self.layer.choice
        self.client = ts.context(
            ts.SCHEME_TYPE.CKKS,
            poly_modulus_degree=choice.degree,
            coeff_mod_bit_sizes=list(choice.prime_bits),
            encryption_type=kind,
            n_threads=self.threads,
        )
        self.client.global_scale = choice.scale()
        self.client.auto_rescale = False
        self.client.generate_galois_keys()
        upload: bytes = self.client.serialize(
            save_public_key=not self.layer.symmetric,
            save_secret_key=False,
            save_galois_keys=True,
            save_relin_keys=False,
        )
        return upload

    def load_keys(self, upload: bytes) -> None:
        """What the server does once per client."""
        self.server = ts.context_from(upload, self.threads)

    def encrypt(self, x: Floats) -> list[bytes]:
        """One image to a request."""
        return [ts.ckks_vector(self.client, v).serialize() for v in self.layer.vectors(np.append(x, 1.0))]

    def serve(self, request: list[bytes]) -> list[bytes]:
        """A request to an answer."""
        vectors = [ts.ckks_vector_from(self.server, part) for part in request]
        return [vector.serialize() for vector in self.layer.compute(self.server, vectors)]

    def decrypt(self, response: list[bytes]) -> Floats:
        """An answer to the scores."""
        parts = [ts.ckks_vector_from(self.client, part).decrypt() for part in response]
        return np.concatenate(parts)[: self.layer.outputs]


def choose(method: str, weights: Floats, x: Floats, tolerance: float) -> Layer:
    """The method's layer at the first parameters that keep the error within half of ``tolerance``."""
    for choice in CHOICES[method]:
        layer = LAYERS[method](weights, choice)
        session = Session(layer, os.cpu_count() or 1)
        session.load_keys(session.new_keys())
        answers = [session.decrypt(session.serve(session.encrypt(image))) for image in x[:PROBES]]
        plain = x[:PROBES] @ weights[:, :-1].T + weights[:, -1]
        if float(np.abs(np.array(answers) - plain).max()) <= tolerance / 2:
            return layer
    raise ValueError(f"no parameters of {method} keep the error within {tolerance}")


def measure(data: Path, method: str, repeat: int, repeat_server: int, threads: int, tolerance: float) -> dict[str, Any]:
    """All the figures of one run."""
    with np.load(data) as arrays:
        coef, intercept, x = arrays["coef"], arrays["intercept"], arrays["x"]
    plain = x @ coef.T + intercept
    layer = choose(method, np.column_stack([coef, intercept]), x, tolerance)
    session = Session(layer, threads)

    key_ms: list[float] = []
    key_load_ms: list[float] = []
    encrypt_ms: list[float] = []
    server_ms: list[float] = []
    decrypt_ms: list[float] = []

    # Keys and ciphertexts are compressed, so that their sizes differ by a few bytes: the last are reported.
    for _ in range(repeat):
        upload = timed(key_ms, session.new_keys)
        timed(key_load_ms, session.load_keys, upload)

    repeat_client = max(repeat, repeat_server)
    requests = [timed(encrypt_ms, session.encrypt, x[i % len(x)]) for i in range(repeat_client)]
    responses = [timed(server_ms, session.serve, request) for request in requests[:repeat_server]]
    answered = [i % repeat_server for i in range(repeat_client)]
    scores = np.array([timed(decrypt_ms, session.decrypt, responses[i]) for i in answered])
    expected = plain[np.array(answered) % len(x)]

    encryption = "symmetric" if layer.symmetric else "public-key"
    return {
        "name": f"TenSEAL ({method})",
        "version": importlib.metadata.version("tenseal"),
        "parameters": f"CKKS vector, {method}, {layer.choice}, {encryption} encryption, {threads} threads",
        "compile_ms": None,
        "key_bytes": len(upload),
        "key_ms": statistics.median(key_ms),
        "key_load_ms": statistics.median(key_load_ms),
        "encrypt_ms": statistics.median(encrypt_ms),
        "request_bytes": sum(map(len, requests[-1])),
        "server_ms": statistics.median(server_ms),
        "response_bytes": sum(map(len, responses[-1])),
        "decrypt_ms": statistics.median(decrypt_ms),
        "max_error": float(np.abs(scores - expected).max()),
        "predicted": labels(scores[:repeat_server]),
        "plain": labels(expected[:repeat_server]),
        "repeat": {"keys": repeat, "client": repeat_client, "server": repeat_server},
    }


def main() -> None:
    """Read the arguments, measure, print one JSON object."""
    global ts  # noqa: PLW0603
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="data.npz")
    parser.add_argument("--method", choices=sorted(CHOICES), default="packed")
    parser.add_argument("--repeat", type=int, default=20, help="repeats of everything")
    parser.add_argument("--repeat-server", type=int, help="repeats of the server's part (default: --repeat)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default: all cores")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="largest accepted error of a score")
    arguments = parser.parse_args()
    repeat_server = arguments.repeat if arguments.repeat_server is None else arguments.repeat_server
    if min(arguments.repeat, repeat_server, arguments.threads) < 1:
        parser.error("at least one repeat and one thread")
    with silence_stdout() as out:
        ts = importlib.import_module("tenseal")
        report = measure(
            arguments.input,
            arguments.method,
            arguments.repeat,
            repeat_server,
            arguments.threads,
            arguments.tolerance,
        )
        print(json.dumps(report), file=out)


if __name__ == "__main__":
    main()
