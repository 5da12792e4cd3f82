"""The commands together: what they share is ``--version``, ``--debug`` and how an error is shown."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import HermeticError
from . import keys, token
from .compile import compile_estimator
from .console import fail
from .decrypt import decrypt
from .demo import demo
from .deploy import deploy
from .encrypt import encrypt
from .files import unusable
from .inspect import inspect
from .predict import predict
from .serve import PASSED_ON, serve
from .signature import signature


class _Commands(TyperGroup):
    """Shows every error that Hermetic raises on purpose, and those of files, as one line on stderr; exits with code 1.

    A reader that closed its end of a pipe is no error to report: the framework ends the command quietly.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (HermeticError, OSError) as error:
            if ctx.params["debug"] or isinstance(error, BrokenPipeError):
                raise
            fail(error if isinstance(error, HermeticError) else unusable(error))
            raise typer.Exit(1) from None


# Tracebacks must not print local variables: they may hold passphrases and inputs.
app = typer.Typer(
    name="hermetic",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("compile")(compile_estimator)
app.command("inspect")(inspect)
app.command("signature")(signature)
app.command("predict")(predict)
app.command("encrypt")(encrypt)
app.command("decrypt")(decrypt)
app.command("demo")(demo)
app.command("serve", context_settings=PASSED_ON)(serve)
app.command("deploy")(deploy)
app.add_typer(keys.app, name="keys")
app.add_typer(token.app, name="token")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hermetic {__version__}")
        raise typer.Exit


@app.callback()
def shared(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error (before COMMAND).")] = False,
) -> None:
    """Encrypted inference: a model answers on data that it never sees in the clear."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that cannot show a character shows "?" instead of ending the command.
            stream.reconfigure(errors="replace")
