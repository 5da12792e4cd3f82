"""The classifier: public features that learn nothing from data, and a linear head that stays private.

The features are random filters that a seed chooses, see :class:`hermetic.features.LocalFilters`. Only the head is
fitted, by scikit-learn's logistic regression, to the features of the training images and of the same images moved by
one pixel, an old way to learn that it does not matter where a digit is (Simard et al., ICDAR 2003).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from hermetic.demo.mnist import SIDE, Bytes, Mnist, features
from hermetic.features import FeatureMap, LocalFilters

from .asked import CHUNK, Tell, chunks

_MOVES = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)])


def filters(count: int) -> FeatureMap:
    """So many filters of 9 x 9 pixels, averaged over 4 x 4 parts of the image: 16 features a filter."""
    return FeatureMap(
        LocalFilters(SIDE, size=9, filters=count, cells=4, padding=2, epsilon=0.3, threshold=0.15, ceiling=0.125)
    )


@dataclass(frozen=True, eq=False)
class Recipe:
    """How a head is fitted: the features, the first so many training images, the settings of LogisticRegression."""

    features: FeatureMap
    images: int
    settings: dict[str, Any] = field(default_factory=dict)


FULL = Recipe(filters(256), 60_000, {"C": 0.003, "max_iter": 60, "tol": 1e-6})
"""4,096 features. The settings were chosen on the last 10,000 training images, the head fitted to the others."""

QUICK = Recipe(filters(16), 3_000, {"C": 0.1, "max_iter": 60, "tol": 1e-6})
"""The same in seconds, and less accurate."""


def training_set(recipe: Recipe, data: Mnist) -> tuple[Bytes, Bytes]:
    """The recipe's training images and each of them moved by a pixel in one of 8 directions (2n, 28, 28), labels."""
    images, labels = data.train_images[: recipe.images], data.train_labels[: recipe.images]
    corners = 1 - np.random.default_rng(0).choice(_MOVES, len(images))
    wide = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    moved = [one[y : y + SIDE, x : x + SIDE] for one, (y, x) in zip(wide, corners, strict=True)]
    return np.concatenate([images, moved]), np.concatenate([labels, labels])


def computed(recipe: Recipe, images: Bytes, tell: Tell) -> npt.NDArray[np.float32]:
    """Images (n, 28, 28) -> features (n, d), a chunk at a time."""
    found = np.empty((len(images), recipe.features.outputs), np.float32)
    for chunk in chunks(len(images), CHUNK, tell):
        found[chunk] = recipe.features.apply(features(images[chunk]))
    return found


def fit(recipe: Recipe, X: npt.NDArray[np.float32], labels: Bytes) -> LogisticRegression:
    """Fit the head to features (n, d), which it overwrites, and labels (n,).

    The solver sees features without their mean and of size 1; the head that comes back takes them as they are. On one
    thread, so that it is the same whatever the machine.
    """
    centre = X.mean(axis=0, dtype=np.float64)
    X -= centre.astype(np.float32)
    spread = float(np.linalg.norm(X)) / X.size**0.5
    X /= np.float32(spread)
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        # It stops early on purpose: more steps fit the training images better, and others worse.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(**recipe.settings).fit(X, labels)
    coef = fitted.coef_.astype(np.float64) / spread
    return head_of(recipe, coef, fitted.intercept_ - coef @ centre)


def head_of(recipe: Recipe, coef: npt.NDArray[Any], intercept: npt.NDArray[Any]) -> LogisticRegression:
    """The fitted head with these coefficients (10, d) and intercepts (10,)."""
    head = LogisticRegression(**recipe.settings)
    head.coef_, head.intercept_, head.classes_ = coef, intercept, np.arange(10)
    head.n_features_in_ = coef.shape[1]
    return head
