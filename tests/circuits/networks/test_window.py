"""What a convolution reads of an image, beside a loop over its places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.circuits.networks.arrangement import Arrangement
from hermetic.circuits.networks.window import Window
from hermetic.errors import ParameterError


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Any that fit into small images."""
    image = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    padding = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    kernel = tuple(draw(st.integers(1, side + 2 * p)) for side, p in zip(image[1:], padding, strict=True))
    return Window(image, kernel, (draw(st.integers(1, 3)), draw(st.integers(1, 3))), padding)  # type: ignore[arg-type]


def convolved(image: np.ndarray, kernel: np.ndarray, window: Window) -> np.ndarray:
    """A convolution as it is defined (rows, columns), of one map."""
    padded = np.pad(image, [(0, 0), *((p, p) for p in window.padding)])
    height, width = window.kernel
    return np.array(
        [
            [
                (padded[:, y : y + height, x : x + width] * kernel).sum()
                for x in range(0, padded.shape[2] - width + 1, window.stride[1])
            ]
            for y in range(0, padded.shape[1] - height + 1, window.stride[0])
        ]
    )


@given(window=windows(), seed=st.integers(0, 2**32 - 1))
def test_a_window_reads_what_a_convolution_multiplies(window: Window, seed: int) -> None:
    random = np.random.default_rng(seed)
    image, kernel = random.normal(size=window.image), random.normal(size=(window.image[0], *window.kernel))
    expected = convolved(image, kernel, window)
    assert expected.shape == window.places
    read = np.append(image.reshape(-1), 0.0)[window.reads]
    assert np.allclose(read @ kernel.reshape(-1), expected.reshape(-1))


@given(window=windows(), maps=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_weights_of_a_window_are_gathered_and_scattered(window: Window, maps: int, seed: int) -> None:
    """What a place reads around the image has no weight, so it comes back as 0."""
    arrangement = Arrangement(1 << 12, window.inputs, 1, 1, paired=True, window=window)
    hidden = maps * window.positions
    given_weights = np.random.default_rng(seed).normal(size=(hidden, window.taps))
    weights = arrangement.scattered(given_weights)
    assert weights.shape == (hidden, window.inputs)
    inside = window.reads[np.arange(hidden) % window.positions] >= 0
    assert np.array_equal(arrangement.gathered(weights), np.where(inside, given_weights, 0.0))
    x = np.random.default_rng(seed + 1).normal(size=window.inputs)
    read = np.append(x, 0.0)[window.reads[np.arange(hidden) % window.positions]]
    assert np.allclose((read * given_weights).sum(axis=1), weights @ x)


@pytest.mark.parametrize(
    ("image", "kernel", "stride", "padding"),
    [
        ((1, 4, 4), (5, 1), (1, 1), (0, 0)),
        ((1, 4, 4), (1, 7), (1, 1), (0, 1)),
        ((1, 4, 4), (0, 1), (1, 1), (0, 0)),
        ((1, 4, 4), (1, 1), (0, 1), (0, 0)),
        ((0, 4, 4), (1, 1), (1, 1), (0, 0)),
        ((1, 4, 4), (1, 1), (1, 1), (0, -1)),
    ],
)
def test_windows_that_do_not_fit_are_refused(
    image: tuple[int, int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> None:
    with pytest.raises(ParameterError, match="a window must fit into its image and move on"):
        Window(image, kernel, stride, padding)


def test_the_image_of_a_window_has_the_inputs() -> None:
    with pytest.raises(ParameterError, match=r"the image of a window must have 17 values. It has 16"):
        Arrangement(64, 17, 1, 1, paired=True, window=Window((1, 4, 4), (2, 2), (1, 1), (0, 0)))
