"""``hermetic keys``: the public keys in a service's store."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from ..errors import SettingsError
from .console import stdout
from .serve import ConfigOption, need_serve

if TYPE_CHECKING:
    from ..serve.keystore import KeyStore, StoredKey

StoreOption = Annotated[
    str | None, typer.Option("--store", help="The service's key store; by default as its settings say.", metavar="URL")
]

app = typer.Typer(no_args_is_help=True, help="List and delete the public keys that a service stores.")


@app.command("list")
def list_keys(
    store: StoreOption = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's keys.")] = None,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = None,
) -> None:
    """List stored public keys."""
    with _opened(store, config) as keys:
        found = keys.list(tenant)
    if as_document:
        typer.echo(json.dumps([_document(one) for one in found], indent=2))
        return
    table = Table("tenant", Column("key", overflow="fold"), "bytes", "uploaded")
    for one in found:
        table.add_row(one.tenant, one.key_id, str(one.size), f"{one.modified:%Y-%m-%d %H:%M} UTC")
    stdout().print(table)


@app.command("delete")
def delete_keys(
    key_ids: Annotated[
        list[str] | None, typer.Argument(help="Keys to delete.", metavar="KEY…", show_default=False)
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
        missing = [one for one in key_ids or () if not keys.delete(tenant, one)]
    if missing:
        raise SettingsError(f"the keys must be stored for tenant {tenant!r}. There is no {', '.join(missing)}.")


@contextlib.contextmanager
def _opened(store: str | None, config: Path | None) -> Iterator[KeyStore]:
    need_serve()
    from ..serve.keystore import StoreError, open_keys
    from ..serve.settings import load_settings

    try:
        yield open_keys(load_settings({"store": store}, config), create=False)
    except StoreError as error:
        raise SettingsError(str(error)) from None


def _document(one: StoredKey) -> dict[str, str | int]:
    return {"tenant": one.tenant, "key_id": one.key_id, "bytes": one.size, "uploaded": one.modified.isoformat()}
