"""``python -m examples.search``: the sentences nearest to a question, and the service sees neither it nor the answer.

The service holds a vector for each of its sentences; the client embeds a question, encrypts the vector, gets all scores
back and ranks them. The sentences are from the documentation of the Python packages that are installed here.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors

import hermetic
from hermetic.cli.units import duration, size
from hermetic.roundtrip import LocalServer, RoundTrip, round_trip

from .embedding import METHODS
from .sentences import sentences

QUESTION = "How do I measure the distance between two points?"
TOP = 10
FEWEST = 100
_FLOAT32 = 1e-6
LARGEST = 0.8
"""No number of these vectors of length one is larger; a client may also clip."""


def main(arguments: list[str] | None = None) -> None:
    """Embed the sentences, compile the index, ask it; print what came beside what plain search gives."""
    options = _options(arguments)
    texts = sentences(options.vectors)
    embed = METHODS[options.embedding](texts)
    vectors = embed(texts)
    known = vectors.any(axis=1)  # a sentence of rare words alone has no direction
    texts, vectors = [text for text, one in zip(texts, known, strict=True) if one], vectors[known]
    index = NearestNeighbors(n_neighbors=TOP, algorithm="brute", metric="cosine").fit(vectors)
    model = _compiled(index, options.tolerance)
    client = hermetic.Client(model.signature, clip=True)
    service = LocalServer(model, client.public_key.to_bytes())
    service.prepare(1)
    print(f"{len(texts):,} vectors of {vectors.shape[1]} numbers; a score is within {model.signature.error:g}")
    for question in options.question or [QUESTION]:
        asked = embed([question])[0].astype(np.float64)
        trip = round_trip(client, service, asked)
        distances, plain = index.kneighbors(asked[None])
        _show(question, texts, client.top(trip.result, TOP), (1 - distances[0], plain[0]), model.signature.error)
        print(_costs(trip))


def _compiled(index: NearestNeighbors, tolerance: float | None) -> hermetic.CompiledModel:
    """The index as the service loads it: from a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sentences.hermetic"
        hermetic.compile(index, name="sentences", input_range=(-LARGEST, LARGEST), tolerance=tolerance).save(file)
        return hermetic.CompiledModel.load(file)


Ranking = tuple[np.ndarray, np.ndarray]
"""Scores, and the numbers of their sentences, the nearest first."""


def _show(question: str, texts: list[str], found: Ranking, plain: Ranking, error: float) -> None:
    print(f"\n{question}")
    for rank, (score, place, own, expected) in enumerate(zip(*found, *plain, strict=True), start=1):
        note = "" if place == expected else f"   (plain: {own:.5f} {texts[expected][:40]}…)"
        print(f"{rank:3} {score:.5f} {texts[place]}{note}")
    apart = np.abs(found[0] - plain[0]).max()
    print(f"{(found[1] == plain[1]).sum()} of {TOP} in the same place as in plain search", end="; ")
    print(f"scores differ by {apart:.1e} or less, guaranteed {error:g}; the same ranking: {same(found, plain, error)}")


def same(found: Ranking, plain: Ranking, error: float) -> bool:
    """Whether two rankings hold the same sentences in the same order, but for scores too near to tell apart."""
    near = np.abs(found[0] - plain[0]) <= error + _FLOAT32
    moved = found[1] != plain[1]
    ties = np.abs(plain[0][:, None] - found[0]).min(axis=0) <= 2 * error + _FLOAT32
    return bool(near.all() and ties[moved].all())


def _costs(trip: RoundTrip) -> str:
    seconds = ", ".join(f"{step} {duration(trip.seconds[step])}" for step in ("encrypt", "server", "decrypt"))
    return f"{seconds}; {size(len(trip.request))} up, {size(len(trip.response))} down"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.search", description=__doc__)
    parser.add_argument("question", nargs="*", help=f"what to look for; by default {QUESTION!r}")
    parser.add_argument("--vectors", type=int, default=10_000, help="how many sentences the service has")
    parser.add_argument("--tolerance", type=float, help="largest error of a score; by default what one limb gives")
    parser.add_argument("--embedding", choices=sorted(METHODS), default="words", help="how texts become vectors")
    options = parser.parse_args(arguments)
    if options.vectors < FEWEST:
        parser.error(f"--vectors must be {FEWEST} or more, for their words to tell them apart. Got {options.vectors}.")
    return options


if __name__ == "__main__":
    main()
