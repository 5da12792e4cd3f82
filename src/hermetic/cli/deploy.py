"""``hermetic deploy``: files for a container platform or a cloud, and the commands that apply them."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..deploy import Description, Rendered, render
from ..errors import SettingsError
from .console import printable, stdout
from .tables import facts
from .units import size


class Target(StrEnum):
    """The names of :data:`hermetic.deploy.TARGETS`."""

    DOCKER = "docker"
    ACI = "aci"
    KUBERNETES = "kubernetes"
    AZUREML = "azureml"
    RAY = "ray"


def deploy(  # noqa: PLR0913, PLR0917
    models: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Compiled models.", show_default=False)],
    target: Annotated[
        Target, typer.Option("--target", "-t", help="What runs the service, or the batch job.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The directory to write.")],
    wheel: Annotated[
        Path, typer.Option(help="Hermetic's wheel, from: pip wheel --no-deps SOURCE.", show_default=False)
    ],
    name: Annotated[str | None, typer.Option(help="Of the service; by default that of the first model.")] = None,
    tokens: Annotated[Path | None, typer.Option(help="File of tenants and hashed tokens (hermetic token new).")] = None,
    image: Annotated[str, typer.Option(help="Image, with registry and tag; by default NAME:latest.")] = "",
    base_image: Annotated[str, typer.Option(help="What the image starts from; a digest pins its bytes.")] = "",
    cores: Annotated[float, typer.Option(help="Processor cores of a replica.")] = 1,
    memory: Annotated[float, typer.Option(help="Memory of a replica, GiB.")] = 1,
    workers: Annotated[int | None, typer.Option(help="Evaluation processes; by default one a core.")] = None,
    replicas: Annotated[int, typer.Option(help="Replicas.")] = 1,
    max_replicas: Annotated[int | None, typer.Option(help="Replicas under load (kubernetes).")] = None,
    store: Annotated[str | None, typer.Option(help="Where public keys live, as in hermetic serve.")] = None,
    job: Annotated[str | None, typer.Option(help="The batch job to score, s3://, az:// or gs:// (ray).")] = None,
    host: Annotated[str | None, typer.Option(help="The name clients use, such as predict.example.com.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key of the certificate, PEM.")] = None,
    insecure_no_tls: Annotated[bool, typer.Option("--insecure-no-tls", help="Go without TLS (aci).")] = False,
    region: Annotated[str | None, typer.Option(help="Azure's region (aci).")] = None,
    dns_label: Annotated[str | None, typer.Option(help="First label of the public name (aci).")] = None,
    identity: Annotated[str | None, typer.Option(help="Managed identity that reads the store (clouds).")] = None,
    compute: Annotated[str | None, typer.Option(help="Attached Kubernetes cluster (azureml).")] = None,
    instance_type: Annotated[str | None, typer.Option(help="Size of a machine (azureml).")] = None,
    ingress_class: Annotated[str, typer.Option(help="Ingress controller (kubernetes).")] = Description.ingress_class,
    ingress_namespace: Annotated[str, typer.Option(help="Its namespace.")] = Description.ingress_namespace,
    monitoring_namespace: Annotated[str, typer.Option(help="That of Prometheus.")] = Description.monitoring_namespace,
    text: Annotated[str, typer.Option("--description", help="What the service is for.")] = "",
    tags: Annotated[list[str] | None, typer.Option("--tag", metavar="NAME=VALUE", help="A label.")] = None,
    variables: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="An environment variable.")
    ] = None,
    secrets: Annotated[
        list[str] | None, typer.Option("--secret-env", metavar="NAME", help="A secret one, taken from here.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what was rendered into DIR before.")] = False,
) -> None:
    """Write everything a platform needs to run the service, and say which commands apply it. Applies nothing."""
    description = Description(
        name=name or models[0].stem,
        models=tuple(models),
        wheel=wheel,
        tokens=tokens,
        image=image,
        base_image=base_image,
        cores=cores,
        memory_gb=memory,
        workers=workers,
        replicas=replicas,
        max_replicas=max_replicas,
        store=store,
        job=job,
        host=host,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        insecure_no_tls=insecure_no_tls,
        region=region,
        dns_label=dns_label,
        identity=identity,
        compute=compute,
        instance_type=instance_type,
        ingress_class=ingress_class,
        ingress_namespace=ingress_namespace,
        monitoring_namespace=monitoring_namespace,
        text=text,
        tags=_pairs(tags, "--tag"),
        variables=_pairs(variables, "--env"),
        secrets=_from_here(secrets),
    )
    _show(render(target, description, output, force=force), output)


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    found = dict(pair.partition("=")[::2] for pair in given or ())
    if any("=" not in pair for pair in given or ()):
        raise SettingsError(f"{option} must be NAME=VALUE. Got a value without =.")
    return found


def _from_here(names: list[str] | None) -> dict[str, str]:
    """The values of secret variables, from this command's own environment: they never are on a command line."""
    missing = [name for name in names or () if name not in os.environ]
    if missing:
        raise SettingsError(f"{missing[0]} must be set where this command runs. It is not.")
    return {name: os.environ[name] for name in names or ()}


def _show(rendered: Rendered, output: Path) -> None:
    console = stdout()
    console.print(facts({str(file.relative_to(output)): _about(file) for file in rendered.files}))
    console.print("\nApply it with:")
    for command in rendered.commands:
        console.print(Text(printable(f"  {command}")), soft_wrap=True)


def _about(file: Path) -> str:
    status = file.stat()
    return f"{size(status.st_size)}{'' if status.st_mode & 0o077 else ', only you can read it'}"
