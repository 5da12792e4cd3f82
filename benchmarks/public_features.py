"""MNIST on public features, the example's classifier: one image, a batch, and the whole test set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from examples.mnist99.asked import CHUNK, ask, feature_seconds, reference
from examples.mnist99.head import FULL, Recipe
from examples.mnist99.kept import kept_head

import hermetic
from hermetic.demo.classifier import cache_directory
from hermetic.demo.mnist import Mnist, features
from hermetic.features import FeatureMap
from hermetic.roundtrip import LocalServer

from .linear import Row, hermetic_row

_SAMPLE = 1000
_TIMED = 100


def fitted(data: Mnist, recipe: Recipe = FULL) -> Any:
    """The example's head, fitted once and kept where the demo keeps its own: that takes minutes."""
    return kept_head(recipe, data, cache_directory())


@dataclass(frozen=True, eq=False)
class OnFeatures:
    """The example's classifier in the clear: public features, and the head."""

    head: Any
    features: FeatureMap

    @staticmethod
    def of(data: Mnist, recipe: Recipe = FULL) -> OnFeatures:
        """The one whose head :func:`fitted` gives."""
        return OnFeatures(fitted(data, recipe), recipe.features)

    def predict(self, X: npt.NDArray[np.float64]) -> npt.NDArray[np.generic]:
        """Labels (n,) of images (n, 784), some at a time."""
        parts = np.array_split(X, -(-len(X) // CHUNK))
        return np.concatenate([self.head.predict(self.features.apply(part)) for part in parts])


def feature_rows(head: Any, data: Mnist, repeat: int, recipe: Recipe = FULL) -> Iterator[Row]:
    """Both roles on one image, and on a batch. Features are part of encrypting."""
    options = {"X_sample": features(data.train_images[:_SAMPLE]), "features": recipe.features}
    for count, times in ((1, repeat), (CHUNK, max(3, repeat // 5))):
        yield hermetic_row(f"images: {count}", head, features(data.test_images[:count]), times, **options)


def whole_test_set(head: Any, data: Mnist, recipe: Recipe = FULL) -> str:
    """All test images, encrypted, in one process: what came and how long it took, in words."""
    images, labels = data.test_images, data.test_labels
    model = hermetic.compile(head, features(data.train_images[:_SAMPLE]), features=recipe.features)
    client = hermetic.Client(model.signature)
    answers = ask(client, LocalServer(model, client.public_key.to_bytes()), images, CHUNK, lambda done, total: None)
    plain, integers = reference(model, head, images, lambda done, total: None)
    right, right_plain = (f"{(one == labels).mean():.2%}" for one in (answers.labels, plain.argmax(axis=1)))
    same = int((answers.labels == plain.argmax(axis=1)).sum())
    exact = int((answers.integers == integers).all(axis=1).sum())
    return (
        f"{recipe.features}: {feature_seconds(client, images[:_TIMED]) * 1e3:.2f} ms for one image. {len(images)} test "
        f"images, {CHUNK} a query: {answers.total_seconds:.1f} s; right: {right}, in the clear {right_plain}; labels "
        f"equal on {same}, integers equal to the reference on {exact}; guaranteed error {model.signature.error:g}, "
        f"largest seen {np.abs(answers.scores - plain).max():.1e}"
    )
