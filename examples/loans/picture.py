"""The picture: the ROC curve of encrypted answers upon that of plain ones, and how far scores differ."""

from __future__ import annotations

from pathlib import Path

import matplotlib.figure
import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score, roc_curve

_INK, _GREY, _PLAIN, _ENCRYPTED = "#14213d", "#5c677d", "#adb5bd", "#c1121f"

Reals = npt.NDArray[np.float64]


def draw(path: Path, approved: npt.NDArray[np.int64], plain: Reals, encrypted: Reals, error: float) -> None:
    """Write the PNG: what the bank decided (n,), the scores of both (n,), and the guaranteed error."""
    figure = matplotlib.figure.Figure(figsize=(10.4, 4.8), facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    for scores, name, style in (
        (plain, "in the clear", {"color": _PLAIN, "linewidth": 6}),
        (encrypted, "encrypted", {"color": _ENCRYPTED, "linewidth": 1.6}),
    ):
        wrongly, rightly, _ = roc_curve(approved, scores)
        left.plot(wrongly, rightly, label=f"{name}: area {roc_auc_score(approved, scores):.4f}", **style)
    left.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle=":")
    left.set(xlabel="refused applications that would be approved", ylabel="approved ones that would be")
    left.set_title(f"{len(approved)} applications that the model had not seen", color=_INK, loc="left")
    left.legend(loc="lower right", frameon=False)
    right.scatter(plain, np.abs(encrypted - plain), s=9, color=_INK)
    right.axhline(error, color=_ENCRYPTED, linewidth=1.6)
    right.set_yscale("log")
    right.set(xlabel="score in the clear (log odds of approval)", ylabel="difference of the encrypted score")
    right.set_title(f"No difference above the guaranteed {error:.1e}", color=_INK, loc="left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, format="png")
