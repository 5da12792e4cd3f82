"""What can be asked of a service about one model, and how its answers read. No input or output."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..errors import (
    AuthenticationError,
    ModelNotFoundError,
    ProtocolError,
    RefusedError,
    RemoteError,
    TooLargeError,
    WireError,
)
from ..keys.public import PublicKey
from ..signature import MAX_SIGNATURE_BYTES, Signature
from .exchange import explanation, readable, via
from .flow import Headers, Limit, Reply, Send
from .settings import Settings

OK, CREATED, NOT_FOUND, CHANGED, TOO_LARGE, UNKNOWN_KEY = 200, 201, 404, 409, 413, 424

_JSON_LENGTH = "Inference-Header-Content-Length"
_MAX_JSON = 16 << 10
_MAX_ERROR = 64 << 10
_MAX_LIST = 4 << 20
_BINARY = "application/octet-stream"


class ModelRequests:
    """The requests that one model's client makes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = settings.url.rstrip("/")
        model = quote(settings.model, safe="")
        version = "" if settings.version is None else f"/versions/{quote(str(settings.version), safe='')}"
        self._path = f"/models/{model}{version}"

    def description(self) -> Send:
        """The model's public signature, and what the service takes at once."""
        return self._send("GET", f"/v2{self._path}", _at_most(4 * MAX_SIGNATURE_BYTES // 3 + _MAX_ERROR))

    def models(self) -> Send:
        """Which models there are."""
        return self._send("GET", "/models", _at_most(_MAX_LIST))

    def has_key(self, key_id: str) -> Send:
        """Whether the service has a public key: 200 or 404."""
        return self._send("HEAD", f"/keys/{key_id}", _at_most(0))

    def put_key(self, key: PublicKey) -> Send:
        """Store a public key: 201, or 200 if it is there already."""
        return self._send("PUT", f"/keys/{key.id}", _at_most(_MAX_ERROR), {"Content-Type": _BINARY}, key.to_bytes())

    def infer(self, query: bytes, answer_bytes: int) -> Send:
        """Answer a query: Open Inference Protocol, both tensors binary. The answer's size is known exactly."""
        name = secrets.token_hex(8)
        document = {
            "id": name,
            "inputs": [
                {
                    "name": "query",
                    "datatype": "UINT8",
                    "shape": [len(query)],
                    "parameters": {"binary_data_size": len(query)},
                }
            ],
            "outputs": [{"name": "result", "parameters": {"binary_data": True}}],
        }
        header = json.dumps(document, separators=(",", ":")).encode()
        headers = {"Content-Type": _BINARY, _JSON_LENGTH: str(len(header))}
        return self._send("POST", f"/v2{self._path}/infer", _exact_answer(answer_bytes), headers, header + query)

    def _send(self, method: str, path: str, limit: Limit, headers: Headers | None = None, body: bytes = b"") -> Send:
        token = self._settings.current_token()
        return Send(method, self._base + path, limit, headers or {}, body, token)

    def refusal(self, reply: Reply) -> RemoteError:
        """The error that an unwanted status means."""
        status, said = reply.status, explanation(reply)
        kind: type[RemoteError] = RemoteError
        message = f"{self._base} failed on the request ({status}{said})."
        if status in (401, 403):
            kind = AuthenticationError
            message = f"{self._base} must be given a valid token. {self._token_given()} ({status}{said})."
        elif status == NOT_FOUND and said:
            kind = ModelNotFoundError
            message = f"{self._base} has no {self.model_name()} for this token{said}."
        elif status == TOO_LARGE:
            kind = TooLargeError
            message = f"{self._base} takes no request of this size{said}. Pass a smaller batch_size."
        elif status < 300 or status == NOT_FOUND:
            kind = ProtocolError
            message = f"{self._base} must be a Hermetic service. Its answer ({status}) is not one's: check the URL."
        elif status < 400:
            kind = ProtocolError
            target = readable(reply.headers.get("location", ""))
            message = (
                f"{self._base} must answer itself. It redirects to {target or 'nowhere'} ({status}): use that URL."
            )
        elif status < 500:
            kind = RefusedError
            message = f"{self._base} refuses the request ({status}{said})."
        return kind(message + via(reply), status=status, request_id=reply.headers.get("x-request-id"))

    def _token_given(self) -> str:
        return "None was given" if self._settings.token is None else "This one is unknown or expired"

    def model_name(self) -> str:
        """The model as errors name it."""
        version = "" if self._settings.version is None else f" version {self._settings.version}"
        return f"model {self._settings.model!r}{version}"


@dataclass(frozen=True)
class Description:
    """A served model: its signature, and the most samples and bytes in one query, where the service states them."""

    signature: Signature
    max_samples: int | None
    max_query_bytes: int | None


def read_description(reply: Reply) -> Description:
    """An answer to :meth:`ModelRequests.description`.

    Raises
    ------
    ProtocolError
        If it does not describe a model of this version of Hermetic.
    """
    try:
        parameters = json.loads(reply.body)["parameters"]
        envelope = base64.b64decode(parameters["signature"], validate=True)
        limits = [_limit(parameters.get(name)) for name in ("max_samples", "max_query_bytes")]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ProtocolError("the service must describe a Hermetic model. It does not: check the URL.") from None
    try:
        return Description(Signature.from_bytes(envelope), *limits)
    except WireError as error:
        raise ProtocolError(f"the service must publish a valid signature. {error}") from None


def _limit(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def read_models(reply: Reply) -> list[str]:
    """The names in an answer to :meth:`ModelRequests.models`; empty if they cannot be read."""
    try:
        return sorted({readable(entry["name"]) for entry in json.loads(reply.body)})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def read_answer(send: Send, reply: Reply, answer_bytes: int) -> bytes:
    """The result's envelope in an answer to :meth:`ModelRequests.infer`.

    Raises
    ------
    ProtocolError
        If the answer is to another request, or is not one tensor of exactly the expected size.
    """
    split = _json_length(reply.headers)
    try:
        document = json.loads(reply.body[:split])
        (output,) = document["outputs"]
        described = (output["name"], output["datatype"], output["parameters"]["binary_data_size"])
        name = document.get("id")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ProtocolError("the answer must describe one output tensor. It does not: check the URL.") from None
    data = reply.body[split:]
    if described != ("result", "UINT8", answer_bytes) or len(data) != answer_bytes:
        raise ProtocolError(f"the answer must be {answer_bytes} bytes named 'result'. Got {len(data)} instead.")
    if name != _request_name(send):
        raise ProtocolError("the answer must be to this request. It is to another: check the proxies in between.")
    return data


def _request_name(send: Send) -> Any:
    return json.loads(send.body[: _json_length(send.headers)])["id"]


def _at_most(size: int) -> Limit:
    return lambda status, headers: size if status == OK else _MAX_ERROR


def _exact_answer(size: int) -> Limit:
    return lambda status, headers: _json_length(headers) + size if status == OK else _MAX_ERROR


def _json_length(headers: Mapping[str, str]) -> int:
    """How many bytes of a body are its JSON part."""
    value = headers.get(_JSON_LENGTH, "")
    if not (value.isascii() and value.isdigit() and len(value) < 10 and 0 < int(value) <= _MAX_JSON):
        raise ProtocolError(f"the answer must have a header {_JSON_LENGTH} of 1 to {_MAX_JSON}. It has {value!r}.")
    return int(value)
