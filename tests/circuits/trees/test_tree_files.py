"""Signatures, model files, queries and answers of trees that were damaged or made up: each is one error, in words."""

from __future__ import annotations

import copy
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_trees import all_slots, circuit_of, compiled, random_words, slots_of
from safetensors.numpy import load_file, save
from sklearn.datasets import load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

import hermetic
from hermetic import Client, CompiledModel, Query, Result, Signature
from hermetic.circuits.trees import document
from hermetic.circuits.trees.partition import check_partition
from hermetic.envelope import QUERY, RESULT, open_envelope, seal
from hermetic.errors import DecryptionError, InputError, MismatchError, ModelFileError, WireError
from hermetic.rlwe.parameters import PRECISE
from hostile_json import HOSTILE, canonical, paths

MODEL = compiled(random_words(0))
SIGNATURE = MODEL.signature
DOCUMENT = json.loads(SIGNATURE.json)
CLIENT = Client(SIGNATURE)
X = np.array([[-2.0, 0.0, 0.5], [1.0, np.nan, 2.5], [3.0, 1.0, 9.0]])

# Signatures


def changed(path: tuple[Any, ...], value: Any) -> bytes:
    found = copy.deepcopy(DOCUMENT)
    place = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return canonical(found)


def is_read(data: bytes) -> bool:
    """Whether a signature is read, and then whether all that a client computes from it takes little."""
    try:
        signature = Signature.from_json(data)
    except WireError:
        return False
    circuit = signature.circuit
    assert signature.json == data
    assert repr(signature)
    assert circuit.descriptions
    assert circuit.query_bytes(3) > 0
    assert circuit.result_bytes(3) > 0
    return True


OWN = [*document.write(circuit_of(MODEL)), "circuit", "format"]
NUMBERS = [
    1 << 20,
    1 << 17,
    4096,
    4095,
    64,
    3,
    [1 << 20],
    [1000] * 1024,
    [[4095]],
    [[200]] * 64,
    [[11, 10]],
    [False] * 3,
]


@pytest.mark.parametrize("path", [one for one in paths(DOCUMENT) if one[0] in OWN and len(one) < 3], ids=str)
def test_a_hostile_value_in_any_public_field_is_refused_or_harmless(path: tuple[Any, ...]) -> None:
    assert False in [is_read(changed(path, value)) for value in (*HOSTILE, *NUMBERS)]


@pytest.mark.parametrize("name", OWN)
def test_a_field_that_is_missing_is_refused(name: str) -> None:
    assert not is_read(canonical({key: value for key, value in DOCUMENT.items() if key != name}))


@given(place=st.integers(0, len(SIGNATURE.json) - 1), bit=st.integers(0, 7), end=st.booleans())
def test_signatures_cut_extended_or_with_a_flipped_bit_are_refused_or_harmless(place: int, bit: int, end: bool) -> None:
    assert not is_read(SIGNATURE.json[:place])
    assert not is_read(SIGNATURE.json + SIGNATURE.json[place:])
    flipped = bytearray(SIGNATURE.json)
    flipped[place] ^= 1 << bit
    is_read(bytes(flipped))


def test_parameters_of_another_profile_are_refused() -> None:
    """Residues of two primes are more than what travels is lifted to."""
    hostile = {**DOCUMENT, "profile": PRECISE.profile, "parameters": PRECISE.digest.hex()}
    with pytest.raises(WireError, match="profile of trees must be fast"):
        Signature.from_json(canonical(hostile))


def test_a_signature_of_too_many_values_allocates_nothing() -> None:
    """A word has as many values as columns and limbs; places of all of them would take 32 GiB."""
    most = document.MAX_WORDS
    hostile = {**DOCUMENT, "words": [most], "trees": [1], "columns": 1 << 10, "limbs": 4, "squeeze": False}
    tracemalloc.start()
    assert not is_read(canonical(hostile))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


# Model files

Change = Callable[[Any], Any]

EVERY: dict[str, Change] = {
    "missing": lambda one: None,
    "reals": lambda one: one.astype(np.float64),
    "narrow": lambda one: one.astype(np.int32),
    "empty": lambda one: one[:0],
    "short": lambda one: one[:-1],
    "twice": lambda one: np.stack([one, one]),
    "a cube": lambda one: np.zeros((2, 2, 2), dtype=np.int64),
    "huge": lambda one: one + (1 << 62),
    "the least": lambda one: np.full_like(one, -(1 << 63)),
}
"""What no tensor may be."""

SHAPED: dict[str, Change] = {
    "negative": lambda one: -one - 1,
    "too large": lambda one: one + 10**6,
}
"""What no tensor of indices, constants or signs may be."""


def saved(folder: Path, name: str, change: Change) -> tuple[Path, bool]:
    """The file with one tensor changed, and whether that is another one."""
    path = folder / "model.hermetic"
    MODEL.save(path)
    tensors = load_file(path)
    before, after = tensors[name], change(tensors[name])
    tensors = {key: value for key, value in tensors.items() if key != name}
    tensors |= {} if after is None else {name: np.ascontiguousarray(after)}
    path.write_bytes(save(tensors, {"format": "hermetic model 1", "signature": SIGNATURE.json.decode()}))
    return path, after is None or after.dtype != before.dtype or not np.array_equal(before, after)


TENSORS = list(MODEL.integers.arrays())


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_of_another_kind_shape_or_size_is_refused(name: str, tmp_path: Path) -> None:
    changes = {**EVERY, **({} if name in ("base", "bias", "jumps") else SHAPED)}
    for what, change in changes.items():
        path, differs = saved(tmp_path, name, change)
        if differs:
            with pytest.raises(ModelFileError) as caught:
                CompiledModel.load(path)
            assert "Traceback" not in str(caught.value), what


@pytest.mark.parametrize("name", [one for one in TENSORS if one.startswith(("condition_", "term_", "trees"))])
def test_an_edge_that_was_moved_is_refused_wherever_it_is(name: str, tmp_path: Path) -> None:
    """Every entry, changed to another one that is in range by itself."""
    values = MODEL.integers.arrays()[name]
    for place in range(len(values)):

        def moved(one: Any, place: int = place) -> Any:
            found = one.copy()
            found[place] = -found[place] if name == "term_signs" else found[place] ^ 1
            return found

        path, _ = saved(tmp_path, name, moved)
        with pytest.raises(ModelFileError):
            CompiledModel.load(path)


def test_words_that_only_sum_to_a_tree_are_no_tree() -> None:
    """The words of two trees, exchanged: their number is right, and none has an index out of range."""
    words = MODEL.integers
    trees = words.trees.copy()
    first, second = (np.flatnonzero(trees == one)[0] for one in (0, 1))
    trees[[first, second]] = trees[[second, first]]
    with pytest.raises(ModelFileError, match="exactly one must be active"):
        check_partition(replace(words, trees=trees), slots_of())
    with pytest.raises(ModelFileError, match="one input"):
        check_partition(replace(words, jump_words=np.zeros(2, int), jump_bits=np.array([0, 4])), slots_of())


@given(place=st.integers(0, 1 << 20), bit=st.integers(0, 7), cut=st.booleans())
def test_model_files_that_are_damaged_are_refused_or_keep_every_bound(
    place: int, bit: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.hermetic"
    MODEL.save(path)
    data = bytearray(path.read_bytes())
    place %= len(data)
    data[place] ^= 1 << bit
    path.write_bytes(data[:place] if cut else data)
    try:
        model = CompiledModel.load(path)
    except ModelFileError:
        return
    assert not cut
    assert np.abs(model.reference(all_slots())).max() < 1e6


# Queries and answers

ASKED, OTHERS = CLIENT.encrypt(X), CLIENT.encrypt(X[::-1].copy())
ANSWERED, TO_OTHERS = (MODEL.evaluate(one, CLIENT.public_key) for one in (ASKED, OTHERS))


@pytest.mark.parametrize(("kind", "whole"), [(QUERY, ASKED.to_bytes()), (RESULT, ANSWERED.to_bytes())])
@given(data=st.data())
def test_bytes_cut_extended_or_flipped_are_refused(kind: int, whole: bytes, data: st.DataObject) -> None:
    read = (Query if kind == QUERY else Result).from_bytes
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    for wrong in (whole[:place], whole + whole[place:], bytes(flipped)):
        with pytest.raises((WireError, MismatchError)):
            read(wrong, SIGNATURE)


@pytest.mark.parametrize(("kind", "whole"), [(QUERY, ASKED.to_bytes()), (RESULT, ANSWERED.to_bytes())])
def test_bodies_of_another_length_are_refused_although_their_checksum_is_right(kind: int, whole: bytes) -> None:
    parameters, body = open_envelope(whole, kind)
    read = (Query if kind == QUERY else Result).from_bytes
    more = bytearray(body)
    more[96] += 1  # one sample more than there is
    for wrong in (body[:-1], body[: len(body) // 2], bytes(body) + bytes(1), body[:50], bytes(more)):
        with pytest.raises(WireError):
            read(seal(kind, parameters.digest, bytes(wrong)), SIGNATURE)


def test_answers_of_samples_and_queries_that_are_mixed_do_not_open() -> None:
    found: Any = ANSWERED
    other: Any = TO_OTHERS
    first, second, third = found.answers
    mixed = {
        "order": (second, first, third),
        "once more": (first, first, third),
        "another query": (other.answers[0], second, third),
        "sections of another sample": ((first[0], *second[1:]), second, third),
        "tests of another query": ((other.answers[2][0], *first[1:]), second, third),
        "checks of another query": ((first[0], other.answers[2][1], first[2]), second, third),
        "sections in another order": ((second[0], first[1], first[2]), second, third),
    }
    assert np.abs(CLIENT.predict(found)).max() > 0
    for what, answers in mixed.items():
        with pytest.raises(DecryptionError) as caught:
            CLIENT.predict(replace(found, answers=answers))
        assert "damaged, forged" in str(caught.value), what
    with pytest.raises(DecryptionError):
        CLIENT.predict(replace(found, batch=TO_OTHERS.batch))


def test_answers_to_other_keys_and_models_are_named() -> None:
    with pytest.raises(MismatchError, match="answer the key"):
        Client(SIGNATURE).predict(ANSWERED)
    with pytest.raises(MismatchError, match="another"):
        Client(compiled(random_words(1)).signature).predict(ANSWERED)
    with pytest.raises(MismatchError, match="belong to model"):
        Query.from_bytes(ASKED.to_bytes(), compiled(random_words(1)).signature)


# Inputs


def asked_wrongly(client: Client, *wrong: Any) -> None:
    for one in wrong:
        with pytest.raises(InputError):
            client.encrypt(one)


def test_numbers_that_no_tree_takes_are_refused() -> None:
    asked_wrongly(
        CLIENT,
        np.array([[np.nan, 0.0, 0.0]]),
        np.array([[0.0, 0.0, np.inf]]),
        np.array([[0.0, -np.inf, 0.0]]),
        X[:, :2],
        np.hstack([X, X]),
        X.astype(str),
        np.zeros((0, 3)),
        np.array([[1 + 1j, 0, 0]]),
    )
    bits = np.zeros((1, circuit_of(MODEL).features), dtype=np.int64)
    half: Any = CLIENT._half
    for wrong in (bits, bits + 1, 2 * all_slots()[:1], all_slots()[:1] - 1):
        with pytest.raises(InputError, match="exactly one interval"):
            half.encrypt(wrong, vector=False)


def test_tables_go_by_names_and_say_which_are_missing_or_unknown() -> None:
    data = load_wine(as_frame=True)
    frame = data.data[["alcohol", "ash", "hue"]].assign(colour=np.array(["red", "white", "rose"])[data.target])
    frame["colour"] = frame["colour"].astype("category")
    boosted = HistGradientBoostingClassifier(max_iter=3, categorical_features=["colour"]).fit(frame, data.target % 2)
    model = hermetic.compile(boosted, frame, public=["histgradientboostingclassifier"])
    client = Client(model.signature)
    rows = frame[::30]
    turned = client.predict(model.evaluate(client.encrypt(rows[rows.columns[::-1]]), client.public_key))
    assert (turned == boosted.predict(rows)).all()
    forest = RandomForestClassifier(n_estimators=3, max_depth=3, random_state=0).fit(frame[["ash", "hue"]], data.target)
    plain = Client(hermetic.compile(forest, frame[["ash", "hue"]], public=["randomforestclassifier"]).signature)
    for wrong in (frame[["ash"]], frame.rename(columns={"hue": "tint"})):
        with pytest.raises(InputError, match="hue"):
            plain.encrypt(wrong)
    with pytest.raises(InputError, match=r"ash|sample"):
        plain.encrypt(frame[["ash", "hue"]].assign(ash=np.inf))
    asked_wrongly(client, rows.assign(alcohol="strong"), rows.drop(columns="colour"), pd.DataFrame())
