"""PyTorch modules, encrypted, equal PyTorch. ``pytorch/check.py`` has the modules, and runs in its own environment."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hermetic.demo.mnist import load_mnist

HOST = Path(__file__).parent / "pytorch"
PYTHON = HOST / ".venv" / "bin" / "python"
LONGEST = 960


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the modules and hermetic gave."""
    folder = tmp_path_factory.mktemp("torch")
    data, some = load_mnist(), folder / "images.npz"
    np.savez(
        some,
        train=data.train_images[:3000].reshape(-1, 28, 28),
        train_labels=data.train_labels[:3000].astype(np.int64),
        test=data.test_images[:200].reshape(-1, 28, 28),
        test_labels=data.test_labels[:200],
    )
    done = subprocess.run(
        [PYTHON, HOST / "check.py", some, folder], capture_output=True, text=True, check=False, timeout=LONGEST
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.parametrize("kind", ["affine", "exported"])
def test_decrypted_answers_are_the_modules_own(answers: dict[str, Any], kind: str) -> None:
    assert len(answers[kind]) >= 4
    for name, one in answers[kind].items():
        assert one["same shape"], name
        assert one["apart"] <= one["error"] + (0.0 if one["link"] is None else 1e-6), name
        assert one["error"] < 1e-3, name


def test_softmax_and_sigmoid_are_links(answers: dict[str, Any]) -> None:
    links = {name: (one["link"], one["labels"]) for name, one in answers["affine"].items()}
    assert links["softmax"] == ("softmax", [0, 1, 2, 3])
    assert links["log softmax"] == ("softmax", [0, 1, 2])
    assert links["sigmoid"] == ("logistic", [0, 1])
    assert links["linear"] == (None, None)
    assert all((one["link"], one["labels"]) == links[name] for name, one in answers["exported"].items())


def test_models_are_named_by_class_or_file(answers: dict[str, Any]) -> None:
    assert answers["affine"]["linear"]["name"] == "linear"
    assert answers["affine"]["softmax"]["name"] == "sequential"
    assert answers["exported"]["two layers"]["name"] == "two layers"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("activation", "layer '1' must be one of torch.nn's Linear, "),
        ("two activations", "layer '2' must come after a Linear layer. Got none"),
        ("activation first", "layer '0' must come after a Linear layer"),
        ("own class", "the module must be one of torch.nn's"),
        ("training", "layer '0' (Dropout) must be in eval mode"),
        ("sigmoids", "must be of one score. Got 3"),
        ("link between", "layer '1' (Softmax) must be the last one"),
        ("half", "must have parameters of float32 or float64. Got torch.float16"),
        ("nothing", "must have a Linear layer"),
        ("not fitting", "layer '1' (Linear) must take what the one before gives. Got 4 for (3,) instead"),
        ("not finite", "coefficients must be finite"),
        ("hooked", "the compiled model must equal predict"),
    ],
)
def test_what_is_not_affine_is_refused_with_words(answers: dict[str, Any], name: str, words: str) -> None:
    assert words in answers["refused"][name]


def test_networks_are_answered_within_their_error(answers: dict[str, Any]) -> None:
    assert sorted(answers["networks"]) == ["relu", "sigmoid", "square", "tanh", "two hidden layers"]
    for name, one in answers["networks"].items():
        assert one["same shape"], name
        assert one["apart"] <= one["error"], name
    assert answers["networks"]["square"]["error"] < answers["networks"]["relu"]["error"]


def test_convolutions_are_answered_within_their_error(answers: dict[str, Any]) -> None:
    found = answers["convolutions"]["compared"]
    for name, one in found.items():
        assert one["same shape"], name
        assert one["apart"] <= one["error"], name
    layers = {name: one["network"] and one["network"].split(", ")[1] for name, one in found.items()}
    assert layers == {
        "square": "a convolution of 2x2 at 3x4 places",
        "polynomial": "a convolution of 3x3 at 4x5 places",
        "relu": "a convolution of 3x1 at 2x2 places",
        "groups and steps between taps": "a convolution of 2x3 at 3x3 places",
        "on what is no image of inputs": "dense",
        "affine": None,
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no image", "layer '0' (Conv2d) must take an image. Got rows of 12 values instead: put Unflatten"),
        ("other size", "25"),
        ("too small", "layer '1' (Conv2d): a window must fit into its image"),
        ("channels", "layer '1' (Conv2d) must take what the one before gives. Got 1 channels for 2"),
        ("flattened otherwise", "layer '0' (Unflatten) must make channels, rows and columns of 20 values"),
        ("reflected", "must have so many zeros as padding. Got padding=(1, 1) of 'reflect'"),
        ("polynomials", "layer '2' (Polynomial) must have a polynomial for each map. Got 12 for 2 instead"),
        ("same", "must have so many zeros as padding. Got padding='same'"),
        ("ceil", "layer '2' (AvgPool2d) must average whole windows"),
        ("training", "layer '2' (BatchNorm2d) must be in eval mode"),
        ("no rows", "the module must end with rows of scores. Got images of (2, 2, 3)"),
    ],
)
def test_convolutions_that_cannot_be_are_refused_with_words(answers: dict[str, Any], name: str, words: str) -> None:
    assert words in answers["convolutions"]["refused"][name]


def test_a_polynomial_has_a_degree_that_can_be_computed(answers: dict[str, Any]) -> None:
    assert "degree must be a whole number from 2 to 8. Got 9" in answers["convolutions"]["degree"]


def test_a_student_learns_what_its_teacher_answers(answers: dict[str, Any]) -> None:
    found = answers["distilled"]
    assert min(found["agreement"].values()) >= 0.85
    assert found["error over spread"] < 0.3
    assert found["same again"]
    assert found["epochs seen"] == [[done, 12] for done in range(1, 13)]


def test_a_student_is_answered_as_it_is(answers: dict[str, Any]) -> None:
    found = answers["distilled"]
    assert found["degree"] == 2
    assert len(found["encrypted as the student"]) == 20
    assert all(found["encrypted as the student"])
    assert found["hidden layers"] == ["Linear", "Square", "Linear", "Square", "Linear"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rows", "X must have shape (n, d) with two rows or more. Got (20,) instead."),
        ("nan", "X must be finite. It holds NaN or infinity"),
        ("no teacher", "teacher must be a fitted estimator or a torch.nn.Module. Got object instead."),
        ("words", "X must be real numbers. Got list that is not: its dtype is <U1"),
        ("width", "the teacher must answer X. It does not: mat1 and mat2 shapes cannot be multiplied"),
        ("training", "the teacher must be in eval mode. It is in training mode: call .eval() on it."),
        ("no neurons", "hidden must be a whole number from 1 to"),
        ("no layers", "hidden must be a whole number from 1 to"),
        ("two hidden layers", "trained"),
        ("no epochs", "epochs must be a whole number from 1 to"),
        ("penalty", "range_penalty must be a number from 0 to"),
        ("constant", "trained"),
    ],
)
def test_what_cannot_be_learned_is_refused_with_words(answers: dict[str, Any], name: str, words: str) -> None:
    assert words in answers["distilled"]["refused"][name]


def test_a_private_head_on_a_real_backbone_reads_digits(answers: dict[str, Any]) -> None:
    one = answers["backbone"]
    assert one["backbone"] == "convolutions"
    assert one["inputs"] == 432
    assert one["signature"] < 40_000
    assert one["within the bound"] > 0.95, "clipping may move a few"
    assert one["same labels"] == 1.0
    assert one["right"] >= 0.9
