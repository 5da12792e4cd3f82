"""Functions of one input's slot: as their values, and as a constant with coefficients of bits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hermetic.circuits.trees.slots import Slots


@given(st.data())
def test_a_function_of_a_slot_is_its_constant_and_coefficients(data: st.DataObject) -> None:
    inputs = data.draw(st.lists(st.tuples(st.integers(0, 9), st.booleans()).filter(any), min_size=1, max_size=4))
    edges, missing = (np.array(one) for one in zip(*inputs, strict=True))
    slots = Slots(edges, missing)
    number = data.draw(st.integers(0, slots.inputs - 1))
    integers = st.integers(-1000, 1000)
    width = int(slots.widths[number])
    values = np.array(data.draw(st.lists(st.tuples(integers, integers), min_size=width, max_size=width)))
    constant, coefficients = slots.linear(number, values)
    bits = np.arange(slots.first_bits[number], slots.first_bits[number + 1])
    order = np.array(data.draw(st.permutations(range(len(bits)))))
    assert (slots.values(number, constant, bits[order], coefficients[order]) == values).all()
    at = slots.bits_at(bits, np.repeat(np.arange(width)[:, None], len(bits), axis=1))
    assert (constant + at @ coefficients == values).all()
