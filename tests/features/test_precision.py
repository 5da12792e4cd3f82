"""Features in narrower floats: what NumPy computes in that type, and edges where its comparison changes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic import InputError, ParameterError
from hermetic.features import Bins, Cast, Chain, Clip, Columns, FeatureMap, Fourier, Identity, Impute, Rounded, Scale
from hermetic.features.precision import cast_first, edge_of, rounded

narrow = pytest.mark.parametrize("dtype", ["float16", "float32"])
reals = st.floats(-1000, 1000)


@given(reals, reals, st.floats(0.01, 100), st.floats(0.01, 100), st.sampled_from(["float16", "float32"]))
def test_a_scale_rounds_every_operation(x: float, centre: float, divisor: float, factor: float, dtype: str) -> None:
    kind = np.dtype(dtype).type
    numbers = {"centre": float(kind(centre)), "divisor": float(kind(divisor)), "factor": float(kind(factor))}
    block = Rounded(Scale(1, **numbers), dtype)
    with np.errstate(over="ignore"):
        own = (kind(x) - kind(centre)) / kind(divisor) * kind(factor)
    assert block.apply(np.array([[x]]))[0, 0] == float(own) or not np.isfinite(own)


@given(st.floats(-60000, 60000), st.sampled_from(["float16", "float32"]))
def test_an_edge_is_the_first_number_that_is_rounded_to_it_or_more(edge: float, dtype: str) -> None:
    kind, moved = np.dtype(dtype).type, edge_of(edge, dtype)
    assert float(kind(moved)) >= edge
    assert float(kind(np.nextafter(moved, -np.inf))) < edge


@narrow
def test_bins_of_cast_inputs_are_bins_with_other_edges(dtype: str) -> None:
    bins = Bins([[0.1, 0.3], [1.0]])
    moved = cast_first(bins, [dtype, "float64"])
    assert isinstance(moved, Bins)
    near = np.array([np.nextafter(edge, side) for edge in (0.1, 0.3) for side in (-1, 1)] + [0.1, 0.3, 0.2])
    values = np.column_stack([near, near])
    cast = np.column_stack([rounded(near, dtype), near])
    assert (moved.apply(values) == bins.apply(cast)).all()


@narrow
def test_edges_with_no_number_between_them_are_compared_after_the_cast(dtype: str) -> None:
    bins = Bins([[0.1, np.nextafter(0.1, 1.0)]])
    found = cast_first(bins, [dtype])
    assert isinstance(found, Chain)
    values = np.linspace(0.0, 0.2, 101)[:, None]
    assert (found.apply(values) == bins.apply(rounded(values, dtype))).all()


BLOCKS: list[Any] = [
    Cast(("float32", "float64", "float16")),
    Rounded(Scale(3, centre=0.1, divisor=0.3), "float32"),
    Rounded(Columns(Chain(Impute([0.5, 0.25], 0.2), Clip([0.0, 0.0], [1.0, 1.0])), [2, 0], 3), "float16"),
    Rounded(Fourier(np.ones((3, 2)), np.zeros(2)), "float32"),
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda one: one.kind)
def test_they_travel_and_stay_in_their_limits(block: Any) -> None:
    features = FeatureMap(block)
    read = FeatureMap.from_document(json.loads(json.dumps(features.document())))
    assert read.document() == features.document()
    values = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    found = features.apply(values)
    assert (found == read.apply(values)).all()
    low, high = features.limits(-np.ones(3), np.ones(3))
    room = features.rounding(-np.ones(3), np.ones(3)) + 1e-12
    assert (found >= low - room).all()
    assert (found <= high + room).all()


def test_what_is_not_stepwise_is_bounded() -> None:
    weights, offset = np.random.default_rng(0).normal(size=(3, 5)), np.zeros(5)
    block = Rounded(Fourier(weights, offset), "float32")
    values = np.random.default_rng(1).uniform(-50, 50, (500, 3))
    single = values.astype(np.float32)
    own = np.cos(single @ weights.astype(np.float32) + offset.astype(np.float32)) * np.float32(np.sqrt(2 / 5))
    allowed = block.rounding(np.full(3, -50.0), np.full(3, 50.0))
    assert (np.abs(block.apply(values) - own) <= allowed).all()
    assert not Rounded(Scale(3), "float32").rounding(-np.ones(3), np.ones(3)).any()


def test_what_a_type_does_not_hold_is_refused() -> None:
    with pytest.raises(InputError, match=r"numbers that float16 holds.* Got 100000 \(sample 0, feature 1\)"):
        FeatureMap(Cast(("float64", "float16"))).apply([[1e5, 1e5]])


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "cast", "dtypes": []},
        {"kind": "cast", "dtypes": ["int8"]},
        {"kind": "cast", "dtypes": "float32"},
        {"kind": "cast"},
        {"kind": "rounded", "dtype": "float64", "block": Identity(1).document()},
        {"kind": "rounded", "dtype": ["float32"], "block": Identity(1).document()},
        {"kind": "rounded", "dtype": "float32", "block": {"kind": "unknown"}},
    ],
)
def test_documents_that_are_none_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        FeatureMap.from_document([document])
