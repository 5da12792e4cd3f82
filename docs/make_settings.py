"""Write ``docs/settings.md`` from the settings themselves: ``python docs/make_settings.py``.

A test compares the file with what this writes.
"""

from __future__ import annotations

from pathlib import Path

from hermetic.serve.catalogue import GROUPS, Setting, all_settings
from hermetic.serve.sources import ENV_PREFIX

TARGET = Path(__file__).with_name("settings.md")

INTRODUCTION = f"""# Settings of the service

Written by `docs/make_settings.py` from `hermetic.serve.settings`: change that, then run
`python docs/make_settings.py`. [how-to/serve.md](how-to/serve.md) shows them in use.

Every setting can be given in three ways. A flag beats the environment, and the environment beats the TOML file.

| where | name of `queue_timeout`, for example |
| --- | --- |
| flag of `hermetic serve` | `--queue-timeout 2` |
| environment variable | `{ENV_PREFIX}QUEUE_TIMEOUT=2` |
| TOML file, named by `--config FILE` | `queue_timeout = 2` |

Switches are flags without a value (`--public-models`), and `true` or `false` elsewhere. The models are arguments of the
command; in TOML they are a list of strings, and in the environment one path or a JSON list. Names that are not in the
tables are refused, in the file and among the flags.

`~` means the home directory wherever a path is given. Relative paths start in the working directory, those in a TOML
file where that file lies. What Kubernetes sets for a Service called hermetic (`{ENV_PREFIX}PORT=tcp://…`) is no setting
and is passed over. Nobody replaces variables here: a path that starts with one (`$HOME/keys`) is refused, and so is a
variable of the environment with quotes around its value, which `docker --env-file` keeps.
"""

_HEAD = "| setting | value | default | meaning |\n| --- | --- | --- | --- |\n"

_KINDS = {"bool": "switch", "int": "whole number", "float": "number", "Path": "file", "str": "text"}


def render() -> str:
    """The text of ``settings.md``."""
    return INTRODUCTION + "".join(map(_table, GROUPS.values()))


def _table(group: str) -> str:
    rows = "".join(_row(one) for one in all_settings() if one.group == group)
    return f"\n## {group}\n\n{_HEAD}{rows}"


def _row(one: Setting) -> str:
    kind = "files and directories" if one.name == "models" else _KINDS[one.kind.__name__]
    default = f"`{one.default}`" if one.default and " " not in one.default else one.default or "–"
    return f"| `{one.name}` | {kind} | {default} | {one.description} |\n"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
