"""Public blocks of affine maps, missing values and functions, and how they are put together."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.errors import InputError, ParameterError
from hermetic.features import (
    Affine,
    Beside,
    Bins,
    Block,
    Chain,
    Clip,
    Columns,
    Elementwise,
    FeatureMap,
    Identity,
    Impute,
    Missing,
    Normalise,
    Power,
    Scale,
)
from hermetic.features.elementwise import FUNCTIONS
from hermetic.features.kinds import read_block

SCALE = Scale(3, centre=[1.0, 0.0, -2.0], divisor=[2.0, 1.0, -4.0], factor=[1.0, 0.0, 3.0], shift=[0.0, 5.0, 1.0])
AFFINE = Affine([[1.0, -2.0, 0.5], [0.0, 0.0, 3.0]], [1.0, -1.0])
BLOCKS: list[Block] = [
    SCALE,
    AFFINE,
    Identity(3),
    Impute([0.5, -1.0, 1e3]),
    Impute([0.5, -1.0, 1e3], marker=-1.0),
    Missing(3),
    Missing(3, marker=0.0),
    Clip([-1.0, 0.0, 0.0], [1.0, 0.0, 7.5]),
    *(Elementwise(3, name) for name in FUNCTIONS),
    Power([-0.5, 0.0, 2.5], "box-cox"),
    Power([-0.5, 0.0, 2.5], "yeo-johnson"),
    Normalise(3, "l1"),
    Normalise(3, "l2", 0.5),
    Normalise(3, "max"),
    Columns(Bins([[0.0], [1.0, 2.0]]), [2, 0], 3),
    Columns(SCALE, [1, 1, 0], 3),
    Chain(SCALE, AFFINE, Bins([[0.0], [1.0]])),
    Chain(Scale(3, factor=2.0), Impute([1.0, 2.0, 3.0])),
    Beside(Columns(Identity(2), [0, 2], 3), Columns(Impute([4.0]), [1], 3), Chain(AFFINE, Elementwise(2, "tanh"))),
]
IDS = [f"{i} {one.kind}" for i, one in enumerate(BLOCKS)]


def again(block: Block) -> Block:
    return read_block(json.loads(json.dumps(block.document(), allow_nan=False)))


def some_inputs(draw: Any, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A range, and inputs in it; from 0.125 on where a function has no smaller values."""
    least = 0.125 if isinstance(block, Elementwise | Power) else -1e3
    numbers = st.floats(least, 100.0)
    ends = np.array([sorted(draw(st.tuples(numbers, numbers))) for _ in range(3)]).T
    shares = np.array([[draw(st.floats(0, 1)) for _ in range(3)] for _ in range(4)])
    inside = np.clip(ends[0] + shares * (ends[1] - ends[0]), *ends)
    return ends[0], ends[1], np.vstack([ends, inside])


@pytest.mark.parametrize("block", BLOCKS, ids=IDS)
@given(data=st.data())
def test_limits_hold_for_every_input_in_range(block: Block, data: st.DataObject) -> None:
    lower, upper, inputs = some_inputs(data.draw, block)
    low, high = block.limits(lower, upper)
    features = block.apply(np.where(block.missing & (inputs == inputs[0]), np.nan, inputs))
    assert low.shape == high.shape == (block.outputs,)
    slack = 1e-12 * np.maximum(1.0, np.maximum(np.abs(low), np.abs(high)))
    assert (low - slack <= features).all()
    assert (features <= high + slack).all()


@pytest.mark.parametrize("block", BLOCKS, ids=IDS)
@given(data=st.data())
def test_they_are_the_same_after_json(block: Block, data: st.DataObject) -> None:
    _, _, inputs = some_inputs(data.draw, block)
    read = again(block)
    assert read.document() == block.document()
    assert (read.inputs, read.outputs, read.whole) == (block.inputs, block.outputs, block.whole)
    np.testing.assert_array_equal(read.apply(inputs), block.apply(inputs))


@pytest.mark.parametrize("block", BLOCKS, ids=IDS)
def test_features_of_whole_numbers_are_on_their_steps(block: Block) -> None:
    whole = np.random.default_rng(0).integers(1, 9, (20, 3)).astype(float)
    steps = block.steps(np.ones(3))
    exact = block.apply(whole)[:, steps > 0] / steps[steps > 0]
    np.testing.assert_array_equal(exact, np.rint(exact))
    assert steps.shape == (block.outputs,)
    assert (block.steps(np.zeros(3)) > 0).all() or not block.whole


@pytest.mark.parametrize("block", BLOCKS, ids=IDS)
def test_what_may_be_missing_gives_no_nan(block: Block) -> None:
    inputs = np.where(block.missing, np.nan, np.full((2, 3), 0.5))
    assert np.isfinite(block.apply(inputs)).all()


def test_a_scale_rounds_as_it_is_written() -> None:
    x = np.random.default_rng(1).normal(size=(1000, 1)) * 1e3
    scale = Scale(1, centre=0.1, divisor=0.3)
    np.testing.assert_array_equal(scale.apply(x), (x - 0.1) / 0.3)
    np.testing.assert_array_equal(Scale(1, factor=0.7, shift=0.1).apply(x), x * 0.7 + 0.1)


def test_a_missing_input_passes_through_a_scale_to_what_stands_for_it() -> None:
    chain = Chain(Scale(2, factor=2.0), Columns(Impute([7.0]), [1], 2))
    assert chain.missing.tolist() == [True, True]
    assert Chain(Scale(2), Identity(2)).missing.tolist() == [False, False]
    np.testing.assert_array_equal(chain.apply(np.array([[1.0, np.nan]])), [[7.0]])


def test_columns_depend_on_their_inputs_alone() -> None:
    block = Columns(Identity(2), [3, 1], 5)
    assert block.used.tolist() == [False, True, False, True, False]
    features = FeatureMap(block)
    row = np.array([[np.nan, 1.0, np.inf, 2.0, np.nan]])
    np.testing.assert_array_equal(features.apply(row), [[2.0, 1.0]])
    with pytest.raises(InputError, match="sample 0, feature 3"):
        features.apply(np.where(row == 2.0, np.nan, row))


@pytest.mark.parametrize(("name", "wrong"), [("log1p", -1.0), ("sqrt", -0.5), ("exp", 1e3), ("log", 0.0)])
def test_a_function_without_a_value_is_refused(name: str, wrong: float) -> None:
    block = Elementwise(1, name)
    with pytest.raises(InputError, match=f"inputs of {name} must be where it is finite"):
        block.apply(np.array([[wrong]]))
    low, high = block.limits(np.array([wrong]), np.array([wrong]))
    assert not np.isfinite([low, high]).all()


HOSTILE = [
    None,
    [],
    {"kind": "scale"},
    {"kind": "scale", "centre": [0], "divisor": [0], "factor": [1], "shift": [0]},
    {"kind": "scale", "centre": [0, 1], "divisor": [1], "factor": [1], "shift": [0]},
    {"kind": "scale", "centre": [], "divisor": [], "factor": [], "shift": []},
    {"kind": "affine", "weights": [], "shift": []},
    {"kind": "affine", "weights": [[1], [1, 2]], "shift": [0, 0]},
    {"kind": "affine", "weights": [[1]], "shift": [0, 0]},
    {"kind": "affine", "weights": [["1"]], "shift": [0]},
    {"kind": "affine", "weights": [[True]], "shift": [0]},
    {"kind": "affine", "weights": [[10**400]], "shift": [0]},
    {"kind": "identity", "inputs": 1 << 21},
    {"kind": "identity", "inputs": True},
    {"kind": "impute", "values": [], "marker": None},
    {"kind": "impute", "values": [1.0], "marker": "NaN"},
    {"kind": "impute", "values": "1", "marker": None},
    {"kind": "missing", "inputs": 0, "marker": None},
    {"kind": "missing", "inputs": 1, "marker": 1e999},
    {"kind": "clip", "low": [2.0], "high": [1.0]},
    {"kind": "clip", "low": [0.0], "high": [1.0, 2.0]},
    {"kind": "power", "exponents": [1.0], "method": "sqrt"},
    {"kind": "power", "exponents": [1e9], "method": "box-cox"},
    {"kind": "normalise", "inputs": 1, "norm": "l3", "least": 0.0},
    {"kind": "normalise", "inputs": 1, "norm": "l2", "least": -1.0},
    {"kind": "elementwise", "inputs": 1, "function": "__import__"},
    {"kind": "elementwise", "inputs": 1, "function": ["exp"]},
    {"kind": "columns", "block": {"kind": "identity", "inputs": 1}, "columns": [1], "inputs": 1},
    {"kind": "columns", "block": {"kind": "identity", "inputs": 1}, "columns": [-1], "inputs": 1},
    {"kind": "columns", "block": {"kind": "identity", "inputs": 1}, "columns": [0, 0], "inputs": 1},
    {"kind": "columns", "block": {"kind": "identity", "inputs": 1}, "columns": 0, "inputs": 1},
    {"kind": "columns", "block": {"kind": "identity", "inputs": 1}, "columns": [0], "inputs": 1 << 30},
    {"kind": "chain", "blocks": []},
    {"kind": "chain", "blocks": [{"kind": "identity", "inputs": 1}, {"kind": "identity", "inputs": 2}]},
    {"kind": "chain", "blocks": {"kind": "identity", "inputs": 1}},
    {"kind": "beside", "blocks": [{"kind": "identity", "inputs": 1 << 20}, {"kind": "identity", "inputs": 1 << 20}]},
    {"kind": "beside", "blocks": [{"kind": "identity", "inputs": 1}, {"kind": "identity", "inputs": 2}]},
    {"kind": "beside", "blocks": [{"kind": "beside", "blocks": [{"kind": "pickle"}]}]},
]


@pytest.mark.parametrize("document", HOSTILE, ids=lambda one: json.dumps(one)[:60])
def test_hostile_documents_are_refused(document: object) -> None:
    with pytest.raises(ParameterError, match="must"):
        read_block(document)


def test_blocks_are_not_put_into_each_other_without_end() -> None:
    document: dict[str, Any] = {"kind": "identity", "inputs": 1}
    for _ in range(8):
        document = {"kind": "chain", "blocks": [document]}
    assert read_block(document).outputs == 1
    with pytest.raises(ParameterError, match="at most 8 in each other"):
        read_block({"kind": "chain", "blocks": [document]})


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=10,
    ),
    st.sampled_from([one.document() for one in BLOCKS]),
    st.data(),
)
def test_a_changed_document_is_read_or_refused(value: object, document: dict[str, Any], data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(document)))
    try:
        block = read_block({**document, field: value})
    except ParameterError:
        return
    assert block.inputs > 0
    assert all(not isinstance(one, float) or math.isfinite(one) for one in block.document().values())
