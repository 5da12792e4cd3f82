"""Polynomials of affine maps of inputs are polynomials of the inputs: affine steps stay private, in their weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..features import Beside, Block, Columns, FeatureMap, Identity, Monomials

_MAX_TERMS = 1 << 21
_MAX_FEATURES = 1 << 12
_SHARE = 2.0**-20

Factors = tuple[int, ...]
Polynomial = dict[Factors, float]
"""Coefficients by the inputs that a term multiplies; () is the constant."""


@dataclass(frozen=True, eq=False)
class Substitution:
    """Monomials of y = A·x + b as an affine map, ``weights`` and ``bias``, of monomials of x; ``reach`` and ``folded``
    are those of :class:`hermetic.compiler.linear.LinearMap`.
    """

    features: FeatureMap
    weights: Any
    bias: Reals
    reach: Any
    folded: Reals


def substitute(
    features: FeatureMap, weights: Any, constant: Reals, reach: Any, magnitude: Reals, relative: float = 0.0
) -> Substitution | None:
    """Put y = weights (k, d) · x + constant (k,) into monomials of y.

    The reach of what comes out covers the rounding of y, whose absolute terms are ``reach`` · |x| + |constant| and
    constants of size ``magnitude`` (k,) that cancel, each with a relative error of up to ``relative`` or 2^-20.

    None where the features are no monomials, or there would be more than 4096 and than twice as many, or it would take
    more than 2^21 products.
    """
    own = None if features.categories else _monomials(features.block)
    if own is None:
        return None
    factors, centre = own
    plain = _rows(weights, constant - centre)
    if sum(prod(len(plain[i]) for i in factor) for factor in factors) > _MAX_TERMS:
        return None
    largest = _rows(reach, np.abs(constant - centre))
    # How much products grow where every term may, by a share of itself: convex, so no smaller share grows faster.
    share = max(_SHARE, 2 * relative)
    grown = _rows(reach * (1 + share), np.abs(constant - centre) * (1 + share) + (magnitude + np.abs(centre)) * share)
    found, sizes, larger = ([_expanded(factor, rows) for factor in factors] for rows in (plain, largest, grown))
    bounds = [{term: (b[term] - a.get(term, 0.0)) / share for term in b} for a, b in zip(sizes, larger, strict=True)]
    terms = sorted({term for one in (*found, *bounds) for term in one} - {()}, key=lambda term: (len(term), term))
    if not 1 <= len(terms) <= max(_MAX_FEATURES, 2 * len(factors)):
        return None
    places = {term: column for column, term in enumerate(terms)}
    (matrix, shift), (matrix_reach, shift_reach) = (_matrix(one, places) for one in (found, bounds))
    monomials = FeatureMap(Monomials(weights.shape[1], terms))
    return Substitution(monomials, matrix, shift, matrix_reach, np.maximum(shift_reach - np.abs(shift), 0.0))


def moved(features: FeatureMap, by: Reals) -> Substitution | None:
    """Monomials of x + by (inputs,) as an affine map of those of x."""
    from scipy import sparse  # type: ignore[import-untyped]

    one = sparse.eye_array(features.inputs, format="csr")
    return substitute(features, one, by, one, np.zeros(features.inputs))


def centred(features: FeatureMap, centre: Reals, private: Reals | float = 0.0) -> Substitution | None:
    """Monomials of x - private (inputs,) as an affine map of those of x - centre, whose values are smaller."""
    found = moved(features, centre - private)
    if found is None:
        return None
    (block,) = found.features.blocks
    around = FeatureMap(Monomials(features.inputs, block.factors, centre))  # type: ignore[attr-defined]
    return Substitution(around, found.weights, found.bias, found.reach, found.folded)


def _monomials(block: Block) -> tuple[list[Factors], Reals] | None:
    """The factors of every feature and the centres of the inputs, if a block has monomials alone."""
    if isinstance(block, Monomials):
        return list(block.factors), block.centre
    if isinstance(block, Identity):
        return [(i,) for i in range(block.inputs)], np.zeros(block.inputs)
    if isinstance(block, Columns):
        return _of_columns(block)
    if not isinstance(block, Beside):
        return None
    parts = [_monomials(one) for one in block.blocks]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts) or any(one[1].any() for one in found):
        return None
    return [factors for one in found for factors in one[0]], np.zeros(block.inputs)


def _of_columns(block: Columns) -> tuple[list[Factors], Reals] | None:
    inner = _monomials(block.block)
    if inner is None or inner[1].any():
        return None
    columns = block.columns
    return [tuple(sorted(columns[i] for i in one)) for one in inner[0]], np.zeros(block.inputs)


def _rows(weights: Any, bias: Reals) -> list[Polynomial]:
    """Every row of weights·x + bias as a polynomial."""
    from scipy import sparse

    matrix = sparse.csr_array(weights)
    rows: list[Polynomial] = []
    for i, constant in enumerate(bias.tolist()):
        own = slice(matrix.indptr[i], matrix.indptr[i + 1])
        row: Polynomial = {(): constant} if constant else {}
        for column, value in zip(matrix.indices[own].tolist(), matrix.data[own].tolist(), strict=True):
            if value:
                row[(column,)] = value
        rows.append(row)
    return rows


def _expanded(factors: Factors, rows: list[Polynomial]) -> Polynomial:
    """The product of the rows of a monomial's factors."""
    product: Polynomial = {(): 1.0}
    for i in factors:
        following: Polynomial = {}
        for term, value in product.items():
            for other, weight in rows[i].items():
                both = tuple(sorted(term + other))
                following[both] = following.get(both, 0.0) + value * weight
        product = following
    return product


def _matrix(polynomials: list[Polynomial], places: dict[Factors, int]) -> tuple[Any, npt.NDArray[np.float64]]:
    """Coefficients (polynomials, places) and constants (polynomials,)."""
    from scipy import sparse

    entries = [(row, places[term], value) for row, one in enumerate(polynomials) for term, value in one.items() if term]
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    shape = len(polynomials), len(places)
    constants = np.array([polynomial.get((), 0.0) for polynomial in polynomials])
    return sparse.csr_array((np.array(values, dtype=np.float64), (rows, columns)), shape=shape), constants
