"""Signatures: one canonical form, and no JSON that makes reading do anything but refuse."""

import copy
import hashlib
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fitted
from hermetic import Layout, Signature, WireError
from hermetic.circuits.cost import Offer
from hermetic.circuits.linear import bounds
from hermetic.circuits.linear.public import MAX_FEATURES, MAX_OUTPUTS
from hermetic.rlwe.parameters import FAST, PRECISE
from hermetic.signature.labels import check_labels
from hostile_json import HOSTILE, canonical, paths
from known_weights import compiled, with_circuit

SIGNATURE = fitted.petals().signature
DOCUMENT = json.loads(SIGNATURE.json)
MADE = [fitted.petals, fitted.digits, fitted.tumours, fitted.progression, fitted.sepals]


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """The document of a good signature with another value at a path."""
    document = copy.deepcopy(DOCUMENT)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


def use(signature: Signature) -> None:
    """Everything a client computes from a signature before it encrypts or after it received an answer."""
    assert signature.circuit.result_noise < signature.circuit.delta / 2
    assert signature.lambda_bits >= bounds.MIN_LAMBDA_BITS
    for samples in (1, 7, 5000):
        assert signature.layout_for(samples) in signature.layouts
        assert signature.cost(samples).request_bytes > 0
    assert isinstance(hash(signature), int)
    assert repr(signature)


def is_read(data: bytes) -> bool:
    """Whether a signature is read. Anything fails the test but a WireError, or a usable signature with these bytes."""
    try:
        signature = Signature.from_json(data)
    except WireError as error:
        assert type(error) is WireError
        return False
    assert signature.json == data
    use(signature)
    return True


# Good signatures


@pytest.mark.parametrize("make", MADE)
def test_reading_and_writing_again_gives_an_equal_signature(make: Callable[[], fitted.Fitted]) -> None:
    signature = make().signature
    read = Signature.from_json(signature.json)
    assert read.json == signature.json
    assert read == signature
    assert hash(read) == hash(signature)
    assert read.digest == hashlib.sha256(signature.json).digest()
    for name in ("name", "parameters", "outputs", "method", "link", "squeeze", "feature_names", "error", "offers"):
        assert getattr(read, name) == getattr(signature, name)
    for name in ("offset", "step", "low", "high"):
        assert np.array_equal(getattr(read.grid, name), getattr(signature.grid, name))
    assert (read.labels is None) == (signature.labels is None)
    if read.labels is not None:
        assert read.labels.dtype == signature.labels.dtype
        assert np.array_equal(read.labels, signature.labels)
    use(read)


def test_what_is_public_is_exactly_this() -> None:
    """A new field is a decision about what everybody learns: docs/security.md and docs/wire-format.md list them."""
    assert sorted(DOCUMENT) == [
        "error",
        "feature_names",
        "features",
        "format",
        "grid",
        "labels",
        "layouts",
        "limb_bits",
        "limbs",
        "link",
        "method",
        "name",
        "outputs",
        "parameters",
        "profile",
        "result_bits",
        "scale_exponent",
        "squeeze",
    ]
    assert sorted(DOCUMENT["grid"]) == ["exact", "high", "low", "offset", "step"]


def test_signatures_of_different_models_differ() -> None:
    assert len({make().signature for make in MADE}) == len(MADE)
    assert fitted.petals().signature != fitted.digits().signature
    assert fitted.petals().signature != "petals"


@pytest.mark.parametrize(
    "labels",
    [
        np.array([False, True, True]),
        np.array([-1, 0, 127], dtype=np.int8),
        np.array([0, 1, (1 << 64) - 1], dtype=np.uint64),
        np.array([0.5, 1.0, 2.5], dtype=np.float32),
        np.array([0.1, 1e300, -2.5]),
        np.array(["iris", "née", "花"]),
        np.array(["one", 2, None], dtype=object),
        np.array([True, 1.5, "x"], dtype=object),
        np.array([3, 1, 2], dtype=">i4"),
    ],
    ids=lambda one: one.dtype.str,
)
def test_labels_keep_their_type(labels: np.ndarray) -> None:
    check_labels(labels)
    read = Signature.from_json(replace(SIGNATURE, head=replace(SIGNATURE.head, labels=labels)).json).labels
    assert read is not None
    assert read.dtype == labels.dtype
    assert read.tolist() == labels.tolist()
    assert [type(one) for one in read.tolist()] == [type(one) for one in labels.tolist()]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([[1, 2, 3]]),
        np.array([1j, 2, 3]),
        np.array([b"a", b"b", b"c"]),
        np.array(["2026-01-01"], dtype="M8[D]"),
        np.array([(1,), 2, 3], dtype=object),
        np.zeros(2, dtype="<U9000000"),
    ],
    ids=["2-D", "complex", "bytes", "dates", "tuples", "72 MB"],
)
def test_labels_that_no_signature_can_carry_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(WireError, match="labels must"):
        check_labels(labels)


def test_small_batches_have_no_large_layouts() -> None:
    signature = fitted.digits().signature
    large = Layout(4096, 2048, 2, 1)
    assert large in signature.circuit.layouts_for(65)
    assert large not in signature.circuit.layouts_for(64)
    for samples in range(1, 65):
        allowed = bounds.max_targets(FAST, signature.flood_bits)
        assert all(one.samples * one.outputs <= allowed for one in signature.circuit.layouts_for(samples))
        assert signature.layout_for(samples) in signature.circuit.layouts_for(samples)


def test_the_least_flooding_of_all_layouts_is_announced() -> None:
    offers = (Offer(Layout(4096, 1, 2, 3), 28.9), Offer(Layout(4096, 2, 2, 3), 25.0))
    assert with_circuit(SIGNATURE, offers=offers).lambda_bits == 25.0


# JSON that is not a signature


@pytest.mark.parametrize("path", list(paths(DOCUMENT)), ids=lambda path: ".".join(map(str, path)))
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_a_hostile_value_anywhere_is_refused_or_harmless(path: tuple[Any, ...]) -> None:
    outcomes = [is_read(canonical(changed(path, value))) for value in HOSTILE]
    assert False in outcomes


@pytest.mark.parametrize("path", [path for path in paths(DOCUMENT) if isinstance(path[-1], str)], ids=str)
def test_a_missing_field_is_refused(path: tuple[Any, ...]) -> None:
    document = changed(path, None)
    place = document
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    assert not is_read(canonical(document))


@given(data=st.data())
def test_several_changes_at_once_are_refused_or_harmless(data: st.DataObject) -> None:
    document = copy.deepcopy(DOCUMENT)
    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    )
    for name in data.draw(st.sets(st.sampled_from(sorted(DOCUMENT)), min_size=1, max_size=4)):
        document[name] = data.draw(st.sampled_from(HOSTILE) | json_values)
    is_read(canonical(document))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"signature"',
        b"\xff\xfe",
        b"{" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"format":' * 50_000,
        SIGNATURE.json[:-1],
        SIGNATURE.json + b"}",
        SIGNATURE.json.replace(b'"format":1', b'"format":' + b"1" * 100_000),
        SIGNATURE.json.replace(b'"features":2', b'"features":' + b"[" * 5_000 + b"]" * 5_000),
        b"[" + b"0," * 100_000 + b"0]",
    ],
    ids=lambda data: f"{data[:12]!r}, {len(data)} bytes",
)
def test_what_is_no_signature_at_all_is_refused(data: bytes) -> None:
    assert not is_read(data)


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(DOCUMENT, sort_keys=True).encode(),
        json.dumps(dict(reversed(DOCUMENT.items())), separators=(",", ":")).encode(),
        canonical({**DOCUMENT, "comment": "an unknown field"}),
        canonical({**DOCUMENT, "error": 1}),
        canonical({**DOCUMENT, "format": True}),
        canonical({**DOCUMENT, "profile": "precise"}),
        canonical({**DOCUMENT, "grid": {**DOCUMENT["grid"], "low": [DOCUMENT["grid"]["low"]] * 2}}),
        SIGNATURE.json.replace(b'"format":1', b'"format":1,"format":1'),
        SIGNATURE.json.replace(b"petals", b"\\u0070etals"),
        SIGNATURE.json.replace(b"28.9", b"28.90"),
        b" " + SIGNATURE.json,
        SIGNATURE.json + b"\n",
        SIGNATURE.json.decode().encode("utf-16"),
    ],
    ids=lambda data: hashlib.sha256(data).hexdigest()[:8],
)
def test_another_form_of_a_good_signature_is_refused(data: bytes) -> None:
    """One signature, one digest: a client in any language hashes the bytes as they came."""
    assert data != SIGNATURE.json
    assert not is_read(data)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), 5, "format must be 1 to 4. Got 5 instead: update Hermetic"),
        (("format",), 0, "format must be 1 to 4. Got 0 instead: fetch the signature again"),
        (("parameters",), "00" * 16, "made by another version"),
        (("parameters",), "xyz", "not valid"),
        (("features",), MAX_FEATURES + 1, f"features must be a whole number from 1 to {MAX_FEATURES}"),
        (("features",), 3, "must match features"),
        (("outputs",), MAX_OUTPUTS + 1, f"outputs must be a whole number from 1 to {MAX_OUTPUTS}"),
        (("outputs",), 4, "labels must match outputs"),
        (("result_bits",), 46, "result_bits must leave room for flooding"),
        (("result_bits",), 62, "result_bits must leave room for flooding"),
        (("method",), "predict_log_proba", "method must be one of"),
        (("link",), "probit", r"link must be one of None, logistic.*Got 'probit': update hermetic"),
        (("squeeze",), 1, "squeeze must be true or false"),
        (("squeeze",), True, "squeeze must go with one output"),
        (("error",), -1.0, "error must not be negative"),
        (("layouts", 0, 3), 9.9, "flooded by 10 to"),
        (("layouts", 0, 3), 99.0, "flooded by 10 to"),
        (("layouts", 0, 0), 3, "B a power of two"),
        (("layouts",), [[4096, 1, 1, 28.9]], "a layout for batches of every size"),
        (("grid", "step"), 0.0, "grid must be increasing"),
        (("grid", "step"), -1.0, "grid must be increasing"),
        (("grid", "low"), 1 << 61, "grid must be increasing"),
        (("grid", "exact"), 1, "grid.exact must be true or false"),
        (("feature_names",), ["a"], "feature_names must match features"),
        (("labels", "dtype"), "<U9999999", "must be a NumPy type code"),
        (("labels", "dtype"), "<c16", "labels must be numbers, booleans or strings"),
    ],
    ids=str,
)
def test_a_refusal_says_what_must_be(path: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(WireError, match=message):
        Signature.from_json(canonical(changed(path, value)))


def test_wide_labels_are_refused_before_they_are_allocated() -> None:
    """100,000 one-letter labels of 4 MB each would take 400 GB."""
    count = 100_000
    document = {**DOCUMENT, "outputs": count, "labels": {"dtype": "<U999999", "values": ["a"] * count}}
    data = canonical(document)
    tracemalloc.start()
    try:
        assert not is_read(data)
        assert tracemalloc.get_traced_memory()[1] < 20 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("parameters", [FAST, PRECISE], ids=["fast", "precise"])
def test_every_result_size_either_leaves_room_for_flooding_or_is_refused(parameters: Any) -> None:
    outcomes = {}
    for result_bits in range(2, 63):
        document = {**DOCUMENT, "parameters": parameters.digest.hex(), "profile": parameters.profile}
        document["layouts"] = [[1, 2, 3, 10.0]]
        outcomes[result_bits] = is_read(canonical({**document, "result_bits": result_bits}))
    assert outcomes[30]
    assert outcomes[62] == (parameters is PRECISE)


def test_its_repr_is_short_whatever_it_holds() -> None:
    names = tuple(f"feature {i}" for i in range(700))
    model = compiled(np.eye(500, 700), np.zeros(500), input_range=(0, 1))
    head = replace(model.signature.head, labels=np.array([f"label {i}" for i in range(500)]))
    signature = replace(model.signature, feature_names=names, head=head)
    text = repr(signature)
    assert len(text) < 200
    assert "700 inputs -> 500 scores" in text
    assert signature.digest.hex()[:16] in text
