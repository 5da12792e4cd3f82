"""Models whose weights and inputs a test chooses, and the whole way of a batch through them, over the wire's bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

import hermetic
from hermetic import Client, CompiledModel, PublicKey, Query, Result, SecretKey, Signature
from hermetic.circuits.packing import Layout
from hermetic.rlwe.parameters import PROFILES

WEIGHTS: dict[str, Callable[[np.random.Generator, tuple[int, int]], npt.NDArray[np.float64]]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "all equal": lambda rng, shape: np.full(shape, rng.choice([-1.0, 1.0])),
    "one large": lambda rng, shape: np.where(rng.permutation(shape[0] * shape[1]).reshape(shape) == 0, 1e6, 1e-6),
    "whole numbers": lambda rng, shape: rng.integers(-3, 3, size=shape, endpoint=True).astype(np.float64),
    "mostly zero": lambda rng, shape: rng.normal(size=shape) * (rng.random(shape) < 0.05),
    "zero rows": lambda rng, shape: rng.normal(size=shape) * (np.arange(shape[0])[:, None] % 2),
    "zero": lambda rng, shape: np.zeros(shape),
}
"""Weights (k, d) of every sort."""

INPUTS: dict[str, dict[str, Any]] = {
    "pixels": {"input_range": (0, 255), "input_step": 1},
    "scaled pixels": {"input_range": (0, 1), "input_step": 1 / 255},
    "reals": {"input_range": (-3, 5)},
    "far from zero": {"input_range": (1000, 1001)},
    "signs": {"input_range": (-1, 1), "input_step": 2},
}
"""Inputs of every sort, as options of hermetic.compile."""


def up_to(largest: int) -> st.SearchStrategy[int]:
    """Whole numbers from 1, small ones as likely as large ones."""
    return st.floats(0, np.log2(largest)).map(lambda bits: int(2**bits))


def regression(weights: npt.ArrayLike, bias: npt.ArrayLike) -> LinearRegression:
    """A fitted LinearRegression with weights (k, d) and bias (k,)."""
    coefficients, intercepts = np.asarray(weights, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    k, d = coefficients.shape
    estimator = LinearRegression().fit(np.zeros((1, d)), np.zeros((1, k)))
    estimator.coef_, estimator.intercept_ = coefficients, intercepts
    return estimator


def compiled(weights: npt.ArrayLike, bias: npt.ArrayLike, **options: Any) -> CompiledModel:
    """The model of these weights; options are those of hermetic.compile."""
    return hermetic.compile(regression(weights, bias), **options)


def answering_only(model: CompiledModel, layout: Layout) -> CompiledModel:
    """The same model, offering one of its layouts: clients have no choice then."""
    offers = tuple(offer for offer in model.signature.offers if offer.layout == layout)
    return CompiledModel(model.integers, with_circuit(model.signature, offers=offers))


def with_circuit(signature: Signature, **changes: Any) -> Signature:
    """The signature with other values of its circuit."""
    return replace(signature, circuit=replace(signature.circuit, **changes))


@cache
def secret_key(profile: str) -> SecretKey:
    """One key for all tests of a process."""
    return SecretKey(PROFILES[profile])


def client_of(model: CompiledModel, **options: Any) -> Client:
    """A client with the shared key."""
    return Client(model.signature, secret_key(model.signature.parameters.profile), **options)


def answered(model: CompiledModel, client: Client, X: npt.ArrayLike) -> Result:
    """The answer to X, with key, query and result each written to bytes and read again."""
    signature = model.signature
    key = PublicKey.from_bytes(client.public_key.to_bytes())
    query = Query.from_bytes(client.encrypt(X).to_bytes(), signature)
    return Result.from_bytes(model.evaluate(query, key).to_bytes(), signature)
