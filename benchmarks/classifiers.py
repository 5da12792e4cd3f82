"""Whole classifiers, encrypted: Hermetic beside Concrete ML and TenSEAL, and what encryption costs in accuracy.

Every library gets the same samples and, where the model is linear, the same weights, fitted by scikit-learn. Boosted
stumps are fitted by XGBoost with the same settings on both sides, each with the version that its library is made for.
Hermetic is timed on one sample at a time, as the others, and predicts all samples in one encrypted call.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from operator import eq
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import hermetic

from .linear import measured_row
from .peers.environments import PeerError, PeerReport, run_peer
from .tables import duration, size

Reals = npt.NDArray[np.float64]

STUMPS = 50
IMAGES = 200
_STUMPS_REPEAT = 3


@dataclass(frozen=True)
class Rival:
    """A peer of :data:`~benchmarks.peers.environments.PEERS`, its arguments, and how often it may predict."""

    peer: str
    arguments: tuple[str, ...] = ()
    most_repeats: int | None = None


@dataclass(frozen=True)
class Task:
    """Fitted estimators by what they are called, samples X (n, d) with classes y (n,), and data to fit on or to take
    ranges from; ``rivals`` are asked for the same with the arrays of ``given``. ``sources`` are what is compiled, where
    that is not the estimator itself.
    """

    title: str
    estimators: dict[str, Any]
    X: Reals
    y: npt.NDArray[np.int64]
    train: Reals
    rivals: tuple[Rival, ...]
    given: dict[str, Any]
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """A peer that could not be measured here."""

    name: str
    reason: str


def linear_task(title: str, estimator: Any, X: Reals, y: npt.NDArray[np.int64], train: Reals, bits: int) -> Task:
    """A fitted linear classifier; Concrete ML rounds inputs and weights to ``bits`` bits."""
    rivals = (Rival("concrete-ml", ("--model", "linear", "--bits", str(bits))), Rival("tenseal-packed"))
    given = {"coef": estimator.coef_, "intercept": estimator.intercept_}
    return Task(title, {"hermetic": estimator}, X, y, train, rivals, given)


def tumours() -> tuple[Reals, Reals, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """30 standardised features of 426 tumours to fit on and of 143 to predict, and the classes of both."""
    X, y = load_breast_cancer(return_X_y=True)
    train, X, y_train, y = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(X), y_train, y


def tumours_task() -> Task:
    """Logistic regression on breast_cancer. Concrete ML's documentation advises 8 bits for up to 300 features."""
    train, X, y_train, y = tumours()
    fitted = LogisticRegression(max_iter=1000).fit(train, y_train)
    return linear_task("Logistic regression, breast_cancer, 30 features", fitted, X, y, train, bits=8)


def images_task(estimator: Any, X: Reals, y: npt.NDArray[np.uint8], train: Reals) -> Task:
    """Logistic regression on MNIST. Concrete ML's documentation advises 6 or 7 bits for more than 300 features."""
    title = "Logistic regression, MNIST, 784 features, 10 classes"
    return linear_task(title, estimator, X[:IMAGES], y[:IMAGES].astype(np.int64), train, bits=7)


def stumps_task(estimators: int = STUMPS) -> Task:
    """Boosted stumps and an explainable boosting machine on breast_cancer, read as public bins and private weights."""
    from interpret.glassbox import ExplainableBoostingClassifier
    from xgboost import XGBClassifier

    train, X, y_train, y = tumours()
    stumps = XGBClassifier(n_estimators=estimators, max_depth=1).fit(train, y_train)
    additive = ExplainableBoostingClassifier(
        outer_bags=1, max_rounds=200, interactions=5, random_state=0, n_jobs=1
    ).fit(train, y_train)
    names = {"hermetic, XGBoost stumps": stumps, "hermetic, EBM with pairs": additive}
    options = {name: {"public": [type(one).__name__]} for name, one in names.items()}
    rival = Rival("concrete-ml", ("--model", "boosted", "--bits", "6"), _STUMPS_REPEAT)
    title = f"{estimators} boosted stumps, and an EBM, breast_cancer, 30 features"
    return Task(title, names, X, y, train, (rival,), {"y": y_train, "estimators": estimators, "depth": 1}, options)


def compare(task: Task, repeat: int, *, peers: bool = True) -> Iterator[PeerReport | Missing]:
    """Hermetic's reports, then those of the peers; a peer that cannot be measured here says why."""
    for name, estimator in task.estimators.items():
        yield _hermetic(name, estimator, task, repeat)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "task.npz"
        np.savez(data, x=task.X, train=task.train, **task.given)
        for rival in task.rivals if peers else ():
            yield _rival(rival, data, repeat, len(task.X))


def accuracy(predicted: list[int], y: npt.NDArray[np.int64]) -> float:
    """The share whose class (n,) was predicted, of the first samples, which a slow peer was asked about alone."""
    return float(np.mean(np.array(predicted) == y[: len(predicted)]))


_REPORTED = {
    "parameters": lambda r, y: r["parameters"],
    "compile": lambda r, y: duration(r["compile_ms"]),
    "make keys": lambda r, y: duration(r["key_ms"]),
    "keys": lambda r, y: size(r["key_bytes"]),
    "encrypt": lambda r, y: duration(r["encrypt_ms"]),
    "request": lambda r, y: size(r["request_bytes"]),
    "server": lambda r, y: duration(r["server_ms"]),
    "response": lambda r, y: size(r["response_bytes"]),
    "decrypt": lambda r, y: duration(r["decrypt_ms"]),
    "encrypt, server, decrypt": lambda r, y: duration(r["encrypt_ms"] + r["server_ms"] + r["decrypt_ms"]),
    "accuracy, plain": lambda r, y: f"{accuracy(r['plain'], y):.1%}",
    "accuracy, encrypted": lambda r, y: f"{accuracy(r['predicted'], y):.1%}",
    "drop": lambda r, y: f"{accuracy(r['plain'], y) - accuracy(r['predicted'], y):+.1%}",
    "classes as the plain model's": lambda r, y: f"{sum(map(eq, r['predicted'], r['plain']))} of {len(r['plain'])}",
    "of them encrypted": lambda r, y: str(min(r["repeat"]["server"], len(r["predicted"]))),
}


def report_lines(task: Task, reports: list[PeerReport]) -> list[list[str]]:
    """A table of the libraries."""
    lines = [[name, *(render(one, task.y) for one in reports)] for name, render in _REPORTED.items()]
    return [["", *(f"{one['name']} {one['version']}" for one in reports)], *lines]


def _hermetic(name: str, estimator: Any, task: Task, repeat: int) -> PeerReport:
    start = time.perf_counter()
    model = hermetic.compile(task.sources.get(name, estimator), task.train, **task.options.get(name, {}))
    compile_ms = (time.perf_counter() - start) * 1e3
    client = hermetic.Client(model.signature, clip=True)  # as Concrete ML: what lies beyond the range seen is its edge
    predicted = client.predict(model.evaluate(client.encrypt(task.X), client.public_key))
    row = measured_row(name, model, task.X[:1], plain_scores(estimator, model.signature, task.X[:1]), repeat)
    report: dict[str, Any] = {
        **{key: value for key, value in asdict(row.measured).items() if key in PeerReport.__annotations__},
        "name": name,
        "version": hermetic.__version__,
        "parameters": row.parameters,
        "compile_ms": compile_ms,
        "predicted": [int(label) for label in predicted],
        "plain": [int(label) for label in estimator.predict(task.X)],
        "repeat": {"keys": repeat, "client": repeat, "server": len(task.X)},
    }
    return cast(PeerReport, report)


def plain_scores(estimator: Any, signature: hermetic.Signature, X: Reals) -> Reals:
    """The estimator's own scores. XGBoost has a word of its own for them; forests have probabilities p, of scores
    2p - 1; and isolation forests have scores -2^-depth, compared with an offset.
    """
    if hasattr(estimator, "offset_"):
        return np.asarray(np.log2(estimator.offset_ / np.asarray(estimator.score_samples(X))))
    if signature.link == "modified_huber":
        return 2 * np.asarray(estimator.predict_proba(X))[:, -signature.outputs :] - 1
    if hasattr(estimator, signature.method):
        return np.asarray(getattr(estimator, signature.method)(X))
    return np.asarray(estimator.predict(X, output_margin=True))


def _rival(rival: Rival, data: Path, repeat: int, samples: int) -> PeerReport | Missing:
    keys = min(repeat, rival.most_repeats or repeat)
    predictions = rival.most_repeats or samples
    try:
        return run_peer(rival.peer, data, repeat=keys, repeat_server=predictions, arguments=rival.arguments)
    except PeerError as error:
        return Missing(rival.peer, str(error).splitlines()[-1])
