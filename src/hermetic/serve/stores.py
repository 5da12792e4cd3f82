"""Opening the object store that holds public keys.

Credentials come from the server's own environment, as the clouds' tools name them; never from a URL, never from a
request.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from ..errors import SettingsError

if TYPE_CHECKING:
    from obstore.store import RetryConfig

_RETRY: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=15)}

Store = LocalStore | MemoryStore | AzureStore | S3Store | GCSStore


def open_store(url: str) -> Store:
    """The store of a URL; credentials come from the server's environment, as the cloud's own tools name them.

    Raises
    ------
    SettingsError
        If the URL is of no known kind or the configuration is not complete.
    """
    parts = urlsplit(url)
    prefix = parts.path.strip("/") or None
    try:
        match parts.scheme:
            case "memory":
                return MemoryStore()
            case "az":
                return _azure(parts.netloc, prefix)
            case "s3":
                return S3Store(parts.netloc, prefix=prefix, retry_config=_RETRY)
            case "gs":
                return GCSStore(parts.netloc, prefix=prefix, retry_config=_RETRY)
            case "file":
                return _directory(Path(parts.path))
            case "":
                return _directory(Path(url))
    except SettingsError:
        raise
    except (BaseError, OSError, ValueError) as error:
        kind = parts.scheme or "directory"
        raise SettingsError(
            f"the key store ({kind}) must open. It does not ({type(error).__name__}): check its URL, and the "
            "credentials in the server's environment."
        ) from None
    known = "a directory, memory://, az://, s3:// or gs://"
    raise SettingsError(f"the store must be {known}. Got {parts.scheme}:// instead.")


def _directory(path: Path) -> LocalStore:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LocalStore(path.resolve())


def _azure(container: str, prefix: str | None) -> AzureStore:
    text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
    if not text:
        return AzureStore(container, prefix=prefix, retry_config=_RETRY)
    one = dict(part.partition("=")[::2] for part in text.split(";") if part)
    if "AccountName" not in one or "AccountKey" not in one:
        raise SettingsError("AZURE_STORAGE_CONNECTION_STRING must hold AccountName and AccountKey.")
    endpoint = one.get("BlobEndpoint")
    if endpoint is None:
        suffix = one.get("EndpointSuffix", "core.windows.net")
        endpoint = f"{one.get('DefaultEndpointsProtocol', 'https')}://{one['AccountName']}.blob.{suffix}"
    return AzureStore(
        container,
        prefix=prefix,
        account_name=one["AccountName"],
        account_key=one["AccountKey"],
        endpoint=endpoint,
        retry_config=_RETRY,
        client_options={"allow_http": endpoint.startswith("http://")},
    )
