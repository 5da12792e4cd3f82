"""A model owner and a data owner, a table with row keys, and the job that they share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hermetic
from hermetic import Client, CompiledModel
from hermetic.batch.decrypting import decrypt
from hermetic.batch.encrypting import encrypt
from hermetic.batch.manifest import Manifest
from hermetic.batch.scoring import Summary, score

ROWS, EACH = 1000, 128
SHARDS = -(-ROWS // EACH)


@dataclass(frozen=True, eq=False)
class Case:
    """A model owner and a data owner, with their files in one folder."""

    folder: Path
    estimator: Any
    model: CompiledModel
    client: Client
    table: pd.DataFrame

    @property
    def job(self) -> str:
        return str(self.folder / "job")

    @property
    def rows(self) -> Path:
        return self.folder / "table.rows"

    @cached_property
    def model_file(self) -> Path:
        self.model.save(path := self.folder / "tumours.hermetic")
        return path

    @cached_property
    def parquet(self) -> Path:
        self.table.to_parquet(path := self.folder / "table.parquet", row_group_size=300)
        return path

    def encrypted(self, job: str | None = None, each: int = EACH) -> Manifest:
        return encrypt(self.parquet, self.client, job or self.job, self.rows, row_key="patient", rows_per_query=each)

    def scored(self, job: str | None = None, **options: Any) -> Summary:
        return score(job or self.job, self.model_file, **{"workers": 2, **options})

    def decrypted(self, job: str | None = None, name: str = "out.parquet", **options: Any) -> pd.DataFrame:
        decrypt(job or self.job, self.client, self.rows, self.folder / name, **{"columns": ("score",), **options})
        return pd.read_parquet(self.folder / name)

    def check(self, found: pd.DataFrame, rows: slice | npt.NDArray[np.intp] = slice(None)) -> None:
        """Every row once, in order, with the estimator's own score."""
        expected = self.table.iloc[rows]
        assert found["patient"].tolist() == expected["patient"].tolist()
        own = self.estimator.decision_function(expected.drop(columns="patient"))
        assert np.abs(found["score"].to_numpy() - own).max() <= self.model.signature.error


def case_in(folder: Path) -> Case:
    """1,000 tumours, each with the name of a patient in the middle of its columns."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    model = hermetic.compile(estimator, X, name="tumours")
    chosen = np.random.default_rng(0).integers(0, len(X), ROWS)
    table = X.iloc[chosen].reset_index(drop=True)
    table.insert(7, "patient", [f"p{number:05d}" for number in range(ROWS)])
    return Case(folder, estimator, model, Client(model.signature), table)
