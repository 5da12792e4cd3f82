"""The commands together: what they share is ``--version``, ``--debug`` and how an error is shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import HermeticError
from . import batch, keys, token
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


def _at_home(word: str) -> str:
    """``~/…`` below the home directory, as shells write it, also where none did: ``--file=~/tokens``."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return f"{option}{equals}{Path(value).expanduser()}" if value == "~" or value.startswith("~/") else word


class _Commands(TyperGroup):
    """Shows every error that Hermetic raises on purpose, and those of files, as one line on stderr; exits with code 1.

    A reader that closed its end of a pipe is no error to report: the framework ends the command quietly.
    """

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        return super().main(
            [_at_home(argument) for argument in (sys.argv[1:] if args is None else args)], *rest, **options
        )

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
_MODELS, _PREDICTIONS, _SERVICE = "Models", "Predictions", "The service"

app.command("compile", rich_help_panel=_MODELS)(compile_estimator)
app.command("inspect", rich_help_panel=_MODELS)(inspect)
app.command("signature", rich_help_panel=_MODELS)(signature)
app.command("predict", rich_help_panel=_PREDICTIONS)(predict)
app.command("encrypt", rich_help_panel=_PREDICTIONS)(encrypt)
app.command("decrypt", rich_help_panel=_PREDICTIONS)(decrypt)
app.command("demo", rich_help_panel=_PREDICTIONS)(demo)
app.command("serve", rich_help_panel=_SERVICE, context_settings=PASSED_ON)(serve)
app.command("deploy", rich_help_panel=_SERVICE)(deploy)
app.add_typer(batch.app, name="batch", rich_help_panel=_PREDICTIONS)
app.add_typer(keys.app, name="keys", rich_help_panel=_SERVICE)
app.add_typer(token.app, name="token", rich_help_panel=_SERVICE)


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
