"""The service's own endpoints: models and signatures, public keys, ``/score``, health and metrics."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from ..errors import WireError
from ..keys.public import PublicKey
from ..rlwe.parameters import PROFILES
from . import legacy_clients
from .documents import MAX_PARTS, base64_octets, read_object
from .keystore import DIGEST_BYTES, KEY_ID
from .metrics import CONTENT_TYPE
from .refusals import malformed, not_found, too_large
from .repository import ServedModel
from .routes import OPEN, PUBLIC, Access, Endpoint, route, service_of
from .worker import Data

KEY_SIZES = sorted({PublicKey.size(parameters) for parameters in PROFILES.values()})
"""Those without switching keys, which every service takes; those of networks are what its models need."""

MAX_QUERIES = MAX_PARTS
_SCORE_OVERHEAD = 16 << 10
_BINARY = "application/octet-stream"


def routes() -> list[BaseRoute]:
    """Every address but the protocol's and the pages."""
    return [
        route("/healthz", health, access=OPEN),
        route("/metrics", metrics, access=Access.METRICS),
        route("/models", models, access=PUBLIC),
        route("/models/{model}/signature", signature, access=PUBLIC),
        route("/models/{model}/versions/{version}/signature", signature, access=PUBLIC),
        route("/keys/{key_id}", put_key, methods=("PUT",)),
        route("/keys/{key_id}", get_key, methods=("GET", "HEAD")),
        route("/keys/{key_id}", delete_key, methods=("DELETE",)),
        route("/score", score, methods=("POST",)),
    ]


async def health(request: Request) -> Response:
    """Whether the front process lives; never waits for an evaluation process."""
    service = service_of(request)
    return JSONResponse({"status": "ok", "ready": service.ready, "workers": service.pool.alive})


async def metrics(request: Request) -> Response:
    return Response(service_of(request).metrics.text(), media_type=CONTENT_TYPE)


async def models(request: Request) -> Response:
    service = service_of(request)
    listed: dict[str, dict[str, Any]] = {}
    for model in service.repository.models:  # by version: the highest comes last
        entry = listed.setdefault(model.name, {"name": model.name, "versions": []})
        if description := service.brand.descriptions.get(model.name):
            entry["description"] = description
        entry["versions"].append(model.version)
        entry["signature_digest"] = model.digest
    return JSONResponse(list(listed.values()))


async def signature(request: Request) -> Response:
    params = request.path_params
    model = service_of(request).queries.model(params["model"], params.get("version"))
    headers = {
        "ETag": f'"{model.digest}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept",
        "X-Model-Version": str(model.version),
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "application/json" in request.headers.get("accept", ""):
        return Response(model.signature.json, media_type="application/json", headers=headers)
    return Response(model.envelope, media_type=_BINARY, headers=headers)


def _key_id(request: Request) -> str:
    key_id: str = request.path_params["key_id"]
    if not KEY_ID.fullmatch(key_id) and not legacy_clients.is_legacy_key(service_of(request), key_id):
        raise malformed("a key id must be 64 lower-case hexadecimal digits.")
    return key_id


async def put_key(request: Request) -> Response:
    service, endpoint = service_of(request), Endpoint.of(request)
    key_id, tenant = _key_id(request), endpoint.caller.tenant
    if legacy_clients.is_legacy_key(service, key_id):
        return await legacy_clients.put_key(request)

    allowed = sorted({*KEY_SIZES, *(model.signature.public_key_bytes for model in service.repository.models)})

    def check(length: int) -> None:
        if length not in allowed:
            sizes = " or ".join(map(str, allowed))
            raise too_large(f"a public key must have {sizes} bytes. Got {length} instead.")

    async with service.bodies.read(request, tenant, check) as body:
        endpoint.trace.bytes_in = len(body)
        with service.allowance.counting_refusals(endpoint.caller):
            key = await asyncio.to_thread(_checked_key, bytes(body), key_id)
        created = await service.quota.create(tenant, key_id, key)
    return JSONResponse({"key_id": key_id}, status_code=201 if created else 200)


def _checked_key(data: bytes, key_id: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != key_id:
        raise malformed("the key id must be the SHA-256 of the key's bytes. It is not.")
    try:
        PublicKey.from_bytes(data)
    except WireError as error:
        raise malformed(str(error)) from None
    return data


async def get_key(request: Request) -> Response:
    key_id = _key_id(request)
    data = await service_of(request).keys.read(Endpoint.of(request).caller.tenant, key_id)
    if data is None:
        raise not_found("the public key")
    if legacy_clients.is_legacy_key(service_of(request), key_id):
        data = data[DIGEST_BYTES:]
    return Response(data, media_type=_BINARY, headers={"ETag": f'"{key_id}"'})


async def delete_key(request: Request) -> Response:
    service, key_id, tenant = service_of(request), _key_id(request), Endpoint.of(request).caller.tenant
    if not await service.forget_key(tenant, key_id):
        raise not_found("the public key")
    return Response(status_code=204)


async def score(request: Request) -> Response:
    """The form ``{"data": [base64, …], "key_id": …}``: several queries, answered in their order."""
    service, endpoint = service_of(request), Endpoint.of(request)
    service.allowance.check(endpoint.caller)
    largest = max((model.sizes.largest for model in service.repository.models), default=0)

    def check(length: int) -> None:
        limit = 4 * (max(largest, legacy_clients.largest_query(service)) + 2) // 3 + _SCORE_OVERHEAD
        if length > limit:
            raise too_large(f"the body must have at most {limit} bytes. Got {length} instead: send fewer samples.")

    async with service.bodies.read(request, endpoint.caller.tenant, check) as body:
        endpoint.trace.bytes_in = len(body)
        with service.allowance.counting_refusals(endpoint.caller):
            document = await asyncio.to_thread(read_object, body)
        if legacy_clients.is_legacy_key(service, document.get("key_id")):
            return await legacy_clients.score(request, document)
        with service.allowance.counting_refusals(endpoint.caller):
            queries, name, key_id = await asyncio.to_thread(_read_score, document)
        answers = []
        for query in queries:
            model = _model_for(request, name, query)
            answer = await service.queries.evaluate(endpoint.caller, model, query, endpoint.trace, key_id)
            answers.append(base64.b64encode(answer.data).decode())
    return JSONResponse(answers)


def _model_for(request: Request, name: str | None, query: Data) -> ServedModel:
    queries = service_of(request).queries
    return queries.model_of_query(query) if name is None else queries.model(name, None)


def _read_score(document: dict[str, Any]) -> tuple[list[bytes | memoryview], str | None, str]:
    data, key_id, name = (document.get(member) for member in ("data", "key_id", "model"))
    if not isinstance(data, list) or not 1 <= len(data) <= MAX_QUERIES:
        raise malformed(f"data must be a list of 1 to {MAX_QUERIES} base64 strings.")
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        raise malformed("key_id must be 64 lower-case hexadecimal digits.")
    if name is not None and not isinstance(name, str):
        raise malformed("model must be a string.")
    return list(map(base64_octets, data)), name, key_id
