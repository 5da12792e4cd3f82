"""What is measured, section by section: each gives its tables, and sentences beside them."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import hermetic
from hermetic.demo.classifier import cache_directory, load_or_train
from hermetic.demo.mnist import Mnist, features, load_mnist

from .browser import measure_browser
from .classifiers import Missing, Task, compare, images_task, report_lines, stumps_task, tumours_task
from .legacy import answered_lines, measure_legacy
from .linear import Row, batch_rows, hermetic_row, peer_rows, shape_rows
from .networks import OPTIONS, network_rows, squares, squares_task
from .public_features import OnFeatures, feature_rows, fitted, whole_test_set
from .search import search_rows
from .service import NAME, WORKERS, Load, Memory, ServiceReport, encrypted, measure_service
from .tables import Table, duration, size
from .trees import ROWS, on_thresholds, tree_rows, tumour_trees
from .workload import Batch, batches


@dataclass(frozen=True)
class Subject:
    """What is measured, and how often. MNIST and its classifier are loaded when a section needs them."""

    repeat: int
    peers: bool
    load_seconds: float

    @cached_property
    def data(self) -> Mnist:
        return load_mnist()

    @cached_property
    def images(self) -> Any:
        return features(self.data.test_images)

    @cached_property
    def classifier(self) -> Any:
        return load_or_train(self.data, cache_directory()).estimator


Section = Callable[[Subject], Iterator[Table | str]]


def _single(subject: Subject) -> Iterator[Table | str]:
    classifier, X = subject.classifier, subject.images
    rows = [hermetic_row("hermetic", classifier, X[:1], subject.repeat, X_sample=X[:1000])]
    rows += _reported(peer_rows(classifier, X, subject.repeat)) if subject.peers else []
    yield _table("MNIST, one image, 784 features, 10 classes", rows)


def _batches(subject: Subject) -> Iterator[Table | str]:
    rows = batch_rows(subject.classifier, subject.images, subject.repeat)
    yield _table("Batches of MNIST images (times and bytes of the whole batch)", rows)


def _shapes(subject: Subject) -> Iterator[Table | str]:
    yield _table("Other sizes, one sample", shape_rows(subject.repeat))


def _search(subject: Subject) -> Iterator[Table | str]:
    title = "Private search: one question of 384 numbers, cosine distances to a service's vectors"
    yield _table(title, search_rows(max(1, subject.repeat // 4)))


def _accuracy(subject: Subject) -> Iterator[Table | str]:
    """All test images through one encrypted bulk call, against scikit-learn and the integer reference."""
    classifier, X = subject.classifier, subject.images
    model = hermetic.compile(classifier, X[:1000])
    client = hermetic.Client(model.signature)
    start = time.perf_counter()
    result = model.evaluate(client.encrypt(X), client.public_key)
    labels = client.predict(result)
    seconds = time.perf_counter() - start
    integers = client.decrypt_integers(result) == model.integers.apply(client.quantize(X)[0])
    same = int((labels == classifier.predict(X)).sum())
    yield (
        f"{len(X)} test images in one call: {seconds:.1f} s; labels equal to scikit-learn on {same}, "
        f"integers equal to the reference on {int(integers.all(axis=1).sum())}; guaranteed error "
        f"{model.signature.error:g}, largest seen "
        f"{np.abs(client.decrypt(result) - classifier.decision_function(X)).max():.1e}"
    )


def _features(subject: Subject) -> Iterator[Table | str]:
    head = fitted(subject.data)
    yield _table("MNIST on public features, 10 classes", feature_rows(head, subject.data, subject.repeat))
    yield whole_test_set(head, subject.data)


def _service(subject: Subject) -> Iterator[Table | str]:
    report = measure_service(subject.classifier, subject.images, 5 * subject.repeat, subject.load_seconds)
    title = f"MNIST through the service on loopback, {WORKERS} workers (memory: front / workers)"
    yield Table(title, _service_lines(report))


def _browser(subject: Subject) -> Iterator[Table | str]:
    model = hermetic.compile(subject.classifier, subject.images[:1000], name=NAME)
    with tempfile.TemporaryDirectory() as folder, encrypted(model, Path(folder)) as (_, url):
        measured = measure_browser(url, NAME, subject.repeat)
    yield Table("MNIST in the page that the service shows, in Chromium, on loopback", _browser_lines(measured))


def _legacy(subject: Subject) -> Iterator[Table | str]:
    if not subject.peers:
        return
    answered = _reported(measure_legacy(subject.classifier, subject.images, subject.repeat))
    title = "MNIST, one image, by an unmodified client of encrypted-inference 0.9: the same ciphertexts and keys"
    yield Table(title, answered_lines(answered))


def _classifiers(subject: Subject) -> Iterator[Table | str]:
    train = features(subject.data.train_images[:1000])
    digits = images_task(subject.classifier, subject.images, subject.data.test_labels, train)
    for task in (tumours_task(), digits, stumps_task()):
        yield from _compared(task, subject)


def _trees(subject: Subject) -> Iterator[Table | str]:
    for task in tumour_trees():
        yield from _compared(task, subject)
    yield _table("Private trees of other sizes, one sample", _reported(tree_rows(subject.repeat)))
    public = _reported(tree_rows(subject.repeat, splits="public"))
    yield _table("The same with public splits, where only leaf values are private, one sample", public)
    yield on_thresholds(ROWS)


def _compared(task: Task, subject: Subject) -> Iterator[Table | str]:
    """One task's table, and who is not in it."""
    reports = list(compare(task, subject.repeat, peers=subject.peers))
    yield Table(task.title, report_lines(task, [one for one in reports if not isinstance(one, Missing)]))
    for one in reports:
        if isinstance(one, Missing):
            yield f"{one.name} is not measured here: {one.reason}"


def _networks(subject: Subject) -> Iterator[Table | str]:
    rows, worth = zip(*network_rows(subject.data, subject.repeat), strict=True)
    yield _table("Private networks of one hidden layer, one sample", rows)
    yield from worth
    yield from _compared(squares_task(subject.data, squares(subject.data)), subject)


def _workload(subject: Subject) -> Iterator[Table | str]:
    """Linear on pixels, linear on public features, and a network: all of it encrypted, in numbers of images."""
    X, y = subject.images, subject.data.test_labels
    network, read = squares(subject.data), OnFeatures.of(subject.data)
    train = features(subject.data.train_images[:1000])
    models = {
        "linear on pixels": (hermetic.compile(subject.classifier, train), subject.classifier),
        "linear on public features": (hermetic.compile(read.head, train, features=read.features), read),
        "network 784-128-10, squares": (hermetic.compile(network.onnx, train, **OPTIONS["hermetic"]), network),
    }
    found = [batch for name, (model, plain) in models.items() for batch in _reported(batches(name, model, plain, X, y))]
    yield Table("MNIST, from keys to labels", _workload_lines(found))


SECTIONS: dict[str, Section] = {
    "single": _single,
    "batches": _batches,
    "shapes": _shapes,
    "accuracy": _accuracy,
    "features": _features,
    "search": _search,
    "service": _service,
    "browser": _browser,
    "legacy": _legacy,
    "classifiers": _classifiers,
    "trees": _trees,
    "networks": _networks,
    "workload": _workload,
}


def _workload_lines(batches: list[Batch]) -> list[list[str]]:
    columns = {
        "images": lambda b: f"{b.images:,}",
        "make keys": lambda b: duration(b.keys_s * 1e3),
        "encrypt": lambda b: duration(b.encrypt_s * 1e3),
        "server": lambda b: duration(b.server_s * 1e3),
        "decrypt": lambda b: duration(b.decrypt_s * 1e3),
        "keys": lambda b: size(b.key_bytes),
        "up": lambda b: size(b.request_bytes),
        "down": lambda b: size(b.response_bytes),
        "right": lambda b: f"{b.right:.2%}",
        "labels as the plain model's": lambda b: f"{b.same:.2%}",
    }
    return [["", *columns], *([batch.name, *(show(batch) for show in columns.values())] for batch in batches)]


def _reported(rows: Iterable[Any]) -> list[Any]:
    """The rows, each named on stderr as it comes: some take minutes."""
    found = []
    for row in rows:
        print(f"measured {row.name}", file=sys.stderr)
        found.append(row)
    return found


_COLUMNS = {
    "keys": lambda m: size(m["key_bytes"]),
    "make keys": lambda m: duration(m["key_ms"]),
    "encrypt": lambda m: duration(m["encrypt_ms"]),
    "request": lambda m: size(m["request_bytes"]),
    "load keys": lambda m: duration(m["key_load_ms"]),
    "server": lambda m: duration(m["server_ms"]),
    "server, over one SEAL zero": lambda m: f"{m['server_ms'] / m['zero_ms']:.2f}" if "zero_ms" in m else "–",
    "floor under the server": lambda m: duration(m.get("server_floor_ms")),
    "response": lambda m: size(m["response_bytes"]),
    "decrypt": lambda m: duration(m["decrypt_ms"]),
    "max error": lambda m: f"{m['max_error']:.1e}",
    "integers exact": lambda m: {True: "yes", False: "NO", None: "–"}[m.get("exact")],
    "memory": lambda m: f"{m['client_mb']:.0f} / {m['server_mb']:.0f} MB" if "client_mb" in m else "–",
}


def _table(title: str, rows: Iterable[Row]) -> Table:
    rows = list(rows)
    measured: list[dict[str, Any]] = [
        asdict(row.measured) if is_dataclass(row.measured) else dict(row.measured) for row in rows
    ]
    lines = [["", *(row.name for row in rows)], ["parameters", *(row.parameters for row in rows)]]
    lines += [[name, *(render(one) for one in measured)] for name, render in _COLUMNS.items()]
    return Table(title, lines)


def _service_lines(report: ServiceReport) -> list[list[str]]:
    latency, sustained, bulk = report.latency, report.sustained, report.bulk
    ratio = f"{latency.encrypted_ms / latency.plain_ms:.1f}"
    lines = [["one prediction", duration(latency.encrypted_ms), duration(latency.plain_ms), ratio]]
    for load in report.loads:
        lines += _load_lines(f"{load.clients} client{'s' * (load.clients > 1)}", load)
    lines += _load_lines(f"{sustained.clients} clients, {sustained.seconds:.0f} s", sustained)
    alone = [
        ["memory before that", _memory(report.memory_before)],
        ["memory after that", _memory(report.memory_after)],
        [f"{bulk.images} images, one call", duration(bulk.seconds * 1e3)],
        ["labels as scikit-learn's", str(bulk.same)],
    ]
    return [["", "encrypted", "plain", "ratio"], *lines, *([*line, "–", "–"] for line in alone)]


def _load_lines(name: str, load: Load) -> list[list[str]]:
    p50, p99 = load.percentile(50), load.percentile(99)
    refused = "".join(f", {count} x {status}" for status, count in sorted(load.refused.items()))
    return [
        [f"{name}: predictions/s", f"{load.per_second:.0f}{refused}", "–", "–"],
        [f"{name}: p50, p99", f"{duration(p50)}, {duration(p99)}", "–", "–"],
    ]


def _browser_lines(measured: dict[str, Any]) -> list[list[str]]:
    return [
        ["", "in the browser"],
        ["page with WebAssembly, gzip", size(measured["bundleBytes"])],
        ["page ready: WebAssembly, signature and key", duration(measured["readyMs"])],
        ["make keys", duration(measured["keyMs"])],
        ["encrypt, to the worker and back", duration(measured["encryptMs"])],
        ["request", size(measured["requestBytes"])],
        ["decrypt, to the worker and back", duration(measured["decryptMs"])],
        ["click to answer", duration(measured["totalMs"])],
    ]


def _memory(memory: Memory) -> str:
    return " / ".join(f"{one:.0f}" for one in (memory.front, *memory.workers)) + " MB"
