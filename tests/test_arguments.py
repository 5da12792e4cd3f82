"""Arguments of another kind: whatever is passed where something else is meant, words say how to get what is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import hermetic
from hermetic.rlwe.parameters import FAST
from hermetic.signature import Signature

X, Y = load_iris(return_X_y=True)
ESTIMATOR = LogisticRegression(max_iter=500).fit(X, Y)
MODEL = hermetic.compile(ESTIMATOR, X)
CLIENT = hermetic.Client(MODEL.signature)
QUERY = CLIENT.encrypt(X[:3])
RESULT = MODEL.evaluate(QUERY, CLIENT.public_key)

OBJECTS: dict[str, Any] = {
    "array": X,
    "list": X.tolist(),
    "frame": pd.DataFrame(X),
    "path": Path("model.hermetic"),
    "text": "model.signature",
    "bytes": QUERY.to_bytes(),
    "nothing": None,
    "number": 3,
    "mapping": {"a": 1},
    "estimator": ESTIMATOR,
    "model": MODEL,
    "client": CLIENT,
    "signature": MODEL.signature,
    "query": QUERY,
    "result": RESULT,
    "public key": CLIENT.public_key,
    "secret key": CLIENT.secret_key,
    "masking key": hermetic.MaskingKey(CLIENT.public_key),
    "parameters": FAST,
}

CALLS: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
    "Client": (hermetic.Client, {"signature"}),
    "Client, key": (lambda one: hermetic.Client(MODEL.signature, one), {"secret key", "nothing"}),
    "encrypt": (CLIENT.encrypt, {"array", "list", "frame"}),
    "quantize": (CLIENT.quantize, {"array", "list", "frame"}),
    "decrypt": (CLIENT.decrypt, {"result"}),
    "decrypt_integers": (CLIENT.decrypt_integers, {"result"}),
    "predict": (CLIENT.predict, {"result"}),
    "predict_proba": (CLIENT.predict_proba, {"result"}),
    "top": (lambda one: CLIENT.top(one, 2), {"result"}),
    "evaluate": (lambda one: MODEL.evaluate(one, CLIENT.public_key), {"query"}),
    "evaluate, key": (lambda one: MODEL.evaluate(QUERY, one), {"public key", "masking key"}),
    "evaluate, swapped": (lambda one: MODEL.evaluate(CLIENT.public_key, one), set()),
    "masking_key": (MODEL.masking_key, {"public key"}),
    "MaskingKey": (hermetic.MaskingKey, {"public key"}),
    "CompiledModel": (lambda one: hermetic.CompiledModel(one, MODEL.signature), set()),
    "CompiledModel, signature": (lambda one: hermetic.CompiledModel(MODEL.integers, one), {"signature"}),
    "CompiledModel.load": (hermetic.CompiledModel.load, set()),
    "SecretKey": (hermetic.SecretKey, {"parameters"}),
    "SecretKey.load": (lambda one: hermetic.SecretKey.load(one, "words"), set()),
    "SecretKey.load, passphrase": (lambda one: hermetic.SecretKey.load("none.key", one), set()),
    "Query.from_bytes": (lambda one: hermetic.Query.from_bytes(one, MODEL.signature), {"bytes"}),
    "Query.from_bytes, signature": (lambda one: hermetic.Query.from_bytes(QUERY.to_bytes(), one), {"signature"}),
    "Result.from_bytes": (lambda one: hermetic.Result.from_bytes(one, MODEL.signature), set()),
    "PublicKey.from_bytes": (hermetic.PublicKey.from_bytes, set()),
    "Signature.from_bytes": (Signature.from_bytes, set()),
    "prepare": (MODEL.prepare, {"number"}),
    "Signature.from_json": (hermetic.Signature.from_json, set()),
    "layout_for": (MODEL.signature.layout_for, {"number"}),
    "compile": (lambda one: hermetic.compile(one, X), {"estimator"}),
    "compile, sample": (lambda one: hermetic.compile(ESTIMATOR, one), {"array", "list", "frame"}),
    "compile, swapped": (lambda one: hermetic.compile(one, ESTIMATOR), set()),
    "compile, public": (lambda one: hermetic.compile(ESTIMATOR, X, public=one), {"mapping"}),
    "compile, name": (lambda one: hermetic.compile(ESTIMATOR, X, name=one), {"text", "nothing"}),
    "connect": (lambda one: hermetic.connect(one, model="iris"), set()),
    "connect, model": (lambda one: hermetic.connect("http://127.0.0.1:1", model=one, retries=0), set()),
    "connect, token": (lambda one: hermetic.connect("http://127.0.0.1:1", model="a", token=one, retries=0), set()),
}


@contextlib.contextmanager
def in_words() -> Iterator[pytest.ExceptionInfo[hermetic.HermeticError]]:
    with pytest.raises(hermetic.HermeticError) as refusal:
        yield refusal
    assert len(str(refusal.value)) < 2000


@pytest.mark.parametrize(("call", "given"), list(product(CALLS, OBJECTS)))
def test_every_call_takes_what_it_is_for_and_refuses_the_rest_in_words(call: str, given: str) -> None:
    ask, taken = CALLS[call]
    if given in taken:
        ask(OBJECTS[given])
        return
    if call == "compile, sample" and given == "nothing":
        given = "query"  # without a sample, it is the range that is missing
    with in_words() as refusal:
        ask(OBJECTS[given])
    assert "must" in str(refusal.value) or "cannot" in str(refusal.value) or call == "connect, model"


@pytest.mark.parametrize(
    ("call", "given", "way"),
    [
        ("Client", "model", "pass model.signature"),
        ("Client", "text", r"Signature.from_bytes\(Path\(...\).read_bytes\(\)\)"),
        ("Client", "path", r"CompiledModel.load\(path\).signature"),
        ("Client", "estimator", r"hermetic.compile\(estimator, X\).signature"),
        ("Client, key", "public key", "client.secret_key: a public one decrypts nothing"),
        ("Client, key", "text", r"SecretKey.load\(path, passphrase\)"),
        ("predict", "array", r"model.evaluate\(client.encrypt\(X\), client.public_key\).*hermetic.connect"),
        ("decrypt", "query", r"not answered yet: pass model.evaluate\(query, client.public_key\)"),
        ("decrypt", "bytes", "Result.from_bytes"),
        ("evaluate", "array", r"client.encrypt\(X\)"),
        ("evaluate", "result", "client.decrypt or client.predict"),
        ("evaluate", "public key", "the query comes first"),
        ("evaluate", "masking key", "the query comes first"),
        ("evaluate, key", "client", "pass client.public_key"),
        ("evaluate, key", "secret key", "keep the secret key to yourself"),
        ("encrypt", "query", "encrypted already"),
        ("encrypt", "text", "numpy.load or pandas.read_csv"),
        ("SecretKey", "signature", "signature.parameters"),
        ("compile", "model", "compiled already"),
        ("compile, swapped", "array", "the estimator comes first"),
        ("compile, sample", "path", "numpy.load or pandas.read_csv"),
    ],
)
def test_the_way_to_what_is_wanted_is_named(call: str, given: str, way: str) -> None:
    with pytest.raises(hermetic.HermeticError, match=way):
        CALLS[call][0](OBJECTS[given])


@pytest.mark.parametrize("method", ["scores_to_labels", "scores_to_probabilities", "scores_to_response"])
@pytest.mark.parametrize("given", ["query", "result", "client", "text"])
def test_scores_are_no_objects(method: str, given: str) -> None:
    with pytest.raises(hermetic.InputError, match="scores must be data"):
        getattr(CLIENT, method)(OBJECTS[given])


@pytest.mark.parametrize("call", [name for name in CALLS if "key" in name or "SecretKey" in name or "token" in name])
def test_no_text_is_repeated_where_it_may_be_a_secret(call: str) -> None:
    secret = "correct-horse-battery staple"
    if call == "SecretKey.load":
        return  # the text is the name of a file
    with in_words() as refusal:
        CALLS[call][0](secret)
    assert secret not in str(refusal.value)


def test_what_is_made_in_another_way_is_taken() -> None:
    """Subclasses, NumPy's integers, and views of bytes."""

    class Mine(hermetic.Client):
        pass

    mine = Mine(MODEL.signature)
    assert MODEL.signature.layout_for(np.int64(3)) == MODEL.signature.layout_for(3)
    query = hermetic.Query.from_bytes(memoryview(mine.encrypt(X[:2]).to_bytes()), MODEL.signature)
    assert (mine.predict(MODEL.evaluate(query, mine.public_key)) == ESTIMATOR.predict(X[:2])).all()
