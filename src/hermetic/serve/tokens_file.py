"""The tokens file as a file: who may write it, and changing its lines, one command at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import SettingsError
from ..files import followed, write_private


def read_lines(path: Path) -> list[str]:
    """The lines of a tokens file that not everybody can write: they could let themselves in.

    Raises
    ------
    SettingsError
        If they can, or it is no file that can be read.
    """
    try:
        _check_kind(path)
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        _check_owned(followed(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} must be a readable text file: {error}.") from None
    return lines


def _check_kind(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe is waited for, a device may have no end
        raise SettingsError(f"{path} must be a file, which is read again and again. It is a directory, pipe or device.")


def _check_owned(path: Path) -> None:
    if path.stat().st_mode & stat.S_IWOTH:
        raise SettingsError(f"{path} must not be writable by everybody. It is: chmod o-w {path}")
    folder = path.parent.stat().st_mode
    if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
        raise SettingsError(f"{path} must lie where not everybody can replace it. They can: chmod o-w {path.parent}")


def change_lines(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Replace the lines of a tokens file, which is made if there is none, for its owner alone.

    Raises
    ------
    SettingsError
        If the file cannot be read or written, or has another name that would keep the lines of before.
    """
    with _alone(path):
        before = read_lines(path) if path.exists() else []
        if path.exists() and path.stat().st_nlink > 1:
            raise SettingsError(
                f"{path} must have no other name: a hard link would not change. Make that a symbolic one."
            )
        after = "".join(f"{line}\n" for line in change(before))
        try:
            write_private(path, after.encode(), keep_group=True)
        except OSError as error:
            raise SettingsError(f"{path} must be writable: {error.strerror}.") from None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two commands at once would undo each other's change."""
    try:
        folder = os.open(followed(path).parent, os.O_RDONLY)
    except OSError as error:
        raise SettingsError(f"{path} must lie in a directory that is there: {error.strerror}.") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
