"""``tolerance=`` down to what float32 resolves: a millionth of the range of scores, guaranteed, for every estimator."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import hermetic
from hermetic import CompiledModel, PrecisionError
from hermetic.circuits.linear.integers import recombine
from hermetic.links import response_error
from known_weights import answered, client_of

from .boosted import BOOSTED
from .estimators import CASES, Case, data
from .expanded import EXPANDED
from .test_estimators import ROWS, Run, rounding, run, worst_inputs

FLOAT32 = 1e-6
ALL = [*CASES, *BOOSTED, *EXPANDED]
ENCRYPTED = [*CASES, *EXPANDED][::12]
"""Some of those that compute in float64."""

of_all = pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)


def score_range(one: Run) -> float:
    """Of scores of the data, all outputs together; a constant's size."""
    scores = one.scores[:ROWS]
    return float(np.ptp(scores) or np.abs(scores).max())


@cache
def tight(case: Case) -> CompiledModel | PrecisionError:
    """The case compiled for float32 agreement, or why it cannot be."""
    one = run(case)
    options = {key: value for key, value in case.options.items() if key not in ("profile", "flooding")}
    try:
        return hermetic.compile(
            one.estimator, data(case.data)[0], **{**options, "tolerance": FLOAT32 * score_range(one)}
        )
    except PrecisionError as error:
        return error


def asked(case: Case, model: CompiledModel) -> np.ndarray:
    """Samples of the data, and inputs where the tight model is worst, if they are encrypted themselves."""
    X = run(case).X
    return X if model.signature.feature_map is not None else np.vstack([X[:ROWS], worst_inputs(model)])


@of_all
def test_a_millionth_of_the_range_is_guaranteed_and_kept(case: Case) -> None:
    one, model = run(case), tight(case)
    if isinstance(model, PrecisionError):
        assert one.response.dtype == np.float32, "only what the estimator itself rounds is in the way"
        return
    signature = model.signature
    assert signature.error <= FLOAT32 * score_range(one)
    X = asked(case, model)
    client, integers = client_of(model), model.integers
    found = recombine(
        integers.apply(client.quantize(X)[0]), integers.limbs, integers.limb_bits, integers.scale_exponent
    )
    if one.chooses_only:
        return
    scores = found[:, 0] if signature.squeeze else found
    own = replace(one, model=model, X=X).response
    allowed = response_error(signature.method, signature.link, scores, one.classes, signature.error)
    assert (np.abs(client.scores_to_response(scores) - own) <= allowed + rounding(own)).all()


@pytest.mark.parametrize("case", ENCRYPTED, ids=lambda case: case.name)
def test_its_answers_are_the_reference(case: Case) -> None:
    model = tight(case)
    assert isinstance(model, CompiledModel)
    client, X = client_of(model), asked(case, model)
    found = client.decrypt_integers(answered(model, client, X))
    assert np.array_equal(found, model.integers.apply(client.quantize(X)[0]))


@of_all
def test_what_cannot_be_guaranteed_is_refused_with_what_can(case: Case) -> None:
    refused = tight(case)
    if isinstance(refused, CompiledModel):
        return
    least = re.search(r"The least error that can be is ([^,]+), with profile", str(refused))
    assert least is not None
    options = {key: value for key, value in case.options.items() if key not in ("profile", "flooding")}
    offered = {**options, "tolerance": float(least[1])}
    assert hermetic.compile(run(case).estimator, data(case.data)[0], **offered).signature.error <= float(least[1])
