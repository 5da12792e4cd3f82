"""The trained network, kept in a folder, so that it is trained once."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import astuple
from pathlib import Path

import torch

from hermetic.cli.console import stderr
from hermetic.cli.progress import bar
from hermetic.cli.units import duration
from hermetic.demo.mnist import Mnist

from .training import Recipe, convolutional, trained


def kept_network(recipe: Recipe, data: Mnist, folder: Path) -> tuple[Path, torch.nn.Module]:
    """The network from the folder, or a fresh one that is then kept there, and its file. Tells stderr how far it is."""
    file = _file(recipe, data, folder)
    if file.is_file():
        network = convolutional(recipe.maps)
        network.load_state_dict(torch.load(file, weights_only=True))
        return file, network.eval()
    start = time.perf_counter()
    with bar("Training, epochs") as shown:
        found = trained(data, recipe, shown.advance)
    held_out = f"{found.accuracy:.2%}, its teacher {found.teacher_accuracy:.2%}"
    stderr().print(f"trained in {duration(time.perf_counter() - start)}; read right of those held out: {held_out}")
    folder.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)  # it is the model owner's secret
    torch.save(found.network.state_dict(), file)
    return file, found.network


def _file(recipe: Recipe, data: Mnist, folder: Path) -> Path:
    """Where the network is kept: another recipe, or other data, make another name."""
    digest = hashlib.sha256(json.dumps([*astuple(recipe), data.training_digest]).encode()).hexdigest()
    return folder / f"mnist-cnn-{digest[:16]}.pt"
