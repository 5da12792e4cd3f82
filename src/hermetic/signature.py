"""The public description of a compiled model: all that a client needs, and all that it learns before it asks.

A signature reveals the model's shape, its public input grid, labels and link, the scale 2^-s, the guaranteed error and
the flooding of its answers (which follow from the size of the weights), and no weight.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .circuits.linear import bounds, plan
from .circuits.linear.integers import MAX_RESULT_BITS
from .circuits.linear.packing import Layout
from .envelope import SIGNATURE, open_envelope, seal
from .errors import ParameterError, WireError
from .features import FeatureMap
from .inputs.grid import Grid
from .links import HEADS, has_probabilities, outputs_fit
from .rlwe.parameters import Parameters, parameters_for

FORMAT = 1
MAX_FEATURES = 1 << 20
MAX_OUTPUTS = 1 << 20
MAX_LAYOUTS = 64
MAX_LABEL_BYTES = 64 << 20
MAX_SIGNATURE_BYTES = 256 << 20

Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class Offer:
    """A layout that the model answers, and the flooding (lambda, in bits) of its answers."""

    layout: Layout
    lambda_bits: float


@dataclass(frozen=True, eq=False)
class Signature:
    """What is public about a model. Made by :func:`hermetic.compile`, read by :class:`hermetic.Client`.

    Attributes
    ----------
    name
        The model's name.
    parameters
        The ring parameters.
    grid
        The public integer grid of the d features that are encrypted.
    feature_map
        The public map from inputs to these features; ``None`` when the inputs are the features.
    backbone
        The name of the public function that computes the inputs from something else, see
        :mod:`hermetic.features.backbone`; ``None`` when there is none.
    outputs
        k, the number of scores of one sample.
    method
        The estimator's method that decrypted scores give, one of :data:`hermetic.links.HEADS`. They equal it, or its
        argument to the link.
    link
        The public function of scores that makes probabilities of them, or (``exp``, ``one_vs_one``, ``votes``,
        ``mean_logistic``) what the method gives, or (``pairs``, ``multilabel``) labels; ``None`` when the estimator has
        none.
    labels
        The classes, any dtype; ``None`` for a regression.
    squeeze
        Whether one output is returned as shape (n,) instead of (n, 1).
    feature_names
        The column names seen in fitting, or ``None``.
    result_bits, scale_exponent, limbs, limb_bits
        T and the public integer scale, see :mod:`hermetic.circuits.linear.integers`.
    error
        Guaranteed bound on |decrypted score - estimator's score|, for every input in range; before the link.
    offers
        The layouts that the model answers.
    """

    name: str
    parameters: Parameters
    grid: Grid
    outputs: int
    method: str
    link: str | None
    labels: Labels | None
    squeeze: bool
    feature_names: tuple[str, ...] | None
    result_bits: int
    scale_exponent: int
    limbs: int
    limb_bits: int
    error: float
    offers: tuple[Offer, ...]
    feature_map: FeatureMap | None = None
    backbone: str | None = None

    @property
    def features(self) -> int:
        """d, the number of values of one sample that are encrypted."""
        return self.grid.features

    @property
    def methods(self) -> tuple[str, ...]:
        """The estimator's methods that clients have: ``method`` itself, ``predict`` but of a transformer, and
        ``predict_proba`` where the link gives probabilities.
        """
        found = [self.method]
        found += [] if self.method == "transform" else ["predict"]
        found += ["predict_proba"] if has_probabilities(self.link) else []
        return tuple(dict.fromkeys(found))

    @property
    def inputs(self) -> int:
        """The number of values of one sample that the client starts from: d, or what the feature map takes."""
        return self.features if self.feature_map is None else self.feature_map.inputs

    @property
    def integer_outputs(self) -> int:
        """Integer results of one sample: k times the number of limbs."""
        return self.outputs * self.limbs

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts that the model answers."""
        return tuple(offer.layout for offer in self.offers)

    @property
    def delta(self) -> int:
        """The scale of integer results modulo q'."""
        return bounds.delta(self.parameters, self.result_bits)

    @cached_property
    def flood_bits(self) -> int:
        """F: answers are flooded with uniform integers in [-2^(F-1), 2^(F-1))."""
        return bounds.flood_bits(self.parameters, self.result_bits)

    @property
    def lambda_bits(self) -> float:
        """The least flooding of any answer, in bits above the worst-case noise that depends on the weights."""
        return min(offer.lambda_bits for offer in self.offers)

    @property
    def result_noise(self) -> int:
        """Largest |noise| of an honest answer."""
        return bounds.result_noise(self.parameters, self.flood_bits, self.lambda_bits)

    def layouts_for(self, samples: int) -> tuple[Layout, ...]:
        """The layouts in which a batch of that many samples is answered; some are for large batches alone, see
        :func:`hermetic.circuits.linear.bounds.layout_allowed`.
        """
        return tuple(one for one, least in self._least_samples if samples >= least)

    @cached_property
    def _least_samples(self) -> tuple[tuple[Layout, int], ...]:
        """Every layout, and the least batch that is answered in it."""
        parameters, flood = self.parameters, self.flood_bits
        return tuple((one, bounds.least_samples(parameters, one, self.features, flood)) for one in self.layouts)

    def layout_for(self, samples: int) -> Layout:
        """The cheapest layout for a batch of that many samples."""
        layouts = self.layouts_for(samples)
        return plan.cheapest(self.parameters, layouts, self.features, self.integer_outputs, samples)

    def cost(self, samples: int) -> plan.Cost:
        """What a batch of that many samples costs in its cheapest layout."""
        layout = self.layout_for(samples)
        return plan.cost(self.parameters, layout, self.features, self.integer_outputs, samples)

    @cached_property
    def json(self) -> bytes:
        """Canonical JSON: the bytes that :attr:`digest` names."""
        document = {
            "format": FORMAT,
            "name": self.name,
            "profile": self.parameters.profile,
            "parameters": self.parameters.digest.hex(),
            "outputs": self.outputs,
            "method": self.method,
            "link": self.link,
            "labels": _labels_to_json(self.labels),
            "squeeze": self.squeeze,
            "feature_names": None if self.feature_names is None else list(self.feature_names),
            "features": self.features,
            "grid": _grid_to_json(self.grid),
            "result_bits": self.result_bits,
            "scale_exponent": self.scale_exponent,
            "limbs": self.limbs,
            "limb_bits": self.limb_bits,
            "error": self.error,
            "layouts": [[o.layout.samples, o.layout.features, o.layout.outputs, o.lambda_bits] for o in self.offers],
        }
        if self.feature_map is not None:
            document["feature_map"] = self.feature_map.document()
        if self.backbone is not None:
            document["backbone"] = self.backbone
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that name this signature; queries and results carry it."""
        return hashlib.sha256(self.json).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Signature) and other.json == self.json

    def __hash__(self) -> int:
        return hash(self.digest)

    @staticmethod
    def from_json(data: bytes) -> Signature:
        """Read and check what :attr:`json` wrote, byte for byte: one signature has one digest in every language.

        Raises
        ------
        WireError
            If a field is missing, unknown, of the wrong type, or inconsistent with the others, or the JSON is not in
            the canonical form.
        """
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise WireError("a signature must be JSON. It does not parse.") from error
        try:
            signature = _read(document)
            _require(signature.json == data, "its JSON must be canonical, and hold no other fields")
            return signature
        except WireError:
            raise
        except (ParameterError, ArithmeticError, KeyError, TypeError, ValueError) as error:
            raise WireError(f"the signature is not valid: {type(error).__name__}: {error}") from error


def signature_to_bytes(signature: Signature) -> bytes:
    """A signature's envelope."""
    return seal(SIGNATURE, signature.parameters.digest, signature.json)


def signature_from_bytes(data: bytes) -> Signature:
    """Read a signature.

    Raises
    ------
    WireError
        For anything but the envelope of a valid signature.
    """
    if len(data) > MAX_SIGNATURE_BYTES:
        raise WireError(f"a signature must have at most {MAX_SIGNATURE_BYTES} bytes. Got {len(data)} instead.")
    parameters, body = open_envelope(data, SIGNATURE)
    signature = Signature.from_json(bytes(body))
    if signature.parameters != parameters:
        raise WireError("the signature's header and body must name the same parameters.")
    return signature


def _read(document: Any) -> Signature:
    _require(isinstance(document, dict), "a signature must be a JSON object")
    _require(document["format"] == FORMAT, f"the signature's format must be {FORMAT}")
    parameters = parameters_for(bytes.fromhex(_string(document["parameters"])))
    features = _integer(document["features"], 1, MAX_FEATURES, "features")
    outputs = _integer(document["outputs"], 1, MAX_OUTPUTS, "outputs")
    result_bits = _integer(document["result_bits"], 2, MAX_RESULT_BITS, "result_bits")
    limbs = _integer(document["limbs"], 1, 8, "limbs")
    names = document["feature_names"]
    error = _number(document["error"])
    flood = bounds.flood_bits(parameters, result_bits)
    _require(flood >= bounds.MIN_LAMBDA_BITS, "result_bits must leave room for flooding")
    offers = _offers(document["layouts"], parameters, flood)
    small = (bounds.layout_allowed(parameters, offer.layout, features, flood, 1) for offer in offers)
    _require(any(small), "a layout for batches of every size must be offered")
    method, link = document["method"], document["link"]
    _require(isinstance(method, str) and method in HEADS, f"method must be one of {', '.join(HEADS)}")
    _require(link in HEADS[method], f"link must be one of {HEADS[method]} with {method}")
    _require(isinstance(document["squeeze"], bool), "squeeze must be true or false")
    _require(error >= 0, "error must not be negative")
    labels = _labels_from_json(document["labels"])
    _require(labels is None or outputs_fit(link, len(labels), outputs), "labels must match outputs")
    _require(labels is not None or link in (None, "exp"), "a model with this link must have labels")
    feature_map = FeatureMap.from_document(document["feature_map"]) if "feature_map" in document else None
    _require(feature_map is None or feature_map.outputs == features, "feature_map must match features")
    if names is not None:
        inputs = features if feature_map is None else feature_map.inputs
        _require(isinstance(names, list) and len(names) == inputs, "feature_names must match features")
    return Signature(
        name=_string(document["name"]),
        parameters=parameters,
        grid=_grid_from_json(document["grid"], features, None if feature_map is None else feature_map.groups),
        outputs=outputs,
        method=method,
        link=link,
        labels=labels,
        squeeze=document["squeeze"],
        feature_names=None if names is None else tuple(_string(name) for name in names),
        result_bits=result_bits,
        scale_exponent=_integer(document["scale_exponent"], -1000, 1000, "scale_exponent"),
        limbs=limbs,
        limb_bits=_integer(document["limb_bits"], 0, MAX_RESULT_BITS, "limb_bits"),
        error=error,
        offers=offers,
        feature_map=feature_map,
        backbone=_string(document["backbone"]) if "backbone" in document else None,
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise WireError(f"the signature is not valid: {message}.")


def _integer(value: Any, low: int, high: int, name: str) -> int:
    fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    _require(fits, f"{name} must be a whole number from {low} to {high}")
    return int(value)


def _number(value: Any) -> float:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    _require(fits, "numbers must be finite")
    return float(value)


def _string(value: Any) -> str:
    _require(isinstance(value, str) and len(value) <= 1000, "strings must have at most 1000 characters")
    return str(value)


def _offers(value: Any, parameters: Parameters, flood: int) -> tuple[Offer, ...]:
    _require(isinstance(value, list) and 1 <= len(value) <= MAX_LAYOUTS, f"layouts must be 1 to {MAX_LAYOUTS}")
    offers = []
    for samples, features, outputs, lambda_bits in value:
        sizes = [_integer(one, 1, parameters.ring_degree, "layouts") for one in (samples, features, outputs)]
        floods = bounds.MIN_LAMBDA_BITS <= _number(lambda_bits) <= flood
        _require(floods, f"answers must be flooded by {bounds.MIN_LAMBDA_BITS} to {flood} bits")
        offers.append(Offer(Layout(parameters.ring_degree, *sizes), float(lambda_bits)))
    return tuple(offers)


def _shortened(values: npt.NDArray[Any]) -> Any:
    same = bool((values == values[0]).all())
    return values[0].item() if same else values.tolist()


def _grid_to_json(grid: Grid) -> dict[str, Any]:
    columns = {name: getattr(grid, name) for name in ("offset", "step", "low", "high")}
    return {**{name: _shortened(column) for name, column in columns.items()}, "exact": grid.exact}


def _grid_from_json(value: Mapping[str, Any], features: int, groups: npt.NDArray[np.intp] | None) -> Grid:
    def column(name: str, dtype: type) -> npt.NDArray[Any]:
        raw = value[name]
        _require(not isinstance(raw, list) or len(raw) == features, f"grid.{name} must match features")
        items = raw if isinstance(raw, list) else [raw]
        if dtype is np.int64:
            numbers: list[float] = [_integer(one, -(1 << 61), 1 << 61, f"grid.{name}") for one in items]
        else:
            numbers = [_number(one) for one in items]
        return np.broadcast_to(np.array(numbers, dtype=dtype), (features,))

    grid = Grid(
        column("offset", np.float64),
        column("step", np.float64),
        column("low", np.int64),
        column("high", np.int64),
        value["exact"],
        groups,
    )
    _require(isinstance(grid.exact, bool), "grid.exact must be true or false")
    _require(bool((grid.step > 0).all()) and bool((grid.low <= grid.high).all()), "the grid must be increasing")
    return grid


_LABEL_KINDS = {"b": bool, "i": int, "u": int, "f": float, "U": str, "O": object}


def check_labels(labels: Labels) -> None:
    """Raise :class:`WireError` for labels that a signature cannot carry."""
    _require(labels.ndim == 1, "labels must be one-dimensional")
    _check_label_dtype(labels.dtype, len(labels))
    _require(
        all(isinstance(one, str | int | float | bool) or one is None for one in labels.tolist()),
        "object labels must be numbers, booleans, strings or None",
    )


def _check_label_dtype(kind: np.dtype[Any], count: int) -> None:
    _require(kind.kind in _LABEL_KINDS, "labels must be numbers, booleans or strings")
    _require(kind.itemsize * count <= MAX_LABEL_BYTES, f"labels must take at most {MAX_LABEL_BYTES} bytes")


def _labels_to_json(labels: Labels | None) -> dict[str, Any] | None:
    return None if labels is None else {"dtype": labels.dtype.str, "values": labels.tolist()}


def _labels_from_json(value: Any) -> Labels | None:
    if value is None:
        return None
    code, values = _string(value["dtype"]), value["values"]
    _require(re.fullmatch(r"[<>|][a-zA-Z][0-9]{0,6}", code) is not None, "labels.dtype must be a NumPy type code")
    _require(isinstance(values, list) and 1 <= len(values) <= MAX_OUTPUTS, "labels must be a list")
    kind = np.dtype(code)
    _check_label_dtype(kind, len(values))
    expected = _LABEL_KINDS[kind.kind]
    scalar = (str, int, float, bool, type(None)) if expected is object else expected
    _require(all(isinstance(one, scalar) for one in values), "labels must be of their dtype")
    return np.array(values, dtype=kind)
