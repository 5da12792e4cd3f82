"""What inputs are as arrays, whatever they came as."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hermetic.errors import InputError
from hermetic.real_values import as_reals, with_shape

ROWS = [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    "X",
    [ROWS, np.array(ROWS), pd.DataFrame(ROWS), sparse.csr_array(ROWS), np.array(ROWS, dtype=object)],
    ids=["list", "array", "frame", "sparse", "objects"],
)
def test_numbers_of_every_form_are_the_same_array(X: Any) -> None:
    np.testing.assert_array_equal(as_reals(X), ROWS)


def test_numbers_keep_their_dtype_and_shape() -> None:
    assert as_reals(np.arange(3, dtype=np.uint8)).dtype == np.uint8
    assert as_reals(np.arange(3, dtype=np.uint8)).shape == (3,)
    assert as_reals([[True, False]]).dtype == np.bool_
    assert as_reals(np.array([1, None], dtype=object)).dtype == np.float64


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (["a"], "weights must be real numbers. Got list that is not: its dtype is <U1"),
        ([1j], "its dtype is complex128"),
        ([[1.0], [1.0, 2.0]], "weights must be real numbers. Got list"),
        (np.array([[1.0, "x"]], dtype=object), r"\(sample 0, column 'age'\)"),
        (np.array([10**400], dtype=object), "too large"),
        (np.array(["2026-01-01"], dtype="M8[D]"), "its dtype is datetime64"),
    ],
)
def test_anything_else_is_refused_by_name_and_place(X: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_reals(X, ["height", "age"], "weights")


def test_numbers_and_texts_side_by_side_stay_what_they_are() -> None:
    found = with_shape([[1, "a"], [2, "b"]])
    assert found.dtype == object
    assert found.tolist() == [[1, "a"], [2, "b"]]


def test_what_has_a_shape_stays_itself() -> None:
    for X in (np.zeros((2, 2)), pd.DataFrame(ROWS), sparse.csr_array(ROWS)):
        assert with_shape(X) is X


def test_ragged_rows_have_none() -> None:
    with pytest.raises(InputError, match="rows of the same length"):
        with_shape([[1, 2], [1]])
