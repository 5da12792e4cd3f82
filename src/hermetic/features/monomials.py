"""Products of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import ParameterError
from .block import BlockDefaults, Flags, real_numbers, whole_number

MAX_INPUTS = 1 << 20
MAX_FACTORS = 1 << 21
MAX_DEGREE = 16


@dataclass(frozen=True, eq=False)
class Monomials(BlockDefaults):
    """Products of inputs, less their centres: a linear map of them is any polynomial of which they are the terms.

    Parameters
    ----------
    inputs
        Values of one sample.
    factors
        The inputs that each feature multiplies, 1 to 16 of them and in increasing order: (0, 0, 3) is x_0² · x_3. They
        say nothing about data.
    centre
        Subtracted from every input before, (inputs,); by default 0. Public.

    Raises
    ------
    ParameterError
        For factors that are not numbers of inputs in this order, or more than 2^21 in all; for a centre that is not
        finite.
    """

    inputs: int
    factors: tuple[tuple[int, ...], ...]
    centre: Reals
    kind: ClassVar[str] = "monomials"
    whole: ClassVar[bool] = False

    def __init__(self, inputs: int, factors: Sequence[Sequence[int]], centre: npt.ArrayLike = 0.0) -> None:
        whole_number(inputs, 1, MAX_INPUTS, "inputs")
        whole_number(sum(map(len, factors)), 1, MAX_FACTORS, "the number of factors")
        for one in factors:
            whole_number(len(one), 1, MAX_DEGREE, "the degree of a monomial")
            for factor in one:
                whole_number(factor, 0, inputs - 1, "a factor")
            if any(first > second for first, second in pairwise(one)):
                raise ParameterError(f"the factors of a monomial must be in increasing order. Got {list(one)} instead.")
        moved = np.array(centre, dtype=np.float64)
        if moved.shape not in ((), (inputs,)) or not np.isfinite(moved).all():
            raise ParameterError(f"the centre must be {inputs} finite numbers. Got shape {moved.shape} instead.")
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "centre", np.broadcast_to(moved, (inputs,)))
        object.__setattr__(self, "factors", tuple(map(tuple, factors)))

    @property
    def outputs(self) -> int:
        return len(self.factors)

    @property
    def used(self) -> Flags:
        found = np.zeros(self.inputs, dtype=np.bool_)
        found[list(chain.from_iterable(self.factors))] = True
        return found

    @cached_property
    def _powers(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Inputs and exponents (outputs, most different inputs of one); exponents of 0 fill up."""
        runs = [[(factor, len(list(equal))) for factor, equal in groupby(one)] for one in self.factors]
        powers = np.zeros((2, self.outputs, max(map(len, runs))), dtype=np.intp)
        for row, one in enumerate(runs):
            powers[:, row, : len(one)] = np.array(one).T
        return powers[0], powers[1]

    def steps(self, steps: Reals) -> Reals:
        unit = np.where(steps > 0, steps, 1.0)
        multiple = np.rint(self.centre / unit) * unit == self.centre
        return np.asarray(self._products(np.where(multiple, steps, 0.0)[None])[0])

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """Exact: different inputs vary independently."""
        lower, upper = lower - self.centre, upper - self.centre
        low, high = np.ones(self.outputs), np.ones(self.outputs)
        for inputs, exponents in zip(*(power.T for power in self._powers), strict=True):
            ends = np.stack([_power(lower[inputs], exponents), _power(upper[inputs], exponents)])
            turns = (exponents % 2 == 0) & (exponents > 0) & (lower[inputs] < 0) & (upper[inputs] > 0)
            powers = np.where(turns, 0.0, ends.min(axis=0)), ends.max(axis=0)
            with np.errstate(invalid="ignore"):
                corners = np.nan_to_num(
                    [a * b for a in (low, high) for b in powers], nan=0.0, posinf=np.inf, neginf=-np.inf
                )
            low, high = corners.min(axis=0), corners.max(axis=0)
        return low, high

    def apply(self, values: Reals) -> Reals:
        return self._products(values - self.centre)

    def _products(self, values: Reals) -> Reals:
        features = np.ones((len(values), self.outputs))
        for inputs, exponents in zip(*(power.T for power in self._powers), strict=True):
            features *= _power(values[:, inputs], exponents)
        return features

    def document(self) -> dict[str, Any]:
        factors = [list(one) for one in self.factors]
        return {"kind": self.kind, "inputs": self.inputs, "factors": factors, "centre": self.centre.tolist()}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Monomials:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        factors = document["factors"]
        if not isinstance(factors, list) or not all(isinstance(one, list) for one in factors):
            raise ParameterError("factors must be a list of lists of whole numbers.")
        return cls(document["inputs"], factors, real_numbers(document["centre"], MAX_INPUTS, "centre"))


def _power(values: Reals, exponents: npt.NDArray[np.intp]) -> Reals:
    """Repeated products, which round in order: a larger base never gives a smaller power."""
    powers = np.where(exponents > 0, values, 1.0)
    with np.errstate(over="ignore"):
        for e in range(2, int(exponents.max(initial=0)) + 1):
            powers = np.where(exponents >= e, powers * values, powers)
    return np.asarray(powers)
