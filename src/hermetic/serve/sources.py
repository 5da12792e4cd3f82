"""Where settings come from: flags, the environment and a TOML file. Each value keeps its source, for messages."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import SettingsError
from ..files import expanded, is_variable

ENV_PREFIX = "HERMETIC_"

_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://.*")
"""Kubernetes and Docker set ``HERMETIC_PORT`` to such an address for a Service called hermetic: no setting of ours."""


_QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)


@dataclass(frozen=True)
class Given:
    """A value, and the flag, the variable or the file that gave it."""

    value: Any
    source: str


def flag_of(name: str) -> str:
    """How the command line calls a setting."""
    return "MODELS" if name == "models" else f"--{name.replace('_', '-')}"


def variable_of(name: str) -> str:
    """How the environment calls it."""
    return f"{ENV_PREFIX}{name.upper()}"


def from_flags(flags: Mapping[str, Any]) -> dict[str, Given]:
    """Flags; ``None`` and an empty tuple mean not given."""
    return {name: Given(value, flag_of(name)) for name, value in flags.items() if value not in (None, (), [])}


def from_environment(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, Given]:
    """Variables that are not empty, without blanks around them; what Kubernetes sets of its own is left out.

    Raises
    ------
    SettingsError
        For a value in quotes: ``docker --env-file`` keeps them, and they would be part of a path.
    """
    found = {name: environment.get(variable_of(name), "").strip() for name in names}
    if quoted := [variable_of(name) for name, value in found.items() if _QUOTED.fullmatch(value)]:
        raise SettingsError(f"{quoted[0]} must be without quotes around its value: what sets it here keeps them.")
    return {
        name: Given(value, variable_of(name))
        for name, value in found.items()
        if value and not _SERVICE_LINK.fullmatch(value)
    }


def from_toml(file: Path, paths: Collection[str]) -> dict[str, Given]:
    """A TOML file; the relative paths among its values start where the file lies.

    Raises
    ------
    SettingsError
        If there is no such file, or it is not TOML.
    """
    file = Path(expanded(str(file))).absolute()
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"the settings file {file} was not found.") from None
    except OSError as error:
        raise SettingsError(f"the settings file {file} must be readable: {error.strerror}.") from None
    except ValueError as error:
        raise SettingsError(f"the settings file {file} must be TOML in UTF-8. It is not: {error}.") from None
    return {
        name: Given(_below(file.parent, value) if name in paths else value, str(file))
        for name, value in document.items()
    }


def _below(folder: Path, value: Any) -> Any:
    if isinstance(value, list):
        return [_below(folder, path) for path in value]
    if not isinstance(value, str) or not value or value.startswith("~") or is_variable(value) or "://" in value:
        return value
    return str(folder / value)


def explain(error: ValidationError, given: Mapping[str, Given], known: Collection[str]) -> str:
    """What is wrong with the settings, each named with its source; no value is repeated, as it may be a secret."""
    return "; ".join(
        _explain(problem, given, known) for problem in error.errors(include_input=False, include_url=False)
    )


def _explain(problem: Any, given: Mapping[str, Given], known: Collection[str]) -> str:
    reason = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if not problem["loc"]:
        named = [name for name in given if re.search(rf"\b{name}\b", reason)]
        return f"{reason} ({', '.join(f'{name} is from {given[name].source}' for name in named)})"
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name.replace("-", "_"), known, n=1)
        reason = f"is not a setting: did you mean {near[0]}?" if near else "is not a setting: see docs/settings.md"
    return f"{name} ({given[name].source if name in given else 'default'}) {reason}"
