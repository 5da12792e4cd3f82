"""The Open Inference Protocol (KServe V2), REST, with the binary tensor extension.

The query is a UINT8 tensor ``query`` that holds our envelope, the answer a UINT8 tensor ``result``. The bytes travel
raw after the JSON head (``Inference-Header-Content-Length``) or, four times as large, as a JSON list.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from ..envelope import PEEK_BYTES
from .bodies import declared_length
from .documents import Body, LongList, listed_octets, read_object
from .queries import check_digest, wrong_size
from .refusals import RefusalError, malformed, too_large
from .repository import ServedModel
from .routes import OPEN, PUBLIC, Endpoint, route, service_of
from .worker import Data

JSON_LENGTH = "inference-header-content-length"
INPUT, OUTPUT = "query", "result"
MAX_JSON_HEAD = 16 << 10
_MAX_ID = 256


def routes() -> list[BaseRoute]:
    """Every address of the protocol."""
    models = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
    return [
        *(route(f"{path}/infer", infer, methods=("POST",)) for path in models),
        route("/v2", server_metadata, access=OPEN),
        route("/v2/health/live", live, access=OPEN),
        route("/v2/health/ready", ready, access=OPEN),
        *(route(path, model_metadata, access=PUBLIC) for path in models),
        *(route(f"{path}/ready", model_ready, access=PUBLIC) for path in models),
    ]


async def server_metadata(_: Request) -> Response:
    return JSONResponse({"name": "hermetic", "version": version("hermetic"), "extensions": ["binary_tensor_data"]})


async def live(_: Request) -> Response:
    return JSONResponse({"live": True})


async def ready(request: Request) -> Response:
    if not service_of(request).ready:
        raise RefusalError(
            503, "not_ready", "no model is being served, or the service is starting or stopping.", retry_after=1
        )
    return JSONResponse({"ready": True})


async def model_ready(request: Request) -> Response:
    service = service_of(request)
    model = _model(request)
    if not service.pool.alive:
        raise RefusalError(503, "not_ready", "no evaluation process is running.", retry_after=1)
    return JSONResponse({"name": model.name, "version": str(model.version), "ready": True})


async def model_metadata(request: Request) -> Response:
    model = _model(request)
    versions = [str(other.version) for other in service_of(request).repository.versions(model.name)]
    return JSONResponse(
        {
            "name": model.name,
            "versions": versions,
            "platform": "hermetic",
            "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1]}],
            "outputs": [{"name": OUTPUT, "datatype": "UINT8", "shape": [-1]}],
            "parameters": {
                "version": str(model.version),
                "signature": base64.b64encode(model.envelope).decode(),
                "signature_digest": model.digest,
                "max_samples": model.max_samples,
                "max_query_bytes": model.sizes.largest,
            },
        }
    )


def _model(request: Request) -> ServedModel:
    params = request.path_params
    return service_of(request).queries.model(params["model"], params.get("version"))


@dataclass(frozen=True)
class InferRequest:
    """What an ``infer`` request says: the query, the id to echo, and whether the answer should be raw bytes."""

    query: Data
    id: str | None
    binary_answer: bool


async def infer(request: Request) -> Response:
    service, endpoint = service_of(request), Endpoint.of(request)
    model = _model(request)
    endpoint.trace.note(model)
    service.allowance.check(endpoint.caller)
    json_bytes = _declared_json_bytes(request)

    def check(length: int) -> None:
        if json_bytes is None:
            if length > service.max_json_body:
                raise too_large(
                    f"a JSON body must have at most {service.max_json_body} bytes. Got {length} instead: use the "
                    "binary tensor extension."
                )
        elif not model.sizes.allow(length - json_bytes):
            raise wrong_size(model, length - json_bytes)

    if json_bytes is not None and not model.sizes.allow(declared_length(request) - json_bytes):
        head = await service.bodies.read_start(request, json_bytes + PEEK_BYTES)
        check_digest(model, head[json_bytes:])
    async with service.bodies.read(request, endpoint.caller.tenant, check) as body:
        endpoint.trace.bytes_in = len(body)
        with service.allowance.counting_refusals(endpoint.caller):
            asked = await _read_request(body, json_bytes)
        answer = await service.queries.evaluate(endpoint.caller, model, asked.query, endpoint.trace)
    return _respond(model, asked, answer.data)


def _declared_json_bytes(request: Request) -> int | None:
    """The length of the JSON head of a binary request; None for a request that is JSON throughout."""
    text = request.headers.get(JSON_LENGTH)
    if text is None:
        return None
    length = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not 0 < length <= min(MAX_JSON_HEAD, declared_length(request)):
        raise malformed(f"{JSON_LENGTH} must be the length of the JSON head, at most {MAX_JSON_HEAD} bytes.")
    if length == declared_length(request):
        raise malformed(
            f"{JSON_LENGTH} says that all {length} bytes are JSON. The bytes of the tensor must follow it: send them, "
            "or the bytes as data, and no such header."
        )
    return length


async def _read_request(body: Body, json_bytes: int | None) -> InferRequest:
    return await asyncio.to_thread(read_json, body) if json_bytes is None else read_binary(body, json_bytes)


def read_binary(body: Body, json_bytes: int) -> InferRequest:
    """A request whose tensor follows the JSON head as raw bytes. Raises :class:`RefusalError` 422."""
    document = read_object(body[:json_bytes])
    tensor = _tensor(document)
    query = memoryview(body)[json_bytes:]
    if _binary_size(tensor) != len(query) or tensor.get("data") is not None:
        raise malformed(f"binary_data_size must be the {len(query)} bytes after the JSON head, and data be absent.")
    _check_shape(tensor, len(query))
    return InferRequest(query, _id(document), _wants_binary(document))


def read_json(body: Body) -> InferRequest:
    """A request whose tensor is a JSON list. Raises :class:`RefusalError` 422."""
    document = read_object(body)
    tensor = _tensor(document)
    if (size := _binary_size(tensor)) is not None:
        raise malformed(
            f"binary_data_size says that {size} bytes follow the JSON. The header {JSON_LENGTH} must then say where "
            "the JSON ends. It is absent: send it, or the bytes as data, and no binary_data_size."
        )
    data = tensor.get("data")
    if not isinstance(data, list | LongList):
        raise malformed("data must be a JSON list.")
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], list | LongList):
        data = data[0]
    query = listed_octets(data)
    _check_shape(tensor, len(query))
    return InferRequest(query, _id(document), _wants_binary(document))


def _binary_size(tensor: dict[str, Any]) -> Any:
    return _member(tensor, "parameters", dict, {}).get("binary_data_size")


def _member(document: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """A member of a JSON object; one that is null is one that was left out."""
    value = document.get(name)
    value = default if value is None else value
    if not isinstance(value, kind):
        raise malformed(f"{name} must be a JSON {'object' if kind is dict else 'list'}.")
    return value


def _tensor(document: dict[str, Any]) -> dict[str, Any]:
    """The one input tensor."""
    inputs = _member(document, "inputs", list)
    if len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise malformed(f"inputs must hold the one tensor {INPUT!r}.")
    tensor: dict[str, Any] = inputs[0]
    if tensor.get("name") != INPUT or tensor.get("datatype") != "UINT8":
        raise malformed(f"the input tensor must be named {INPUT!r}, of datatype UINT8.")
    return tensor


def _check_shape(tensor: dict[str, Any], size: int) -> None:
    if tensor.get("shape") not in ([size], [1, size]):
        raise malformed(f"shape must be [{size}], the number of bytes. It is not.")


def _id(document: dict[str, Any]) -> str | None:
    request_id = document.get("id")
    if request_id is not None and not (isinstance(request_id, str) and len(request_id) <= _MAX_ID):
        raise malformed(f"id must be a string of at most {_MAX_ID} characters.")
    return request_id


def _wants_binary(document: dict[str, Any]) -> bool:
    """Whether the answer goes out as raw bytes: the output's own wish, or the request's for all outputs."""
    wanted = _member(document, "parameters", dict, {}).get("binary_data_output")
    for output in _member(document, "outputs", list, []):
        if not isinstance(output, dict) or output.get("name") != OUTPUT:
            raise malformed(f"outputs must name nothing but {OUTPUT!r}.")
        own = _member(output, "parameters", dict, {}).get("binary_data")
        wanted = wanted if own is None else own
    if not isinstance(wanted, bool | None):
        raise malformed("binary_data and binary_data_output must be true or false.")
    return bool(wanted)


def _respond(model: ServedModel, asked: InferRequest, result: bytes) -> Response:
    tensor: dict[str, Any] = {"name": OUTPUT, "datatype": "UINT8", "shape": [len(result)]}
    document = {"model_name": model.name, "model_version": str(model.version), "outputs": [tensor]}
    if asked.id is not None:
        document["id"] = asked.id
    if not asked.binary_answer:
        tensor["data"] = list(result)
        return Response(_ascii_json(document), media_type="application/json")
    tensor["parameters"] = {"binary_data_size": len(result)}
    head = _ascii_json(document)
    return Response(head + result, media_type="application/octet-stream", headers={JSON_LENGTH: str(len(head))})


def _ascii_json(document: dict[str, Any]) -> bytes:
    """JSON that holds any ``id`` that JSON held: one half of a surrogate pair has no UTF-8."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")
