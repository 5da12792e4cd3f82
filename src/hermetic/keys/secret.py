"""The secret key, and its file. Only :mod:`hermetic.client` uses this.

A key file is

    magic "HRMK" | version 1 | log2 n, r, p of scrypt (1 byte each) | salt (16) | nonce (12) | AES-256-GCM ciphertext

with everything before the ciphertext authenticated as associated data. The key of the cipher is scrypt's (RFC 7914)
from the passphrase in UTF-8; the plaintext is

    parameter digest (16) | the N coefficients of s, each plus 1, in 2 bits | the envelope of each public key

The public keys belong to the file because queries name them: a loaded key reads the answers to queries that were made
before it was saved, and a server that knows its public key needs no other. The first is that of linear circuits and
trees; networks have one more for each shape of keys.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ..arguments import check_kind, check_path
from ..arrays import Residues
from ..envelope import PUBLIC_KEY, split
from ..errors import HermeticError, KeyFileError, ParameterError
from ..files import write_private
from ..rlwe.bitpacking import pack, packed_bytes, unpack
from ..rlwe.parameters import FAST, KNOWN, Parameters, parameters_for
from ..rlwe.ring import Ring, RingSecretKey
from ..rlwe.seeds import PUBLIC_KEY_DOMAIN, SEED_BYTES, expand
from .public import PublicKey
from .switching import KeyShape, SwitchingKey, uniform_halves

_MAGIC = b"HRMK"
_HEADER = struct.Struct("<4sBBBB16s12s")
_LOG2_N, _R, _P = 16, 8, 1
_DIGEST_BYTES = 16
_TERNARY_BITS = 2


class SecretKey:
    """A client's secret key. Whoever has it reads every query and result of this client: it stays with the data owner.

    It is masked in ``repr``, refuses to be pickled or copied, and is saved only encrypted under a passphrase.
    """

    def __init__(
        self, parameters: Parameters = FAST, *, _stored: tuple[Residues, Sequence[PublicKey]] | None = None
    ) -> None:
        """Make a fresh key with SEAL's key generator."""
        check_kind(parameters, Parameters, "parameters")
        rows, public_keys = _stored or (None, ())
        self.parameters = parameters
        self.ring_key = RingSecretKey(Ring.of(parameters), rows)
        self._public_keys = {key.shape: key for key in public_keys}
        self.public_key = self.public_key_for(())
        """What servers need once, to mask answers with. Public; the same as long as this key lives."""

    def public_key_for(self, shape: KeyShape) -> PublicKey:
        """The public key with switching keys of a shape: the same for as long as this key lives, and in its file.

        Raises
        ------
        ParameterError
            If the parameters are not those of networks and the shape is not empty.
        """
        if shape and not self.parameters.switches_keys:
            raise ParameterError(f"parameters {self.parameters.profile!r} must go without switching keys.")
        if shape not in self._public_keys:
            self._public_keys[shape] = self._make_public_key(shape)
        return self._public_keys[shape]

    def _make_public_key(self, shape: KeyShape) -> PublicKey:
        seed = secrets.token_bytes(SEED_BYTES)
        a = expand(PUBLIC_KEY_DOMAIN, seed, 0, self.parameters, self.parameters.key_primes)
        fresh = self.ring_key.switching_keys([step for step, _ in shape])
        keys = [
            self._seeded(seed, number, step, level, key)
            for number, ((step, level), key) in enumerate(zip(shape, fresh, strict=True))
        ]
        return PublicKey(self.parameters, seed, self.ring_key.public_key(a), tuple(keys))

    def _seeded(self, seed: bytes, number: int, step: int, level: int, key: Residues) -> SwitchingKey:
        """A switching key cut down to a level, with its second half from the seed."""
        primes = [*range(level), self.parameters.levels]
        a = uniform_halves(self.parameters, seed, number, level)
        return SwitchingKey(step, level, self.ring_key.reseeded(key[:level, :, primes], a, primes))

    def save(self, path: str | os.PathLike[str], passphrase: str, *, overwrite: bool = False) -> None:
        """Write the key, encrypted, to a file that only its owner can read (mode 0600), all or nothing.

        Raises
        ------
        KeyFileError
            If the passphrase is empty, the file exists and ``overwrite`` is false, or it cannot be written.
        """
        check_path(path, "path", KeyFileError)
        _check_passphrase(passphrase)
        if not passphrase:
            raise KeyFileError("the passphrase must not be empty.")
        target = Path(path)
        if target.exists() and not overwrite:
            raise KeyFileError(f"{target} exists already. Choose another name, or pass overwrite=True.")
        salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
        header = _HEADER.pack(_MAGIC, 1, _LOG2_N, _R, _P, salt, nonce)
        sealed = AESGCM(_derive(passphrase, salt, _LOG2_N, _R, _P)).encrypt(nonce, self._plaintext(), header)
        try:
            write_private(target, header + sealed)
        except OSError as error:
            raise KeyFileError(f"{target} cannot be written: {error.strerror}.") from error

    @staticmethod
    def load(path: str | os.PathLike[str], passphrase: str) -> SecretKey:
        """Read a key file.

        Raises
        ------
        KeyFileError
            If the file cannot be read, is not a key file, is damaged, or the passphrase is wrong.
        """
        check_path(path, "path", KeyFileError)
        _check_passphrase(passphrase)
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise KeyFileError(f"{path} cannot be read: {error.strerror}.") from error
        least = _HEADER.size + min(map(_plaintext_bytes, KNOWN.values())) + 16
        if len(data) < _HEADER.size or data[:4] != _MAGIC:
            raise KeyFileError(f"{path} must be a Hermetic secret key file. It is not.")
        _, version, log2_n, r, p, salt, nonce = _HEADER.unpack_from(data)
        if (version, log2_n, r, p) != (1, _LOG2_N, _R, _P):
            raise KeyFileError(f"{path} has a header this version does not know, or is damaged.")
        if len(data) < least:
            raise KeyFileError(f"{path} is damaged: it must have at least {least} bytes. Got {len(data)} instead.")
        try:
            cipher = AESGCM(_derive(passphrase, salt, log2_n, r, p))
            plaintext = cipher.decrypt(nonce, data[_HEADER.size :], data[: _HEADER.size])
        except InvalidTag:
            raise KeyFileError(f"{path}: the passphrase is wrong, or the file is damaged.") from None
        try:
            return SecretKey._from_plaintext(plaintext)
        except HermeticError as error:
            raise KeyFileError(f"{path} was made by another version of Hermetic: {error}") from error

    def coefficients(self) -> bytes:
        """The N coefficients of s, each plus 1, in 2 bits: the secret itself, in the clear. Prefer :meth:`save`."""
        first = self.parameters.key_primes[0]
        (coefficients,) = Ring.of(self.parameters).intt(self.ring_key.rows()[None, :1])[0]
        return pack(np.where(coefficients == first - 1, 0, coefficients + 1), _TERNARY_BITS)

    @staticmethod
    def from_coefficients(parameters: Parameters, data: bytes, *public_keys: PublicKey) -> SecretKey:
        """The key that :meth:`coefficients` wrote, with the public keys it had, or by default a fresh one.

        Raises
        ------
        KeyFileError
            If the bytes are not as long, or hold a coefficient that is not -1, 0 or 1.
        """
        n = parameters.ring_degree
        if len(data) != packed_bytes(n, _TERNARY_BITS):
            expected = packed_bytes(n, _TERNARY_BITS)
            raise KeyFileError(f"a secret key must have {expected} bytes. Got {len(data)} instead.")
        ternary = unpack(data, n, _TERNARY_BITS)
        if ternary.max() > 2:
            raise KeyFileError("the coefficients of a secret key must be -1, 0 or 1. One is not.")
        coefficients = np.stack([np.where(ternary == 0, prime - 1, ternary - 1) for prime in parameters.key_primes])
        return SecretKey(parameters, _stored=(Ring.of(parameters).ntt(coefficients[None])[0], public_keys))

    def _plaintext(self) -> bytes:
        keys = b"".join(key.to_bytes() for key in self._public_keys.values())
        return self.parameters.digest + self.coefficients() + keys

    @staticmethod
    def _from_plaintext(plaintext: bytes) -> SecretKey:
        parameters = parameters_for(plaintext[:_DIGEST_BYTES])
        end = _DIGEST_BYTES + packed_bytes(parameters.ring_degree, _TERNARY_BITS)
        keys = [PublicKey.from_bytes(bytes(envelope)) for envelope in split(plaintext[end:], PUBLIC_KEY)]
        return SecretKey.from_coefficients(parameters, plaintext[_DIGEST_BYTES:end], *keys)

    def __repr__(self) -> str:
        return f"SecretKey(<hidden>, {self.parameters.profile})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a SecretKey cannot be pickled or copied: save it under a passphrase with .save(path, passphrase)."
        )


def _plaintext_bytes(parameters: Parameters) -> int:
    secret = packed_bytes(parameters.ring_degree, _TERNARY_BITS)
    return _DIGEST_BYTES + secret + PublicKey.size(parameters)


def _check_passphrase(passphrase: object) -> None:
    if not isinstance(passphrase, str):
        raise KeyFileError(f"the passphrase must be a text. Got {type(passphrase).__name__} instead.")


def _derive(passphrase: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << log2_n, r=r, p=p).derive(passphrase.encode())
