"""The classes of models that have no names for them: ONNX models and PyTorch modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import shown
from ..arrays import Reals
from ..errors import CompileError, WireError
from ..head import Labels
from ..signature.labels import check_labels


def named_classes(labels: Any, outputs: int, *, numbered: bool) -> Labels | None:
    """The labels that the caller gives, in the order of the scores; without any, 0, 1, … if ``numbered``.

    One score is that of the second of two classes.

    Raises
    ------
    CompileError
        If they are not as many different ones as there are classes, or not what a signature can carry.
    """
    classes = max(outputs, 2)
    if labels is None:
        return np.arange(classes) if numbered else None
    found = np.asarray(labels)
    try:
        check_labels(found)
    except WireError as error:
        raise CompileError(f"labels must be numbers, booleans or strings. Got {shown(labels)} instead.") from error
    if len(set(found.tolist())) != len(found) or len(found) != classes:
        raise CompileError(
            f"labels must be {classes} different ones, in the order of the scores. Got {found.tolist()[:10]} instead."
        )
    return found


def chosen(scores: Reals) -> npt.NDArray[np.intp]:
    """The number of every sample's class, by scores (n, k), or (n,) and (n, 1) of the second of two classes."""
    one = scores.ndim == 1 or scores.shape[1] == 1
    return np.asarray((scores.reshape(-1) > 0).astype(np.intp) if one else scores.argmax(axis=1))
