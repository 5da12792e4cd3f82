"""``hermetic keys``: the public keys in a service's store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SettingsError
from .console import printable
from .documents import show_document
from .serve import ConfigOption, need_serve

if TYPE_CHECKING:
    from ..serve.keystore import KeyStore, StoredKey

StoreOption = Annotated[
    str | None, typer.Option("--store", help="The service's key store; by default as its settings say.", metavar="URL")
]

_SHORTEST = 8

app = typer.Typer(no_args_is_help=True, help="List and delete the public keys that a service stores.")


@app.command("list")
def list_keys(
    store: StoreOption = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's keys.")] = None,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = None,
) -> None:
    """List stored public keys, one a line."""
    with _opened(store, config) as keys:
        found = sorted(keys.list(tenant), key=lambda key: (key.tenant, key.key_id))
    if as_document:
        show_document([_document(key) for key in found], indent=2)
        return
    rows = [(key.tenant, key.key_id, str(key.size), f"{key.modified:%Y-%m-%d %H:%M} UTC") for key in found]
    for line in _aligned([("tenant", "key", "bytes", "uploaded"), *rows]):
        typer.echo(line)


@app.command("delete")
def delete_keys(
    key_ids: Annotated[
        list[str] | None,
        typer.Argument(help="Keys to delete, each by 8 or more of its first characters.", metavar="KEY…"),
    ] = None,
    tenant: Annotated[str, typer.Option(help="The tenant that the keys belong to.")] = "anonymous",
    expired: Annotated[
        bool, typer.Option("--expired", help="Every tenant's keys older than the setting key_days.")
    ] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Delete stored public keys. A running service forgets them within its setting key_recheck."""
    if bool(key_ids) == expired:
        raise SettingsError("either keys or --expired must be given.")
    with _opened(store, config) as keys:
        if expired:
            typer.echo(f"{keys.sweep()} keys deleted")
        stored = keys.list()
        for key_id in [_only(stored, tenant, start) for start in key_ids or ()]:
            keys.delete(tenant, key_id)


@contextlib.contextmanager
def _opened(store: str | None, config: Path | None) -> Iterator[KeyStore]:
    need_serve()
    from ..object_stores import StoreError
    from ..serve.keystore import open_keys
    from ..serve.settings import load_settings

    try:
        yield open_keys(load_settings({"store": store}, config), create=False)
    except StoreError as error:
        raise SettingsError(str(error)) from None


def _only(stored: list[StoredKey], tenant: str, start: str) -> str:
    """The tenant's one key that starts so. All are found before one is deleted."""
    fitting = [key for key in stored if key.key_id.startswith(start.lower())]
    own = [key.key_id for key in fitting if key.tenant == tenant]
    if len(start) < _SHORTEST or len(own) > 1:
        raise SettingsError(f"{start} must name one key: give more of it, {_SHORTEST} characters or more.")
    if not own:
        others = ", ".join(sorted({key.tenant for key in fitting}))
        advice = f" It belongs to {others}: pass --tenant." if others else " See hermetic keys list."
        raise SettingsError(f"the keys must be stored for tenant {tenant!r}. There is no {start}.{advice}")
    return own[0]


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows as lines, never broken, so that a name can be copied from any terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _document(key: StoredKey) -> dict[str, str | int]:
    return {"tenant": key.tenant, "key_id": key.key_id, "bytes": key.size, "uploaded": key.modified.isoformat()}
