"""Chains of estimators

Each takes the values before it in float64, and with them the inputs, whatever their type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...head import Head
from ..linear import LinearMap, affine
from ..side_by_side import side_by_side
from .combined import binary_parts, check_same_labels, kept_private, values_of
from .precision import taking
from .registry import reads, refuse


@reads("RegressorChain", gives="`predict`: values", condition="of supported linear regressions of one target")
def _regressor_chain(chain: Any) -> LinearMap:
    with taking(None):
        parts = values_of(chain, chain.estimators_)
    return _in_order(chain, _unrolled(parts, chain.estimators_), Head("predict"))


@reads(
    "ClassifierChain",
    gives="`decision_function`: scores, labels; probabilities of logistic parts",
    condition="`chain_method='decision_function'`, the same two labels in each",
)
def _classifier_chain(chain: Any) -> LinearMap:
    if chain.chain_method_ != "decision_function":
        got = f"chain_method={chain.chain_method_!r}"
        instead = "fit it again with that: labels and probabilities of one link are not linear in the next"
        refuse("ClassifierChain", "have chain_method='decision_function'", got, instead)
    with taking(None):
        parts = binary_parts(chain, chain.estimators_)
    links = {one.head.link for one in parts}
    check_same_labels("ClassifierChain", parts, fit=links in ({None}, {"logistic"}))
    link = "multilabel" if links == {None} else "multilabel_logistic"
    # The chain gives labels as float64.
    values = np.array(parts[0].head.labels, dtype=np.float64)
    return _in_order(chain, _unrolled(parts, chain.estimators_), Head("decision_function", link, values))


def _unrolled(parts: Sequence[LinearMap], estimators: Sequence[Any]) -> LinearMap:
    """The value of every part from the inputs alone: each takes the inputs and the values of those before it."""
    same = affine(np.eye(parts[0].inputs))
    found: list[LinearMap] = []
    for part in parts:
        before = [kept_private(one, estimator) for one, estimator in zip(found, estimators, strict=False)]
        found.append(part.after(side_by_side([same, *before])))
    return side_by_side(found)


def _in_order(chain: Any, values: LinearMap, head: Head) -> LinearMap:
    """The values in the order of the targets."""
    places = np.argsort(chain.order_)
    return LinearMap(np.eye(len(places))[places], np.zeros(len(places)), head).after(values)
