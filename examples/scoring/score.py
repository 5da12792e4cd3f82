"""A scoring script for encrypted queries, for Azure's inference server and for ``hermetic serve --entry-script``.

    GET  /score   the model's signature: public, and all that a client needs to know of the model
    POST /score   an encrypted query, as bytes  ->  its encrypted answer, as bytes

``AZUREML_MODEL_DIR`` holds one ``.hermetic`` file, and ``PUBLIC_KEYS_URL`` is the URL of the blob container with the
callers' public keys, each named by its id. The URL carries the service's own access, a shared access signature that
may only read. Nothing in a request says where anything is read from.
"""

import os
from functools import lru_cache
from pathlib import Path

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import ContainerClient
from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

from hermetic import CompiledModel, HermeticError, MismatchError, PublicKey, Query

MAX_SAMPLES = 256
"""A request may be as long as a query of so many samples."""

KEYS_IN_MEMORY = 256


def init() -> None:
    """Load the model, and open the container of public keys."""
    global model, public_keys, largest  # noqa: PLW0603 - made once here, used by every run()
    (file,) = Path(os.environ["AZUREML_MODEL_DIR"]).rglob("*.hermetic")
    model = CompiledModel.load(file)
    public_keys = ContainerClient.from_container_url(os.environ["PUBLIC_KEYS_URL"])
    largest = Query.size(model.signature, model.signature.layout_for(MAX_SAMPLES), MAX_SAMPLES)


@rawhttp
def run(request: AMLRequest) -> AMLResponse:
    """Answer one request. It sees neither the inputs nor the scores."""
    if request.method == "GET":
        return octets(model.signature.to_bytes())
    if not 0 < (request.content_length or 0) <= largest:
        return refuse(413, f"the body must have 1 to {largest} bytes. It does not: send a query of fewer samples.")
    try:
        query = Query.from_bytes(request.get_data(), model.signature)
        return octets(model.evaluate(query, public_key(query.key_id)).to_bytes())
    except HermeticError as error:
        return refuse(422, str(error))
    except ResourceNotFoundError:
        return refuse(424, "the query's public key must be uploaded first, under its id. There is none.")
    except AzureError as error:
        print(f"the container of public keys does not answer: {type(error).__name__}")
        return refuse(503, "the container of public keys must answer. It does not: try again later.")


@lru_cache(maxsize=KEYS_IN_MEMORY)
def public_key(key_id: str) -> PublicKey:
    """The key of an id: 64 hexadecimal digits, which are the SHA-256 of its bytes."""
    blob = public_keys.download_blob(key_id, max_concurrency=1)
    if blob.size != PublicKey.size(model.signature.parameters):
        raise MismatchError("the public key must be made for this model's parameters. It has another size.")
    key = PublicKey.from_bytes(blob.readall())
    if key.id != key_id:
        raise MismatchError("the public key must be stored under its own id. It is stored under another.")
    return key


def octets(data: bytes) -> AMLResponse:
    return AMLResponse(data, 200, {"Content-Type": "application/octet-stream"})


def refuse(status: int, message: str) -> AMLResponse:
    return AMLResponse({"error": message}, status, json_str=True)
