"""What is public about a network: the part of a signature that says how its layers are computed on ciphertexts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

from ...arrays import Integers, Reals
from ...inputs.grid import Grid
from ...keys.switching import KeyShape
from ...rlwe.bitpacking import packed_bytes
from ...rlwe.levels import CONJUGATE, RELINEARISE
from ...rlwe.parameters import Parameters
from ..cost import BYTES_PER_MS, Chunk, Cost, Offer
from ..header import FIXED_BYTES
from ..packing import Layout
from .arrangement import Arrangement
from .diagonals import Steps, steps_for_layer, steps_for_query, steps_for_words
from .network import powers_of

RELEASE_LEVEL = 2
"""The primes that are left when an answer is masked and flooded: the others are divided away before."""

MAX_FURTHER = 512
"""Neurons of a hidden layer after the first: it has a plaintext for each."""

MAX_DEGREE_ALONE = 4
"""Of activations where slots of a query hold one input: every word has a period of its own then."""

_ROTATION_MS = 0.15
"""Of one rotation at N=8192, a digit: one slow core."""

_ENCRYPT_MS = 2.0


@dataclass(frozen=True)
class Range:
    """The word by which a client refuses an answer whose input was far from the owner's sample.

    Attributes
    ----------
    exponent
        The word holds the sum over neurons of v·|h|^D, times 2^exponent; D is the degree, rounded up to an even one.
    limit
        The largest sum for which no score can have wrapped around the modulus.
    """

    exponent: int
    limit: float


@dataclass(frozen=True, eq=False)
class NetworkCircuit:
    """The public numbers of a network. No weight is among them.

    Attributes
    ----------
    parameters
        The ring parameters.
    grid
        The grid of the d features that are encrypted.
    outputs
        k, the number of scores of one sample.
    arrangement
        Where features are among the slots of a query.
    period
        J, a power of two: how many slots hold the values of the first hidden layer. Each holds two neurons if the
        activations are quadratic and slots of a query hold one input.
    degree
        Of the activations: 2, up to 4, or up to 8.
    query_exponent, score_exponent
        Features are encrypted times 2^query_exponent, scores come out times 2^score_exponent.
    flood_bits
        F: words are flooded with uniform integers in [-2^(F-1), 2^(F-1)), before the last primes are divided away.
    lambda_bits
        The flooding of any word, in bits above the noise that depends on the weights.
    range
        How a wrapped answer is refused; None where it is proved that no input in range wraps.
    further
        J of every hidden layer after the first, none larger than the one before it.
    """

    kind: ClassVar[str] = "networks"
    numbers: ClassVar[str] = "reals"

    parameters: Parameters
    grid: Grid
    outputs: int
    arrangement: Arrangement
    period: int
    degree: int
    query_exponent: int
    score_exponent: int
    flood_bits: int
    lambda_bits: float
    range: Range | None
    further: tuple[int, ...] = ()

    @property
    def features(self) -> int:
        """d, the number of values of one sample that are encrypted."""
        return self.grid.features

    @property
    def values(self) -> int:
        """How many values of one sample are encrypted: columns of inputs."""
        return self.arrangement.columns

    @property
    def words(self) -> int:
        """The words of one sample: its scores, and that of the range."""
        return self.outputs + (self.range is not None)

    @property
    def guaranteed(self) -> str:
        """The inputs that errors hold for, in words."""
        return "every input in range" if self.range is None else "every input like those of the owner's sample"

    @property
    def steps(self) -> Steps:
        """The rotations of the first layer."""
        arrangement = self.arrangement
        return steps_for_query(self.period, arrangement.repeat * arrangement.cell, arrangement.slots)

    @property
    def pairs(self) -> bool:
        """Whether a slot holds two neurons."""
        return self.degree <= 2 and not self.arrangement.paired

    @property
    def conjugates(self) -> bool:
        """Whether hidden values are conjugated: what holds two neurons, or two inputs, a slot."""
        return self.pairs or self.arrangement.paired

    @property
    def periods(self) -> tuple[int, ...]:
        """J of every hidden layer."""
        return (self.period, *self.further)

    @property
    def further_steps(self) -> tuple[Steps, ...]:
        """The rotations of every hidden layer after the first."""
        return tuple(steps_for_layer(after, before) for before, after in pairwise(self.periods))

    @property
    def last_steps(self) -> Steps:
        """The rotations of the last layer: none where every word has a period of its own."""
        return steps_for_words(self.words, self.periods[-1], self.arrangement.slots)

    @property
    def levels(self) -> tuple[int, ...]:
        """The primes that the hidden values of each layer have: a layer takes one, and one for each of its depth."""
        each = self.depth + 1
        return tuple(self.parameters.levels - each * number for number in range(len(self.periods)))

    @property
    def last_level(self) -> int:
        """The primes that the last layer is computed with."""
        return self.levels[-1] - self.depth

    @property
    def depth(self) -> int:
        """How often powers of activations are multiplied with one another: 0, 1 or 2 times."""
        return (powers_of(self.degree) - 1).bit_length()

    @property
    def release_parameters(self) -> Parameters:
        """The ring that an answer is masked and flooded in."""
        return self.parameters.at_level(RELEASE_LEVEL)

    @cached_property
    def key_shape(self) -> KeyShape:
        """The switching keys that an answer takes, each at the highest level that it is used at: they serve lower ones
        too.
        """
        arrangement, top = self.arrangement, self.parameters.levels
        used = [(step, top) for step in self.steps.rotations(arrangement.span)]
        used += [(step, self.last_level) for step in self.last_steps.rotations(arrangement.slots)]
        for steps, period, level in zip(self.further_steps, self.periods, self.levels[1:], strict=False):
            used += [(step, level) for step in steps.rotations(period)]
        used += [(CONJUGATE, top)] if self.conjugates else []
        highest: dict[int, int] = {}
        for step, level in (*used, (RELINEARISE, top)):
            highest[step] = max(level, highest.get(step, 0))
        return tuple(highest.items())

    @property
    def range_slack(self) -> float:
        """The most that flooding and noise move the range word, in its own units."""
        if self.range is None:
            return 0.0
        moved = 2.0**self.flood_bits / self.release_parameters.rescale_factor
        return moved * 2.0**-self.range.exponent

    def units(self, integers: Integers) -> Reals:
        """Grid integers (n, d) as what is encrypted: reals in [-1, 1]."""
        middle, half = self.middle_and_half
        return (integers - middle) / half

    @cached_property
    def middle_and_half(self) -> tuple[Reals, Reals]:
        """The middle of each feature's integers (d,), and half their width, at least a half."""
        low, high = self.grid.low, self.grid.high
        return (low + high) / 2, ((high - low) / 2).clip(min=0.5)

    @property
    def layout(self) -> Layout:
        """One sample after another, each in ciphertexts of its own."""
        return self.arrangement.layout

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layout of all queries, alone."""
        return (self.layout,)

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The layout, and the flooding of its answers."""
        return (Offer(self.layout, self.lambda_bits),)

    def layouts_for(self, samples: int) -> tuple[Layout, ...]:
        """The layouts in which a batch of that many samples is answered."""
        return self.layouts

    def layout_for(self, samples: int) -> Layout:
        """The layout for a batch of that many samples."""
        return self.layout

    def cost(self, samples: int) -> Cost:
        """What a batch of that many samples costs."""
        n, up = self.parameters.ring_degree, self.arrangement.ciphertexts
        request = up * sum(packed_bytes(n, prime.bit_length()) for prime in self.parameters.query_primes)
        (kept,) = self.parameters.kept_primes
        width = kept.bit_length()
        response = packed_bytes(n, width) + packed_bytes(self.words, width)
        giants = sum(steps.giants for steps in (self.steps, *self.further_steps, self.last_steps))
        rotations = giants + len(self.key_shape)
        work = n / 8192 * (up * _ENCRYPT_MS + rotations * self.parameters.levels * _ROTATION_MS)
        total = work + (request + response) / BYTES_PER_MS
        return Cost(samples * up, samples, samples * rotations, samples * request, samples * response, samples * total)

    def query_bytes(self, samples: int, layout: Layout | None = None) -> int:
        """Exact bytes of the envelope of a query."""
        return FIXED_BYTES + self.cost(samples).request_bytes

    def result_bytes(self, samples: int, layout: Layout | None = None) -> int:
        """Exact bytes of the envelope of its result."""
        return FIXED_BYTES + self.cost(samples).response_bytes

    @property
    def fixed_bytes(self) -> int:
        """Bytes of a query, or of a result, beside those of its samples."""
        return FIXED_BYTES

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """What requests are made of: samples, each by itself."""
        cost = self.cost(1)
        return (Chunk(1, cost.request_bytes, cost.response_bytes, cost.estimated_ms),)

    @property
    def full_batches(self) -> list[dict[str, Any]]:
        """The layout with its flooding, and the exact counts and bytes of one sample."""
        cost = self.cost(1)
        return [
            {
                "samples": 1,
                "features": self.layout.features,
                "outputs": self.layout.outputs,
                "lambda_bits": self.lambda_bits,
                "query_ciphertexts": cost.query_ciphertexts,
                "result_ciphertexts": cost.result_ciphertexts,
                "request_bytes": self.query_bytes(1),
                "response_bytes": self.result_bytes(1),
            }
        ]

    @property
    def word_bits(self) -> float:
        """What one released word can tell about the weights, whatever a client sends: log2(q) - F bits."""
        return math.log2(self.release_parameters.query_modulus) - self.flood_bits

    @property
    def _hidden_layers(self) -> str:
        if not self.further:
            return f"one hidden layer, {self._first_layer}"
        return f"{len(self.periods)} hidden layers, the first {self._first_layer}"

    @property
    def _first_layer(self) -> str:
        window = self.arrangement.window
        if window is None:
            return "dense"
        rows, columns = window.places
        return f"a convolution of {window.kernel[0]}x{window.kernel[1]} at {rows}x{columns} places"

    @property
    def descriptions(self) -> dict[str, str]:
        """What else is public about the circuit, for people."""
        proved = "proved: no input in range wraps around the modulus"
        if self.range is not None:
            proved = "calibrated on the owner's sample: an answer that may have wrapped is refused by its range word"
        return {
            "network": f"{self._hidden_layers}, activations of degree {self.degree}",
            "range": proved,
            "bits an answer tells at most": f"{self.words * self.word_bits:.0f}",
            "flooding of a whole answer": f"lambda >= {self.lambda_bits - math.log2(self.words):.1f} bits",
        }
