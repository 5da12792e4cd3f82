"""Measure TenSEAL's CKKS vectors on a network of one hidden layer with squares, as its MNIST tutorial computes one.

    python tenseal_network.py --input data.npz --repeat 5 --repeat-server 20

``data.npz`` holds ``w1`` (H, d), ``b1`` (H,), ``w2`` (k, H), ``b2`` (k,) and ``x`` (n, d). One JSON object is printed.
Only TenSEAL's public API is used: ``matmul``, ``add``, ``square``, ``matmul``, ``add``, on one vector, with its own
relinearisation and rescaling, and all cores. The parameters are the first of ``CHOICES`` that read the same classes as
the plain network for the first images. All are at 128 bits by Microsoft SEAL's own check. server_ms is: deserialise the
request, compute all outputs, serialise the answer. The server loads the keys once per client, in key_load_ms.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from measuring import labels, measured, silence_stdout, square_network_scores

Floats = npt.NDArray[np.float64]

ts: Any = None  # the tenseal module: main imports it once standard output is silenced

CHOICES = ((30, [40, 30, 30, 30, 40]), (35, [47, 35, 35, 35, 47]))
"""The bits of the scale, and of the primes, at N=8192: three products of depth."""

PROBES = 4
THREADS = os.cpu_count() or 1


class Session:
    """One client with its keys, and the server that got its upload."""

    def __init__(self, arrays: dict[str, Floats], scale_bits: int, primes: list[int]) -> None:
        self.scale_bits, self.primes = scale_bits, primes
        self.layers = [ts.plain_tensor(np.ascontiguousarray(arrays[name].T)) for name in ("w1", "w2")]
        self.biases = [arrays[name].tolist() for name in ("b1", "b2")]
        self.client: Any = None
        self.server: Any = None

    def new_keys(self) -> bytes:
        """A new client's upload."""
        self.client = ts.context(
            ts.SCHEME_TYPE.CKKS, poly_modulus_degree=8192, coeff_mod_bit_sizes=self.primes, n_threads=THREADS
        )
        self.client.global_scale = 2.0**self.scale_bits
        self.client.generate_galois_keys()
        self.client.generate_relin_keys()
        upload: bytes = self.client.serialize(save_secret_key=False)
        return upload

    def load_keys(self, upload: bytes) -> None:
        """What the server does once per client."""
        self.server = ts.context_from(upload, THREADS)

    def encrypt(self, x: Floats) -> bytes:
        """One image to a request."""
        request: bytes = ts.ckks_vector(self.client, x).serialize()
        return request

    def serve(self, request: bytes) -> bytes:
        """A request to an answer."""
        vector = ts.ckks_vector_from(self.server, request)
        hidden = vector.matmul(self.layers[0]).add_(self.biases[0]).square_()
        answer: bytes = hidden.matmul_(self.layers[1]).add_(self.biases[1]).serialize()
        return answer

    def decrypt(self, response: bytes) -> Floats:
        """An answer to the scores."""
        return np.array(ts.ckks_vector_from(self.client, response).decrypt())


def choose(arrays: dict[str, Floats]) -> Session:
    """A session at the first parameters that read the first images as the plain network does."""
    x = arrays["x"][:PROBES]
    for scale_bits, primes in CHOICES:
        session = Session(arrays, scale_bits, primes)
        session.load_keys(session.new_keys())
        found = np.array([session.decrypt(session.serve(session.encrypt(image))) for image in x])
        if labels(found) == labels(square_network_scores(arrays, x)):
            return session
    raise ValueError("no parameters read the images as the plain network does")


def measure(arrays: dict[str, Floats], repeat: int, repeat_server: int) -> dict[str, Any]:
    """All the figures of one run."""
    session, x = choose(arrays), arrays["x"]
    asked = x[np.arange(repeat_server) % len(x)]
    return {
        "name": "TenSEAL",
        "version": importlib.metadata.version("tenseal"),
        "parameters": f"CKKS vector, N=8192, {'+'.join(map(str, session.primes))} bits, {THREADS} threads",
        "compile_ms": None,
        **measured(session, asked, square_network_scores(arrays, asked), repeat),
    }


def main() -> None:
    """Read the arguments, measure, print one JSON object."""
    global ts  # noqa: PLW0603
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="data.npz")
    parser.add_argument("--repeat", type=int, default=5, help="repeats of making keys")
    parser.add_argument("--repeat-server", type=int, default=20, help="repeats of the prediction")
    arguments = parser.parse_args()
    if min(arguments.repeat, arguments.repeat_server) < 1:
        parser.error("at least one repeat")
    with silence_stdout() as out:
        ts = importlib.import_module("tenseal")
        with np.load(arguments.input) as data:
            arrays = {name: data[name].astype(np.float64) for name in ("w1", "b1", "w2", "b2", "x")}
        print(json.dumps(measure(arrays, arguments.repeat, arguments.repeat_server)), file=out)


if __name__ == "__main__":
    main()
