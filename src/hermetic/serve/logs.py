"""Structured logs on standard error: one JSON object a line, or text where that is a terminal.

What may be logged is listed here, once: a record's ``extra`` must use these fields, and none of them holds a token, a
public key, an input or a ciphertext.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from .failures import describe_failure

FIELDS = (
    "event",
    "request_id",
    "tenant",
    "client",
    "method",
    "route",
    "model",
    "version",
    "status",
    "code",
    "samples",
    "bytes_in",
    "bytes_out",
    "ms",
    "queue_ms",
    "evaluation_ms",
    "file",
    "reason",
    "url",
    "release",
    "models",
    "store",
    "workers",
    "tls",
    "tokens",
    "failures",
    "count",
)

log = logging.getLogger("hermetic.serve")


class JsonFormatter(logging.Formatter):
    """``time``, ``level``, ``message`` and those of :data:`FIELDS` that the record has."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        return json.dumps(line | fields_of(record), ensure_ascii=True, default=str)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Those of :data:`FIELDS` that a record has; an exception becomes its place."""
    fields = {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
    if record.exc_info and record.exc_info[1]:
        fields["reason"] = describe_failure(record.exc_info[1])
    return fields


class TerminalFormatter(logging.Formatter):
    """The same for a person: the time of day, the level where it matters, the message, and the fields but ``event``."""

    def format(self, record: logging.LogRecord) -> str:
        fields = fields_of(record)
        told = [f"{name} {_shown(value)}" for name, value in fields.items() if name != "event"]
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        line = f"{level}{record.getMessage()}" + (f" ({', '.join(told)})" if told else "")
        time = datetime.fromtimestamp(record.created).astimezone()
        return f"{time:%H:%M:%S} " + "".join(
            character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line
        )


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def configure(level: str) -> None:
    """Send this program's and uvicorn's records to standard error: for a person on a terminal, else as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TerminalFormatter() if sys.stderr.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(level.upper())
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
