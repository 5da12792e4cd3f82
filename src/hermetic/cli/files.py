"""Model and signature files."""

from __future__ import annotations

from pathlib import Path

from ..envelope import MAGIC
from ..errors import ModelFileError
from ..model import EncryptedModel
from ..signature import Signature


def load_model(path: Path) -> EncryptedModel:
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


def load_model_or_signature(path: Path) -> tuple[Signature, EncryptedModel | None]:
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
    model = EncryptedModel.load(path)
    return model.signature, model
