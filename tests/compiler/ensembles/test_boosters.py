"""Boosters as `xgboost.train` and `lightgbm.train` give them, end to end."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

import hermetic
from hermetic import CompileError
from known_weights import answered, client_of

CANCER, DIABETES, WINE = (one(return_X_y=True) for one in (load_breast_cancer, load_diabetes, load_wine))


def by_xgboost(data: Any, objective: str, **options: Any) -> tuple[Any, Any, Any]:
    X = data[0]
    booster = xgboost.train({"objective": objective, "max_depth": 1, **options}, xgboost.DMatrix(*data), 20)
    return booster, booster.predict(xgboost.DMatrix(X), output_margin=True), booster.predict(xgboost.DMatrix(X))


def by_lightgbm(data: Any, objective: str, **options: Any) -> tuple[Any, Any, Any]:
    X, dataset = data[0], lightgbm.Dataset(*data)
    booster = lightgbm.train({"objective": objective, "max_depth": 1, "verbosity": -1, **options}, dataset, 20)
    return booster, booster.predict(X, raw_score=True), booster.predict(X)


@pytest.mark.parametrize(
    ("train", "objective"), [(by_xgboost, "binary:logistic"), (by_lightgbm, "binary")], ids=["xgboost", "lightgbm"]
)
def test_two_classes_have_the_labels_that_the_caller_names(train: Any, objective: str) -> None:
    booster, raw, value = train(CANCER, objective)
    model = hermetic.compile(booster, CANCER[0], labels=["malignant", "benign"], public=["booster"], name="tumours")
    client = client_of(model)
    result = answered(model, client, CANCER[0])
    assert (np.abs(client.decrypt(result) - raw) <= model.signature.error).all()
    assert np.abs(client.predict_proba(result)[:, 1] - value).max() < model.signature.error
    assert (client.predict(result) == np.where(value > 0.5, "benign", "malignant")).all()


@pytest.mark.parametrize(
    ("train", "objective"), [(by_xgboost, "multi:softprob"), (by_lightgbm, "multiclass")], ids=["xgboost", "lightgbm"]
)
def test_classes_without_names_have_numbers(train: Any, objective: str) -> None:
    booster, raw, value = train(WINE, objective, num_class=3)
    model = hermetic.compile(booster, WINE[0], public=["booster"])
    client = client_of(model)
    result = answered(model, client, WINE[0])
    assert (np.abs(client.decrypt(result) - raw) <= model.signature.error).all()
    assert (client.predict(result) == value.argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("train", "objective"), [(by_xgboost, "reg:tweedie"), (by_lightgbm, "tweedie")], ids=["xgboost", "lightgbm"]
)
def test_regressions_have_no_labels(train: Any, objective: str) -> None:
    booster, _, value = train(DIABETES, objective)
    model = hermetic.compile(booster, DIABETES[0], public=["booster"])
    client = client_of(model)
    found = client.predict(answered(model, client, DIABETES[0]))
    assert (np.abs(found - value) <= value * (np.expm1(model.signature.error) + 1e-6)).all()
    with pytest.raises(CompileError, match="labels must be left out"):
        hermetic.compile(booster, DIABETES[0], labels=["a", "b"], public=["booster"])
