"""Endpoints for legacy clients (encrypted-inference 0.9): their keys and requests, if the operator allows them."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import WireError
from ..legacy.format import MAX_KEY_BYTES, max_ciphertext_bytes, read_galois_keys, read_strings
from .documents import LongString
from .keystore import LEGACY_KEY_ID
from .refusals import RefusalError, malformed, too_large
from .routes import Endpoint, service_of

if TYPE_CHECKING:
    from .model_service import ModelService
    from .repository import ServedModel


def is_legacy_key(service: ModelService, key_id: Any) -> bool:
    """Whether a key id is one of encrypted-inference 0.9, and legacy clients are allowed."""
    return service.settings.legacy_clients and isinstance(key_id, str) and LEGACY_KEY_ID.fullmatch(key_id) is not None


def largest_query(service: ModelService) -> int:
    """The most bytes of a legacy client's query for any of the models; 0 if legacy clients are not allowed."""
    if not service.settings.legacy_clients:
        return 0
    return max((max_ciphertext_bytes(model.signature.features) for model in service.repository.models), default=0)


async def put_key(request: Request) -> Response:
    """Store the keys of a legacy client under its own name for them; other keys under that name are refused."""
    service, endpoint, key_id = service_of(request), Endpoint.of(request), request.path_params["key_id"]
    tenant = endpoint.caller.tenant

    def check(length: int) -> None:
        if length > MAX_KEY_BYTES:
            raise too_large(f"public keys must have at most {MAX_KEY_BYTES} bytes. Got {length} instead.")

    async with service.bodies.read(request, tenant, check) as body:
        endpoint.trace.bytes_in = len(body)
        with service.allowance.counting_refusals(endpoint.caller):
            await _check_keys(service, bytes(body))
        stored = hashlib.sha256(body).digest() + body
        created = await service.quota.create(tenant, key_id, stored)
        if not created and await service.keys.read(tenant, key_id) != stored:
            raise RefusalError(409, "other_key", "the name must be free. Other keys have it: delete them first.")
    return JSONResponse({"key_id": key_id}, status_code=201 if created else 200)


async def _check_keys(service: ModelService, data: bytes) -> None:
    try:
        async with service.checking_legacy_keys:
            await asyncio.to_thread(read_galois_keys, data)
    except WireError as error:
        raise malformed(str(error)) from None


async def score(request: Request, document: dict[str, Any]) -> Response:
    """Answer ``{"data": [base64, …], "key_id": …}``: one sample, a JSON list of one string an output.

    ``model`` names the model; it may be left out if there is only one.
    """
    service, endpoint = service_of(request), Endpoint.of(request)
    with service.allowance.counting_refusals(endpoint.caller):
        model, ciphertexts = _read_score(service, document)
    key_id = str(document["key_id"])
    answer = await service.queries.evaluate_legacy(endpoint.caller, model, key_id, ciphertexts, endpoint.trace)
    return Response(answer.data, media_type="application/json")


def _read_score(service: ModelService, document: dict[str, Any]) -> tuple[ServedModel, list[bytes]]:
    data, name = document.get("data"), document.get("model")
    names = {served.name for served in service.repository.models}
    if name is None and len(names) == 1:
        (name,) = names
    if not isinstance(name, str) or not isinstance(data, list):
        raise malformed("data must be a list of base64 strings, and model the name of one of several models.")
    model = service.queries.model(name, None)
    strings = [bytes(string.text) if isinstance(string, LongString) else string for string in data]
    try:
        return model, read_strings(strings, model.signature.features)
    except WireError as error:
        raise malformed(str(error)) from None
