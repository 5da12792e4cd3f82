"""What is made of scores, against scikit-learn's and NumPy's own; and how far it moves when scores move."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.utils.multiclass import _ovr_decision_function

from hermetic.links import (
    HEADS,
    choose_labels,
    has_probabilities,
    is_multilabel,
    outputs_fit,
    probabilities,
    respond,
    response_error,
)

RNG = np.random.default_rng(5)
LINKED = [(method, link) for method, links in HEADS.items() for link in links]


def test_the_glossary_names_every_link() -> None:
    glossary = (Path(__file__).parents[1] / "docs" / "glossary.md").read_text(encoding="utf-8")
    (entry,) = [one for one in glossary.split("\n\n") if one.startswith("**Link.**")]
    assert set(re.findall(r"`(\w+)`", entry)) == {str(link) for _, link in LINKED}


def outputs_of(link: str | None, classes: int) -> int:
    return next(k for k in range(1, 50) if outputs_fit(link, 2 if is_multilabel(link) else classes, k))


def test_outputs_that_fit() -> None:
    assert outputs_fit(None, 2, 1)
    assert outputs_fit(None, 2, 2)
    assert not outputs_fit(None, 3, 1)
    assert outputs_fit("softmax", 3, 3)
    assert not outputs_fit("logistic", 2, 2)
    assert not outputs_fit("one_vs_one", 2, 1)
    assert outputs_fit("votes", 5, 10)
    assert outputs_fit("mean_logistic", 2, 7)
    assert not outputs_fit("mean_logistic", 3, 7)
    assert outputs_fit("mean_softmax", 2, 4)
    assert not outputs_fit("mean_softmax", 2, 3)
    assert outputs_fit("mean_softmax", 3, 9)
    assert outputs_fit("pairs", 4, 6)
    assert outputs_fit("multilabel", 2, 9)
    assert not outputs_fit("multilabel", 3, 3)
    assert not outputs_fit("multilabel_logistic", 2, 1)


@pytest.mark.parametrize("classes", [3, 4, 7])
def test_votes_and_confidences_are_scikit_learns(classes: int) -> None:
    scores = RNG.normal(size=(50, classes * (classes - 1) // 2))
    expected = _ovr_decision_function(scores > 0, scores, classes)
    np.testing.assert_allclose(respond("decision_function", "one_vs_one", scores, classes), expected, atol=1e-14)


def test_votes_alone_choose_the_first_of_equals() -> None:
    """Three classes beat each other in a circle; the confidences speak for the last."""
    scores = np.array([[1.0, -0.1, 5.0]])
    response = respond("decision_function", "votes", scores, 3)
    labels = np.array(["a", "b", "c"])
    assert choose_labels("votes", response, labels, binary=False).tolist() == ["a"]
    assert choose_labels("one_vs_one", response, labels, binary=False).tolist() == ["c"]


def test_pairs_vote_for_their_first_class_where_they_are_positive() -> None:
    """Of the pairs ab, ac, bc: b wins two in the first sample; in the second all have one, and the first is chosen."""
    scores = np.array([[-1.0, 3.0, 0.5], [1.0, -1.0, 1.0]])
    assert respond("decision_function", "pairs", scores, 3) is scores
    labels = np.array(["a", "b", "c"])
    assert choose_labels("pairs", scores, labels, binary=False).tolist() == ["b", "a"]


def test_each_score_chooses_a_label_of_its_own() -> None:
    scores = np.array([[-1.0, 2.0, 0.0], [0.1, -3.0, 4.0]])
    chosen = choose_labels("multilabel", scores, np.array([0, 1], dtype=np.int8), binary=False)
    assert chosen.tolist() == [[0, 1, 0], [1, 0, 1]]
    assert chosen.dtype == np.int8
    np.testing.assert_allclose(probabilities("multilabel_logistic", scores, 2), 1 / (1 + np.exp(-scores)))


def test_logistic_vanishes_where_that_of_scikit_learn_does() -> None:
    """Below all of it classes are equally likely, however much larger one score is."""
    scores = np.linspace(-760.0, -680.0, 801)[:, None]
    np.testing.assert_allclose(probabilities("multilabel_logistic", scores, 2), expit(scores), rtol=1e-12)
    beside = np.concatenate([scores, np.full((801, 2), -2000.0)], axis=1)
    vanishes = expit(scores[:, 0]) == 0
    assert 0 < vanishes.sum() < 801
    expected = np.where(vanishes[:, None], 1 / 3, [1.0, 0.0, 0.0])
    assert np.array_equal(probabilities("logistic", beside, 3), expected)


@pytest.mark.parametrize("classes", [2, 3])
def test_mean_probabilities_are_the_mean_of_the_parts(classes: int) -> None:
    group = 1 if classes == 2 else classes
    scores = RNG.normal(size=(20, 4 * group))
    parts = [scores[:, i : i + group] for i in range(0, 4 * group, group)]
    each = [probabilities("logistic", one[:, 0] if group == 1 else one, classes) for one in parts]
    np.testing.assert_allclose(respond("predict_proba", "mean_logistic", scores, classes), np.mean(each, axis=0))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_mean_softmax_is_the_mean_of_the_parts(classes: int) -> None:
    scores = RNG.normal(size=(20, 4 * classes)) * 5
    each = [probabilities("softmax", scores[:, i : i + classes], classes) for i in range(0, 4 * classes, classes)]
    np.testing.assert_allclose(respond("predict_proba", "mean_softmax", scores, classes), np.mean(each, axis=0))
    np.testing.assert_allclose(probabilities("mean_softmax", scores[0], classes), np.mean(each, axis=0)[0])


def test_a_response_is_the_scores_unless_the_link_makes_it() -> None:
    scores = RNG.normal(size=(4, 3))
    for link in (None, "softmax", "logistic"):
        assert respond("decision_function", link, scores, 3) is scores
    assert np.array_equal(respond("predict", "exp", scores, 0), np.exp(scores))
    assert np.array_equal(respond("predict", "expm1", scores, 0), np.expm1(scores))
    assert np.array_equal(respond("predict_proba", "softmax", scores, 3), probabilities("softmax", scores, 3))


def test_which_links_have_probabilities() -> None:
    without = {None, "exp", "expm1", "one_vs_one", "votes", "pairs", "multilabel"}
    assert {link for _, link in LINKED if not has_probabilities(link)} == without


@pytest.mark.parametrize(("method", "link"), LINKED)
@given(seed=st.integers(0, 1 << 32), error=st.floats(1e-9, 0.5), size=st.sampled_from([0.1, 1.0, 10.0]))
def test_no_response_moves_further_than_it_may(
    method: str, link: str | None, seed: int, error: float, size: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(20, outputs_of(link, 3))) * size
    moved = scores + error * rng.choice([-1.0, 0.0, 1.0], scores.shape)
    allowed = response_error(method, link, scores, 3, error)
    response = respond(method, link, scores, 3)
    assert allowed.shape == response.shape
    # float64 rounds scores and exponentials: relative to the response, by the size of the score.
    rounding = 1e-12 * np.maximum(1.0, np.abs(response))
    assert (np.abs(respond(method, link, moved, 3) - response) <= allowed + rounding).all()
