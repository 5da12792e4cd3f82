"""``python -m examples.mnist_cnn``: a convolutional network reads encrypted digits, and keeps its weights.

It is trained first, for some fifty minutes, once; it is kept in a folder. Then test images are asked about one by one.
With --quick everything is smaller, and less accurate. Needs PyTorch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from examples.mnist99.picture import draw

import hermetic
from hermetic.cli.progress import bar
from hermetic.cli.units import duration, size
from hermetic.demo.classifier import cache_directory
from hermetic.demo.mnist import load_mnist

from .asked import Answers, ask, rows
from .kept import kept_network
from .training import FULL, QUICK

CALIBRATION = 10_000
"""Training images that the range of hidden values is calibrated on."""


def main(arguments: list[str] | None = None) -> None:
    """Train the network or load it, compile it, ask about test images; print what came, and draw it."""
    options = _options(arguments)
    recipe = QUICK if options.quick else FULL
    data = load_mnist(options.data)
    file, network = kept_network(recipe, data, options.folder)
    network.double()
    everything = _scores(network, data.test_images).argmax(axis=1)
    print(f"read right of all test images, in the clear: {_share(everything == data.test_labels)}")
    sample = rows(data.train_images[:CALIBRATION])
    model = hermetic.compile(network, sample, input_range=(0, 1), labels=range(10), name="mnist-cnn")
    model.save(file.with_suffix(".hermetic"))
    _tell(model)
    client = hermetic.Client(model.signature)
    images, labels = data.test_images[: options.images], data.test_labels[: options.images]
    with bar("Images, one a query") as shown:
        answers = ask(client, hermetic.CompiledModel.load(file.with_suffix(".hermetic")), images, shown.advance)
    plain = _scores(network, images)
    print(f"one image, medians of {len(images):,}: {_costs(answers)}")
    print(f"right: {_share(answers.labels == labels)}; in the clear: {_share(plain.argmax(axis=1) == labels)}")
    print(f"labels equal: {_share(answers.labels == plain.argmax(axis=1))}")
    worst = np.abs(answers.scores - plain).max()
    print(f"largest error of a score: {worst:.1e}; guaranteed <= {model.signature.error:g}")
    draw(options.picture, images, labels, answers.labels)
    print(f"the images that were read wrong: {options.picture}")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.mnist_cnn", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="8 maps, 5,000 training images and 4 epochs")
    parser.add_argument("--images", type=int, default=1_000, help="how many test images are encrypted (default 1,000)")
    parser.add_argument("--data", type=Path, help="a directory with MNIST's IDX files; default the installed package")
    parser.add_argument("--folder", type=Path, default=cache_directory(), help="where the network and model are kept")
    parser.add_argument("--picture", type=Path, default=Path("mnist-cnn.png"), help="the picture to write")
    options = parser.parse_args(arguments)
    if not 1 <= options.images <= 10_000:
        parser.error(f"--images must be from 1 to 10,000. Got {options.images} instead.")
    return options


def _tell(model: hermetic.CompiledModel) -> None:
    circuit = model.signature.circuit
    for what, value in circuit.descriptions.items():
        print(f"{what}: {value}")


def _scores(network: torch.nn.Module, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    with torch.no_grad():
        found = [network(some) for some in torch.tensor(rows(images)).split(500)]
    return torch.cat(found).numpy()


def _costs(answers: Answers) -> str:
    seconds, up, down = answers.seconds, size(answers.request_bytes), size(answers.response_bytes)
    steps = ", ".join(f"{step} {duration(seconds[step])}" for step in ("encrypt", "server", "decrypt"))
    return f"{steps}, {up} up, {down} down; keys, once: {size(answers.key_bytes)}"


def _share(right: npt.NDArray[np.bool_]) -> str:
    return f"{right.sum():,} of {right.size:,} = {right.mean():.2%}"


if __name__ == "__main__":
    main()
