"""What a job says about itself: which model, which key, and its shards with their hashes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ..errors import WireError

MAX_MANIFEST_BYTES = 1 << 28
MAX_SHARD_BYTES = 1 << 30

_FORMAT = "hermetic batch 1"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_SHARDS = 10**8
_MAX_ROWS = 1 << 24
_MAX_NAME = 1000


@dataclass(frozen=True)
class Shard:
    """One query of a job.

    Attributes
    ----------
    number
        Its place in the job, from 0.
    rows
        How many rows of the table it holds.
    bytes, sha256
        Size and hash of the query.
    """

    number: int
    rows: int
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """What its query and its answer are called."""
        return f"{self.number:08d}"


@dataclass(frozen=True)
class Manifest:
    """A job.

    Attributes
    ----------
    model, signature
        The model's name, and the digest of its signature.
    key_id
        Which public key answers are masked with.
    shards
        All queries, in the order of the table's rows.
    """

    model: str
    signature: str
    key_id: str
    shards: tuple[Shard, ...]

    @property
    def rows(self) -> int:
        """The rows of all shards."""
        return sum(shard.rows for shard in self.shards)

    def to_bytes(self) -> bytes:
        """The manifest as JSON. Names of shards follow from their order: no path is in it."""
        document = {
            "format": _FORMAT,
            "model": self.model,
            "signature": self.signature,
            "key": self.key_id,
            "rows": self.rows,
            "shards": [{"rows": shard.rows, "bytes": shard.bytes, "sha256": shard.sha256} for shard in self.shards],
        }
        return json.dumps(document, indent=1).encode()

    @staticmethod
    def from_bytes(data: bytes) -> Manifest:
        """Read what :meth:`to_bytes` wrote, from anybody.

        Raises
        ------
        WireError
            If it is something else, or its numbers do not fit together.
        """
        try:
            return _read(json.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise WireError(
                f"a manifest must be JSON as hermetic batch encrypt writes it. It is not: {reason}."
            ) from None


def _read(document: Any) -> Manifest:
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f"its format must be {_FORMAT!r}; a later one needs a later version of Hermetic")
    shards = document["shards"]
    if not isinstance(shards, list) or not 1 <= len(shards) <= _MAX_SHARDS:
        raise ValueError(f"shards must be a list of 1 to {_MAX_SHARDS}")
    manifest = Manifest(
        _text(document["model"]),
        _digest(document["signature"], "signature"),
        _digest(document["key"], "key"),
        tuple(_shard(number, one) for number, one in enumerate(shards)),
    )
    if manifest.rows != document["rows"]:
        raise ValueError(f"rows must be those of all shards, {manifest.rows}; it says {document['rows']!r}")
    if len({shard.sha256 for shard in manifest.shards}) != len(shards):
        raise ValueError("every shard must be there once; two have one hash")
    return manifest


def _shard(number: int, one: Any) -> Shard:
    if not isinstance(one, dict):
        raise ValueError(f"shard {number} must be an object")
    rows = _whole(one["rows"], _MAX_ROWS, f"the rows of shard {number}")
    size = _whole(one["bytes"], MAX_SHARD_BYTES, f"the bytes of shard {number}")
    return Shard(number, rows, size, _digest(one["sha256"], f"sha256 of shard {number}"))


def _whole(value: Any, most: int, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _MAX_NAME:
        raise ValueError(f"model must be a name of at most {_MAX_NAME} characters")
    return value


def _digest(value: Any, name: str) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError(f"{name} must be 64 hexadecimal digits")
    return value
