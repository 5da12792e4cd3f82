"""Estimators that are linear inside: what each refuses, and that those below a final estimator stay private."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import FeatureAgglomeration, KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC, OneClassSVM

import hermetic
from hermetic import CompileError, UnsupportedModelError

from .since import since
from .wrapped import TEMPERATURE, soft

# Few iterations suffice here.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
PAIR = np.stack([Y, X[:, 0]], axis=1)
LONG = X[:, :2] > [5.8, 3.0]
ONE, MANY = LogisticRegression(), OneVsRestClassifier(LogisticRegression())
SCORES = {"stack_method": "decision_function", "cv": 2}


def target(inverse: Any = None, **options: Any) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(Ridge(), inverse_func=inverse, check_inverse=False, **options)


REFUSED: list[tuple[Any, Any, str]] = [
    (target(np.square, func=np.sqrt), Y, "one of NumPy's exp, exp2, expm1 as inverse_func. Got square instead: fit it"),
    (target(lambda x: x**3, func=np.cbrt), Y, "as inverse_func. Got <lambda> instead"),
    (target(transformer=MinMaxScaler(clip=True)), Y, "a transformer that scales each target, an affine"),
    (target(transformer=FunctionTransformer(np.cbrt, lambda x: x**3)), Y, "as inverse_func. Got <lambda>"),
    (KMeans(1, n_init=1), Y, "KMeans must have 2 clusters or more. Got 1 instead"),
    (OneClassSVM(), Y, "must have kernel='linear'. Got kernel='rbf'"),
    (make_pipeline(FeatureAgglomeration(2, pooling_func=np.max), Ridge()), Y, "np.mean or np.sum. Got max instead"),
    (RegressorChain(PoissonRegressor()), PAIR, "RegressorChain must have parts whose predict is linear. Got Poisson"),
    (ClassifierChain(ONE), LONG, "chain_method='decision_function'. Got chain_method='predict' instead"),
    (ClassifierChain(ONE, chain_method="predict_proba"), LONG, "Got chain_method='predict_proba' instead"),
    (BaggingRegressor(PoissonRegressor(), 2), Y, "BaggingRegressor must have parts whose predict is linear"),
    (BaggingClassifier(LinearSVC(), 2), Y, "logistic or softmax probabilities. Got one with none instead: use parts"),
    (BaggingClassifier(SGDClassifier(loss="modified_huber"), 2), Y, "Got one with modified_huber instead"),
    (VotingClassifier([("a", ONE)]), Y, "voting='soft'. Got voting='hard' instead"),
    (soft(ONE, MANY), Y, "parts with one link to probabilities. Got logistic and softmax instead"),
    (soft(ONE, ONE, weights=[1, 0.123456789]), Y, "weights that are small whole numbers. Got .*0.123456789.* instead"),
    (soft(ONE, ONE, weights=[1, 999]), Y, r"weights that are small whole numbers. Got \[1, 999\] instead"),
    (
        FixedThresholdClassifier(ONE, threshold=1.0),
        Y > 0,
        "threshold of probabilities between 0 and 1. Got 1 inst",
    ),
    (FixedThresholdClassifier(BaggingClassifier(ONE, 3), threshold=0.4), Y > 0, "Got 3 with the link mean_logistic"),
    (StackingClassifier([("a", ONE)], ONE, cv=2), Y, "stack_method='decision_function'. Got predict_proba instead"),
    (StackingClassifier([("a", SVC(kernel="linear"))], ONE, **SCORES), Y, "Got votes of pairs instead: use LinearSVC"),
    *since(
        "1.8",
        TEMPERATURE,
        lambda: (
            CalibratedClassifierCV(MultinomialNB(), cv=2, method="temperature"),
            Y,
            "linear scores of all classes",
        ),
    ),
]


@pytest.mark.parametrize(("estimator", "y", "words"), REFUSED, ids=lambda one: type(one).__name__)
def test_what_is_not_linear_is_named_with_what_to_do(estimator: Any, y: Any, words: str) -> None:
    with pytest.raises(UnsupportedModelError, match=words):
        hermetic.compile(estimator.fit(X, y), X)


def test_a_bag_that_lacks_a_class_is_refused() -> None:
    few = BaggingClassifier(ONE, 3, max_samples=6, random_state=3).fit(X, np.where(np.arange(150) < 3, 2, Y))
    few.estimators_[0].classes_ = np.array([0, 2])
    with pytest.raises(UnsupportedModelError, match=r"parts that know all classes\. Got one of 2 of 3 instead"):
        hermetic.compile(few, X)


class TestBelowAFinalEstimator:
    """Clients compute splines of the parts' values: they would need the parts' weights."""

    FOLLOWED = (
        StackingRegressor(
            [("a", make_pipeline(StandardScaler(), Ridge()))], make_pipeline(SplineTransformer(3), Ridge()), cv=2
        ),
        StackingRegressor([("a", Ridge()), ("b", Ridge(5.0))], make_pipeline(SplineTransformer(3), Ridge()), cv=2),
        RegressorChain(make_pipeline(SplineTransformer(3), Ridge())),
    )

    @pytest.mark.parametrize("estimator", FOLLOWED, ids=["stack of pipelines", "stack", "chain"])
    def test_weights_are_published_with_a_word_alone(self, estimator: Any) -> None:
        fitted = estimator.fit(X, Y if isinstance(estimator, StackingRegressor) else PAIR)
        words = ["splinetransformer", "standardscaler"]
        with pytest.raises(CompileError, match=r"numbers of an affine map from .* of '(ridge|pipeline)'") as refusal:
            hermetic.compile(fitted, X, public=words)
        found = re.search(r"public=\[(.*?)\]", str(refusal.value))
        assert found is not None
        hermetic.compile(fitted, X, public=re.findall(r"'([^']*)'", found[1]))

    def test_weights_stay_in_those_of_polynomials(self) -> None:
        stack = StackingRegressor([("a", Ridge())], make_pipeline(PolynomialFeatures(), Ridge()), cv=2).fit(X, Y)
        map_of_inputs = hermetic.compile(stack, X).signature.feature_map
        assert [one.kind for one in map_of_inputs.blocks] == ["monomials"]
