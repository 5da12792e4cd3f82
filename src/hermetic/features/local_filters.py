"""Random filters over an image, which learn nothing from data."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..arrays import Reals
from .block import EPSILON, BlockDefaults, real_number, whole_number

MAX_SIDE = 256
MAX_FILTERS = 1 << 12
MAX_RESPONSES = 1 << 25
"""Of one image: positions times filters, or times the values of a patch."""
_MAX_SEED = (1 << 53) - 1
_DOMAIN = b"hermetic local filters 1"
_CHUNK = 1 << 19
"""So many responses are computed at a time: they stay in the cache."""


@dataclass(frozen=True)
class LocalFilters(BlockDefaults):
    """How strongly small patterns show in each part of a square image.

    Every size x size patch loses its mean and is divided by its contrast sqrt(|patch|^2 + epsilon); its products with
    ``filters`` random unit vectors without mean lose ``threshold`` and are cut at 0; the means over cells x cells parts
    of the image, at most ``ceiling``, are the features. One layer of random convolutions is a well-known extractor
    (Jarrett et al., ICCV 2009; Saxe et al., ICML 2011), and so is contrast normalisation of patches (Coates et al.,
    AISTATS 2011).

    Parameters
    ----------
    side
        The image has side x side values, row by row.
    size, padding
        Side of a patch; zeros around the image.
    filters, seed
        How many random filters; their entries are SHAKE-256 of seed, size and number, so that they are the same
        everywhere.
    cells
        Parts of the image in each direction.
    epsilon, threshold, ceiling
        See above; epsilon in units of the inputs, squared. A ceiling that features seldom reach makes the range that is
        encrypted smaller, so its steps finer and the guaranteed error smaller.

    Raises
    ------
    ParameterError
        For a parameter out of range.
    """

    side: int
    size: int
    filters: int
    cells: int
    padding: int = 0
    epsilon: float = 0.1
    threshold: float = 0.0
    seed: int = 0
    ceiling: float = 1.0
    kind: ClassVar[str] = "local_filters"
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole_number(self.side, 2, MAX_SIDE, "side")
        whole_number(self.padding, 0, MAX_SIDE, "padding")
        whole_number(self.size, 2, min(16, self.side + 2 * self.padding), "size")
        whole_number(self.filters, 1, MAX_FILTERS, "filters")
        whole_number(self.cells, 1, min(32, self._positions), "cells")
        whole_number(self._responses, 1, MAX_RESPONSES, "filters at all positions of the image")
        whole_number(self.seed, 0, _MAX_SEED, "seed")
        object.__setattr__(self, "epsilon", real_number(self.epsilon, 1e-12, 1e12, "epsilon"))
        object.__setattr__(self, "threshold", real_number(self.threshold, 0.0, 1.0, "threshold"))
        object.__setattr__(self, "ceiling", real_number(self.ceiling, 1e-6, 1.0, "ceiling"))

    @property
    def inputs(self) -> int:
        return self.side**2

    @property
    def outputs(self) -> int:
        return self.filters * self.cells**2

    @property
    def _positions(self) -> int:
        return self.side + 2 * self.padding - self.size + 1

    @property
    def _responses(self) -> int:
        return self._positions**2 * max(self.filters, self.size**2)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """A patch of length below 1 times a vector of length 1 is below 1, whatever the inputs are."""
        return np.zeros(self.outputs), np.full(self.outputs, self.ceiling)

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """That of means of patches, which contrast divides, and of the sums after it."""
        entries = self.size**2
        largest = float(np.maximum(np.abs(lower), np.abs(upper)).max())
        patch = self.size * (entries + 2) * largest / math.sqrt(self.epsilon)
        return np.full(self.outputs, 2 * EPSILON * (patch + 2 * entries + self._positions**2))

    def apply(self, values: Reals) -> Reals:
        size = max(1, _CHUNK // self._responses)
        chunks = [self._features(values[i : i + size]) for i in range(0, len(values), size)]
        return np.concatenate(chunks) if chunks else np.zeros((0, self.outputs))

    def _features(self, values: Reals) -> Reals:
        border = (self.padding, self.padding)
        images = np.pad(values.reshape(-1, self.side, self.side), ((0, 0), border, border))
        patches = sliding_window_view(images, (self.size, self.size), axis=(1, 2)).reshape(-1, self.size**2)
        patches = patches - patches.mean(axis=1, keepdims=True)
        patches /= np.sqrt(np.einsum("ij,ij->i", patches, patches) + self.epsilon)[:, None]
        responses = np.maximum(patches @ self._filters - self.threshold, 0)
        return self._pool(responses.reshape(len(values), self._positions, self._positions, self.filters))

    def _pool(self, responses: Reals) -> Reals:
        edges = np.arange(self.cells + 1) * self._positions // self.cells
        sums = np.add.reduceat(np.add.reduceat(responses, edges[:-1], axis=1), edges[:-1], axis=2)
        counts = np.diff(edges)
        means = sums / np.outer(counts, counts)[:, :, None]
        return np.asarray(np.clip(means.reshape(len(responses), -1), 0.0, self.ceiling))

    @cached_property
    def _filters(self) -> Reals:
        """(size^2, filters): uniform entries, centred and of length 1."""
        shake = hashlib.shake_256(_DOMAIN + self.seed.to_bytes(8, "little") + bytes([self.size]))
        words = np.frombuffer(shake.digest(4 * self.filters * self.size**2), dtype="<u4")
        rows = words.reshape(self.filters, -1) / 2.0**32 - 0.5
        rows -= rows.mean(axis=1, keepdims=True)
        return np.asarray((rows / np.linalg.norm(rows, axis=1, keepdims=True)).T)

    def document(self) -> dict[str, Any]:
        names = ("side", "size", "filters", "cells", "padding", "epsilon", "threshold", "seed", "ceiling")
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> LocalFilters:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(**{name: value for name, value in document.items() if name != "kind"})
