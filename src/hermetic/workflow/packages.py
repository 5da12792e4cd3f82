"""An environment of its own for a service: what this Python has is used, what is missing is installed beside it.

Packages of 2020 that Hermetic replaces are left out, each with a note that says why.
"""

from __future__ import annotations

import platform
import site
import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ..errors import SettingsError
from .environment import CondaDependencies

_GUIDES = "encrypted-inference"
_GUIDES_NAMES = "hermetic-encrypted-inference"
_HOST = "hermetic serve runs the scoring script"
_REPLACED = {
    _GUIDES: f"{_GUIDES_NAMES} has its names",
    "azureml-defaults": _HOST,
    "azureml-core": "hermetic.workflow has its names",
    "azureml-inference-server-http": _HOST,
    "azureml-dataprep": "hermetic.workflow.MNIST has the data",
    "python": f"this Python, {platform.python_version()}, runs the service",
    "pip": "pip is only needed to install",
}
_OLDEST_SCIKIT_LEARN = Version("1.6")
_LONGEST_INSTALL = 600
_LINK = "calling_environment.pth"


@dataclass(frozen=True)
class Step:
    """What happens with one requirement, and why."""

    requirement: str
    action: Literal["replaced", "used", "installed"]
    note: str

    def __str__(self) -> str:
        return f"{self.requirement}: {self.action}, {self.note}"


def plan(packages: CondaDependencies) -> list[Step]:
    """One step for each requirement, in their order.

    Raises
    ------
    SettingsError
        For one that is not a requirement, and for ``encrypted-inference`` where this Python has not what replaces it,
        or has both.
    """
    listed = [*packages.pip_packages, *map(_from_conda, packages.conda_packages)]
    return [_step(_parsed(one)) for one in listed]


def build(home: Path, steps: list[Step]) -> Path:
    """Make the environment; gives its Python.

    Raises
    ------
    SettingsError
        If pip cannot install what is missing; with pip's last words.
    """
    venv.EnvBuilder(symlinks=True, with_pip=False).create(home)
    python = home / "bin" / "python"
    own = next(home.glob("lib/python*/site-packages"))
    # Each line runs at start-up, after the environment's own packages: those come first.
    lines = [f"import site; site.addsitedir({folder!r})" for folder in _calling_environment()]
    (own / _LINK).write_text("\n".join(lines) + "\n", encoding="utf-8")
    if missing := [step.requirement for step in steps if step.action == "installed"]:
        _install(python, missing)
    return python


def _calling_environment() -> list[str]:
    folders = [*site.getsitepackages(), site.getusersitepackages()]
    return [folder for folder in folders if folder in sys.path]


def _install(python: Path, requirements: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install"]
    options = ["--quiet", "--no-input", "--no-warn-script-location"]
    try:
        done = subprocess.run(
            [*command, *options, "--", *requirements],
            capture_output=True, text=True, check=False, timeout=_LONGEST_INSTALL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SettingsError(f"pip must install {', '.join(requirements)} within {_LONGEST_INSTALL} s.") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise SettingsError(
            f"pip must be able to install {', '.join(requirements)}. It says: {said}. Correct the environment's "
            "packages, or install them in this Python."
        )


def _from_conda(package: str) -> str:
    """``channel::name=1.2`` as pip says it: ``name==1.2.*``."""
    bare = package.rpartition("::")[2].replace(" ", "")
    name, equals, rest = bare.partition("=")
    if not equals or rest.startswith("=") or name.endswith(("<", ">", "!", "~")):
        return bare
    return f"{name}=={rest.partition('=')[0]}.*"


def _parsed(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement:
        raise SettingsError(f"a package must be a requirement such as 'joblib>=1.3'. Got {text!r} instead.") from None


def _step(wanted: Requirement) -> Step:
    text, name = str(wanted), canonicalize_name(wanted.name)
    if name == _GUIDES:
        _check_guides_names()
    if name in _REPLACED:
        return Step(text, "replaced", _REPLACED[name])
    present = _installed(name)
    if present is None:
        return Step(text, "installed", "this Python does not have it")
    if wanted.url is None and wanted.specifier.contains(present, prereleases=True):
        return Step(text, "used", f"this Python has {present}")
    if name == "scikit-learn" and not wanted.specifier.contains(_OLDEST_SCIKIT_LEARN) and _only_older(wanted):
        note = f"scikit-learn {present} of this Python takes its place, as it does for the model's file"
        return Step(text, "replaced", note)
    return Step(text, "installed", f"this Python has {present}")


def _check_guides_names() -> None:
    """A service must get Hermetic's ``encrypted.inference``, and nothing that goes before it."""
    if other := _installed(_GUIDES):
        raise SettingsError(
            f"this Python must not have {_GUIDES}: its EIServer protects no coefficients. It has {other}: take it out "
            f"with pip uninstall {_GUIDES}."
        )
    if _installed(_GUIDES_NAMES) is None:
        raise SettingsError(
            f"{_GUIDES} is replaced by {_GUIDES_NAMES}, which this Python must have. It has not: install it from "
            "Hermetic's source with pip install packages/encrypted-inference."
        )


def _only_older(wanted: Requirement) -> bool:
    """Whether a release before the oldest that Hermetic works with is pinned."""
    pins = [one.version.removesuffix(".*") for one in wanted.specifier if one.operator in ("==", "<", "<=", "~=")]
    return any(Version(pin) <= _OLDEST_SCIKIT_LEARN for pin in pins)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
