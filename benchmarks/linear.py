"""One linear model, encrypted: Hermetic beside its peers on MNIST, and Hermetic alone on other sizes and batches."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LinearRegression

import hermetic

from .peers.environments import PeerReport, run_peer
from .roles import Medians, measure

Reals = npt.NDArray[np.float64]

BATCHES = (1, 16, 256, 4096)
SHAPES = ((30, 1), (784, 10), (2048, 1000), (65_536, 10), (65_536, 1000))
PIXELS = 255
ONE_IMAGE_PEERS = ("encrypted-inference", "tenseal-matmul", "tenseal-dot", "tenseal-packed")


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    name: str
    parameters: str
    measured: Medians | PeerReport


def hermetic_row(name: str, estimator: Any, X: Reals, repeat: int, **options: Any) -> Row:
    """Compile, and measure both roles on one batch; the estimator takes the option ``features`` of X, if any."""
    model = hermetic.compile(estimator, **options)
    values = options["features"].apply(X) if "features" in options else X
    return measured_row(name, model, X, np.asarray(getattr(estimator, model.signature.method)(values)), repeat)


def measured_row(name: str, model: hermetic.CompiledModel, X: Reals, expected: Reals, repeat: int) -> Row:
    """Save the model, and measure both roles on one batch of known scores."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.hermetic"
        model.save(file)
        file.with_suffix(".signature").write_bytes(model.signature.to_bytes())
        measured = measure(file, X, expected, repeat)
    if model.signature.circuit.numbers == "reals":
        measured = replace(measured, exact=None)
    layout = model.signature.layout_for(len(X))
    text = f"{model.signature.parameters.profile} B={layout.samples} f={layout.features} r={layout.outputs}"
    return Row(name, f"{text} λ={model.signature.lambda_bits:g}", measured)


def peer_rows(estimator: Any, X: Reals, repeat: int) -> Iterator[Row]:
    """The peers on the same model and image, each in an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "model.npz"
        np.savez(data, coef=estimator.coef_, intercept=estimator.intercept_, x=X[:4])
        for name in ONE_IMAGE_PEERS:
            report = run_peer(name, data, repeat=repeat)
            yield Row(f"{report['name']} {report['version']}", report["parameters"], report)


def random_model(features: int, outputs: int) -> Any:
    """A linear model with random weights: only its shape matters for time and bytes."""
    rng = np.random.default_rng(0)
    estimator = LinearRegression()
    estimator.coef_ = rng.normal(size=(outputs, features)) / np.sqrt(features)
    estimator.intercept_ = rng.normal(size=outputs)
    estimator.n_features_in_ = features
    return estimator


def shape_rows(repeat: int) -> Iterator[Row]:
    """Other sizes, one sample: 8-bit inputs."""
    rng = np.random.default_rng(1)
    for features, outputs in SHAPES:
        X = rng.integers(0, PIXELS + 1, (1, features)) / PIXELS
        options = {"input_range": (0, 1), "input_step": 1 / PIXELS}
        yield hermetic_row(f"{features} -> {outputs}", random_model(features, outputs), X, repeat, **options)


def batch_rows(estimator: Any, X: Reals, repeat: int) -> Iterator[Row]:
    """MNIST in batches."""
    for count in BATCHES:
        yield hermetic_row(f"MNIST x {count}", estimator, X[:count], repeat, X_sample=X[:1000])
