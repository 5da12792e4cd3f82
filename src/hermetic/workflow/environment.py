"""What a service needs beside Hermetic, by name and version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import SettingsError
from .shelf import checked_name
from .workspace import Workspace

_RECORD = {"pip", "conda"}


@dataclass(frozen=True)
class CondaDependencies:
    """Packages, as pip and conda name them. Both kinds are installed by pip."""

    pip_packages: tuple[str, ...] = ()
    conda_packages: tuple[str, ...] = ()

    @classmethod
    def create(
        cls, pip_packages: Iterable[str] | None = None, conda_packages: Iterable[str] | None = None
    ) -> CondaDependencies:
        """From lists of requirements; SettingsError if one is not a list of strings."""
        return cls(_strings("pip_packages", pip_packages), _strings("conda_packages", conda_packages))


@dataclass
class PythonSection:
    """The Python part of an environment."""

    conda_dependencies: CondaDependencies = field(default_factory=CondaDependencies)


class Environment:
    """Packages under a name. ``version`` is None until it is registered."""

    def __init__(self, name: str) -> None:
        self.name = checked_name("environment", name)
        self.version: int | None = None
        self.python = PythonSection()

    def __repr__(self) -> str:
        return f"Environment(name={self.name!r}, version={self.version})"

    def register(self, workspace: Workspace) -> Environment:
        """Keep it in the workspace; the same packages again give the version that is there."""
        shelf = workspace.shelf("environments")
        packages = self.python.conda_dependencies
        record = {"pip": list(packages.pip_packages), "conda": list(packages.conda_packages)}
        if known := shelf.versions(self.name):
            highest, kept = shelf.version("environment", self.name, known[-1], holds=_RECORD)
            if kept == record:
                self.version = highest
                return self
        self.version = shelf.add_version(self.name, record)
        return self

    @classmethod
    def get(cls, workspace: Workspace, name: str, version: int | None = None) -> Environment:
        """A registered environment, by default its highest version; SettingsError if there is none."""
        number, record = workspace.shelf("environments").version("environment", name, version, holds=_RECORD)
        found = cls(name)
        found.version = number
        found.python.conda_dependencies = CondaDependencies.create(record["pip"], record["conda"])
        return found


def _strings(what: str, given: Iterable[str] | None) -> tuple[str, ...]:
    listed = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    if isinstance(given, str) or not all(isinstance(one, str) for one in listed):
        raise SettingsError(f"{what} must be a list of strings such as ['joblib>=1.3']. Got {given!r} instead.")
    return listed
