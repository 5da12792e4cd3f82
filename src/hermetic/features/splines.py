"""Smooth piecewise polynomials of single inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import InputError, ParameterError
from .block import BlockDefaults, Flags, real_numbers, whole_number

MAX_INPUTS = 1 << 16
MAX_KNOTS = 1 << 18
MAX_DEGREE = 16
EXTRAPOLATIONS = ("constant", "linear", "continue", "periodic", "error")


@dataclass(frozen=True, eq=False)
class Splines(BlockDefaults):
    """B-splines of each input: a linear map of them is any sum of smooth piecewise polynomials of single inputs.

    Beyond its own knots an input has ``degree`` more on each side, at the distance of the first two and the last two
    (Eilers & Marx, Statistical Science 1996). m knots give m + degree - 1 features, or m - 1 periodic ones.

    Parameters
    ----------
    knots
        The knots of each input, increasing; all but the first two and the last two may be equal. Public.
    degree
        Of the polynomials, from 1.
    extrapolation
        Beyond the first and the last knot: their values (``"constant"``), the tangents there (``"linear"``), the outer
        polynomials (``"continue"``), the same again (``"periodic"``), or no values at all (``"error"``).
    last
        Whether each input has its last feature, which 1 - the others tells.
    zeros
        Whether a missing input (NaN) has features 0; else it is refused.

    Raises
    ------
    ParameterError
        For another extrapolation, or knots that are not finite, do not increase, or are fewer than 2 or more than 2^18
        in all.
    """

    knots: tuple[Reals, ...]
    degree: int
    extrapolation: str
    last: bool
    zeros: bool
    kind: ClassVar[str] = "splines"
    whole: ClassVar[bool] = False

    def __init__(
        self,
        knots: Iterable[npt.ArrayLike],
        degree: int = 3,
        extrapolation: str = "constant",
        *,
        last: bool = True,
        zeros: bool = False,
    ) -> None:
        read = tuple(np.array(row, dtype=np.float64).reshape(-1) for row in knots)
        whole_number(len(read), 1, MAX_INPUTS, "the number of inputs with splines")
        whole_number(sum(map(len, read)), 2, MAX_KNOTS, "the number of knots")
        whole_number(degree, 1, MAX_DEGREE, "the degree of splines")
        if extrapolation not in EXTRAPOLATIONS:
            raise ParameterError(f"extrapolation must be one of {', '.join(EXTRAPOLATIONS)}. Got {extrapolation!r}.")
        least = degree + 1 if extrapolation == "periodic" else 2
        for i, one in enumerate(read):
            with np.errstate(invalid="ignore", over="ignore"):
                gaps = np.diff(one)
            if len(one) < least or not np.isfinite(gaps).all() or (gaps < 0).any() or 0 in (gaps[0], gaps[-1]):
                raise ParameterError(
                    f"knots must be {least} or more, finite and increasing. Those of input {i} are not."
                )
        for name, flag in (("last", last), ("zeros", zeros)):
            if not isinstance(flag, bool):
                raise ParameterError(f"{name} must be true or false. Got {flag!r} instead.")
        values = (read, degree, extrapolation, last, zeros)
        for name, value in zip(("knots", "degree", "extrapolation", "last", "zeros"), values, strict=True):
            object.__setattr__(self, name, value)

    @property
    def inputs(self) -> int:
        return len(self.knots)

    @cached_property
    def outputs(self) -> int:
        return sum(base.count - (not self.last) for base in self._bases)

    @property
    def missing(self) -> Flags:
        return np.full(self.inputs, self.zeros)

    @cached_property
    def _bases(self) -> list[_Basis]:
        return [_Basis(row, self.degree, self.extrapolation) for row in self.knots]

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """The hull of the Bernstein coefficients of every piece that the range meets.

        Raises
        ------
        ParameterError
            For a range beyond the knots, with extrapolation ``"error"``.
        """
        if self.extrapolation == "error":
            self._check_range(lower, upper)
        pairs = [one.limits(a, b) for one, a, b in zip(self._bases, lower, upper, strict=True)]
        low, high = (self._joined([pair[side][None] for pair in pairs])[0] for side in (0, 1))
        return (np.minimum(low, 0.0), np.maximum(high, 0.0)) if self.zeros else (low, high)

    def apply(self, values: Reals) -> Reals:
        """See :class:`hermetic.features.block.Block`.

        Raises
        ------
        InputError
            For an input beyond its knots, with extrapolation ``"error"``.
        """
        if self.extrapolation == "error":
            self._check(values)
        gone = np.isnan(values)
        filled = np.where(gone, [row[0] for row in self.knots], values)
        features = [one.values(column) for one, column in zip(self._bases, filled.T, strict=True)]
        kept = [np.where(lost[:, None], 0.0, one) for lost, one in zip(gone.T, features, strict=True)]
        return self._joined(kept)

    def _check_range(self, lower: Reals, upper: Reals) -> None:
        first, final = (np.array([row[end] for row in self.knots]) for end in (0, -1))
        outside = (lower < first) | (upper > final)
        if outside.any():
            i = int(outside.argmax())
            raise ParameterError(
                f"inputs must be within the knots of their splines, {first[i]:g} to {final[i]:g} for input {i}. The "
                f"range reaches from {lower[i]:g} to {upper[i]:g}: pass the input_range of the knots, or use "
                "extrapolation='constant'."
            )

    def _joined(self, features: list[Reals]) -> Reals:
        return np.concatenate(features if self.last else [feature[:, :-1] for feature in features], axis=1)

    def _check(self, values: Reals) -> None:
        outside = (values < [row[0] for row in self.knots]) | (values > [row[-1] for row in self.knots])
        if outside.any():
            row, column = np.argwhere(outside)[0]
            knots = self.knots[column]
            raise InputError(
                f"inputs must be within the knots of their splines, {knots[0]:g} to {knots[-1]:g} for input {column}. "
                f"Got {values[row, column]:g} (sample {row}) instead."
            )

    def document(self) -> dict[str, Any]:
        names = ("degree", "extrapolation", "last", "zeros")
        return {
            "kind": self.kind,
            "knots": [row.tolist() for row in self.knots],
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Splines:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        knots = document["knots"]
        lists = isinstance(knots, list) and all(isinstance(row, list) for row in knots)
        if not lists or len(knots) > MAX_INPUTS or sum(map(len, knots)) > MAX_KNOTS:
            raise ParameterError(f"knots must be a list of at most {MAX_INPUTS} lists, {MAX_KNOTS} numbers in all.")
        rows = [real_numbers(row, MAX_KNOTS, "knots") for row in knots]
        flags = {"last": document["last"], "zeros": document["zeros"]}
        return cls(rows, document["degree"], document["extrapolation"], **flags)


class _Basis:
    """The B-splines of one input.

    They are evaluated by their blossom: a function of ``degree`` arguments, affine in each, that gives the polynomial
    of a piece where all arguments are x (Ramshaw, CAGD 1989). With some arguments at each end of an interval it gives
    the polynomial's Bernstein coefficients there, and with all but one at a knot c the tangent at c.
    """

    def __init__(self, knots: Reals, degree: int, extrapolation: str) -> None:
        self.degree, self.extrapolation = degree, extrapolation
        self.first, self.final = knots[0], knots[-1]
        steps = np.arange(1, degree + 1)
        if extrapolation == "periodic":
            period = self.final - self.first
            before, behind = knots[-(degree + 1) : -1] - period, knots[1 : degree + 1] + period
        else:
            before = knots[0] - steps[::-1] * (knots[1] - knots[0])
            behind = knots[-1] + steps * (knots[-1] - knots[-2])
        self.all_knots = np.concatenate([before, knots, behind])
        self.pieces = len(knots) - 1
        self.count = self.pieces if extrapolation == "periodic" else self.pieces + degree

    def values(self, x: Reals) -> Reals:
        """Finite x (n,) -> features (n, count)."""
        inside = self._inside(x)
        arguments = [inside] * self.degree
        if self.extrapolation == "linear":
            # The last argument moves `degree` times as fast as the tangent.
            arguments[-1] = inside + self.degree * (x - inside)
        return self._blossom(self._piece(inside), arguments)

    def _inside(self, x: Reals) -> Reals:
        if self.extrapolation == "continue":
            return x
        if self.extrapolation == "periodic":
            return np.asarray(self.first + (x - self.first) % (self.final - self.first))
        return np.clip(x, self.first, self.final)

    def _piece(self, x: Reals) -> npt.NDArray[np.intp]:
        inner = self.all_knots[self.degree + 1 : self.degree + self.pieces]
        return np.searchsorted(inner, x, side="right")

    def _blossom(self, piece: npt.NDArray[np.intp], arguments: list[Reals]) -> Reals:
        """Arguments (n,) of each degree -> (n, count), by the recursion of Cox and de Boor."""
        rows, last = np.arange(len(piece)), piece + self.degree
        local = np.zeros((len(piece), self.degree + 1))
        local[:, 0] = 1.0
        for j, x in enumerate(arguments, start=1):
            carried = np.zeros(len(piece))
            for n in range(j):
                right, left = self.all_knots[last + n + 1], self.all_knots[last + n + 1 - j]
                width = right - left
                share = np.divide(local[:, n], width, out=np.zeros(len(piece)), where=width > 0)
                local[:, n] = carried + share * (right - x)
                carried = share * (x - left)
            local[:, j] = carried
        features = np.zeros((len(piece), self.pieces + self.degree))
        for n in range(self.degree + 1):
            features[rows, piece + n] = local[:, n]
        if self.extrapolation == "periodic":
            features[:, : self.degree] += features[:, self.count :]
        return features[:, : self.count]

    def limits(self, lower: float, upper: float) -> tuple[Reals, Reals]:
        """Bounds (count,) on every feature where lower <= x <= upper."""
        if self.extrapolation in ("linear", "continue") and not np.isfinite([lower, upper]).all():
            return np.full(self.count, -np.inf), np.full(self.count, np.inf)
        if self.extrapolation == "periodic" and (lower < self.first or upper > self.final):
            lower, upper = self.first, self.final
        ends = [] if self.extrapolation != "linear" else [self.values(np.array([lower, upper]))]
        low, high = self._inside(np.array([lower, upper])) if self.extrapolation != "periodic" else (lower, upper)
        hull = np.concatenate([*ends, *(self._bernstein(piece, low, high) for piece in range(self.pieces))])
        return hull.min(axis=0), hull.max(axis=0)

    def _bernstein(self, piece: int, low: float, high: float) -> Reals:
        """The Bernstein coefficients (degree + 1, count) of a piece between low and high; none where it is not."""
        start, end = self.all_knots[self.degree + piece : self.degree + piece + 2]
        start = low if piece == 0 else max(start, low)
        end = high if piece == self.pieces - 1 else min(end, high)
        if start > end:
            return np.zeros((0, self.count))
        of_end = np.tri(self.degree + 1, self.degree, -1, dtype=np.bool_)
        arguments = [np.where(one, end, start) for one in of_end.T]
        return self._blossom(np.full(self.degree + 1, piece), arguments)
