"""A network for MNIST that is answered encrypted: one convolution, a polynomial for each map, and a linear layer.

It learns from images, and from a larger network that reads them better and stays where it is: a teacher (Hinton,
Vinyals and Dean, 2015). How both are made was chosen on 5,000 training images that are held out; test images are never
looked at here.
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
_TEMPERATURE = 2.0
_LABELS_WEIGHT = 0.5
"""Of the labels beside the teacher's answers."""

_TEACHER_KEPT, _KEPT = 0.998, 0.9993
"""Of the moving average of weights, a step; less in the first ones."""

_HIDDEN = 3
"""The layers before the activation."""

_FAR, _FAR_WEIGHT, _POWERS_WEIGHT = 2.5, 5.0, 1e-3
"""Hidden values have a standard deviation of about 1."""

Tell = Callable[[int, int], None]
"""Told (done, total) epochs."""

Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]
"""Of a network on images (n, 784) with labels (n,)."""


@dataclass(frozen=True)
class Recipe:
    """How much is trained: images, of which the last are held out, epochs of the teacher and the network, and maps."""

    images: int
    held_out: int
    teacher_epochs: int
    epochs: int
    maps: int


FULL = Recipe(60_000, 5_000, 10, 40, 32)
QUICK = Recipe(6_000, 1_000, 1, 4, 8)


@dataclass(frozen=True, eq=False)
class Trained:
    """The network, in eval mode, and the share of held-out images that it and its teacher read right."""

    network: nn.Module
    accuracy: float
    teacher_accuracy: float


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


def teacher() -> nn.Module:
    """The same by four convolutions with ReLUs: nothing that could be answered encrypted."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 28, 28))]
    for before, maps in ((1, 24), (24, 48)):
        for channels, kernel, stride in ((before, 3, 1), (maps, 5, 2)):
            convolution = nn.Conv2d(channels, maps, kernel, stride=stride, padding=kernel // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(maps), nn.ReLU()]
        layers.append(nn.Dropout(0.2))
    hidden = [nn.Linear(48 * 7 * 7, 128, bias=False), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Flatten(), *hidden, nn.Linear(128, 10))


def trained(data: Mnist, recipe: Recipe, tell: Tell, seed: int = 0) -> Trained:
    """Train the teacher, and then the network, on images that are moved and turned a little."""
    images = torch.tensor(data.train_images.reshape(-1, 784) / 255.0, dtype=torch.float32)
    labels = torch.tensor(data.train_labels.astype("int64"))
    count, total = recipe.images - recipe.held_out, recipe.teacher_epochs + recipe.epochs
    shown = images[:count], labels[:count]
    torch.manual_seed(seed)
    larger = _fitted(
        teacher(), *shown, recipe.teacher_epochs, _of_labels, _TEACHER_KEPT, lambda done: tell(done, total)
    )
    torch.manual_seed(seed + 1)
    network = _fitted(
        convolutional(recipe.maps),
        *shown,
        recipe.epochs,
        lambda *one: _of_teacher(larger, *one),
        _KEPT,
        lambda done: tell(recipe.teacher_epochs + done, total),
    )
    held_out = images[count : recipe.images], labels[count : recipe.images]
    return Trained(network, accuracy(network, *held_out), accuracy(larger, *held_out))


def _fitted(
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    epochs: int,
    loss: Loss,
    kept: float,
    tell: Callable[[int], None],
) -> nn.Module:
    """The moving average of a network's weights while it is trained, in eval mode."""
    average = copy.deepcopy(network)
    steps, done = epochs * -(-len(images) // _BATCH), 0
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    for epoch in range(epochs):
        network.train()
        for chosen in torch.randperm(len(images)).split(_BATCH):
            found = loss(network, moved(images[chosen]), labels[chosen])
            optimiser.zero_grad()
            found.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            _follow(average, network, min(kept, done / (done + 10)))
        tell(epoch + 1)
    return average.eval()


def _of_labels(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(network(images), labels)


def _of_teacher(larger: nn.Module, network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The relative entropy of softened probabilities, that of labels, and a penalty of the range."""
    with torch.no_grad():
        wanted = functional.softmax(larger(images) / _TEMPERATURE, dim=1)
    hidden = network[:_HIDDEN](images)
    scores = network[_HIDDEN:](hidden)
    soft = functional.log_softmax(scores / _TEMPERATURE, dim=1)
    distance = _TEMPERATURE**2 * functional.kl_div(soft, wanted, reduction="batchmean")
    own = _LABELS_WEIGHT * functional.cross_entropy(scores, labels)
    return own + distance + _range_penalty(hidden, network[_HIDDEN].coefficients)


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
