"""hermetic compile."""

from __future__ import annotations

import pickle
import stat
from enum import Enum
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from command_line import Invoke, Project, Shell
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from hermetic import CompiledModel
from hermetic.cli.compile import Profile
from hermetic.rlwe.parameters import KNOWN, PROFILES


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (open, (str(self.path), "w"))


def test_the_profiles_are_those_of_the_library() -> None:
    assert issubclass(Profile, Enum)
    assert [one.value for one in Profile] == list(KNOWN)


def test_it_prints_what_becomes_public_and_what_is_guaranteed(shell: Shell, iris: Project, tmp_path: Path) -> None:
    target = tmp_path / "flowers.hermetic"
    done = shell("compile", iris.estimator_file, "-o", str(target), "--sample", iris.data_file, "--trust-pickle")
    assert done.returncode == 0, done.stderr
    signature = CompiledModel.load(target).signature
    for fact in (
        "flowers",
        "4 features -> 3 scores",
        "sepal length (cm)",
        "'setosa', 'versicolor', 'virginica'",
        f"<= {signature.error:g}",
        f"lambda >= {signature.lambda_bits:g} bits",
        "3 x 4 integers",
        "128 bits by the Homomorphic Encryption Standard, about 125",
        "profile fast, N = 4,096",
    ):
        assert fact in " ".join(done.stdout.split())
    assert f"Wrote {target}" in done.stdout
    assert done.stderr == f"warning: loading {iris.estimator_file} runs any code that is in it (--trust-pickle).\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize(("splits", "kind"), [("private", "trees"), ("public", "linear")])
def test_rules_of_a_file(invoke: Invoke, tmp_path: Path, splits: str, kind: str) -> None:
    rules, table, target = tmp_path / "eligible.json", tmp_path / "table.csv", tmp_path / "eligible.hermetic"
    rules.write_text(
        '{"format": "hermetic rules 1", "match": "first",'
        ' "rules": [{"if": {"age": ">= 65", "region": ["12", "13"]}, "then": true}]}'
    )
    table.write_text("age,region\n70,12\n20,13\n")
    arguments = ["compile", str(rules), "-o", str(target), "--sample", str(table), "--splits", splits]
    assert "--public rules" in " ".join(invoke(*arguments).output.split())
    assert invoke(*arguments, "--public", "rules").exit_code == 0
    signature = CompiledModel.load(target).signature
    assert signature.circuit.kind == kind
    assert signature.feature_names == ("age", "region")


def test_a_pickle_is_not_loaded_without_trust(invoke: Invoke, tmp_path: Path) -> None:
    trap, sprung, target = tmp_path / "model.pkl", tmp_path / "sprung", tmp_path / "m.hermetic"
    trap.write_bytes(pickle.dumps(Trap(sprung)))
    arguments = ("compile", str(trap), "-o", str(target), "--range", "0", "1")
    refused = invoke(*arguments)
    assert refused.exit_code == 1
    assert "Pass --trust-pickle" in refused.stderr
    assert not sprung.exists()
    invoke(*arguments, "--trust-pickle")
    assert sprung.exists(), "the trap must work, or this test shows nothing"
    assert not target.exists()


def test_a_plain_pickle_is_read_like_joblibs(invoke: Invoke, digits: Project, tmp_path: Path) -> None:
    source, target = tmp_path / "digits.pkl", tmp_path / "m.hermetic"
    source.write_bytes(pickle.dumps(digits.estimator))
    done = invoke("compile", str(source), "-o", str(target), "--range", "0", "16", "--step", "1", "--trust-pickle")
    assert done.exit_code == 0, done.stderr
    assert CompiledModel.load(target).signature.grid.exact


def test_options_reach_the_compiler(invoke: Invoke, digits: Project, tmp_path: Path) -> None:
    target = tmp_path / "m.hermetic"
    options = ("--range", "-4", "28", "--step", "0.5", "--profile", "precise", "--flooding", "41", "--name", "tens")
    done = invoke("compile", digits.estimator_file, "-o", str(target), "--trust-pickle", *options)
    assert done.exit_code == 0, done.stderr
    signature = CompiledModel.load(target).signature
    assert signature.name == "tens"
    assert signature.parameters == PROFILES["precise"]
    assert signature.lambda_bits >= 41
    assert (signature.grid.lower == -4).all()
    assert (signature.grid.upper == 28).all()
    assert (signature.grid.step == 0.5).all()


def test_a_tolerance_is_met_or_refused(invoke: Invoke, digits: Project, tmp_path: Path) -> None:
    target = tmp_path / "m.hermetic"
    arguments = ("compile", digits.estimator_file, "-o", str(target), "--sample", digits.data_file, "--trust-pickle")
    assert invoke(*arguments, "--tolerance", "1e-6").exit_code == 0
    assert CompiledModel.load(target).signature.error <= 1e-6
    refused = invoke(*arguments, "--tolerance", "1e-30")
    assert refused.exit_code == 1
    assert "tolerance" in refused.stderr.splitlines()[-1]


def test_the_range_must_be_known(invoke: Invoke, digits: Project) -> None:
    done = invoke("compile", digits.estimator_file, "-o", "m.hermetic", "--trust-pickle")
    assert done.exit_code == 2
    assert "--sample or --range" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.skops", b"PK", "does not load: BadZipFile"),
        ("model.onnx", b"", "must be a valid ONNX model"),
        ("model.hermetic", b"", "It is a compiled model already"),
        ("model.joblib", b"not a pickle", "does not load"),
        ("model.joblib", pickle.dumps([1, 2]), "Got list instead"),
        ("model.joblib", pickle.dumps(LogisticRegression()), "must be fitted"),
    ],
)
def test_what_cannot_be_compiled(invoke: Invoke, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    done = invoke("compile", str(source), "-o", str(tmp_path / "m.hermetic"), "--range", "0", "1", "--trust-pickle")
    assert done.exit_code == 1
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "m.hermetic").exists()


def test_a_missing_estimator(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("compile", str(tmp_path / "no.joblib"), "-o", "m.hermetic", "--range", "0", "1")
    assert done.exit_code == 1
    assert "There is no such file" in done.stderr


def test_an_output_that_cannot_be_written(invoke: Invoke, digits: Project, tmp_path: Path) -> None:
    target = tmp_path / "no" / "m.hermetic"
    done = invoke("compile", digits.estimator_file, "-o", str(target), "--range", "0", "16", "--trust-pickle")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == f"error: {target} cannot be written: No such file or directory."


def test_the_samples_columns_must_be_the_estimators(invoke: Invoke, iris: Project, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text("a,b,c,d\n1,2,3,4\n")
    target = str(tmp_path / "m.hermetic")
    done = invoke("compile", iris.estimator_file, "-o", target, "--sample", str(sample), "--trust-pickle")
    assert done.exit_code == 1
    assert "Not known: 'a', 'b', 'c', 'd'" in done.stderr.splitlines()[-1]


def test_warnings_of_loading_are_one_line_each(invoke: Invoke, tmp_path: Path) -> None:
    """An estimator of another scikit-learn version: its own warning is shown, and it is compiled if it still works."""
    estimator = LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1])
    state = estimator.__getstate__() | {"_sklearn_version": "1.0.2"}
    source = tmp_path / "old.joblib"
    joblib.dump(_Pickled(LogisticRegression, state), source)
    done = invoke("compile", str(source), "-o", str(tmp_path / "m.hermetic"), "--range", "0", "1", "--trust-pickle")
    assert done.exit_code == 0, done.stderr
    trusted, *warned = done.stderr.splitlines()
    assert "--trust-pickle" in trusted
    assert [line.split()[0] for line in warned] == ["warning:"]
    assert "must be loaded by the scikit-learn that fitted it, version 1.0.2" in warned[0]


def test_a_skops_file_needs_no_trust(invoke: Invoke, digits: Project, tmp_path: Path) -> None:
    source, target = tmp_path / "model.skops", tmp_path / "m.hermetic"
    skops.io.dump(digits.estimator, source)
    done = invoke("compile", str(source), "-o", str(target), "--sample", digits.data_file)
    assert done.exit_code == 0, done.stderr
    assert not done.stderr
    loaded, own = CompiledModel.load(target), CompiledModel.load(digits.model_file)
    assert np.array_equal(loaded.integers.weights, own.integers.weights)


@pytest.mark.parametrize("kind", [RandomForestClassifier, HistGradientBoostingClassifier])
def test_a_forest_in_a_skops_file(kind: Any, invoke: Invoke, tmp_path: Path) -> None:
    source, target, sample = tmp_path / "forest.skops", tmp_path / "m.hermetic", tmp_path / "sample.csv"
    X, y = load_iris(return_X_y=True)
    skops.io.dump(kind(max_depth=3, random_state=0).fit(X[:100, :3], y[:100]), source)
    np.savetxt(sample, X[:, :3], delimiter=",")
    done = invoke("compile", str(source), "-o", str(target), "--sample", str(sample), "--public", kind.__name__)
    assert done.exit_code == 0, done.output
    assert CompiledModel.load(target).signature.circuit.kind == "trees"


def test_a_skops_file_of_unknown_types_is_not_loaded(invoke: Invoke, tmp_path: Path) -> None:
    sprung, source = tmp_path / "sprung", tmp_path / "model.skops"
    skops.io.dump(Trap(sprung), source)
    done = invoke("compile", str(source), "-o", str(tmp_path / "m.hermetic"), "--range", "0", "1", "--trust-pickle")
    assert done.exit_code == 1
    assert "must hold types of scikit-learn, NumPy and SciPy alone. Got " in done.stderr
    assert not sprung.exists()


def test_a_calibrated_classifier_in_a_skops_file(invoke: Invoke, tmp_path: Path) -> None:
    source, target = tmp_path / "model.skops", tmp_path / "m.hermetic"
    X, y = load_iris(return_X_y=True)
    skops.io.dump(CalibratedClassifierCV(LogisticRegression(max_iter=500), cv=2).fit(X, y), source)
    done = invoke("compile", str(source), "-o", str(target), "--range", "0", "8")
    assert done.exit_code == 0, done.stderr
    assert CompiledModel.load(target).signature.link == "mean_logistic"


def test_splines_in_a_skops_file(invoke: Invoke, tmp_path: Path) -> None:
    source, target = tmp_path / "model.skops", tmp_path / "m.hermetic"
    curves = make_pipeline(SplineTransformer(), LogisticRegression())
    skops.io.dump(curves.fit(*load_iris(return_X_y=True)), source)
    command = ["compile", str(source), "-o", str(target), "--range", "0", "8"]
    done = invoke(*command)
    assert done.exit_code == 1
    assert "--public splinetransformer on the command line" in " ".join(done.stderr.split())
    done = invoke(*command, "--public", "splinetransformer")
    assert done.exit_code == 0, done.stderr
    assert "knots (20 numbers)" in done.stdout
    assert CompiledModel.load(target).signature.features == 28


def test_an_onnx_model_is_compiled_without_a_word_of_trust(invoke: Invoke, tmp_path: Path) -> None:
    data = load_iris(as_frame=True)
    flowers = data.data.set_axis(["a", "b", "c", "d"], axis=1).astype(np.float32)
    source, target, sample = tmp_path / "iris.onnx", tmp_path / "m.hermetic", tmp_path / "sample.csv"
    estimator = make_pipeline(ColumnTransformer([("all", StandardScaler(), list("abcd"))]), LogisticRegression())
    source.write_bytes(to_onnx(estimator.fit(flowers, data.target), flowers[:1]).SerializeToString())
    flowers.to_csv(sample, index=False)
    done = invoke("compile", str(source), "-o", str(target), "--sample", str(sample))
    assert done.exit_code == 0, done.stderr
    signature = CompiledModel.load(target).signature
    assert signature.feature_names == ("a", "b", "c", "d")
    assert signature.link == "softmax"
    flowers[list("badc")].to_csv(sample, index=False)
    done = invoke("compile", str(source), "-o", str(target), "--sample", str(sample))
    assert done.exit_code == 0, done.stderr
    assert CompiledModel.load(target).signature == signature
    flowers[list("bad")].to_csv(sample, index=False)
    done = invoke("compile", str(source), "-o", str(target), "--sample", str(sample))
    assert done.exit_code == 1
    assert "Missing: 'c'" in done.stderr


class _Pickled:
    """Is pickled as an object of the given kind and state."""

    def __init__(self, kind: type, state: dict[str, object]) -> None:
        self.kind, self.state = kind, state

    def __reduce__(self) -> tuple[object, ...]:
        return object.__new__, (self.kind,), self.state


@pytest.mark.parametrize("ending", [".json", ".ubj", ".txt"])
def test_a_booster_is_compiled_from_its_file_without_a_word_of_trust(
    ending: str, invoke: Invoke, tmp_path: Path
) -> None:
    data = load_iris()
    if ending == ".txt":
        booster = lightgbm.train({"max_depth": 1, "verbosity": -1}, lightgbm.Dataset(data.data, data.target), 3)
    else:
        booster = xgboost.train({"max_depth": 1}, xgboost.DMatrix(data.data, data.target), 3)
    source, target = tmp_path / f"stumps{ending}", tmp_path / "m.hermetic"
    booster.save_model(source)
    done = invoke("compile", str(source), "-o", str(target), "--range", "0", "8", "--public", "booster")
    assert done.exit_code == 0, done.output
    assert CompiledModel.load(target).signature.inputs == 4


@pytest.mark.parametrize("ending", [".json", ".ubj", ".txt"])
def test_a_file_of_a_booster_that_is_none_is_no_pickle(ending: str, invoke: Invoke, tmp_path: Path) -> None:
    source, sprung = tmp_path / f"trap{ending}", tmp_path / "sprung"
    source.write_bytes(pickle.dumps(Trap(sprung)))
    done = invoke("compile", str(source), "-o", str(tmp_path / "m"), "--range", "0", "8", "--trust-pickle")
    assert done.exit_code != 0
    assert "save_model wrote" in done.output
    assert not sprung.exists()


def test_a_network_is_simulated_before_it_is_deployed(invoke: Invoke, tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    network = make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=60, random_state=0)).fit(X, y)
    skops.io.dump(network, tmp_path / "network.skops")
    np.save(tmp_path / "X.npy", X)
    file, target = str(tmp_path / "network.skops"), str(tmp_path / "network.hermetic")
    done = invoke("compile", file, "-o", target, "--sample", str(tmp_path / "X.npy"), "--simulate")
    assert done.exit_code == 0, done.output
    assert "Simulated" in done.output
    assert "100 of 100 as in plain numbers" in done.output
    refused = invoke("compile", file, "-o", target, "--range", "0", "8", "--simulate")
    assert refused.exit_code == 2
    assert "--sample" in refused.output
