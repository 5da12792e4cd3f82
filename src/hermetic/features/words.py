"""What is public about features, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .affine import Scale
from .block import Block
from .columns import Columns, Identity
from .elementwise import Clip, Elementwise
from .impute import Impute
from .power import Power
from .precision import Cast, Rounded
from .structure import Beside, Chain


def name_of(block: Block) -> str:
    """What a block computes last: "bins"."""
    if isinstance(block, Columns | Rounded):
        return name_of(block.block)
    if isinstance(block, Chain):
        return name_of(block.blocks[-1])
    if isinstance(block, Beside):
        return " and ".join(f"{one.outputs} {name_of(one)}" for one in block.blocks)
    return block.kind.replace("_", " ")


def origin_of(block: Block, feature: int) -> int | None:
    """The input that a feature is computed from, where it is one of the same place."""
    if isinstance(block, Columns):
        inner = origin_of(block.block, feature)
        return None if inner is None else block.columns[inner]
    if isinstance(block, Rounded):
        return origin_of(block.block, feature)
    if isinstance(block, Beside):
        for one in block.blocks:
            if feature < one.outputs:
                return origin_of(one, feature)
            feature -= one.outputs
    if isinstance(block, Chain):
        origin: int | None = feature
        for one in reversed(block.blocks):
            origin = None if origin is None else origin_of(one, origin)
        return origin
    return feature if isinstance(block, Cast | Identity | Scale | Impute | Clip | Elementwise | Power) else None


def parameters_of(block: Block) -> Iterator[str]:
    """Each kind of features in a block, from the inputs on, with its parameters: "bins: edges (40 numbers)"."""
    if isinstance(block, Columns):
        (first, *rest) = parameters_of(block.block)
        yield f"of {int(np.count_nonzero(block.used))} inputs, {first}"
        yield from rest
    elif isinstance(block, Rounded):
        yield from (f"{one}, in {block.dtype}" for one in parameters_of(block.block))
    elif isinstance(block, Chain | Beside):
        for one in block.blocks:
            yield from parameters_of(one)
    else:
        fields = (f"{name} {_shown(value)}" for name, value in block.document().items() if name != "kind")
        yield f"{name_of(block)}: {', '.join(fields)}"


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(sorted(set(value)))
    return f"({_count(value):,} numbers)" if isinstance(value, list) else "NaN" if value is None else f"{value}"


def _count(value: Any) -> int:
    return sum(map(_count, value)) if isinstance(value, list) else 1
