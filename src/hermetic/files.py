"""Private files, written all or nothing."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def write_private(target: Path, data: bytes) -> None:
    """Write ``data`` so that only its owner can read it (mode 0600) and a crash leaves the old file or the new one.

    Raises OSError if the directory cannot be written, or the target is a device, a pipe or a directory: it would be
    replaced, not written to.
    """
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(target))
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
