"""The fitted head, kept as numbers in a folder, so that it is fitted once."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

from hermetic.cli.console import stderr
from hermetic.cli.progress import bar
from hermetic.cli.units import duration
from hermetic.demo.mnist import Mnist

from .head import Recipe, computed, fit, head_of, training_set


def kept_head(recipe: Recipe, data: Mnist, folder: Path) -> LogisticRegression:
    """The head from the folder, or a fresh one that is then kept there. Tells stderr how far it is."""
    file = head_file(recipe, data, folder)
    if file.is_file():
        with np.load(file) as numbers:
            return head_of(recipe, numbers["coef"], numbers["intercept"])
    head = _fitted(recipe, data)
    folder.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)  # it is the model owner's secret
    np.savez(file, coef=head.coef_, intercept=head.intercept_)
    return head


def head_file(recipe: Recipe, data: Mnist, folder: Path) -> Path:
    """Where the head is kept: another recipe, other data or another scikit-learn make another name."""
    made_from = [recipe.features.document(), recipe.images, recipe.settings, data.training_digest, sklearn.__version__]
    digest = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()
    return folder / f"mnist99-{digest[:16]}.npz"


def _fitted(recipe: Recipe, data: Mnist) -> LogisticRegression:
    start = time.perf_counter()
    images, labels = training_set(recipe, data)
    with bar("Features of training images") as shown:
        X = computed(recipe, images, shown.advance)
    steps = recipe.settings["max_iter"]
    with stderr().status(f"Fitting the head: {steps} steps on {len(X):,} x {X.shape[1]:,} features"):
        head = fit(recipe, X, labels)
    stderr().print(f"fitted in {duration(time.perf_counter() - start)}")
    return head
