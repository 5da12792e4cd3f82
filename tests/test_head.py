"""Heads: what is made of scores, whichever way they come, against the estimators that chose so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.head import Head
from hermetic.links import HEADS

TWO, THREE = np.array(["no", "yes"]), np.array([10, 20, 30])
SCORES = st.lists(st.floats(-50, 50), min_size=3, max_size=3).map(np.array)


@pytest.mark.parametrize("squeeze", [True, False])
@pytest.mark.parametrize("link", [None, "logistic", "modified_huber"])
def test_one_score_of_two_classes_chooses_by_its_sign(link: str | None, squeeze: bool) -> None:
    head = Head("decision_function", link, TWO, squeeze)
    columns = np.array([[-1.0], [0.0], [1e-9]])
    assert head.predict(head.shaped(columns)).tolist() == ["no", "no", "yes"]
    assert head.predict(head.shaped(columns[2])) == "yes"


@pytest.mark.parametrize("link", [None, "softmax"])
def test_several_scores_choose_the_largest(link: str | None) -> None:
    head = Head("decision_function", link, THREE)
    assert head.predict(np.array([[0.0, 2.0, 1.0], [5.0, 5.0, 1.0]])).tolist() == [20, 10]
    assert head.predict(np.array([0.0, 2.0, 9.0])) == 30


def test_probabilities_of_two_classes_choose_the_larger_even_of_one_score() -> None:
    """The method's own answer has two columns there: its sign would always choose the second."""
    head = Head("predict_proba", "mean_logistic", TWO)
    assert head.predict(np.array([[-3.0], [3.0]])).tolist() == ["no", "yes"]


def test_each_score_of_several_labels_chooses_one_of_two() -> None:
    head = Head("predict", "multilabel", np.array([0, 1]))
    assert head.predict(np.array([[1.0, -1.0, 0.5]])).tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(("link", "value"), [(None, 2.0), ("exp", np.exp(2.0))])
def test_values_are_the_response(link: str | None, value: float) -> None:
    assert Head("predict", link, squeeze=True).predict(np.array([2.0])) == [value]
    assert not Head("predict", link).has_probabilities


@pytest.mark.parametrize("squeeze", [True, False])
@pytest.mark.parametrize("shape", [(1,), (4, 1)])
def test_columns_and_scores_are_the_same_numbers(squeeze: bool, shape: tuple[int, ...]) -> None:
    head, columns = Head("predict", squeeze=squeeze), np.ones(shape)
    assert head.columns(head.shaped(columns)).shape == shape
    assert head.shaped(columns).shape == (shape[:-1] if squeeze else shape)


@pytest.mark.parametrize(("method", "link"), [(method, link) for method, links in HEADS.items() for link in links])
def test_methods_are_those_that_work(method: str, link: str | None) -> None:
    head = Head(method, link, None if link in (None, "exp") else THREE)
    assert head.methods[0] == method
    assert ("predict" in head.methods) == (method != "transform")
    assert ("predict_proba" in head.methods) == (head.has_probabilities or method == "predict_proba")
    assert len(set(head.methods)) == len(head.methods)


@given(scores=SCORES, moves=st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(np.array), error=st.floats(0, 10))
def test_a_certain_label_stays_when_scores_move(scores: Any, moves: Any, error: float) -> None:
    for head in (Head("decision_function", None, THREE), Head("predict", "multilabel", TWO)):
        same = head.predict(scores) == head.predict(scores + error * moves)
        assert np.all(same | ~head.certain(scores, error * (1 + 1e-9) + 1e-12))


def test_what_is_within_the_error_is_not_certain() -> None:
    assert Head("decision_function", None, TWO, True).certain(np.array([0.5, -2.0]), 1.0).tolist() == [False, True]
    assert not Head("decision_function", None, THREE).certain(np.array([5.0, 6.0, 0.0]), 0.5)
    assert Head("decision_function", None, THREE).certain(np.array([5.0, 6.1, 0.0]), 0.5)
