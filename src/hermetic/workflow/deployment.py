"""Deploying: a copy of script and models, an environment, a supervisor, and for clouds the files that they need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import SettingsError, UnreachableError
from . import packages
from .cloud import render_for_cloud
from .configuration import DeployConfiguration, InferenceConfig
from .models import MODEL_DIR, Model
from .read_access import VARIABLE
from .service_home import Plan, ServiceHome
from .shelf import checked_name
from .webservice import AciWebservice, AksWebservice, LocalWebservice, Webservice
from .workspace import FOLDER, Workspace

_KINDS: dict[str, type[Webservice]] = {one.target: one for one in (LocalWebservice, AciWebservice, AksWebservice)}
_NOT_COPIED = shutil.ignore_patterns(FOLDER, ".git", ".venv", "__pycache__")
_SERVE = "from hermetic.cli import main; main()"


def deploy(
    workspace: Workspace,
    name: str,
    models: Sequence[Model],
    inference_config: InferenceConfig,
    deployment_config: DeployConfiguration | None = None,
    *,
    overwrite: bool = False,
) -> Webservice:
    """Start a service on this machine; it goes on when the caller ends.

    Everything is copied first, so later changes of the script do not reach a running service. Prints what is done with
    each package and which limits are enforced.

    Parameters
    ----------
    workspace, name
        Where it is found again, with ``Webservice(workspace, name)``.
    models
        One model: its version's directory becomes ``AZUREML_MODEL_DIR``. Several: ``NAME/VERSION`` below it.
    inference_config
        Script and packages.
    deployment_config
        Limits; by default those of ``LocalWebservice.deploy_configuration()``.
    overwrite
        Replace a service of that name.

    Raises
    ------
    SettingsError
        If the name is taken, the script is not there, or a package cannot be installed.
    ModelFileError
        If a model's files are not what was registered.
    UnreachableError
        If the supervisor does not start.
    """
    limits = deployment_config or LocalWebservice.deploy_configuration()
    script = inference_config.script
    home = _new_home(workspace, name, overwrite=overwrite)
    try:
        _copy_source(inference_config, home.path / "source")
        steps = packages.plan(inference_config.environment.python.conda_dependencies)
        for step in steps:
            print(step)
        python = packages.build(home.path / "environment", steps)
        model_dir = _copy_models(models, home.path / "models")
        if limits.target != "local":
            render_for_cloud(name, limits, home.path / "models", workspace.store, home.path / "rendered")
        entry = inference_config.entry_script if inference_config.source_directory else script.name
        _write_plan(
            home, workspace, limits, [str(python), "-P", "-c", _SERVE, "serve", "--entry-script", str(entry)], model_dir
        )
        _start(home, limits)
    except BaseException:
        home.remove()
        raise
    return _KINDS[limits.target](workspace, name)


def _new_home(workspace: Workspace, name: str, *, overwrite: bool) -> ServiceHome:
    home = ServiceHome(workspace.services / checked_name("service", name))
    if home.path.exists() and overwrite:
        home.remove()
    try:
        home.path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise SettingsError(
            f"the name {name!r} must be free. There is such a service: delete it, or deploy with overwrite=True."
        ) from None
    return home


def _copy_source(config: InferenceConfig, target: Path) -> None:
    if config.source_directory is None:
        target.mkdir()
        shutil.copy(config.script, target)
    else:
        shutil.copytree(config.source_directory, target, ignore=_NOT_COPIED)


def _copy_models(models: Sequence[Model], target: Path) -> Path:
    """Give the scoring script its models; what becomes ``AZUREML_MODEL_DIR``."""
    target.mkdir()
    for model in models:
        model.download(target / model.name / str(model.version))
    return target / models[0].name / str(models[0].version) if len(models) == 1 else target


def _write_plan(
    home: ServiceHome, workspace: Workspace, limits: DeployConfiguration, command: list[str], model_dir: Path
) -> None:
    threads = str(limits.cores)
    variables = {
        MODEL_DIR: str(model_dir),
        VARIABLE: workspace.store,
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "PYTHONUNBUFFERED": "1",
    }
    home.write_plan(
        Plan(
            command=[*command, "--model-dir", str(model_dir), "--workers", str(limits.cores)],
            environment=variables,
            memory_bytes=limits.memory_bytes,
            cores=limits.cores,
            port=limits.port or 0,
            tags=dict(limits.tags),
            description=limits.description,
            target=limits.target,
        )
    )


def _start(home: ServiceHome, limits: DeployConfiguration) -> None:
    """Start the supervisor, in a session of its own; returns once it has the service's lock."""
    available = len(os.sched_getaffinity(0))
    print(
        f"Enforced: {min(limits.cores, available)} of {available} cores for the service, {limits.memory_gb:g} GB of "
        "private memory for each of its processes"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hermetic.workflow.supervisor", str(home.path)], check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    if done.returncode:
        raise UnreachableError(f"the service's supervisor must start. It ended with code {done.returncode}.")
