"""What PyTorch modules compute, beside what hermetic makes of them encrypted. Runs where PyTorch is, without pytest.

``python check.py IMAGES.npz FOLDER`` prints JSON: a name for each module, and what both gave.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import hermetic
from hermetic import train

FEATURES = 20
SAMPLES = np.random.default_rng(0).normal(size=(300, FEATURES))

AFFINE: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(FEATURES, 3),
    "without bias": lambda: nn.Linear(FEATURES, 3, bias=False),
    "two layers": lambda: nn.Sequential(nn.Flatten(), nn.Linear(FEATURES, 8), nn.Identity(), nn.Linear(8, 4)),
    "batch norm": lambda: nn.Sequential(nn.BatchNorm1d(FEATURES), nn.Linear(FEATURES, 8), nn.BatchNorm1d(8)),
    "batch norm of fixed scale": lambda: nn.Sequential(nn.Linear(FEATURES, 3), nn.BatchNorm1d(3, affine=False)),
    "softmax": lambda: nn.Sequential(nn.Linear(FEATURES, 8), nn.Dropout(), nn.Linear(8, 4), nn.Softmax(dim=1)),
    "log softmax": lambda: nn.Sequential(nn.Linear(FEATURES, 3), nn.LogSoftmax(dim=-1)),
    "sigmoid": lambda: nn.Sequential(nn.Sequential(nn.Linear(FEATURES, 5), nn.Linear(5, 1)), nn.Sigmoid()),
    "double": lambda: nn.Linear(FEATURES, 2).double(),
}


class Own(nn.Module):
    """A module with a method of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


REFUSED: dict[str, Callable[[], nn.Module]] = {
    "activation": lambda: nn.Sequential(nn.Linear(FEATURES, 8), nn.ELU(), nn.Linear(8, 1)).eval(),
    "two activations": lambda: nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Tanh(), nn.Linear(8, 1)).eval(),
    "activation first": lambda: nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, 1)).eval(),
    "own class": lambda: Own().eval(),
    "training": lambda: nn.Sequential(nn.Dropout(), nn.Linear(FEATURES, 2)),
    "sigmoids": lambda: nn.Sequential(nn.Linear(FEATURES, 3), nn.Sigmoid()).eval(),
    "link between": lambda: nn.Sequential(nn.Linear(FEATURES, 3), nn.Softmax(dim=1), nn.Linear(3, 2)).eval(),
    "half": lambda: nn.Linear(FEATURES, 2).half().eval(),
    "nothing": lambda: nn.Sequential(nn.Identity()).eval(),
    "not fitting": lambda: nn.Sequential(nn.Linear(FEATURES, 3), nn.Linear(4, 2)).eval(),
    "not finite": lambda: _filled(nn.Linear(FEATURES, 2), float("nan")),
    "hooked": lambda: _hooked(nn.Linear(FEATURES, 2)),
}


def _filled(module: nn.Linear, value: float) -> nn.Module:
    nn.init.constant_(module.weight, value)
    return module.eval()


def _hooked(module: nn.Module) -> nn.Module:
    module.register_forward_hook(lambda _module, _inputs, output: output + 1)
    return module.eval()


def trained(make: Callable[[], nn.Module]) -> nn.Module:
    """A module whose batch norms have seen data, in eval mode."""
    torch.manual_seed(0)
    module = make()
    module(torch.randn(256, FEATURES, dtype=next(module.parameters()).dtype) * 2 + 1)
    return module.eval()


def own_answer(module: nn.Module, X: Any) -> np.ndarray:
    with torch.no_grad():
        return module(torch.tensor(X, dtype=next(module.parameters()).dtype)).double().numpy()


def decrypted(model: hermetic.CompiledModel, X: Any, **options: Any) -> tuple[hermetic.Client, hermetic.Result]:
    client = hermetic.Client(model.signature, **options)
    return client, model.evaluate(client.encrypt(X), client.public_key)


def compared(module: nn.Module, model: hermetic.CompiledModel) -> dict[str, Any]:
    """How far the decrypted answers to some samples are from the module's own."""
    X = SAMPLES[:20]
    client, result = decrypted(model, X)
    own, signature = own_answer(module, X), model.signature
    if signature.link is None:
        found = client.decrypt(result)
    else:
        found = client.predict_proba(result)[:, -own.shape[1] :]
        own = np.exp(own) if own.max() <= 0 else own
    return {
        "apart": float(np.abs(found - own).max()),
        "same shape": found.shape == own.shape,
        "error": signature.error,
        "link": signature.link,
        "labels": None if signature.labels is None else signature.labels.tolist(),
        "name": signature.name,
    }


def exported(module: nn.Module, folder: Path, name: str) -> str:
    """The module as PyTorch itself writes it in ONNX."""
    file = str(folder / f"{name}.onnx")
    sample = torch.randn(2, FEATURES, dtype=next(module.parameters()).dtype)
    torch.onnx.export(module, (sample,), file, dynamic_shapes=({0: "n"},), external_data=False, verbose=False)
    return file


def refusal(make: Callable[[], nn.Module]) -> str:
    try:
        hermetic.compile(make(), SAMPLES)
    except hermetic.CompileError as error:
        return str(error)
    return "compiled"


class Probabilities:
    """As a fitted classifier: probabilities of a module's scores."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        scores = own_answer(self.module, X)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


class Targets:
    """As a fitted regressor, of one target far from 0."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return 1000.0 + 50.0 * np.tanh(X[:, 0]) + 10.0 * X[:, 1] * X[:, 2]


def networks() -> dict[str, Any]:
    """Networks as they are: encrypted answers beside the module's own."""
    made: dict[str, Callable[[], nn.Module]] = {
        "relu": lambda: nn.Sequential(nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, 3)),
        "tanh": lambda: nn.Sequential(nn.BatchNorm1d(FEATURES), nn.Linear(FEATURES, 16), nn.Tanh(), nn.Linear(16, 1)),
        "sigmoid": lambda: nn.Sequential(nn.Linear(FEATURES, 12), nn.Sigmoid(), nn.Linear(12, 3), nn.Softmax(dim=1)),
        "square": lambda: nn.Sequential(nn.Linear(FEATURES, 16), train.Square(), nn.Linear(16, 2)),
        "two hidden layers": lambda: nn.Sequential(
            nn.Linear(FEATURES, 16),
            train.Square(),
            nn.Linear(16, 8),
            nn.BatchNorm1d(8),
            train.Square(),
            nn.Linear(8, 2),
        ),
    }
    return {name: compared(one := trained(make), hermetic.compile(one, SAMPLES)) for name, make in made.items()}


def image(*shape: int) -> nn.Module:
    """The features as an image."""
    return nn.Unflatten(1, shape)


CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "square": lambda: nn.Sequential(
        image(1, 4, 5), nn.Conv2d(1, 3, 2), train.Square(), nn.Flatten(), nn.Linear(3 * 3 * 4, 3)
    ),
    "polynomial": lambda: nn.Sequential(
        image(1, 4, 5),
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        train.Polynomial(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 2 * 2, 3),
        nn.Softmax(dim=1),
    ),
    "relu": lambda: nn.Sequential(
        nn.BatchNorm1d(FEATURES),
        image(2, 5, 2),
        nn.Conv2d(2, 4, (3, 1), stride=(2, 1)),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 2 * 2, 8),
        nn.Dropout(),
        nn.Linear(8, 1),
    ),
    "groups and steps between taps": lambda: nn.Sequential(
        image(2, 2, 5),
        nn.Conv2d(2, 4, (1, 2), groups=2, dilation=(1, 2), padding=(1, 0)),
        nn.BatchNorm2d(4),
        nn.Dropout2d(),
        nn.AvgPool2d((2, 1), padding=(1, 0), count_include_pad=False),
        train.Polynomial(6, maps=4),
        nn.BatchNorm2d(4),
        nn.Flatten(),
        nn.Linear(4 * 3 * 3, 2),
    ),
    "on what is no image of inputs": lambda: nn.Sequential(
        nn.Linear(FEATURES, 12), image(3, 2, 2), nn.Conv2d(3, 2, 2), nn.Flatten(), train.Square(), nn.Linear(2, 2)
    ),
    "affine": lambda: nn.Sequential(image(1, 4, 5), nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 2 * 3, 3)),
}

NO_CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "no image": lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(12, 3)),
    "other size": lambda: nn.Sequential(image(1, 5, 5), nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 3)),
    "too small": lambda: nn.Sequential(image(1, 4, 5), nn.Conv2d(1, 2, 5), nn.Flatten(), nn.Linear(2, 3)),
    "channels": lambda: nn.Sequential(image(2, 2, 5), nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(20, 3)),
    "flattened otherwise": lambda: nn.Sequential(nn.Unflatten(1, (4, 5)), nn.Flatten(), nn.Linear(20, 3)),
    "reflected": lambda: nn.Sequential(
        image(1, 4, 5), nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), nn.Flatten(), nn.Linear(40, 3)
    ),
    "polynomials": lambda: nn.Sequential(
        image(1, 4, 5), nn.Conv2d(1, 2, 3), train.Polynomial(4, maps=12), nn.Flatten(), nn.Linear(12, 3)
    ),
    "same": lambda: nn.Sequential(image(1, 4, 5), nn.Conv2d(1, 2, 3, padding="same"), nn.Flatten(), nn.Linear(40, 3)),
    "ceil": lambda: nn.Sequential(
        image(1, 4, 5), nn.Conv2d(1, 2, 1), nn.AvgPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(12, 3)
    ),
    "training": lambda: nn.Sequential(
        image(1, 4, 5), nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(12, 3)
    ).train(),
    "no rows": lambda: nn.Sequential(image(1, 4, 5), nn.Conv2d(1, 2, 3)),
}


def convolutions() -> dict[str, Any]:
    """Encrypted answers beside the module's own, and what is refused."""
    compared_ones = {}
    for name, make in CONVOLUTIONS.items():
        module = trained(make)
        model = hermetic.compile(module, SAMPLES)
        compared_ones[name] = compared(module, model) | {"network": model.signature.circuit.descriptions.get("network")}
    refused = {
        name: refusal(lambda make=make, name=name: make() if name == "training" else make().eval())
        for name, make in NO_CONVOLUTIONS.items()
    }
    return {"compared": compared_ones, "refused": refused, "degree": train_refusal()}


def train_refusal() -> str:
    try:
        train.Polynomial(9)
    except hermetic.ParameterError as error:
        return str(error)
    return "made"


def distilled() -> dict[str, Any]:
    """Students of a ReLU network, of probabilities and of a regressor, on inputs that none of them saw."""
    teacher = trained(lambda: nn.Sequential(nn.Linear(FEATURES, 24), nn.ReLU(), nn.Linear(24, 3)))
    random, seen = np.random.default_rng(1), []
    X, fresh = (random.normal(size=(n, FEATURES)) * 2 + 1 for n in (4000, 500))
    students = {
        name: train.distil(one, X, hidden=32, epochs=12, progress=lambda done, all_: seen.append((done, all_)))
        for name, one in (("module", teacher), ("probabilities", Probabilities(teacher)), ("targets", Targets()))
    }
    again = train.distil(teacher, X, hidden=32, epochs=12)
    classes = own_answer(teacher, fresh).argmax(axis=1)
    wanted, spread = Targets().predict(fresh), Targets().predict(fresh).std()
    model = hermetic.compile(students["probabilities"], X, labels=["a", "b", "c"])
    client, result = decrypted(model, fresh[:20], clip=True)
    student = own_answer(students["probabilities"], fresh[:20]).argmax(axis=1)
    return {
        "agreement": {
            name: float((own_answer(students[name], fresh).argmax(axis=1) == classes).mean())
            for name in ("module", "probabilities")
        },
        "error over spread": float(np.abs(own_answer(students["targets"], fresh)[:, 0] - wanted).mean() / spread),
        "same again": all(
            torch.equal(one, other)
            for one, other in zip(students["module"].parameters(), again.parameters(), strict=True)
        ),
        "encrypted as the student": (client.predict(result) == np.array(["a", "b", "c"])[student]).tolist(),
        "degree": model.signature.circuit.degree,
        "hidden layers": [type(layer).__name__ for layer in train.distil(teacher, X, hidden=[8, 4], epochs=1)],
        "epochs seen": seen[:12],
        "refused": {
            "rows": taught(teacher, X[0]),
            "nan": taught(teacher, np.full((3, FEATURES), np.nan)),
            "no teacher": taught(object(), X),
            "words": taught(teacher, [["a"] * FEATURES] * 2),
            "width": taught(teacher, X[:, :3]),
            "training": taught(nn.Sequential(nn.Linear(FEATURES, 2), nn.Dropout()), X),
            "no neurons": taught(teacher, X, hidden=0),
            "no layers": taught(teacher, X, hidden=()),
            "two hidden layers": taught(teacher, X, hidden=(8, 4)),
            "no epochs": taught(teacher, X, epochs=0),
            "penalty": taught(teacher, X, range_penalty=-1.0),
            "constant": taught(Constant(), X),
        },
    }


class Constant:
    """As a regressor that learned nothing."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.ones(len(X))


def taught(teacher: Any, X: Any, **options: Any) -> str:
    try:
        student = train.distil(teacher, X, **{"epochs": 1, **options})
    except hermetic.HermeticError as error:
        return str(error)
    return "trained" if all(one.isfinite().all() for one in student.parameters()) else "diverged"


def on_a_backbone(file: str) -> dict[str, Any]:
    """A private head on convolutions with fixed random weights, on real images."""
    data = np.load(file)
    torch.manual_seed(0)
    backbone = nn.Sequential(
        nn.Conv2d(1, 48, 7, stride=2), nn.ReLU(), nn.AvgPool2d(3), nn.Flatten(), nn.LayerNorm(48 * 9)
    ).eval()

    def convolutions(images: Any) -> torch.Tensor:
        """Images (n, 28, 28) of bytes -> features (n, 432)."""
        with torch.no_grad():
            return backbone(torch.tensor(np.asarray(images), dtype=torch.float32)[:, None] / 255)

    features = convolutions(data["train"])
    head = nn.Linear(features.shape[1], 10)
    _fit(head, features, torch.tensor(data["train_labels"]))
    model = hermetic.compile(head, data["train"], features=convolutions, labels=range(10), name="digits")
    client, result = decrypted(model, data["test"], features=convolutions, clip=True)
    with torch.no_grad():
        own = head(convolutions(data["test"])).double().numpy()
    found = client.decrypt(result)
    inside = np.abs(found - own).max(axis=1) <= model.signature.error
    return {
        "backbone": model.signature.backbone,
        "inputs": model.signature.inputs,
        "within the bound": float(inside.mean()),
        "same labels": float((client.predict(result) == own.argmax(axis=1)).mean()),
        "right": float((client.predict(result) == data["test_labels"]).mean()),
        "signature": len(model.signature.json),
    }


def _fit(head: nn.Linear, features: torch.Tensor, labels: torch.Tensor) -> None:
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = nn.functional.cross_entropy(head(features), labels) + 1e-3 * head.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)


def main() -> None:
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    modules = {name: trained(make) for name, make in AFFINE.items()}
    folder = Path(sys.argv[2])
    answers = {
        "affine": {name: compared(one, hermetic.compile(one, SAMPLES)) for name, one in modules.items()},
        "exported": {
            name: compared(modules[name], hermetic.compile(exported(modules[name], folder, name), SAMPLES))
            for name in ("two layers", "softmax", "sigmoid", "batch norm")
        },
        "networks": networks(),
        "convolutions": convolutions(),
        "distilled": distilled(),
        "refused": {name: refusal(make) for name, make in REFUSED.items()},
        "backbone": on_a_backbone(sys.argv[1]),
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
