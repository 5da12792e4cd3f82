"""The start of an envelope says which model an object belongs to, and nothing is believed before its header is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fitted
from hermetic import Client, Query, WireError
from hermetic.envelope import PEEK_BYTES, PUBLIC_KEY, QUERY, RESULT, SIGNATURE, VERSION, peek

PETALS = fitted.petals()
CLIENT = Client(PETALS.signature)
ASKED = CLIENT.encrypt(PETALS.X[:1])
OBJECTS = {QUERY: ASKED.to_bytes(), RESULT: PETALS.model.evaluate(ASKED, CLIENT.public_key).to_bytes()}
VERSION_AT, KIND_AT = 4, 5

each = pytest.mark.parametrize("kind", OBJECTS)


@each
@pytest.mark.parametrize("size", [PEEK_BYTES, PEEK_BYTES + 1, None])
def test_the_signature_is_named_at_the_start(kind: int, size: int | None) -> None:
    digest, body = peek(OBJECTS[kind][:size], kind)
    assert digest == PETALS.signature.digest
    assert bytes(body[: len(digest)]) == digest


@each
@given(size=st.integers(0, PEEK_BYTES - 1))
def test_fewer_bytes_are_refused(kind: int, size: int) -> None:
    with pytest.raises(WireError, match=f"at least {PEEK_BYTES} bytes. Got {size} instead"):
        peek(OBJECTS[kind][:size], kind)


@each
@given(version=st.integers(0, 255).filter(lambda one: one != VERSION))
def test_another_version_says_what_to_do(kind: int, version: int) -> None:
    data = bytearray(OBJECTS[kind])
    data[VERSION_AT] = version
    with pytest.raises(WireError, match=f"must be {VERSION}. Got {version} instead: update Hermetic"):
        peek(data, kind)


@each
@pytest.mark.parametrize("found", [SIGNATURE, PUBLIC_KEY, QUERY, RESULT, 0, 9])
def test_another_kind_is_refused(kind: int, found: int) -> None:
    data = bytearray(OBJECTS[kind])
    data[KIND_AT] = found
    if found != kind:
        with pytest.raises(WireError, match="must be given"):
            peek(data, kind)


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_envelope_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        peek(data, QUERY)


def test_a_batch_is_read_from_the_start_alone() -> None:
    whole = OBJECTS[QUERY]
    assert Query.peek(whole[: PEEK_BYTES + 200], PETALS.signature) == ASKED.batch
    with pytest.raises(WireError, match="the body must have at least"):
        Query.peek(whole[: PEEK_BYTES + 1], PETALS.signature)
