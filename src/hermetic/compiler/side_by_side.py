"""Maps of the same inputs, one beside the other: their features and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import Reals
from ..errors import CompileError
from ..features import Beside, Block, Categories, Columns, FeatureMap, Identity
from ..features.block import Flags, Numbers
from ..head import Head
from .linear import LinearMap
from .origin import Origin
from .pass_through import Passes, merged


def side_by_side(maps: Sequence[LinearMap]) -> LinearMap:
    """The step that gives the values of maps of the same inputs, one after the other.

    Where one of them has a feature map, all inputs that the others take pass through it; a block that several have is
    computed once.

    Raises
    ------
    UnsupportedModelError
        For several maps, one of which is not linear in its features.
    """
    if len(maps) == 1:
        return replace(maps[0], head=Head("transform"), feature_names=None, raw_scores=None)
    for one in maps:
        one.check_linear()
    centre = None if any(one.centre is None for one in maps) else maps[0].centre
    point = np.zeros(maps[0].inputs) if centre is None else centre
    maps = [one if one.centre is None else one.around(point) for one in maps]
    weights, reach = [one.weights for one in maps], [one.terms for one in maps]
    features, total = None, maps[0].inputs
    places = [np.arange(total)] * len(maps)
    if any(one.feature_map is not None for one in maps):
        blocks, places, total = _features(maps)
        categories = merged(*(one.feature_map.categories for one in maps if one.feature_map is not None))
        _check_numbers(maps, categories)
        features = FeatureMap(*blocks, categories=categories)
        weights = [_placed(one.weights, place, total) for one, place in zip(maps, places, strict=True)]
        reach = [_placed(one.terms, place, total) for one, place in zip(maps, places, strict=True)]
    return LinearMap(
        _rows(weights),
        np.concatenate([one.bias for one in maps]),
        Head("transform"),
        reach=_rows(reach),
        folded=np.concatenate([np.broadcast_to(one.folded, one.bias.shape) for one in maps]),
        own_error=np.concatenate([np.broadcast_to(one.own_error, one.bias.shape) for one in maps]),
        relative=np.concatenate([np.broadcast_to(one.relative, one.bias.shape) for one in maps]),
        block=_block(maps, places, total),
        origin=_origin(maps) if features is None else None,
        feature_map=features,
        exact=None if features is None else _exact(maps, places, total),
        centre=centre,
        public=tuple(public for one in maps for public in one.public),
        hidden=tuple(hidden for one in maps for hidden in one.hidden),
        uses=np.logical_or.reduce([one.taken for one in maps]),
        passes=_passes(maps) if features is not None or any(one.passes is not None for one in maps) else None,
    )


def _exact(maps: Sequence[LinearMap], places: Sequence[Numbers], total: int) -> Flags:
    """Which of all features are exact for every map that has them."""
    found = np.ones(total, dtype=np.bool_)
    for one, place in zip(maps, places, strict=True):
        found[place] &= one.exact_features()
    return found


def _origin(maps: Sequence[LinearMap]) -> Origin | None:
    """The point of the first map that takes an input, for each; other maps of that input are moved there."""
    if all(one.origin is None for one in maps):
        return None
    found = [one.origin_for(np.zeros(len(one.bias))) for one in maps]
    point, free = np.zeros(maps[0].inputs), np.ones(maps[0].inputs, dtype=np.bool_)
    for one, at in zip(maps, found, strict=True):
        own = np.asarray(one.terms.sum(axis=0)).ravel() != 0
        point[own & free], free = at.point[own & free], free & ~own
    whole = [_moved(one, at, point) for one, at in zip(maps, found, strict=True)]
    return Origin(point, *(np.concatenate([getattr(one, name) for one in whole]) for name in ("level", "magnitude")))


def _moved(one: LinearMap, at: Origin, point: Reals) -> Origin:
    moved = point - at.point
    return Origin(point, at.level + one.weights @ moved, at.magnitude + one.terms @ np.abs(moved))


def _block(maps: Sequence[LinearMap], places: Sequence[Numbers], total: int) -> Block | None:
    """The blocks of all maps, of the features that each takes, where all have one and some round."""
    if not any(one.block is not None for one in maps):
        return None
    found = []
    for one, place in zip(maps, places, strict=True):
        block = one.exact_block()
        taken = place[list(block.columns)] if isinstance(block, Columns) else place
        if block is None or (taken < 0).any():
            return None
        inner = block.block if isinstance(block, Columns) else block
        found.append(Columns(inner, taken, total))
    return Beside(*found)


def _passes(maps: Sequence[LinearMap]) -> Passes:
    starts = np.cumsum([0, *(len(one.bias) for one in maps)])
    return {
        int(start) + value: passed
        for start, one in zip(starts, maps, strict=False)
        for value, passed in one.passed.items()
    }


def _check_numbers(maps: Sequence[LinearMap], categories: Mapping[int, Categories]) -> None:
    """Raise :class:`CompileError` for an input that one map reads as categories, and another as a number."""
    for one in maps:
        features = one.feature_map
        taken = np.flatnonzero(one.taken if features is None else features.used)
        own = {} if features is None else features.categories
        both = [int(i) for i in taken if int(i) in categories and int(i) not in own]
        if both:
            raise CompileError(
                f"an input must be read as categories by all steps that take it, or by none. Input {both[0]} is not: "
                "give clients that column twice, and choose one of them for each."
            )


def _features(maps: Sequence[LinearMap]) -> tuple[list[Block], list[Numbers], int]:
    """Blocks side by side; for every map, where the features that it takes stand (-1: nowhere); their number."""
    inputs = next(one.feature_map.inputs for one in maps if one.feature_map is not None)
    taken = [np.flatnonzero(one.taken) for one in maps if one.feature_map is None]
    passed = np.unique(np.concatenate(taken)) if taken else np.zeros(0, dtype=np.intp)
    blocks: list[Block] = [Columns(Identity(len(passed)), passed, inputs)] if len(passed) else []
    own = np.full(inputs, -1, dtype=np.intp)
    own[passed] = np.arange(len(passed))
    starts: list[tuple[object, int]] = []
    places, end = [], len(passed)
    for one in maps:
        found = [own] if one.feature_map is None else []
        for block in () if one.feature_map is None else one.feature_map.blocks:
            document = block.document()
            start = next((start for known, start in starts if known == document), None)
            if start is None:
                start, end = end, end + block.outputs
                starts.append((document, start))
                blocks.append(block)
            found.append(start + np.arange(block.outputs))
        places.append(np.concatenate(found))
    return blocks, places, end


def _placed(matrix: Any, place: Numbers, total: int) -> Any:
    """Columns of (k, d) moved to their places in (k, total)."""
    if hasattr(matrix, "tocsr"):
        from scipy import sparse  # type: ignore[import-untyped]

        entries = matrix.tocoo()
        kept = place[entries.col] >= 0
        found = entries.data[kept], (entries.row[kept], place[entries.col[kept]])
        return sparse.csr_array(found, shape=(matrix.shape[0], total))
    out = np.zeros((matrix.shape[0], total))
    out[:, place[place >= 0]] = matrix[:, place >= 0]
    return out


def _rows(matrices: Sequence[Any]) -> Any:
    if any(hasattr(one, "tocsr") for one in matrices):
        from scipy import sparse

        return sparse.vstack([sparse.csr_array(one) for one in matrices], format="csr")
    return np.concatenate(matrices)
