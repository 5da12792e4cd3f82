"""Nearest neighbours: a compiled index ranks as its own kneighbors does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

import hermetic
from hermetic import Client, CompileError, InputError, UnsupportedModelError

X = load_digits().data
STORED, ASKED = X[:1000], X[1000:1020]


def answered(index: Any, asked: np.ndarray, count: int, **options: Any) -> tuple[Client, np.ndarray, np.ndarray]:
    model = hermetic.compile(index, X, **options)
    client = Client(model.signature)
    return client, *client.top(model.evaluate(client.encrypt(asked), client.public_key), count)


SQUARED = {"metric": "sqeuclidean"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"algorithm": "brute"},
        {"metric": "cosine"},
        {"metric": "minkowski", "p": 2},
        {"metric": "l2"},
        {"metric": "l2", "algorithm": "brute"},
        {"metric": "p"},
        SQUARED,
    ],
)
@pytest.mark.parametrize("samples", [1, 20])
def test_the_nearest_are_those_of_the_index(options: dict[str, Any], samples: int) -> None:
    index = NearestNeighbors(**options).fit(STORED)
    asked = ASKED[:samples]
    client, scores, places = answered(index, asked, 10)
    distances, expected = index.kneighbors(asked, n_neighbors=11)
    norms = np.linalg.norm(asked, axis=1, keepdims=True)
    cosine = options.get("metric") == "cosine"
    own = norms * (1 - distances) if cosine else (norms**2 - (distances if options is SQUARED else distances**2)) / 2
    assert np.abs(scores - own[:, :10]).max() <= client.signature.error + 1e-9
    apart = -np.diff(own, axis=1) > 2 * client.signature.error
    certain = apart & np.hstack([np.ones((samples, 1), dtype=bool), apart[:, :-1]])
    assert certain.mean() > 0.8
    assert (places == expected[:, :10])[certain].all()


def test_one_vector_gives_one_list() -> None:
    index = NearestNeighbors().fit(STORED)
    _, scores, places = answered(index, STORED[17], 3, name="digits")
    assert scores.shape == places.shape == (3,)
    assert places[0] == 17


def test_sparse_vectors_are_read() -> None:
    index = NearestNeighbors(algorithm="brute").fit(sparse.csr_matrix(STORED))
    assert answered(index, STORED[5], 1)[2].tolist() == [5]


def test_a_single_vector_is_the_nearest() -> None:
    assert answered(NearestNeighbors(n_neighbors=1).fit(STORED[:1]), ASKED[0], 1)[2].tolist() == [0]


def test_there_are_as_many_nearest_as_vectors() -> None:
    for count in (0, 4):
        with pytest.raises(InputError, match=f"count must be from 1 to 3, the number of scores. Got {count}"):
            answered(NearestNeighbors(n_neighbors=1).fit(STORED[:3]), ASKED[0], count)


def test_other_metrics_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"must measure euclidean or cosine distances\. Got 'manhat"):
        hermetic.compile(NearestNeighbors(metric="manhattan").fit(STORED), X)


def test_weights_of_features_are_refused() -> None:
    weighted = NearestNeighbors(metric="minkowski", metric_params={"w": np.arange(1, 65)}).fit(STORED)
    with pytest.raises(UnsupportedModelError, match=r"Got 'minkowski' with \['p', 'w'\] instead"):
        hermetic.compile(weighted, X)


def test_an_index_must_be_fitted() -> None:
    with pytest.raises(CompileError, match="must be fitted"):
        hermetic.compile(NearestNeighbors(), X)


def test_a_vector_without_direction_has_no_cosine() -> None:
    with pytest.raises(CompileError, match="Vector 2 is zero"):
        hermetic.compile(NearestNeighbors(metric="cosine").fit([[1.0, 0], [0, 1], [0, 0]]), input_range=(-1, 1))


def test_an_index_that_was_changed_is_refused() -> None:
    index = NearestNeighbors(algorithm="kd_tree").fit(STORED)
    index._fit_X = STORED[::-1].copy()
    with pytest.raises(CompileError, match="must equal transform within"):
        hermetic.compile(index, X)
