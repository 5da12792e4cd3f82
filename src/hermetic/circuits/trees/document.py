"""A tree circuit's public part as JSON: its fields in a signature of format 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...inputs.grid import Grid
from ...json_values import integer, number, require, string
from ...rlwe.parameters import FAST, Parameters, parameters_for
from ..bounds import MIN_LAMBDA_BITS
from . import bounds
from .public import TreeCircuit
from .slots import Slots

MAX_INPUTS = 1 << 16
MAX_SLOTS = 1 << 17
MAX_OUTPUTS = 1 << 10
MAX_WORDS = 1 << 20
MAX_VALUES = 1 << 22
_MAX_SEAL = 64
_MAX_LIMBS = 4


def write(circuit: TreeCircuit) -> dict[str, Any]:
    """The fields of a circuit."""
    return {
        "format": 2,
        "profile": circuit.parameters.profile,
        "parameters": circuit.parameters.digest.hex(),
        "edges": circuit.slots.edges.tolist(),
        "missing": circuit.slots.missing.tolist(),
        "words": list(circuit.words),
        "trees": list(circuit.trees),
        "columns": circuit.columns,
        "limbs": circuit.limbs,
        "limb_bits": circuit.limb_bits,
        "scale_exponent": circuit.scale_exponent,
        "bits": circuit.bits,
        "seal": [list(places) for places in circuit.seal],
        "strict": circuit.strict,
        "lambda_bits": circuit.lambda_bits,
    }


def read(document: Mapping[str, Any], groups: npt.NDArray[np.intp] | None) -> TreeCircuit:
    """Read and check what :func:`write` wrote; ``groups`` of exclusive features follow from the feature map.

    Raises
    ------
    WireError, ParameterError, KeyError, TypeError, ValueError
        If a field is missing, of the wrong type, or inconsistent with the others.
    """
    slots = _slots(document)
    require(groups is not None and _same_groups(slots, groups), "feature_map must have the slots of the trees")
    words = _counts(document["words"], MAX_OUTPUTS, 1, MAX_WORDS, "words")
    trees = _counts(document["trees"], MAX_OUTPUTS, 1, MAX_WORDS, "trees")
    columns = integer(document["columns"], 1, MAX_OUTPUTS, "columns")
    require(len(words) == len(trees) and sum(words) <= MAX_WORDS, "words and trees must be those of each output")
    require(all(map(int.__ge__, words, trees)), "every tree must have a word")
    require(columns == 1 or len(words) == 1, "several columns must go with one output")
    limbs = integer(document["limbs"], 1, _MAX_LIMBS, "limbs")
    require(sum(words) * columns * limbs <= MAX_VALUES, f"words must have at most {MAX_VALUES} values")
    parameters = parameters_for(bytes.fromhex(string(document["parameters"])))
    require(parameters == FAST, "the profile of trees must be fast")
    bits = integer(document["bits"], 1, parameters.ring_degree, "bits")
    strict = document["strict"]
    require(isinstance(strict, bool), "strict must be true or false")
    circuit = TreeCircuit(
        parameters=parameters,
        grid=slot_grid(slots, groups),
        slots=slots,
        words=tuple(words),
        trees=tuple(trees),
        columns=columns,
        limbs=limbs,
        limb_bits=integer(document["limb_bits"], 0, bounds.SCORE_BITS, "limb_bits"),
        scale_exponent=integer(document["scale_exponent"], -1000, 1000, "scale_exponent"),
        bits=bits,
        seal=_seal(document["seal"], parameters, bits),
        strict=strict,
        lambda_bits=number(document["lambda_bits"]),
    )
    flood = circuit.flood_bits
    require(MIN_LAMBDA_BITS <= circuit.lambda_bits <= flood, f"answers must be flooded by {MIN_LAMBDA_BITS} to {flood}")
    return circuit


def slot_grid(slots: Slots, groups: npt.NDArray[np.intp] | None) -> Grid:
    """The grid of one-hot features: each is 0 or 1."""
    zeros, ones = np.zeros(slots.slots), np.ones(slots.slots)
    return Grid(zeros, ones, zeros.astype(np.int64), ones.astype(np.int64), True, groups)


def _slots(document: Mapping[str, Any]) -> Slots:
    edges = _counts(document["edges"], MAX_INPUTS, 0, MAX_SLOTS, "edges")
    missing = document["missing"]
    require(isinstance(missing, list) and len(missing) == len(edges), "missing must be a flag of each input")
    require(all(isinstance(one, bool) for one in missing), "missing must be true or false")
    slots = Slots(np.array(edges, dtype=np.int64), np.array(missing, dtype=np.bool_))
    require(1 <= slots.bits <= slots.slots <= MAX_SLOTS, f"there must be 1 to {MAX_SLOTS} slots")
    return slots


def _same_groups(slots: Slots, groups: npt.NDArray[np.intp]) -> bool:
    if len(groups) != slots.slots:
        return False
    starts = np.flatnonzero(np.append(True, np.diff(groups) != 0))
    return np.array_equal(starts, slots.starts[:-1])


def _counts(value: Any, most: int, low: int, high: int, name: str) -> list[int]:
    require(isinstance(value, list) and 1 <= len(value) <= most, f"{name} must be a list of 1 to {most} numbers")
    return [integer(one, low, high, name) for one in value]


def _seal(value: Any, parameters: Parameters, bits: int) -> tuple[tuple[int, ...], ...]:
    require(isinstance(value, list) and 1 <= len(value) <= _MAX_SEAL, f"seal must be 1 to {_MAX_SEAL} lists")
    most = bounds.words_per_polynomial(parameters, bounds.TESTS, 1)
    found = [_counts(places, most, bits - 1, parameters.ring_degree - 1, "seal") for places in value]
    require(all(sorted(set(one)) == one for one in found), "places of the seal must rise")
    return tuple(map(tuple, found))
