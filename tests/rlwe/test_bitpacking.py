"""Bit packing: the exact bytes of the documented layout, and nothing else is read."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from hermetic.errors import WireError
from hermetic.rlwe.bitpacking import pack, packed_bytes, unpack

WIDTHS = range(1, 58)

widths = st.sampled_from(WIDTHS)


def words_of(width: int, max_size: int = 100) -> st.SearchStrategy[list[int]]:
    largest = (1 << width) - 1
    return st.lists(st.sampled_from([0, 1, largest, 1 << (width - 1)]) | st.integers(0, largest), max_size=max_size)


@given(width=widths, data=st.data())
def test_bytes_are_those_of_one_long_integer(width: int, data: st.DataObject) -> None:
    values = data.draw(words_of(width))
    assert pack(np.array(values, dtype=np.int64), width) == reference.packed(values, width)


@given(width=widths, data=st.data())
def test_what_is_packed_is_read_back(width: int, data: st.DataObject) -> None:
    values = data.draw(words_of(width))
    unpacked = unpack(reference.packed(values, width), len(values), width)
    assert unpacked.dtype == np.int64
    assert unpacked.tolist() == values


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_and_every_remainder(width: int) -> None:
    """One word more than each count up to two groups, all bits set in turn: no word leaks into its neighbours."""
    group = math.lcm(width, 64) // width
    for count in range(2 * group + 1):
        values = np.full(count, (1 << width) - 1, dtype=np.int64)
        values[count % 2 :: 2] = 0
        data = pack(values, width)
        assert data == reference.packed(values.tolist(), width)
        assert len(data) == packed_bytes(count, width)
        assert (unpack(data, count, width) == values).all()


def test_shapes_and_strides_do_not_matter() -> None:
    values = np.arange(2 * 3 * 40, dtype=np.int64).reshape(2, 3, 40)
    assert pack(values, 17) == reference.packed(values.ravel().tolist(), 17)
    assert pack(values[:, 1, ::2], 17) == reference.packed(values[:, 1, ::2].ravel().tolist(), 17)
    assert pack(values.transpose(2, 0, 1), 17) == reference.packed(values.transpose(2, 0, 1).ravel().tolist(), 17)


def test_packing_leaves_its_input_alone() -> None:
    values = np.arange(64, dtype=np.int64)
    pack(values, 50)
    assert (values == np.arange(64)).all()


def test_a_polynomial_of_4096_words_of_50_bits_takes_25600_bytes() -> None:
    assert packed_bytes(4096, 50) == 4096 * 50 // 8


@given(width=widths, count=st.integers(0, 100), length=st.integers(0, 800))
def test_wrong_lengths_are_refused(width: int, count: int, length: int) -> None:
    expected = len(reference.packed([0] * count, width))
    data = bytes(length)
    if length == expected:
        assert not unpack(data, count, width).any()
    else:
        with pytest.raises(WireError, match=f"must take {expected} bytes. Got {length} instead"):
            unpack(data, count, width)


@given(width=widths, data=st.data())
def test_each_padding_bit_is_refused(width: int, data: st.DataObject) -> None:
    values = data.draw(words_of(width, max_size=20))
    packed = reference.packed(values, width)
    padding = 8 * len(packed) - width * len(values)
    if padding == 0:
        assert unpack(packed, len(values), width).tolist() == values
        return
    bit = width * len(values) + data.draw(st.integers(0, padding - 1))
    damaged = bytearray(packed)
    damaged[bit // 8] |= 1 << (bit % 8)
    with pytest.raises(WireError, match="padding bits must be zero"):
        unpack(bytes(damaged), len(values), width)


@given(width=widths, data=st.data())
def test_a_flipped_bit_changes_its_word_alone(width: int, data: st.DataObject) -> None:
    values = data.draw(words_of(width).filter(bool))
    bit = data.draw(st.integers(0, width * len(values) - 1))
    damaged = bytearray(reference.packed(values, width))
    damaged[bit // 8] ^= 1 << (bit % 8)
    values[bit // width] ^= 1 << (bit % width)
    assert unpack(memoryview(bytes(damaged)), len(values), width).tolist() == values
