"""How often a network on ciphertexts gives what it gives in plain: its activations may be polynomials there."""

from __future__ import annotations

import warnings

import numpy as np

from ..arrays import Reals
from ..model import CompiledModel
from .network_map import NetworkMap
from .spread import PrecisionWarning

_ENOUGH = 0.99


def agreement_of(model: CompiledModel, network: NetworkMap, features: Reals | None) -> float | None:
    """The share of the sample's ``features`` (n, d) whose label is the network's own; of values that are no labels, the
    share of their variance that is explained. None without a sample.

    Warns
    -----
    PrecisionWarning
        If it is below 0.99.
    """
    if features is None:
        return None
    head, grid = model.signature.head, model.signature.grid
    own = head.shaped(network.scores(features))
    found = head.shaped(model.reference(grid.quantize(features)))
    if head.labels is None:
        agreement = 1 - float(np.mean((found - own) ** 2)) / max(float(np.var(own)), 1e-300)
    else:
        agreement = float(np.mean(head.predict(found) == head.predict(own)))
    if agreement < _ENOUGH:
        what = "of the variance of values is" if head.labels is None else "of labels are"
        warnings.warn(
            f"a network on ciphertexts must agree with itself in plain. On X_sample {100 * agreement:.1f} % {what} the "
            "same: polynomials stand for its activations, which are less alike the larger hidden values are. Fit it "
            "with more regularisation (alpha), or train it with square activations: hermetic.train distils one.",
            PrecisionWarning,
            stacklevel=3,
        )
    return agreement
