"""The public names and their parameters are a promise: to change this file is to change the API."""

import inspect
from importlib import import_module

import pytest

import hermetic

NAMES = [
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

CALLS = {
    "compile": "estimator, X_sample=None, *, name=None, features=None, labels=None, public=(), "
    "input_range=None, input_step=None, profile=None, tolerance=None, flooding=None, splits='private', strict=True, "
    "hidden_range=None",
    "Client": "signature, secret_key=None, *, features=None, clip=False, round_inputs=False",
    "Client.encrypt": "self, X, *, progress=None",
    "Client.quantize": "self, X",
    "Client.decrypt": "self, result",
    "Client.decrypt_integers": "self, result",
    "Client.predict": "self, result",
    "Client.predict_proba": "self, result",
    "CompiledModel": "integers, signature",
    "CompiledModel.evaluate": "self, query, public_key, *, threads=None",
    "CompiledModel.masking_key": "self, public_key",
    "CompiledModel.prepare": "self, samples",
    "CompiledModel.save": "self, path",
    "CompiledModel.load": "path",
    "MaskingKey": "public_key",
    "Layout": "ring_degree, samples, features, outputs",
    "Parameters": "ring_degree, kept_primes, dropped_primes, special_prime",
    "PublicKey.from_bytes": "data",
    "PublicKey.size": "parameters, shape=()",
    "PublicKey.to_bytes": "self",
    "Query.from_bytes": "data, signature",
    "Query.size": "signature, layout, samples",
    "Query.to_bytes": "self",
    "Result.from_bytes": "data, signature",
    "Result.size": "signature, layout, samples",
    "Result.to_bytes": "self",
    "SecretKey.save": "self, path, passphrase, *, overwrite=False",
    "SecretKey.load": "path, passphrase",
    "Signature.from_json": "data",
    "Signature.from_bytes": "data",
    "Signature.to_bytes": "self",
    "Signature.cost": "self, samples",
    "Signature.layout_for": "self, samples",
}


def test_exactly_these_names_are_public() -> None:
    assert hermetic.__all__ == NAMES == sorted(NAMES)
    assert dir(hermetic) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(hermetic, name)
    if name != "__version__":
        assert value.__module__.startswith("hermetic.")
        assert len(inspect.getdoc(value) or "") > 20


def test_a_star_import_gives_the_same_names() -> None:
    namespace: dict[str, object] = {}
    exec("from hermetic import *", namespace)
    assert sorted(set(namespace) - {"__builtins__"}) == NAMES


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'hermetic' has no attribute 'Klient'"):
        hermetic.Klient  # noqa: B018


@pytest.mark.parametrize("name", CALLS)
def test_parameters_keep_their_names_order_and_defaults(name: str) -> None:
    value: object = hermetic
    for part in name.split("."):
        value = getattr(value, part)
    parameters = inspect.signature(value).parameters.values()
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in parameters if not one.name.startswith("_")]
    assert str(inspect.Signature(bare)) == f"({CALLS[name]})"


def test_every_error_is_a_hermetic_error() -> None:
    errors = import_module("hermetic.errors")
    raised = [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]
    assert {one.__name__ for one in raised} == {name for name in NAMES if name.endswith("Error")}
    assert all(issubclass(one, hermetic.HermeticError) for one in raised)


def test_the_earlier_name_of_a_compiled_model_still_means_it() -> None:
    assert hermetic.EncryptedModel is hermetic.CompiledModel
