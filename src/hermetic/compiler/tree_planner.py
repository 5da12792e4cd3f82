"""How private trees are run: in one way for all that need no tolerance, with more limbs for those that do."""

from __future__ import annotations

from ..circuits.trees.planner import TreeChoice
from ..circuits.trees.planner import choose as choose_trees
from ..errors import CompileError, PrecisionError
from .ensemble_map import EnsembleMap
from .inputs import InputRange
from .spread import SMALL


def choose(
    ensemble: EnsembleMap,
    inputs: InputRange,
    *,
    profile: str | None = None,
    tolerance: float | None = None,
    flooding: float | None = None,
    spread: float | None = None,
    strict: bool = True,
) -> TreeChoice:
    """The cheapest choice that meets ``tolerance``; without one, the cheapest whose error is small beside the
    ``spread`` of scores, where one is.

    Raises
    ------
    PrecisionError
        If none meets the tolerance.
    CompileError
        For options that linear models alone have, and for trees that are too many or too large.
    """
    for option, value in (("profile", profile if profile != "fast" else None), ("flooding", flooding)):
        if value is not None:
            raise CompileError(
                f"{option} must be left out for trees that split on several inputs: they have one set of parameters. "
                f"Got {value!r} instead."
            )

    def within(error: float | None) -> TreeChoice:
        grid = inputs.grid(1)
        own = ensemble.own_rounding
        return choose_trees(ensemble.words, ensemble.slots, grid, own_error=own, tolerance=error, strict=strict)

    found = within(tolerance)
    wanted = 0.0 if spread is None else SMALL * spread
    if tolerance is not None or found.error <= wanted or float(ensemble.own_rounding.max()) >= wanted:
        return found
    try:
        return within(wanted)
    except PrecisionError:
        return found
