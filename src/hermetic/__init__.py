"""Hermetic: encrypted inference. The service computes on ciphertexts and sees neither input nor result.

model  = hermetic.compile(classifier, X_sample)        # the model's owner, once
client = hermetic.Client(model.signature)              # the data's owner; makes keys
query  = client.encrypt(X)
result = model.evaluate(query, client.public_key)      # what the server does
labels = client.predict(result)

remote = hermetic.connect("http://127.0.0.1:8000", model="mnist")   # the same over HTTP, as an estimator
labels = remote.predict(X)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .circuits.masking import MaskingKey
    from .circuits.packing import Layout
    from .circuits.query import Query
    from .circuits.result import Result
    from .client import Client
    from .compiler import compile_model as compile
    from .errors import (
        AuthenticationError,
        BusyError,
        CalibrationError,
        CompileError,
        DecryptionError,
        HermeticError,
        InputError,
        KeyFileError,
        MismatchError,
        ModelFileError,
        ModelNotFoundError,
        ParameterError,
        PrecisionError,
        ProtocolError,
        RefusedError,
        RemoteError,
        RemoteTimeoutError,
        SettingsError,
        SignatureChangedError,
        TLSError,
        TooLargeError,
        UnreachableError,
        UnsupportedModelError,
        WireError,
    )
    from .keys.public import PublicKey
    from .keys.secret import SecretKey
    from .model import CompiledModel, EncryptedModel
    from .remote import AsyncRemoteModel, RemoteModel, aconnect, connect
    from .rlwe.parameters import Parameters
    from .rules import Rules
    from .signature import Signature

__version__ = "0.1.0"

_HOMES = {
    "AsyncRemoteModel": ("remote", "AsyncRemoteModel"),
    "AuthenticationError": ("errors", "AuthenticationError"),
    "BusyError": ("errors", "BusyError"),
    "CalibrationError": ("errors", "CalibrationError"),
    "Client": ("client", "Client"),
    "CompileError": ("errors", "CompileError"),
    "CompiledModel": ("model", "CompiledModel"),
    "DecryptionError": ("errors", "DecryptionError"),
    "EncryptedModel": ("model", "EncryptedModel"),
    "HermeticError": ("errors", "HermeticError"),
    "InputError": ("errors", "InputError"),
    "KeyFileError": ("errors", "KeyFileError"),
    "Layout": ("circuits.packing", "Layout"),
    "MaskingKey": ("circuits.masking", "MaskingKey"),
    "MismatchError": ("errors", "MismatchError"),
    "ModelFileError": ("errors", "ModelFileError"),
    "ModelNotFoundError": ("errors", "ModelNotFoundError"),
    "ParameterError": ("errors", "ParameterError"),
    "Parameters": ("rlwe.parameters", "Parameters"),
    "PrecisionError": ("errors", "PrecisionError"),
    "ProtocolError": ("errors", "ProtocolError"),
    "PublicKey": ("keys.public", "PublicKey"),
    "Query": ("circuits.query", "Query"),
    "RefusedError": ("errors", "RefusedError"),
    "RemoteError": ("errors", "RemoteError"),
    "RemoteModel": ("remote", "RemoteModel"),
    "RemoteTimeoutError": ("errors", "RemoteTimeoutError"),
    "Result": ("circuits.result", "Result"),
    "Rules": ("rules", "Rules"),
    "SecretKey": ("keys.secret", "SecretKey"),
    "SettingsError": ("errors", "SettingsError"),
    "Signature": ("signature", "Signature"),
    "SignatureChangedError": ("errors", "SignatureChangedError"),
    "TLSError": ("errors", "TLSError"),
    "TooLargeError": ("errors", "TooLargeError"),
    "UnreachableError": ("errors", "UnreachableError"),
    "UnsupportedModelError": ("errors", "UnsupportedModelError"),
    "WireError": ("errors", "WireError"),
    "aconnect": ("remote", "aconnect"),
    "compile": ("compiler", "compile_model"),
    "connect": ("remote", "connect"),
}

__all__ = [
    "AsyncRemoteModel",
    "AuthenticationError",
    "BusyError",
    "CalibrationError",
    "Client",
    "CompileError",
    "CompiledModel",
    "DecryptionError",
    "EncryptedModel",
    "HermeticError",
    "InputError",
    "KeyFileError",
    "Layout",
    "MaskingKey",
    "MismatchError",
    "ModelFileError",
    "ModelNotFoundError",
    "ParameterError",
    "Parameters",
    "PrecisionError",
    "ProtocolError",
    "PublicKey",
    "Query",
    "RefusedError",
    "RemoteError",
    "RemoteModel",
    "RemoteTimeoutError",
    "Result",
    "Rules",
    "SecretKey",
    "SettingsError",
    "Signature",
    "SignatureChangedError",
    "TLSError",
    "TooLargeError",
    "UnreachableError",
    "UnsupportedModelError",
    "WireError",
    "__version__",
    "aconnect",
    "compile",
    "connect",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``import hermetic`` itself loads nothing heavy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hermetic' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(f".{module}", __name__), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
