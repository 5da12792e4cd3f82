"""Categories, bins and thresholds: steps that clients compute"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...features import Bins, Block, Identity
from ...features.precision import cast_first
from ..linear import LinearMap, affine
from .precision import input_dtype
from .public_steps import categories_of, public_step
from .registry import reads_step, refuse

_WORD = "become public: learned ones need `public=`"


@reads_step("OneHotEncoder", condition=f"categories {_WORD}; inputs may be texts")
def _one_hot(encoder: Any) -> LinearMap:
    """Bins of a category's number; the first, for -1, is of categories that are not known."""
    tables, edges, chosen, start = {}, [], [], 0
    for i, values in enumerate(encoder.categories_):
        codes, infrequent = _codes(encoder, i)
        count = int(max(codes)) + 1
        unknown = _unknown(encoder.handle_unknown, infrequent)
        tables[i] = categories_of(encoder, values, codes, unknown=unknown)
        first = -0.5 if unknown == -1 else 0.5
        edges.append(np.arange(first, count - 1))
        dropped = None if encoder._drop_idx_after_grouping is None else encoder._drop_idx_after_grouping[i]
        start += unknown == -1
        chosen += [start + code for code in range(count) if code != dropped]
        start += count
    return public_step(encoder, [Bins(edges)], _words(encoder), chosen=chosen, categories=tables)


@reads_step("OrdinalEncoder", condition=f"categories {_WORD}; inputs may be texts")
def _ordinal(encoder: Any) -> LinearMap:
    unknown = encoder.unknown_value if encoder.handle_unknown == "use_encoded_value" else None
    if unknown is not None and math.isnan(unknown):
        refuse("OrdinalEncoder", "have an unknown_value that is a number", "NaN", "set it to -1")
    tables = {
        i: categories_of(encoder, values, _codes(encoder, i)[0], unknown=unknown, nan=encoder.encoded_missing_value)
        for i, values in enumerate(encoder.categories_)
    }
    return public_step(encoder, [Identity(len(tables))], _words(encoder), categories=tables)


@reads_step(
    "TargetEncoder", condition="categories become public: learned ones need `public=`; what each is worth stays private"
)
def _target(encoder: Any) -> LinearMap:
    """A private number for every category, that of the target's mean for others, from one-hot features."""
    values = encoder.categories_
    tables = {i: categories_of(encoder, one, range(len(one)), unknown=-1) for i, one in enumerate(values)}
    bins = Bins([np.arange(-0.5, len(row) - 1) for row in values])
    means = np.atleast_1d(encoder.target_mean_)
    weights, ends = np.zeros((len(encoder.encodings_), bins.outputs)), np.cumsum([len(row) + 1 for row in values])
    for number, (row, worth) in enumerate(zip(weights, encoder.encodings_, strict=True)):
        feature, target = divmod(number, len(means))
        row[ends[feature] - len(worth) - 1 : ends[feature]] = [means[target], *worth]
    return affine(weights).after(public_step(encoder, [bins], _words(encoder), categories=tables))


@reads_step("KBinsDiscretizer", condition=f"bin edges {_WORD}")
def _bins(step: Any) -> LinearMap:
    """The outermost edges bound nothing. A ``dtype`` is that of the inputs, before they are compared."""
    bins: Block = Bins([edges[1:-1] for edges in step.bin_edges_])
    counts = [len(edges) - 1 for edges in step.bin_edges_]
    if step.dtype is not None:
        bins = cast_first(bins, [np.dtype(step.dtype).name] * len(counts))
    published = f"{sum(counts) - len(counts)} bin edges of {len(counts)} inputs", True
    one_hot = public_step(step, [bins], published)
    return one_hot if "onehot" in step.encode else _numbered(counts).after(one_hot)


@reads_step("Binarizer", condition="the threshold becomes public")
def _binarizer(step: Any) -> LinearMap:
    return above_threshold(step, step.n_features_in_, step.threshold)


def above_threshold(step: Any, inputs: int, threshold: float) -> LinearMap:
    """1 for values above the threshold, so from the next number on: of the inputs' type, if the threshold has none."""
    dtype = np.result_type(input_dtype(), np.asarray(threshold)) if hasattr(threshold, "dtype") else input_dtype()
    limit = np.asarray(threshold, dtype=dtype if dtype.kind == "f" else np.float64)
    bins = Bins([[float(np.nextafter(limit, limit.dtype.type(np.inf)))]] * inputs)
    return public_step(step, [bins], (f"the threshold {threshold:g}", False), chosen=2 * np.arange(inputs) + 1)


def _codes(encoder: Any, i: int) -> tuple[list[float], float | None]:
    """The number of every category of an input, and that of infrequent ones, if they are grouped."""
    count = len(encoder.categories_[i])
    grouped = encoder._default_to_infrequent_mappings[i] if encoder._infrequent_enabled else None
    if grouped is None:
        return list(range(count)), None
    return [int(one) for one in grouped], int(max(grouped))


def _unknown(handling: str, infrequent: float | None) -> float | None:
    if handling == "error":
        return None
    return -1 if infrequent is None or handling == "ignore" else infrequent


def _words(encoder: Any) -> tuple[str, bool]:
    count = sum(map(len, encoder.categories_))
    return f"{count} categories of {len(encoder.categories_)} inputs", isinstance(encoder.categories, str)


def _numbered(counts: list[int]) -> LinearMap:
    """The number of the bin of every input, from one-hot features."""
    weights, start = np.zeros((len(counts), sum(counts))), 0
    for row, count in zip(weights, counts, strict=True):
        row[start : start + count] = np.arange(count)
        start += count
    return affine(weights)
