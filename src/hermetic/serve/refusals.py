"""Every way the service says no: one exception, one JSON form ``{"error": message, "code": slug}``."""

from __future__ import annotations

import math
from typing import Any


class RefusalError(Exception):
    """An answer that is not what was asked for.

    Parameters
    ----------
    status
        HTTP status.
    code
        Slug for programs.
    message
        Sentence for people: what must be, what came instead, what to do.
    retry_after
        Seconds after which the same request may succeed.
    extra
        Further members of the JSON object.
    headers
        Further headers.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.body = {"error": message, "code": code, **(extra or {})}
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))


def malformed(message: str) -> RefusalError:
    """422: the bytes are not what they must be."""
    return RefusalError(422, "malformed", message)


def not_found(what: str) -> RefusalError:
    """404."""
    return RefusalError(404, "not_found", f"{what} was not found.")


def too_large(message: str) -> RefusalError:
    """413."""
    return RefusalError(413, "too_large", message)


def busy(message: str, seconds: float = 1) -> RefusalError:
    """503: deliberate back-pressure; nothing was computed."""
    return RefusalError(503, "busy", f"{message} Try again shortly.", retry_after=seconds)


def signature_changed(message: str, digest: str) -> RefusalError:
    """409: the query was made for another signature than the model's current one."""
    return RefusalError(409, "signature_changed", message, extra={"signature_digest": digest})


def unknown_key(key_id: str) -> RefusalError:
    """424: the query needs a public key that is not stored for this tenant."""
    message = f"the public key {key_id[:16]}… must be stored first: PUT /keys/{key_id}."
    return RefusalError(424, "unknown_key", message, extra={"key_id": key_id})
