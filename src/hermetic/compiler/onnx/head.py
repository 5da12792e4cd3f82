"""What a model makes of its scores, recognised by what it computes.

Converters write one and the same link in many ways: a post_transform, Softmax, or a dozen nodes for one-versus-rest. So
the nodes after the scores are run on scores of many sizes, and compared with the links that clients have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper

from ...arrays import Reals
from ...errors import CompileError, UnsupportedModelError
from ...head import Labels
from ...links import probabilities
from ..classes import chosen, named_classes
from .files import attributes
from .graph import CONVERTED, ROWS, Array, Graph, run
from .operators import DOCS, DOMAINS, HEAD

_SIZES = (0.1, 1.0, 4.0, 12.0)

_LAYERS = ("Gemm", "MatMul", "LinearRegressor", "Scaler", "BatchNormalization")


def _normalised(link: str, scores: Reals) -> Reals:
    """One-versus-rest probabilities (n, classes); one score is that of the second of two classes."""
    binary = scores.shape[1] == 1
    return probabilities(link, scores[:, 0] if binary else scores, 2 if binary else scores.shape[1])


def _log_softmax(scores: Reals) -> Reals:
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _same(given: Array) -> Array:
    return given


def _both(given: Array) -> Array:
    return np.concatenate([1.0 - given, given], axis=1)


_FORMS: dict[str, tuple[str | None, Callable[[Reals], Reals], Callable[[Array], Array]]] = {
    "scores": (None, _same, _same),
    "scores of both": (None, lambda scores: np.concatenate([-scores, scores], axis=1), _same),
    "exp": ("exp", np.exp, _same),
    "softmax": ("softmax", partial(_normalised, "softmax"), _same),
    "log_softmax": ("softmax", _log_softmax, np.exp),
    "logistic": ("logistic", partial(_normalised, "logistic"), _same),
    "sigmoid": ("logistic", lambda scores: _normalised("logistic", scores)[:, 1:], _both),
    "modified_huber": ("modified_huber", partial(_normalised, "modified_huber"), _same),
}
"""Link; what the model gives for scores (n, k); what predict_proba (n, classes) is for that."""


@dataclass(frozen=True, eq=False)
class Head:
    """The public part after the scores.

    Attributes
    ----------
    link, labels, squeeze
        See :class:`hermetic.signature.Signature`.
    form
        The name of what the model's output of numbers is, or ``None`` if it gives labels alone.
    own_labels
        The labels that the model itself gives, in the order of ``labels``; ``None`` if it gives none.
    scale
        The model makes the link of so many times the scores: 1 or -1; or 2 or -2, where it takes softmax of a score and
        its negative.
    """

    link: str | None
    labels: Labels | None
    squeeze: bool
    form: str | None
    own_labels: Labels | None
    scale: float = 1.0

    def probabilities(self, numbers: Array) -> Array:
        """predict_proba from the model's own numbers, in their precision."""
        return _FORMS[self.form or "scores"][2](numbers.reshape(len(numbers), -1))

    def named(self, labels: Any, outputs: int) -> Head:
        """The same with labels that the caller gives.

        Raises
        ------
        CompileError
            If the model has names of its own, or no classes, or labels do not fit.
        """
        plain = self.labels is None or np.array_equal(self.labels, np.arange(max(outputs, 2)))
        if not plain or self.link == "exp":
            raise CompileError("labels must be left out: the model names its classes itself, or has none.")
        return replace(self, labels=named_classes(labels, outputs, numbered=False), squeeze=outputs == 1)


@dataclass(frozen=True, eq=False)
class Independent:
    """Which of the m values of the tensors of scores are scores: ``kept``, k of them. Value i is ``signs[i]`` times
    score ``columns[i]``.
    """

    kept: list[int]
    columns: Array
    signs: Reals

    def values(self, scores: Reals) -> Reals:
        """All values (n, m) that scores (n, k) make."""
        return np.asarray(scores[:, self.columns] * self.signs)


def check_head(graph: Graph) -> None:
    """Refuse a graph with more than a link after its affine part.

    Raises
    ------
    UnsupportedModelError
        Naming the node, and what to do.
    """
    _check_precision(graph)
    unread = [node for node in graph.head if node.op_type not in HEAD | set(_LAYERS) or node.domain not in DOMAINS]
    layers = [node for node in graph.head if node.op_type in _LAYERS]
    if not unread and not layers:
        _check_reals(graph)
        return
    culprit = (unread or [node for node in graph.head if node.op_type not in _LAYERS] or layers)[0]
    place = f", before node {layers[-1].name!r} ({layers[-1].op_type})" if layers and culprit is not layers[-1] else ""
    raise UnsupportedModelError(
        f"the model must be affine in its inputs up to its scores, and make no more than a link such as softmax of "
        f"them. Node {culprit.name!r} ({culprit.op_type}){place} is not affine: {_instead_of(culprit)}; {CONVERTED}. "
        f"{DOCS} lists the operators that are read."
    )


def _instead_of(node: NodeProto) -> str:
    if node.op_type == "Cast" and _cast_to(node).kind in "iu":
        return "it cuts off what follows the point, as converters write it for whole inputs: convert to take float32"
    return "keep the layers up to it as public features (features=), and compile what comes after"


def _check_precision(graph: Graph) -> None:
    """Refuse a model that computes with fewer bits than float32 has."""
    halves = [(step.node, step.result.dtype) for step in graph.steps if _is_half(step.result.dtype)]
    halves += [(node, _cast_to(node)) for node in graph.head if node.op_type == "Cast" and _is_half(_cast_to(node))]
    if halves:
        node, kind = halves[0]
        raise UnsupportedModelError(
            f"the model must compute in float32 or float64. Node {node.name!r} ({node.op_type}) gives {kind}, which "
            "rounds more than encryption does: export the model in float32."
        )


def _check_reals(graph: Graph) -> None:
    for name in graph.scores:
        kind = graph.values[name].dtype
        if kind.kind in "biu":
            raise UnsupportedModelError(
                f"scores must be reals. Tensor {name!r} holds {kind}: end the model with a Cast to float32."
            )


def _is_half(kind: np.dtype[Any]) -> bool:
    """Whether it is float16, or one of the types that NumPy does not have, such as bfloat16."""
    return kind == np.float16 or kind.kind == "V"


def _cast_to(node: NodeProto) -> np.dtype[Any]:
    return np.dtype(helper.tensor_dtype_to_np_dtype(attributes(node)["to"]))


def recognise(graph: Graph, independent: Independent) -> Head:
    """Find the link.

    Parameters
    ----------
    graph
        What gives the scores, and the head after them.
    independent
        Which of its values are scores.

    Raises
    ------
    UnsupportedModelError
        If the head is none of the links that clients have.
    """
    k = len(independent.kept)
    tries = [size * np.random.default_rng(0).normal(size=(ROWS, k)) for size in _SIZES]
    answers = [answer(graph, independent.values(scores)) for scores in tries]
    form, scale = _form(tries, [numbers for numbers, _ in answers], graph)
    link = None if form is None else _FORMS[form][0]
    own = _labels(graph, independent, np.sign(scale))
    for scores, (numbers, given) in zip(tries, answers, strict=True):
        sure = np.full(ROWS, True) if numbers is None else decided(numbers)
        if own is not None and not np.array_equal(own[chosen(scale * scores)][sure], np.asarray(given)[sure]):
            raise _not_a_link(graph)
    labels = own if own is not None else named_classes(None, k, numbered=link not in (None, "exp"))
    first = answers[0][0]
    squeeze = k == 1 and (labels is not None or (first is not None and first.ndim == 1))
    return Head(link, labels, squeeze, form, own, scale)


def answer(graph: Graph, scores: Reals) -> tuple[Array | None, Array | None]:
    """The numbers and the labels that the head makes of scores (ROWS, m)."""
    values = {name: graph.values[name] for name in graph.static}
    start = 0
    for name in graph.scores:
        own = graph.values[name]
        stop = start + own.size // ROWS
        values[name] = scores[:, start:stop].reshape(own.shape).astype(own.dtype)
        start = stop
    for node in graph.head:
        given = run(node, graph.opsets, [values[name] if name else None for name in node.input])
        values.update(zip(node.output, given, strict=False))
    return sorted_out([values[name] for name in graph.outputs])


def sorted_out(outputs: list[Array]) -> tuple[Array | None, Array | None]:
    """The numbers and the labels among a model's outputs; columns one by one are put together."""
    numbers = [output for output in outputs if output.dtype.kind == "f"]
    labels = [output for output in outputs if output.dtype.kind != "f"]
    if len(numbers) > 1 and all(number.ndim == 1 for number in numbers):
        numbers = [np.stack(numbers, axis=1)]
    given = None if not labels else labels[0].reshape(len(labels[0]), -1)[:, 0]
    if given is not None and given.dtype.kind == "O":
        given = np.array(given.tolist())
    return (numbers[0] if numbers else None), given


def decided(numbers: Array) -> npt.NDArray[np.bool_]:
    """Where one of a model's numbers is the largest: rounded probabilities of large scores may be the same."""
    columns = np.sort(_columns(numbers), axis=1)
    return np.asarray(np.ones(len(columns), np.bool_) if columns.shape[1] < 2 else columns[:, -1] > columns[:, -2])


def _form(tries: list[Reals], numbers: list[Array | None], graph: Graph) -> tuple[str | None, float]:
    """The name of what the numbers are, and of how many times the scores."""
    given = [_columns(number) for number in numbers if number is not None]
    if not given:
        return None, 1.0
    for scale in (1.0, -1.0) if tries[0].shape[1] > 1 else (1.0, -1.0, 2.0, -2.0):
        for name, (_, makes, _) in _FORMS.items():
            if all(_close(makes(scale * scores), own) for scores, own in zip(tries, given, strict=True)):
                return name, scale
    raise _not_a_link(graph)


def _close(expected: Reals, given: Reals) -> bool:
    return expected.shape == given.shape and np.allclose(given, expected, rtol=1e-4, atol=1e-6)


def _columns(numbers: Array) -> Reals:
    return np.asarray(numbers, dtype=np.float64).reshape(len(numbers), -1)


def _labels(graph: Graph, independent: Independent, sign: float) -> Labels | None:
    """The label of each class, by scores for which it is certain."""
    k, found = len(independent.kept), []
    for start in range(0, max(k, 2), ROWS):
        classes = np.arange(start, min(start + ROWS, max(k, 2)))
        rows = np.zeros((ROWS, k))
        rows[classes - start, classes if k > 1 else 0] = 4.0 if k > 1 else 4.0 * classes - 2.0
        given = answer(graph, independent.values(sign * rows))[1]
        if given is None:
            return None
        found.append(given[: len(classes)])
    return np.concatenate(found)


def _not_a_link(graph: Graph) -> UnsupportedModelError:
    nodes = ", ".join(f"{node.name!r} ({node.op_type})" for node in graph.head[:5]) or "its outputs"
    return UnsupportedModelError(
        f"what the model makes of its scores must be nothing, labels by the largest, or {', '.join(_FORMS)}. What "
        f"comes of {nodes} is something else: let the model end with its scores; {CONVERTED}. "
        f"{DOCS} lists what is read."
    )
