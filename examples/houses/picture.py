"""The picture: how near the linear model and the encrypted network come, and the curve that the network has learned."""

from __future__ import annotations

from pathlib import Path

import matplotlib.figure
import numpy as np
import numpy.typing as npt
from sklearn.metrics import r2_score

_INK, _GREY, _PLAIN, _ENCRYPTED = "#14213d", "#5c677d", "#adb5bd", "#c1121f"

Reals = npt.NDArray[np.float64]


def draw(
    path: Path, prices: Reals, linear: Reals, encrypted: Reals, rooms: Reals, curve: Reals, answers: Reals
) -> None:
    """Write the PNG.

    Left: prices (n,), and what the linear model (n,) and encrypted answers (n,) say of them. Right: what the network
    says in the clear (k,) and encrypted (k,) of a community whose houses have so many rooms (k,).
    """
    figure = matplotlib.figure.Figure(figsize=(10.4, 4.8), facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2)
    for values, name, color, mark in (
        (linear, "linear model", _PLAIN, "o"),
        (encrypted, "network, encrypted", _ENCRYPTED, "."),
    ):
        left.plot(prices, values, mark, color=color, label=f"{name}: R² {r2_score(prices, values):.2f}")
    ends = [prices.min(), prices.max()]
    left.plot(ends, ends, color=_GREY, linewidth=0.8, linestyle=":")
    left.set(xlabel="price of a house, thousand dollars", ylabel="what the model says")
    left.set_title(f"{len(prices)} communities that it had not seen", color=_INK, loc="left")
    left.legend(loc="upper left", frameon=False)
    right.plot(rooms, curve, color=_PLAIN, linewidth=6, label="in the clear")
    right.plot(rooms, answers, ".", color=_ENCRYPTED, label="encrypted")
    right.set(xlabel="rooms of a house; all else as usual", ylabel="thousand dollars")
    right.set_title("What one more room is worth", color=_INK, loc="left")
    right.legend(loc="upper left", frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, format="png")
