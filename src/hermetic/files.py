"""Paths as people write them; private files and directories, whatever the umask: files are written all or nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import SettingsError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk, or a share of it, that is full."""

_OWNER, _GROUP_READS = 0o600, 0o040
_VARIABLE = re.compile(r"\$\w|\$\{|%\w+%")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system says against writing a file becomes :class:`SettingsError`, with the file's name."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        advice = "Make room there, and run it again." if error.errno in NO_ROOM else "Name another file."
        raise SettingsError(f"{path} cannot be written: {reason}. {advice}") from None


def write_private(target: Path, data: bytes, *, keep_group: bool = False) -> None:
    """Write ``data`` so that only its owner can read it (mode 0600) and a crash leaves the old file or the new one.

    A symbolic link stays one: what it names is written. With ``keep_group`` a file that was there keeps its owner and
    its group, and the group may go on reading it, where this process may say so. A device or a pipe is no file to
    replace: it takes the bytes, and stays who may read it.

    Raises OSError if the directory cannot be written, or nobody reads from the pipe.
    """
    if target.exists() and not target.is_file():
        _write_through(target, data)
    else:
        _replace(followed(target), data, keep_group)


def followed(path: Path) -> Path:
    """What a path names when its links are followed; a loop of links is left for the system to refuse."""
    return Path(os.path.realpath(path))


def _write_through(target: Path, data: bytes) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_NONBLOCK)  # or a pipe without a reader is waited for without end
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _replace(target: Path, data: bytes, keep_group: bool) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _OWNER)
            if keep_group:
                _keep_group(descriptor, target)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _keep_group(descriptor: int, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        was = target.stat()
        os.fchown(descriptor, was.st_uid, was.st_gid)
        os.fchmod(descriptor, _OWNER | was.st_mode & _GROUP_READS)


def is_variable(path: str) -> bool:
    """Whether a path begins with a variable that a shell would replace."""
    return _VARIABLE.match(path) is not None


def expanded(path: str) -> str:
    """The path with a leading ``~`` or ``~user`` replaced.

    Raises
    ------
    SettingsError
        If there is no such home, or a variable is left for a shell to replace.
    """
    if is_variable(path):
        raise SettingsError("must not start with a variable: no shell replaces it. Write the path, or begin with ~")
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        raise SettingsError("must not start with ~ where no home directory is known: write the whole path") from None


def make_private_directory(path: Path) -> None:
    """Make a directory, and what is missing of those above it, for their owner alone (mode 0700).

    Raises OSError if that cannot be, or if something else has the name.
    """
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_private_directory(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(0o700)
