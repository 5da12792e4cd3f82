"""The client of the 2020 guide, with exact and sanitised answers underneath."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hermetic.circuits.linear.wire import LinearResult, read_result
from hermetic.circuits.query import Query
from hermetic.client import Client
from hermetic.errors import HermeticError, MismatchError
from hermetic.keys.secret import SecretKey
from hermetic.signature import Signature

from .exchange import LARGEST_INPUT, NAME_BYTES, PARAMETERS, check_strings, from_text, question, to_text

_NAME_DOMAIN = b"hermetic encrypted-inference key 1"
_ID_LETTERS = 32
_SIGNATURE_BYTES = 1 << 16
_RESULT_BYTES = 1 << 30
_SHOWN = slice(50, 150)


class EILinearRegressionClient:
    """Encrypts the inputs of a linear model, and decrypts its scores. Names and behaviour of encrypted-inference 0.9.

    Inputs are rounded to multiples of 2^-24 and must be at most 2^14 in absolute value; the ring is ``precise``. Any
    number of inputs, and any number of outputs, up to 2^20.

    Parameters
    ----------
    secret_key
        From :meth:`secret_key`, to be the same client again; by default a fresh key. Keys of 0.9 are of another scheme.
        The longer one is used, the more a server can watch: do not let it see whether an answer decrypted, and change
        the key when one did not.
    session_id
        Kept for the signature's sake: a name for this client's messages, 32 random characters by default.
    verbose
        Print what is done: sizes and names, never the secret key or an input.

    Raises
    ------
    ValueError
        If the secret key is not one.
    """

    def __init__(self, secret_key: str | None = None, session_id: str | None = None, verbose: bool = False) -> None:
        self.verbose = verbose
        self.session_id = secrets.token_hex(16) if session_id is None else session_id
        self._key = SecretKey(PARAMETERS) if secret_key is None else _read_secret(secret_key)
        self._name = hashlib.sha256(_NAME_DOMAIN + self._key.coefficients()).digest()
        self.key_id = self.secret_key_hash()[:_ID_LETTERS]
        self._log(f"Session ID: {self.session_id}")
        self._log(f"Public keys ID: {self.key_id}")

    def secret_key(self) -> str:
        """The secret key, base64, **in the clear**: whoever has it reads every request and answer of this client."""
        return to_text(self._key.coefficients())

    def secret_key_hash(self) -> str:
        """52 characters that name the key and tell nothing about it."""
        return base64.b32encode(self._name).decode().lower().rstrip("=")

    def get_public_keys(self) -> tuple[str, bytes]:
        """The name of the keys (32 characters), and what the server needs once to mask its answers. Public."""
        keys = self._key.public_key.to_bytes() + self._name
        self._log(f"Public keys: {len(keys) / 2**20:.3f} MB")
        return self.key_id, keys

    def encrypt(self, values: npt.ArrayLike) -> list[str]:
        """Encrypt one sample.

        Parameters
        ----------
        values
            Shape (d,), real numbers in the order of the server's coefficients: this client knows no model and so no
            names, and those of a Series do not count.

        Returns
        -------
        list[str]
            Base64 strings for ``EIServer.predict``; different ones every time. They tell d, and nothing else.

        Raises
        ------
        ValueError
            For another shape, and for NaN, infinity and numbers that are too large.
        """
        x = _as_vector(values)
        query = Client(question(len(x)), self._key).encrypt(x)
        named = Query(query.parameters, replace(query.batch, key=self._name), query.c0)
        text = to_text(named.to_bytes())
        self._log(f"Input data encrypted: ... {text[_SHOWN]} ...")
        self._log(f"Created {len(query.c0)} ciphertext(s) with a size of {len(text) / 1024:.3f} KB")
        return [text]

    def decrypt(self, response: Sequence[str]) -> npt.NDArray[np.float64]:
        """The k scores of an answer of ``EIServer.predict``, (k,). Each is exact but for the rounding of the inputs and
        the coefficients, which the server bounds (``EIServer.error``).

        Raises
        ------
        ValueError
            If the response is no answer, or answers another key.
        """
        check_strings(response, "a response", 2)
        self._log(f"Received encrypted response of {len(response)} strings")
        try:
            scores = self._decrypt(response)
        except HermeticError as error:
            raise ValueError(f"the response must answer this client: {error}") from error
        self._log("Encrypted inference request completed")
        return scores

    def _decrypt(self, response: Sequence[str]) -> npt.NDArray[np.float64]:
        signature = _read_signature(response[0])
        result = read_result(from_text(response[1], _RESULT_BYTES, "a response"), signature)
        if result.batch.key != self._name:
            name = result.batch.key[:NAME_BYTES].hex()[:16]
            raise MismatchError(f"it must answer the key {self._name.hex()[:16]}…. It answers {name}… instead.")
        client = Client(signature, self._key)
        known = replace(result.batch, key=bytes.fromhex(client.public_key.id))
        return client.decrypt(LinearResult(result.parameters, known, result.c1, result.words))

    def _log(self, message: str) -> None:
        if self.verbose:
            print(message)

    def __repr__(self) -> str:
        return f"EILinearRegressionClient(key {self.key_id})"


def _read_secret(text: str) -> SecretKey:
    try:
        return SecretKey.from_coefficients(PARAMETERS, from_text(text, PARAMETERS.ring_degree, "secret_key"))
    except HermeticError as error:
        raise ValueError(
            f"secret_key must come from secret_key() of such a client: {error} Keys of encrypted-inference 0.9 are of "
            "another scheme: make a new one."
        ) from error


def _read_signature(text: str) -> Signature:
    signature = Signature.from_bytes(from_text(text, _SIGNATURE_BYTES, "a response"))
    expected = question(signature.features)
    if signature.parameters != PARAMETERS or signature.layouts != expected.layouts or signature.squeeze:
        raise MismatchError("it must come from an EIServer. It comes from another service.")
    return signature


def _as_vector(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("values must be real numbers. They are not.") from None
    if x.ndim != 1:
        raise ValueError(f"values must have one dimension. Got {x.ndim} instead: encrypt one sample at a time.")
    if not np.isfinite(x).all():
        raise ValueError(f"values must be finite. Value {int(np.argmin(np.isfinite(x)))} is not.")
    if (np.abs(x) > LARGEST_INPUT).any():
        worst = int(np.argmax(np.abs(x)))
        raise ValueError(
            f"values must be from {-LARGEST_INPUT:g} to {LARGEST_INPUT:g}. Value {worst} is not: divide it, and "
            "multiply the model's coefficients by as much."
        )
    return x
