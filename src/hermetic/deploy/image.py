"""The image of the service: a build context whose every input is pinned, and which holds no secret."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from .description import BASE_IMAGE, Description
from .tree import File, Tree, read
from .wheel import check_wheel, python_of

PORT = 8000
USER = 10001
MODELS = "/srv/hermetic/models"
STATE = "/var/lib/hermetic"
PYTHON = "/opt/hermetic/bin/python"

_DOCKERFILE = """\
FROM {base}

RUN groupadd --gid {user} hermetic \\
 && useradd --uid {user} --gid {user} --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hermetic \\
 && install -d -o {user} -g {user} -m 0700 {state}

WORKDIR /srv/hermetic
COPY requirements.lock {wheel} ./
RUN python -m venv /opt/hermetic \\
 && {python} -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY health.py ./
COPY --chown={user}:{user} models models

USER {user}:{user}
EXPOSE {port}
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \\
  CMD ["{python}", "/srv/hermetic/health.py"]
ENTRYPOINT ["/opt/hermetic/bin/hermetic"]
CMD ["serve", "{models}"]
"""


def image_tree(description: Description) -> Tree:
    """The build context: Dockerfile, .dockerignore, wheel, lock and models, below ``image/``."""
    wheel, base = description.wheel.name, description.base_image or BASE_IMAGE
    dockerfile = _DOCKERFILE.format(
        base=base, user=USER, state=STATE, wheel=wheel, python=PYTHON, port=PORT, models=MODELS
    )
    context = {
        "Dockerfile": File.text(dockerfile),
        ".dockerignore": File.text(f"*\n!requirements.lock\n!{wheel}\n!health.py\n!models\n"),
        "health.py": File.text(resource("health.py")),
        **locked_wheel(description, "serve.lock", python_of(base)),
        **{f"models/{name}": file for name, file in model_files(description).items()},
    }
    return {f"image/{name}": file for name, file in context.items()}


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
