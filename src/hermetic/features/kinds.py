"""All kinds of features that this version computes, by the name that they have in JSON."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..errors import ParameterError
from .affine import Affine, Scale
from .bins import Bins
from .block import Block
from .chi2 import AdditiveChi2
from .columns import Columns, Identity
from .count_sketch import CountSketch
from .elementwise import Clip, Elementwise
from .fourier import Fourier, Logarithms
from .impute import Impute, Missing
from .landmarks import Landmarks
from .leaves import Leaves
from .local_filters import LocalFilters
from .monomials import Monomials
from .normalise import Normalise
from .pair_bins import PairBins
from .power import Power
from .precision import Cast, Rounded
from .splines import Splines
from .structure import Beside, Chain

MAX_DEPTH = 8
"""How deep blocks may be put into blocks."""

_NUMBERS: tuple[Any, ...] = (Affine, Cast, Clip, Elementwise, Identity, Impute, Scale)
_BLOCKS: tuple[Any, ...] = (*_NUMBERS, Bins, Leaves, LocalFilters, Missing, PairBins)
_EXPANSIONS: tuple[Any, ...] = (AdditiveChi2, CountSketch, Fourier, Landmarks, Logarithms, Monomials, Splines)
_SIZES: tuple[Any, ...] = (Normalise, Power)
_KINDS: dict[str, Any] = {one.kind: one for one in (*_BLOCKS, *_EXPANSIONS, *_SIZES)}
_STRUCTURES: dict[str, Any] = {one.kind: one for one in (Beside, Chain, Columns, Rounded)}


def read_block(document: Any, depth: int = 0) -> Block:
    """Read what ``document()`` of a block wrote.

    Raises
    ------
    ParameterError
        For another kind, parameters that are not its own or out of range, or blocks deeper than 8 in each other.
    """
    if not isinstance(document, dict) or depth > MAX_DEPTH:
        raise ParameterError(f"features must be JSON objects, at most {MAX_DEPTH} in each other.")
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS | _STRUCTURES:
        raise ParameterError(
            f"features must be of a kind that this version computes: {', '.join(sorted(_KINDS | _STRUCTURES))}. Got "
            f"{kind!r} instead: update hermetic."
        )
    try:
        if kind in _STRUCTURES:
            block: Block = _STRUCTURES[kind].from_document(document, partial(read_block, depth=depth + 1))
        else:
            block = _KINDS[kind].from_document(document)
    except (KeyError, TypeError, OverflowError) as error:
        raise ParameterError(f"features of kind {kind!r} must have their parameters: {error}.") from error
    return block
