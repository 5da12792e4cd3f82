"""Object stores of clouds, as the environment describes them: endpoints and connection strings."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import AzureStore, GCSStore, S3Store

from ..errors import SettingsError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_RETRY: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=15)}

_CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"
_S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_AZURE_ENDPOINTS = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")

_SERVICES = ("blob", "queue", "table", "file", "dfs", "web")
_CONNECTION_KEYS = {
    *("accountname", "accountkey", "sharedaccesssignature", "defaultendpointsprotocol", "endpointsuffix"),
    *(f"{service}{kind}endpoint" for service in _SERVICES for kind in ("", "secondary")),
}


def s3(bucket: str, prefix: str | None) -> S3Store:
    """A bucket of S3, or of what speaks its protocol at ``AWS_ENDPOINT``. Raises :class:`SettingsError`."""
    endpoint = _endpoint(_S3_ENDPOINTS)
    if endpoint is None:
        return S3Store(bucket, prefix=prefix, retry_config=_RETRY)
    everywhere: S3Config = {"endpoint": endpoint, "aws_endpoint_url_s3": endpoint}  # what the environment says of both
    options = _options(endpoint)
    return S3Store(bucket, prefix=prefix, config=everywhere, retry_config=_RETRY, client_options=options)


def gcs(bucket: str, prefix: str | None) -> GCSStore:
    """A bucket of Google Cloud Storage."""
    return GCSStore(bucket, prefix=prefix, retry_config=_RETRY)


def azure(container: str, prefix: str | None) -> AzureStore:
    """A container of Azure Blob Storage, by a connection string if there is one. Raises :class:`SettingsError`."""
    text = os.environ.get(_CONNECTION, "").strip()
    if text:
        account, key, endpoint = read_connection_string(text)
        return AzureStore(
            container,
            prefix=prefix,
            account_name=account,
            account_key=key,
            endpoint=endpoint,
            retry_config=_RETRY,
            client_options=_options(endpoint),
        )
    own = _endpoint(_AZURE_ENDPOINTS)
    if own is None:
        return AzureStore(container, prefix=prefix, retry_config=_RETRY)
    return AzureStore(container, prefix=prefix, endpoint=own, retry_config=_RETRY, client_options=_options(own))


def read_connection_string(text: str) -> tuple[str, str, str]:
    """Account, key and blob endpoint of an Azure connection string.

    Names of parts may have any case, and blanks around them, as Azure's own tools allow.

    Raises
    ------
    SettingsError
        If a part is unknown, given twice or missing. It is named, and no value is quoted.
    """
    parts: dict[str, str] = {}
    for part in filter(str.strip, text.split(";")):
        name, equals, value = part.partition("=")
        key = name.strip().lower()
        if not equals or key not in _CONNECTION_KEYS:
            shown = f"Got {name.strip()!r}" if equals and name.strip().isalnum() else "Got one that is neither"
            raise SettingsError(
                f"{_CONNECTION} must have parts such as AccountName=…;AccountKey=…;BlobEndpoint=…. {shown}."
            )
        if key in parts:
            raise SettingsError(f"{_CONNECTION} must name each part once. {name.strip()} is there twice.")
        parts[key] = value.strip()
    if missing := [part for part in ("AccountName", "AccountKey") if not parts.get(part.lower())]:
        raise SettingsError(f"{_CONNECTION} must hold AccountName and AccountKey. There is no {missing[0]}.")
    return parts["accountname"], parts["accountkey"], _blob_endpoint(parts)


def _blob_endpoint(parts: dict[str, str]) -> str:
    suffix = parts.get("endpointsuffix", "").strip(".") or "core.windows.net"
    protocol = parts.get("defaultendpointsprotocol") or "https"
    stated = parts.get("blobendpoint") or f"{protocol}://{parts['accountname']}.blob.{suffix}"
    return _checked(stated, f"BlobEndpoint, or DefaultEndpointsProtocol and EndpointSuffix, in {_CONNECTION}")


def _endpoint(variables: tuple[str, ...]) -> str | None:
    found = next((variable for variable in variables if os.environ.get(variable, "").strip()), None)
    return _checked(os.environ[found].strip(), found) if found else None


def _checked(endpoint: str, source: str) -> str:
    try:
        parts = urlsplit(endpoint)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or any(character.isspace() for character in endpoint):
        raise SettingsError(f"{source} must be a URL such as http://minio:9000 or https://…. It is not.")
    return f"{parts.scheme}{endpoint[len(parts.scheme) :]}".rstrip("/")


def _options(endpoint: str) -> ClientConfig:
    return {"allow_http": endpoint.startswith("http://")}
