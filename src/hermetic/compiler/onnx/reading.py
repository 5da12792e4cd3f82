"""An ONNX model as an affine map with a public head, as trees with one, or as a network of hidden layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from ...arrays import Reals
from ...circuits.networks.window import Window
from ...errors import CompileError, UnsupportedModelError
from ...features import Block, Columns, FeatureMap, Identity
from ...head import Head
from ..linear import LinearMap
from ..pass_through import merged
from ..rounding import unit_of
from .answers import OnnxModel
from .files import load, simplified
from .graph import ROWS, Array, Graph, Input, Step
from .head import Independent, check_head, recognise
from .networks import OnnxNetwork, hidden_activations, read_network
from .operators import is_trees, kind_of, read_back
from .public import PublicFeatures, read_public, shape_of, width
from .weights import Backwards, Weights
from .windows import window_at

if TYPE_CHECKING:
    from .tree_reading import OnnxTrees


def read_onnx(
    source: str | Path | ModelProto, labels: Any = None
) -> tuple[LinearMap, OnnxModel | OnnxNetwork | OnnxTrees]:
    """Read a model: the map, and the model itself to compare it with. ``labels`` name the classes of a model that has
    no names for them.

    Raises
    ------
    UnsupportedModelError
        For an operator that is not read, naming its node.
    CompileError
        For a file that is broken or missing, or labels that do not fit.
    """
    model = load(source)
    try:
        plain = simplified(model)
        if any(map(is_trees, plain.graph.node)):
            return _read_trees(plain, labels)
        activations = hidden_activations(plain.graph)
        if activations:
            return read_network(plain, activations, labels, _read_model, _layer_of)
        return _read_model(plain, labels)
    except CompileError:
        raise
    except Exception as error:  # whatever the libraries that read a model make of a broken one
        raise CompileError(f"the model must be a valid ONNX model. Reading it fails: {error}") from error


def _read_trees(model: ModelProto, labels: Any) -> tuple[LinearMap, OnnxTrees]:
    try:
        from .tree_reading import read_trees
    except ImportError as error:
        raise CompileError(
            "reading ONNX models of trees needs scikit-learn. Install it with: pip install 'hermetic[sklearn]'"
        ) from error
    return read_trees(model, labels, _read_model)


def _layer_of(model: ModelProto, name: str) -> tuple[tuple[int, ...], Window | None]:
    """The shape of a tensor for one sample, and what each of its places reads: :func:`.windows.window_at`."""
    graph = Graph(model, kind_of, shape_of)
    return graph.values[name].shape[1:], window_at(graph, name)


def _read_model(model: ModelProto, labels: Any) -> tuple[LinearMap, OnnxModel]:
    graph = Graph(model, kind_of, shape_of)
    check_head(graph)
    if not graph.scores:
        raise CompileError("the model must compute something from its inputs. Its outputs do not depend on them.")
    back = _read(graph)
    public = [read_public(step, _columns(graph, step), _inputs(graph)) for step in graph.public]
    weights = _of_features(graph, back, public)
    scores = _independent(graph, weights.values, back.bias)
    kept, head = scores.kept, recognise(graph, scores)
    head = head if labels is None else head.named(labels, len(kept))
    labelled = head.labels is not None
    linear = LinearMap(
        head.scale * weights.values[kept],
        head.scale * back.bias[kept],
        Head("decision_function" if labelled else "predict", head.link, head.labels, squeeze=head.squeeze),
        feature_names=_names(graph.inputs),
        reach=abs(head.scale) * weights.reach[kept],
        folded=abs(head.scale) * back.folded[kept],
        precision=_precision(graph),
        roundings=back.roundings + 1,
        feature_map=_feature_map(graph, back, public),
        public=tuple(one.publication for one in public),
    )
    return linear, OnnxModel(graph, head, kept)


def _read(graph: Graph) -> Backwards:
    """Back from the scores to the inputs."""
    widths = [graph.values[name].size // ROWS for name in graph.scores]
    each = np.split(np.eye(sum(widths)), np.cumsum(widths)[:-1], axis=1)
    return _back(graph, dict(zip(graph.scores, each, strict=True)), sum(widths))


def _back(graph: Graph, weights: dict[str, Reals], scores: int) -> Backwards:
    back = Backwards({name: Weights(one, one) for name, one in weights.items()}, scores)
    for step in reversed(graph.steps):
        read_back(step, back)
    return back


def _inputs(graph: Graph) -> int:
    return sum(one.columns for one in graph.inputs)


def _columns(graph: Graph, step: Step) -> list[int]:
    """Which inputs a public node takes: as they come, so that each of its values has one weight."""
    back = _back(graph, {step.node.input[0]: np.eye(width(step))}, width(step))
    found = _of_inputs(graph, back).values
    if (np.count_nonzero(found, axis=1) != 1).any():
        raise UnsupportedModelError(
            f"node {step.node.name!r} ({step.node.op_type}) must take inputs as they come. It does not: export the "
            "model with this step first."
        )
    return [int(one) for one in found.argmax(axis=1)]


def _of_inputs(graph: Graph, back: Backwards) -> Weights:
    """The weights on X (n, d), column by column."""
    return _joined([_or_none(back, one.name, one.columns) for one in graph.inputs])


def _of_features(graph: Graph, back: Backwards, public: list[PublicFeatures]) -> Weights:
    """The weights on the features: X alone, or those of its columns that matter, and then what public nodes give."""
    direct = _of_inputs(graph, back)
    if not public:
        return direct
    used = _used(direct)
    parts = [Weights(direct.values[:, used], direct.reach[:, used])]
    for step, one in zip(graph.public, public, strict=True):
        own = _or_none(back, step.node.output[0], step.result.size // ROWS)
        total = sum(block.outputs for block in one.blocks)
        parts.append(Weights(*(_placed(values, one.places, total) for values in (own.values, own.reach))))
    return _joined(parts)


def _feature_map(graph: Graph, back: Backwards, public: list[PublicFeatures]) -> FeatureMap | None:
    if not public:
        return None
    used, inputs = _used(_of_inputs(graph, back)), _inputs(graph)
    blocks: list[Block] = [Columns(Identity(len(used)), used, inputs)] if len(used) else []
    blocks += [block for one in public for block in one.blocks]
    return FeatureMap(*blocks, categories=merged(*(one.categories for one in public)))


def _used(weights: Weights) -> npt.NDArray[np.intp]:
    return np.flatnonzero(weights.reach.any(axis=0))


def _placed(values: Reals, places: Array, total: int) -> Reals:
    found = np.zeros((len(values), total))
    found[:, places] = values
    return found


def _or_none(back: Backwards, name: str, columns: int) -> Weights:
    """Weights on a tensor; zeros where no score depends on it."""
    zeros = np.zeros((len(back.bias), columns))
    return back.weights.get(name, Weights(zeros, zeros))


def _joined(parts: list[Weights]) -> Weights:
    values, reach = ([getattr(part, name) for part in parts] for name in ("values", "reach"))
    return Weights(np.concatenate(values, axis=1), np.concatenate(reach, axis=1))


def _independent(graph: Graph, weights: Reals, bias: Reals) -> Independent:
    """All values of the tensors of scores, but the first of two that is the second's negative, as converters write two
    classes.
    """
    kept: list[int] = []
    columns: list[int] = []
    signs: list[float] = []
    for name in graph.scores:
        start, width = len(columns), graph.values[name].size // ROWS
        if width == 2 and _opposite(weights[start : start + 2]) and _opposite(bias[start : start + 2]):
            columns += [len(kept)] * 2
            signs += [-1.0, 1.0]
            kept.append(start + 1)
        else:
            columns += range(len(kept), len(kept) + width)
            signs += [1.0] * width
            kept += range(start, start + width)
    return Independent(kept, np.array(columns), np.array(signs))


def _opposite(pair: Reals) -> bool:
    return bool((pair[0] == -pair[1]).all())


def _names(inputs: tuple[Input, ...]) -> tuple[str, ...] | None:
    alone = len(inputs) > 1 and all(one.columns == 1 for one in inputs)
    return tuple(one.name for one in inputs) if alone else None


def _precision(graph: Graph) -> float:
    """The unit roundoff of the least precise type that the model computes with."""
    types = {graph.values[name].dtype for name in graph.scores} | {step.result.dtype for step in graph.steps}
    return max((unit_of(dtype.name) for dtype in types if dtype.kind == "f"), default=2.0**-53)
