"""Inputs that are values of a list, in every form that clients have."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from hermetic.errors import InputError, ParameterError
from hermetic.features import Bins, Categories, Columns, FeatureMap, Identity, Impute
from hermetic.named_inputs import in_order

CITY = Categories(["Berlin", "Oslo", "Paris"])
TABLE = FeatureMap(
    Columns(Bins([[0.5, 1.5]]), [1], 4),
    Columns(Impute([40.0]), [0], 4),
    Columns(Identity(1), [2], 4),
    categories={1: CITY, 2: Categories([1, 2.5, True, None][:2], unknown=-1, nan=9)},
)
NAMES = ["age", "city", "rooms", "remark"]
VALUES = st.one_of(
    st.text(max_size=5), st.integers(-(1 << 53), 1 << 53), st.floats(allow_nan=False, allow_infinity=False), st.none()
)


class TestCategories:
    @given(st.lists(VALUES, min_size=1, max_size=8, unique=True), st.none() | st.integers(-3, -1))
    def test_each_value_is_its_number(self, values: list[Any], unknown: int | None) -> None:
        one = Categories(values, unknown=unknown)
        column = np.empty(len(values), dtype=object)
        column[:] = values
        np.testing.assert_array_equal(one.read(column, "x"), np.arange(len(values)))
        again = Categories.from_document(json.loads(json.dumps(one.document(), allow_nan=False)))
        assert again.document() == one.document()
        np.testing.assert_array_equal(again.read(column, "x"), np.arange(len(values)))
        low, high = one.limits
        assert low == (0 if unknown is None else unknown)
        assert high == len(values) - 1

    @given(st.lists(VALUES, min_size=1, max_size=8, unique=True))
    def test_values_of_numbers_are_read_back(self, values: list[Any]) -> None:
        one = Categories(values, unknown=-1, nan=-2)
        numbers = np.array([*range(len(values)), -1.0, -2.0])
        column = np.empty(len(numbers), dtype=object)
        column[:] = one.values_of(numbers)
        np.testing.assert_array_equal(one.read(column, "x"), numbers)

    def test_a_value_that_is_not_known_is_named(self) -> None:
        with pytest.raises(InputError, match=r"city must be one of 'Berlin', 'Oslo', 'Paris'. Got 'Rome' \(sample 1\)"):
            CITY.read(np.array(["Oslo", "Rome"], dtype=object), "city")
        with pytest.raises(InputError, match=r"\(9 in all\). Got \[\]"):
            Categories(range(9)).read(np.array([None, [], 3], dtype=object)[1:], "x")

    def test_nan_has_a_number_or_stays_or_is_not_known(self) -> None:
        column = np.array([math.nan, np.float32("nan"), pd.NA], dtype=object)
        assert Categories(["a"], nan=7).read(column, "x").tolist() == [7, 7, 7]
        assert np.isnan(Categories(["a"], nan=math.nan).read(column, "x")).all()
        assert Categories(["a"], unknown=-1).read(column, "x").tolist() == [-1, -1, -1]
        with pytest.raises(InputError, match="Got nan"):
            Categories(["a"]).read(column[:1], "x")

    def test_what_stands_for_a_missing_value_is_read_as_it(self) -> None:
        filled = Categories(["a", "b", None]).filled(math.nan, "b").filled(None, "a").filled("?", "unheard of")
        column = np.array(["a", "b", math.nan, None], dtype=object)
        assert filled.read(column, "x").tolist() == [0, 1, 1, 0]
        with pytest.raises(InputError, match=r"Got '\?'"):
            filled.read(np.array(["?"], dtype=object), "x")

    @pytest.mark.parametrize(
        "change",
        [{"values": "ab"}, {"values": []}, {"values": ["a", "a"]}, {"values": [1, True]}, {"values": [["a"]]},
         {"values": ["a" * 1001, "b"]}, {"values": [10**30, "b"]}, {"values": [math.inf, "b"]}, {"numbers": [0]},
         {"numbers": [0, "1"]}, {"numbers": [0, math.inf]}, {"unknown": "error"}, {"unknown": True}, {"nan": "no"},
         {"nan": True}, {"nan": [1]}, {"values": ["a"] * 70_000}],
    )  # fmt: skip
    def test_hostile_documents_are_refused(self, change: dict[str, Any]) -> None:
        with pytest.raises((ParameterError, TypeError), match="must"):
            Categories.from_document({**Categories(["a", "b"]).document(), **change})


class TestTables:
    frame = pd.DataFrame({
        "age": [30.0, np.nan], "city": ["Paris", "Berlin"], "rooms": [2.5, np.nan], "remark": ["x", None]
    })  # fmt: skip
    features = np.array([[0, 0, 1, 30, 1], [1, 0, 0, 40, 9]], dtype=float)

    def test_every_form_is_the_same(self) -> None:
        rows = [[30.0, "Paris", 2.5, "x"], [None, "Berlin", math.nan, None]]
        typed = self.frame.astype({"city": "category"})
        for form in (self.frame, typed, self.frame.to_numpy(dtype=object), rows):
            np.testing.assert_array_equal(TABLE.apply(form, NAMES), self.features)

    def test_numbers_come_sparse_too(self) -> None:
        one = FeatureMap(Identity(2), categories={1: Categories([0, 3])})
        np.testing.assert_array_equal(one.apply(sparse.csr_array([[1.5, 3.0], [0, 0]])), [[1.5, 1], [0, 0]])

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            ("city", "Rome", r"column 'city' must be one of 'Berlin', .* Got 'Rome' \(sample 1\)"),
            ("city", np.nan, r"column 'city' must be one of .* Got nan"),
            ("city", 3, r"column 'city' must be one of .* Got 3"),
            ("age", "old", r"column 'age' must hold numbers. Got 'old' \(sample 1\)"),
            ("age", "30", r"column 'age' must hold numbers. Got '30' \(sample 1\)"),
            ("age", np.inf, r"must be finite. Got inf \(sample 1, 'age'\)"),
            ("age", {}, r"column 'age' must hold numbers. Got {}"),
        ],
    )
    def test_what_does_not_fit_is_named(self, column: str, value: Any, message: str) -> None:
        changed = self.frame.astype(object)
        changed.at[1, column] = value
        with pytest.raises(InputError, match=message):
            TABLE.apply(changed, NAMES)

    @pytest.mark.parametrize("unit", ["ns", "s", "D"])
    @pytest.mark.parametrize("kind", ["M8", "m8"])
    def test_times_are_no_numbers_whatever_their_unit(self, kind: str, unit: str) -> None:
        """NumPy makes whole numbers of nanoseconds."""
        times = np.array([30, 31], dtype=f"{kind}[{unit}]")
        for changed in (self.frame.assign(age=times), self.frame.astype(object).assign(age=[*times])):
            with pytest.raises(InputError, match=r"column 'age' must hold numbers. Got .*\(sample 0\)"):
                TABLE.apply(changed, NAMES)
            with pytest.raises(InputError, match="column 'age' must hold numbers"):
                TABLE.apply(in_order({name: changed[name].to_numpy() for name in NAMES}, NAMES), NAMES)
        np.testing.assert_array_equal(TABLE.apply(self.frame.assign(remark=times), NAMES), self.features)

    def test_shapes_are_checked(self) -> None:
        for wrong in (self.frame.iloc[:, :3], [["a"]], np.zeros((2, 2, 2)), np.zeros(4)):
            with pytest.raises(InputError, match=r"must have shape \(n, 4\)"):
                TABLE.apply(wrong)
        with pytest.raises(InputError, match="must be rows of the same length"):
            TABLE.apply([["a", 1, 2, 3], ["a"]])

    def test_a_map_is_the_same_after_json(self) -> None:
        document = json.loads(json.dumps(TABLE.document(), allow_nan=False))
        again = FeatureMap.from_document(document)
        assert again.document() == TABLE.document()
        np.testing.assert_array_equal(again.apply(self.frame, NAMES), self.features)

    @pytest.mark.parametrize(
        "categories",
        [None, {}, [1], [{}], [{"input": 4, **CITY.document()}], [{"input": -1, **CITY.document()}],
         [{"input": "0", **CITY.document()}], [{"input": [], **CITY.document()}], [{"input": 0, "values": ["a"]}],
         [{"input": True, **CITY.document()}]],
    )  # fmt: skip
    def test_hostile_categories_are_refused(self, categories: object) -> None:
        with pytest.raises(ParameterError, match="must"):
            FeatureMap.from_document({"blocks": [Identity(4).document()], "categories": categories})

    def test_words_say_what_is_public(self) -> None:
        assert str(TABLE) == "3 bins and 1 impute and 1 identity and categories of 2 inputs"
        assert TABLE.parameters[0] == "of 1 inputs, bins: edges (2 numbers)"


def test_features_are_named_by_their_input() -> None:
    assert TABLE.name_of(3, NAMES) == "feature 3, of input 'age',"
    assert TABLE.name_of(4) == "feature 4, of input 2,"
    assert TABLE.name_of(0, NAMES) == "public feature 0"
