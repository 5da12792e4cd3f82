"""What an image holds beside its base, in the format CycloneDX, which scanners of vulnerabilities and licences read.

It is made from the same lock that the image is installed from, and is the same for the same files.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

from ..errors import SettingsError
from .wheel import VERSION

_PIN = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;\\]+)(?: ;(?P<marker>[^\\\n]*))?(?P<hashes>(?:[^\n]*\\\n)*[^\n]*)",
    re.MULTILINE,
)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_PLACE = "https://pypi.org/project/{name}/{version}/"
_SPACE = uuid.UUID("6a1b1f0e-8d55-5b5c-9d0a-2d1f5b8f7a53")


def bill_of_materials(name: str, lock: str, wheel: str, python: str) -> str:
    """CycloneDX 1.6, as JSON.

    Parameters
    ----------
    name
        Of the service.
    lock
        ``requirements.lock`` of the image: Hermetic's wheel and every package, with their hashes.
    wheel
        The wheel's file name; its last part says for which processor.
    python
        The image's Python, ``3.11``.

    Raises
    ------
    SettingsError
        If the library that writes the format is not installed.
    """
    model, component, bom, output, package_url = _library()

    def hashed(text: str) -> list[Any]:
        return [model.HashType(alg=model.HashAlgorithm.SHA_256, content=one) for one in _HASH.findall(text)]

    def package(name: str, version: str, hashes: str) -> Any:
        kind, place = model.ExternalReferenceType.DISTRIBUTION, model.XsUri(_PLACE.format(name=name, version=version))
        url = package_url(type="pypi", name=name, version=version)
        source = model.ExternalReference(type=kind, url=place, hashes=hashed(hashes))
        return component.Component(name=name, version=version, purl=url, bom_ref=str(url), external_references=[source])

    own = component.Component(
        name="hermetic", version=VERSION, bom_ref="hermetic", purl=package_url("pypi", None, "hermetic", VERSION),
        hashes=hashed(lock.partition("\n")[0]),
    )  # fmt: skip
    root = component.Component(name=name, type=component.ComponentType.CONTAINER, bom_ref="image")
    others = [package(*pin) for pin in _pins(lock, wheel, python)]
    found = bom.Bom(components=[own, *others], serial_number=uuid.uuid5(_SPACE, f"{name}\n{lock}\n{python}"))
    found.metadata.component, found.metadata.timestamp = root, None
    found.register_dependency(root, [own])
    found.register_dependency(own, others)
    text: str = output.JsonV1Dot6(found).output_as_string(indent=2)
    return f"{text}\n"


def _library() -> tuple[Any, ...]:
    try:
        import cyclonedx.model
        from cyclonedx.model import bom, component
        from cyclonedx.output import json
        from packageurl import PackageURL
    except ModuleNotFoundError:
        raise SettingsError(
            "the bill of materials needs cyclonedx-python-lib. Install it with: pip install 'hermetic[deploy]'"
        ) from None
    return cyclonedx.model, component, bom, json, PackageURL


def _pins(lock: str, wheel: str, python: str) -> Iterator[tuple[str, str, str]]:
    """Name, version and hashes of each package that is for this Python, on Linux and the wheel's processor."""
    from packaging.markers import Marker

    machine = "aarch64" if wheel.removesuffix(".whl").endswith("aarch64") else "x86_64"
    linux = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": machine}
    pythons = {"python_version": python, "python_full_version": f"{python}.0"}
    cpython = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    environment = {**linux, **pythons, **cpython}
    for pin in _PIN.finditer(lock):
        if not pin["marker"] or Marker(pin["marker"]).evaluate(environment):
            yield pin["name"], pin["version"], pin["hashes"]
