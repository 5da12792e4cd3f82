"""Every setting of the service, once: flags, environment, TOML and ``docs/settings.md`` all come from here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..errors import SettingsError
from ..files import expanded
from .connections import Network
from .limits import Rate
from .sources import Given, explain, flag_of, from_environment, from_flags, from_toml, variable_of
from .values import (
    check_networks,
    check_origins,
    expanded_paths,
    is_loopback,
    networks,
    read_list,
    read_object,
    read_rate,
)

MIB = 1 << 20
DEFAULT_STORE = "~/.local/state/hermetic/keys"


def default_store() -> str:
    """A directory below the user's state directory (``$XDG_STATE_HOME`` if that is absolute, or ``~/.local/state``)."""
    state = Path(expanded(os.environ.get("XDG_STATE_HOME", "")))
    return str(state / "hermetic" / "keys") if state.is_absolute() else DEFAULT_STORE


class Settings(BaseModel):
    """What an operator can set. A flag beats the environment, the environment beats the TOML file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False, protected_namespaces=()
    )
    _given: Mapping[str, Given] = PrivateAttr(default_factory=dict)

    models: tuple[Path, ...] = Field((), description="Model files, and directories of `name/version/model.hermetic`.")
    entry_script: Path | None = Field(
        None, description="Scoring script with `init()` and `run(raw_data)`, to be served instead of models."
    )
    model_dir: Path | None = Field(None, description="Directory that the script finds as `AZUREML_MODEL_DIR`.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        None, description="The URL that clients see, for the start page, when a proxy stands before the service."
    )
    title: str = Field("Hermetic", min_length=1, max_length=80, description="Name of the service, on its pages.")
    logo: Path | None = Field(None, description="Picture beside it: `.svg`, `.png`, `.jpg` or `.webp`, 1 MiB at most.")
    descriptions: dict[str, str] | None = Field(
        None, description='What models are for, on the pages: a table in TOML, elsewhere JSON like `{"wine": "…"}`.'
    )
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=1024,
        description="Evaluation processes.",
    )

    tokens: Path | None = Field(None, description="File of tenants and hashed tokens (`hermetic token new`).")
    public_models: bool = Field(False, description="Show models and signatures without a token, on the start page too.")
    cors_origin: str | None = Field(
        None, description="Other web origins whose pages may call, such as `https://app.example.com`, with commas."
    )
    tls_certificate: Path | None = Field(None, description="Certificate chain, PEM.")
    tls_key: Path | None = Field(None, description="Private key of the certificate, PEM.")
    tls_client_ca: Path | None = Field(None, description="Accept only clients with a certificate from here, PEM.")
    insecure_no_tokens: bool = Field(
        False, description="Listen beyond this machine without tokens: anyone who reaches the port may call."
    )
    insecure_no_tls: bool = Field(
        False, description="Listen beyond this machine without TLS: only behind a proxy that speaks TLS."
    )
    legacy_clients: bool = Field(
        False,
        description="Answer legacy clients (encrypted-inference 0.9) too: in CKKS, **without protection of the "
        "weights** from whoever may call.",
    )
    forbid_legacy_clients: bool = Field(
        False,
        description="Make it impossible to answer legacy clients (encrypted-inference 0.9): `legacy_clients`, here and "
        "in scoring scripts, is then an error.",
    )
    rate: Rate | None = Field(None, description="Predictions a tenant may ask for, such as `600/minute`.")
    quota: Rate | None = Field(None, description="A second, longer limit of the same kind, such as `20000/day`.")
    usage_interval: float = Field(
        5,
        gt=0,
        description="Seconds between exchanges of what tenants used of these limits with the store, which keeps it "
        "over restarts and for all services that share it.",
    )

    store: str = Field(
        default_factory=default_store,
        validate_default=True,
        description="Where public keys live: a directory, `memory://`, `az://container/prefix`, `s3://bucket/prefix` "
        "or `gs://bucket/prefix`.",
    )
    key_days: float | None = Field(None, gt=0, description="Days after which an uploaded key expires.")
    max_keys: int = Field(1000, ge=1, description="Keys that one tenant may store.")
    key_recheck: float = Field(
        60,
        ge=0,
        description="Seconds until a cached key is looked up again, so that deletions take effect.",
    )
    key_cache: int = Field(64, ge=1, description="Memory for keys in the front process, MiB.")
    worker_key_memory: int = Field(64, ge=1, description="Memory for parsed keys in each evaluation process, MiB.")

    max_samples: int = Field(
        4096,
        ge=1,
        description="Predictions that one request may ask for. Layouts count in full; one always passes.",
    )
    max_json_body: int = Field(
        2, ge=1, description="Largest body of the JSON form of `infer`, MiB; the binary form has no such limit."
    )
    max_script_body: int = Field(
        32,
        ge=1,
        description="Largest body for an `entry_script`, MiB; what it parses can take 20 times the memory.",
    )
    body_memory: int = Field(
        256, ge=1, description="Memory for request bodies in flight, MiB; one tenant may have half of it."
    )
    queue: int = Field(
        128, ge=0, description="Requests that may wait for an evaluation process; one tenant may have half of them."
    )
    queue_timeout: float = Field(5, gt=0, description="Seconds they may wait before they are told to come back.")
    evaluation_timeout: float = Field(60, gt=0, description="Seconds until an evaluation is given up.")
    header_timeout: float = Field(10, gt=0, description="Seconds a client has to send its headers.")
    idle_timeout: float = Field(60, gt=0, description="Seconds a connection may stay open between requests.")
    body_timeout: float = Field(
        10, gt=0, description="Seconds a client has to send its body, besides what its size allows."
    )
    min_upload_rate: int = Field(125, ge=1, description="Thousands of bytes of a body that take a second more.")
    write_timeout: float = Field(30, gt=0, description="Seconds a client may refuse to read its answer.")
    max_header_bytes: int = Field(16384, ge=1024, description="Bytes of the request line and headers.")
    max_connections: int = Field(
        1000, ge=1, description="Connections at once; for one more the oldest that waits for its client is closed."
    )
    max_connections_per_address: int = Field(
        500, ge=1, description="Connections at once of one address, or of one IPv6 network of 64 bits; likewise."
    )
    max_half_open: int = Field(
        100, ge=1, description="Connections at once whose headers have begun and are not complete; likewise."
    )
    proxies: str | None = Field(
        None,
        description="Addresses or networks of proxies before the service, such as `10.0.0.7`, with commas: their "
        "connections are not counted by address.",
    )
    shutdown_timeout: int = Field(60, ge=1, description="Seconds to finish accepted requests after SIGTERM.")

    rescan: float = Field(10, gt=0, description="Seconds between looks at the model files besides change notices.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    telemetry: bool = Field(
        False, description="Export OpenTelemetry traces as the `OTEL_…` variables say (needs the extra `otel`)."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _expand_paths(cls, value: Any, info: ValidationInfo) -> Any:
        return expanded_paths(value) if info.field_name in PATHS else value

    _read_models = field_validator("models", mode="before")(read_list)
    _read_rates = field_validator("rate", "quota", mode="before")(read_rate)
    _check_origins = field_validator("cors_origin")(check_origins)
    _check_proxies = field_validator("proxies")(check_networks)
    _read_descriptions = field_validator("descriptions", mode="before")(read_object)

    @model_validator(mode="after")
    def _check_tls(self) -> Settings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key must be given together")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self

    @model_validator(mode="after")
    def _check_clients(self) -> Settings:
        if self.legacy_clients and self.forbid_legacy_clients:
            raise ValueError("legacy_clients must stay off where forbid_legacy_clients is on")
        return self

    @model_validator(mode="after")
    def _check_served(self) -> Settings:
        if self.entry_script and self.models:
            raise ValueError("a service runs models or an entry_script, not both: start two")
        if self.model_dir and not self.entry_script:
            raise ValueError("model_dir needs entry_script: models are named without it")
        return self

    @classmethod
    def of(cls, given: Mapping[str, Given]) -> Settings:
        """Settings that know where each value came from. Raises :class:`pydantic.ValidationError`."""
        made = cls(**{name: setting.value for name, setting in given.items()})
        made._given = given
        return made

    def is_given(self, name: str) -> bool:
        """Whether somebody gave the setting, or it has its default."""
        return name in self._given

    def origin(self, name: str) -> str:
        """What a message calls a setting: the flag, the variable, or the name in a TOML file that gave it."""
        source = self._given[name].source if self.is_given(name) else flag_of(name)
        return source if source in (flag_of(name), variable_of(name)) else f"{name} in {source}"

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """The other web origins whose pages may call."""
        return tuple(origin.strip() for origin in self.cors_origin.split(",")) if self.cors_origin else ()

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """The networks of the proxies before the service."""
        return networks(self.proxies)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)

    def check_exposure(self) -> None:
        """Raise :class:`SettingsError` when other machines could reach a service without tokens or TLS."""
        if self.is_loopback:
            return
        missing = []
        if self.tokens is None and not self.insecure_no_tokens:
            missing.append("--tokens FILE (or --insecure-no-tokens: anyone may then call)")
        if self.tls_certificate is None and not self.insecure_no_tls:
            missing.append(
                "--tls-certificate FILE --tls-key FILE (or --insecure-no-tls: only behind a proxy that speaks TLS)"
            )
        if missing:
            raise SettingsError(f"listening on {self.host} needs {' and '.join(missing)}.")


PATHS = frozenset(
    {"store", "models"} | {name for name, field in Settings.model_fields.items() if Path in get_args(field.annotation)}
)
"""The settings that are paths, or may be."""


def load_settings(flags: dict[str, Any], toml_file: Path | None = None) -> Settings:
    """Settings from flags (``None`` means not given), the environment and a TOML file.

    Raises
    ------
    SettingsError
        If the file cannot be read, a name is unknown, or a value is out of range: says where it came from.
    """
    given = from_toml(toml_file, PATHS) if toml_file else {}
    given |= from_environment(Settings.model_fields, os.environ)
    given |= from_flags(flags)
    try:
        return Settings.of(given)
    except ValidationError as error:
        raise SettingsError(f"the settings are not valid: {explain(error, given, Settings.model_fields)}.") from None
