"""Estimators that are linear inside: clusters, outliers, thresholds, chains, means, transformed targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import AffinityPropagation, FeatureAgglomeration, KMeans, MeanShift, MiniBatchKMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import CCA, PLSCanonical, PLSRegression
from sklearn.decomposition import MiniBatchSparsePCA, SparsePCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge, SGDClassifier, SGDOneClassSVM
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, LinearSVC, OneClassSVM

from .estimators import CHANGES, Case, data
from .since import since

CHANGES["unlabelled"] = lambda X, y: (X, np.where(np.arange(len(y)) % 3 == 0, -1, y))
CHANGES["words"] = lambda X, y: (X, np.array(["malignant", "benign"])[y])
CHANGES["positive"] = lambda X, y: (X, y + 1.0)


def scaled(model: Any) -> Any:
    """A model after a scaler."""
    return make_pipeline(StandardScaler(), model)


def _logarithms(inner: Any = None, **options: Any) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(inner or Ridge(), **options)


def soft(*parts: Any, **options: Any) -> VotingClassifier:
    """The mean of probabilities."""
    return VotingClassifier([(str(i), one) for i, one in enumerate(parts)], voting="soft", **options)


def _by_temperature(model: Any, **options: Any) -> CalibratedClassifierCV:
    return CalibratedClassifierCV(model, method="temperature", **options)


def _stack(final: Any, *parts: Any, **options: Any) -> StackingClassifier:
    named = [(str(i), one) for i, one in enumerate(parts)]
    return StackingClassifier(named, final, cv=3, stack_method="decision_function", **options)


CANONICAL = FrozenEstimator(PLSCanonical(2, scale=False).fit(*data("linnerud")))
TEMPERATURE = "CalibratedClassifierCV(method='temperature')"
HUBER = SGDClassifier(loss="modified_huber", random_state=0)

CLUSTERS = [
    *(Case(f"{type(one).__name__}, clusters", one, name) for one, name in (
        (KMeans(3, n_init=1, random_state=0), "iris"),
        (KMeans(2, n_init=1, random_state=0), "wine"),
        (scaled(KMeans(7, n_init=1, random_state=0)), "wine/named"),
        (MiniBatchKMeans(10, n_init=1, random_state=0), "digits"),
        (AffinityPropagation(preference=-50, random_state=0), "iris"),
        (MeanShift(bandwidth=1.0), "iris"),
    )),
]  # fmt: skip

OUTLIERS = [
    Case("linear outliers", scaled(OneClassSVM(kernel="linear", nu=0.2)), "wine"),
    Case("linear outliers, unscaled", OneClassSVM(kernel="linear", nu=0.5), "iris/named"),
    Case("linear outliers by gradients", scaled(SGDOneClassSVM(random_state=0)), "cancer"),
]

STEPS = [
    *(
        Case(f"{type(one).__name__}, then discriminants", make_pipeline(one, LinearDiscriminantAnalysis()), "wine")
        for one in (
            SparsePCA(3, max_iter=10, random_state=0),
            MiniBatchSparsePCA(4, ridge_alpha=0.5, max_iter=10, random_state=0),
            FrozenEstimator(PLSRegression(2).fit(*data("wine"))),
            FeatureAgglomeration(5),
            FeatureAgglomeration(4, pooling_func=np.sum),
        )
    ),
    Case("CCA, then ridge", make_pipeline(FrozenEstimator(CCA(2).fit(*data("linnerud"))), Ridge()), "linnerud"),
    Case("canonical least squares, then ridge", make_pipeline(CANONICAL, Ridge()), "linnerud"),
    Case("sparse components, alone", SparsePCA(3, max_iter=10, random_state=0), "iris"),
    Case("pooled, alone", FeatureAgglomeration(4), "digits"),
]

CHAINS = [
    Case("regressor chain", RegressorChain(Ridge()), "linnerud"),
    Case("regressor chain, in another order", scaled(RegressorChain(Lasso(), order=[2, 0, 1], cv=3)), "linnerud"),
    Case("classifier chain", ClassifierChain(LinearSVC(), chain_method="decision_function"), "wine/several"),
    Case(
        "classifier chain with probabilities",
        scaled(ClassifierChain(LogisticRegression(), order=[1, 2, 0], chain_method=["decision_function"])),
        "wine/several",
    ),
]

MEANS = [
    Case("bagged ridge", BaggingRegressor(Ridge(), 4, random_state=0), "diabetes"),
    Case("bagged ridge of some inputs", BaggingRegressor(Ridge(), 4, max_features=0.5, random_state=0), "diabetes"),
    Case("bagged, two classes", scaled(BaggingClassifier(LogisticRegression(), 4, random_state=0)), "cancer/words"),
    Case("bagged, three classes", BaggingClassifier(LogisticRegression(), 4, random_state=0), "iris/str"),
    Case(
        "bagged, one versus rest, of some inputs",
        BaggingClassifier(OneVsRestClassifier(LogisticRegression()), 3, max_features=0.5, random_state=0),
        "wine",
    ),
    Case("soft votes, two classes", scaled(soft(LogisticRegression(), GaussianNB(), LinearDiscriminantAnalysis())),
         "cancer/words", {"profile": "precise"}),
    Case("soft votes, three classes", soft(LogisticRegression(), LinearDiscriminantAnalysis()), "iris/object"),
    Case("soft votes, weighted", soft(LogisticRegression(), LogisticRegression(C=0.01), weights=[2, 1]), "iris/str"),
    Case(
        "soft votes of calibrated ones",
        soft(
            CalibratedClassifierCV(LinearSVC(), cv=3), OneVsRestClassifier(LogisticRegression()), weights=[1.5, 0.5]
        ),
        "iris",
    ),
    *since(
        "1.8",
        TEMPERATURE,
        lambda: Case("temperature, two classes", scaled(_by_temperature(LinearSVC(), cv=3)), "cancer"),
        lambda: Case("temperature", _by_temperature(LinearSVC(), cv=3), "iris/str"),
        lambda: Case("temperature, one fold", _by_temperature(LogisticRegression(), cv=3, ensemble=False), "iris"),
    ),
]  # fmt: skip

THRESHOLDS = [
    *(Case(f"threshold, {name}", scaled(one), "cancer/words") for name, one in (
        ("automatic", FixedThresholdClassifier(LogisticRegression())),
        ("of probabilities", FixedThresholdClassifier(LogisticRegression(), threshold=0.9)),
        ("of the other class", FixedThresholdClassifier(LogisticRegression(), threshold=0.8, pos_label="benign")),
        ("of scores", FixedThresholdClassifier(LinearSVC(), threshold=0.3)),
        ("of scores of the other class",
         FixedThresholdClassifier(LinearSVC(), threshold=0.3, pos_label="benign", response_method="decision_function")),
        ("of modified Huber", FixedThresholdClassifier(HUBER, threshold=0.2)),
        ("of naive Bayes", FixedThresholdClassifier(BernoulliNB(binarize=None), threshold=0.2)),
        *since("1.8", TEMPERATURE, lambda: (
            "of temperature", FixedThresholdClassifier(_by_temperature(LinearSVC(), ensemble=False), threshold=0.7))),
        ("tuned", TunedThresholdClassifierCV(LogisticRegression(), cv=3)),
    ) if name != "of naive Bayes"),
    Case("threshold of naive Bayes", FixedThresholdClassifier(MultinomialNB(), threshold=1e-3), "cancer/bool"),
    Case("threshold tuned, of scores", scaled(TunedThresholdClassifierCV(LinearSVC(), cv=3)), "cancer"),
]  # fmt: skip

TARGETS = [
    *(Case(f"target, {name}", one, source) for name, one, source in (
        ("logarithms", _logarithms(func=np.log, inverse_func=np.exp), "diabetes"),
        ("logarithms and 1", _logarithms(func=np.log1p, inverse_func=np.expm1), "diabetes/rates"),
        ("logarithms to base 2", _logarithms(func=np.log2, inverse_func=np.exp2), "diabetes"),
        ("logarithms, column", _logarithms(func=np.log1p, inverse_func=np.expm1), "diabetes/column"),
        ("logarithms of several", _logarithms(func=np.log1p, inverse_func=np.expm1), "diabetes/two"),
        ("scaled logarithms", _logarithms(
            transformer=make_pipeline(FunctionTransformer(np.log1p, np.expm1), StandardScaler())), "diabetes"),
        ("scaled twice", _logarithms(LinearRegression(), transformer=make_pipeline(StandardScaler(), MinMaxScaler())),
         "linnerud"),
        ("as it is", _logarithms(), "diabetes"),
    )),
]  # fmt: skip

STACKS = [
    Case("stacked scores", scaled(_stack(LogisticRegression(), LinearSVC(), SGDClassifier(random_state=0))), "wine"),
    Case("stacked scores, two classes", scaled(_stack(LogisticRegression(), LinearSVC(), SVC(kernel="linear"))),
         "cancer/words"),
    Case("stacked scores and inputs", _stack(LinearSVC(), LogisticRegression(), passthrough=True), "iris/str"),
    Case("stacked under polynomials", StackingRegressor(
        [("a", Ridge()), ("b", Lasso())], make_pipeline(PolynomialFeatures(), Ridge()), cv=2), "iris"),
    Case("self-trained", SelfTrainingClassifier(LogisticRegression()), "iris/unlabelled"),
]  # fmt: skip

WRAPPED = [*CLUSTERS, *OUTLIERS, *STEPS, *CHAINS, *MEANS, *THRESHOLDS, *TARGETS, *STACKS]
