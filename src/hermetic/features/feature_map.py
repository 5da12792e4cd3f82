"""Several kinds of features of the same inputs, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import InputError, ParameterError
from ..named_inputs import in_order
from .block import Block, Flags, Numbers, whole_number
from .categories import Categories
from .columns import MAX_WIDTH
from .kinds import read_block
from .precision import cast_first
from .structure import MAX_BLOCKS, Beside
from .table import read_columns, read_reals
from .words import name_of, origin_of, parameters_of


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """The public map from inputs (n, inputs) to features (n, outputs).

    Parameters
    ----------
    blocks
        Kinds of features, each of all inputs; their outputs stand side by side.
    categories
        The inputs, by their number, that are one of a list of values: blocks take the number of the value.

    Raises
    ------
    ParameterError
        If there is none, they do not take the same number of inputs, or categories belong to another input.

    Notes
    -----
    It is part of the model's signature: whoever asks for that sees every parameter of it.
    """

    blocks: tuple[Block, ...]
    block: Block
    """All blocks as one, which takes categories by their numbers."""
    categories: Mapping[int, Categories]

    def __init__(self, *blocks: Block, categories: Mapping[int, Categories] | None = None) -> None:
        joined = Beside(*blocks)
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "block", blocks[0] if len(blocks) == 1 else joined)
        object.__setattr__(self, "categories", dict(sorted((categories or {}).items())))
        for column in self.categories:
            whole_number(column, 0, self.inputs - 1, "an input with categories")

    @property
    def inputs(self) -> int:
        """Values of one sample."""
        return self.block.inputs

    @property
    def outputs(self) -> int:
        """Features of one sample: d."""
        return self.block.outputs

    @property
    def used(self) -> Flags:
        """Which inputs any feature depends on (inputs,)."""
        return self.block.used

    @property
    def missing(self) -> Flags:
        """Which inputs may be NaN once categories were read (inputs,)."""
        return self.block.missing

    @property
    def whole(self) -> bool:
        """Whether every feature is a whole number."""
        return self.block.whole

    @property
    def groups(self) -> Numbers:
        """The group of every feature (d,), of which at most one is 1 where they are several."""
        return self.block.groups

    def steps(self, steps: Reals) -> Reals:
        """The exact step of every feature (d,), 0 for reals, where inputs are multiples of ``steps`` (inputs,)."""
        return self.block.steps(steps)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """Smallest and largest value of every feature (d,), for every input with lower <= x <= upper (inputs,), which
        may be infinite; up to float64 rounding. Categories count as their numbers.
        """
        return self.block.limits(lower, upper)

    def widest_limits(self) -> tuple[Reals, Reals]:
        """Limits (inputs,) that hold for all inputs: those of categories, and infinite ones."""
        lower, upper = np.full(self.inputs, -np.inf), np.full(self.inputs, np.inf)
        for column, one in self.categories.items():
            lower[column], upper[column] = one.limits
        return lower, upper

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """How far float64 may move every feature (d,) for inputs in range, beyond a few units of the last place."""
        return self.block.rounding(lower, upper)

    def apply(self, X: Any, names: Sequence[str] | None = None) -> Reals:
        """Inputs (n, inputs) -> features (n, outputs). Raises as :meth:`read`."""
        return self.block.apply(self.read(X, names).astype(np.float64))

    def read(self, X: Any, names: Sequence[str] | None = None) -> npt.NDArray[Any]:
        """Inputs (n, inputs) as numbers: an array, a DataFrame, a list or a sparse matrix, with values of categories
        where there are some.

        Raises
        ------
        InputError
            For another shape, a category that is not known, values that are not real numbers where no categories are,
            or NaN or infinity where they have no meaning; ``names`` are those of the inputs, in whose order those of X
            are put.
        """
        X = in_order(X, names)
        if not self.categories and (names is None or not hasattr(X, "columns")):
            values = read_reals(X, self.inputs)
        else:
            values = read_columns(X, self.inputs, self.categories, self.used, names)
        wrong = ~np.isfinite(values) & self.used & ~(np.isnan(values) & self.missing)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            name = f"feature {column}" if names is None else repr(names[column])
            raise InputError(f"inputs must be finite. Got {values[row, column]} (sample {row}, {name}) instead.")
        return values

    def cast_first(self, dtypes: Sequence[str]) -> FeatureMap:
        """The same of inputs that are first rounded, each to its own type of float (inputs,); none rounds nothing."""
        if not dtypes:
            return self
        return FeatureMap(*(cast_first(one, dtypes) for one in self.blocks), categories=self.categories)

    def __str__(self) -> str:
        words = [f"{one.outputs} {name_of(one)}" for one in self.blocks]
        words += [f"categories of {len(self.categories)} inputs"] if self.categories else []
        return " and ".join(words)

    def name_of(self, feature: int, names: Sequence[str] | None = None) -> str:
        """A feature in words, with the input that it comes from where there is one; ``names`` are those of inputs."""
        origin = origin_of(self.block, feature)
        if origin is None:
            return f"public feature {feature}"
        return f"feature {feature}, of input {origin if names is None else repr(names[origin])},"

    @property
    def parameters(self) -> list[str]:
        """Every kind of features, from the inputs on, with its public parameters in words."""
        return [words for one in self.blocks for words in parameters_of(one)]

    def document(self) -> list[dict[str, Any]] | dict[str, Any]:
        """The blocks, as JSON, with the categories where there are some."""
        blocks = [one.document() for one in self.blocks]
        if not self.categories:
            return blocks
        categories = [{"input": column, **one.document()} for column, one in self.categories.items()]
        return {"blocks": blocks, "categories": categories}

    @staticmethod
    def from_document(document: Any) -> FeatureMap:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        read = document if isinstance(document, dict) else {"blocks": document, "categories": []}
        blocks, categories = read.get("blocks"), read.get("categories")
        if not isinstance(blocks, list) or not 1 <= len(blocks) <= MAX_BLOCKS:
            raise ParameterError(f"a feature map must be a list of 1 to {MAX_BLOCKS} JSON objects.")
        if not isinstance(categories, list) or len(categories) > MAX_WIDTH:
            raise ParameterError(f"categories must be a list of at most {MAX_WIDTH} JSON objects.")
        return FeatureMap(*map(read_block, blocks), categories=dict(map(_read_categories, categories)))


def _read_categories(document: Any) -> tuple[int, Categories]:
    try:
        return whole_number(document["input"], 0, MAX_WIDTH, "input"), Categories.from_document(document)
    except (KeyError, TypeError) as error:
        raise ParameterError(f"categories must have their parameters: {error}.") from error
