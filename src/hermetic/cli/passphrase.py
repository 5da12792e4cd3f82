"""The secret key file of ``--key``, and where its passphrase comes from."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import KeyFileError
from ..keys.secret import SecretKey
from ..rlwe.parameters import Parameters
from .console import stderr

VARIABLE = "HERMETIC_PASSPHRASE"

PassphraseOption = Annotated[
    Path | None, typer.Option(help=f"Holds the key's passphrase; otherwise ${VARIABLE}, or a prompt.")
]


def open_key(path: Path, passphrase_file: Path | None, parameters: Parameters) -> SecretKey:
    """The key in the file; a fresh one, saved there, if the file does not exist.

    Raises
    ------
    KeyFileError
        If there is no passphrase, or the file cannot be read or written.
    """
    new = not path.exists()
    passphrase = read_passphrase(passphrase_file, path, confirm=new)
    if not new:
        return SecretKey.load(path, passphrase)
    key = SecretKey(parameters)
    key.save(path, passphrase)
    stderr().print(f"Made a secret key and saved it, encrypted, as {path}.", markup=False, soft_wrap=True)
    return key


def read_passphrase(file: Path | None, key: Path, *, confirm: bool) -> str:
    """The first line of the file, else the variable HERMETIC_PASSPHRASE, else what is typed.

    Raises
    ------
    KeyFileError
        If the file cannot be read or starts with an empty line, or nobody is there to type.
    """
    if file is not None:
        return _from_file(file)
    if passphrase := os.environ.get(VARIABLE):
        return passphrase
    if not sys.stdin.isatty():
        raise KeyFileError(f"{key} needs a passphrase. Pass --passphrase-file, or set {VARIABLE}.")
    return str(typer.prompt(f"Passphrase of {key}", hide_input=True, confirmation_prompt=confirm, err=True))


def _from_file(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as text:
            passphrase = text.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise KeyFileError(f"{file} cannot be read: {reason}.") from error
    if not passphrase:
        raise KeyFileError(f"{file} must hold the passphrase in its first line. That line is empty.")
    return passphrase
