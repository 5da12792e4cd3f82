"""hermetic inspect and hermetic signature."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import Invoke, Project, Shell
from sklearn.linear_model import Ridge

import hermetic
from hermetic import Client, CompiledModel, Query, Result
from hermetic.features import Bins, FeatureMap
from hermetic.signature import Signature


def test_the_document_states_exact_sizes(shell: Shell, digits: Project) -> None:
    done = shell("inspect", digits.model_file, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    model = CompiledModel.load(digits.model_file)
    client = Client(model.signature)
    assert document["kind"] == "model"
    assert document["file_bytes"] == Path(digits.model_file).stat().st_size
    integers = model.integers
    assert document["private"] == {"weights": list(integers.weights.shape), "bias": list(integers.bias.shape)}
    assert document["public"] == json.loads(model.signature.json)
    assert document["public_key_bytes"] == len(client.public_key.to_bytes())
    for layout in document["layouts"][:6]:
        samples = layout["samples"]
        query = client.encrypt(digits.X[:samples])
        assert query.batch.layout.samples == samples
        result = model.evaluate(query, client.public_key)
        assert (layout["query_ciphertexts"], layout["result_ciphertexts"]) == (len(query.c0), len(result.c1))
        assert layout["request_bytes"] == len(query.to_bytes())
        assert layout["response_bytes"] == len(result.to_bytes())


def test_it_measures_every_step(invoke: Invoke, digits: Project) -> None:
    measured = json.loads(invoke("inspect", digits.model_file, "--json", "--samples", "3").stdout)["measured"]
    steps = ["keys", "weights", "encrypt", "request", "server", "response", "decrypt"]
    assert list(measured["seconds"]) == steps
    assert all(seconds > 0 for seconds in measured["seconds"].values())
    signature = CompiledModel.load(digits.model_file).signature
    layout = signature.layout_for(3)
    assert measured["samples"] == 3
    assert measured["repeats"] >= 3
    assert measured["request_bytes"] == Query.size(signature, layout, 3)
    assert measured["response_bytes"] == Result.size(signature, layout, 3)


def test_it_measures_only_if_asked(invoke: Invoke, iris: Project) -> None:
    assert json.loads(invoke("inspect", iris.model_file, "--json", "--no-measure").stdout)["measured"] is None
    assert "Measured here" not in invoke("inspect", iris.model_file, "--no-measure").stdout
    assert "Measured here, medians of" in invoke("inspect", iris.model_file).stdout


def test_it_fits_80_columns(invoke: Invoke, iris: Project, diabetes: Project) -> None:
    for project in (iris, diabetes):
        shown = invoke("inspect", project.model_file, "--samples", "2").stdout
        assert max(map(len, shown.splitlines())) <= 80


def test_a_signature_says_what_is_public_and_no_weight(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    target = tmp_path / "iris.signature"
    done = invoke("signature", iris.model_file, "-o", str(target))
    assert done.exit_code == 0, done.stderr
    model = CompiledModel.load(iris.model_file)
    assert Signature.from_bytes(target.read_bytes()) == model.signature
    document = json.loads(invoke("inspect", str(target), "--json").stdout)
    assert (document["kind"], document["private"]) == ("signature", None)
    assert list(document["measured"]["seconds"]) == ["keys", "encrypt", "request"]
    assert document["measured"]["response_bytes"] is None
    shown = invoke("inspect", str(target)).stdout
    assert "Private" not in shown
    assert "sepal length (cm)" in shown


def test_a_signature_cannot_answer(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    target = tmp_path / "iris.signature"
    invoke("signature", iris.model_file, "-o", str(target))
    done = invoke("predict", str(target), iris.data_file)
    assert done.exit_code == 1
    assert "Got a signature instead, which cannot answer" in done.stderr


def test_a_signature_that_cannot_be_written(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    done = invoke("signature", iris.model_file, "-o", str(tmp_path))
    assert (done.exit_code, done.stderr) == (1, f"error: {tmp_path} cannot be written: Is a directory.\n")


def test_names_in_a_signature_do_not_steer_the_terminal(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07[bold red]"
    signature = CompiledModel.load(iris.model_file).signature
    target = tmp_path / "hostile.signature"
    target.write_bytes(replace(signature, name=hostile, feature_names=(hostile, "b", "c", "d")).to_bytes())
    shown = invoke("inspect", str(target), "--no-measure").stdout
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[bold red]" in shown, "the name is shown as it is, not read as markup"


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "flipped", "directory"])
def test_what_is_no_model_is_refused(invoke: Invoke, iris: Project, tmp_path: Path, damage: str) -> None:
    target = tmp_path / "file"
    signature = bytearray(CompiledModel.load(iris.model_file).signature.to_bytes())
    if damage == "directory":
        target.mkdir()
    elif damage == "flipped":
        signature[len(signature) // 2] ^= 1
        target.write_bytes(signature)
    else:
        target.write_bytes({"empty": b"", "text": b"hello", "truncated": bytes(signature[:-1])}[damage])
    done = invoke("inspect", str(target))
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_every_feature_with_the_same_range_is_said_once(invoke: Invoke, digits: Project) -> None:
    shown = invoke("inspect", digits.model_file, "--no-measure").stdout
    largest = CompiledModel.load(digits.model_file).signature.grid.upper
    assert np.ptp(largest) == 0
    assert f"each from 0 to {largest[0]:g}, exact in steps of 1" in shown


def test_the_backbone_is_named(invoke: Invoke, digits: Project, tmp_path: Path) -> None:
    def halves(X: object) -> object:
        return np.asarray(X) / 2

    file = tmp_path / "head.hermetic"
    head = Ridge().fit(digits.X / 2, digits.X[:, 0])
    hermetic.compile(head, digits.X, features=halves).save(file)
    shown = invoke("inspect", str(file), "--no-measure").stdout
    assert "'halves', which clients have: it computes the inputs" in " ".join(shown.split())


def test_public_features_are_printed(shell: Shell, digits: Project, tmp_path: Path) -> None:
    """What a model publishes is never silent."""
    features = FeatureMap(Bins([[8.0]] * digits.X.shape[1]))
    head = Ridge().fit(features.apply(digits.X), digits.X[:, 0])
    file = tmp_path / "bins.hermetic"
    hermetic.compile(head, features=features).save(file)
    done = shell("inspect", str(file))
    assert done.returncode == 0, done.stderr
    assert f"(public: {2 * digits.X.shape[1]} bins)" in " ".join(done.stdout.split())
    document = json.loads(shell("inspect", str(file), "--json").stdout)
    assert document["public"]["feature_map"] == features.document()
