"""Clients and a server of `encrypted-inference` 0.9, unmodified, that do what they are asked, one line at a time.

    python encrypted_inference_09_live.py --input data.npz

``data.npz`` holds ``coef`` (k, d) and ``intercept`` (k,) for the server. Each line of the standard input is a JSON
list, answered by one line ``[result, milliseconds]``:

* ``["keys"]``: a new client; its key id and, in base64, its public keys. Clients count from 0.
* ``["encrypt", client, x]``: d numbers to a list of base64 strings.
* ``["predict", client, strings]``: 0.9's own server's answer, with that client's public keys.
* ``["decrypt", client, strings]``: k scores.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from measuring import silence_stdout, timed


class Live:
    """The server, and the clients that were asked for."""

    def __init__(self, data: Path) -> None:
        with np.load(data) as arrays:
            server_class: Any = importlib.import_module("encrypted.inference.eiserver").EIServer
            self.server = server_class(arrays["coef"], arrays["intercept"], verbose=False)
        self.clients: list[tuple[Any, bytes]] = []

    def keys(self) -> list[str]:
        """A new client."""
        client: Any = importlib.import_module("encrypted.inference.eiclient").EILinearRegressionClient(verbose=False)
        key_id, public_keys = client.get_public_keys()
        self.clients.append((client, public_keys))
        return [key_id, base64.b64encode(public_keys).decode()]

    def encrypt(self, client: int, x: list[float]) -> list[str]:
        """A request."""
        return list(self.clients[client][0].encrypt(np.array(x)))

    def predict(self, client: int, request: list[str]) -> list[str]:
        """An answer."""
        return list(self.server.predict(request, self.clients[client][1]))

    def decrypt(self, client: int, answer: list[str]) -> list[float]:
        """Scores."""
        return [float(score) for score in self.clients[client][0].decrypt(answer)]


def main() -> None:
    """Answer lines until there are no more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="data.npz")
    arguments = parser.parse_args()
    with silence_stdout() as out:
        live = Live(arguments.input)
        for line in sys.stdin:
            method, *rest = json.loads(line)
            milliseconds: list[float] = []
            result = timed(milliseconds, getattr(live, method), *rest)
            print(json.dumps([result, milliseconds[0]]), file=out, flush=True)


if __name__ == "__main__":
    main()
