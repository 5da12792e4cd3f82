"""One suite of checks over every supported estimator: what comes out of encryption is what the estimator computes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import hermetic
from hermetic import Client, CompiledModel, Result, Signature
from hermetic.compiler.reading import read_model
from hermetic.compiler.sklearn import ESTIMATORS, STEPS
from hermetic.compiler.verify import estimator_answers
from hermetic.links import has_probabilities, is_multilabel, response_error
from known_weights import answered, client_of

from .boosted import BOOSTED
from .estimators import CASES, Case, data
from .expanded import EXPANDED
from .forests import FORESTS
from .tables import TABLES
from .wrapped import WRAPPED

ROWS = 8
"""How many samples of the data are encrypted, beside those where the bounds are tightest."""


@dataclass(frozen=True, eq=False)
class Run:
    """A compiled estimator, and its answer to samples of the data and to the worst inputs in range."""

    estimator: Any
    model: CompiledModel
    client: Client
    X: np.ndarray
    result: Result

    @property
    def signature(self) -> Signature:
        return self.model.signature

    @property
    def response(self) -> np.ndarray:
        """What the estimator's own method gives, asked in the type that it was fitted in."""
        return np.asarray(self.ask(self.signature.method))

    def ask(self, method: str) -> Any:
        read = read_model(self.estimator)
        return estimator_answers(self.estimator, self.signature, self.X, read.linear.raw_scores, read.types)(method)

    @property
    def classes(self) -> int:
        return 0 if self.signature.labels is None else len(self.signature.labels)

    @cached_property
    def scores(self) -> np.ndarray:
        return self.client.decrypt(self.result)

    @property
    def chooses_only(self) -> bool:
        """Whether labels are all that the estimator gives."""
        return self.signature.method == "predict" and self.signature.labels is not None

    @property
    def allowed(self) -> np.ndarray:
        """How far the decrypted response may be from the estimator's."""
        one = self.signature
        return response_error(one.method, one.link, self.scores, self.classes, one.error)

    @property
    def decided(self) -> np.ndarray:
        """The samples whose label is certain: no other response within what both may move."""
        response, link = self.client.scores_to_response(self.scores), self.signature.link
        if link == "pairs" or is_multilabel(link):
            return (np.abs(response) > self.signature.error).all(axis=1)
        if response.ndim == 1:
            return np.abs(response) > self.allowed
        largest = np.sort(response, axis=1)
        return largest[:, -1] - largest[:, -2] > 2 * self.allowed.max(axis=1)


@cache
def run(case: Case) -> Run:
    X = data(case.data)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few iterations suffice here
        estimator = case.fit()
    model = hermetic.compile(estimator, X, **case.options)
    client = client_of(model)
    rows = rows_of(X)
    if rows.dtype == object:
        worst = mixed_rows(rows)
    else:
        worst = worst_inputs(model) if model.signature.feature_map is None else inputs_between(rows)
    samples = np.concatenate([rows[:: len(rows) // ROWS], worst])
    return Run(estimator, model, client, samples, answered(model, client, samples))


def rows_of(X: Any) -> np.ndarray:
    """Float64, or objects where some columns are texts."""
    if sparse.issparse(X):
        return X.toarray()
    texts = isinstance(X, pd.DataFrame) and not all(map(pd.api.types.is_numeric_dtype, X.dtypes))
    return np.asarray(X, dtype=object if texts else np.float64)


def mixed_rows(rows: np.ndarray) -> np.ndarray:
    """Values of each column in a random order: rows as they might be."""
    random = np.random.default_rng(0)
    return np.stack([random.permutation(column)[:10] for column in rows.T], axis=1)


def worst_inputs(model: CompiledModel) -> np.ndarray:
    """Corners of the range where up to three scores are largest and smallest, and random inputs in between, as far from
    their grid points as a client accepts, each feature in the direction of its weight.
    """
    grid = model.signature.grid
    top = model.integers.weights[-model.signature.outputs :][:3]
    away = np.sign(top) * grid.slack * 0.999
    random = np.random.default_rng(0)
    inner = random.integers(grid.low, grid.high, (len(top), grid.features), endpoint=True)
    at_most, at_least = np.where(top > 0, grid.high, grid.low), np.where(top > 0, grid.low, grid.high)
    positions = [at_most, at_least, inner + away, inner - away]
    return np.clip(grid.offset + grid.step * np.concatenate(positions), grid.lower, grid.upper)


def inputs_between(rows: np.ndarray) -> np.ndarray:
    """The smallest and largest inputs of a sample, random ones in between, and one without all that is ever missing."""
    low, high = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
    random = np.random.default_rng(0).uniform(low, high, (6, len(low)))
    whole = np.where((rows == np.rint(rows)) | np.isnan(rows), 1, 0).all(axis=0)
    missing = np.where(np.isnan(rows).any(axis=0), np.nan, low)
    return np.vstack([low, high, np.where(whole, np.rint(random), random), missing])


def rounding(own: np.ndarray) -> np.ndarray:
    """What the estimator's own link rounds; some compute in float32."""
    return (1e-6 if own.dtype == np.float32 else 1e-12) * np.maximum(1.0, np.abs(own))


EVERY = [*CASES, *BOOSTED, *FORESTS, *EXPANDED, *TABLES, *WRAPPED]


@pytest.fixture(params=EVERY, ids=lambda case: case.name)
def one(request: pytest.FixtureRequest) -> Run:
    return run(request.param)


def test_every_supported_class_is_here() -> None:
    """But for an index of neighbours, which is read for its refusal alone inside another model, and for networks, whose
    error is another's: test_networks.py.
    """
    others = {"NearestNeighbors", "MLPClassifier", "MLPRegressor"}
    assert set().union(*(case.kinds for case in EVERY)) >= {*ESTIMATORS, *STEPS} - others


def test_integers_equal_the_reference_bit_for_bit(one: Run) -> None:
    integers, vector = one.client.quantize(one.X)
    assert not vector
    assert np.array_equal(one.signature.head.columns(one.scores), one.model.reference(integers))
    if one.signature.circuit.kind == "linear":
        assert np.array_equal(one.client.decrypt_integers(one.result), one.model.integers.apply(integers))


def test_the_response_equals_the_estimators_within_the_guaranteed_error(one: Run) -> None:
    scores = one.scores
    assert scores.dtype == np.float64
    if one.chooses_only:
        return
    found, own = one.client.scores_to_response(scores), one.response
    assert found.shape == own.shape
    assert (np.abs(found - own) <= one.allowed + rounding(own)).all()


def test_the_guaranteed_error_is_small_beside_the_scores(one: Run) -> None:
    assert one.signature.error < 1e-3 * np.abs(one.scores).max()


def test_labels_are_the_estimators_and_of_its_dtype(one: Run) -> None:
    labels = one.client.predict(one.result)
    own = one.ask("transform" if one.signature.method == "transform" else "predict")
    assert labels.shape == own.shape
    if one.signature.labels is None:
        assert labels.dtype == np.float64
        assert (np.abs(labels - own) <= one.allowed + rounding(own)).all()
    else:
        assert labels.dtype == own.dtype
        assert np.array_equal(labels[one.decided], own[one.decided])
        assert one.decided.mean() > 0.8


def test_probabilities_are_the_estimators_within_a_bound(one: Run) -> None:
    if one.chooses_only or not hasattr(one.estimator, "predict_proba"):
        with pytest.raises(hermetic.InputError, match="must come from a model with probabilities"):
            one.client.predict_proba(one.result)
        return
    found, own = one.client.predict_proba(one.result), one.ask("predict_proba")
    assert found.shape == own.shape
    assert (np.abs(found - own) <= probability_error(one.signature, one.scores) + rounding(own)).all()
    assert is_multilabel(one.signature.link) or np.abs(found.sum(axis=1) - 1).max() < 1e-12


def probability_error(signature: Signature, scores: np.ndarray) -> np.ndarray:
    """How far a probability may move when every score moves by the guaranteed error e.

    The logistic function has slope up to 1/4, modified Huber 1/2. A normalised p_i = h_i / (sum of h) moves by
    p_i times its logarithmic derivatives, which for softmax and the logistic function is at most 2·p_i·(1-p_i) <= 1/2.
    For modified Huber, h moves by up to e/2, and the fraction by up to (1 + number of classes)·(e/2) / (sum of h).
    """
    half = np.full((len(scores), 1), signature.error / 2)
    if signature.link != "modified_huber" or signature.outputs == 1:
        return half
    total = (0.5 + 0.5 * np.clip(scores, -1, 1)).sum(axis=1, keepdims=True)
    return (1 + signature.outputs) * half / np.maximum(total - signature.outputs * half, 1e-300)


def test_one_sample_has_the_shape_of_one(one: Run) -> None:
    result = answered(one.model, one.client, one.X[0])
    first = one.client.decrypt(result)
    assert np.array_equal(first, one.scores[0])
    assert np.shape(first) == one.scores[0].shape
    if not one.chooses_only:
        assert np.shape(one.client.scores_to_response(first)) == one.response[0].shape
    if one.signature.method != "transform":
        assert one.client.predict(result).shape == np.shape(one.ask("predict")[0])
    if has_probabilities(one.signature.link):
        assert one.client.predict_proba(result).shape == one.ask("predict_proba")[0].shape


def test_a_saved_model_answers_the_same(one: Run, tmp_path: Path) -> None:
    one.model.save(tmp_path / "one.hermetic")
    loaded = CompiledModel.load(tmp_path / "one.hermetic")
    assert loaded.signature == one.signature
    integers = one.client.decrypt_integers(answered(loaded, one.client, one.X))
    assert np.array_equal(integers, one.client.decrypt_integers(one.result))


def test_every_form_of_input_is_the_same_input(one: Run) -> None:
    integers, _ = one.client.quantize(one.X)
    names = one.signature.feature_names
    frame = pd.DataFrame(one.X, columns=None if names is None else list(names), dtype=one.X.dtype)
    forms: list[Any] = [frame, one.X.tolist(), one.X.astype(object)]
    forms += [] if one.X.dtype == object else [sparse.csr_array(one.X), sparse.coo_array(one.X)]
    for form in forms:
        assert np.array_equal(one.client.quantize(form)[0], integers)


def test_float32_inputs_are_inputs(one: Run) -> None:
    """The estimator is asked in float64 about the float32 values: in float32 it would have errors of its own."""
    if one.X.dtype == object:
        assert one.signature.feature_map is not None
        return
    rounded = one.X[:5].astype(np.float32)
    result = answered(one.model, one.client, rounded)
    again = replace(one, X=rounded.astype(np.float64), result=result)
    if again.chooses_only:
        return
    found, own = one.client.scores_to_response(again.scores), again.response
    assert (np.abs(found - own) <= again.allowed + rounding(own)).all()
