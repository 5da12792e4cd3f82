"""``python -m benchmarks``: every table, measured now, on this machine."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import hermetic
from hermetic.demo.classifier import cache_directory, load_or_train
from hermetic.demo.mnist import features, load_mnist

from .browser import measure_browser
from .classifiers import Missing, Task, compare, images_task, report_lines, stumps_task, tumours_task
from .legacy import answered_lines, measure_legacy
from .linear import Row, batch_rows, hermetic_row, peer_rows, shape_rows
from .public_features import feature_rows, fitted, whole_test_set
from .search import search_rows
from .service import NAME, WORKERS, Load, Memory, ServiceReport, encrypted, measure_service
from .tables import duration, show, size

SECTIONS = (
    "single",
    "batches",
    "shapes",
    "search",
    "accuracy",
    "features",
    "service",
    "browser",
    "legacy",
    "classifiers",
)
_MARKDOWN_WIDTH = 400


def main() -> None:
    """Measure the sections asked for and print a table each."""
    options = _options()
    console = Console(width=_MARKDOWN_WIDTH if options.markdown else None)
    console.print(f"Python {platform.python_version()}, {platform.machine()}, medians of {options.repeat}\n")
    data = load_mnist()
    X = features(data.test_images)
    classifier = load_or_train(data, cache_directory()).estimator
    if "single" in options.sections:
        rows = [hermetic_row("hermetic", classifier, X[:1], options.repeat, X_sample=X[:1000])]
        rows += [] if options.no_peers else _tolerant(peer_rows(classifier, X, options.repeat))
        _print(console, "MNIST, one image, 784 features, 10 classes", rows, markdown=options.markdown)
    if "batches" in options.sections:
        rows = list(batch_rows(classifier, X, options.repeat))
        _print(console, "Batches of MNIST images (times and bytes of the whole batch)", rows, markdown=options.markdown)
    if "shapes" in options.sections:
        _print(console, "Other sizes, one sample", list(shape_rows(options.repeat)), markdown=options.markdown)
    if "search" in options.sections:
        title = "Private search: one question of 384 numbers, cosine distances to a service's vectors"
        _print(console, title, list(search_rows(max(1, options.repeat // 4))), markdown=options.markdown)
    if "accuracy" in options.sections:
        _accuracy(console, classifier, X)
    if "features" in options.sections:
        head = fitted(data)
        rows = list(feature_rows(head, data, options.repeat))
        _print(console, "MNIST on public features, 10 classes", rows, markdown=options.markdown)
        console.print(whole_test_set(head, data), "", soft_wrap=True)
    if "service" in options.sections:
        report = measure_service(classifier, X, 5 * options.repeat, options.load_seconds)
        title = f"MNIST through the service on loopback, {WORKERS} workers (memory: front / workers)"
        show(console, title, _service_lines(report), markdown=options.markdown)
    if "browser" in options.sections:
        model = hermetic.compile(classifier, X[:1000], name=NAME)
        with tempfile.TemporaryDirectory() as folder, encrypted(model, Path(folder)) as (_, url):
            measured = measure_browser(url, NAME, options.repeat)
        title = "MNIST in the page that the service shows, in Chromium, on loopback"
        show(console, title, _browser_lines(measured), markdown=options.markdown)
    if "legacy" in options.sections and not options.no_peers:
        answered = _tolerant(measure_legacy(classifier, X, options.repeat))
        title = "MNIST, one image, by an unmodified client of encrypted-inference 0.9: the same ciphertexts and keys"
        show(console, title, answered_lines(answered), markdown=options.markdown)
    if "classifiers" in options.sections:
        train = features(data.train_images[:1000])
        tasks = (tumours_task(), images_task(classifier, X, data.test_labels, train), stumps_task())
        for task in tasks:
            _compare(console, task, options)


def _compare(console: Console, task: Task, options: argparse.Namespace) -> None:
    """One task's table, and who is not in it."""
    reports = list(compare(task, options.repeat, peers=not options.no_peers))
    lines = report_lines(task, [one for one in reports if not isinstance(one, Missing)])
    show(console, task.title, lines, markdown=options.markdown)
    for one in reports:
        if isinstance(one, Missing):
            console.print(f"{one.name} is not measured here: {one.reason}\n", soft_wrap=True, markup=False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", default=SECTIONS, help=f"from {', '.join(SECTIONS)}; default all")
    parser.add_argument("--repeat", type=int, default=20, help="how often each step is timed (default 20)")
    parser.add_argument(
        "--no-peers", action="store_true", help="leave out the peers (encrypted-inference takes minutes)"
    )
    parser.add_argument(
        "--load-seconds", type=float, default=60, help="how long the service is kept under load (default 60)"
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"sections must be from {', '.join(SECTIONS)}. Got {', '.join(sorted(unknown))} instead.")
    return options


def _tolerant(rows: Iterable[Any]) -> list[Any]:
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


def _print(console: Console, title: str, rows: list[Row], *, markdown: bool) -> None:
    measured: list[dict[str, Any]] = [
        asdict(row.measured) if is_dataclass(row.measured) else dict(row.measured) for row in rows
    ]
    heads = ["", *(row.name for row in rows)]
    lines = [["parameters", *(row.parameters for row in rows)]]
    lines += [[name, *(render(one) for one in measured)] for name, render in _COLUMNS.items()]
    show(console, title, [heads, *lines], markdown=markdown)


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


def _accuracy(console: Console, classifier: Any, X: Any) -> None:
    """All test images through one encrypted bulk call, against scikit-learn and the integer reference."""
    model = hermetic.compile(classifier, X[:1000])
    client = hermetic.Client(model.signature)
    start = time.perf_counter()
    result = model.evaluate(client.encrypt(X), client.public_key)
    labels = client.predict(result)
    seconds = time.perf_counter() - start
    integers = client.decrypt_integers(result) == model.integers.apply(client.quantize(X)[0])
    same = int((labels == classifier.predict(X)).sum())
    console.print(
        f"{len(X)} test images in one call: {seconds:.1f} s; labels equal to scikit-learn on {same}, "
        f"integers equal to the reference on {int(integers.all(axis=1).sum())}; guaranteed error "
        f"{model.signature.error:g}, largest seen "
        f"{np.abs(client.decrypt(result) - classifier.decision_function(X)).max():.1e}"
    )


if __name__ == "__main__":
    main()
