"""Several kinds of features of the same inputs, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, ParameterError
from .bins import Bins
from .block import Block, Reals
from .local_filters import LocalFilters

_KINDS: dict[str, type[Bins] | type[LocalFilters]] = {one.kind: one for one in (Bins, LocalFilters)}
MAX_BLOCKS = 16


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """The public map from inputs (n, inputs) to features (n, outputs).

    Parameters
    ----------
    blocks
        Kinds of features, each of all inputs; their outputs stand side by side.

    Raises
    ------
    ParameterError
        If there is none, or they do not take the same number of inputs.

    Notes
    -----
    It is part of the model's signature: whoever asks for that sees every parameter of it.
    """

    blocks: tuple[Block, ...]

    def __init__(self, *blocks: Block) -> None:
        if not 1 <= len(blocks) <= MAX_BLOCKS:
            raise ParameterError(f"a feature map must have 1 to {MAX_BLOCKS} blocks. Got {len(blocks)} instead.")
        if len({one.inputs for one in blocks}) > 1:
            raise ParameterError(
                f"the blocks of a feature map must take the same inputs. Got {[one.inputs for one in blocks]} instead."
            )
        object.__setattr__(self, "blocks", blocks)

    @property
    def inputs(self) -> int:
        """Values of one sample."""
        return self.blocks[0].inputs

    @property
    def outputs(self) -> int:
        """Features of one sample: d."""
        return sum(one.outputs for one in self.blocks)

    @property
    def whole(self) -> bool:
        """Whether every feature is a whole number."""
        return all(one.whole for one in self.blocks)

    def limits(self) -> tuple[Reals, Reals]:
        """Smallest and largest value of every feature (d,), for any finite inputs."""
        counts = [one.outputs for one in self.blocks]
        low, high = zip(*(one.limits() for one in self.blocks), strict=True)
        return np.repeat(np.array(low), counts), np.repeat(np.array(high), counts)

    def apply(self, values: Reals) -> Reals:
        """Inputs (n, inputs) -> features (n, outputs).

        Raises
        ------
        InputError
            For another shape, NaN or infinity.
        """
        if values.ndim != 2 or values.shape[1] != self.inputs:
            raise InputError(f"inputs must have shape (n, {self.inputs}). Got {values.shape} instead.")
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise InputError(
                f"inputs must be finite. Got {values[row, column]} (sample {row}, feature {column}) instead."
            )
        return np.concatenate([one.apply(values) for one in self.blocks], axis=1)

    def __str__(self) -> str:
        return " and ".join(f"{one.outputs} {one.kind.replace('_', ' ')}" for one in self.blocks)

    def document(self) -> list[dict[str, Any]]:
        """The blocks, as JSON."""
        return [one.document() for one in self.blocks]

    @staticmethod
    def from_document(document: Any) -> FeatureMap:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        if not isinstance(document, list) or not all(isinstance(one, dict) for one in document):
            raise ParameterError("a feature map must be a list of JSON objects.")
        return FeatureMap(*map(_read, document[: MAX_BLOCKS + 1]))


def _read(document: dict[str, Any]) -> Block:
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ParameterError(
            f"features must be of a kind that this version computes: {', '.join(_KINDS)}. Got {kind!r} instead: "
            "update hermetic."
        )
    try:
        return _KINDS[kind].from_document(document)
    except (KeyError, TypeError, OverflowError) as error:
        raise ParameterError(f"features of kind {kind!r} must have their parameters: {error}.") from error
