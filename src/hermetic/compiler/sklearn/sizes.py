"""Powers of inputs, and samples of the same size: steps that clients compute"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...features import Block, Chain, Normalise, Power, Scale
from ..linear import LinearMap
from .precision import narrow_input
from .public_steps import public_step
from .registry import reads_step, refuse
from .steps import scaled, standard_scaler

_LEAST = 10
"""The norm below which scikit-learn leaves a dense sample as it is, in units of the last place of 1."""


@reads_step("PowerTransformer", condition="exponents become public: they need `public=`")
def _power(step: Any) -> LinearMap:
    words = f"exponents of {len(step.lambdas_)} inputs"
    raised = public_step(step, [Power(step.lambdas_, step.method)], (words, True))
    return standard_scaler(step._scaler).after(raised) if step.standardize else raised


@reads_step("Normalizer")
def _normalizer(step: Any) -> LinearMap:
    least = _LEAST * float(np.finfo(narrow_input() or "float64").eps)
    return public_step(step, [Normalise(step.n_features_in_, step.norm, least)], (f"the norm {step.norm}", False))


@reads_step(
    "TfidfTransformer",
    condition="`sublinear_tf=False`; with a norm, the inverse frequencies of terms become public: they need `public=`",
)
def _inverse_frequencies(step: Any) -> LinearMap:
    """Counts times inverse frequencies, and then the norm."""
    if step.sublinear_tf:
        refuse("TfidfTransformer", "have sublinear_tf=False", "True", "fit it again with that")
    terms, weights = step.n_features_in_, np.asarray(step.idf_ if step.use_idf else np.ones(step.n_features_in_))
    if step.norm is None:
        return replace(scaled(weights), block=Scale(terms, factor=weights))
    blocks: list[Block] = [Scale(terms, factor=weights)] if step.use_idf else []
    words = f"inverse frequencies of {terms} terms" if step.use_idf else f"the norm {step.norm}"
    return public_step(step, [Chain(*blocks, Normalise(terms, step.norm))], (words, bool(step.use_idf)))
