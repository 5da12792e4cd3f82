"""A target by its name: its files are written, and the commands that apply them are returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError
from . import aci, azureml, docker, kubernetes, ray_cluster
from .description import Description
from .tree import Tree, write

Make = Callable[[Description], Tree]
Commands = Callable[[Description, Path], tuple[str, ...]]

TARGETS: dict[str, tuple[Make, Commands]] = {
    "docker": (docker.tree, docker.commands),
    "aci": (aci.tree, aci.commands),
    "kubernetes": (kubernetes.tree, kubernetes.commands),
    "azureml": (azureml.tree, azureml.commands),
    "ray": (ray_cluster.tree, ray_cluster.commands),
}
"""What makes each target's files, and what applies them."""


@dataclass(frozen=True)
class Rendered:
    """What was written, and the shell commands that apply it, in order."""

    files: tuple[Path, ...]
    commands: tuple[str, ...]


def render(target: str, description: Description, directory: Path, *, force: bool = False) -> Rendered:
    """Write everything that ``target`` needs into ``directory``. Nothing is applied.

    Parameters
    ----------
    target
        One of :data:`TARGETS`.
    description
        What is to run.
    directory
        New or empty, unless ``force`` is set; then what an earlier rendering wrote there is replaced.

    Raises
    ------
    SettingsError
        If the target is unknown, the description does not fit it, or the directory cannot be written.
    ModelFileError
        If a model file is not one.
    """
    if target not in TARGETS:
        raise SettingsError(f"the target must be one of {', '.join(TARGETS)}. Got {target!r} instead.")
    make, commands = TARGETS[target]
    description.check()
    return Rendered(write(make(description), directory, force=force), commands(description, directory))
