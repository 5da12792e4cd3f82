"""``hermetic serve``: its options are the settings of :mod:`hermetic.serve.settings`, so they are stated once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SettingsError
from .console import stdout
from .tables import facts

if TYPE_CHECKING:
    from ..serve.catalogue import Setting

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""How :func:`serve` is registered: it reads its arguments itself, as they need the libraries of ``hermetic[serve]``."""

_LIBRARIES = ("obstore", "pydantic", "starlette", "uvicorn", "watchfiles", "prometheus_client")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings.", metavar="FILE", show_default=False)
]

CheckOption = Annotated[
    bool,
    typer.Option("--check", help="Load everything, say what would be served, and end.", show_default=False),
]


def serve(context: typer.Context) -> None:
    """Answer encrypted queries over HTTP."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=serve.__doc__, context_settings={"help_option_names": ["-h", "--help"]})(_command())
    typer.main.get_command(app).main(args=context.args, prog_name="hermetic serve", standalone_mode=False)


def need_serve() -> None:
    """Raise :class:`SettingsError` if the libraries of the service are not installed."""
    if missing := [name for name in _LIBRARIES if find_spec(name) is None]:
        raise SettingsError(f"the service needs {', '.join(missing)}. Install with: pip install 'hermetic[serve]'")


def _command() -> Callable[..., None]:
    """A function whose signature is the settings."""
    need_serve()
    from ..serve.catalogue import all_settings

    def command(config: Path | None = None, check: bool = False, **given: Any) -> None:
        from ..serve.run import check as try_out
        from ..serve.run import serve as run
        from ..serve.settings import load_settings

        settings = load_settings(given, config)
        _show(try_out(settings)) if check else run(settings)

    options = [inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, annotation=ConfigOption, default=None)]
    options += [inspect.Parameter("check", inspect.Parameter.KEYWORD_ONLY, annotation=CheckOption, default=False)]
    options += [_parameter(setting) for setting in all_settings()]
    command.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    command.__annotations__ = {option.name: option.annotation for option in options}
    return command


def _show(found: Mapping[str, Any]) -> None:
    """What ``--check`` found out."""
    stdout().print("The service would start.")
    stdout().print(facts({name: _words(value) for name, value in found.items()}))


def _words(value: Any) -> str:
    return ", ".join(value) or "none" if isinstance(value, list) else str(value)


def _parameter(setting: Setting) -> inspect.Parameter:
    annotation: Any
    if setting.name == "models":
        annotation = Annotated[list[Path] | None, typer.Argument(help=setting.description, show_default=False)]
    else:
        shown = f"{setting.description} (default: {setting.default})" if setting.default else setting.description
        option = typer.Option(setting.flag, help=shown, show_default=False, rich_help_panel=setting.group)
        annotation = Annotated[setting.kind | None, option]
    return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=None)
