"""Every kind of estimator that compiles, fitted on real data that scikit-learn ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine
from sklearn.decomposition import PCA, FactorAnalysis, FastICA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    Lars,
    LarsCV,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    PassiveAggressiveClassifier,
    PassiveAggressiveRegressor,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    RANSACRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TheilSenRegressor,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neighbors import NearestCentroid, NeighborhoodComponentsAnalysis
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR

from hermetic.demo.mnist import features, load_mnist

from .since import since


def load_images(*, return_X_y: bool) -> tuple[Any, Any]:
    """The first thousand training images of MNIST."""
    assert return_X_y
    mnist = load_mnist()
    return features(mnist.train_images[:1000]), mnist.train_labels[:1000]


LOADERS = {
    "cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
    "iris": load_iris,
    "linnerud": load_linnerud,
    "mnist": load_images,
    "wine": load_wine,
}


@cache
def data(name: str) -> tuple[Any, Any]:
    """X and y of a bundled data set; ``name`` may end in a change to it, as in "iris/str"."""
    name, _, change = name.partition("/")
    X, y = LOADERS[name](return_X_y=True)
    return CHANGES[change](X, y) if change else (X, y)


CHANGES: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    # Labels of every dtype
    "int8": lambda X, y: (X, y.astype(np.int8) - 1),
    "str": lambda X, y: (X, np.array(["setosa", "versicolor", "Iris virginica, ☘"])[y]),
    "bool": lambda X, y: (X, y.astype(bool)),
    "float": lambda X, y: (X, y * 2.0 - 1),
    "object": lambda X, y: (X, np.array(["setosa", "versicolor", "virginica"], dtype=object)[y]),
    # Targets of every shape
    "column": lambda X, y: (X, y[:, None]),
    "rates": lambda X, y: (X, y / 100),
    "several": lambda X, y: (X, np.stack([y == 0, y < 2, X[:, 0] > 13], axis=1).astype(int)),
    "spelled": lambda X, y: (X, np.where(np.stack([y == 0, X[:, 0] > 13], axis=1), "yes", "no")),
    "two": lambda X, y: (X, np.stack([y, np.sqrt(y)], axis=1)),
    # Inputs of every type
    "sparse": lambda X, y: (sparse.csr_matrix(X[:200]), y[:200]),
    "bits": lambda X, y: ((X > 7).astype(np.uint8), y),
    "few": lambda X, y: (X[y < 4], y[y < 4]),
    "bytes": lambda X, y: (X.astype(np.uint8), y),
    "pixels": lambda X, y: (np.round(X * 255 / 16) / 255, y),
    "holes": lambda X, y: (np.where(np.add.outer(np.arange(len(X)), np.arange(X.shape[1])) % 11 == 0, np.nan, X), y),
    "float32": lambda X, y: (X.astype(np.float32), y),
    "named": lambda X, y: (pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])]), y),
}


@dataclass(frozen=True, eq=False)
class Case:
    """An estimator to fit, with further ``arguments`` of fit, and the options that it is compiled with."""

    name: str
    estimator: Any
    data: str
    options: dict[str, Any] = field(default_factory=dict)
    after: Callable[[Any], Any] = lambda fitted: fitted
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def kinds(self) -> set[str]:
        """The names of all classes of scikit-learn that it is made of."""
        return _names(self.estimator)

    def fit(self) -> Any:
        return self.after(self.estimator.fit(*data(self.data), **self.arguments))


def _names(value: Any) -> set[str]:
    if isinstance(value, list | tuple):
        return set().union(*map(_names, value))
    if not isinstance(value, BaseEstimator):
        return set()
    return {type(value).__name__}.union(*map(_names, value.get_params(deep=False).values()))


def _sparse(fitted: Any) -> Any:
    return fitted.sparsify()


def _scaled(model: Any, *scalers: Any) -> Pipeline:
    return make_pipeline(*(scalers or (StandardScaler(),)), model)


def _fitted_svc() -> Any:
    return _scaled(LinearSVC()).fit(*data("cancer"))


ALPHAS = [0.1, 1.0, 10.0]

CASES = [
    Case("logistic, two classes", _scaled(LogisticRegression()), "cancer"),
    Case("logistic, liblinear", LogisticRegression(solver="liblinear"), "cancer"),
    *since(
        "1.8",
        "LogisticRegression(l1_ratio) without penalty",
        lambda: Case(
            "logistic, l1, sparse", LogisticRegression(solver="liblinear", l1_ratio=1), "cancer", after=_sparse
        ),
    ),
    Case("logistic, ten classes", LogisticRegression(tol=0.1), "digits"),
    Case("logistic, bytes", LogisticRegression(tol=0.1), "digits/bytes"),
    Case("logistic, pixels", LogisticRegression(max_iter=10), "digits/pixels"),
    Case("logistic, MNIST", LogisticRegression(max_iter=5), "mnist"),
    Case("logistic, no intercept", LogisticRegression(fit_intercept=False), "iris"),
    Case("logistic, cross-validated", LogisticRegressionCV(Cs=2, cv=3, scoring="accuracy"), "iris"),
    *since(
        "1.8",
        "LogisticRegressionCV(use_legacy_attributes)",
        lambda: Case(
            "logistic, cross-validated, without the attributes of old",
            LogisticRegressionCV(Cs=2, cv=3, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False),
            "iris",
        ),
    ),
    Case("logistic, labels int8", LogisticRegression(), "iris/int8"),
    Case("logistic, labels str", LogisticRegression(), "iris/str"),
    Case("logistic, labels bool", _scaled(LogisticRegression()), "cancer/bool"),
    Case("logistic, labels float", LogisticRegression(), "iris/float"),
    Case("logistic, labels object", LogisticRegression(), "iris/object"),
    Case("logistic, fitted in float32", LogisticRegression(), "iris/float32"),
    Case("logistic, named columns", LogisticRegression(), "iris/named"),
    Case("logistic, precise", LogisticRegression(), "iris", {"profile": "precise"}),
    Case("linear regression", LinearRegression(), "diabetes"),
    Case("linear regression, one column", LinearRegression(), "diabetes/column"),
    Case("linear regression, two columns", LinearRegression(), "diabetes/two"),
    Case("linear regression, three targets", LinearRegression(), "linnerud"),
    Case("linear regression, positive, no intercept", LinearRegression(positive=True, fit_intercept=False), "diabetes"),
    Case("ridge", Ridge(alpha=0.1), "diabetes"),
    Case("ridge, one column", Ridge(alpha=0.1), "diabetes/column"),
    Case("ridge, two columns", Ridge(alpha=np.array([0.1, 0.2]), solver="cholesky"), "diabetes/two"),
    Case("ridge, two limbs", Ridge(alpha=0.1), "diabetes/named", {"tolerance": 1e-8}),
    Case("ridge, four limbs", Ridge(alpha=0.1), "diabetes", {"tolerance": 1e-5, "profile": "fast"}),
    Case("SVC, two classes", _scaled(LinearSVC()), "cancer"),
    Case("SVC, ten classes", LinearSVC(tol=0.1), "digits"),
    Case("SVC, Crammer and Singer", LinearSVC(multi_class="crammer_singer"), "iris"),
    Case("SVC, l1, sparse", _scaled(LinearSVC(penalty="l1", dual=False), MinMaxScaler()), "wine"),
    Case("SGD, hinge, unscaled", SGDClassifier(random_state=0), "wine"),
    Case("SGD, hinge, two classes", _scaled(SGDClassifier(random_state=0)), "cancer"),
    Case("SGD, log loss", _scaled(SGDClassifier(loss="log_loss", random_state=0)), "cancer"),
    Case("SGD, log loss, ten classes, unscaled", SGDClassifier(loss="log_loss", random_state=0), "digits"),
    Case("SGD, log loss, three classes", _scaled(SGDClassifier(loss="log_loss", random_state=0)), "wine"),
    Case("SGD, modified Huber", _scaled(SGDClassifier(loss="modified_huber", random_state=0)), "cancer"),
    Case("SGD, modified Huber, three classes", _scaled(SGDClassifier(loss="modified_huber", random_state=0)), "wine"),
    Case(
        "SGD, perceptron, l1, sparse",
        SGDClassifier(loss="perceptron", penalty="l1", random_state=0),
        "iris",
        after=_sparse,
    ),
    Case("SGD regressor", _scaled(SGDRegressor(random_state=0)), "diabetes"),
    Case("SGD regressor, l1, sparse", SGDRegressor(penalty="l1", random_state=0), "diabetes", after=_sparse),
    Case("standard scaler without mean", _scaled(LogisticRegression(), StandardScaler(with_mean=False)), "wine"),
    Case("standard scaler without scale", _scaled(Ridge(), StandardScaler(with_std=False)), "diabetes"),
    Case(
        "standard scaler without either", _scaled(Ridge(), StandardScaler(with_mean=False, with_std=False)), "diabetes"
    ),
    Case("min-max scaler", _scaled(LogisticRegression(), MinMaxScaler(feature_range=(-1, 3))), "wine"),
    Case("both scalers", _scaled(LogisticRegression(), MinMaxScaler(), StandardScaler()), "wine"),
    Case("passthrough", Pipeline([("nothing", "passthrough"), ("model", LogisticRegression())]), "iris/named"),
    Case("None as a step", Pipeline([("nothing", None), ("scaler", StandardScaler()), ("model", LinearSVC())]), "wine"),
    Case("pipeline in a pipeline", _scaled(_scaled(LogisticRegression()), MinMaxScaler()), "wine/named"),
    Case("scaled whole numbers", _scaled(LogisticRegression(tol=0.1)), "digits"),
    # Regressions
    *(
        Case(f"{type(one).__name__}", _scaled(one), "diabetes")
        for one in (
            ARDRegression(),
            BayesianRidge(),
            ElasticNet(),
            ElasticNetCV(alphas=ALPHAS, cv=3),
            HuberRegressor(),
            Lars(),
            LarsCV(cv=3),
            Lasso(),
            LassoCV(alphas=ALPHAS, cv=3),
            LassoLars(),
            LassoLarsCV(cv=3),
            LassoLarsIC(),
            OrthogonalMatchingPursuit(),
            OrthogonalMatchingPursuitCV(cv=3),
            QuantileRegressor(),
            RidgeCV(),
            TheilSenRegressor(max_subpopulation=100, random_state=0),
            LinearSVR(),
            PassiveAggressiveRegressor(random_state=0),
            RANSACRegressor(random_state=0),
            SVR(kernel="linear"),
            NuSVR(kernel="linear"),
        )
    ),
    *(
        Case(f"{type(one).__name__}, three targets", one, "linnerud")
        for one in (
            MultiTaskElasticNet(),
            MultiTaskElasticNetCV(alphas=ALPHAS, cv=3),
            MultiTaskLasso(),
            MultiTaskLassoCV(alphas=ALPHAS, cv=3),
            MultiOutputRegressor(Ridge()),
            CCA(),
            PLSCanonical(),
            PLSRegression(),
            RidgeCV(),
            TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
        )
    ),
    Case("least squares, one target", PLSRegression(1), "diabetes"),
    Case("Poisson", PoissonRegressor(), "diabetes/rates"),
    Case("gamma", GammaRegressor(), "diabetes/rates"),
    Case("Tweedie, log link", TweedieRegressor(power=1.5), "diabetes/rates"),
    Case("Tweedie, identity", TweedieRegressor(power=0), "diabetes/rates"),
    Case("Poisson, many columns", _scaled(PoissonRegressor()), "cancer"),
    Case("SVC, fitted on a sparse matrix", SVC(kernel="linear"), "digits/sparse"),
    # Classifiers
    *(
        Case(f"{type(one).__name__}, {name}", _scaled(one), name)
        for name in ("cancer", "wine")
        for one in (
            PassiveAggressiveClassifier(random_state=0),
            Perceptron(random_state=0),
            RidgeClassifier(),
            RidgeClassifierCV(),
            LinearDiscriminantAnalysis(),
            NearestCentroid(),
            SVC(kernel="linear"),
            NuSVC(kernel="linear", nu=0.1),
            OneVsRestClassifier(LinearSVC()),
            OneVsRestClassifier(LogisticRegression()),
            CalibratedClassifierCV(LinearSVC(), cv=3),
        )
    ),
    Case("nearest centroid, priors", NearestCentroid(priors="empirical"), "wine"),
    Case("nearest centroid, two classes, priors", NearestCentroid(priors="empirical"), "cancer/bool"),
    Case("SVC, ties broken", SVC(kernel="linear", break_ties=True), "iris/str"),
    Case("SVC, four classes", SVC(kernel="linear"), "digits/few"),
    Case("SVC, pairs", SVC(kernel="linear", decision_function_shape="ovo"), "digits/few"),
    Case("NuSVC, pairs", NuSVC(kernel="linear", nu=0.1, decision_function_shape="ovo"), "iris/str"),
    Case("several labels", _scaled(OneVsRestClassifier(LinearSVC())), "wine/several"),
    Case("several labels, logistic", _scaled(OneVsRestClassifier(LogisticRegression())), "wine/several"),
    Case("several labels, ridge", RidgeClassifier(), "wine/several"),
    Case("several outputs", _scaled(MultiOutputClassifier(LogisticRegression())), "wine/spelled"),
    Case("one versus one", OneVsOneClassifier(LinearSVC()), "digits/few"),
    Case("one versus one, logistic", _scaled(OneVsOneClassifier(LogisticRegression())), "iris/str"),
    Case("calibrated, one fold", CalibratedClassifierCV(LogisticRegression(), ensemble=False, cv=3), "iris/str"),
    Case("calibrated, frozen", CalibratedClassifierCV(FrozenEstimator(_fitted_svc())), "cancer"),
    Case("MultinomialNB", MultinomialNB(), "digits"),
    Case("ComplementNB", ComplementNB(), "digits"),
    Case("BernoulliNB", BernoulliNB(binarize=None), "digits/bits"),
    Case("BernoulliNB, threshold", BernoulliNB(binarize=0.5), "digits/pixels"),
    Case("MultinomialNB, two classes", MultinomialNB(), "cancer/bool"),
    # Searches and wrappers
    *(
        Case(f"{type(one).__name__}", _scaled(one), "wine")
        for one in (
            GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2),
            RandomizedSearchCV(LogisticRegression(), {"C": [0.1, 1]}, n_iter=1, cv=2),
            HalvingGridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2),
            HalvingRandomSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2, random_state=0),
        )
    ),
    Case("voting", VotingRegressor([("a", Ridge()), ("b", _scaled(Lasso())), ("c", LinearSVR())]), "diabetes"),
    Case("voting, weighted", VotingRegressor([("a", Ridge()), ("b", Lasso())], weights=[1, 3]), "diabetes"),
    Case("stacking", StackingRegressor([("a", Ridge()), ("b", _scaled(Lasso()))], RidgeCV(), cv=2), "diabetes"),
    Case("stacking, with inputs", StackingRegressor([("a", Ridge())], Ridge(), cv=2, passthrough=True), "diabetes"),
    Case("transformed target", TransformedTargetRegressor(Ridge(), transformer=MinMaxScaler()), "diabetes"),
    Case("RFE", _scaled(RFE(LogisticRegression(), n_features_to_select=5)), "wine"),
    Case("RFECV", _scaled(RFECV(LogisticRegression(), step=6, cv=2)), "wine"),
    # Transformers, alone
    *(
        Case(f"{type(one).__name__}, alone", one, name)
        for one, name in (
            (PCA(3), "wine"),
            (PCA(3, whiten=True), "digits"),
            (IncrementalPCA(3, whiten=True), "wine"),
            (FastICA(3, random_state=0), "iris"),
            (FactorAnalysis(3), "wine"),
            (TruncatedSVD(3), "digits"),
            (PLSSVD(), "linnerud"),
            (NeighborhoodComponentsAnalysis(2, max_iter=5), "iris"),
            (GaussianRandomProjection(3, random_state=0), "wine"),
            (SparseRandomProjection(3, random_state=0), "wine"),
            (StandardScaler(), "wine"),
            (SelectKBest(k=3), "wine"),
            (make_pipeline(StandardScaler(), PCA(2)), "wine"),
            (FeatureUnion([("a", PCA(2)), ("b", SelectKBest(k=2))]), "wine"),
        )
    ),
    # Steps of pipelines
    *(
        Case(f"{type(one).__name__}, then discriminants", make_pipeline(one, LinearDiscriminantAnalysis()), "wine")
        for one in (
            MaxAbsScaler(),
            RobustScaler(),
            RobustScaler(with_centering=False),
            RobustScaler(with_scaling=False),
            PCA(3),
            IncrementalPCA(3),
            FastICA(3, random_state=0),
            make_pipeline(StandardScaler(), FastICA(random_state=0, whiten=False, max_iter=5)),
            FactorAnalysis(3),
            TruncatedSVD(3),
            LinearDiscriminantAnalysis(),
            LinearDiscriminantAnalysis(solver="eigen"),
            GenericUnivariateSelect(mode="k_best", param=3),
            RFE(LinearSVC(), n_features_to_select=4),
            SelectFdr(),
            SelectFpr(),
            SelectFwe(),
            SelectKBest(k=3),
            SelectPercentile(),
            SelectFromModel(LinearSVC()),
            SequentialFeatureSelector(LinearDiscriminantAnalysis(), n_features_to_select=2, cv=2),
            VarianceThreshold(0.5),
            FunctionTransformer(),
        )
    ),
    Case(
        "union",
        _scaled(
            LinearDiscriminantAnalysis(),
            FeatureUnion(
                [("pca", PCA(2)), ("same", "passthrough"), ("none", "drop"), ("best", _scaled(PCA(1)))],
                transformer_weights={"pca": 0.5},
            ),
        ),
        "wine",
    ),
    Case(
        "columns by number",
        _scaled(
            LinearDiscriminantAnalysis(),
            ColumnTransformer(
                [("pca", PCA(2), [0, 1, 5]), ("none", "drop", [2]), ("scaled", _scaled(SelectKBest(k=1)), slice(6, 9))],
                remainder="passthrough",
            ),
        ),
        "wine",
    ),
    Case(
        "columns by name",
        _scaled(
            LogisticRegression(),
            ColumnTransformer([("a", StandardScaler(), ["column 2", "column 0"]), ("b", "passthrough", ["column 3"])]),
        ),
        "iris/named",
    ),
]
