"""What every kind of circuit does with a query before and after its own sums: lifting, masking, threads.

No secret key comes here.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..arguments import check_kind
from ..errors import MismatchError
from ..keys.public import PublicKey
from ..keys.switching import SwitchingKey, uniform_halves
from ..rlwe.levels import Level, LoadedKey
from ..rlwe.parameters import Parameters
from ..rlwe.public_ring import Lanes, PublicRing
from ..rlwe.seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, expand, expand_range
from ..signature import Signature
from .query import Query

Run = Callable[[Iterable[Callable[[], Any]]], list[Any]]
"""Runs tasks and returns their results in order."""


_MAX_KEYS = 16


class MaskingKey:
    """A client's public key made ready: (b, a) modulo the primes of queries, lanes (2, L, N), to mask answers with, and
    the switching keys of a network, by step and level.

    Parameters
    ----------
    public_key
        The client's key; it may be forged, see ``docs/security.md``.
    """

    def __init__(self, public_key: PublicKey) -> None:
        check_kind(public_key, PublicKey, "public_key")
        parameters = public_key.parameters
        a = expand(PUBLIC_KEY_DOMAIN, public_key.seed, 0, parameters, parameters.data_primes)
        b = public_key.b[: len(parameters.data_primes)]
        self.parameters = parameters
        self.id = public_key.id
        ring = PublicRing.of(parameters, parameters.levels)
        lanes = ring.empty_ciphertexts(1)
        ring.lift(b[None], a[None], lanes)
        self.lanes: Lanes = lanes[0]
        self.switching = {
            (one.step, one.level): _loaded(public_key, number, one) for number, one in enumerate(public_key.switching)
        }


def _loaded(public_key: PublicKey, number: int, key: SwitchingKey) -> LoadedKey:
    a = uniform_halves(public_key.parameters, public_key.seed, number, key.level)
    return Level.of(public_key.parameters, key.level).load(np.stack([key.b, a], axis=1), key.step)


class MaskingKeys:
    """The masking keys of one parameter set that were used last."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._kept: OrderedDict[str, MaskingKey] = OrderedDict()

    def of(self, key: PublicKey | MaskingKey) -> MaskingKey:
        """What masks need of a public key. Raises :class:`MismatchError` for one of other parameters, or no key."""
        check_kind(key, (PublicKey, MaskingKey), "public_key")
        if key.parameters != self._parameters:
            raise MismatchError(
                f"the public key must use the parameters {self._parameters.profile!r}. "
                f"Got {key.parameters.profile!r} instead."
            )
        if isinstance(key, MaskingKey):
            return key
        if key.id not in self._kept:
            self._kept[key.id] = MaskingKey(key)
            while len(self._kept) > _MAX_KEYS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key.id)
        return self._kept[key.id]


def check_belongs(query: Query, signature: Signature, key: MaskingKey) -> None:
    """Raise :class:`MismatchError` if a query belongs to another model, or to another key."""
    if query.batch.signature != signature.digest:
        raise MismatchError(f"the query must be made for model {signature.name!r}. It was made for another.")
    if query.key_id != key.id:
        raise MismatchError(f"the query must name the key {key.id[:16]}…. It names {query.key_id[:16]}… instead.")


def lift(query: Query, chosen: range, out: Lanes) -> None:
    """Write some of the ciphertexts of a query, (m, 2, L, N), to the front of ``out``."""
    parameters = query.parameters
    c1 = expand_range(QUERY_DOMAIN, query.batch.query, chosen, parameters, parameters.query_primes)
    PublicRing.of(parameters).lift(query.c0[chosen.start : chosen.stop], c1, out[: len(chosen)])


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def workers(threads: int) -> Iterator[Run]:
    """Gives what runs tasks and returns their results in order."""
    if threads <= 1:
        yield lambda tasks: [task() for task in tasks]
        return
    with ThreadPoolExecutor(threads) as pool:
        yield lambda tasks: list(pool.map(lambda task: task(), tasks))
