"""Private trees: boosted trees and forests beside Concrete ML, and Hermetic alone on models of other sizes.

Concrete ML fits trees on inputs that it rounds to a few bits, so each library fits its own, with the same settings on
the same samples. It predicts one sample a minute or so, so it is asked for a few.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor

import hermetic

from .classifiers import Rival, Task, plain_scores, tumours
from .linear import Row, measured_row

Reals = npt.NDArray[np.float64]

TREES, DEPTH = 50, 4
ROWS = 10_000
_RIVAL_REPEAT = 1
_CHUNK = 50
_BITS = "6"


def tumour_trees(trees: int = TREES, depth: int = DEPTH) -> Iterator[Task]:
    """Boosted trees, then a forest, on breast_cancer."""
    from xgboost import XGBClassifier

    train, X, y_train, y = tumours()
    sizes: dict[str, Any] = {"n_estimators": trees, "max_depth": depth, "random_state": 0}
    for name, model, estimator in (
        ("XGBoost", "boosted", XGBClassifier(**sizes, n_jobs=1)),
        ("Random forest", "forest", RandomForestClassifier(**sizes)),
    ):
        estimators = {"hermetic": estimator.fit(train, y_train)}
        rival = Rival("concrete-ml", ("--model", model, "--bits", _BITS), _RIVAL_REPEAT)
        given = {"y": y_train, "estimators": trees, "depth": depth}
        title = f"{name}, {trees} trees of depth {depth}, breast_cancer, 30 features"
        yield Task(
            title, estimators, X, y, train, (rival,), given, {"hermetic": {"public": [type(estimator).__name__]}}
        )


def tree_rows(repeat: int, splits: str = "private") -> Iterator[Row]:
    """Larger models, one sample."""
    for name, estimator, X in tree_models():
        model = hermetic.compile(estimator, X, public=[type(estimator).__name__], splits=splits)
        yield measured_row(name, model, X[:1], plain_scores(estimator, model.signature, X[:1]), repeat)


def on_thresholds(rows: int) -> str:
    """Encrypted rows beside XGBoost's own answers, in words: every second row has all its inputs on thresholds."""
    from xgboost import XGBClassifier

    X, y = load_breast_cancer(return_X_y=True)
    estimator = XGBClassifier(n_estimators=TREES, max_depth=DEPTH, n_jobs=1).fit(X, y)
    model = hermetic.compile(estimator, X, public=[type(estimator).__name__])
    client = hermetic.Client(model.signature)
    table = _rows_on_thresholds(estimator, X, rows)
    start = time.perf_counter()
    scores = np.concatenate(
        [
            client.decrypt(model.evaluate(client.encrypt(table[i : i + _CHUNK]), client.public_key))
            for i in range(0, rows, _CHUNK)
        ]
    )
    seconds = time.perf_counter() - start
    own = estimator.predict(table, output_margin=True)
    off, error = np.abs(scores - own), model.signature.error
    wrong, other = int((off > error).sum()), int(((scores > 0) != (own > 0)).sum())
    return (
        f"XGBoost {TREES}x{DEPTH}, {rows:,} encrypted rows, every second one with all inputs on thresholds: "
        f"{wrong} wrong scores, {other} wrong classes; guaranteed error {error:.1e}, largest seen {off.max():.1e}; "
        f"{rows / seconds:.0f} rows a second, all three steps"
    )


def _rows_on_thresholds(estimator: Any, X: Reals, rows: int) -> Reals:
    """Rows of X, drawn again and again; in every second one each input that is split on is a threshold of its own."""
    random = np.random.default_rng(0)
    table = X[random.integers(0, len(X), rows)].astype(np.float32).astype(np.float64)
    splits = estimator.get_booster().trees_to_dataframe()
    for name, of_input in splits[splits["Feature"] != "Leaf"].groupby("Feature"):
        thresholds = of_input["Split"].to_numpy(np.float32)
        table[::2, int(str(name).removeprefix("f"))] = random.choice(thresholds, len(table[::2]))
    return table


def tree_models() -> Iterator[tuple[str, Any, Reals]]:
    """Fitted models and their inputs. Those of ''20,000 rows'' have 8 inputs of 64 values each."""
    from lightgbm import LGBMRegressor
    from xgboost import XGBClassifier, XGBRegressor

    X, y = load_breast_cancer(return_X_y=True)
    yield "XGBoost 50x4", XGBClassifier(n_estimators=50, max_depth=4, n_jobs=1).fit(X, y), X
    rows, target = _table(20_000)
    boosted: dict[str, Any] = {"max_depth": 6, "max_bin": 64, "n_jobs": 1}
    yield "XGBoost 100x6", XGBRegressor(n_estimators=100, **boosted).fit(rows, target), rows
    yield "XGBoost 500x6", XGBRegressor(n_estimators=500, **boosted).fit(rows, target), rows
    light = LGBMRegressor(n_estimators=100, max_bin=63, verbose=-1, n_jobs=1)
    yield "LightGBM 100x31", light.fit(rows, target), rows
    forest = RandomForestRegressor(100, max_depth=8, random_state=0)
    yield "random forest 100x8", forest.fit(rows, target), rows
    images, digits = load_digits(return_X_y=True)
    yield "XGBoost, 10 digits, 20x4", XGBClassifier(n_estimators=20, max_depth=4, n_jobs=1).fit(images, digits), images
    yield "isolation forest", IsolationForest(random_state=0).fit(X), X


def _table(rows: int) -> tuple[Reals, Reals]:
    """8 inputs of 64 values each, and a target with jumps, waves and pairs in it."""
    random = np.random.default_rng(0)
    X = random.integers(0, 64, (rows, 8)).astype(np.float64)
    Z = X / 32 - 1
    y = np.sin(3 * Z[:, 0]) + Z[:, 1] * Z[:, 2] + (Z[:, 3] > Z[:, 4]) + Z[:, 5] ** 2 + 0.3 * Z[:, 6] * (Z[:, 7] > 0)
    return X, y + 0.1 * random.normal(size=rows)
