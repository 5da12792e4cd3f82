"""Two networks for MNIST: a usual one with ReLUs, and one that is answered encrypted and learns from its answers.

Which epoch is kept is chosen on training images that were held out; test images are never looked at here.
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

HELD_OUT = 5_000
_BATCH = 128
_TEMPERATURE = 3.0
_KEPT_SHARE = 0.999
"""Of the moving average of weights, a step; less in the first ones."""

Tell = Callable[[int, int], None]
"""Told (done, total) epochs."""


@dataclass(frozen=True)
class Recipe:
    """How much is trained: images, epochs of both networks, and maps of the second."""

    images: int
    teacher_epochs: int
    student_epochs: int
    maps: int


FULL = Recipe(60_000 - HELD_OUT, 12, 30, 32)
QUICK = Recipe(5_000, 1, 3, 8)


@dataclass(frozen=True, eq=False)
class Trained:
    """The network that was trained, and the shares of held-out images that both read right."""

    network: nn.Module
    teacher_accuracy: float
    accuracy: float


def teacher() -> nn.Module:
    """Two convolutions with ReLUs and maxima, which no encrypted evaluation computes in milliseconds."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 24, 5, padding=2, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(24, 48, 5, padding=2, bias=False),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(48 * 7 * 7, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, 10),
    )


def student(maps: int) -> nn.Module:
    """One convolution and a polynomial of degree 4."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, maps, 8, stride=2, bias=False),
        nn.BatchNorm2d(maps),
        train.Polynomial(4, maps),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(maps * 11 * 11, 10),
    )


def trained(data: Mnist, recipe: Recipe, tell: Tell, seed: int = 0) -> Trained:
    """A teacher on labels, then a student on the teacher's answers, to images moved and turned a little."""
    torch.manual_seed(seed)
    images = torch.tensor(data.train_images.reshape(-1, 784) / 255.0, dtype=torch.float32)
    labels = torch.tensor(data.train_labels.astype("int64"))
    split = Split(images[: recipe.images], labels[: recipe.images], images[-HELD_OUT:], labels[-HELD_OUT:])
    total = recipe.teacher_epochs + recipe.student_epochs

    def on_labels(scores: torch.Tensor, _: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(scores, wanted, label_smoothing=0.03)

    large, large_right = fitted(teacher(), split, recipe.teacher_epochs, on_labels, lambda done: tell(done, total))

    def on_answers(scores: torch.Tensor, inputs: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted = functional.log_softmax(large(inputs) / _TEMPERATURE, dim=1)
        found = functional.log_softmax(scores / _TEMPERATURE, dim=1)
        return _TEMPERATURE**2 * functional.kl_div(found, wanted, log_target=True, reduction="batchmean")

    def told(done: int) -> None:
        tell(recipe.teacher_epochs + done, total)

    small, right = fitted(student(recipe.maps), split, recipe.student_epochs, on_answers, told)
    return Trained(small, large_right, right)


@dataclass(frozen=True, eq=False)
class Split:
    """Images (n, 784) in [0, 1] and labels: those that are fitted, and those that are held out."""

    images: torch.Tensor
    labels: torch.Tensor
    held_out: torch.Tensor
    held_out_labels: torch.Tensor


Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Of scores, the inputs that they are of, and their labels."""


def fitted(
    network: nn.Module, split: Split, epochs: int, loss: Loss, tell: Callable[[int], None]
) -> tuple[nn.Module, float]:
    """The moving average of a network's weights after the epoch that reads most held-out images, and how many."""
    average, best, most = copy.deepcopy(network), copy.deepcopy(network), -1.0
    steps, done = epochs * -(-len(split.images) // _BATCH), 0
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for epoch in range(epochs):
        network.train()
        for chosen in torch.randperm(len(split.images)).split(_BATCH):
            inputs = moved(split.images[chosen])
            optimiser.zero_grad()
            loss(network(inputs), inputs, split.labels[chosen]).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            _follow(average, network, min(_KEPT_SHARE, done / (done + 10)))
        right = accuracy(average.eval(), split.held_out, split.held_out_labels)
        if right >= most:
            best, most = copy.deepcopy(average), right
        tell(epoch + 1)
    return best.eval(), most


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
