"""Layers of PyTorch modules by what they do to rows and images: shapes, and weights of scores carried backwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, NoReturn

import numpy as np

from ..arrays import Reals
from ..circuits.networks.window import Pair, Window
from ..errors import ParameterError, UnsupportedModelError
from .windows import average, composed, convolution, whole, window_over

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Values:
    """What stands between two layers.

    Attributes
    ----------
    shape
        Of a sample: (d,), or channels, rows and columns.
    window
        What each place of an image reads of the module's inputs, if not all of them.
    raw
        Whether they are the inputs, each by itself.
    """

    shape: Shape
    window: Window | None = None
    raw: bool = False

    @property
    def size(self) -> int:
        """How many values there are."""
        return prod(self.shape)


@dataclass(frozen=True)
class PlacedLayer:
    """A layer, and the values before and after it."""

    name: str
    layer: Any
    before: Values
    after: Values

    @property
    def kind(self) -> str:
        """The layer's class."""
        return type(self.layer).__name__

    def refuse(self, must: str, got: Any, instead: str) -> NoReturn:
        """Raise :class:`UnsupportedModelError` for it."""
        raise UnsupportedModelError(f"layer {self.name!r} ({self.kind}) must {must}. Got {got} instead: {instead}.")


def placed_layers(layers: list[tuple[str, Any]]) -> list[PlacedLayer]:
    """Layers with what stands before and after each.

    Raises
    ------
    UnsupportedModelError
        If one does not take what the one before gives.
    """
    values, found = Values((_inputs(layers),), raw=True), []
    for name, layer in layers:
        placed = PlacedLayer(name, layer, values, values)
        values = _shaped(placed)
        found.append(replace(placed, after=values))
    return found


def _inputs(layers: list[tuple[str, Any]]) -> int:
    """How many inputs a module has: what its first layer with a fixed number takes."""
    for _, layer in layers:
        if type(layer).__name__ == "Unflatten":
            return prod(layer.unflattened_size)
        size = getattr(layer, "in_features", getattr(layer, "num_features", 0))
        if size:
            return int(size)
    return 0


def _shaped(layer: PlacedLayer) -> Values:
    """What a layer gives."""
    if layer.kind == "Unflatten":
        return _unflattened(layer)
    if layer.kind == "Flatten":
        return replace(layer.before, shape=(layer.before.size,))
    if layer.kind in ("Conv2d", "AvgPool2d"):
        return _moved(layer)
    taken = getattr(layer.layer, "in_features", getattr(layer.layer, "num_features", None))
    if taken is None:
        return layer.before
    if len(layer.before.shape) != (3 if layer.kind == "BatchNorm2d" else 1) or taken != layer.before.shape[0]:
        layer.refuse("take what the one before gives", f"{taken} for {layer.before.shape}", "check the module")
    return Values((int(layer.layer.out_features),)) if layer.kind == "Linear" else layer.before


def _unflattened(layer: PlacedLayer) -> Values:
    sizes = tuple(int(size) for size in layer.layer.unflattened_size)
    if layer.layer.dim != 1 or len(sizes) != 3 or prod(sizes) != layer.before.size or min(sizes) < 1:
        must = f"make channels, rows and columns of {layer.before.size} values"
        layer.refuse(must, f"dim={layer.layer.dim}, {sizes}", "use Unflatten(1, (channels, rows, columns))")
    return Values(sizes, whole((sizes[0], sizes[1], sizes[2])) if layer.before.raw else None)


def _moved(layer: PlacedLayer) -> Values:
    """What a window that moves over an image gives, and what it reads of the module's inputs."""
    window = _window(layer)
    channels = layer.layer.out_channels if layer.kind == "Conv2d" else layer.before.shape[0]
    first = layer.before.window
    return Values((int(channels), *window.places), None if first is None else composed(first, window))


def _window(layer: PlacedLayer) -> Window:
    """The window of a layer over the image before it."""
    if len(layer.before.shape) != 3:
        shown, first = layer.before.shape, "put Unflatten(1, (channels, rows, columns)) before it"
        layer.refuse("take an image", f"rows of {shown[0]} values" if shown[0] else "rows of values", first)
    if layer.kind == "Conv2d" and layer.layer.in_channels != layer.before.shape[0]:
        got = f"{layer.layer.in_channels} channels for {layer.before.shape[0]}"
        layer.refuse("take what the one before gives", got, "check the module")
    kernel, stride, padding, dilation = (
        _pair(getattr(layer.layer, name, 1)) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    channels, rows, columns = layer.before.shape
    try:
        return window_over((channels, rows, columns), kernel, stride, padding, dilation)
    except ParameterError as error:
        raise UnsupportedModelError(f"layer {layer.name!r} ({layer.kind}): {error}") from error


def _pair(size: Any) -> Pair:
    rows, columns = (size, size) if isinstance(size, int) else size
    return int(rows), int(columns)


@dataclass
class Backwards:
    """Weights of k scores on the values before a layer, from the last layer to the first; see LinearMap."""

    weights: Reals
    reach: Reals
    bias: Reals
    folded: Reals
    roundings: int = 1

    def shift(self, constant: Reals) -> None:
        """Before adding a constant (m,)."""
        self.bias = self.bias + self.weights @ constant
        self.folded = self.folded + self.reach @ np.abs(constant)

    def times(self, matrix: Reals, terms: int) -> None:
        """Before a matrix (m, n) whose rows have so many terms."""
        self.weights, self.reach = self.weights @ matrix, self.reach @ np.abs(matrix)
        self.roundings += terms + 1

    def batch_norm(self, layer: Any, size: int) -> None:
        """weight·(x - running_mean)/sqrt(running_var + eps) + bias, of ``size`` values a channel."""
        scale = 1.0 / np.sqrt(array(layer.running_var) + layer.eps)
        if layer.affine:
            self.shift(np.repeat(array(layer.bias), size))
            scale = scale * array(layer.weight)
        self.weights = self.weights * np.repeat(scale, size)
        self.reach = self.reach * np.repeat(np.abs(scale), size)
        self.shift(np.repeat(-array(layer.running_mean), size))
        self.roundings += 6


def backwards(layers: list[PlacedLayer], outputs: int) -> Backwards:
    """Affine layers from the last to the first."""
    back = Backwards(np.eye(outputs), np.eye(outputs), np.zeros(outputs), np.zeros(outputs))
    for placed in reversed(layers):
        if placed.kind in ("Linear", "Conv2d") and placed.layer.bias is not None:
            back.shift(np.repeat(array(placed.layer.bias), placed.after.size // len(placed.layer.bias)))
        if placed.kind == "Linear":
            back.times(array(placed.layer.weight), placed.before.size)
        elif placed.kind == "Conv2d":
            window, layer = _window(placed), placed.layer
            back.times(convolution(array(layer.weight), window, _pair(layer.dilation), layer.groups), window.taps)
        elif placed.kind == "AvgPool2d":
            window = _window(placed)
            back.times(average(window, count_padding=placed.layer.count_include_pad), window.taps)
        elif placed.kind in ("BatchNorm1d", "BatchNorm2d"):
            back.batch_norm(placed.layer, placed.after.size // placed.layer.num_features)
    return back


def array(tensor: Any) -> Reals:
    """A tensor as an array of float64."""
    return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float64)
