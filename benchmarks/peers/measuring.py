"""What every peer's script measures with. Each runs in an environment of its own, so NumPy is all that is imported."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TextIO, TypeVar

import numpy as np
import numpy.typing as npt

P = ParamSpec("P")
T = TypeVar("T")


def silence_stdout() -> TextIO:
    """Send what the library prints, in Python or natively, to nowhere; return the real standard output."""
    real = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    return real


def timed(milliseconds: list[float], action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``action(*args, **kwargs)``, whose time is appended to ``milliseconds``."""
    start = time.perf_counter()
    result = action(*args, **kwargs)
    milliseconds.append((time.perf_counter() - start) * 1e3)
    return result


class Session(Protocol):
    """One client with its keys, and the server that got its upload."""

    def new_keys(self) -> Any:
        """A new client's upload."""

    def load_keys(self, upload: Any) -> None:
        """What the server does once per client."""

    def encrypt(self, x: npt.NDArray[np.float64]) -> bytes:
        """One image to a request."""

    def serve(self, request: bytes) -> bytes:
        """A request to an answer."""

    def decrypt(self, response: bytes) -> npt.NDArray[np.float64]:
        """An answer to the scores."""


def measured(
    session: Session, asked: npt.NDArray[np.float64], expected: npt.NDArray[np.float64], repeat: int
) -> dict[str, Any]:
    """What a session's steps take for samples (n, d), one by one, whose plain scores (n, k) are known."""
    times: dict[str, list[float]] = {step: [] for step in ("key", "key_load", "encrypt", "server", "decrypt")}
    for _ in range(repeat):
        upload = timed(times["key"], session.new_keys)
        timed(times["key_load"], session.load_keys, upload)
    requests = [timed(times["encrypt"], session.encrypt, sample) for sample in asked]
    responses = [timed(times["server"], session.serve, request) for request in requests]
    found = np.array([timed(times["decrypt"], session.decrypt, response) for response in responses])
    return {
        "key_bytes": len(upload) if isinstance(upload, bytes) else sum(map(len, upload)),
        **{f"{step}_ms": statistics.median(one) for step, one in times.items()},
        "request_bytes": len(requests[-1]),
        "response_bytes": len(responses[-1]),
        "max_error": float(np.abs(found - expected).max()),
        "predicted": labels(found),
        "plain": labels(expected),
        "repeat": {"keys": repeat, "client": len(asked), "server": len(asked)},
    }


def square_network_scores(
    arrays: dict[str, npt.NDArray[np.float64]], x: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Of samples (n, d) by a plain network of one hidden layer with squares, (n, k)."""
    found: npt.NDArray[np.float64] = (x @ arrays["w1"].T + arrays["b1"]) ** 2 @ arrays["w2"].T + arrays["b2"]
    return found


def labels(scores: npt.NDArray[np.float64]) -> list[int]:
    """The class of each row of scores (n, k): the largest, or the sign where there is one score."""
    return [int(i) for i in (scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(axis=1))]
