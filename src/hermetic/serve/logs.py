"""Structured logs: one JSON object a line, on standard error.

What may be logged is listed here, once: a record's ``extra`` must use these fields, and none of them holds a token, a
public key, an input or a ciphertext.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from .faults import describe_fault

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
    "workers",
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
        line |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info and record.exc_info[1]:
            line["reason"] = describe_fault(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True, default=str)


def configure(level: str) -> None:
    """Send this program's and uvicorn's records to standard error, as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(level.upper())
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
