"""hermetic predict --url, against `hermetic serve` in another process; and images, with and without it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Invoke, Project, Shell
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import hermetic
from hermetic import CompiledModel
from hermetic.serve.access import token_line
from live import Live, serving

TOKEN = "hermetic_a-token-nobody-should-see"
PASSPHRASE = {"HERMETIC_PASSPHRASE": "correct horse"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, iris: Project, diabetes: Project) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "tokens").write_text(token_line("ours", TOKEN))
    models = {name: CompiledModel.load(one.model_file) for name, one in {"iris": iris, "diabetes": diabetes}.items()}
    with serving(folder, models, "--tokens", str(folder / "tokens")) as service:
        yield service


@pytest.fixture
def ask(live: Live, tmp_path: Path) -> list[str]:
    """The options that reach the service."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return ["predict", "--url", live.url, "--token-file", str(tmp_path / "token")]


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_answers_are_those_of_the_same_model_here(ask: list[str], invoke: Invoke, iris: Project) -> None:
    for extra in ((), ("--proba",), ("--scores",)):
        there = invoke(*ask, "--model", "iris", iris.data_file, "--output", "csv", *extra)
        here = invoke("predict", iris.model_file, iris.data_file, "--output", "csv", *extra)
        assert there.exit_code == 0, there.output
        found, expected = records(there.stdout), records(here.stdout)
        assert [one["label"] for one in found] == [one["label"] for one in expected]
        for name in expected[0].keys() - {"label"}:
            numbers = [[float(one[name]) for one in rows] for rows in (found, expected)]
            np.testing.assert_allclose(*numbers, atol=1e-3)


def test_a_regression_on_standard_input(ask: list[str], shell: Shell, diabetes: Project) -> None:
    rows = "\n".join(",".join(map(str, row)) for row in diabetes.X[:5])
    done = shell(*ask, "--model", "diabetes", "-", "--output", "json", stdin=rows)
    assert done.returncode == 0, done.stderr
    error = CompiledModel.load(diabetes.model_file).signature.error
    predictions = json.loads(done.stdout)["predictions"]
    np.testing.assert_allclose(predictions, diabetes.estimator.predict(diabetes.X[:5]), atol=error)


def test_the_table_says_who_answered(ask: list[str], live: Live, invoke: Invoke, iris: Project) -> None:
    done = invoke(*ask, "--model", "iris", iris.data_file, COLUMNS="120")
    assert "150 samples in " in done.stdout
    assert f"by {live.url}" in done.stdout


def test_a_key_is_kept_and_uploaded_once(
    ask: list[str], live: Live, invoke: Invoke, iris: Project, tmp_path: Path
) -> None:
    options = ("--model", "iris", iris.data_file, "--output", "csv", "--key", str(tmp_path / "my.key"))
    before = len(uploads(live))
    first, second = (invoke(*ask, *options, **PASSPHRASE) for _ in range(2))
    assert first.exit_code == second.exit_code == 0, first.output + second.output
    assert first.stdout == second.stdout
    assert len(uploads(live)) == before + 1


def uploads(live: Live) -> list[dict[str, Any]]:
    return [one for one in live.log if one.get("method") == "PUT" and one.get("status") == 201]


def test_a_token_from_the_environment(live: Live, invoke: Invoke, iris: Project) -> None:
    options = ("predict", "--url", live.url, "--model", "iris", iris.data_file)
    assert invoke(*options, HERMETIC_TOKEN=TOKEN).exit_code == 0
    refused = invoke(*options, HERMETIC_TOKEN="wrong")
    assert refused.exit_code == 1
    assert "valid token" in refused.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "irises"), "It has: diabetes, iris"),
        (("--model", "iris", "--model-version", "7"), "version 7"),
        (("--model", "iris", "--token-file", "nowhere"), "nowhere cannot be read"),
        (("--model", "iris", "--ca-file", "nowhere"), "file of certificates"),
        (("--model", "iris", "--timeout", "0"), "timeout must be"),
        (("--model", "iris", "--url", "http://127.0.0.1:1"), "must be reachable"),
        (("--model", "iris", "--url", "http://192.0.2.1"), "must not travel in the clear"),
    ],
)
def test_errors_are_one_line_and_hold_no_token(
    options: tuple[str, ...], message: str, ask: list[str], invoke: Invoke, iris: Project
) -> None:
    done = invoke(*ask, iris.data_file, *options)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert TOKEN not in done.output


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "socks4://proxy"),
        ("ALL_PROXY", "http://proxy:port"),
        ("SSL_CERT_FILE", "/gone.pem"),
        ("SSL_CERT_DIR", "/gone"),
    ],
)
def test_the_environment_is_named_in_one_line(
    variable: str, value: str, ask: list[str], invoke: Invoke, iris: Project
) -> None:
    variables = {"SSL_CERT_FILE": "", variable: value}
    done = invoke(*ask, iris.data_file, "--model", "iris", "--url", "https://models.example.com", **variables)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error: {variable} must")


def test_this_machine_is_asked_directly(ask: list[str], invoke: Invoke, iris: Project) -> None:
    done = invoke(*ask, iris.data_file, "--model", "iris", HTTP_PROXY="http://127.0.0.1:9", SSL_CERT_FILE="/gone")
    assert done.exit_code == 0, done.stderr


def test_an_empty_token_file(live: Live, invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    done = invoke(
        "predict", "--url", live.url, "--model", "iris", iris.data_file, "--token-file", str(tmp_path / "empty")
    )
    assert "must hold the token in its first line" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url", "http://127.0.0.1:1", "x.csv"),
        ("--model", "iris", "m.hermetic", "x.csv"),
        ("--token-file", "t", "m.hermetic", "x.csv"),
        ("m.hermetic",),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], invoke: Invoke) -> None:
    assert invoke("predict", *arguments).exit_code == 2


# Images


@pytest.fixture(scope="module", params=[255, 1], ids=["bytes", "fractions"])
def pixels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, Any]:
    """A model of 8 x 8 pixels on a scale, its estimator, and the pixels as bytes."""
    images = np.rint(load_digits().data * (255 / 16)).astype(np.uint8)
    X = images * (request.param / 255)
    estimator = LogisticRegression(tol=0.1).fit(X, load_digits().target)
    file = tmp_path_factory.mktemp("pixels") / "digits.hermetic"
    hermetic.compile(estimator, X[:500]).save(file)
    return str(file), estimator, images


def png(folder: Path, name: str, pixels: Any, mode: str = "L") -> str:
    image = Image.fromarray(pixels.reshape(8, 8, -1).squeeze()).convert(mode)
    image.save(folder / name)
    return str(folder / name)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_images_are_samples(mode: str, pixels: tuple[str, Any, Any], invoke: Invoke, tmp_path: Path) -> None:
    file, estimator, images = pixels
    names = [png(tmp_path, f"{i}.PNG", images[i], mode) for i in range(5)]
    done = invoke("predict", file, *names, "--output", "json")
    assert done.exit_code == 0, done.output
    scale = 1 if hermetic.CompiledModel.load(file).signature.grid.upper[0] > 1.5 else 1 / 255
    assert json.loads(done.stdout)["predictions"] == estimator.predict(images[:5] * scale).tolist()


def test_images_in_colour(invoke: Invoke, tmp_path: Path) -> None:
    """Red, green and blue by turns."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    X = colours.reshape(40, 192)
    estimator = LogisticRegression(tol=0.1, max_iter=20).fit(X, X[:, 0] > 127)
    hermetic.compile(estimator, X).save(tmp_path / "colours.hermetic")
    Image.fromarray(colours[0]).save(tmp_path / "one.png")
    files = (str(tmp_path / "colours.hermetic"), str(tmp_path / "one.png"))
    done = invoke("predict", *files, "--scores", "--output", "json")
    error = hermetic.CompiledModel.load(tmp_path / "colours.hermetic").signature.error
    np.testing.assert_allclose(json.loads(done.stdout)["scores"], estimator.decision_function(X[:1]), atol=error)


def test_images_that_do_not_fit(pixels: tuple[str, Any, Any], invoke: Invoke, tmp_path: Path, iris: Project) -> None:
    file, _, images = pixels
    good = png(tmp_path, "good.png", images[0])
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(tmp_path / "tall.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "cut.png").write_bytes(Path(good).read_bytes()[:-30])
    for name, message in {
        "tall.png": "must have 64 pixels",
        "deep.png": "8 bits a colour",
        "text.png": "must be a PNG image",
        "cut.png": "cannot be read",
        "missing.png": "cannot be read",
    }.items():
        done = invoke("predict", file, good, str(tmp_path / name))
        assert done.exit_code == 1, done.output
        assert message in done.stderr
    assert "images alone" in invoke("predict", file, good, iris.data_file).stderr
    assert "one file, or from images" in invoke("predict", file, iris.data_file, iris.data_file).stderr
    assert "must take pixels" in invoke("predict", iris.model_file, good).stderr
