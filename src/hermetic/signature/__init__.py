"""The public description of a compiled model: all that a client needs, and all that it learns before it asks.

A signature reveals the model's shape, its public input grid, labels and link, the scale 2^-s, the guaranteed error and
the flooding of its answers (which follow from the size of the weights), and no weight.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from ..circuits.cost import Cost, Offer
from ..circuits.linear.public import LinearCircuit
from ..circuits.networks.public import NetworkCircuit
from ..circuits.packing import Layout
from ..circuits.trees.public import TreeCircuit
from ..envelope import SIGNATURE, open_envelope, seal, view_of
from ..errors import MismatchError, WireError
from ..features import FeatureMap
from ..head import Head, Labels
from ..inputs.grid import Grid
from ..keys.public import PublicKey
from ..rlwe.parameters import Parameters
from . import document

MAX_SIGNATURE_BYTES = 256 << 20

Circuit = LinearCircuit | TreeCircuit | NetworkCircuit
Kind = TypeVar("Kind", LinearCircuit, TreeCircuit, NetworkCircuit)


@dataclass(frozen=True, eq=False)
class Signature:
    """What is public about a model. Made by :func:`hermetic.compile`, read by :class:`hermetic.Client`.

    What belongs to the circuit or to the head is read here too: ``signature.grid`` is ``signature.circuit.grid``.

    Attributes
    ----------
    name
        The model's name.
    head
        The estimator's method that scores give, their link, and labels.
    circuit
        How scores are computed on ciphertexts: parameters, the grid of inputs, integers, layouts.
    error
        Guaranteed bound on |decrypted score - estimator's score|, for every input in range; before the link.
    feature_names
        The column names seen in fitting, or ``None``.
    feature_map
        The public map from inputs to the d features that are encrypted; ``None`` when the inputs are the features.
    backbone
        The name of the public function that computes the inputs from something else, see
        :mod:`hermetic.features.backbone`; ``None`` when there is none.
    """

    name: str
    head: Head
    circuit: Circuit
    error: float
    feature_names: tuple[str, ...] | None = None
    feature_map: FeatureMap | None = None
    backbone: str | None = None

    def circuit_of(self, kind: type[Kind]) -> Kind:
        """The circuit, which must be of a kind. Raises :class:`MismatchError` for one of another."""
        if not isinstance(self.circuit, kind):
            raise MismatchError(
                f"model {self.name!r} must have a {kind.kind!r} circuit. It has a {self.circuit.kind!r} one instead."
            )
        return self.circuit

    @property
    def inputs(self) -> int:
        """The number of values of one sample that the client starts from: d, or what the feature map takes."""
        return self.features if self.feature_map is None else self.feature_map.inputs

    @property
    def parameters(self) -> Parameters:
        """The ring parameters."""
        return self.circuit.parameters

    @property
    def grid(self) -> Grid:
        """The public integer grid of the d features that are encrypted."""
        return self.circuit.grid

    @property
    def features(self) -> int:
        """d, the number of values of one sample that are encrypted."""
        return self.circuit.features

    @property
    def outputs(self) -> int:
        """k, the number of scores of one sample."""
        return self.circuit.outputs

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The layouts that the model answers, each with its flooding."""
        return self.circuit.offers

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts that the model answers."""
        return self.circuit.layouts

    @property
    def flood_bits(self) -> int:
        """F: answers are flooded with uniform integers in [-2^(F-1), 2^(F-1))."""
        return self.circuit.flood_bits

    @property
    def lambda_bits(self) -> float:
        """The least flooding of any answer, in bits above the worst-case noise that depends on the weights."""
        return self.circuit.lambda_bits

    @property
    def public_key_bytes(self) -> int:
        """Exact bytes of a public key for this model, with the switching keys that a network takes."""
        return PublicKey.size(self.parameters, self.circuit.key_shape)

    def layout_for(self, samples: int) -> Layout:
        """The cheapest layout for a batch of that many samples."""
        return self.circuit.layout_for(samples)

    def cost(self, samples: int) -> Cost:
        """What a batch of that many samples costs in its cheapest layout."""
        return self.circuit.cost(samples)

    @property
    def method(self) -> str:
        """The estimator's method that decrypted scores give, see :class:`hermetic.head.Head`."""
        return self.head.method

    @property
    def methods(self) -> tuple[str, ...]:
        """The estimator's methods that clients have."""
        return self.head.methods

    @property
    def link(self) -> str | None:
        """The public function of scores, see :class:`hermetic.head.Head`; ``None`` when the estimator has none."""
        return self.head.link

    @property
    def labels(self) -> Labels | None:
        """The classes, any dtype; ``None`` for a regression."""
        return self.head.labels

    @property
    def squeeze(self) -> bool:
        """Whether one output is returned as shape (n,) instead of (n, 1)."""
        return self.head.squeeze

    @cached_property
    def json(self) -> bytes:
        """Canonical JSON: the bytes that :attr:`digest` names."""
        return document.write(vars(self))

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that name this signature; queries and results carry it."""
        return hashlib.sha256(self.json).digest()

    @staticmethod
    def from_json(data: bytes) -> Signature:
        """Read and check what :attr:`json` wrote, byte for byte: one signature has one digest in every language.

        Raises
        ------
        WireError
            If a field is missing, unknown, of the wrong type, or inconsistent with the others, the JSON is not in the
            canonical form, or its format is a later one.
        """
        return Signature(**document.read(data))

    def to_bytes(self) -> bytes:
        """The envelope."""
        return seal(SIGNATURE, self.parameters.digest, self.json)

    @staticmethod
    def from_bytes(data: bytes) -> Signature:
        """Read a signature.

        Raises
        ------
        WireError
            For anything but the envelope of a valid signature.
        """
        if len(view_of(data, SIGNATURE)) > MAX_SIGNATURE_BYTES:
            raise WireError(f"a signature must have at most {MAX_SIGNATURE_BYTES} bytes. Got {len(data)} instead.")
        parameters, body = open_envelope(data, SIGNATURE)
        signature = Signature.from_json(bytes(body))
        if signature.parameters != parameters:
            raise WireError("the signature's header and body must name the same parameters.")
        return signature

    def __repr__(self) -> str:
        inputs = (
            f"{self.inputs} inputs" if self.feature_map is None else f"{self.inputs} inputs, {self.features} features"
        )
        link = "" if self.link is None else f", {self.link}"
        return (
            f"Signature({self.name!r}, {inputs} -> {self.outputs} scores, {self.method}{link}, "
            f"{self.parameters.profile}, error {self.error:.2g}, {self.digest.hex()[:16]}…)"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Signature) and other.json == self.json

    def __hash__(self) -> int:
        return hash(self.digest)
