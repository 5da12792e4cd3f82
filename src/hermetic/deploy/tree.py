"""Files of a rendered directory: made in memory first, then written together."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingsError

LISTING = ".hermetic-deploy.json"
"""Names what was rendered, so that rendering again removes what is no longer part of it."""


@dataclass(frozen=True)
class File:
    """What is written.

    Attributes
    ----------
    content
        Its bytes.
    mode
        Permissions. What holds a secret is 0o600, or lies in a directory that its owner alone can enter.
    """

    content: bytes
    mode: int = 0o644

    @staticmethod
    def text(content: str, mode: int = 0o644) -> File:
        return File(content.encode(), mode)

    @staticmethod
    def yaml(*documents: Mapping[str, Any], mode: int = 0o644) -> File:
        """YAML documents, in the order of their keys."""
        dump = _yaml().safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=120)
        return File.text(f"# Written by `hermetic deploy`.\n{dump}", mode)


Manifest = dict[str, Any]
"""What becomes a YAML document."""

Tree = dict[str, File]
"""Files by their path in the rendered directory."""


def _yaml() -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise SettingsError("rendering needs PyYAML. Install it with: pip install 'hermetic[deploy]'") from None
    return yaml


def read(path: Path, what: str) -> bytes:
    """A file's bytes. Raises :class:`SettingsError` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{what} {path} must be a readable file: {error.strerror}.") from None


def write(tree: Tree, directory: Path, *, force: bool) -> tuple[Path, ...]:
    """Write every file; gives their paths.

    Directories that hold secrets (``secrets``) are for their owner alone.

    Raises
    ------
    SettingsError
        If the directory is not empty and ``force`` is not set, or cannot be written.
    """
    try:
        if directory.exists() and any(directory.iterdir()):
            _clear(directory, force=force)
        for name, file in tree.items():
            _write_one(directory / name, file)
        (directory / LISTING).write_text(json.dumps(sorted(tree)) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{directory} must be a directory that can be written: {error.strerror}.") from None
    return tuple(directory / name for name in tree)


def _clear(directory: Path, *, force: bool) -> None:
    if not force:
        raise SettingsError(f"{directory} must be empty or new. It is not: name another, or overwrite with --force.")
    try:
        names = json.loads((directory / LISTING).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return
    for name in names if isinstance(names, list) else ():
        path = directory / str(name)
        if path.resolve().is_relative_to(directory.resolve()):
            path.unlink(missing_ok=True)


def _write_one(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.name == "secrets":
        path.parent.chmod(0o700)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
    with os.fdopen(descriptor, "wb") as target:
        os.fchmod(descriptor, file.mode)
        target.write(file.content)
