"""The answers of an ONNX model itself, by the reference implementation that is part of onnx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper
from onnx.reference import ReferenceEvaluator

from ...arrays import Reals
from ...errors import CompileError
from ..classes import chosen
from .graph import Array, Graph, Input
from .head import Head, decided, sorted_out


class OnnxModel:
    """An ONNX model as an estimator, which the compiled model must equal.

    Parameters
    ----------
    graph, head
        What was read.
    kept
        Which values of the tensors of scores are scores; the others follow from them.
    """

    def __init__(self, graph: Graph, head: Head, kept: list[int]) -> None:
        self._graph, self._head, self._kept = graph, head, kept
        own = graph.model.graph
        names = dict.fromkeys([*graph.outputs, *graph.scores])
        outputs = [helper.make_empty_tensor_value_info(name) for name in names]
        whole = helper.make_graph(own.node, own.name or "model", own.input, outputs, own.initializer)
        self._evaluator = ReferenceEvaluator(helper.make_model(whole, opset_imports=graph.model.opset_import))

    def decision_function(self, X: Any) -> Reals:
        """The scores (n, k), or (n,) of one."""
        values = [one.astype(np.float64) for one in self._run(X, self._graph.scores)]
        scores = (
            self._head.scale
            * np.concatenate([value.reshape(len(value), -1) for value in values], axis=1)[:, self._kept]
        )
        return np.asarray(scores[:, 0] if self._head.squeeze else scores)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Labels, or a regression's values. Where the model's own numbers do not decide, and where it gives none, the
        label is that of the largest score.
        """
        head = self._head
        if head.labels is None:
            return self._numbers(X)
        found = chosen(self.decision_function(X))
        numbers, own = sorted_out(self._run(X, self._graph.outputs))
        if head.own_labels is not None and own is not None:
            sure = np.full(len(found), True) if numbers is None else decided(numbers)
            order = np.argsort(head.own_labels)
            found[sure] = order[np.searchsorted(head.own_labels, own[sure], sorter=order)]
        return np.asarray(head.labels[found])

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (n, classes), in the precision of the model."""
        return self._head.probabilities(self._numbers(X))

    def _numbers(self, X: Any) -> Array:
        return np.asarray(sorted_out(self._run(X, self._graph.outputs))[0])

    def _run(self, X: Any, names: list[str]) -> list[Array]:
        rows = np.asarray(X)
        check_whole(self._graph.inputs, rows)
        feeds = {one.name: one.taken(rows) for one in self._graph.inputs}
        with np.errstate(all="ignore"):
            return list(self._evaluator.run(names, feeds))


def check_whole(inputs: Sequence[Input], rows: Array) -> None:
    """Raise :class:`CompileError` for rows (n, d) that a model of whole numbers does not take."""
    for one in inputs:
        if one.dtype.kind in "biu" and (rows[:, one.start : one.start + one.columns] % 1 != 0).any():
            raise CompileError(
                f"input {one.name!r} takes whole numbers: pass input_step=1, or an X_sample of whole numbers."
            )
