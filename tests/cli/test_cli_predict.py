"""hermetic predict."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import HERMETIC, Invoke, Project, Shell
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.linear_model import PoissonRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hermetic import CompiledModel
from hermetic.cli.samples import read_samples


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def error_of(project: Project) -> float:
    return CompiledModel.load(project.model_file).signature.error


def test_labels_are_the_estimators(shell: Shell, iris: Project) -> None:
    done = shell("predict", iris.model_file, iris.data_file, "--output", "csv")
    assert done.returncode == 0, done.stderr
    assert [one["label"] for one in records(done.stdout)] == list(iris.estimator.predict(iris.X))


def test_probabilities_and_scores_are_the_estimators(invoke: Invoke, digits: Project) -> None:
    proba = json.loads(invoke("predict", digits.model_file, digits.data_file, "--proba", "--output", "json").stdout)
    scores = json.loads(invoke("predict", digits.model_file, digits.data_file, "--scores", "--output", "json").stdout)
    assert proba["classes"] == scores["classes"] == list(range(10))
    assert proba["predictions"] == scores["predictions"] == digits.estimator.predict(digits.X).tolist()
    error = error_of(digits)
    np.testing.assert_allclose(scores["scores"], digits.estimator.decision_function(digits.X), atol=error)
    np.testing.assert_allclose(proba["probabilities"], digits.estimator.predict_proba(digits.X), atol=error)


def test_csv_columns_name_the_labels(invoke: Invoke, iris: Project) -> None:
    rows = records(invoke("predict", iris.model_file, iris.data_file, "--proba", "--output", "csv").stdout)
    assert list(rows[0]) == ["label", "p(setosa)", "p(versicolor)", "p(virginica)"]
    found = np.array([[float(row[f"p({one})"]) for one in iris.estimator.classes_] for row in rows])
    np.testing.assert_allclose(found, iris.estimator.predict_proba(iris.X), atol=error_of(iris))


def test_values_of_a_regression(invoke: Invoke, diabetes: Project) -> None:
    rows = records(invoke("predict", diabetes.model_file, diabetes.data_file, "--output", "csv").stdout)
    values = [float(row["value"]) for row in rows]
    np.testing.assert_allclose(values, diabetes.estimator.predict(diabetes.X), atol=error_of(diabetes))
    refused = invoke("predict", diabetes.model_file, diabetes.data_file, "--proba")
    assert refused.exit_code == 1
    assert "Model 'diabetes' has none" in refused.stderr


def test_the_table_fits_and_says_what_it_hides(invoke: Invoke, digits: Project) -> None:
    shown = invoke("predict", digits.model_file, digits.data_file, "--proba").stdout
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    first = digits.estimator.predict_proba(digits.X)[0]
    assert lines[0].split() == ["sample", "label", *(f"p({i})" for i in range(10))]
    assert lines[1].split() == ["0", str(first.argmax()), *(f"{p:.3f}" for p in first)]
    assert "150 more samples: --output csv shows all" in shown
    assert lines[-1].startswith("200 samples in ")
    narrow = invoke("predict", digits.model_file, digits.data_file, "--proba", COLUMNS="40").stdout
    assert max(map(len, narrow.splitlines()[:50])) <= 40
    assert "more columns" in narrow


def test_json_is_json_whatever_the_values(make_project: Callable[..., Project], invoke: Invoke) -> None:
    """A rate that overflows is infinite, and JSON has no word for that."""
    X = np.linspace(0, 1, 20)[:, None]
    estimator = PoissonRegressor(alpha=0).fit(X, np.exp(X[:, 0]))
    estimator.coef_ = estimator.coef_ * 1000
    project = make_project("huge", estimator, X)
    with np.errstate(over="ignore"):
        assert np.isinf(estimator.predict(X)[-1])
    done = invoke("predict", project.model_file, project.data_file, "--output", "json", "--scores")
    answer = json.loads(done.stdout, parse_constant=pytest.fail)
    assert answer["predictions"][-1] == "Infinity"
    assert np.isfinite(answer["predictions"][0])


def test_one_sample_in_a_vector(invoke: Invoke, digits: Project, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", digits.X[0])
    done = invoke("predict", digits.model_file, str(tmp_path / "one.npy"), "--output", "json", "--proba")
    answer = json.loads(done.stdout)
    assert answer["predictions"] == [digits.estimator.predict(digits.X[:1])[0]]
    assert np.shape(answer["probabilities"]) == (1, 10)


def test_standard_input_with_and_without_a_header(invoke: Invoke, iris: Project) -> None:
    text = Path(iris.data_file).read_text()
    expected = list(iris.estimator.predict(iris.X))
    for stdin in (text, text.partition("\n")[2], "\ufeff" + text.partition("\n")[2].replace("\n", "\r\n\r\n")):
        done = invoke("predict", iris.model_file, "-", "--output", "json", stdin=stdin)
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout)["predictions"] == expected


def test_columns_by_name_may_come_in_any_order_with_others(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    expected = list(iris.estimator.predict(iris.X))
    mixed = iris.X[iris.X.columns[::-1]].assign(who="text", code=1)
    mixed.to_csv(tmp_path / "mixed.csv", index=False)
    np.save(tmp_path / "mixed.npy", mixed.drop(columns="who").to_records())
    for file in ("mixed.csv", "mixed.npy"):
        done = invoke("predict", iris.model_file, str(tmp_path / file), "--output", "json")
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout)["predictions"] == expected


def test_a_sample_by_name_may_come_in_any_order_too(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    iris.X[iris.X.columns[::-1]].assign(who="text").to_csv(tmp_path / "mixed.csv", index=False)
    target = tmp_path / "iris.hermetic"
    done = invoke(
        "compile", iris.estimator_file, "-o", str(target), "--sample", str(tmp_path / "mixed.csv"), "--trust-pickle"
    )
    assert done.exit_code == 0, done.output
    assert CompiledModel.load(target).signature == CompiledModel.load(iris.model_file).signature


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sepal length (cm),sepal width (cm),x\n1,2,3\n",
            "Missing: 'petal length (cm)', 'petal width (cm)'. Not known: 'x'.",
        ),
        (
            "petal width (cm),sepal width (cm),2020\n1,2,3\n",
            "Missing: 'sepal length (cm)', 'petal length (cm)'. Not known: '2020'.",
        ),
        (
            "petal width (cm),sepal width (cm),petal length (cm),sepal length (cm),petal width (cm)\n1,2,3,4,5\n",
            "Got 'petal width (cm)' more than once",
        ),
        (
            "petal width (cm),who,sepal width (cm),petal length (cm),sepal length (cm)\n0.2,x,3,one,5\n",
            "standard input, line 2, column 4: must be a number. Got 'one' for 'petal length (cm)' instead",
        ),
        ("5,3,1\n", "inputs must have shape (4,) or (n, 4). Got (1, 3) instead"),
        ("5,3,1,0.2\n5,3,1\n", "line 2: must have 4 columns. Got 3 instead"),
        ("5,3,nan,0.2\n", "inputs must be finite. Got nan (sample 0, column 'petal length (cm)')"),
        ("5,3,inf,0.2\n", "inputs must be finite"),
        ("5,3,,0.2\n", "line 1, column 3: must be a number. Got '' instead"),
        ("5,3,1,0.2\n5,three,1,0.2\n", "line 2, column 2: must be a number. Got 'three' instead"),
        ("5,3,1,999\n", "Got 999 (sample 0, column 'petal width (cm)')"),
        ("", "must hold at least one sample"),
        ("\n\n", "must hold at least one sample"),
        ("sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n", "must hold at least one sample"),
    ],
)
def test_bad_samples(invoke: Invoke, iris: Project, text: str, message: str) -> None:
    done = invoke("predict", iris.model_file, "-", stdin=text)
    assert (done.exit_code, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_inputs_out_of_range_can_be_clipped(invoke: Invoke, iris: Project) -> None:
    row = "5,3,1.4,999\n"
    assert invoke("predict", iris.model_file, "-", stdin=row).exit_code == 1
    clipped = json.loads(invoke("predict", iris.model_file, "-", "--clip", "--output", "json", stdin=row).stdout)
    largest = CompiledModel.load(iris.model_file).signature.grid.upper[3]
    X = iris.X.iloc[:1].copy()
    X.iloc[0] = [5, 3, 1.4, largest]
    assert clipped["predictions"] == list(iris.estimator.predict(X))


def test_inputs_off_the_grid_can_be_rounded(invoke: Invoke, digits: Project, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", digits.X[:5] + 0.25)
    arguments = ("predict", digits.model_file, str(tmp_path / "x.npy"), "--output", "json")
    refused = invoke(*arguments)
    assert refused.exit_code == 1
    assert "plus a multiple of 1" in refused.stderr
    rounded = json.loads(invoke(*arguments, "--round").stdout)
    assert rounded["predictions"] == digits.estimator.predict(digits.X[:5]).tolist()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"not an array", "must be a .npy file of numbers"),
        ("x.npy", b"", "must be a .npy file of numbers"),
        ("x.txt", b"1,2,3,4", "must be a .npy, .csv or .tsv file"),
        ("x.csv", b"1,2\xff\n", "must be CSV text in UTF-8"),
        ("x.csv", None, "cannot be read: No such file"),
        ("x.npy", None, "cannot be read: No such file"),
    ],
)
def test_files_that_are_no_samples(
    invoke: Invoke, iris: Project, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    source = tmp_path / name
    if content is not None:
        source.write_bytes(content)
    done = invoke("predict", iris.model_file, str(source))
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_array_of_objects_is_not_unpickled(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    done = invoke("predict", iris.model_file, str(tmp_path / "x.npy"))
    assert done.exit_code == 1
    assert "Object arrays cannot be loaded" in done.stderr


@given(st.lists(st.lists(st.floats(allow_nan=False, width=64), min_size=3, max_size=3), min_size=1, max_size=5))
def test_every_float_survives_csv(tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]]) -> None:
    path = tmp_path_factory.getbasetemp() / "floats.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    np.testing.assert_array_equal(read_samples(str(path), None, header=False), np.array(rows))


def test_a_key_is_made_once_and_used_again(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    key, passphrase = tmp_path / "my.key", tmp_path / "passphrase"
    passphrase.write_text("correct horse\nthe rest is not part of it\n")
    arguments = ("predict", iris.model_file, iris.data_file, "--key", str(key), "--output", "csv")
    made = invoke(*arguments, "--passphrase-file", str(passphrase))
    assert made.exit_code == 0, made.stderr
    assert made.stderr == f"Made a secret key and saved it, encrypted, as {key}.\n"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    again = invoke(*arguments, HERMETIC_PASSPHRASE="correct horse")
    assert (again.exit_code, again.stderr, again.stdout) == (0, "", made.stdout)
    assert key.read_bytes() == before
    wrong = invoke(*arguments, HERMETIC_PASSPHRASE="wrong horse")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert wrong.stderr == f"error: {key}: the passphrase is wrong, or the file is damaged.\n"


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot be read"), (b"\n", "That line is empty"), (b"\xff", "not UTF-8")]
)
def test_bad_passphrase_files(
    invoke: Invoke, iris: Project, tmp_path: Path, content: bytes | None, message: str
) -> None:
    passphrase = tmp_path / "passphrase"
    if content is not None:
        passphrase.write_bytes(content)
    arguments = ("predict", iris.model_file, iris.data_file, "--key", str(tmp_path / "my.key"))
    done = invoke(*arguments, "--passphrase-file", str(passphrase))
    assert done.exit_code == 1
    assert message in done.stderr
    assert not (tmp_path / "my.key").exists()


def test_nobody_is_asked_where_nobody_types(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    done = invoke("predict", iris.model_file, iris.data_file, "--key", str(tmp_path / "my.key"), HERMETIC_PASSPHRASE="")
    assert done.exit_code == 1
    assert "Pass --passphrase-file, or set HERMETIC_PASSPHRASE" in done.stderr


def test_a_passphrase_is_asked_for_in_a_terminal_and_not_shown(iris: Project, tmp_path: Path) -> None:
    key = tmp_path / "my.key"
    command = [str(HERMETIC), "predict", iris.model_file, iris.data_file, "--key", str(key)]
    shown = _in_terminal(command, answers=[b"tall giraffe\n", b"tall giraffe\n"])
    assert b"Passphrase of" in shown
    assert b"Repeat for confirmation" in shown
    assert b"giraffe" not in shown
    assert b"150 samples in" in shown
    assert key.exists()


def _in_terminal(command: list[str], answers: list[bytes]) -> bytes:
    """Run a command in a terminal of its own; type each answer when a line ends with a colon."""
    pid, terminal = pty.fork()
    if pid == 0:
        environment = {name: value for name, value in os.environ.items() if name != "HERMETIC_PASSPHRASE"}
        os.execve(command[0], command, environment | {"COLUMNS": "80"})
    shown = b""
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # the terminal closes with its process
            break
        shown += read
        if answers and shown.endswith(b": "):
            os.write(terminal, answers.pop(0))
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    return shown


@pytest.mark.parametrize("options", [("--proba", "--scores"), ("--passphrase-file", "x")])
def test_options_that_contradict_each_other(invoke: Invoke, iris: Project, options: tuple[str, ...]) -> None:
    assert invoke("predict", iris.model_file, iris.data_file, *options).exit_code == 2


@pytest.mark.parametrize(
    ("name", "estimator", "method"),
    [("rates", make_pipeline(StandardScaler(), PoissonRegressor()), "predict"), ("components", PCA(2), "transform")],
)
def test_values_are_those_after_the_link(
    name: str, estimator: Any, method: str, make_project: Callable[..., Project], invoke: Invoke
) -> None:
    X, y = load_diabetes(return_X_y=True)
    project = make_project(name, estimator.fit(X, y), X)
    done = invoke("predict", project.model_file, project.data_file, "--output", "json")
    assert done.exit_code == 0, done.stderr
    own = getattr(project.estimator, method)(X)
    np.testing.assert_allclose(json.loads(done.stdout)["predictions"], own, rtol=1e-3, atol=1e-5)
