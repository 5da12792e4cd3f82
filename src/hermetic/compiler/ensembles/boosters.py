"""Boosters of XGBoost and LightGBM as they are without the interface of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import CompileError
from ...head import Labels
from ..classes import chosen, named_classes
from ..linear import LinearMap
from ..sklearn.registry import refuse
from .lightgbm import RAW_SCORE, dumped, read_dump
from .xgboost import learner_of, read_learner


@dataclass(frozen=True, eq=False)
class BoosterEstimator:
    """A booster as an estimator, which the compiled model must equal.

    Attributes
    ----------
    booster
        Of either library.
    labels
        Those of a classifier, None for a regressor.
    """

    booster: Any
    labels: Labels | None

    def decision_function(self, X: Any) -> npt.NDArray[Any]:
        """Raw scores (n,) or (n, k)."""
        return self._asked(X, raw=True)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The label of the largest score, or the booster's own value."""
        return self._asked(X, raw=False) if self.labels is None else self.labels[chosen(self.decision_function(X))]

    def predict_proba(self, X: Any) -> npt.NDArray[Any]:
        """The booster's own probabilities (n, classes)."""
        found = self._asked(X, raw=False)
        return found if found.ndim == 2 else np.stack([1.0 - found, found], axis=1)

    def _asked(self, X: Any, *, raw: bool) -> npt.NDArray[Any]:
        if is_xgboost(self.booster):
            return np.asarray(self.booster.inplace_predict(X, predict_type="margin" if raw else "value"))
        return np.asarray(self.booster.predict(X, **(RAW_SCORE if raw else {})))


def is_xgboost(booster: Any) -> bool:
    """Whether it is of XGBoost, and not of LightGBM."""
    return type(booster).__module__.startswith("xgboost.")


def read_booster(booster: Any, labels: Any) -> tuple[LinearMap, BoosterEstimator]:
    """A booster as a map, and as an estimator. A classifier without ``labels`` has 0, 1, …: a booster keeps no names.

    XGBoost predicts with all trees of a booster, LightGBM with those up to the best iteration.

    Raises
    ------
    UnsupportedModelError
        For a booster that is no sum of trees with a link.
    CompileError
        For labels that do not fit.
    """
    xgboost = is_xgboost(booster)
    model = learner_of(booster) if xgboost else dumped(booster)
    objective = model["objective"]["name"] if xgboost else model.get("objective", "")
    if objective == "multi:softmax":
        refuse("Booster", "give probabilities", objective, "set its objective to multi:softprob")
    count = int(model["learner_model_param"]["num_class"]) if xgboost else model["num_class"]
    outputs = 1 if objective.startswith("binary") else count if objective.startswith("multi") else 0
    if labels is not None and not outputs:
        raise CompileError("labels must be left out: the booster is a regression.")
    names = named_classes(labels, outputs, numbered=True) if outputs else None
    linear = (read_learner if xgboost else read_dump)("Booster", model, names)
    columns = tuple(model["feature_names"]) or None
    return replace(linear, raw_scores=None, feature_names=columns), BoosterEstimator(booster, names)
