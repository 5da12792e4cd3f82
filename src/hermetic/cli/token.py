"""``hermetic token``: bearer tokens for a service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from .serve import need_serve

app = typer.Typer(no_args_is_help=True, help="Make bearer tokens for a service.")


@app.callback()
def group() -> None:
    """Keeps ``new`` a command of its own while it is the only one."""


@app.command("new")
def new(
    tenant: Annotated[str, typer.Argument(help="Whom the token stands for.", show_default=False)],
    file: Annotated[
        Path | None, typer.Option("--file", help="Append the line to this tokens file.", show_default=False)
    ] = None,
    days: Annotated[float | None, typer.Option(min=0, help="Days until the token expires.")] = None,
    role: Annotated[str, typer.Option(help="predict, or metrics for reading /metrics alone.")] = "predict",
    rate: Annotated[str | None, typer.Option(help="Limit instead of the service's, such as 600/minute.")] = None,
    quota: Annotated[str | None, typer.Option(help="The same for the longer limit, such as 20000/day.")] = None,
) -> None:
    """Make a token: it is printed once, on stdout, and never stored. The tokens file gets its hash.

    Without --file the line for the tokens file goes to stderr.
    """
    need_serve()
    from ..serve.access import append_line, new_token, token_line

    expires = None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    options = {"expires": expires, "role": role if role != "predict" else None, "rate": rate, "quota": quota}
    token = new_token()
    line = token_line(tenant, token, **{name: value for name, value in options.items() if value is not None})
    if file is None:
        typer.echo(f"For the tokens file:\n{line}", err=True)
    else:
        append_line(file, line)
    typer.echo(token)
