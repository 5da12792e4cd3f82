"""The OpenAPI document: what every address takes and gives."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from .keystore import LEGACY_KEY_ID
from .rest import KEY_SIZES, MAX_QUERIES
from .routes import OPEN, route, service_of

Node = dict[str, Any]

_BINARY = "application/octet-stream"
_PAGE: Node = {"description": "A page.", "content": {"text/html": {}}}
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_STRING = {"type": "string"}
_MODEL = {"name": "model", "in": "path", "required": True, "schema": _STRING}
_VERSION = {
    "name": "version", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"},
}  # fmt: skip
_LEGACY_KEY_ID = {"type": "string", "pattern": f"^{LEGACY_KEY_ID.pattern}$"}
_JSON_LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "Length of the JSON part before the tensor's bytes; absent when the body is JSON throughout.",
    "schema": {"type": "integer", "minimum": 1},
}


def routes() -> list[BaseRoute]:
    """The address of the document."""
    return [route("/openapi.json", openapi, access=OPEN)]


async def openapi(request: Request) -> Response:
    service = service_of(request)
    options = {"public_models": service.public_models, "legacy_clients": service.settings.legacy_clients}
    return JSONResponse(document(needs_token=not service.gate.is_open, **options))


def document(*, needs_token: bool, public_models: bool, legacy_clients: bool = False) -> Node:
    """The document for a service that does, or does not, ask for tokens, and answer legacy clients."""
    tokens: list[Node] = [{"token": []}] if needs_token else []
    reading = [] if public_models else tokens
    key_id: Node = {"anyOf": [_DIGEST, _LEGACY_KEY_ID]} if legacy_clients else _DIGEST
    paths = {**_protocol_paths(reading, tokens), **_plain_paths(reading, tokens, key_id)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hermetic",
            "version": version("hermetic"),
            "summary": "Encrypted inference: the service computes on ciphertexts and sees neither input nor result.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(key_id),
            "responses": _responses(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _protocol_paths(reading: list[Node], tokens: list[Node]) -> dict[str, Node]:
    metadata = {"get": _operation("Server metadata", _json("ServerMetadata"))}
    paths: dict[str, Node] = {
        "/v2": metadata,
        "/v2/health/live": {"get": _operation("Liveness", _json("Object"))},
        "/v2/health/ready": {"get": _operation("Readiness", _json("Object"), "503")},
    }
    for prefix, parameters in (
        ("/v2/models/{model}", [_MODEL]),
        ("/v2/models/{model}/versions/{version}", [_MODEL, _VERSION]),
    ):
        shared: Node = {"parameters": parameters}
        paths[prefix] = shared | {
            "get": _operation("Model metadata", _json("ModelMetadata"), "401", "404", security=reading)
        }
        paths[f"{prefix}/ready"] = shared | {
            "get": _operation("Model readiness", _json("Object"), "401", "404", "503", security=reading)
        }
        errors = ("400", "401", "404", "408", "409", "411", "413", "415", "422", "424", "429", "503")
        infer = _operation("Answer an encrypted query", _answer(), *errors, security=tokens)
        paths[f"{prefix}/infer"] = shared | {
            "post": infer | {"parameters": [_JSON_LENGTH], "requestBody": _body("InferRequest", binary=True)}
        }
    return paths


def _plain_paths(reading: list[Node], tokens: list[Node], key_id: Node) -> dict[str, Node]:
    signature = _operation(
        "The public signature", {"description": "The envelope, or JSON when asked for.", "content": {
            _BINARY: {}, "application/json": {"schema": {"type": "object"}},
        }}, "401", "404", security=reading,
    )  # fmt: skip
    signature["responses"]["304"] = {"description": "As the caller has it."}
    key = {"name": "key_id", "in": "path", "required": True, "schema": key_id}
    errors = ("400", "401", "404", "408", "409", "411", "413", "415", "422", "424", "429", "503")
    score = _operation("Answer encrypted queries, base64 in JSON", _json("Base64List"), *errors, security=tokens)
    return {
        "/models": {"get": _operation("Models that are served", _json("ModelList"), "401", security=reading)},
        "/models/{model}/signature": {"parameters": [_MODEL], "get": signature},
        "/models/{model}/versions/{version}/signature": {"parameters": [_MODEL, _VERSION], "get": signature},
        "/keys/{key_id}": {"parameters": [key], **_key_operations(tokens)},
        "/score": {"post": score | {"requestBody": _body("ScoreRequest")}},
        "/healthz": {"get": _operation("Whether the front process lives", _json("Object"))},
        "/metrics": {
            "get": _operation(
                "Prometheus metrics", {"description": "Metrics.", "content": {"text/plain": {}}}, "401", security=tokens
            )
        },
        "/openapi.json": {"get": _operation("This document", _json("Object"))},
        "/": {"get": _operation("The page that encrypts in the browser", _PAGE)},
        "/developers": {"get": _operation("Models, their signatures, and how to call them", _PAGE)},
    }


def _key_operations(tokens: list[Node]) -> dict[str, Node]:
    errors = ("400", "401", "408", "409", "411", "413", "415", "422", "503")
    put = _operation("Store a public key", _json("KeyStored"), *errors, security=tokens)
    put["responses"]["201"] = put["responses"]["200"]
    sizes = " or ".join(map(str, KEY_SIZES))
    put["requestBody"] = {
        "required": True,
        "description": f"The key's envelope: {sizes} bytes, or as many as a served network needs.",
        "content": {_BINARY: {}},
    }
    found = {"description": "The key's envelope.", "content": {_BINARY: {}}}
    delete = _operation("Delete a public key", {"description": "Deleted."}, "401", "404", "422", "503", security=tokens)
    delete["responses"]["204"] = delete["responses"].pop("200")
    return {
        "put": put,
        "get": _operation("Read a public key", found, "401", "404", "422", "503", security=tokens),
        "head": _operation(
            "Whether a public key is stored", {"description": "It is."}, "401", "404", "422", "503", security=tokens
        ),
        "delete": delete,
    }


def _operation(summary: str, answer: Node, *errors: str, security: list[Node] | None = None) -> Node:
    forbidden = ("403",) if "401" in errors else ()
    statuses = (*errors, *forbidden, "405", "421", "500")
    refused = {status: {"$ref": "#/components/responses/Refused"} for status in statuses}
    return {"summary": summary, "security": security or [], "responses": {"200": answer, **refused}}


def _json(schema: str) -> Node:
    return {"description": schema, "content": {"application/json": {"schema": _ref(schema)}}}


def _ref(schema: str) -> Node:
    return {"$ref": f"#/components/schemas/{schema}"}


def _answer() -> Node:
    content = {"application/json": {"schema": _ref("InferAnswer")}, _BINARY: {}}
    return {"description": "The encrypted result.", "content": content}


def _body(schema: str, *, binary: bool = False) -> Node:
    content: Node = {"application/json": {"schema": _ref(schema)}}
    return {"required": True, "content": content | ({_BINARY: {}} if binary else {})}


def _responses() -> Node:
    retry = {"description": "Seconds to wait, with 429 and 503.", "schema": {"type": "integer"}}
    content = {"application/json": {"schema": _ref("Error")}}
    return {
        "Refused": {"description": "The request is refused.", "headers": {"Retry-After": retry}, "content": content}
    }


def _object(required: Node, **optional: Any) -> Node:
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def _schemas(key_id: Node) -> Node:
    tensor = {"name": _STRING, "datatype": {"const": "UINT8"}, "shape": {"type": "array", "items": {"type": "integer"}}}
    octets = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}
    strings = {"type": "array", "items": _STRING}
    parameters = {"type": "object"}
    given = _object(tensor, data=octets, parameters=parameters)
    return {
        "Object": {"type": "object"},
        "Error": _object({"error": _STRING, "code": _STRING}, signature_digest=_DIGEST, key_id=key_id),
        "ServerMetadata": _object({"name": _STRING, "version": _STRING, "extensions": strings}),
        "ModelMetadata": _object(
            {
                "name": _STRING,
                "versions": strings,
                "platform": _STRING,
                "inputs": {"type": "array", "items": _object(tensor)},
                "outputs": {"type": "array", "items": _object(tensor)},
            },
            parameters=parameters,
        ),
        "InferRequest": _object(
            {"inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": given}},
            id=_STRING,
            outputs={"type": "array", "items": _object({"name": {"const": "result"}}, parameters=parameters)},
            parameters=parameters,
        ),
        "InferAnswer": _object(
            {
                "model_name": _STRING,
                "model_version": _STRING,
                "outputs": {"type": "array", "items": given},
            },
            id=_STRING,
        ),
        "ScoreRequest": _object(
            {"data": {"type": "array", "minItems": 1, "maxItems": MAX_QUERIES, "items": _STRING}, "key_id": key_id},
            model=_STRING,
        ),
        "Base64List": strings,
        "KeyStored": _object({"key_id": key_id}),
        "ModelList": {
            "type": "array",
            "items": _object(
                {
                    "name": _STRING,
                    "versions": {"type": "array", "items": {"type": "integer"}},
                    "signature_digest": _DIGEST,
                },
                description=_STRING,
            ),
        },
    }  # fmt: skip
