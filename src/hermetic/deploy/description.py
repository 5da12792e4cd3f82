"""The one description that every target is rendered from, checked before anything is written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import SettingsError
from ..model import CompiledModel

BASE_IMAGE = "python:3.11.14-slim-bookworm"

_NAME = re.compile(r"[a-z][a-z0-9-]{1,30}[a-z0-9]")
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_IMAGE = re.compile(
    r"[a-z0-9][a-z0-9._/-]*(:[0-9]+/[a-z0-9._/-]+)?(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
_BASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_WHEEL = re.compile(r"[A-Za-z0-9._+-]+\.whl")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TAG = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_SHARED_STORES = ("az", "s3", "gs")


@dataclass(frozen=True)
class Description:
    """A service to run somewhere. Every field is checked by :meth:`check`, which a target calls first.

    Attributes
    ----------
    name
        Of the service: 3 to 32 lower-case letters, digits and dashes.
    models
        Compiled model files; each is served under its stem.
    wheel
        Hermetic's own wheel, as ``pip wheel --no-deps`` builds it; the image installs this file, so it must be one for
        Linux and the image's Python.
    tokens
        File of tenants and hashed tokens. Needed by every target but ``azureml``, whose endpoint has keys of its own.
    image
        Name and tag of the image, with its registry: ``registry.example.com/digits:1``.
    base_image
        What the image starts from. Give a digest to pin its bytes: ``python@sha256:…``.
    cores, memory_gb
        What one replica gets.
    workers
        Evaluation processes of a replica; ``None``: one a core.
    replicas, max_replicas
        How many replicas run, and how many at most under load (``kubernetes``); ``None``: as many as ``replicas``.
        For ``ray``, nodes with evaluators.
    job
        ``ray``: the batch job to score, ``s3://…``, ``az://…`` or ``gs://…``.
    store
        Where public keys live, as ``hermetic serve --store`` takes it; ``None``: a directory kept with the service.
    host
        The name under which clients reach the service, such as ``predict.example.com``.
    tls_certificate, tls_key
        PEM files. Without them something before the service must speak TLS.
    insecure_no_tls
        The operator's word that traffic needs no TLS where the target has nothing before the service (``aci``).
    region, dns_label
        Azure's region, and the first label of the public name (``aci``).
    identity
        ``aci``: resource id of a user-assigned identity, for the registry and the store; ``kubernetes``: client id of
        a workload identity; ``azureml``: resource id.
    ingress_class, ingress_namespace, monitoring_namespace
        ``kubernetes``: the ingress controller, and the namespaces from which it and Prometheus connect.
    compute, instance_type
        ``azureml``: an attached Kubernetes cluster instead of managed machines, and the size of a machine.
    tags, text
        Labels, and what the service is for.
    variables
        Further environment variables, such as ``AZURE_STORAGE_ACCOUNT_NAME``.
    secrets
        The same for secret ones; written only into files that their owner alone can read.
    """

    name: str
    models: tuple[Path, ...]
    wheel: Path
    tokens: Path | None = None
    image: str = ""
    base_image: str = ""
    cores: float = 1
    memory_gb: float = 1
    workers: int | None = None
    replicas: int = 1
    max_replicas: int | None = None
    job: str | None = None
    store: str | None = None
    host: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    insecure_no_tls: bool = False
    region: str | None = None
    dns_label: str | None = None
    identity: str | None = None
    ingress_class: str = "webapprouting.kubernetes.azure.com"
    ingress_namespace: str = "app-routing-system"
    monitoring_namespace: str = "monitoring"
    compute: str | None = None
    instance_type: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def image_name(self) -> str:
        return self.image or f"{self.name}:latest"

    @property
    def processes(self) -> int:
        """Evaluation processes of a replica."""
        return self.workers or max(1, math.floor(self.cores))

    @property
    def most_replicas(self) -> int:
        return self.max_replicas or self.replicas

    @property
    def has_tls(self) -> bool:
        return self.tls_certificate is not None

    @property
    def store_is_shared(self) -> bool:
        """Whether several replicas can read the keys."""
        return urlsplit(self.store or "").scheme in _SHARED_STORES

    @cached_property
    def loaded(self) -> dict[str, CompiledModel]:
        """The models by the names they are served under. Raises :class:`ModelFileError`."""
        return {path.stem: CompiledModel.load(path) for path in self.models}

    def check(self) -> None:
        """Raise :class:`SettingsError`, or :class:`ModelFileError`, for the first thing that cannot be deployed."""
        self._check_names()
        self._check_numbers()
        self._check_files()
        self._check_environment()

    def _check_names(self) -> None:
        form = "3 to 32 lower-case letters, digits and dashes, a letter first (--name, or else the first model's)"
        _match(_NAME, self.name, "name", form)
        _match(_IMAGE, self.image_name, "image", "like registry.example.com/digits:1")
        if self.base_image:
            _match(_BASE, self.base_image, "base_image", "an image with a tag or digest")
        if self.host is not None:
            _match(_HOST, self.host, "host", "a name like predict.example.com, without scheme, port or path")
        if self.dns_label is not None:
            _match(_LABEL, self.dns_label, "dns_label", "lower-case letters, digits and dashes, a letter first")

    def _check_numbers(self) -> None:
        for name in ("cores", "memory_gb"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 < value <= 1024):
                raise SettingsError(f"{name} must be a number above 0, at most 1024. Got {value} instead.")
        if not 1 <= self.processes <= 1024:
            raise SettingsError(f"workers must be between 1 and 1024. Got {self.workers} instead.")
        if not 1 <= self.replicas <= self.most_replicas:
            raise SettingsError(
                f"replicas must be at least 1 and at most max_replicas. Got {self.replicas} and {self.most_replicas}."
            )
        if self.job is not None and urlsplit(self.job).scheme not in _SHARED_STORES:
            raise SettingsError(
                f"job must be at s3://, az:// or gs://, which every node reads. Got {self.job} instead."
            )

    def _check_files(self) -> None:
        if not self.models:
            raise SettingsError("a model file must be named. Got none.")
        if len({path.stem for path in self.models}) < len(self.models):
            raise SettingsError("every model must have a name of its own: two of the files share one.")
        for name in self.loaded:
            _match(_MODEL, name, "the name of a model file", "letters, digits, dots, dashes and underscores")
        _match(_WHEEL, self.wheel.name, "wheel", "a wheel file, NAME-VERSION-….whl")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise SettingsError("tls_certificate and tls_key must be given together. Got one of them.")

    def _check_environment(self) -> None:
        for name, value in self.tags.items():
            _match(_TAG, name, "a tag's name", "at most 63 letters, digits, dots, dashes and underscores")
            if len(value) > 256 or not value.isprintable():
                raise SettingsError(f"the value of the tag {name} must be one line of at most 256 characters.")
        for name, value in {**self.variables, **self.secrets}.items():
            _match(_VARIABLE, name, "an environment variable", "letters, digits and underscores")
            if name.startswith("HERMETIC_") and name in self.secrets:
                raise SettingsError(f"{name} must not be a secret: the service's settings hold none.")
            if not value.isprintable() or "'" in value:
                raise SettingsError(f"the value of {name} must be one line of text without single quotes.")
        if both := sorted(self.variables.keys() & self.secrets.keys()):
            raise SettingsError(f"{both[0]} must be given once. Got it as a variable and as a secret.")


def _match(pattern: re.Pattern[str], value: str, name: str, form: str) -> None:
    if not pattern.fullmatch(value):
        raise SettingsError(f"{name} must be {form}. Got {value!r} instead.")
