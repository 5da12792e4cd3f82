"""What is public about a linear circuit: the part of a signature that says how W·x + b is computed on ciphertexts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ...errors import InputError
from ...inputs.grid import Grid
from ...keys.switching import KeyShape
from ...rlwe.parameters import Parameters
from ..cost import Chunk, Cost, Offer
from ..header import FIXED_BYTES
from ..packing import Layout
from . import bounds, plan

MAX_FEATURES = 1 << 20
MAX_OUTPUTS = 1 << 20


@dataclass(frozen=True, eq=False)
class LinearCircuit:
    """The public integers of an encrypted linear map. No weight follows from them.

    Attributes
    ----------
    parameters
        The ring parameters.
    grid
        The public integer grid of the d features that are encrypted.
    outputs
        k, the number of scores of one sample.
    result_bits, scale_exponent, limbs, limb_bits
        T and the public integer scale, see :mod:`hermetic.circuits.linear.integers`.
    offers
        The layouts that the model answers.
    """

    kind: ClassVar[str] = "linear"
    numbers: ClassVar[str] = "integers"
    guaranteed: ClassVar[str] = "every input in range"

    parameters: Parameters
    grid: Grid
    outputs: int
    result_bits: int
    scale_exponent: int
    limbs: int
    limb_bits: int
    offers: tuple[Offer, ...]

    @property
    def features(self) -> int:
        """d, the number of values of one sample that are encrypted."""
        return self.grid.features

    @property
    def values(self) -> int:
        """How many values of one sample are encrypted: d."""
        return self.features

    @property
    def key_shape(self) -> KeyShape:
        """The switching keys that an answer takes: none."""
        return ()

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
        if not isinstance(samples, int | np.integer):
            raise InputError(
                f"samples must be how many there are, a whole number. Got {type(samples).__name__} instead."
            )
        return tuple(layout for layout, least in self._least_samples if samples >= least)

    @cached_property
    def _least_samples(self) -> tuple[tuple[Layout, int], ...]:
        """Every layout, and the least batch that is answered in it."""
        parameters, flood = self.parameters, self.flood_bits
        return tuple(
            (layout, bounds.least_samples(parameters, layout, self.features, flood)) for layout in self.layouts
        )

    def layout_for(self, samples: int) -> Layout:
        """The cheapest layout for a batch of that many samples."""
        layouts = self.layouts_for(samples)
        return plan.cheapest(self.parameters, layouts, self.features, self.integer_outputs, samples)

    def cost(self, samples: int) -> Cost:
        """What a batch of that many samples costs in its cheapest layout."""
        return self.cost_in(self.layout_for(samples), samples)

    def cost_in(self, layout: Layout, samples: int) -> Cost:
        """What a batch of that many samples costs in a layout."""
        return plan.cost(self.parameters, layout, self.features, self.integer_outputs, samples)

    def query_bytes(self, samples: int, layout: Layout | None = None) -> int:
        """Exact bytes of the envelope of a query, by default in the cheapest layout."""
        return FIXED_BYTES + self.cost_in(layout or self.layout_for(samples), samples).request_bytes

    def result_bytes(self, samples: int, layout: Layout | None = None) -> int:
        """Exact bytes of the envelope of its result."""
        return FIXED_BYTES + self.cost_in(layout or self.layout_for(samples), samples).response_bytes

    @property
    def fixed_bytes(self) -> int:
        """Bytes of a query, or of a result, beside those of its chunks."""
        return FIXED_BYTES

    @property
    def full_batches(self) -> list[dict[str, Any]]:
        """Every layout with its flooding, and the exact counts and bytes of as many samples as one chunk holds."""
        return [self._full_batch(offer) for offer in self.offers]

    def _full_batch(self, offer: Offer) -> dict[str, Any]:
        layout = offer.layout
        return {
            "samples": layout.samples,
            "features": layout.features,
            "outputs": layout.outputs,
            "lambda_bits": offer.lambda_bits,
            "query_ciphertexts": layout.query_polynomials(self.features),
            "result_ciphertexts": layout.result_polynomials(self.integer_outputs),
            "request_bytes": self.query_bytes(layout.samples, layout),
            "response_bytes": self.result_bytes(layout.samples, layout),
        }

    @property
    def descriptions(self) -> dict[str, str]:
        """What else is public about the circuit, for people."""
        limbs = f"{self.limbs} limb{'s' * (self.limbs > 1)}"
        return {"integers": f"{self.result_bits} bits, scale 2^-{self.scale_exponent}, {limbs}"}

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """What requests are made of: one kind of chunk for each layout."""
        return tuple(self._chunks())

    def _chunks(self) -> Iterator[Chunk]:
        for layout in self.layouts:
            cost = self.cost_in(layout, layout.samples)
            yield Chunk(layout.samples, cost.request_bytes, cost.response_bytes, cost.estimated_ms)
