"""PyTorch modules of Linear layers and convolutions, with what stands between and after them in inference: affine ones,
and networks of hidden layers.

PyTorch is never imported here: a module brings its own tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import UnsupportedModelError
from ..head import Head
from .activations import ACTIVATIONS, Activation, polynomial
from .classes import chosen, named_classes
from .linear import LinearMap
from .network_map import HiddenMap, NetworkMap
from .torch_layers import PlacedLayer, array, backwards, placed_layers

LAYERS = {
    "Linear": "",
    "Conv2d": "with zeros as padding; images come from rows by `Unflatten`",
    "AvgPool2d": "without `ceil_mode`",
    "BatchNorm1d": "with running statistics, in eval mode",
    "BatchNorm2d": "with running statistics, in eval mode",
    "Dropout": "in eval mode",
    "Dropout2d": "in eval mode",
    "Unflatten": "of rows into channels, rows and columns: `Unflatten(1, (1, 28, 28))`",
    "Flatten": "of all axes but the first",
    "Identity": "",
    "ReLU": "after a Linear layer or a convolution",
    "Tanh": "after a Linear layer or a convolution",
    "Square": "of `hermetic.train`, after a Linear layer or a convolution",
    "Polynomial": "of `hermetic.train`, after a Linear layer or a convolution",
    "Sequential": "of these",
    "Softmax": "at the end, over the classes",
    "LogSoftmax": "at the end, over the classes",
    "Sigmoid": "at the end, of one score; or after a Linear layer or a convolution",
}
"""The classes of torch.nn that are read, with conditions in words."""

_ACTIVATIONS = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "logistic", "Square": "square"}
_POLYNOMIAL = "Polynomial"
_MODULES = ("torch.nn.modules.", "hermetic.train")

_LINKS = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "logistic"}
_PRECISIONS = {"torch.float32": 2.0**-24, "torch.float64": 2.0**-53}
_DOCS = "docs/supported-models.md"


@dataclass(frozen=True, eq=False)
class TorchModel:
    """A module as an estimator, which the compiled model must equal.

    Attributes
    ----------
    module
        The module in eval mode.
    layers
        Those up to the scores.
    map
        What was read.
    logarithms
        Whether it ends with logarithms of probabilities.
    """

    module: Any
    layers: list[Any]
    map: LinearMap
    logarithms: bool

    def decision_function(self, X: Any) -> Reals:
        """The scores (n, k), or (n,) of the second of two classes."""
        scores = self._tensor(X)
        for layer in self.layers:
            scores = layer(scores)
        found = array(scores)
        return found[:, 0] if self.map.head.squeeze else found

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The label of the largest score, or the module's output."""
        if self.map.head.labels is None:
            return array(self.module(self._tensor(X)))
        return np.asarray(self.map.head.labels[chosen(self.decision_function(X))])

    def predict_proba(self, X: Any) -> npt.NDArray[Any]:
        """The module's own probabilities (n, classes), in its precision."""
        given = self.module(self._tensor(X)).detach().cpu().numpy()
        if self.logarithms:
            given = np.exp(given)
        return given if given.shape[1] > 1 else np.concatenate([1.0 - given, given], axis=1)

    def _tensor(self, X: Any) -> Any:
        return next(iter(self.module.parameters())).detach().new_tensor(np.asarray(X, dtype=np.float64))


def is_torch_module(model: object) -> bool:
    """Whether an object is a torch.nn.Module."""
    return any((one.__module__, one.__name__) == ("torch.nn.modules.module", "Module") for one in type(model).__mro__)


def read_torch_module(module: Any, labels: Any = None) -> tuple[LinearMap, TorchModel]:
    """Read a module: the map, and the module itself to compare it with. ``labels`` name the classes.

    Raises
    ------
    UnsupportedModelError
        For a layer that is not affine, or an option of one.
    CompileError
        For labels that do not fit, or weights that are not finite.
    """
    layers = list(_layers(module, ""))
    link = _link(layers)
    affine = layers if link is None else layers[:-1]
    if not any(type(layer).__name__ in ("Linear", "Conv2d") for _, layer in affine):
        _refuse("the module", "have a Linear layer", "none", "there is nothing to hide")
    placed = placed_layers(affine)
    if len(placed[-1].after.shape) != 1:
        _refuse(
            "the module", "end with rows of scores", f"images of {placed[-1].after.shape}", "add Flatten and Linear"
        )
    k = placed[-1].after.size
    if link == "logistic" and k != 1:
        _refuse(f"layer {layers[-1][0]!r} (Sigmoid)", "be of one score", f"{k}", "let the module end with its scores")
    classes = named_classes(labels, k, numbered=link is not None)
    method = "predict" if classes is None else "decision_function"
    linear = _map(placed, Head(method, link, classes, squeeze=classes is not None and k == 1), _precision(module))
    logarithms = type(layers[-1][1]).__name__ == "LogSoftmax"
    return linear, TorchModel(module, [layer for _, layer in affine], linear, logarithms)


def _map(layers: list[PlacedLayer], head: Head, precision: float) -> LinearMap:
    """Layers up to the scores, as an affine map or a network."""
    places = [i for i, layer in enumerate(layers) if layer.kind in {*_ACTIVATIONS, _POLYNOMIAL}]
    found = backwards(layers[places[-1] + 1 :] if places else layers, layers[-1].after.size)
    if not places:
        return LinearMap(
            found.weights,
            found.bias,
            head,
            reach=found.reach,
            folded=found.folded,
            precision=precision,
            roundings=found.roundings,
        )
    starts = [0, *(place + 1 for place in places[:-1])]
    hidden = tuple(_hidden(layers[start:place], layers[place]) for start, place in zip(starts, places, strict=True))
    return NetworkMap(
        np.zeros((len(found.bias), hidden[0].weights.shape[1])),
        found.bias,
        head,
        layers=hidden,
        readout=found.weights,
        step="module",
        precision=precision,
        passes={},
        window=layers[places[0]].before.window,
    )


def _hidden(layers: list[PlacedLayer], activation: PlacedLayer) -> HiddenMap:
    """Affine layers and the activation after them."""
    if not any(layer.kind in ("Linear", "Conv2d") for layer in layers):
        instead = "apply it to the inputs before hermetic, or put a Linear layer between it and the activation before"
        _refuse(f"layer {activation.name!r}", "come after a Linear layer", "none", instead)
    found = backwards(layers, activation.before.size)
    return HiddenMap(found.weights, found.bias, _activation(activation))


def _activation(layer: PlacedLayer) -> Activation:
    if layer.kind == _POLYNOMIAL:
        return polynomial(_coefficients(layer))
    return ACTIVATIONS[_ACTIVATIONS[layer.kind]]


def _coefficients(layer: PlacedLayer) -> Reals:
    """One row a neuron, or one for all (D+1,)."""
    rows, shape = array(layer.layer.coefficients), layer.before.shape
    if len(rows) == 1:
        return np.asarray(rows[0])
    if len(rows) != shape[0]:
        layer.refuse("have a polynomial for each map", f"{len(rows)} for {shape[0]}", "pass maps= to Polynomial")
    return np.repeat(rows, layer.before.size // shape[0], axis=0)


def _layers(module: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Name and layer, one after the other, in Sequential and its like."""
    kind = type(module)
    if kind.__name__ not in LAYERS or not kind.__module__.startswith(_MODULES):
        shown = f"layer {name!r}" if name else "the module"
        _refuse(
            shown,
            f"be one of torch.nn's {', '.join(LAYERS)}",
            kind.__name__,
            "keep the layers up to it as public features (features=), or export a model that is affine with "
            "torch.onnx.export and compile the .onnx file",
        )
    if kind.__name__ == "Sequential":
        for inner, layer in module.named_children():
            yield from _layers(layer, f"{name}.{inner}" if name else inner)
        return
    _check_options(module, name or kind.__name__)
    yield name or kind.__name__, module


def _check_options(layer: Any, name: str) -> None:
    shown, kind = f"layer {name!r} ({type(layer).__name__})", type(layer).__name__
    if kind in ("BatchNorm1d", "BatchNorm2d", "Dropout", "Dropout2d") and layer.training:
        _refuse(shown, "be in eval mode", "training mode", "call .eval() on the module")
    if kind in ("BatchNorm1d", "BatchNorm2d") and layer.running_mean is None:
        _refuse(shown, "have running statistics", "track_running_stats=False", "train it with them")
    if kind == "Flatten" and (layer.start_dim, layer.end_dim) != (1, -1):
        _refuse(shown, "flatten all axes but the first", f"{layer.start_dim} to {layer.end_dim}", "use Flatten()")
    if kind == "Conv2d" and (layer.padding_mode != "zeros" or isinstance(layer.padding, str)):
        got = f"padding={layer.padding!r} of {layer.padding_mode!r}"
        _refuse(shown, "have so many zeros as padding", got, "give padding as numbers, and padding_mode='zeros'")
    if kind == "AvgPool2d" and (layer.ceil_mode or layer.divisor_override):
        _refuse(shown, "average whole windows", "ceil_mode or divisor_override", "leave them out")
    if kind in ("Softmax", "LogSoftmax") and layer.dim not in (1, -1):
        _refuse(shown, "have dim=1", f"dim={layer.dim}", "pass dim=1")


def _link(layers: list[tuple[str, Any]]) -> str | None:
    for name, layer in layers[:-1]:
        if type(layer).__name__ in set(_LINKS) - set(_ACTIVATIONS):
            kind = type(layer).__name__
            _refuse(
                f"layer {name!r} ({kind})",
                "be the last one",
                "others after it",
                "keep the layers up to it as public features (features=)",
            )
    return _LINKS.get(type(layers[-1][1]).__name__) if layers else None


def _precision(module: Any) -> float:
    kinds = {str(parameter.dtype) for parameter in module.parameters()}
    if len(kinds) != 1 or not kinds <= set(_PRECISIONS):
        _refuse("the module", "have parameters of float32 or float64", ", ".join(sorted(kinds)), "call .float() on it")
    return _PRECISIONS[kinds.pop()]


def _refuse(what: str, must: str, got: str, instead: str) -> NoReturn:
    raise UnsupportedModelError(f"{what} must {must}. Got {got} instead: {instead}. {_DOCS} lists what is supported.")
