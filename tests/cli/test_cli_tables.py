"""Tables with texts on the command line: compile with --public, predict from CSV, inspect."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from command_line import Invoke
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

PUBLIC = ("--public", "simpleimputer", "--public", "OneHotEncoder")


@pytest.fixture(scope="module")
def table() -> tuple[Pipeline, pd.DataFrame]:
    """Numbers with holes, a text, a number that is a category, and a column of no use."""
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X = X[["age", "sex", "bmi", "bp"]].assign(sex=np.where(X["sex"] == 1, "female", "male"), bmi=X["bmi"].round(-1))
    X.loc[::5, "age"] = np.nan
    X["remark"] = "of no use"
    parts = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "bp"]),
            ("texts", make_pipeline(OneHotEncoder()), ["sex", "bmi"]),
        ]
    )
    return make_pipeline(parts, LogisticRegression()).fit(X, y > 140), X


@pytest.fixture(scope="module")
def files(table: tuple[Pipeline, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Path:
    """The estimator, the data and the compiled model, each in a file."""
    directory = tmp_path_factory.mktemp("table")
    skops.io.dump(table[0], directory / "table.skops")
    table[1].to_csv(directory / "table.csv", index=False)
    arguments = (str(directory / "table.skops"), "--sample", str(directory / "table.csv"), *PUBLIC)
    done = invoke("compile", *arguments, "-o", str(directory / "table.hermetic"))
    assert done.exit_code == 0, done.output
    return directory


def test_what_must_be_said_is_said(files: Path, invoke: Invoke) -> None:
    refused = invoke("compile", str(files / "table.skops"), "-o", str(files / "no.hermetic"), "--range", "0", "200")
    assert refused.exit_code == 1
    assert "--public simpleimputer --public onehotencoder" in refused.stderr
    assert not (files / "no.hermetic").exists()


def test_inspect_prints_what_clients_compute(files: Path, invoke: Invoke) -> None:
    done = invoke("inspect", str(files / "table.hermetic"))
    shown = " ".join(done.stdout.split())
    assert "'sex' one of 'female', 'male'" in shown
    assert "of 2 inputs, impute: values (2 numbers), marker NaN" in shown
    assert "Measured here" in shown
    document = json.loads(invoke("inspect", str(files / "table.hermetic"), "--json", "--no-measure").stdout)
    sex = document["public"]["feature_map"]["categories"][0]
    assert (sex["input"], sex["values"]) == (1, ["female", "male"])


@pytest.mark.parametrize("header", [True, False])
def test_predict_reads_texts_and_empty_fields(
    files: Path, table: tuple[Pipeline, pd.DataFrame], invoke: Invoke, header: bool
) -> None:
    estimator, X = table
    text = X[:40].to_csv(index=False, header=header)
    done = invoke("predict", str(files / "table.hermetic"), "-", "--output", "csv", stdin=text)
    assert done.exit_code == 0, done.output
    labels = [row["label"] for row in csv.DictReader(io.StringIO(done.stdout))]
    assert labels == [str(one) for one in estimator.predict(X[:40])]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("50,unheard of,30.0,90,", "column 'sex' must be one of 'female', 'male'. Got 'unheard of' (sample 0)"),
        ("50,male,31.5,90,", "column 'bmi' must be one of"),
        ("50,,30.0,90,", "column 'sex' must be one of 'female', 'male'. Got nan"),
        ("old,male,30.0,90,", "line 2, column 1: must be a number. Got 'old'"),
        ("50,male,30.0,90", "must have 5 columns. Got 4"),
    ],
)
def test_what_does_not_fit_is_named(files: Path, invoke: Invoke, line: str, message: str) -> None:
    done = invoke("predict", str(files / "table.hermetic"), "-", stdin=f"age,sex,bmi,bp,remark\n{line}\n")
    assert done.exit_code == 1
    assert message in " ".join(done.stderr.split())
