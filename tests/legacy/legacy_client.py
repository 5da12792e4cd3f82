"""The real client of encrypted-inference 0.9, unmodified, in a process and an environment of its own."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PYTHON = Path(__file__).parent.parent / "hosts" / "guide_client" / ".venv" / "bin" / "python"

_PROGRAM = """
import base64, json, os, sys
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from encrypted.inference.eiclient import EILinearRegressionClient
client = EILinearRegressionClient()
key_id, keys = client.get_public_keys()
print(json.dumps([key_id, base64.b64encode(keys).decode()]), file=out, flush=True)
for line in sys.stdin:
    method, argument = json.loads(line)
    answer = getattr(client, method)(argument)
    print(json.dumps(answer if isinstance(answer, list) else answer.tolist()), file=out, flush=True)
"""


@dataclass
class LegacyClient:
    """A client with its keys."""

    process: subprocess.Popen[str]
    key_id: str
    keys: bytes

    def encrypt(self, values: npt.ArrayLike) -> list[str]:
        return list(self._ask("encrypt", np.asarray(values).tolist()))

    def decrypt(self, answer: list[str]) -> npt.NDArray[np.float64]:
        return np.array(self._ask("decrypt", answer))

    def _ask(self, method: str, argument: Any) -> Any:
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the legacy client must be open")
        self.process.stdin.write(json.dumps([method, argument]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the legacy client died")
        return json.loads(line)


@contextlib.contextmanager
def legacy_client() -> Iterator[LegacyClient]:
    """Start one; it ends with the block."""
    command = [str(PYTHON), "-I", "-W", "ignore", "-c", _PROGRAM]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise RuntimeError("the legacy client must have an output")
        key_id, keys = json.loads(process.stdout.readline())
        yield LegacyClient(process, key_id, base64.b64decode(keys))
    finally:
        process.kill()
        process.communicate()
