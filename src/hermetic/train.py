"""Networks that are answered well encrypted: square activations, and training from a model that is fitted already.

A square is what an encrypted network computes best: it is exact, its range can be proved, and it takes one product.
Other activations are replaced by polynomials when a network is compiled, and the network's answers change. Distillation
(Hinton, Vinyals and Dean, 2015) wins them back: a network with squares learns what the fitted model answers. This needs
PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .features.block import real_number, whole_number
from .real_values import as_reals

try:
    import torch  # type: ignore[import-not-found]
except ImportError as error:
    raise ImportError("hermetic.train needs PyTorch, which is not installed: pip install torch.") from error

_BATCH = 128
_RATE = 3e-3
_TEMPERATURE = 2.0
_LARGEST_GRADIENT = 1.0
_RANGE_SHARE = 2.0
"""How many times the largest score of the fitted model a score may be before it is penalised."""

_MOST = 1 << 20
_LEAST_PROBABILITY = 1e-6
_LEAST_WIDTH = 1e-12

Progress = Callable[[int, int], object]
"""Called with the epochs done, and how many there are."""


class Square(torch.nn.Module):  # type: ignore[misc]
    """x², value by value: the activation that is answered as it is, see :func:`hermetic.compile`."""

    def forward(self, x: Any) -> Any:
        """The squares of a tensor, of its own shape."""
        return x * x


class Polynomial(torch.nn.Module):  # type: ignore[misc]
    """c0 + c1·x + … of a degree from 2 to 8, value by value, with coefficients that are trained.

    It is answered as it is, see :func:`hermetic.compile`. It starts as x + 0.3·x², and is meant to follow a batch
    normalisation.

    Parameters
    ----------
    degree
        2 to 8. Up to 4 takes the least; beyond, a larger ring and more time.
    maps
        How many maps, or neurons, have coefficients of their own: as many as the second axis of what it is applied to.
        1 for the same everywhere.

    Raises
    ------
    ParameterError
        If ``degree`` is no whole number from 2 to 8, or ``maps`` no positive whole number.
    """

    def __init__(self, degree: int = 4, maps: int = 1) -> None:
        super().__init__()
        whole_number(degree, 2, 8, "degree")
        whole_number(maps, 1, _MOST, "maps")
        first = torch.zeros(maps, degree + 1)
        first[:, 1], first[:, 2] = 1.0, 0.3
        self.coefficients = torch.nn.Parameter(first)

    def forward(self, x: Any) -> Any:
        """The polynomial of each value of a tensor, of its own shape."""
        rows = self.coefficients.T.reshape(-1, 1, len(self.coefficients), *[1] * (x.ndim - 2))
        found = rows[-1] * x
        for coefficient in rows[1:-1].flip(0):
            found = (found + coefficient) * x
        return found + rows[0]


def network(inputs: int, hidden: int | Sequence[int], outputs: int) -> Any:
    """A ``torch.nn.Sequential`` of Linear and :class:`Square` for every hidden layer, and Linear, with small weights,
    to be trained. ``hidden`` is the neurons of one hidden layer, or of several.

    Squares grow fast: with PyTorch's own initial weights the first steps diverge.
    """
    sizes, layers = [inputs, *_widths_of(hidden)], []
    for number, (before, after) in enumerate(pairwise(sizes)):
        layers += [torch.nn.Linear(before, after), Square()]
        torch.nn.init.normal_(layers[-2].weight, 0.0, (1.0 if number else 0.5) / math.sqrt(before))
    last = torch.nn.Linear(sizes[-1], outputs)
    torch.nn.init.normal_(last.weight, 0.0, 1.0 / math.sqrt(sizes[-1]))
    return torch.nn.Sequential(*layers, last)


def _widths_of(hidden: int | Sequence[int]) -> tuple[int, ...]:
    """The neurons of each hidden layer."""
    widths = tuple(hidden) if isinstance(hidden, Sequence) else (hidden,)
    for width in widths or (0,):
        whole_number(width, 1, _MOST, "hidden")
    return widths


def distil(
    teacher: Any,
    X: Any,
    *,
    hidden: int | Sequence[int] = 128,
    epochs: int = 20,
    range_penalty: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Any:
    """Train a network with squares on the answers of a fitted model.

    Parameters
    ----------
    teacher
        A fitted estimator with ``predict_proba`` or ``predict``, or a ``torch.nn.Module`` in eval mode whose outputs
        are scores (n, k): of classes if there are several, else real targets.
    X
        Inputs (n, d): an array, a DataFrame, a sparse matrix or a list. More are better, and no labels are needed:
        inputs that were not used to fit the teacher do as well.
    hidden
        Neurons of the hidden layer, or of each of several: ``(64, 32)``. A second one takes a larger ring, larger keys
        and some ten times longer.
    epochs
        How often every input is seen.
    range_penalty
        How much scores count that are larger than twice the teacher's largest, on random inputs between the smallest
        and the largest of each feature. It keeps the range small, and with it the error of encrypted answers; 0 for
        none.
    seed
        The same seed gives the same network on the same machine.
    progress
        Called after every epoch with the epochs done and all.

    Returns
    -------
    torch.nn.Sequential
        Linear and Square for every hidden layer, and Linear, of float64, in eval mode, on the inputs as they are; and
        Softmax at the end where the teacher gives probabilities. :func:`hermetic.compile` takes it, with
        ``labels=teacher.classes_``.

    Raises
    ------
    InputError
        If X holds anything but finite numbers, has fewer than two rows, or the teacher does not take it, is in training
        mode or gives answers that are not finite.
    ParameterError
        If ``epochs`` or a number of ``hidden`` is no positive whole number, or ``range_penalty`` is negative.
    """
    _widths_of(hidden)
    whole_number(epochs, 1, _MOST, "epochs")
    real_number(range_penalty, 0.0, _MOST, "range_penalty")
    rows = _rows(X)
    targets = _Targets.of(teacher, rows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = _trained(rows, targets, hidden, epochs, range_penalty, progress)
    layers = [*student, *([torch.nn.Softmax(dim=1)] if targets.probabilities else [])]
    return torch.nn.Sequential(*layers).eval()


@dataclass(frozen=True, eq=False)
class _Targets:
    """What is learned: scores (n, k), of classes or not; ``probabilities`` says whether the teacher gives those."""

    scores: npt.NDArray[np.float64]
    of_classes: bool
    probabilities: bool

    @staticmethod
    def of(teacher: Any, rows: npt.NDArray[np.float64]) -> _Targets:
        """The teacher's answers to rows."""
        _check_teacher(teacher)
        try:
            found = _Targets._answered(teacher, rows)
        except (RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"the teacher must answer X. It does not: {str(error).splitlines()[0]}.") from error
        if not np.isfinite(found.scores).all():
            raise InputError("the teacher's answers to X must be finite. Some are not: look at what it predicts.")
        return found

    @staticmethod
    def _answered(teacher: Any, rows: npt.NDArray[np.float64]) -> _Targets:
        if isinstance(teacher, torch.nn.Module):
            with torch.no_grad():
                scores = teacher(next(teacher.parameters()).new_tensor(rows)).double().numpy()
            return _Targets(scores.reshape(len(rows), -1), scores.ndim == 2 and scores.shape[1] > 1, False)
        if hasattr(teacher, "predict_proba"):
            shares = np.asarray(teacher.predict_proba(rows), dtype=np.float64)
            return _Targets(np.log(np.maximum(shares, _LEAST_PROBABILITY)), True, True)
        scores = np.asarray(teacher.predict(rows), dtype=np.float64)
        return _Targets(scores.reshape(len(rows), -1), False, False)


def _check_teacher(teacher: Any) -> None:
    if isinstance(teacher, torch.nn.Module):
        if teacher.training:
            raise InputError("the teacher must be in eval mode. It is in training mode: call .eval() on it.")
    elif not (hasattr(teacher, "predict_proba") or hasattr(teacher, "predict")):
        raise InputError(
            f"teacher must be a fitted estimator or a torch.nn.Module. Got {type(teacher).__name__} instead."
        )


def _rows(X: Any) -> npt.NDArray[np.float64]:
    rows = np.asarray(as_reals(X, what="X"), dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
        raise InputError(f"X must have shape (n, d) with two rows or more. Got {rows.shape} instead.")
    if not np.isfinite(rows).all():
        raise InputError("X must be finite. It holds NaN or infinity: leave such rows out, or fill them in.")
    return rows


def _trained(
    rows: npt.NDArray[np.float64],
    targets: _Targets,
    hidden: int | Sequence[int],
    epochs: int,
    penalty: float,
    progress: Progress | None,
) -> Any:
    """The network, on inputs and targets as they are; it is trained on standardised ones."""
    middle, width = rows.mean(axis=0), _widths(rows)
    shift, scale = np.zeros(1), np.ones(1)
    if not targets.of_classes:
        deviation = targets.scores.std(axis=0)
        shift, scale = targets.scores.mean(axis=0), np.where(deviation > _LEAST_WIDTH, deviation, 1.0)
    inputs = torch.tensor((rows - middle) / width, dtype=torch.float32)
    wanted = torch.tensor((targets.scores - shift) / scale, dtype=torch.float32)
    student = network(inputs.shape[1], hidden, wanted.shape[1])
    low, high = inputs.min(dim=0).values, inputs.max(dim=0).values
    limit = _RANGE_SHARE * wanted.abs().max().clamp(min=1.0)
    steps = epochs * -(-len(inputs) // _BATCH)
    optimiser = torch.optim.Adam(student.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    for epoch in range(epochs):
        for chosen in _batches(len(inputs)):
            loss = _distance(student(inputs[chosen]), wanted[chosen], of_classes=targets.of_classes)
            anywhere = low + (high - low) * torch.rand(len(chosen), inputs.shape[1])
            beyond = torch.relu(student(anywhere).abs() / limit - 1)
            optimiser.zero_grad()
            (loss + penalty * beyond.square().mean()).backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), _LARGEST_GRADIENT)
            optimiser.step()
            schedule.step()
        if progress is not None:
            progress(epoch + 1, epochs)
    return _unstandardised(student.double(), middle, width, shift, scale)


def _batches(count: int) -> Iterator[Any]:
    yield from torch.randperm(count).split(_BATCH)


def _distance(scores: Any, wanted: Any, *, of_classes: bool) -> Any:
    """The relative entropy of softened probabilities, or the mean square."""
    if not of_classes:
        return (scores - wanted).square().mean()
    soft = (torch.log_softmax(one / _TEMPERATURE, dim=1) for one in (scores, wanted))
    return _TEMPERATURE**2 * torch.nn.functional.kl_div(*soft, log_target=True, reduction="batchmean")


def _widths(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What features are divided by: their standard deviation, but a tenth of their range at least, so that one which
    hardly ever varies gets no weights that are huge where it does; 1 for one that never varies.
    """
    widths = np.maximum(rows.std(axis=0), np.ptp(rows, axis=0) / 10)
    return np.where(widths > _LEAST_WIDTH, widths, 1.0)


def _unstandardised(student: Any, middle: Any, width: Any, shift: Any, scale: Any) -> Any:
    """The network with what inputs and targets were standardised by in its layers."""
    first, last = student[0], student[-1]
    with torch.no_grad():
        first.weight.div_(torch.tensor(width))
        first.bias.sub_(first.weight @ torch.tensor(middle))
        last.weight.mul_(torch.tensor(scale)[:, None])
        last.bias.mul_(torch.tensor(scale)).add_(torch.tensor(shift))
    return student
