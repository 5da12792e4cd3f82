"""What the command line is tried on: estimators in files, as a data scientist keeps them, and commands to run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from command_line import HERMETIC, Invoke, Project, Shell
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from hermetic.cli.app import app


@pytest.fixture(scope="session")
def invoke() -> Invoke:
    """Run a command in this process: ``invoke("inspect", file, stdin="…")``."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> Any:
        return CliRunner().invoke(app, list(arguments), input=stdin, env={"COLUMNS": "80"} | variables)

    return run


@pytest.fixture(scope="session")
def shell() -> Shell:
    """Run the installed command itself."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"COLUMNS": "80"} | variables
        command = [str(HERMETIC), *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environment)

    return run


@pytest.fixture(scope="session")
def make_project(tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Callable[..., Project]:
    def make(name: str, estimator: Any, X: Any) -> Project:
        directory = tmp_path_factory.mktemp(name)
        estimator_file, data_file = str(directory / f"{name}.joblib"), str(directory / f"{name}.csv")
        model_file = str(directory / f"{name}.hermetic")
        joblib.dump(estimator, estimator_file)
        if hasattr(X, "to_csv"):
            X.to_csv(data_file, index=False)
        else:
            data_file = str(directory / f"{name}.npy")
            np.save(data_file, X)
        done = invoke("compile", estimator_file, "-o", model_file, "--sample", data_file, "--trust-pickle")
        assert done.exit_code == 0, done.output
        return Project(estimator, X, estimator_file, data_file, model_file)

    return make


@pytest.fixture(scope="session")
def iris(make_project: Callable[..., Project]) -> Project:
    """Four columns with names, three classes with string labels, a pipeline; data in CSV."""
    data = load_iris(as_frame=True)
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.data, data.target_names[data.target])
    return make_project("iris", estimator, data.data)


@pytest.fixture(scope="session")
def digits(make_project: Callable[..., Project]) -> Project:
    """64 columns without names, ten classes, exact inputs; data in .npy."""
    X, y = load_digits(return_X_y=True)
    estimator = LogisticRegression(C=0.01, tol=0.01).fit(X, y)
    return make_project("digits", estimator, X[:200])


@pytest.fixture(scope="session")
def diabetes(make_project: Callable[..., Project]) -> Project:
    """A regression."""
    X, y = load_diabetes(return_X_y=True)
    return make_project("diabetes", Ridge(alpha=0.1).fit(X, y), X)
