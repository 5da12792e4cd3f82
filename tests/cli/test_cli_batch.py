"""``hermetic batch``: the three steps as commands, their summaries and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from command_line import Invoke
from sklearn.datasets import load_iris

from fitted import petals

X = load_iris().data[:, 2:]
SECRET = {"HERMETIC_PASSPHRASE": "petals"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    petals().model.save(tmp_path / "m.hermetic")
    pd.DataFrame(X, columns=["a", "b"]).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path


def encrypt(invoke: Invoke, folder: Path, *options: str) -> None:
    done = invoke(
        "batch", "encrypt", str(folder / "t.csv"), "--signature", str(folder / "m.hermetic"),
        "--key", str(folder / "k"), "-o", str(folder / "job"), "--rows-per-query", "40", *options, **SECRET,
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def decrypt(invoke: Invoke, folder: Path, *options: str) -> tuple[int, str, str]:
    done = invoke(
        "batch", "decrypt", str(folder / "job"), "--signature", str(folder / "m.hermetic"), "--key", str(folder / "k"),
        "--rows", str(folder / "t.csv.rows"), "-o", str(folder / "out.csv"), *options, **SECRET,
    )  # fmt: skip
    return done.exit_code, done.stdout, done.stderr


def test_the_three_steps(invoke: Invoke, folder: Path) -> None:
    encrypt(invoke, folder)
    scored = invoke("batch", "score", str(folder / "job"), "--model", str(folder / "m.hermetic"), "--json")
    assert scored.exit_code == 0
    summary = json.loads(scored.stdout)
    assert (summary["answered"], summary["shards"], summary["failures"]) == (150, 4, [])
    code, said, _ = decrypt(invoke, folder, "--proba")
    assert (code, said) == (0, f"Wrote 150 rows to {folder / 'out.csv'}.\n")
    found = pd.read_csv(folder / "out.csv")
    assert found["prediction"].tolist() == petals().estimator.predict(X).tolist()
    assert found.columns.tolist() == [
        "row",
        "prediction",
        *(f"probability_{one}" for one in petals().estimator.classes_),
    ]


def test_what_is_missing_has_an_exit_code_of_its_own(invoke: Invoke, folder: Path) -> None:
    encrypt(invoke, folder)
    (folder / "job" / "queries" / "00000001").write_bytes(b"damaged")
    scored = invoke("batch", "score", str(folder / "job"), "--model", str(folder / "m.hermetic"))
    assert scored.exit_code == 3
    assert "queries/00000001 has no answer" in scored.stderr and scored.stdout.startswith("Answered 110 rows in ")
    code, _, error = decrypt(invoke, folder)
    assert code == 1 and "answers/00000001" in error and not (folder / "out.csv").exists()
    code, said, error = decrypt(invoke, folder, "--partial", "--json")
    assert code == 3 and "answers/00000001, 40 rows, is left out" in error
    assert json.loads(said)["rows"] == 110 == len(pd.read_csv(folder / "out.csv"))


def test_a_plan_is_made_of_measured_figures(invoke: Invoke, folder: Path) -> None:
    options = ["--model", str(folder / "m.hermetic"), "--rows", "1e6", "--rows-per-query", "100", "--price-gb", "1"]
    planned = invoke("batch", "plan", str(folder / "t.csv"), *options, "--json")
    found = json.loads(planned.stdout)
    assert (found["rows"], found["queries"]) == (1_000_000, 10_000)
    circuit = petals().signature.circuit
    assert found["up_bytes"] == 10_000 * circuit.query_bytes(100)
    assert found["price"] == pytest.approx((found["up_bytes"] + found["down_bytes"]) / 1e9)
    assert found["score_core_hours"] == pytest.approx(10_000 * found["measured"]["score"] / 3600)
    assert "core-hours" in invoke("batch", "plan", str(folder / "t.csv"), *options).stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rows", "0"], "rows must be 1 to 1e15. Got 0 instead."),
        (["--rows", "1e6"], "must hold the 65536 rows of one query. It holds 150"),
        (["--rows", "10", "--price-gb", "-1"], "price_gb must be 0 or more. Got -1 instead."),
    ],
)
def test_what_cannot_be_planned_is_refused(invoke: Invoke, folder: Path, options: list[str], message: str) -> None:
    done = invoke("batch", "plan", str(folder / "t.csv"), "--model", str(folder / "m.hermetic"), *options)
    assert done.exit_code == 1
    assert message in done.stderr


def test_a_store_that_does_not_answer_is_named(invoke: Invoke, folder: Path) -> None:
    options = ["batch", "score", "s3://nowhere/job", "--model", str(folder / "m.hermetic")]
    secret = "HwBDfnAWq"
    access = {"AWS_REGION": "x", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": secret}
    done = invoke(*options, AWS_ENDPOINT="http://127.0.0.1:1", **access)
    assert done.exit_code == 1
    assert "the job's store must answer. It does not" in done.stderr
    assert secret not in done.stderr
