"""``hermetic token``: bearer tokens for a service."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..errors import SettingsError
from ..files import followed, write_private
from .console import stdout, warn
from .documents import show_document
from .serve import need_serve
from .units import counted

if TYPE_CHECKING:
    from ..serve.access import Token

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke bearer tokens for a service.")

TenantArgument = Annotated[str, typer.Argument(help="Whom the token stands for.", show_default=False)]
FileOption = Annotated[Path, typer.Option("--file", help="The tokens file.", show_default=False)]


@app.command("new")
def new(
    tenant: TenantArgument,
    file: Annotated[
        Path | None, typer.Option("--file", help="Append the line to this tokens file.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the token to this new file, for you alone.", show_default=False),
    ] = None,
    days: Annotated[float | None, typer.Option(min=0, help="Days until the token expires.")] = None,
    role: Annotated[str, typer.Option(help="predict, or metrics for reading /metrics alone.")] = "predict",
    rate: Annotated[str | None, typer.Option(help="Limit instead of the service's, such as 600/minute.")] = None,
    quota: Annotated[str | None, typer.Option(help="The same for the longer limit, such as 20000/day.")] = None,
) -> None:
    """Make a token. It is printed once, on stdout, or written to --output. The tokens file gets its hash.

    Without --file the line for the tokens file goes to stderr.
    """
    need_serve()
    from ..serve.access import append_line, new_token, token_line

    options = {"expires": _expiry(days), "role": role if role != "predict" else None, "rate": rate, "quota": quota}
    token = new_token()
    line = token_line(tenant, token, **{name: value for name, value in options.items() if value is not None})
    if output is not None:
        _check_free(output)
    if file is None:
        typer.echo(f"For the tokens file:\n{line}", err=True)
    else:
        append_line(file, line)
    _hand_out(token, output)


@app.command("list")
def list_tokens(
    file: FileOption, as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the tokens of a file by the start of their hashes: the tokens themselves are stored nowhere."""
    need_serve()
    from ..serve.access import read_tokens

    rows = [_described(token) for token in read_tokens(file)]
    if as_document:
        show_document(rows, indent=2)
        return
    table = Table("tenant", "id", "role", "expires", "rate", "quota")
    for row in rows:
        table.add_row(*(value or "-" for value in row.values()))
    stdout().print(table)


@app.command("revoke")
def revoke_tokens(
    tenant: TenantArgument,
    file: FileOption,
    start: Annotated[str, typer.Option("--id", help="Only the token whose id, in list, starts so.")] = "",
) -> None:
    """Remove a tenant's tokens, or one of them. A running service refuses them within its setting rescan."""
    need_serve()
    from ..serve.access import revoke

    count = revoke(file, tenant, start)
    typer.echo(f"{counted(count, 'token')} revoked")


def _expiry(days: float | None) -> str | None:
    if days is None:
        return None
    try:
        return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    except OverflowError:
        raise SettingsError("--days must be a number of days that a calendar has. It is not.") from None


def _check_free(output: Path) -> None:
    """Refuse before anything is changed what could not be written afterwards."""
    if output.exists():
        raise SettingsError(f"{output} must be a new file. It is there: name another, or remove it.")
    if not os.access(followed(output).parent, os.W_OK):
        raise SettingsError(f"{output} must be in a directory that you can write. It is not.")


def _hand_out(token: str, output: Path | None) -> None:
    if output is not None:
        try:
            write_private(output, f"{token}\n".encode())
        except OSError as error:
            raise SettingsError(f"{output} must be writable: {error.strerror}.") from None
        return
    typer.echo(token)
    if _others_read_stdout():
        warn("the token went into a file that others can read: chmod 600 it, and use --output FILE next time.")


def _others_read_stdout() -> bool:
    try:
        mode = os.fstat(1).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o077)


def _described(token: Token) -> dict[str, str | None]:
    expires = f"{token.expires:%Y-%m-%d %H:%M} UTC" if token.expires else None
    expired = "" if token.valid(datetime.now(UTC)) else " (over)"
    limits = {"rate": token.caller.rate, "quota": token.caller.quota}
    return {
        "tenant": token.caller.tenant,
        "id": token.id,
        "role": token.role,
        "expires": expires and expires + expired,
        **{name: str(limit) if limit else None for name, limit in limits.items()},
    }
