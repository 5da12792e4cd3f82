"""Measure OpenFHE's CKKS on a network of one hidden layer with squares.

    python openfhe_network.py --input data.npz --repeat 5 --repeat-server 20

``data.npz`` holds ``w1`` (H, d), ``b1`` (H,), ``w2`` (k, H), ``b2`` (k,) and ``x`` (n, d). One JSON object is printed.
OpenFHE has no layers: they are written with its public API, as well as it allows. The client sends one ciphertext with
as many copies of its input as fit, each moved a little; the first layer is made of diagonals, with hoisted baby steps
and giant steps, and folds; the square is OpenFHE's own; output j is the sum over block j of the slots. All cores are
used, as OpenFHE does by itself. It checks 128 bits of security. server_ms is: deserialise the request, compute all
outputs, serialise the answer. The server has the keys in key_load_ms, once per client.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from measuring import measured, silence_stdout, square_network_scores, timed

Floats = npt.NDArray[np.float64]

fhe: Any = None  # the openfhe module: main imports it once standard output is silenced

RING_DEGREE, SLOTS = 8192, 4096
SCALE_BITS, FIRST_BITS, DEPTH = 33, 43, 3
THREADS = os.cpu_count() or 1


def power_of_two(count: int) -> int:
    """The least that is not below."""
    return 1 << (count - 1).bit_length()


class Layout:
    """Where a network of d inputs and H neurons is in the slots: inputs stand apart by so many zeros that no rotation
    brings one copy's to another's weights.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        self.period = power_of_two(hidden)
        self.width = power_of_two(inputs + self.period - 1)
        self.copies = SLOTS // self.width
        self.turns = -(-self.period // self.copies)
        self.babies = 1 << (self.turns.bit_length() // 2)

    def spread(self, x: Floats) -> Floats:
        """An input in every copy, each moved by as many slots as the one before has diagonals."""
        slot = np.arange(SLOTS)
        return self._taken(x, slot % self.width + slot // self.width * self.turns)

    def diagonals(self, weights: Floats) -> Floats:
        """A matrix (H, d) as so many rows of slots as there are turns."""
        padded = np.zeros((self.period, weights.shape[1]))
        padded[: len(weights)] = weights
        slot = np.arange(SLOTS)
        start = slot % self.width + slot // self.width * self.turns
        return np.array([self._taken(padded[slot % self.period], start + turn) for turn in range(self.turns)])

    def _taken(self, values: Floats, number: npt.NDArray[np.intp]) -> Floats:
        """The values (d,), or one of each row (n, d), with a number, from -(J - 1) on; 0 where there is none."""
        index, count = number - (self.period - 1), values.shape[-1]
        inside = (index >= 0) & (index < count)
        rows = () if values.ndim == 1 else (np.arange(len(values)),)
        found: Floats = np.where(inside, values[(*rows, index.clip(0, count - 1))], 0.0)
        return found

    @property
    def folds(self) -> Iterator[int]:
        """Rotations that sum up a neuron's slots."""
        step = self.period
        while step < SLOTS:
            yield step
            step *= 2

    @property
    def sums(self) -> Iterator[int]:
        """Rotations that sum up a block of all neurons."""
        step = 1
        while step < self.period:
            yield step
            step *= 2

    @property
    def rotations(self) -> list[int]:
        """All of them."""
        giants = range(self.babies, self.turns, self.babies)
        return sorted({*range(1, self.babies), *giants, *self.folds, *self.sums})


class Session:
    """One client with its keys, and the server that got its upload."""

    def __init__(self, arrays: dict[str, Floats]) -> None:
        self.layout = Layout(arrays["w1"].shape[1], arrays["w1"].shape[0])
        parameters = fhe.CCParamsCKKSRNS()
        parameters.SetMultiplicativeDepth(DEPTH)
        parameters.SetScalingModSize(SCALE_BITS)
        parameters.SetFirstModSize(FIRST_BITS)
        parameters.SetScalingTechnique(fhe.ScalingTechnique.FLEXIBLEAUTO)
        parameters.SetNumLargeDigits(DEPTH + 1)
        parameters.SetSecurityLevel(fhe.SecurityLevel.HEStd_128_classic)
        parameters.SetRingDim(RING_DEGREE)
        parameters.SetBatchSize(SLOTS)
        self.context = fhe.GenCryptoContext(parameters)
        for feature in (fhe.PKESchemeFeature.PKE, fhe.PKESchemeFeature.KEYSWITCH, fhe.PKESchemeFeature.LEVELEDSHE):
            self.context.Enable(feature)
        self.keys = self.context.KeyGen()
        self.arrays = arrays
        self.encoded: dict[str, Any] = {}

    def new_keys(self) -> list[bytes]:
        """A new client's upload."""
        fhe.ClearEvalMultKeys()
        self.context.ClearEvalAutomorphismKeys()
        self.keys = self.context.KeyGen()
        self.context.EvalMultKeyGen(self.keys.secretKey)
        self.context.EvalRotateKeyGen(self.keys.secretKey, self.layout.rotations)
        found = fhe.SerializeEvalMultKeyString(fhe.BINARY, ""), fhe.SerializeEvalAutomorphismKeyString(fhe.BINARY, "")
        return list(found)

    def load_keys(self, upload: list[bytes]) -> None:
        """What the server does once per client."""
        fhe.ClearEvalMultKeys()
        self.context.ClearEvalAutomorphismKeys()
        fhe.DeserializeEvalMultKeyString(upload[0], fhe.BINARY)
        fhe.DeserializeEvalAutomorphismKeyString(upload[1], fhe.BINARY)

    def encode(self) -> None:
        """What the server does once per model."""
        layout, arrays = self.layout, self.arrays
        slot, period = np.arange(SLOTS), layout.period
        rows = layout.diagonals(arrays["w1"])
        giants = range(0, layout.turns, layout.babies)
        self.encoded["diagonals"] = [
            [
                self._plain(np.roll(rows[giant + baby], giant))
                for baby in range(min(layout.babies, layout.turns - giant))
            ]
            for giant in giants
        ]
        bias, last = np.zeros(period), np.zeros((SLOTS // period, period))
        bias[: len(arrays["b1"])] = arrays["b1"]
        last[: len(arrays["w2"]), : arrays["w2"].shape[1]] = arrays["w2"]
        self.encoded["bias"] = self._plain(bias[slot % period])
        self.encoded["last"] = self._plain(last[slot // period, slot % period])

    def _plain(self, values: Floats) -> Any:
        return self.context.MakeCKKSPackedPlaintext(values.tolist())

    def encrypt(self, x: Floats) -> bytes:
        """One image to a request."""
        plain = self._plain(self.layout.spread(x))
        request: bytes = fhe.Serialize(self.context.Encrypt(self.keys.publicKey, plain), fhe.BINARY)
        return request

    def serve(self, request: bytes) -> bytes:
        """A request to an answer."""
        context, layout = self.context, self.layout
        given = fhe.DeserializeCiphertextString(request, fhe.BINARY)
        digits = context.EvalFastRotationPrecompute(given)
        turned = [given, *(self._fast(given, step, digits) for step in range(1, layout.babies))]
        total = None
        for number, rows in enumerate(self.encoded["diagonals"]):
            part = context.EvalMult(turned[0], rows[0])
            for ciphertext, row in zip(turned[1:], rows[1:]):  # noqa: B905 - as many as there are rows
                part = context.EvalAdd(part, context.EvalMult(ciphertext, row))
            if number:
                part = context.EvalRotate(part, number * layout.babies)
            total = part if total is None else context.EvalAdd(total, part)
        for step in layout.folds:
            total = context.EvalAdd(total, context.EvalRotate(total, step))
        hidden = context.EvalSquare(context.EvalAdd(total, self.encoded["bias"]))
        scores = context.EvalMult(hidden, self.encoded["last"])
        for step in layout.sums:
            scores = context.EvalAdd(scores, context.EvalRotate(scores, step))
        answer: bytes = fhe.Serialize(scores, fhe.BINARY)
        return answer

    def _fast(self, ciphertext: Any, step: int, digits: Any) -> Any:
        return self.context.EvalFastRotation(ciphertext, step, 2 * RING_DEGREE, digits)

    def decrypt(self, response: bytes) -> Floats:
        """An answer to the scores."""
        found = self.context.Decrypt(fhe.DeserializeCiphertextString(response, fhe.BINARY), self.keys.secretKey)
        values = np.array(found.GetRealPackedValue())[:: self.layout.period]
        return np.asarray(values[: len(self.arrays["b2"])] + self.arrays["b2"])


def measure(arrays: dict[str, Floats], repeat: int, repeat_server: int) -> dict[str, Any]:
    """All the figures of one run."""
    session, x, compile_ms = Session(arrays), arrays["x"], list[float]()
    timed(compile_ms, session.encode)
    asked = x[np.arange(repeat_server) % len(x)]
    bits = "+".join([str(FIRST_BITS), *[str(SCALE_BITS)] * DEPTH])
    return {
        "name": "OpenFHE",
        "version": importlib.metadata.version("openfhe"),
        "parameters": f"CKKS, N={RING_DEGREE}, {bits} bits, hybrid key switching, {THREADS} threads",
        "compile_ms": compile_ms[0],
        **measured(session, asked, square_network_scores(arrays, asked), repeat),
    }


def main() -> None:
    """Read the arguments, measure, print one JSON object."""
    global fhe  # noqa: PLW0603
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="data.npz")
    parser.add_argument("--repeat", type=int, default=5, help="repeats of making keys")
    parser.add_argument("--repeat-server", type=int, default=20, help="repeats of the prediction")
    arguments = parser.parse_args()
    if min(arguments.repeat, arguments.repeat_server) < 1:
        parser.error("at least one repeat")
    with silence_stdout() as out:
        fhe = importlib.import_module("openfhe")
        with np.load(arguments.input) as data:
            arrays = {name: data[name].astype(np.float64) for name in ("w1", "b1", "w2", "b2", "x")}
        print(json.dumps(measure(arrays, arguments.repeat, arguments.repeat_server)), file=out)


if __name__ == "__main__":
    main()
