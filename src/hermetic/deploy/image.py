"""The images of the service and of a batch job: build contexts with every input pinned and no secret in them."""

from __future__ import annotations

import hashlib
import platform
from importlib.resources import files

from .bill_of_materials import bill_of_materials
from .description import BASE_IMAGE, Description
from .tree import File, Tree, read
from .wheel import check_wheel, python_of

JOB_LOCK = "ray.lock"
PORT = 8000
USER = 10001
MODELS = "/srv/hermetic/models"
STATE = "/var/lib/hermetic"
PYTHON = "/opt/hermetic/bin/python"

_DOCKERFILE = """\
FROM {base}

# The same files give the same image: what would hold the time of the build holds this one.
ARG SOURCE_DATE_EPOCH=0

RUN groupadd --gid {user} hermetic \\
 && useradd --uid {user} --gid {user} --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hermetic \\
 && install -d -o {user} -g {user} -m 0700 {state}

WORKDIR /srv/hermetic
COPY requirements.lock {wheel} ./
RUN python -m venv /opt/hermetic \\
 && {python} -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock \\
 && {python} -m pip uninstall --yes pip setuptools
COPY --chown={user}:{user} models models
USER {user}:{user}
"""

_SERVICE = """
COPY health.py ./
EXPOSE {port}
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \\
  CMD ["{python}", "/srv/hermetic/health.py"]
ENTRYPOINT ["/opt/hermetic/bin/hermetic"]
CMD ["serve", "{models}"]
"""

# Ray's operator starts a shell that runs `ray`, and looks for a home that can be written.
_JOB = """
ENV PATH=/opt/hermetic/bin:$PATH HOME=/tmp
"""


def image_tree(description: Description) -> Tree:
    """The service's build context, below ``image/``, and ``sbom.cdx.json``."""
    service = _SERVICE.format(python=PYTHON, port=PORT, models=MODELS)
    return _tree(description, "serve.lock", service, {"health.py": File.text(resource("health.py"))})


def job_image_tree(description: Description) -> Tree:
    """The same for the nodes of a Ray cluster."""
    return _tree(description, JOB_LOCK, _JOB, {})


def _tree(description: Description, lock: str, rest: str, files: Tree) -> Tree:
    """Dockerfile, which ends with ``rest``, .dockerignore, wheel, lock, models and ``files``; and their materials."""
    wheel, base = description.wheel.name, description.base_image or BASE_IMAGE
    dockerfile = _DOCKERFILE.format(base=base, user=USER, state=STATE, wheel=wheel, python=PYTHON)
    locked = locked_wheel(description, lock, python_of(base))
    sent = (*locked, *files, "models")
    context = {
        "Dockerfile": File.text(dockerfile + rest),
        ".dockerignore": File.text("*\n" + "".join(f"!{name}\n" for name in sent)),
        **files,
        **locked,
        **{f"models/{name}": file for name, file in model_files(description).items()},
    }
    bill = materials(description, locked, python_of(base))
    return {**{f"image/{name}": file for name, file in context.items()}, **bill}


def materials(description: Description, locked: Tree, python: str | None) -> Tree:
    """``sbom.cdx.json``, of what :func:`locked_wheel` gave. A base image that does not say its Python has this one."""
    lock = locked["requirements.lock"].content.decode()
    python = python or ".".join(platform.python_version_tuple()[:2])
    return {"sbom.cdx.json": File.text(bill_of_materials(description.name, lock, description.wheel.name, python))}


def model_files(description: Description) -> Tree:
    """The models, as a repository: ``NAME/1/model.hermetic``. They hold weights: their owner alone may read them."""
    return {f"{path.stem}/1/model.hermetic": File(read(path, "the model"), mode=0o600) for path in description.models}


def locked_wheel(description: Description, lock: str, python: str | None) -> Tree:
    """Hermetic's wheel, and a lock that names it and everything it needs, all by their hashes.

    Raises
    ------
    SettingsError
        If the wheel is not one of this version, to which the lock belongs, or not one for the image's ``python``.
    """
    content = read(description.wheel, "the wheel")
    check_wheel(description.wheel.name, content, python)
    digest = hashlib.sha256(content).hexdigest()
    own = f"./{description.wheel.name} --hash=sha256:{digest}\n"
    return {"requirements.lock": File.text(own + resource(lock)), description.wheel.name: File(content)}


def resource(name: str) -> str:
    """A text file of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
