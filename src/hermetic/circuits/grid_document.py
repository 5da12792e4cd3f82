"""The grid of inputs as JSON, for circuits whose inputs are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..inputs.grid import Grid
from ..json_values import integer, number, require


def _shortened(values: npt.NDArray[Any]) -> Any:
    same = bool((values == values[0]).all())
    return values[0].item() if same else values.tolist()


def grid_to_json(grid: Grid) -> dict[str, Any]:
    """What :func:`grid_from_json` reads; a column of one value is that value."""
    columns = {name: getattr(grid, name) for name in ("offset", "step", "low", "high")}
    return {**{name: _shortened(column) for name, column in columns.items()}, "exact": grid.exact}


def grid_from_json(value: Mapping[str, Any], features: int, groups: npt.NDArray[np.intp] | None) -> Grid:
    """Read and check a grid of so many features. Raises WireError, KeyError, TypeError or ValueError."""

    def column(name: str, dtype: type) -> npt.NDArray[Any]:
        raw = value[name]
        require(not isinstance(raw, list) or len(raw) == features, f"grid.{name} must match features")
        items = raw if isinstance(raw, list) else [raw]
        if dtype is np.int64:
            numbers: list[float] = [integer(item, -(1 << 61), 1 << 61, f"grid.{name}") for item in items]
        else:
            numbers = [number(item) for item in items]
        return np.broadcast_to(np.array(numbers, dtype=dtype), (features,))

    grid = Grid(
        column("offset", np.float64),
        column("step", np.float64),
        column("low", np.int64),
        column("high", np.int64),
        value["exact"],
        groups,
    )
    require(isinstance(grid.exact, bool), "grid.exact must be true or false")
    require(bool((grid.step > 0).all()) and bool((grid.low <= grid.high).all()), "the grid must be increasing")
    return grid
