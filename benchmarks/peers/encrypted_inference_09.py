"""Measure `encrypted-inference` 0.9, Microsoft Research's encrypted inference SDK, on a linear model.

    python encrypted_inference_09.py --input data.npz --repeat 20 --repeat-server 3

``data.npz`` holds ``coef`` (k, d), ``intercept`` (k,) and ``x`` (n, d). One JSON object is printed. The SDK
has one fixed set of parameters (``parameters.json`` in its package), and its own classes do all the work:

* key_ms, key_bytes: a new client and its public keys. They are bytes already.
* encrypt_ms, request_bytes: one image to a list of base64 strings, whose lengths are added up.
* server_ms, response_bytes: ``EIServer.predict``, from those strings and the keys to k base64 strings. It
  parses the keys anew for every output, so there is no separate key_load_ms.
* decrypt_ms: those strings to k scores.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from measuring import labels, silence_stdout, timed


def measure(data: Path, repeat: int, repeat_server: int) -> dict[str, Any]:
    """All the figures of one run."""
    client_class: Any = importlib.import_module("encrypted.inference.eiclient").EILinearRegressionClient
    server_class: Any = importlib.import_module("encrypted.inference.eiserver").EIServer
    internal = Path(str(importlib.import_module("encrypted.inference.internal").__file__)).parent
    parameters = json.loads((internal / "parameters.json").read_text(encoding="utf-8"))

    with np.load(data) as arrays:
        coef, intercept, x = arrays["coef"], arrays["intercept"], arrays["x"]
    plain = x @ coef.T + intercept

    key_ms: list[float] = []
    encrypt_ms: list[float] = []
    server_ms: list[float] = []
    decrypt_ms: list[float] = []

    def new_keys() -> tuple[Any, bytes]:
        client = client_class(verbose=False)
        return client, client.get_public_keys()[1]

    # Keys and ciphertexts are compressed, so that their sizes differ by a few bytes: the last are reported.
    for _ in range(repeat):
        client, public_keys = timed(key_ms, new_keys)

    repeat_client = max(repeat, repeat_server)
    requests = [timed(encrypt_ms, client.encrypt, x[i % len(x)]) for i in range(repeat_client)]
    server = server_class(coef, intercept, verbose=False)
    responses = [timed(server_ms, server.predict, request, public_keys) for request in requests[:repeat_server]]
    answered = [i % repeat_server for i in range(repeat_client)]
    scores = np.array([timed(decrypt_ms, client.decrypt, responses[i]) for i in answered])
    expected = plain[np.array(answered) % len(x)]

    bits = "+".join(map(str, parameters["CoeffModulus"]))
    return {
        "name": "encrypted-inference",
        "version": importlib.metadata.version("encrypted-inference"),
        "parameters": f"CKKS, N={parameters['PolyModulusDegree']}, {bits} bits, "
        f"scale 2^{parameters['InitialScale'].bit_length() - 1} (fixed by the package)",
        "compile_ms": None,
        "key_bytes": len(public_keys),
        "key_ms": statistics.median(key_ms),
        "key_load_ms": None,
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="data.npz")
    parser.add_argument("--repeat", type=int, default=20, help="repeats of what the client does")
    parser.add_argument("--repeat-server", type=int, default=3, help="repeats of the prediction")
    arguments = parser.parse_args()
    if min(arguments.repeat, arguments.repeat_server) < 1:
        parser.error("at least one repeat")
    with silence_stdout() as out:
        print(json.dumps(measure(arguments.input, arguments.repeat, arguments.repeat_server)), file=out)


if __name__ == "__main__":
    main()
