"""How often a network on ciphertexts gives what it gives in plain: its activations may be polynomials there."""

from __future__ import annotations

import warnings

import numpy as np

from ..arrays import Reals
from ..head import Head
from ..model import CompiledModel
from .network_map import NetworkMap
from .spread import PrecisionWarning

ENOUGH = 0.99


def agreement(head: Head, own: Reals, found: Reals) -> float:
    """The share of samples whose label is the same by scores (n, k) ``found`` as by the network's ``own``; of values
    that are no labels, the share of their variance that is explained.
    """
    if head.labels is None:
        return 1 - float(np.mean((found - own) ** 2)) / max(float(np.var(own)), 1e-300)
    return float(np.mean(head.predict(head.shaped(found)) == head.predict(head.shaped(own))))


def agreement_of(model: CompiledModel, network: NetworkMap, features: Reals | None) -> float | None:
    """The agreement on the sample's ``features`` (n, d); None without a sample.

    Warns
    -----
    PrecisionWarning
        If it is below 0.99.
    """
    if features is None:
        return None
    head = model.signature.head
    found = agreement(head, network.scores(features), model.reference(model.signature.grid.quantize(features)))
    if found < ENOUGH:
        what = "of the variance of values is" if head.labels is None else "of labels are"
        warnings.warn(
            f"a network on ciphertexts must agree with itself in plain. On X_sample {100 * found:.1f} % {what} the "
            "same: polynomials stand for its activations, which are less alike the larger hidden values are. Fit it "
            "with more regularisation (alpha), or train it with square activations: hermetic.train distils one.",
            PrecisionWarning,
            stacklevel=3,
        )
    return found
