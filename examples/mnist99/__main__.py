"""``python -m examples.mnist99``: 99 % of MNIST's test images are read right, and no server sees one of them.

The client computes public features of an image, 256 random filters that learn nothing from data, and encrypts them. The
service applies a linear head that only it knows. Fitting that head takes minutes and about 3 GB of memory, once; it is
kept in a folder. With --quick everything is smaller, done in seconds, and less accurate.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

import hermetic
from hermetic.cli.progress import bar
from hermetic.cli.units import duration, size
from hermetic.demo.classifier import cache_directory
from hermetic.demo.mnist import features, load_mnist
from hermetic.roundtrip import LocalServer

from .asked import CHUNK, Answers, ask, feature_seconds, reference
from .head import FULL, QUICK
from .kept import head_file, kept_head
from .picture import draw

SINGLES = 100
"""So many images are also asked about one by one."""


def main(arguments: list[str] | None = None) -> None:
    """Fit the head or load it, compile it, ask about the test images; print what came, and draw it."""
    options = _options(arguments)
    recipe, data = QUICK if options.quick else FULL, load_mnist(options.data)
    head = kept_head(recipe, data, options.folder)
    file = head_file(recipe, data, options.folder).with_suffix(".hermetic")
    hermetic.compile(head, features(data.train_images[:1000]), name="mnist99", features=recipe.features).save(file)
    model = hermetic.CompiledModel.load(file)
    client = hermetic.Client(model.signature)
    service = LocalServer(model, client.public_key.to_bytes())
    images, labels = data.test_images[: options.images], data.test_labels[: options.images]
    with bar("Images, one a query") as shown:
        single = ask(client, service, images[:SINGLES], 1, shown.advance)
    print(f"one image a query, medians of {len(single.labels)}: {_costs(single)}")
    print(f"  of it features: {duration(feature_seconds(client, images[:SINGLES]))}")
    with bar(f"Images, {CHUNK} a query") as shown:
        bulk = ask(client, service, images, CHUNK, shown.advance)
    print(f"{len(images):,} images, {CHUNK} a query: {duration(bulk.total_seconds)}; a query: {_costs(bulk)}")
    with bar("The same in the clear") as shown:
        plain, integers = reference(model, head, images, shown.advance)
    print(f"right: {_share(bulk.labels == labels)}; in the clear: {_share(plain.argmax(axis=1) == labels)}")
    print(f"labels equal: {_share(bulk.labels == plain.argmax(axis=1))}")
    print(f"integers equal to the reference: {_share(bulk.integers == integers)}")
    worst = np.abs(bulk.scores - plain).max()
    print(f"largest error of a score: {worst:.1e}; guaranteed <= {model.signature.error:g}")
    draw(options.picture, images, labels, bulk.labels)
    print(f"the images that were read wrong: {options.picture}")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.mnist99", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="16 filters and 3,000 training images")
    parser.add_argument("--images", type=int, default=10_000, help="how many test images (default all 10,000)")
    parser.add_argument("--data", type=Path, help="a directory with MNIST's IDX files; default the installed package")
    parser.add_argument("--folder", type=Path, default=cache_directory(), help="where the head and the model are kept")
    parser.add_argument("--picture", type=Path, default=Path("mnist99.png"), help="the picture to write")
    options = parser.parse_args(arguments)
    if options.images < 1:
        parser.error(f"--images must be at least 1. Got {options.images} instead.")
    return options


def _costs(answers: Answers) -> str:
    seconds, up, down = answers.seconds, size(answers.request_bytes), size(answers.response_bytes)
    steps = ", ".join(f"{step} {duration(seconds[step])}" for step in ("encrypt", "server", "decrypt"))
    return f"{steps}, {up} up, {down} down"


def _share(right: npt.NDArray[np.bool_]) -> str:
    return f"{right.sum():,} of {right.size:,} = {right.mean():.2%}"


if __name__ == "__main__":
    main()
