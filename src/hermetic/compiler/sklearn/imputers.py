"""Missing values: steps that clients compute"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...features import Block, Columns, Impute, Missing
from ...features.categories import is_nan
from ...head import Head
from ..disclosure import Disclosure
from ..linear import LinearMap, affine
from ..pass_through import Passed
from .precision import input_dtype
from .public_steps import public_step
from .registry import reads_step, refuse


@reads_step("SimpleImputer", condition="what stands for missing values becomes public: learned ones need `public=`")
def _simple_imputer(step: Any) -> LinearMap:
    statistics = np.asarray(step.statistics_, dtype=object)
    kept = np.array([i for i, one in enumerate(statistics) if step.keep_empty_features or not is_nan(one)])
    learned = step.strategy != "constant"
    what = f"what stands for missing values of {len(kept)} inputs"
    marker = _marker(step)
    passes = {value: Passed(int(i), {marker: statistics[i]}) for value, i in enumerate(kept)}
    if not len(kept):
        refuse("SimpleImputer", "have inputs that are not always missing", "none", "fit it on some that have values")
    if step._fit_dtype.kind not in "biuf":
        return _of_texts(step, kept, Disclosure("simpleimputer", what, learned), passes)
    blocks: list[Block] = [Columns(Impute([statistics[i] for i in kept], marker), kept, len(statistics))]
    if step.add_indicator and len(step.indicator_.features_):
        blocks.append(_indicator(step.indicator_, len(statistics), marker))
        what = f"{what}, and which {len(step.indicator_.features_)} inputs were missing"
    return public_step(step, blocks, (what, learned), passes=passes)


@reads_step("MissingIndicator", condition="which inputs were missing becomes public: it needs `public=`")
def _missing_indicator(step: Any) -> LinearMap:
    marker = _marker(step)
    if not isinstance(marker, int | float):
        refuse("MissingIndicator", "have a number as missing_values", repr(marker), "replace it by NaN, on both sides")
    if not len(step.features_):
        refuse("MissingIndicator", "give features", "none: nothing was missing", "leave it out, or set features='all'")
    what = f"which {len(step.features_)} of {step._n_features} inputs were missing"
    return public_step(step, [_indicator(step, step._n_features, marker)], (what, step.features != "all"))


def _marker(step: Any) -> Any:
    """What means missing: a plain number is compared in the type of the inputs."""
    if is_nan(step.missing_values):
        return math.nan
    plain = type(step.missing_values) in (int, float) and input_dtype().kind == "f"
    return float(input_dtype().type(step.missing_values)) if plain else step.missing_values


def _indicator(step: Any, inputs: int, marker: float) -> Block:
    return Columns(Missing(len(step.features_), marker), np.asarray(step.features_), inputs)


def _of_texts(step: Any, kept: npt.NDArray[Any], published: Disclosure, passes: dict[int, Passed]) -> LinearMap:
    """Inputs as they come, for an encoder: it reads a missing value as what stands for it."""
    if step.add_indicator:
        refuse("SimpleImputer", "have add_indicator=False where inputs are texts", "True", "set it to False")
    first = affine(np.eye(len(step.statistics_))[kept])
    return LinearMap(first.weights, first.bias, Head("transform"), public=(published,), passes=passes)
