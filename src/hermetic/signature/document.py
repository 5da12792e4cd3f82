"""A signature as JSON, formats 1 to 4. A later one has another number, and a reader here for as long as it is in use.

The fields of the circuit stand beside those of the signature. Format 1 describes linear circuits, and names no circuit;
later ones name it. What a circuit's fields are follows from the format, so the circuit writes its number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .. import circuits
from ..errors import ParameterError, WireError
from ..features import FeatureMap
from ..head import Head
from ..json_values import number, require, string
from ..links import HEADS, VALUES, outputs_fit
from .labels import labels_from_json, labels_to_json

FORMATS = {1: "linear", 2: "trees", 3: "networks", 4: "networks"}
"""The kind of circuit that each format describes."""


def write(fields: Mapping[str, Any]) -> bytes:
    """Canonical JSON of the fields of a :class:`hermetic.signature.Signature`."""
    head, names, circuit = fields["head"], fields["feature_names"], fields["circuit"]
    found = {
        "name": fields["name"],
        "method": head.method,
        "link": head.link,
        "labels": labels_to_json(head.labels),
        "squeeze": head.squeeze,
        "feature_names": None if names is None else list(names),
        "error": fields["error"],
        **circuits.documents(circuit.kind).write(circuit),
    }
    if found["format"] > 1:
        found["circuit"] = circuit.kind
    if fields["feature_map"] is not None:
        found["feature_map"] = fields["feature_map"].document()
    if fields["backbone"] is not None:
        found["backbone"] = fields["backbone"]
    return json.dumps(found, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read(data: bytes) -> dict[str, Any]:
    """The checked fields of a signature; :func:`write` gives the same bytes.

    Raises
    ------
    WireError
        If a field is missing, unknown, of the wrong type, or inconsistent with the others, the JSON is not in the
        canonical form, or the format is a later one.
    """
    try:
        document = json.loads(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError("a signature must be JSON. It does not parse.") from error
    try:
        require(isinstance(document, dict), "a signature must be a JSON object")
        _check_format(document["format"])
        fields = _read(document)
        require(write(fields) == data, "its JSON must be canonical, and hold no other fields")
        return fields
    except WireError:
        raise
    except (ParameterError, ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise WireError(f"the signature is not valid: {type(error).__name__}: {error}") from error


def _check_format(found: Any) -> None:
    if type(found) is int and found in FORMATS:
        return
    latest = max(FORMATS)
    what_to_do = "update Hermetic" if isinstance(found, int) and found > latest else "fetch the signature again"
    raise WireError(f"the signature's format must be 1 to {latest}. Got {str(found)[:20]} instead: {what_to_do}.")


def _kind(document: Mapping[str, Any]) -> str:
    """The kind of the circuit that the format describes, or names."""
    kind = FORMATS[document["format"]]
    require(document["format"] == 1 or document["circuit"] == kind, "circuit must be the format's")
    return kind


def _read(document: Mapping[str, Any]) -> dict[str, Any]:
    feature_map = FeatureMap.from_document(document["feature_map"]) if "feature_map" in document else None
    groups = None if feature_map is None else feature_map.groups
    circuit = circuits.documents(_kind(document)).read(document, groups)
    require(feature_map is None or feature_map.outputs == circuit.features, "feature_map must match features")
    error = number(document["error"])
    require(error >= 0, "error must not be negative")
    return {
        "name": string(document["name"]),
        "head": _head(document, circuit.outputs),
        "circuit": circuit,
        "error": error,
        "feature_names": _names(
            document["feature_names"], circuit.features if feature_map is None else feature_map.inputs
        ),
        "feature_map": feature_map,
        "backbone": string(document["backbone"]) if "backbone" in document else None,
    }


def _head(document: Mapping[str, Any], outputs: int) -> Head:
    method, link, squeeze = document["method"], document["link"], document["squeeze"]
    require(isinstance(method, str) and method in HEADS, f"method must be one of {', '.join(HEADS)}: update hermetic")
    known = ", ".join(str(one) for one in HEADS[method])
    require(
        link in HEADS[method], f"link must be one of {known} with {method}. Got {str(link)[:40]!r}: update hermetic"
    )
    require(isinstance(squeeze, bool), "squeeze must be true or false")
    require(not squeeze or outputs == 1, "squeeze must go with one output")
    labels = labels_from_json(document["labels"])
    require(labels is None or outputs_fit(link, len(labels), outputs), "labels must match outputs")
    require(labels is not None or link in VALUES, "a model with this link must have labels")
    return Head(method, link, labels, squeeze)


def _names(value: Any, inputs: int) -> tuple[str, ...] | None:
    if value is None:
        return None
    require(isinstance(value, list) and len(value) == inputs, "feature_names must match features")
    return tuple(string(name) for name in value)
