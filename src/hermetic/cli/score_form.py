"""What ``/score`` of a service takes and gives, as files: JSON that any HTTP client can send and keep."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..circuits.query import Query
from ..circuits.result import Result
from ..errors import InputError, MismatchError
from ..signature import Signature

STDIN = "-"
_MOST_ERROR = 4096
_SHOWN = 300


def question(query: Query) -> bytes:
    """The body that asks one query."""
    return json.dumps({"data": [base64.b64encode(query.to_bytes()).decode()], "key_id": query.key_id}).encode()


def read_question(path: Path, signature: Signature) -> Query:
    """The query in a body that :func:`question` made.

    Raises
    ------
    InputError
        If it cannot be read, or is something else.
    WireError, MismatchError
        If the query is damaged, or for another model.
    """
    must = f"{path} must be what hermetic encrypt wrote"
    document = _parsed(_read(str(path), None), must)
    return Query.from_bytes(_only(document.get("data") if isinstance(document, dict) else None, must), signature)


def read_reply(source: str, query: Query, signature: Signature) -> Result:
    """The result in the service's answer to a query. It comes from the network, so it may be anything.

    Raises
    ------
    InputError
        If it cannot be read, is an error of the service, or something else.
    WireError, MismatchError
        If the result is damaged, or answers another query.
    """
    name = "standard input" if source == STDIN else source
    must = f"{name} must be the answer of /score to this query"
    longest = 4 * Result.size(signature, query.batch.layout, query.samples) // 3 + _MOST_ERROR
    data = _read(source, longest + 1)
    if len(data) > longest:
        raise InputError(f"{must}, at most {longest} bytes. It is longer.")
    document = _parsed(data, must)
    if isinstance(document, dict) and isinstance(said := document.get("error"), str):
        raise InputError(f"{must}. It is an error: {said[:_SHOWN]}")
    result = Result.from_bytes(_only(document, must), signature)
    if result.batch != query.batch:
        raise MismatchError(f"{must}. It answers another query, or another key.")
    return result


def _read(source: str, most: int | None) -> bytes:
    try:
        with nullcontext(sys.stdin.buffer) if source == STDIN else Path(source).open("rb") as file:
            return file.read(-1 if most is None else most)
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}.") from error


def _parsed(data: bytes, must: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise InputError(f"{must}. It is no JSON.") from None


def _only(texts: Any, must: str) -> bytes:
    """The one envelope in a list of base64."""
    if not (isinstance(texts, list) and len(texts) == 1 and isinstance(texts[0], str)):
        raise InputError(f"{must}. It does not hold one text in base64.")
    try:
        return base64.b64decode(texts[0], validate=True)
    except ValueError:
        raise InputError(f"{must}. Its text is no base64.") from None
