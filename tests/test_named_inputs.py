"""Inputs with names, in every form that libraries give them."""

from __future__ import annotations

import logging
from collections import OrderedDict, namedtuple
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from hermetic import InputError
from hermetic.named_inputs import in_order, places

NAMES = ("age", "bmi", "bp", "s1")
X = np.arange(12.0).reshape(3, 4) + 0.5
FRAME = pd.DataFrame(X, columns=NAMES)
MIXED = FRAME[["s1", "bp", "age", "bmi"]].assign(target=7, ward="B")

Row = namedtuple("Row", MIXED.columns)


class Table:
    """What tables of other libraries have in common: names of columns, and columns by name."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.columns = list(frame.columns)
        self._frame = frame

    def __getitem__(self, name: str) -> Any:
        return self._frame[name].to_numpy()


class Lazy:
    """A table that is not computed yet, or names a column twice: no column can be taken by its name."""

    columns = NAMES

    def __getitem__(self, name: str) -> Any:
        raise TypeError("not subscriptable")


FORMS = {
    "a frame": MIXED,
    "a mapping to columns": dict(MIXED),
    "a mapping to arrays": {name: MIXED[name].to_numpy() for name in MIXED},
    "a mapping to lists": MappingProxyType(MIXED.to_dict("list")),
    "a mapping to columns (n, 1), as ONNX takes them": {name: MIXED[[name]].to_numpy() for name in MIXED},
    "rows as mappings": MIXED.to_dict("records"),
    "rows in different orders": [dict(sorted(row.items())) for row in MIXED.to_dict("records")],
    "rows as Series": [row for _, row in MIXED.iterrows()],
    "rows as named tuples": [Row(*row) for row in MIXED.itertuples(index=False)],
    "a tuple of rows": tuple(MIXED.to_dict("records")),
    "an array with fields": MIXED.drop(columns="ward").to_records(index=False),
    "a record array with the index": MIXED.to_records(),
    "a table of another library": Table(MIXED),
    "nullable columns": MIXED.convert_dtypes(),
    "a categorical of labels": MIXED.set_axis(pd.CategoricalIndex(MIXED.columns), axis=1),
}

ONE = {
    "a Series": MIXED.iloc[1],
    "a Series of numbers alone": MIXED[list(NAMES)[::-1]].iloc[1],
    "a mapping": OrderedDict(MIXED.iloc[1]),
    "a named tuple": Row(*MIXED.iloc[1]),
    "a record": MIXED.to_records()[1],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_several_samples_is_put_in_order(form: Any) -> None:
    found = np.asarray(in_order(form, NAMES))
    assert found.shape == X.shape
    np.testing.assert_array_equal(found.astype(np.float64), X)


@pytest.mark.parametrize("form", ONE.values(), ids=ONE)
def test_every_form_of_one_sample_is_put_in_order(form: Any) -> None:
    found = np.asarray(in_order(form, NAMES))
    assert found.shape == (4,)
    np.testing.assert_array_equal(found.astype(np.float64), X[1])


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(library: str) -> None:
    module = pytest.importorskip(library)
    make = module.DataFrame if library == "polars" else module.table
    np.testing.assert_array_equal(in_order(make(MIXED.to_dict("list")), NAMES).astype(np.float64), X)


@given(st.permutations(range(4)), st.sets(st.integers(0, 9)), st.randoms())
def test_order_and_others_do_not_matter(order: list[int], others: set[int], random: Any) -> None:
    columns = [NAMES[i] for i in order] + [f"other {i}" for i in others]
    random.shuffle(columns)
    frame = FRAME.reindex(columns=columns)
    assert in_order(frame, NAMES).equals(FRAME)
    assert [columns[i] for i in places(columns, NAMES)] == list(NAMES)


@pytest.mark.parametrize(
    "form",
    [
        X,
        X.tolist(),
        X[0],
        [1.0, 2, 3, 4],
        sparse.csr_array(X),
        FRAME,
        np.ma.array(X),
        FRAME["bp"].rename(None),
        1.0,
        [],
        None,
        "age",
        np.float64(3),
        list("abcd"),
    ],
    ids=str,
)
def test_what_has_no_names_or_is_in_order_stays_what_it_is(form: Any) -> None:
    assert in_order(form, NAMES) is form


@pytest.mark.parametrize("form", [pd.DataFrame(X), pd.Series(X[0]), FRAME.set_axis(np.arange(4), axis=1)])
def test_labels_that_only_count_are_no_names(form: Any) -> None:
    np.testing.assert_array_equal(in_order(form, NAMES), X if form.ndim == 2 else X[0])


@pytest.mark.parametrize(
    ("form", "values"),
    [
        (FRAME, X),
        (FRAME.iloc[1], X[1]),
        (FRAME[["s1", "age"]].to_records(index=False), X[:, [3, 0]]),
        (Table(FRAME[["s1", "age"]]), X[:, [3, 0]]),
        (Row(*MIXED.iloc[1]), [*X[1, [3, 2, 0, 1]], 7, "B"]),
    ],
)
def test_a_model_without_names_takes_values_in_their_own_order(form: Any, values: Any) -> None:
    found = np.asarray(in_order(form, None))
    assert found.tolist() == (values if isinstance(values, list) else values.tolist())


@pytest.mark.parametrize("form", [dict(MIXED), MIXED.to_dict("records"), dict(MIXED.iloc[0])])
def test_mappings_have_no_order_of_their_own(form: Any) -> None:
    with pytest.raises(InputError, match="and the model has none: pass rows of numbers"):
        in_order(form, None)


# Names that are no strings


def test_numbers_are_names_where_the_model_has_them_as_text() -> None:
    frame = pd.DataFrame(X, columns=[3, 1, 2, 0])
    np.testing.assert_array_equal(in_order(frame, ("0", "1", "2", "3")), X[:, [3, 1, 2, 0]])
    with pytest.raises(InputError, match=r"Missing: 'age', .* Not known: 3, 1, 2, 0"):
        in_order(frame, NAMES)


def test_numbers_that_only_count_are_names_of_a_model_that_has_them() -> None:
    frame = pd.DataFrame(X)
    np.testing.assert_array_equal(in_order(frame, ("3", "1", "2", "0")), X[:, [3, 1, 2, 0]])
    np.testing.assert_array_equal(in_order(frame.iloc[0], ("3", "1")), X[0, [3, 1]])


def test_several_levels_are_no_names_of_one() -> None:
    levels = pd.MultiIndex.from_product([["a", "b"], ["x", "y"]])
    frame = FRAME.set_axis(levels, axis=1)
    with pytest.raises(InputError, match=r"Missing: 'age'.* Not known: \('a', 'x'\)"):
        in_order(frame, NAMES)
    assert in_order(frame, None) is frame
    joined = tuple(map(str, levels))
    assert in_order(frame[frame.columns[::-1]], joined).equals(frame)


def test_blanks_may_be_underscores_as_lightgbm_stores_them() -> None:
    frame = FRAME.set_axis(["sepal length (cm)", "sepal width (cm)", "petal length", "id"], axis=1)
    names = ["sepal_length_(cm)", "sepal_width_(cm)", "petal_length", "id"]
    assert in_order(frame[frame.columns[::-1]], names).equals(frame)
    with pytest.raises(InputError, match="Got 'petal_length' more than once"):
        in_order(
            frame.set_axis(["sepal length (cm)", "sepal width (cm)", "petal length", "petal_length"], axis=1),
            [
                "sepal_length_(cm)",
                "petal_length",
            ],
        )


# What does not fit


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (FRAME.drop(columns="bp"), r"Missing: 'bp'\. Rename"),
        (FRAME.rename(columns={"bp": "BP"}), r"Missing: 'bp'. Not known: 'BP'\."),
        (FRAME.rename(columns={"bp": "bp "}), r"Missing: 'bp'. Not known: 'bp '\."),
        (FRAME.rename(columns=str.upper), r"Missing: 'age', 'bmi', 'bp', 's1'. Not known: 'AGE', 'BMI', 'BP', 'S1'\."),
        (pd.concat([FRAME, FRAME[["bp"]]], axis=1), "there once. Got 'bp' more than once"),
        (FRAME.iloc[0].drop("age"), "Missing: 'age'"),
        ({"age": 1, "bmi": 2, "bp": 3}, "Missing: 's1'"),
        ([dict(FRAME.iloc[0]), {"age": 1}], "Missing: 'bmi', 'bp', 's1'"),
        ([dict(FRAME.iloc[0]), [1, 2, 3, 4]], "all have names, or none"),
        ({**FRAME, "age": [1.0]}, "columns of the same length"),
        ({**FRAME, "age": 1.0}, "one value under each"),
        ({**FRAME, "age": FRAME["age"].sort_values(ascending=False)}, "Their indices differ: make a DataFrame"),
        ([FRAME, FRAME], "one row of values"),
        (FRAME.T, "names over columns. They are those of rows: pass X.T"),
        (FRAME.T.assign(more=1).set_axis(range(4), axis=1), "They are those of rows"),
        (FRAME["bp"], "one column of them, 'bp'"),
        (np.ma.masked_less(X, 2), "must not be masked"),
        (np.ma.masked_less(X[0], 1), "must not be masked"),
        ([*np.ma.masked_less(X, 2)], "must not be masked"),
        ({name: np.ma.masked_less(FRAME[name].to_numpy(), 2) for name in NAMES}, "must not be masked"),
        (np.ma.array(MIXED.drop(columns="ward").to_records(index=False), mask=True), "must not be masked"),
        (Lazy(), "Got Lazy, which has no single column 'age': collect it"),
    ],
)
def test_a_difference_is_shown_as_one(form: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        in_order(form, NAMES)


def test_long_lists_are_cut() -> None:
    names = [f"x{i}" for i in range(1000)]
    with pytest.raises(InputError) as raised:
        in_order(pd.DataFrame([[1.0] * 1000], columns=[f"y{i}" for i in range(1000)]), names)
    assert len(str(raised.value)) < 400
    assert "'x4', … (1000 in all)" in str(raised.value)


def test_columns_named_twice_do_not_matter_where_they_are_not_used(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.concat([FRAME[FRAME.columns[::-1]], FRAME[["bp"]].set_axis(["c"], axis=1)], axis=1)
    frame = pd.concat([frame, frame[["c"]]], axis=1)
    with caplog.at_level(logging.WARNING, "hermetic"):
        assert in_order(frame, NAMES).equals(FRAME)
        assert in_order(frame.iloc[0], NAMES).equals(FRAME.iloc[0])
    assert [one.getMessage() for one in caplog.records] == [
        "columns that the model does not use are left out: 'c', 'c'"
    ]
