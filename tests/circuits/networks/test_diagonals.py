"""A matrix by its diagonals: rotated slots times plaintexts, added and folded, are the matrix times the inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.circuits.networks.arrangement import Arrangement
from hermetic.circuits.networks.diagonals import Steps, diagonals, steps_for_layer, steps_for_query, steps_for_words
from hermetic.circuits.networks.window import Window
from hermetic.errors import ParameterError

SLOTS = 64


def computed(plaintexts: np.ndarray, ciphertexts: np.ndarray, steps: Steps, period: int = SLOTS) -> np.ndarray:
    """What an evaluation does, in plain slots, to values that repeat every so many."""
    total = np.zeros(SLOTS, dtype=np.complex128)
    for giant in plaintexts[::-1]:
        total = np.roll(total, -steps.giant)
        for c, ciphertext in enumerate(ciphertexts):
            for b, plaintext in enumerate(giant[c]):
                total = total + np.roll(ciphertext, -b * steps.baby) * plaintext
    for step in steps.folds(period):
        total = total + np.roll(total, -step)
    return total


@st.composite
def arrangements(draw: st.DrawFn) -> Arrangement:
    """Any that fit."""
    each, count = draw(st.integers(1, SLOTS)), draw(st.integers(1, 8))
    inputs = draw(st.integers((count - 1) * each + 1, count * each))
    count = -(-inputs // -(-inputs // count))
    return Arrangement(SLOTS, inputs, count, draw(st.integers(1, SLOTS // -(-inputs // count))))


@given(arrangement=arrangements(), outputs=st.integers(1, SLOTS), seed=st.integers(0, 2**32 - 1))
def test_any_matrix_on_any_arrangement(arrangement: Arrangement, outputs: int, seed: int) -> None:
    random, inputs, repeat = np.random.default_rng(seed), arrangement.inputs, arrangement.repeat
    weights = random.normal(size=(outputs, inputs)) + 1j * random.normal(size=(outputs, inputs))
    x, steps = random.normal(size=inputs), steps_for_query(outputs, repeat, SLOTS)
    found = computed(diagonals(weights, arrangement.source, steps), arrangement.spread(x), steps)
    expected = np.append(weights @ x, np.zeros(steps.period - outputs))
    assert np.allclose(found, expected[np.arange(SLOTS) % steps.period])


@given(outputs=st.integers(1, SLOTS), data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_matrix_on_columns_that_are_written_more_than_once(outputs: int, data: st.DataObject, seed: int) -> None:
    period = 1 << (outputs - 1).bit_length()
    copies = 1 << data.draw(st.integers(0, (SLOTS // period).bit_length() - 1))
    inputs = data.draw(st.integers(1, SLOTS // copies))
    repeat = data.draw(st.integers(1, SLOTS // copies // inputs))
    arrangement = Arrangement(SLOTS, inputs, 1, repeat, copies=copies)
    random = np.random.default_rng(seed)
    weights, x = random.normal(size=(outputs, inputs)), random.normal(size=inputs)
    steps = steps_for_query(outputs, repeat, arrangement.span)
    plaintexts = np.tile(diagonals(weights, arrangement.source[:, : arrangement.span], steps), copies)
    found = computed(plaintexts, arrangement.spread(x), steps, arrangement.span)
    expected = np.append(weights @ x, np.zeros(steps.period - outputs))
    assert np.allclose(found, expected[np.arange(SLOTS) % steps.period])


@given(inputs=st.integers(1, SLOTS), data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_matrix_on_the_values_of_a_layer(inputs: int, data: st.DataObject, seed: int) -> None:
    period = 1 << (inputs - 1).bit_length()
    outputs = data.draw(st.integers(1, period))
    random = np.random.default_rng(seed)
    weights, x = random.normal(size=(outputs, inputs)), random.normal(size=inputs)
    steps = steps_for_layer(1 << (outputs - 1).bit_length(), period)
    number = np.arange(period)
    plaintexts = np.tile(diagonals(weights, np.where(number < inputs, number, -1)[None], steps), SLOTS // period)
    values = np.tile(np.append(x, random.normal(size=period - inputs)), SLOTS // period)
    found = computed(plaintexts, values[None], steps, period)
    expected = np.append(weights @ x, np.zeros(steps.period - outputs))
    assert np.allclose(found, expected[np.arange(SLOTS) % steps.period])


def halves_of_two(found: np.ndarray) -> np.ndarray:
    """What a slot holds of two inputs, and its conjugate."""
    return found + np.conj(found)


@given(inputs=st.integers(1, 60), outputs=st.integers(1, SLOTS), data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_matrix_on_inputs_two_a_slot(inputs: int, outputs: int, data: st.DataObject, seed: int) -> None:
    columns = -(-inputs // 2)
    count = data.draw(st.integers(1, columns).filter(lambda count: (count - 1) * -(-columns // count) < columns))
    arrangement = Arrangement(SLOTS, inputs, count, data.draw(st.integers(1, SLOTS // -(-columns // count))), True)
    random = np.random.default_rng(seed)
    weights, x = random.normal(size=(outputs, inputs)), random.normal(size=inputs)
    steps = steps_for_query(outputs, arrangement.repeat, SLOTS)
    plaintexts = diagonals(arrangement.on_columns(weights), arrangement.source, steps)
    found = halves_of_two(computed(plaintexts, arrangement.spread(x), steps))
    expected = np.append(weights @ x, np.zeros(steps.period - outputs))
    assert np.allclose(found, expected[np.arange(SLOTS) % steps.period])


@pytest.mark.parametrize(("count", "repeat", "maps"), [(1, 2, 3), (2, 4, 4), (3, 1, 1), (2, 1, 2)])
def test_a_convolution_on_cells_of_its_places(count: int, repeat: int, maps: int) -> None:
    window = Window((1, 4, 4), (3, 3), (1, 1), (1, 0))
    assert window.positions == 8
    arrangement = Arrangement(128, window.inputs, count, repeat, paired=True, window=window)
    random, hidden = np.random.default_rng(0), maps * window.positions
    weights, x = arrangement.scattered(random.normal(size=(hidden, window.taps))), random.normal(size=window.inputs)
    steps = steps_for_query(hidden, repeat * arrangement.cell, 128)
    plaintexts = diagonals(arrangement.on_columns(weights), arrangement.source, steps)
    total = np.zeros(128, dtype=np.complex128)
    for giant in plaintexts[::-1]:
        total = np.roll(total, -steps.giant) + (giant[:, 0] * arrangement.spread(x)).sum(axis=0)
    for step in steps.folds(128):
        total = total + np.roll(total, -step)
    assert np.allclose(halves_of_two(total)[arrangement.neurons(hidden)], weights @ x)


@given(words=st.integers(1, SLOTS), bits=st.integers(0, 6))
def test_turns_bring_all_hidden_values_to_a_share_that_repeats_for_every_word(words: int, bits: int) -> None:
    period = 1 << bits
    steps = steps_for_words(words, period, SLOTS)
    assert SLOTS // steps.period >= words
    turns = [giant * steps.giant + baby for giant in range(steps.giants) for baby in steps.baby_steps]
    reached = {(slot + turn) % period for slot in range(steps.period) for turn in turns}
    assert reached == set(range(period))
    assert len(turns) * steps.period == period


@pytest.mark.parametrize(("inputs", "outputs", "babies"), [(8, 8, 4), (16, 8, 4), (5, 16, 8), (32, 32, 8)])
def test_baby_and_giant_steps_without_folding(inputs: int, outputs: int, babies: int) -> None:
    """Inputs that repeat themselves all over the slots, as hidden values do."""
    period = 1 << (inputs - 1).bit_length()
    random = np.random.default_rng(0)
    weights, x = random.normal(size=(outputs, inputs)), random.normal(size=inputs)
    place = np.arange(SLOTS) % period
    source = np.where(place < inputs, place, -1)[None]
    steps = Steps(babies, babies, -(-period // babies), outputs, folded=False)
    found = computed(diagonals(weights, source, steps), np.append(x, 0)[source], steps)
    assert np.allclose(found, (weights @ x)[np.arange(SLOTS) % outputs])


def test_steps_that_miss_an_input_are_refused() -> None:
    with pytest.raises(ValueError, match="must bring every input to every output"):
        diagonals(np.ones((8, 8)), np.arange(SLOTS)[None] % 8, Steps(1, 1, 4, 8, folded=False))


@pytest.mark.parametrize(("inputs", "count", "repeat"), [(100, 1, 1), (10, 11, 1), (10, 1, 7), (4, 3, 1), (3, 1, 0)])
def test_arrangements_that_do_not_fit_are_refused(inputs: int, count: int, repeat: int) -> None:
    with pytest.raises(ParameterError, match="must fit"):
        Arrangement(SLOTS, inputs, count, repeat)
