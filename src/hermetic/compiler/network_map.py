"""A network of hidden layers, whose weights stay private."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NoReturn

import numpy as np

from ..arrays import Reals
from ..circuits.networks.window import Window
from ..errors import UnsupportedModelError
from .activations import Activation
from .linear import LinearMap


@dataclass(frozen=True, eq=False)
class HiddenMap:
    """activation(weights (H, d) · x + bias (H,)) of what is before it."""

    weights: Reals
    bias: Reals
    activation: Activation

    def apply(self, values: Reals) -> Reals:
        """What the layer makes (n, H) of what is before it (n, d)."""
        return self.activation.apply(values @ self.weights.T + self.bias)


@dataclass(frozen=True, eq=False)
class NetworkMap(LinearMap):
    """scores = readout (k, H) · h + bias (k,), where the hidden ``layers`` make h of inputs or public features x.

    As a linear map its weights are 0: what counts are the layers. ``step`` is the estimator's class in lower case;
    ``window`` what hidden values read where the first layer is a convolution.
    """

    layers: tuple[HiddenMap, ...] = field(kw_only=True)
    readout: Reals = field(kw_only=True)
    step: str = field(kw_only=True)
    window: Window | None = field(default=None, kw_only=True)
    knows_rounding: ClassVar[bool] = True

    def scores(self, features: Reals) -> Reals:
        """The scores (n, k) of features (n, d)."""
        values = features
        for layer in self.layers:
            values = layer.apply(values)
        return np.asarray(values @ self.readout.T + self.bias)

    def check_linear(self) -> NoReturn:
        """Refuse what takes scores together with others, or makes public features of them."""
        raise UnsupportedModelError(
            f"what other parts follow, or stand beside, must be linear. Got a network ({self.step}): compile it alone."
        )

    def after(self, first: LinearMap) -> LinearMap:
        """As :meth:`LinearMap.after`: an affine step before the inputs goes into the layer."""
        found = super().after(first)
        if self.feature_map is not None or not isinstance(found, NetworkMap):
            return found
        weights = first.weights.toarray() if hasattr(first.weights, "toarray") else first.weights
        if self.window is not None and np.count_nonzero(weights) != np.count_nonzero(np.diagonal(weights)):
            raise UnsupportedModelError(
                "what comes before a convolution must scale each input by itself. Got a step that mixes inputs: leave "
                "it out, or make it a layer."
            )
        layer, *further = self.layers
        moved = replace(layer, weights=layer.weights @ weights, bias=layer.bias + layer.weights @ first.bias)
        return replace(found, layers=(moved, *further))

    def _before(self, last: LinearMap) -> LinearMap:
        """``last``, which is affine, of the scores."""
        weights: Any = last.weights.toarray() if hasattr(last.weights, "toarray") else last.weights
        terms: Any = last.terms.toarray() if hasattr(last.terms, "toarray") else last.terms
        return replace(
            self,
            weights=np.zeros((len(last.bias), self.weights.shape[1])),
            bias=last.bias + weights @ self.bias,
            readout=weights @ self.readout,
            head=last.head,
            feature_names=None,
            own_error=last.own_error + terms @ np.broadcast_to(self.own_error, self.bias.shape),
            public=self.public + last.public,
            hidden=self.hidden + last.hidden,
        )
