"""Nearest neighbours at a service: every client ranks as the index does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

import hermetic
from in_process import URL, running

X = load_digits().data
INDEX = NearestNeighbors(n_neighbors=3).fit(X[:200])


def test_the_nearest_vectors_come_back(tmp_path: Path) -> None:
    model = hermetic.compile(INDEX, input_range=(0, 16), input_step=1, name="digits")
    expected = INDEX.kneighbors(X[:5], return_distance=False)
    with running(tmp_path, {"digits": model}) as service:
        remote = hermetic.connect(URL, model="digits", transport=service.transport)
        scores, places = remote.top(X[:5], 3)
        single = remote.top(X[0], 3)
    assert np.array_equal(places, expected)
    assert np.array_equal(single[1], expected[0])
    assert (np.diff(scores, axis=1) <= 0).all()


def test_so_they_do_to_async_clients(tmp_path: Path) -> None:
    model = hermetic.compile(INDEX, input_range=(0, 16), input_step=1, name="digits")

    async def ask() -> np.ndarray:
        async with hermetic.aconnect(URL, model="digits", transport=service.async_transport) as remote:
            return (await remote.top(X[7], 3))[1]

    with running(tmp_path, {"digits": model}) as service:
        assert np.array_equal(service.run(ask), INDEX.kneighbors(X[7:8], return_distance=False)[0])
