"""A caller who speaks HTTP by hand: what the service does is seen here without the project's own remote client."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np

from fitted import Fitted
from hermetic import Client, Query, Result

BINARY = "Inference-Header-Content-Length"


def binary_request(query: bytes, **members: Any) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an ``infer`` request whose tensors are raw bytes both ways."""
    tensor = {
        "name": "query",
        "datatype": "UINT8",
        "shape": [len(query)],
        "parameters": {"binary_data_size": len(query)},
    }
    outputs = [{"name": "result", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [tensor], "outputs": outputs, **members}).encode()
    return head + query, {BINARY: str(len(head)), "Content-Type": "application/octet-stream"}


def json_request(query: bytes, **members: Any) -> dict[str, Any]:
    """The same as JSON throughout."""
    tensor = {"name": "query", "datatype": "UINT8", "shape": [len(query)], "data": list(query)}
    return {"inputs": [tensor], **members}


def split_answer(answer: httpx.Response) -> tuple[dict[str, Any], bytes]:
    """The JSON head and the tensor of a binary answer."""
    length = int(answer.headers[BINARY])
    return json.loads(answer.content[:length]), answer.content[length:]


def metric(url: str, name: str, token: str | None = None) -> float:
    """The value of a metric without labels."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    lines = httpx.get(f"{url}/metrics", headers=headers).text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def until(condition: Callable[[], Any], seconds: float = 240, pause: float = 0.02) -> None:
    """Wait for something that comes about by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)


@contextlib.contextmanager
def under_load(*jobs: Callable[[], Any]) -> Iterator[None]:
    """Do each job over and over, in a thread of its own, until the block ends or fails."""
    stop = threading.Event()

    def repeat(job: Callable[[], Any]) -> None:
        while not stop.is_set():
            job()

    with ThreadPoolExecutor(len(jobs)) as threads:
        running = [threads.submit(repeat, job) for job in jobs]
        try:
            yield
        finally:
            stop.set()
    for one in running:
        one.result()


class Caller:
    """A data owner with keys for one model, and a connection."""

    def __init__(self, url: str, fitted: Fitted, *, model: str | None = None, token: str | None = None, **options: Any):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60, **options)
        self.fitted = fitted
        self.model = model or fitted.signature.name
        self.client = Client(fitted.signature)
        self.key_id = self.client.public_key.id

    def put_key(self) -> httpx.Response:
        return self.http.put(f"/keys/{self.key_id}", content=self.client.public_key.to_bytes())

    def query(self, count: int = 1) -> Query:
        return self.client.encrypt(np.asarray(self.fitted.X)[:count])

    def infer(self, query: Query | bytes, model: str | None = None) -> httpx.Response:
        data = query if isinstance(query, bytes) else query.to_bytes()
        body, headers = binary_request(data)
        return self.http.post(f"/v2/models/{model or self.model}/infer", content=body, headers=headers)

    def result(self, answer: httpx.Response) -> Result:
        assert answer.status_code == 200, answer.text
        return Result.from_bytes(split_answer(answer)[1], self.fitted.signature)

    def is_right(self, answer: httpx.Response, count: int = 1) -> bool:
        """Whether the scores are the estimator's, within the guaranteed error."""
        scores = self.client.decrypt(self.result(answer))
        return bool((np.abs(scores - self.fitted.scores[:count]) <= self.fitted.signature.error).all())

    def works(self, count: int = 1) -> bool:
        """Whether a query is answered, and rightly."""
        return self.is_right(self.infer(self.query(count)), count)
