"""Steps that clients compute, as they are read from their parameters"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]

from ...errors import ParameterError, UnsupportedModelError
from ...features import Block, Categories, FeatureMap
from ...features.categories import is_nan
from ...features.precision import NARROW
from ...head import Head
from ...named_inputs import keeping_times
from ..disclosure import Disclosure
from ..linear import LinearMap
from ..pass_through import Passes


def public_step(
    step: Any,
    blocks: Sequence[Block],
    published: tuple[str, bool],
    *,
    chosen: npt.ArrayLike | None = None,
    categories: Mapping[int, Categories] | None = None,
    passes: Passes | None = None,
) -> LinearMap:
    """The features of blocks side by side.

    Parameters
    ----------
    published
        What becomes public, in words, and whether it was learned from data.
    chosen
        The features that the step gives, by their numbers; all by default. The choice stays private.
    categories, passes
        As in :class:`~hermetic.features.FeatureMap` and :class:`~hermetic.compiler.linear.LinearMap`.
    """
    features = FeatureMap(*blocks, categories=categories)
    weights = sparse.eye_array(features.outputs, format="csr")
    if chosen is not None:
        weights = weights[np.asarray(chosen, dtype=np.intp)]
    what, learned = published
    return LinearMap(
        weights,
        np.zeros(weights.shape[0]),
        Head("transform"),
        feature_map=features,
        public=(Disclosure(type(step).__name__.lower(), what, learned),),
        passes=passes,
    )


def categories_of(
    step: Any, values: npt.NDArray[Any], numbers: Sequence[float], *, unknown: float | None, nan: float | None = None
) -> Categories:
    """The categories that a step learned, NaN among them, and what each is read as; ``nan`` replaces NaN's number.

    Raises
    ------
    UnsupportedModelError
        For values that a signature cannot carry.
    """
    pairs = list(zip(keeping_times(values).tolist(), numbers, strict=True))
    found = next((number for value, number in pairs if is_nan(value)), None)
    known = [(value, number) for value, number in pairs if not is_nan(value)]
    return named_categories(
        step,
        [value for value, _ in known],
        [number for _, number in known],
        unknown=unknown,
        nan=found if nan is None or found is None else nan,
        dtype=values.dtype.name if values.dtype.name in NARROW else None,
    )


def named_categories(
    step: Any, values: Sequence[Any], numbers: Sequence[float] | None = None, **options: Any
) -> Categories:
    """Categories of a ``step``. Raises :class:`UnsupportedModelError` for values that a signature cannot carry."""
    try:
        return Categories(values, numbers, **options)
    except ParameterError as error:
        kind = type(step).__name__
        raise UnsupportedModelError(
            f"the categories of {kind} must be values that a client can name: {error}"
        ) from error
