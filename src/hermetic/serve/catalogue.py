"""What the command line and the documentation say about every setting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import get_args

from .settings import DEFAULT_STORE, Settings
from .sources import flag_of, variable_of

GROUPS = {
    "models": "What is served, and where",
    "tokens": "Who may call, and how much",
    "store": "Public keys",
    "max_samples": "Limits",
    "rescan": "Operations",
}
"""The first setting of each group, and the group's title."""

_COMPUTED_DEFAULTS = {"workers": "the number of cores", "store": DEFAULT_STORE}


@dataclass(frozen=True)
class Setting:
    """What the command line and the documentation say about a setting.

    Attributes
    ----------
    name
        In TOML; the flag has dashes, the environment variable capitals and the prefix of
        :mod:`.sources`.
    kind
        ``bool``, ``int``, ``float``, ``Path`` or ``str``, which stands for everything else.
    default
        As it is written; empty for none.
    description
        One sentence.
    group
        Its purpose, one of :data:`GROUPS`.
    """

    name: str
    kind: type
    default: str
    description: str
    group: str

    @property
    def flag(self) -> str:
        return flag_of(self.name)

    @property
    def variable(self) -> str:
        return variable_of(self.name)


def all_settings() -> Iterator[Setting]:
    """Every setting, in the order of the documentation."""
    group = ""
    for name, field in Settings.model_fields.items():
        group = GROUPS.get(name, group)
        kinds = [alternative for alternative in get_args(field.annotation) if alternative is not NoneType] or [
            field.annotation
        ]
        kind = kinds[0] if kinds[0] in (bool, int, float, Path) else str
        default = _COMPUTED_DEFAULTS.get(name, "" if field.default in (None, False, ()) else str(field.default))
        yield Setting(name, kind, default, field.description or "", group)
