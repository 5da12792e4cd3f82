"""Private search: one encrypted question against more and more vectors that only the service has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from examples.search.__main__ import LARGEST
from examples.search.embedding import words
from examples.search.sentences import sentences
from sklearn.neighbors import NearestNeighbors

import hermetic
from hermetic.compiler.sklearn.neighbors import Nearness

from .linear import Row, measured_row

VECTORS = (1_000, 10_000, 100_000)


def search_rows(repeat: int) -> Iterator[Row]:
    """Sentences of installed documentation, 384 numbers each; the question is one of them."""
    texts = sentences(max(VECTORS))
    vectors = words(texts)(texts).astype(np.float64)
    question = vectors[vectors.any(axis=1)][:1]
    for count in VECTORS:
        stored = vectors[:count][vectors[:count].any(axis=1)]
        index = NearestNeighbors(algorithm="brute", metric="cosine").fit(stored)
        model = hermetic.compile(index, input_range=(-LARGEST, LARGEST))
        yield measured_row(
            f"{count:,} vectors",
            model,
            question,
            Nearness(index, model.signature.grid.centre).transform(question),
            repeat,
        )
