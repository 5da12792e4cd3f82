"""Run a peer library in a virtual environment of its own, made once under ``benchmarks/.peers``.

Peers pin what they were measured with, and must not meet one another's or this project's dependencies.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

SCRIPTS = Path(__file__).resolve().parent
ENVIRONMENTS = SCRIPTS.parent / ".peers"
STDERR_LINES = 20


class PeerError(RuntimeError):
    """A peer's environment could not be made, or its script failed."""


class PeerReport(TypedDict):
    """What a peer's script prints. Times are medians in milliseconds; None is what the peer has not, or not apart.

    ``predicted`` are the classes that the decrypted scores give the samples, ``plain`` those of the plain model. Where
    there are more of them than ``repeat["server"]``, the peer's own simulation predicted the others.
    """

    name: str
    version: str
    parameters: str
    compile_ms: float | None
    key_bytes: int
    key_ms: float
    key_load_ms: float | None
    encrypt_ms: float
    request_bytes: int
    server_ms: float
    response_bytes: int
    decrypt_ms: float
    max_error: float | None
    predicted: list[int]
    plain: list[int]
    repeat: dict[str, int]


@dataclass(frozen=True)
class Peer:
    """A script, the environment that it runs in, the arguments that make it this peer, and the Python on the PATH that
    its wheels are for, where that is another than this one.
    """

    environment: str
    requirements: tuple[str, ...]
    script: str
    arguments: tuple[str, ...] = ()
    python: str = sys.executable


_TENSEAL = ("tenseal==0.3.18", "numpy==2.4.6")

PEERS: dict[str, Peer] = {
    "encrypted-inference": Peer(
        "encrypted-inference", ("encrypted-inference==0.9", "numpy==2.4.6"), "encrypted_inference_09.py"
    ),
    "concrete-ml": Peer("concrete-ml", ("concrete-ml==1.9.0",), "concrete_ml.py"),
    "openfhe-network": Peer(
        "openfhe", ("openfhe==1.6.1.0.22.4", "numpy==2.2.6"), "openfhe_network.py", python="python3.10"
    ),
    "tenseal-matmul": Peer("tenseal", _TENSEAL, "tenseal_ckks.py", ("--method", "matmul")),
    "tenseal-dot": Peer("tenseal", _TENSEAL, "tenseal_ckks.py", ("--method", "dot")),
    "tenseal-network": Peer("tenseal", _TENSEAL, "tenseal_network.py"),
    "tenseal-packed": Peer("tenseal", _TENSEAL, "tenseal_ckks.py", ("--method", "packed")),
}


def _run(command: Sequence[str], what: str, timeout: float | None = None) -> str:
    """The standard output of ``command``; if it fails, :class:`PeerError` with its standard error's end."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{what} took longer than {timeout} s") from error
    if done.returncode != 0:
        tail = "\n".join(done.stderr.splitlines()[-STDERR_LINES:])
        raise PeerError(f"{what} failed with exit status {done.returncode}:\n{tail}")
    return done.stdout


def peer_python(peer: Peer) -> Path:
    """The Python of ``benchmarks/.peers/NAME``, which is made, or made anew if the peer's requirements changed."""
    name, requirements = peer.environment, peer.requirements
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = "".join(f"{requirement}\n" for requirement in requirements)
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    ENVIRONMENTS.mkdir(exist_ok=True)
    (ENVIRONMENTS / ".gitignore").write_text("*\n", encoding="utf-8")
    interpreter = shutil.which(peer.python)
    if interpreter is None:
        raise PeerError(f"{name} needs {peer.python} on the PATH: it has no wheels for another")
    _run([interpreter, "-m", "venv", "--clear", str(folder)], f"making the environment {name}")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--only-binary", ":all:", *requirements], f"installing {', '.join(requirements)}")
    stamp.write_text(wanted, encoding="utf-8")
    return python


def run_peer(
    name: str,
    data: Path,
    *,
    repeat: int = 20,
    repeat_server: int | None = None,
    arguments: Sequence[str] = (),
    timeout: float | None = None,
) -> PeerReport:
    """Measure the peer ``name`` of :data:`PEERS` on ``data`` (an npz file of coef, intercept and x).

    ``repeat_server`` is the script's own default if None; ``arguments`` are appended to the peer's own.
    Raises :class:`PeerError` if the environment, the script or its report is not as it should be.
    """
    peer = PEERS[name]
    python = peer_python(peer)
    # Not -I, which hides the script's own folder, and so what the scripts share.
    command = [str(python), "-E", "-s", "-W", "ignore", str(SCRIPTS / peer.script), "--input", str(data)]
    command += ["--repeat", str(repeat)]
    if repeat_server is not None:
        command += ["--repeat-server", str(repeat_server)]
    output = _run([*command, *peer.arguments, *arguments], f"peer {name}", timeout)
    try:
        report = json.loads(output)
    except ValueError as error:
        raise PeerError(f"peer {name} printed no JSON object") from error
    if not isinstance(report, dict) or set(report) != set(PeerReport.__annotations__):
        raise PeerError(f"peer {name} printed a report that is not a PeerReport")
    return cast(PeerReport, report)
