"""Hermetic's wheel for an image: of this version, and made for the image's Python and system.

Its name says what it is made for (PEP 425): ``hermetic-0.1.0-cp311-cp311-manylinux_2_28_x86_64.whl``.
"""

from __future__ import annotations

import email.parser
import io
import re
import zipfile
from importlib.metadata import version

from ..errors import SettingsError

VERSION = version("hermetic")

_BASE = re.compile(r"(?:.*/)?python:(3\.\d+)")
_SYSTEM = re.compile(r"(manylinux|linux)[0-9_]*_(?P<machine>x86_64|aarch64)|any")
_HOW = "Build it from the source of this version with: pip wheel --no-deps SOURCE"


def python_of(base_image: str) -> str | None:
    """``3.11`` of ``python:3.11-slim``; None where the name does not say."""
    found = _BASE.match(base_image)
    return found[1] if found else None


def check_wheel(name: str, content: bytes, python: str | None) -> None:
    """Raise :class:`SettingsError` if the wheel is another package's or version's, or would not install in the image.

    Parameters
    ----------
    name, content
        The file.
    python
        The image's Python, ``3.11``; ``None`` if nobody knows.
    """
    _check_version(name, content)
    pythons, abis, systems = (part.split(".") for part in name.removesuffix(".whl").split("-")[-3:])
    if not any(_SYSTEM.fullmatch(system) for system in systems):
        raise SettingsError(
            f"the image runs Linux with glibc, and {name} is for {', '.join(systems)}. {_HOW}, on Linux."
        )
    if python and not any(_runs(one, abis, python) for one in pythons):
        raise SettingsError(
            f"the image has Python {python}, and {name} is for {', '.join(pythons)}. {_HOW}, with Python {python}, or "
            "take a base image with the wheel's Python."
        )


def _runs(tag: str, abis: list[str], python: str) -> bool:
    """Whether ``cp311`` or ``py3`` is for this Python. Wheels of the stable interface are for later ones too."""
    minor = int(python.partition(".")[2])
    if tag in ("py3", f"py3{minor}", f"cp3{minor}"):
        return True
    return "abi3" in abis and tag.startswith("cp3") and int(tag[3:] or 0) <= minor


def _check_version(name: str, content: bytes) -> None:
    own = f"hermetic-{VERSION}"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            metadata = archive.read(f"{own}.dist-info/METADATA").decode()
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise SettingsError(f"the wheel must be that of hermetic {VERSION}. {name} is not. {_HOW}") from None
    right = email.parser.Parser().parsestr(metadata)["Name"] == "hermetic"
    if not right or not re.fullmatch(rf"{re.escape(own)}(-\d\w*)?-[\w.]+-[\w.]+-[\w.]+\.whl", name, re.ASCII):
        raise SettingsError(f"the wheel must be that of hermetic {VERSION}. {name} is not. {_HOW}")
