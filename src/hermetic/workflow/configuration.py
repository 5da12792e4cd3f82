"""How a service is to run: its script, its packages, its share of the machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from .environment import Environment


@dataclass(frozen=True)
class InferenceConfig:
    """The scoring script (``init`` and ``run``) and what it needs.

    Parameters
    ----------
    entry_script
        A path; relative to ``source_directory`` if that is given.
    environment
        Its packages.
    source_directory
        Copied whole, for a script that imports its neighbours; by default the script alone.
    """

    entry_script: Path | str
    environment: Environment
    source_directory: Path | str | None = None

    @property
    def script(self) -> Path:
        """Where the script is; SettingsError if it is not there."""
        path = Path(self.source_directory or ".") / self.entry_script
        if not path.is_file():
            raise SettingsError(f"entry_script must be a Python file. {path} is not there.")
        return path


@dataclass(frozen=True)
class DeployConfiguration:
    """Where a service runs, and its limits.

    Attributes
    ----------
    target
        ``local``, ``aci`` or ``aks``.
    cpu_cores
        Cores; a fraction is rounded up, because whole cores are what a process can be bound to.
    memory_gb
        Private memory of each of its processes, in units of 10^9 bytes.
    port
        Where it listens on 127.0.0.1; by default any free port, kept when the service is restarted.
    cloud
        For ``aci`` and ``aks``: what the cloud needs to know besides, as fields of
        :class:`hermetic.deploy.Description`, such as ``wheel``, ``image``, ``tokens``, ``region``.
    """

    target: str
    cpu_cores: float = 1
    memory_gb: float = 1
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    port: int | None = None
    cloud: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits: dict[str, Any] = {"cpu_cores": self.cpu_cores, "memory_gb": self.memory_gb}
        for name, given in limits.items():
            if not isinstance(given, int | float) or not 0 < given < math.inf:
                raise SettingsError(f"{name} must be a positive number. Got {given!r} instead.")
        if self.port is not None and self.port not in range(1, 65536):
            raise SettingsError(f"port must be 1 to 65535, or None for a free one. Got {self.port!r} instead.")

        if self.cloud and self.target == "local":
            raise SettingsError("cloud must be left out for a LocalWebservice: take AciWebservice or AksWebservice.")

    @property
    def cores(self) -> int:
        """Whole cores."""
        return math.ceil(self.cpu_cores)

    @property
    def memory_bytes(self) -> int:
        """Bytes."""
        return int(self.memory_gb * 10**9)
