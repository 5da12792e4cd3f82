"""What the demo shows in the terminal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.text import Text

from ..demo.run import Outcome
from ..signature import Signature
from .digits import beside, halved, hexadecimal, picture
from .tables import facts, section, times
from .units import duration, size

_MOST_HEX_COLUMNS = 16
_GAP = "  "
_MOST_DIGITS = 60

Images = npt.NDArray[np.uint8]


def show_views(console: Console, image: Images, outcome: Outcome) -> None:
    """One image as the client has it, beside the first bytes of its ciphertext."""
    left = picture(image, console)
    room = console.width - image.shape[1] - len(_GAP)
    columns = max(1, min(_MOST_HEX_COLUMNS, (room + 1) // 3))
    right = hexadecimal(outcome.ciphertexts[0], len(left), columns)
    section(console, "What the client has, and what the server gets")
    for line in beside(left, right, _GAP):
        console.print(line)
    note = f"{len(left) * columns} of the query's {outcome.request_bytes:,} bytes"
    console.print(Text(f"{'one test image':<{image.shape[1]}}{_GAP}{note}", style="dim"))


def show_digits(console: Console, images: Images, outcome: Outcome) -> None:
    """The images, each with its decrypted label and whether that is right."""
    section(console, "What the client decrypts")
    tiles = [halved(image) for image in images[:_MOST_DIGITS]]
    width = tiles[0].shape[1]
    in_a_row = max(1, (console.width + len(_GAP)) // (width + len(_GAP)))
    for first in range(0, len(tiles), in_a_row):
        row = slice(first, first + in_a_row)
        drawn = [picture(tile, console) for tile in tiles[row]]
        labels = zip(outcome.predicted[row], outcome.true[row], drawn, strict=False)
        verdicts = [_verdict(predicted, true, width) for predicted, true, _ in labels]
        for line in (*zip(*drawn, strict=True), verdicts):
            console.print(Text(_GAP).join(line))
    if len(images) > _MOST_DIGITS:
        console.print(Text(f"and {len(images) - _MOST_DIGITS:,} more", style="dim"))


def show_times(console: Console, outcome: Outcome, once: dict[str, float], key_bytes: int) -> None:
    """Every step of a query: who does it, how long it takes, what travels. ``once`` holds the steps before it."""
    travels = {
        "keys": f"{size(key_bytes)} up",
        "request": f"{size(outcome.request_bytes)} up",
        "response": f"{size(outcome.response_bytes)} down",
    }
    console.print(times(once | outcome.seconds, travels))


def show_agreement(console: Console, outcome: Outcome, signature: Signature) -> None:
    """Accuracy, encrypted and in the clear, and how exactly the two agree."""
    count = len(outcome.true)
    rows = {
        "an image": _one_image(outcome),
        "accuracy, encrypted": _share(outcome.correct, count),
        "accuracy, scikit-learn": _share(outcome.plain_correct, count),
        "labels equal": f"{outcome.labels_equal:,} of {count:,}",
        "integers equal": f"{outcome.integers_equal:,} of {outcome.integers:,} to the reference, bit for bit",
        "largest error": f"{outcome.worst_error:.1e} of a score; guaranteed <= {signature.error:g}",
    }
    console.print()
    console.print(facts(rows))


def _share(part: int, count: int) -> str:
    return f"{part:,} of {count:,} = {part / count:.2%}"


def _one_image(outcome: Outcome) -> str:
    images = outcome.images_a_query
    up, down = size(outcome.request_bytes / images), size(outcome.response_bytes / images)
    return f"{duration(sum(outcome.seconds.values()) / images)} for all steps, {up} up, {down} down"


def _verdict(predicted: int, true: int, width: int) -> Text:
    right = predicted == true
    words = f"read {predicted}, is {true} {'✓' if right else '✗'}"
    return Text(f"{words:<{width}}", style="bold green" if right else "bold red")
