"""A network for MNIST that is answered encrypted: one convolution, a polynomial for each map, and a linear layer.

How it is made was chosen on 5,000 training images that were held out; test images are never looked at here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from hermetic import train
from hermetic.demo.mnist import Mnist

_BATCH = 128
_RATE = 3e-3
_KEPT_SHARE = 0.9993
"""Of the moving average of weights, a step; less in the first ones."""

_HIDDEN = 3
"""The layers before the activation."""

_FAR, _FAR_WEIGHT, _POWERS_WEIGHT = 2.5, 5.0, 1e-3
"""Hidden values have a standard deviation of about 1."""

Tell = Callable[[int, int], None]
"""Told (done, total) epochs."""


@dataclass(frozen=True)
class Recipe:
    """How much is trained: images, of which the last are held out, epochs and maps."""

    images: int
    held_out: int
    epochs: int
    maps: int


CHOOSING = Recipe(60_000, 5_000, 36, 32)
"""What choices were made with: rates, sizes, how images are moved."""

FULL = Recipe(60_000, 0, 36, 32)
QUICK = Recipe(6_000, 1_000, 4, 8)


@dataclass(frozen=True, eq=False)
class Trained:
    """The network, in eval mode, and the share of held-out images that it reads right, if there are any."""

    network: nn.Module
    accuracy: float | None


def convolutional(maps: int) -> nn.Module:
    """Rows of 784 values from 0 to 1 to 10 scores."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, maps, 8, stride=2, bias=False),
        nn.BatchNorm2d(maps, momentum=0.03),
        train.Polynomial(4, maps),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(maps * 11 * 11, 10),
    )


def trained(data: Mnist, recipe: Recipe, tell: Tell, seed: int = 0) -> Trained:
    """Train on images that are moved and turned a little; what is kept is the moving average of the weights."""
    torch.manual_seed(seed)
    images = torch.tensor(data.train_images.reshape(-1, 784) / 255.0, dtype=torch.float32)
    labels = torch.tensor(data.train_labels.astype("int64"))
    count = recipe.images - recipe.held_out
    network = convolutional(recipe.maps)
    average = copy.deepcopy(network)
    steps, done = recipe.epochs * -(-count // _BATCH), 0
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    for epoch in range(recipe.epochs):
        network.train()
        for chosen in torch.randperm(count).split(_BATCH):
            hidden = network[:_HIDDEN](moved(images[chosen]))
            loss = functional.cross_entropy(network[_HIDDEN:](hidden), labels[chosen])
            optimiser.zero_grad()
            (loss + _range_penalty(hidden, network[_HIDDEN].coefficients)).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            _follow(average, network, min(_KEPT_SHARE, done / (done + 10)))
        tell(epoch + 1, recipe.epochs)
    average.eval()
    held_out = slice(count, recipe.images)
    return Trained(average, accuracy(average, images[held_out], labels[held_out]) if recipe.held_out else None)


def _range_penalty(hidden: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Of hidden values far from 0, and of high powers: the smaller both are, the better answers can be flooded."""
    beyond = torch.relu(hidden.abs() - _FAR).square().mean()
    return _FAR_WEIGHT * beyond + _POWERS_WEIGHT * coefficients[:, 3:].square().sum()


def _follow(average: nn.Module, network: nn.Module, share: float) -> None:
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(new, 1 - share)


def accuracy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images that are read right."""
    with torch.no_grad():
        right = sum(
            int((network(some).argmax(dim=1) == wanted).sum())
            for some, wanted in zip(images.split(1000), labels.split(1000), strict=True)
        )
    return right / len(images)


def moved(images: torch.Tensor) -> torch.Tensor:
    """Images (n, 784) turned by up to 4 degrees, larger or smaller by up to 5 %, slanted, moved by up to 1.2 pixels."""
    count = len(images)
    angle, slant, sizes = (_within(share, count) for share in (0.075, 0.06, 0.05))
    shift = _within(0.0857, 2 * count).reshape(count, 2)
    cos, sin = torch.cos(angle) * (1 + sizes), torch.sin(angle) * (1 + sizes)
    rows = torch.stack([torch.stack([cos, slant - sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    grid = functional.affine_grid(rows, [count, 1, 28, 28], align_corners=False)
    return functional.grid_sample(images.reshape(-1, 1, 28, 28), grid, align_corners=False).reshape(count, 784)


def _within(share: float, count: int) -> torch.Tensor:
    return (torch.rand(count) * 2 - 1) * share
