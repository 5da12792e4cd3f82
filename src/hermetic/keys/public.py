"""The public key: what servers mask answers with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from ..arrays import Residues
from ..envelope import OVERHEAD_BYTES, PUBLIC_KEY, open_envelope, seal
from ..errors import WireError
from ..rlwe.parameters import Parameters
from ..rlwe.polynomials import pack_rows, packed_rows_bytes, unpack_rows
from ..rlwe.seeds import SEED_BYTES
from . import switching
from .switching import KeyShape, SwitchingKey


@dataclass(frozen=True, eq=False)
class PublicKey:
    """A client's public key (b, a): for fresh encryptions of zero; for a network also what multiplies and rotates
    ciphertexts. Leaks nothing about the secret key.

    ``b`` is residues (K, N) in evaluation form, over every prime of the key modulus; ``a`` is only ever a seed.
    ``switching`` are a network's keys, empty for other models.
    """

    parameters: Parameters
    seed: bytes
    b: Residues
    switching: tuple[SwitchingKey, ...] = ()

    @property
    def shape(self) -> KeyShape:
        """The step and the level of each switching key."""
        return tuple((key.step, key.level) for key in self.switching)

    @cached_property
    def id(self) -> str:
        """64 hexadecimal digits: the SHA-256 of the key's bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The envelope (about 56 kB for ``fast``)."""
        body = self.seed + pack_rows(self.b[None], self.parameters.key_primes)
        return seal(PUBLIC_KEY, self.parameters.digest, body + switching.pack(self.switching, self.parameters))

    @staticmethod
    def size(parameters: Parameters, shape: KeyShape = ()) -> int:
        """Exact bytes of a public key's envelope, with switching keys of a shape."""
        return OVERHEAD_BYTES + _masking_bytes(parameters) + switching.size(parameters, shape)

    @staticmethod
    def from_bytes(data: bytes) -> PublicKey:
        """Read a public key.

        Raises
        ------
        WireError
            For anything but the envelope of a public key.
        """
        parameters, body = open_envelope(data, PUBLIC_KEY)
        expected = _masking_bytes(parameters)
        if len(body) < expected or (len(body) > expected and not parameters.switches_keys):
            raise WireError(f"the body of a public key must have {expected} bytes. Got {len(body)} instead.")
        rows = unpack_rows(body[SEED_BYTES:expected], 1, parameters, parameters.key_primes)
        keys = switching.unpack(body[expected:], parameters)
        return PublicKey(parameters, bytes(body[:SEED_BYTES]), rows[0], keys)

    def __repr__(self) -> str:
        return f"PublicKey(id={self.id[:16]}…, {self.parameters.profile})"


def _masking_bytes(parameters: Parameters) -> int:
    return SEED_BYTES + packed_rows_bytes(1, parameters, parameters.key_primes)
