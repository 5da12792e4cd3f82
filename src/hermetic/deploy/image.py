"""The image of the service: a build context whose every input is pinned, and which holds no secret."""

from __future__ import annotations

import email.parser
import hashlib
import io
import zipfile
from importlib.metadata import version
from importlib.resources import files

from ..errors import SettingsError
from .description import BASE_IMAGE, Description
from .tree import File, Tree, read

PORT = 8000
VERSION = version("hermetic")
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
    wheel = description.wheel.name
    dockerfile = _DOCKERFILE.format(
        base=description.base_image or BASE_IMAGE, user=USER, state=STATE, wheel=wheel, python=PYTHON, port=PORT,
        models=MODELS,
    )  # fmt: skip
    context = {
        "Dockerfile": File.text(dockerfile),
        ".dockerignore": File.text(f"*\n!requirements.lock\n!{wheel}\n!health.py\n!models\n"),
        "health.py": File.text(resource("health.py")),
        **locked_wheel(description, "serve.lock"),
        **{f"models/{name}": file for name, file in model_files(description).items()},
    }
    return {f"image/{name}": file for name, file in context.items()}


def model_files(description: Description) -> Tree:
    """The models, as a repository: ``NAME/1/model.hermetic``. They hold weights: their owner alone may read them."""
    return {f"{path.stem}/1/model.hermetic": File(read(path, "the model"), mode=0o600) for path in description.models}


def locked_wheel(description: Description, lock: str) -> Tree:
    """Hermetic's wheel, and a lock that names it and everything it needs, all by their hashes.

    Raises
    ------
    SettingsError
        If the wheel is not one of this version: the lock belongs to it.
    """
    content = read(description.wheel, "the wheel")
    _check_wheel(description.wheel.name, content)
    digest = hashlib.sha256(content).hexdigest()
    own = f"./{description.wheel.name} --hash=sha256:{digest}\n"
    return {"requirements.lock": File.text(own + resource(lock)), description.wheel.name: File(content)}


def resource(name: str) -> str:
    """A text file of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _check_wheel(name: str, content: bytes) -> None:
    own = f"hermetic-{VERSION}"
    how = "Build it from the source of this version with: pip wheel --no-deps ."
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            metadata = archive.read(f"{own}.dist-info/METADATA").decode()
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise SettingsError(f"the wheel must be that of hermetic {VERSION}. {name} is not. {how}") from None
    if email.parser.Parser().parsestr(metadata)["Name"] != "hermetic" or not name.startswith(f"{own}-"):
        raise SettingsError(f"the wheel must be that of hermetic {VERSION}. {name} is not. {how}")
