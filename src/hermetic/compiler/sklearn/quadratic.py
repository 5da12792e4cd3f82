"""Gaussian classifiers, whose scores are quadratic in the inputs

What is public says nothing of data: squares and products of inputs. Affine steps before stay private.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from ...arrays import Reals
from ...errors import ParameterError, UnsupportedModelError
from ...features import FeatureMap, Monomials
from ...head import Head
from ..disclosure import Disclosure
from ..linear import LinearMap
from .classifiers import PROBABILITIES, labels_of, log_priors
from .registry import check_finite, reads

_JOINT = "`predict_joint_log_proba`: log joint probabilities, labels, probabilities"


@reads("GaussianNB", gives=_JOINT, condition="squares of inputs become public, no parameter")
def _gaussian_naive_bayes(estimator: Any) -> LinearMap:
    """log p - (sum of log(2·pi·v) + (x - m)²/v)/2 of every class."""
    means, variances = (np.asarray(one, dtype=np.float64) for one in (estimator.theta_, estimator.var_))
    d, centre = means.shape[1], means.mean(axis=0)
    means = means - centre
    prior = log_priors(estimator, estimator.class_prior_)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(2 * np.pi * variances)
        squares, linear = -0.5 / variances, means / variances
        constants = -0.5 * means**2 / variances
    instead = "leave out inputs that never vary, or fit it with a larger var_smoothing"
    check_finite("GaussianNB", "inverse variances", squares, instead)
    return LinearMap(
        np.hstack([linear, squares]),
        prior - 0.5 * logs.sum(axis=1) + constants.sum(axis=1),
        Head("predict_joint_log_proba", "softmax", labels_of(estimator)),
        folded=np.abs(prior) + 0.5 * (np.abs(logs) + 1).sum(axis=1) + np.abs(constants).sum(axis=1),
        feature_map=_monomials("GaussianNB", d, [*((i,) for i in range(d)), *((i, i) for i in range(d))]),
        public=(Disclosure("gaussiannb", f"that squares of {d} inputs count", learned=False),),
        centre=centre,
    )


@reads(
    "QuadraticDiscriminantAnalysis",
    gives=PROBABILITIES,
    condition="squares and products of inputs become public, no parameter",
)
def _quadratic_discriminant_analysis(estimator: Any) -> LinearMap:
    """log p - (sum of log s + |(x - m)·R/sqrt(s)|²)/2 of every class; of two classes, the difference."""
    labels, d = labels_of(estimator), estimator.n_features_in_
    prior = log_priors(estimator, estimator.priors_)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.array([np.log(one).sum() for one in estimator.scalings_])
        axes = [(r / np.sqrt(s)).T for r, s in zip(estimator.rotations_, estimator.scalings_, strict=True)]
    instead = "leave out inputs that never vary, or fit it with a larger reg_param"
    check_finite("QuadraticDiscriminantAnalysis", "logarithms of variances", logs, instead)
    centre = np.asarray(estimator.means_, dtype=np.float64).mean(axis=0)
    means = estimator.means_ - centre
    weights, constants = _forms(axes, [axis @ mean for axis, mean in zip(axes, means, strict=True)])
    sizes = [np.abs(axis) for axis in axes]
    moved = [-size @ np.abs(mean) for size, mean in zip(sizes, means, strict=True)]
    reach, folded = (np.abs(one) for one in _forms(sizes, moved))
    factors = [*((i,) for i in range(d)), *combinations_with_replacement(range(d), 2)]
    scores = LinearMap(
        weights,
        prior - 0.5 * logs + constants,
        Head("decision_function", "softmax", labels),
        reach=reach,
        folded=folded + np.abs(prior) + 0.5 * (np.abs(logs) + d),
        feature_map=_monomials("QuadraticDiscriminantAnalysis", d, factors),
        public=(
            Disclosure(
                "quadraticdiscriminantanalysis", f"that squares and products of {d} inputs count", learned=False
            ),
        ),
        centre=centre,
    )
    if len(labels) > 2:
        return scores
    difference = np.array([[-1.0, 1.0]])
    return LinearMap(difference, np.zeros(1), Head("decision_function", "logistic", labels, squeeze=True)).after(scores)


def _forms(axes: list[Reals], offsets: list[Reals]) -> tuple[Reals, Reals]:
    """-|A·x - c|²/2 of every class, as weights of x_i and of x_i·x_j (i <= j), and constants."""
    d = axes[0].shape[1]
    i, j = np.triu_indices(d)
    rows = []
    for axis, offset in zip(axes, offsets, strict=True):
        form = axis.T @ axis
        rows.append(np.concatenate([axis.T @ offset, np.where(i == j, -0.5, -1.0) * form[i, j]]))
    return np.array(rows), np.array([-0.5 * offset @ offset for offset in offsets])


def _monomials(kind: str, inputs: int, factors: Any) -> FeatureMap:
    try:
        return FeatureMap(Monomials(inputs, factors))
    except ParameterError as error:
        raise UnsupportedModelError(
            f"{kind} must have as many inputs as a client can multiply. Got {inputs}: {error} Reduce them before, "
            "with PCA in a pipeline of its own."
        ) from error
