"""Model and signature files, and how files that cannot be used are reported."""

from __future__ import annotations

import errno
from pathlib import Path

from ..envelope import MAGIC
from ..errors import ModelFileError, SettingsError
from ..model import CompiledModel
from ..signature import Signature

_OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)


def load_model(path: Path) -> CompiledModel:
    """A model that can answer.

    Raises
    ------
    ModelFileError
        If it cannot be read, is damaged, or is a signature.
    """
    model = load_model_or_signature(path)[1]
    if model is None:
        raise ModelFileError(f"{path} must be a Hermetic model file. Got a signature instead, which cannot answer.")
    return model


def load_model_or_signature(path: Path) -> tuple[Signature, CompiledModel | None]:
    """What the file holds: the signature, and the model if it is a model's file.

    Raises
    ------
    ModelFileError
        If it cannot be read, or is neither a signature nor a model.
    WireError
        If it is a damaged signature.
    """
    try:
        with path.open("rb") as file:
            is_envelope = file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error
    if is_envelope:
        return Signature.from_bytes(path.read_bytes()), None
    model = CompiledModel.load(path)
    return model.signature, model


def write_file(path: Path, data: bytes) -> None:
    """Write what is public.

    Raises
    ------
    SettingsError
        If it cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error


def unusable(error: OSError) -> SettingsError:
    """What the system says about a file, standard output, or what else a command uses, that no command foresaw."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return SettingsError(f"{error.filename} must be usable: {reason}. Name another file or directory.")
    if error.errno in _OF_OUTPUT:
        return SettingsError(f"standard output must be usable: {reason}. Let it go elsewhere.")
    return SettingsError(f"the system must let the command do its work. It does not: {reason}.")
