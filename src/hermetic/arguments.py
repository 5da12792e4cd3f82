"""Words for arguments of another kind than what is asked: what came, and how to get from that what is wanted.

Kinds are told by their names, so that this module imports none of them.
"""

from __future__ import annotations

import os
from typing import Any

from .errors import HermeticError, InputError, MismatchError

_ANSWERED = "model.evaluate(client.encrypt(X), client.public_key)"
_REMOTE = "it encrypts and decrypts by itself: call its predict(X)"

_WAYS: dict[str, dict[str, str]] = {
    "Signature": {
        "CompiledModel": "pass model.signature",
        "Client": "pass client.signature",
        "a path": (
            "read a signature with hermetic.Signature.from_bytes(Path(...).read_bytes()), or a model file with "
            "hermetic.CompiledModel.load(path).signature"
        ),
        "bytes": "read them with hermetic.Signature.from_bytes(data)",
        "an estimator": "compile it first, hermetic.compile(estimator, X).signature",
        "": "it is the signature of a compiled model, model.signature",
    },
    "SecretKey": {
        "Client": "pass client.secret_key",
        "PublicKey": "pass the secret key of the same client, client.secret_key: a public one decrypts nothing",
        "a path": "load it with hermetic.SecretKey.load(path, passphrase)",
        "": "leave it out for a fresh one, or load one with hermetic.SecretKey.load(path, passphrase)",
    },
    "PublicKey": {
        "Client": "pass client.public_key",
        "SecretKey": "pass its .public_key, and keep the secret key to yourself",
        "Query": "the query comes first, model.evaluate(query, client.public_key)",
        "bytes": "read them with hermetic.PublicKey.from_bytes(data)",
        "a path": "read it with hermetic.PublicKey.from_bytes(Path(...).read_bytes())",
        "": "it is that of the client who made the query, client.public_key",
    },
    "Query": {
        "data": "encrypt them first, client.encrypt(X)",
        "PublicKey": "the query comes first, model.evaluate(query, client.public_key)",
        "MaskingKey": "the query comes first, model.evaluate(query, masking_key)",
        "Result": "it is an answer already: pass it to client.decrypt or client.predict",
        "bytes": "read them with hermetic.Query.from_bytes(data, signature)",
        "a path": "read it with hermetic.Query.from_bytes(Path(...).read_bytes(), signature)",
        "": "it is what client.encrypt(X) gives",
    },
    "Result": {
        "data": f"it is the answer to a query, {_ANSWERED}. hermetic.connect gives an estimator whose predict takes X",
        "Query": "it is not answered yet: pass model.evaluate(query, client.public_key)",
        "bytes": "read them with hermetic.Result.from_bytes(data, signature)",
        "a path": "read it with hermetic.Result.from_bytes(Path(...).read_bytes(), signature)",
        "": f"it is the answer to a query, {_ANSWERED}",
    },
    "Parameters": {
        "Signature": "pass signature.parameters",
        "CompiledModel": "pass model.signature.parameters",
        "Client": "pass client.signature.parameters",
        "": "they are those of a model, signature.parameters, or one of hermetic.rlwe.parameters.PROFILES",
    },
    "IntegerMap": {"": "a model is made by hermetic.compile, or loaded by hermetic.CompiledModel.load"},
    "a path": {
        "CompiledModel": "it is loaded already",
        "SecretKey": "it is loaded already",
        "bytes": "write them to a file first",
        "": "pass the name of a file",
    },
    "data": {
        "Query": "it is encrypted already: pass it to model.evaluate",
        "Result": "it is an answer: decrypt it with client.decrypt",
        "a path": "read the file first, with numpy.load or pandas.read_csv",
        "an estimator": "the estimator comes first, hermetic.compile(estimator, X_sample)",
        "bytes": "turn them into an array of numbers first",
        "": "pass an array, a list or a DataFrame of numbers",
    },
    "an estimator": {
        "CompiledModel": "it is compiled already",
        "Signature": "it is that of a model that is compiled already",
        "Client": "compile the estimator, and make clients of the signature that this gives",
        "RemoteModel": "it is compiled already, and runs at a service",
        "AsyncRemoteModel": "it is compiled already, and runs at a service",
        "data": "the estimator comes first, hermetic.compile(estimator, X_sample)",
    },
}
"""How to get what is wanted from what came; under the empty name, from anything else."""

_SHOWN = 80

_REMOTES = ("RemoteModel", "AsyncRemoteModel")


def check_kind(value: object, wanted: type | tuple[type, ...], name: str) -> None:
    """That an argument is of a kind.

    Raises
    ------
    MismatchError
        If it is not; the message says how to get from it what is wanted.
    """
    if isinstance(value, wanted):
        return
    first = wanted[0] if isinstance(wanted, tuple) else wanted
    raise MismatchError(_refusal(value, first.__name__, f"of the class {first.__name__}", name))


def check_path(value: object, name: str, error: type[HermeticError]) -> None:
    """That an argument may be the name of a file: raise the error, in words, if it is not."""
    if not isinstance(value, str | os.PathLike):
        raise error(_refusal(value, "a path", "the name of a file", name))


def check_data(value: object, name: str, error: type[HermeticError] = InputError) -> None:
    """That an argument may be data: raise the error for objects of Hermetic, estimators, paths and bytes."""
    if _own_class(value) or kind_of(value) in ("a path", "bytes", "an estimator"):
        raise error(_refusal(value, "data", "data", name))


def shown(value: object) -> str:
    """A value in a message, in at most 80 characters."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def way_to(wanted: str, value: object) -> str:
    """How to get from a value what is wanted, in words; empty if nothing is known."""
    ways, kind = _WAYS[wanted], kind_of(value)
    return ways.get(kind, _REMOTE if kind in _REMOTES else ways.get("", ""))


def kind_of(value: Any) -> str:
    """What a value is: the name of a class of Hermetic's, ``a path``, ``bytes``, ``an estimator`` or ``data``; else the
    name of its class.
    """
    own = _own_class(value)
    if own:
        return own
    if isinstance(value, str | os.PathLike):
        return "a path"
    if isinstance(value, bytes | bytearray | memoryview):
        return "bytes"
    if hasattr(value, "fit") or hasattr(value, "get_params"):
        return "an estimator"
    return "data" if hasattr(value, "shape") or isinstance(value, list | tuple) else type(value).__name__


def _own_class(value: object) -> str:
    """The class of Hermetic's that a value is of; empty if it is of none."""
    own = [one.__name__ for one in type(value).__mro__ if one.__module__.partition(".")[0] == "hermetic"]
    return next((name for name in own if name in _WAYS), own[0] if own else "")


def _refusal(value: object, wanted: str, words: str, name: str) -> str:
    """What is wrong with an argument. Of its value nothing is said: a text may be a passphrase."""
    return f"{name} must be {words}. Got {type(value).__name__} instead: {way_to(wanted, value)}."
