"""What client and server share without having spoken: everything that follows from the number of features alone.

A client of this package knows neither the model nor how many outputs it has. So the ring, the grid of the inputs, the
bits of a result and the features in a ciphertext are fixed here, and a query is made for the *question* of d features:
a signature that names no model. What the client cannot know (the number of outputs, the scale, the guaranteed error)
travels with the answer, as the model's own signature.

    public keys   a public key's envelope | the key's name (32 bytes)
    request       [base64 of a query's envelope]                                  to question(d), under the key's name
    answer        [base64 of a signature's envelope, base64 of a result's]

The key's name is a hash of the secret key, so that a client that is made again from its secret key has it too.
"""

from __future__ import annotations

import base64
from functools import lru_cache

import numpy as np

from hermetic.circuits.cost import Offer
from hermetic.circuits.linear import bounds
from hermetic.circuits.linear.integers import MAX_RESULT_BITS
from hermetic.circuits.linear.public import MAX_FEATURES, LinearCircuit
from hermetic.circuits.packing import Layout
from hermetic.head import Head
from hermetic.inputs.grid import Grid
from hermetic.keys.public import PublicKey
from hermetic.rlwe.parameters import PRECISE
from hermetic.signature import Signature

PARAMETERS = PRECISE
RESULT_BITS = MAX_RESULT_BITS
FLOOD_BITS = bounds.flood_bits(PARAMETERS, RESULT_BITS)

RESOLUTION = 2.0**-24
"""Inputs are rounded to a multiple of this."""

LARGEST_INPUT = 2.0**14
"""Inputs must be at most this, in absolute value."""

NAME_BYTES = 32
KEY_BYTES = PublicKey.size(PARAMETERS) + NAME_BYTES

_FEATURES_TOGETHER = 1024
_UNKNOWN_SCALE = 0


def grid(features: int) -> Grid:
    """The grid of ``features`` inputs."""
    steps = int(LARGEST_INPUT / RESOLUTION)
    high = np.full(features, steps, dtype=np.int64)
    return Grid(np.zeros(features), np.full(features, RESOLUTION), -high, high, exact=False)


def layout(features: int) -> Layout:
    """One sample a polynomial, up to 1024 features of it, and as many outputs as there is room for."""
    together = -(-features // -(-features // _FEATURES_TOGETHER))
    room = PARAMETERS.ring_degree // together
    return Layout(PARAMETERS.ring_degree, 1, together, min(room, bounds.max_targets(PARAMETERS, FLOOD_BITS)))


def signature(
    features: int, outputs: int, scale_exponent: int, limbs: int, limb_bits: int, offer: Offer, error: float
) -> Signature:
    """The signature of a model with these integers, see :mod:`hermetic.circuits.linear.integers`."""
    return Signature(
        name="linear",
        head=Head("predict"),
        circuit=LinearCircuit(
            parameters=PARAMETERS,
            grid=grid(features),
            outputs=outputs,
            result_bits=RESULT_BITS,
            scale_exponent=scale_exponent,
            limbs=limbs,
            limb_bits=limb_bits,
            offers=(offer,),
        ),
        error=error,
    )


@lru_cache(maxsize=16)
def question(features: int) -> Signature:
    """What a query of ``features`` inputs is made for.

    Raises
    ------
    ValueError
        If there are none, or more than a signature can name.
    """
    if not 1 <= features <= MAX_FEATURES:
        raise ValueError(f"the number of inputs must be 1 to {MAX_FEATURES}. Got {features} instead.")
    offer = Offer(layout(features), float(bounds.MIN_LAMBDA_BITS))
    return signature(features, 1, _UNKNOWN_SCALE, 1, 0, offer, 0.0)


def check_strings(value: object, what: str, count: int | None = None) -> None:
    """Raise :class:`ValueError` if ``value`` is not a list, or not of ``count`` things."""
    expected = "base64 strings" if count is None else f"{count} base64 string{'s' * (count > 1)}"
    if not isinstance(value, list | tuple) or len(value) != (len(value) if count is None else count):
        raise ValueError(f"{what} must be a list of {expected}. It is not.")


def to_text(data: bytes) -> str:
    """Bytes as they stand in a request or an answer."""
    return base64.b64encode(data).decode()


def from_text(text: object, largest: int, what: str) -> bytes:
    """The bytes of :func:`to_text`, at most ``largest``.

    Raises
    ------
    ValueError
        If it is no base64 string, or too long.
    """
    if not isinstance(text, str | bytes):
        raise ValueError(f"{what} must be a base64 string. Got {type(text).__name__} instead.")
    if len(text) > 4 * -(-largest // 3):
        raise ValueError(f"{what} must have at most {largest} bytes. It has more.")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"{what} must be a base64 string. It is not.") from None
