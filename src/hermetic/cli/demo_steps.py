"""What the demo does, step by step, telling the terminal. Loads all of ``hermetic[demo]``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.text import Text

from ..client import Client
from ..compiler import compile_model
from ..demo.classifier import Trained, cache_directory, load_or_train
from ..demo.mnist import Bytes, Mnist, features, load_mnist
from ..demo.picture import Exhibit, Figure, draw
from ..demo.run import Outcome, Parties, all_at_once, one_by_one
from ..roundtrip import LocalServer
from .console import stderr, stdout
from .demo_report import show_agreement, show_digits, show_times, show_views
from .progress import bar
from .tables import section
from .units import duration, size

_SAMPLE = 1000

T = TypeVar("T")


class DemoSteps:
    """The data, the trained and compiled model, and a client with its keys; made with a line in the terminal each."""

    def __init__(self, data: Path | None, profile: str, *, use_cache: bool) -> None:
        """Load MNIST from the directory, or the installed package; train, compile, make keys."""
        self._console = stdout()
        self._mnist = _load(self._console, data)
        trained = _train(self._console, self._mnist, use_cache=use_cache)
        self._parties, self._key_seconds = _set_up(self._console, self._mnist, trained, profile)
        self._signature = self._parties.client.signature

    def show_images(self, count: int, seed: int, picture: Path) -> None:
        """Encrypt random test images, one query each; show what happened, and draw it."""
        mnist, console = self._mnist, self._console
        chosen = np.random.default_rng(seed).permutation(len(mnist.test_images))[:count]
        images, labels = mnist.test_images[chosen], mnist.test_labels[chosen]
        with bar("Encrypted images") as shown:
            outcome = one_by_one(self._parties, features(images), labels, shown.advance)
        show_views(console, images[0], outcome)
        show_digits(console, images, outcome)
        section(console, f"One image a query: medians of {len(images):,}" if len(images) > 1 else "One image")
        self._show_numbers(outcome, {"keys": self._key_seconds})
        _timed("Drawing the picture", lambda: _draw(picture, images, outcome))
        console.print(f"\nThe picture is {picture}", markup=False, soft_wrap=True)

    def show_test_set(self) -> None:
        """Encrypt the whole test set in one query, and show what happened."""
        mnist, parties = self._mnist, self._parties
        section(self._console, f"All {len(mnist.test_images):,} test images in one query")
        _, seconds = _timed("Encoding the weights for a batch", lambda: parties.service.prepare(len(mnist.test_images)))
        with bar("encrypt") as shown:
            outcome = all_at_once(parties, features(mnist.test_images), mnist.test_labels, shown.begin, shown.advance)
        self._show_numbers(outcome, {"keys": self._key_seconds, "weights": seconds})

    def _show_numbers(self, outcome: Outcome, once: dict[str, float]) -> None:
        show_times(self._console, outcome, once, len(self._parties.client.public_key.to_bytes()))
        show_agreement(self._console, outcome, self._signature)


def _load(console: Console, directory: Path | None) -> Mnist:
    data, _ = _timed("Loading MNIST", lambda: load_mnist(directory))
    counts = f"{len(data.train_images):,} training and {len(data.test_images):,} test images"
    _done(console, "MNIST", f"{counts}, from {data.source}")
    return data


def _train(console: Console, mnist: Mnist, *, use_cache: bool) -> Trained:
    cache = cache_directory() if use_cache else None
    trained, _ = _timed("Training LogisticRegression", lambda: load_or_train(mnist, cache))
    came = "from the cache" if trained.seconds is None else f"trained in {duration(trained.seconds)}"
    _done(console, "classifier", f"LogisticRegression, {trained.iterations} iterations, {came}")
    return trained


def _set_up(console: Console, mnist: Mnist, trained: Trained, profile: str) -> tuple[Parties, float]:
    """Compile and make keys; returns the parties and how many seconds the keys took."""
    sample = features(mnist.train_images[:_SAMPLE])
    model, seconds = _timed(
        "Compiling", lambda: compile_model(trained.estimator, sample, name="mnist", profile=profile)
    )
    signature = model.signature
    _done(console, "compiled", f"in {duration(seconds)}: profile {signature.parameters.profile}")
    _done(console, "security", signature.parameters.security)
    _done(
        console,
        "guaranteed",
        f"error of a score <= {signature.error:g}, answers flooded by {signature.lambda_bits:g} bits",
    )
    client, key_seconds = _timed("Making keys", lambda: Client(signature))
    public_key = client.public_key.to_bytes()
    _done(console, "keys", f"in {duration(key_seconds)}: {size(len(public_key))} public; the secret one stays here")
    service = LocalServer(model, public_key)
    service.prepare(1)
    return Parties(trained.estimator, model, service, client), key_seconds


def _draw(path: Path, images: Bytes, outcome: Outcome) -> None:
    kept = slice(len(outcome.ciphertexts))
    exhibits = [
        Exhibit(image, int(true), int(predicted), ciphertext)
        for image, true, predicted, ciphertext in zip(
            images[kept], outcome.true[kept], outcome.predicted[kept], outcome.ciphertexts, strict=True
        )
    ]
    steps = {step: duration(seconds) for step, seconds in outcome.seconds.items()}
    labels = f"{outcome.labels_equal:,} of {len(images):,}"
    integers = f"{outcome.integers_equal:,} of {outcome.integers:,}"
    up, down = size(outcome.request_bytes), size(outcome.response_bytes)
    figures = [
        Figure(labels, "labels equal to scikit-learn's on the images in the clear"),
        Figure(integers, "decrypted integers equal to the reference, bit for bit"),
        Figure(steps["server"], f"to answer; {steps['encrypt']} to encrypt and {steps['decrypt']} to decrypt"),
        Figure(up, f"for an image, and {down} for its answer"),
    ]
    draw(path, exhibits, figures)


def _timed(description: str, work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    with stderr().status(description):
        done = work()
    return done, time.perf_counter() - start


def _done(console: Console, what: str, how: str) -> None:
    console.print(Text.assemble(("✓ ", "green"), (f"{what:<12}", "bold"), how))
