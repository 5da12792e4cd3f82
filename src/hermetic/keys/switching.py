"""Switching keys: what a service needs beside the public key to multiply and rotate ciphertexts. Public."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ..arrays import Residues
from ..errors import WireError
from ..rlwe.levels import CONJUGATE, RELINEARISE
from ..rlwe.parameters import Parameters
from ..rlwe.polynomials import pack_rows, packed_rows_bytes, unpack_rows
from ..rlwe.seeds import SWITCHING_KEY_DOMAIN, expand_range

KeyShape = tuple[tuple[int, int], ...]
"""The step and the level of each switching key: the slots of a rotation, 0 to conjugate, -1 to relinearise."""

MAX_KEYS = 256
_COUNT, _KEY = struct.Struct("<I"), struct.Struct("<iI")


@dataclass(frozen=True, eq=False)
class SwitchingKey:
    """One switching key: ``b`` is residues (l, l+1, N), a digit a row; ``a`` is expanded from the public key's seed.

    Leaks nothing about the secret key, by the usual assumption that encryptions of functions of s under s are safe
    (circular security).
    """

    step: int
    level: int
    b: Residues


def primes_at(parameters: Parameters, level: int) -> tuple[int, ...]:
    """The primes of a key of a level: those of data that are left, and the special one."""
    return (*parameters.data_primes[:level], parameters.special_prime)


def uniform_halves(parameters: Parameters, seed: bytes, number: int, level: int) -> Residues:
    """The a (l, l+1, N) of the key of this number."""
    first = number * parameters.levels
    return expand_range(
        SWITCHING_KEY_DOMAIN, seed, range(first, first + level), parameters, primes_at(parameters, level)
    )


def size(parameters: Parameters, shape: KeyShape) -> int:
    """Exact bytes of keys of a shape; none take none."""
    each = [_KEY.size + packed_rows_bytes(level, parameters, primes_at(parameters, level)) for _, level in shape]
    return _COUNT.size + sum(each) if shape else 0


def pack(keys: Sequence[SwitchingKey], parameters: Parameters) -> bytes:
    """What :func:`unpack` reads."""
    if not keys:
        return b""
    parts = [_COUNT.pack(len(keys))]
    for key in keys:
        parts += [_KEY.pack(key.step, key.level), pack_rows(key.b, primes_at(parameters, key.level))]
    return b"".join(parts)


def unpack(data: memoryview, parameters: Parameters) -> tuple[SwitchingKey, ...]:
    """Read keys. Raises :class:`WireError` for anything but keys of steps and levels that there are."""
    if not data:
        return ()
    count = _COUNT.unpack_from(data)[0] if len(data) >= _COUNT.size else 0
    if not 1 <= count <= MAX_KEYS:
        raise WireError(f"a public key must have at most {MAX_KEYS} switching keys. Got {count} instead.")
    keys, start = [], _COUNT.size
    for _ in range(count):
        key, start = _unpack_key(data, start, parameters)
        keys.append(key)
    if start != len(data):
        raise WireError(f"{count} switching keys must take {start} bytes. Got {len(data)} instead.")
    return tuple(keys)


def _unpack_key(data: memoryview, start: int, parameters: Parameters) -> tuple[SwitchingKey, int]:
    if len(data) < start + _KEY.size:
        raise WireError("the switching keys must be whole. They are cut off.")
    step, level = _KEY.unpack_from(data, start)
    if not RELINEARISE <= step < parameters.ring_degree // 2 or not 1 <= level <= parameters.levels:
        what = f"a step of {RELINEARISE} (relinearise), {CONJUGATE} (conjugate) or below {parameters.ring_degree // 2}"
        raise WireError(
            f"a switching key must have {what}, and a level of 1 to {parameters.levels}. Got {step} and {level}."
        )
    primes, start = primes_at(parameters, level), start + _KEY.size
    end = start + packed_rows_bytes(level, parameters, primes)
    return SwitchingKey(step, level, unpack_rows(data[start:end], level, parameters, primes)), end
