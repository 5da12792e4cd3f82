"""What is public about a tree circuit: the part of a signature that says how trees are computed on ciphertexts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ...arrays import Integers
from ...inputs.grid import Grid
from ...keys.switching import KeyShape
from ...rlwe.bitpacking import packed_bytes
from ...rlwe.parameters import Parameters
from ..cost import BYTES_PER_MS, Chunk, Cost, Offer
from ..header import FIXED_BYTES
from ..packing import Layout
from . import bounds
from .bounds import CHECKS, Precision
from .slots import Slots
from .spans import Spans

_ENCRYPT_MS = 0.7
_BLOCK_MS = 0.03
_ANSWER_MS = 0.15


@dataclass(frozen=True, eq=False)
class Section:
    """Words that are released at one precision.

    Attributes
    ----------
    precision
        Bits of a word, and of what travels.
    polynomials
        G: how many result polynomials there are.
    places
        Where each word is among their coefficients (G, N), in the order of release.
    """

    precision: Precision
    polynomials: int
    places: Integers

    def bytes(self, ring_degree: int) -> int:
        """What it takes for one sample."""
        c1 = packed_bytes(self.polynomials * ring_degree, self.precision.c1_bits)
        return c1 + packed_bytes(len(self.places), self.precision.word_bits)


@dataclass(frozen=True, eq=False)
class TreeCircuit:
    """The public numbers of private trees. Which node has which edge, their order, shape and values are not among them.

    Attributes
    ----------
    parameters
        The ring parameters.
    grid
        The grid of the d public features, one bit a slot.
    slots
        The slots of every input.
    words, trees
        How many words and trees each output has.
    columns
        The scores of one word: several for one output that is a vector.
    limbs, limb_bits, scale_exponent
        How scores are made of the sums of words, as for linear circuits.
    bits
        f: the bits that one query polynomial holds.
    seal
        The coefficients of the seal's limbs in each of its result polynomials.
    strict
        Whether an answer opens only for bits that are the bits of some slot of every input.
    lambda_bits
        The least flooding of any word, in bits above the worst-case noise that depends on the weights.
    """

    kind: ClassVar[str] = "trees"
    numbers: ClassVar[str] = "integers"
    guaranteed: ClassVar[str] = "every input in range"

    parameters: Parameters
    grid: Grid
    slots: Slots
    words: tuple[int, ...]
    trees: tuple[int, ...]
    columns: int
    limbs: int
    limb_bits: int
    scale_exponent: int
    bits: int
    seal: tuple[tuple[int, ...], ...]
    strict: bool
    lambda_bits: float

    @property
    def features(self) -> int:
        """d, the number of public features: the slots of all inputs."""
        return self.grid.features

    @property
    def values(self) -> int:
        """How many values of one sample are encrypted: D bits."""
        return self.slots.bits

    @property
    def key_shape(self) -> KeyShape:
        """The switching keys that an answer takes: none."""
        return ()

    @property
    def outputs(self) -> int:
        """k, the number of scores of one sample."""
        return len(self.words) * self.columns

    @property
    def integer_columns(self) -> int:
        """The integers of one word: its columns, limb by limb."""
        return self.columns * self.limbs

    @property
    def all_words(self) -> int:
        """The words of all outputs."""
        return sum(self.words)

    @property
    def delta(self) -> int:
        """What a bit is multiplied by."""
        return bounds.delta(self.parameters)

    @property
    def query_lambda_bits(self) -> float:
        """The flooding of a whole answer to one sample: all its checks and scores together."""
        released = self.all_words * (CHECKS + self.integer_columns)
        return float(self.lambda_bits - np.log2(released))

    @property
    def flood_bits(self) -> int:
        """F: scores are flooded with uniform integers in [-2^(F-1), 2^(F-1))."""
        return bounds.flood_bits(self.parameters, bounds.SCORES)

    @cached_property
    def layout(self) -> Layout:
        """One sample a polynomial, f bits of it."""
        return Layout(self.parameters.ring_degree, 1, self.bits, self.parameters.ring_degree // self.bits)

    @property
    def query_polynomials(self) -> int:
        """m: the polynomials of a query for one sample."""
        return self.layout.query_polynomials(self.values)

    @property
    def limbs_of_seal(self) -> int:
        """The limbs of the seal in all its polynomials."""
        return sum(map(len, self.seal))

    @cached_property
    def spans(self) -> Spans | None:
        """The spans whose patterns are tested; None where not strict."""
        return Spans.of(self.slots) if self.strict else None

    @property
    def limbs_of_spans(self) -> int:
        """The limbs that patterns open, for all patterns of all spans."""
        return int(self.spans.patterns.sum()) * bounds.STRICT_LIMBS if self.spans else 0

    @property
    def echoes(self) -> int:
        """The words that tell the client which pattern each span has."""
        return self.spans.count if self.spans else 0

    @cached_property
    def tests(self) -> Section:
        """The seal, then the limbs of each pattern of each span, then for each span the number of its pattern."""
        strict = self._section(bounds.TESTS, self.limbs_of_spans + self.echoes)
        n = self.parameters.ring_degree
        seal = [i * n + place for i, places in enumerate(self.seal) for place in places]
        places = np.concatenate([np.array(seal, dtype=np.int64), strict.places + len(self.seal) * n])
        return Section(bounds.TESTS, len(self.seal) + strict.polynomials, places)

    @cached_property
    def checks(self) -> Section:
        """The first check of every word, then the second."""
        return self._section(bounds.CHECKED, CHECKS * self.all_words)

    @cached_property
    def scores(self) -> Section:
        """The first integer of every word, then the second, and so on."""
        return self._section(bounds.SCORES, self.integer_columns * self.all_words)

    @property
    def sections(self) -> tuple[Section, Section, Section]:
        """All sections, in the order that they travel in."""
        return self.tests, self.checks, self.scores

    def _section(self, precision: Precision, words: int) -> Section:
        n = self.parameters.ring_degree
        each = bounds.words_per_polynomial(self.parameters, precision, self.bits)
        group, block = np.divmod(np.arange(words), each)
        return Section(precision, -(-words // each), group * n + self.bits * block + self.bits - 1)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layout of all queries, alone."""
        return (self.layout,)

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The layout, and the flooding of its answers."""
        return (Offer(self.layout, self.lambda_bits),)

    def layouts_for(self, samples: int) -> tuple[Layout, ...]:
        """The layouts in which a batch of that many samples is answered: each sample takes polynomials of its own."""
        return self.layouts

    def layout_for(self, samples: int) -> Layout:
        """The layout for a batch of that many samples."""
        return self.layout

    def cost(self, samples: int) -> Cost:
        """What a batch of that many samples costs."""
        n, up = self.parameters.ring_degree, self.query_polynomials
        down = sum(section.polynomials for section in self.sections)
        request = up * sum(packed_bytes(n, prime.bit_length()) for prime in self.parameters.data_primes)
        response = sum(section.bytes(n) for section in self.sections)
        work = up * _ENCRYPT_MS + up * down * _BLOCK_MS + down * _ANSWER_MS + (request + response) / BYTES_PER_MS
        return Cost(
            samples * up, samples * down, samples * up * down, samples * request, samples * response, samples * work
        )

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
                "features": self.bits,
                "outputs": self.layout.outputs,
                "lambda_bits": self.lambda_bits,
                "query_ciphertexts": cost.query_ciphertexts,
                "result_ciphertexts": cost.result_ciphertexts,
                "request_bytes": self.query_bytes(1),
                "response_bytes": self.result_bytes(1),
            }
        ]

    @property
    def descriptions(self) -> dict[str, str]:
        """What else is public about the circuit, for people."""
        limbs = f"{self.limbs} limb{'s' * (self.limbs > 1)}"
        strict = (
            "an answer opens for the bits of real inputs alone"
            if self.strict
            else "off: answers open for bits that no input has, which tell a dishonest client what paths test"
        )
        return {
            "trees": f"{sum(self.trees)} in {self.all_words} words",
            "bits": f"{self.values}, of {self.slots.inputs} inputs",
            "integers": f"{bounds.SCORE_BITS} bits, scale 2^-{self.scale_exponent}, {limbs}",
            "strict": strict,
            "flooding of a whole answer": f"lambda >= {self.query_lambda_bits:.1f} bits",
        }
