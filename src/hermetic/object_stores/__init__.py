"""Opening an object store: a directory, or a bucket or container of a cloud.

Credentials come from the environment, as the clouds' tools name them; never from a URL, never from a request.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from ..errors import SettingsError
from ..files import NO_ROOM, expanded, followed, make_private_directory
from . import clouds

_NAME = re.compile(r"[A-Za-z0-9._-]+")

_SYSTEM = re.compile(r"\(os error (\d+)\)")
_PANIC = "PanicException"  # a BaseException of obstore's, for an environment that makes no URL

Store = LocalStore | MemoryStore | AzureStore | S3Store | GCSStore

_CLOUDS: dict[str, Callable[[str, str | None], Store]] = {"az": clouds.azure, "s3": clouds.s3, "gs": clouds.gcs}
_TOLD_BY = {
    "az": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and the account's key or identity",
    "s3": "AWS_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}


class StoreError(OSError):
    """The store does not answer, or not as it should."""


@contextlib.contextmanager
def answering(what: str = "key store") -> Iterator[None]:
    """Whatever a store raises becomes :class:`StoreError`, without its text, which may hold addresses and more; but
    FileNotFoundError and obstore's AlreadyExistsError, which are answers.
    """
    try:
        yield
    except (FileNotFoundError, AlreadyExistsError, StoreError):
        raise
    except BaseException as error:
        if not isinstance(error, BaseError | OSError) and type(error).__name__ != _PANIC:
            raise
        raise StoreError(_refusal(what, error)) from None


def _refusal(what: str, error: BaseException) -> str:
    """In words; of the error's own text only what the system said, which is a number."""
    said = _SYSTEM.search(str(error))
    if said and int(said[1]) in NO_ROOM:
        return f"the {what} must have room for what is written. It has none: {os.strerror(int(said[1]))}."
    reason = os.strerror(int(said[1])) if said else type(error).__name__
    advice = "check its URL, the container or bucket, and the credentials in the environment"
    return f"the {what} must answer. It does not ({reason}): {advice}."


def open_store(url: str, *, create: bool = True, what: str = "key store") -> Store:
    """The store of a URL; credentials come from the environment, as the cloud's own tools name them.

    A directory is made, for its owner alone, unless ``create`` is false. ``what`` is the store's name in messages.

    Raises
    ------
    SettingsError
        If the URL is of no known kind or the configuration is not complete, or a directory cannot be made or written.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryStore()
    if parts.scheme == "":
        return _directory(Path(expanded(url)), what, create=create)
    if parts.scheme == "file":
        return _directory(_path(parts, url), what, create=create)
    if parts.scheme not in _CLOUDS:
        known = "a directory, memory://, az://, s3:// or gs://"
        raise SettingsError(f"the store must be {known}. Got {parts.scheme}:// instead.")
    return _cloud(parts, what)


def shown(url: str) -> str:
    """What messages call a store: its URL without what may be a secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme in _CLOUDS else url


def access_to(url: str) -> str:
    """A sentence on the variables that describe the access to a cloud's store; empty for others."""
    told_by = _TOLD_BY.get(urlsplit(url).scheme)
    return f" Its access is set by {told_by}." if told_by else ""


def _path(parts: SplitResult, url: str) -> Path:
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise SettingsError(f"a store that is a file URL must be file:///whole/path. Got {url} instead.")
    return Path(unquote(parts.path))


def _directory(path: Path, what: str, *, create: bool) -> LocalStore:
    if not create and not path.exists():
        raise SettingsError(f"the {what} must be a directory. There is no {path}.")
    try:
        make_private_directory(path)
    except OSError as error:
        raise SettingsError(f"the {what} {path} must be a directory. It cannot be: {error.strerror}.") from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise SettingsError(f"the {what} {path} must be a directory that this user can read and write. It is not.")
    return LocalStore(followed(path))


def _cloud(parts: SplitResult, what: str) -> Store:
    if not _NAME.fullmatch(parts.netloc) or parts.query or parts.fragment:
        raise SettingsError(f"the store must be {parts.scheme}://NAME/PREFIX, and hold nothing else. It does not.")
    try:
        return _CLOUDS[parts.scheme](parts.netloc, parts.path.strip("/") or None)
    except (BaseError, OSError, ValueError) as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(
            f"the {what} ({parts.scheme}) must open. It does not ({type(error).__name__}): check its URL, and the "
            "credentials in the environment."
        ) from None
