"""What the model owner's half of every circuit has: all that a compiled model asks of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt

from ..arrays import Integers, Reals
from ..keys.public import PublicKey
from .masking import MaskingKey
from .query import Query
from .result import Result


class ServerHalf(Protocol):
    """Answers queries for one model.

    Attributes
    ----------
    integers
        The private integers, as the circuit has them.
    """

    integers: Any

    def evaluate(self, query: Query, public_key: PublicKey | MaskingKey, threads: int) -> Result:
        """Answer a query; so many threads may work on it."""

    def prepare(self, samples: int) -> None:
        """Make ready what the first query of that many samples would make otherwise."""

    def masking_key(self, public_key: PublicKey) -> MaskingKey:
        """What masks need of a public key."""

    def reference(self, values: Integers) -> Reals:
        """The scores (n, k) of grid integers (n, d) in plain integers: what decryption must give."""

    def simulate(self, values: Integers) -> Reals:
        """The scores (n, k) of grid integers (n, d) by the integers of an encrypted evaluation, without encryption."""

    @property
    def operations(self) -> int:
        """How many products or sums the plain reference of one sample takes."""

    @property
    def spread_over_range(self) -> float:
        """How far apart scores are over the range of inputs."""

    @property
    def sizes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the private integers, by what they are."""

    def tensors(self) -> Mapping[str, npt.NDArray[Any]]:
        """What a model file holds beside the signature."""
