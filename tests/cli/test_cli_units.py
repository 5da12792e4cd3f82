"""Numbers as people read them."""

from __future__ import annotations

import pytest

from hermetic.cli.units import counted, duration, size


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (47_284, "47.3 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (92_324_020, "92.3 MB"),
        (3_000_000_000, "3 GB"),
        (83.6, "83.6 bytes"),
    ],
)
def test_sizes(count: float, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.000512, "0.512 ms"),
        (0.00999, "9.99 ms"),
        (0.01234, "12.3 ms"),
        (0.0999999, "100 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (1.25, "1.25 s"),
        (125.4, "125 s"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_counts() -> None:
    assert (counted(1, "sample"), counted(4096, "sample")) == ("1 sample", "4,096 samples")
