"""hermetic encrypt, and hermetic decrypt: what travels in between is a file, sent here by curl."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from command_line import Invoke, Project

from hermetic import CompiledModel, PublicKey
from live import Live, serving

PASSPHRASE = {"HERMETIC_PASSPHRASE": "correct horse"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, iris: Project, diabetes: Project) -> Iterator[Live]:
    models = {name: CompiledModel.load(one.model_file) for name, one in {"iris": iris, "diabetes": diabetes}.items()}
    with serving(tmp_path_factory.mktemp("live"), models) as service:
        yield service


@dataclass
class Asked:
    """The files of one query, and how they are read."""

    folder: Path
    signature: str
    invoke: Invoke

    def __getattr__(self, name: str) -> str:
        return str(self.folder / name)

    def decrypt(self, *options: str, answer: str | None = None, stdin: str = "") -> object:
        files = (self.signature, self.query, answer or self.answer)
        return self.invoke("decrypt", *files, "--key", self.key, *options, stdin=stdin, **PASSPHRASE)


def encrypted(folder: Path, project: Project, invoke: Invoke, *options: str) -> Asked:
    """A query of a project's data, under a key in the folder; the model's signature is all that is known of it."""
    one = Asked(folder, str(folder / f"{Path(project.model_file).stem}.signature"), invoke)
    assert invoke("signature", project.model_file, "-o", one.signature).exit_code == 0
    files = ("--key", one.key, "--public-key", one.public, "-o", one.query)
    done = invoke("encrypt", one.signature, project.data_file, *files, *options, **PASSPHRASE)
    assert done.exit_code == 0, done.output
    return one


def curl(*arguments: str) -> str:
    return subprocess.run(["curl", "-sS", *arguments], check=True, capture_output=True, text=True, timeout=60).stdout


def send(live: Live, asked: Asked) -> None:
    key_id = hashlib.sha256(Path(asked.public).read_bytes()).hexdigest()
    curl("--fail", "-T", asked.public, f"{live.url}/keys/{key_id}")
    curl("--fail", "-d", f"@{asked.query}", "-o", asked.answer, f"{live.url}/score")


def test_curl_is_enough_for_labels_and_probabilities(live: Live, iris: Project, invoke: Invoke, tmp_path: Path) -> None:
    asked = encrypted(tmp_path, iris, invoke)
    send(live, asked)
    answer = json.loads(asked.decrypt("--proba", "--output", "json").stdout)
    assert answer["predictions"] == list(iris.estimator.predict(iris.X))
    error = CompiledModel.load(iris.model_file).signature.error
    np.testing.assert_allclose(answer["probabilities"], iris.estimator.predict_proba(iris.X), atol=error)


def test_curl_is_enough_for_values_and_the_answer_may_come_in_a_pipe(
    live: Live, diabetes: Project, invoke: Invoke, tmp_path: Path
) -> None:
    asked = encrypted(tmp_path, diabetes, invoke)
    send(live, asked)
    done = asked.decrypt("--output", "json", answer="-", stdin=Path(asked.answer).read_text())
    error = CompiledModel.load(diabetes.model_file).signature.error
    expected = diabetes.estimator.predict(diabetes.X)
    np.testing.assert_allclose(json.loads(done.stdout)["predictions"], expected, atol=error)


def test_what_is_written(iris: Project, invoke: Invoke, tmp_path: Path) -> None:
    asked = encrypted(tmp_path, iris, invoke)
    assert stat.S_IMODE(Path(asked.key).stat().st_mode) == 0o600
    assert (
        PublicKey.from_bytes(Path(asked.public).read_bytes()).id == json.loads(Path(asked.query).read_bytes())["key_id"]
    )
    before = Path(asked.query).read_bytes()
    again = encrypted(tmp_path, iris, invoke)
    assert len(Path(again.query).read_bytes()) == len(before)
    assert Path(again.query).read_bytes() != before, "encrypting twice must give different bytes"


@pytest.fixture(scope="module")
def answered(live: Live, iris: Project, invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    asked = encrypted(tmp_path_factory.mktemp("answered"), iris, invoke)
    send(live, asked)
    return asked


def test_the_answer_to_another_query_is_refused(live: Live, answered: Asked, iris: Project, invoke: Invoke) -> None:
    """A service that gives an old answer again gives a valid one, under the same key and model."""
    old = Path(answered.answer).read_text()
    encrypted(answered.folder, iris, invoke)
    swapped = answered.decrypt("--output", "json", answer="-", stdin=old)
    assert (swapped.exit_code, swapped.stdout) == (1, "")
    assert "answers another query" in swapped.stderr
    send(live, answered)
    assert answered.decrypt().exit_code == 0


def damaged(text: str) -> str:
    """One bit of the envelope turned over."""
    data = bytearray(base64.b64decode(json.loads(text)[0]))
    data[len(data) // 2] ^= 1
    return json.dumps([base64.b64encode(data).decode()])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "It is no JSON"),
        ("<html>Bad Gateway</html>", "It is no JSON"),
        ("[" * 9000, "It is no JSON"),
        ('{"error": "the key must be known", "code": "unknown_key"}', "It is an error: the key must be known"),
        ('{"error": {}}', "does not hold one text"),
        ("[]", "does not hold one text"),
        ('["AAAA", "AAAA"]', "does not hold one text"),
        ("[1]", "does not hold one text"),
        ("null", "does not hold one text"),
        ('["not base64"]', "no base64"),
        ('["AAAA"]', "must have at least"),
        ("9" * 3_000_000, "It is longer"),
    ],
)
def test_anything_else_is_refused_in_one_line(answered: Asked, answer: str, message: str) -> None:
    done = answered.decrypt(answer="-", stdin=answer)
    assert (done.exit_code, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_damaged_answer_is_refused(answered: Asked) -> None:
    done = answered.decrypt(answer="-", stdin=damaged(Path(answered.answer).read_text()))
    assert done.exit_code == 1
    assert "checksum must match" in done.stderr


def test_files_that_do_not_belong_together(answered: Asked, diabetes: Project, invoke: Invoke, tmp_path: Path) -> None:
    def decrypt(signature: str, query: str, answer: str, key: str) -> str:
        done = invoke("decrypt", signature, query, answer, "--key", key, **PASSPHRASE)
        assert (done.exit_code, done.stdout) == (1, "")
        return str(done.stderr)

    other = encrypted(tmp_path, diabetes, invoke)
    one = answered
    assert "must belong to model 'diabetes'" in decrypt(other.signature, one.query, one.answer, one.key)
    assert "must be what hermetic encrypt wrote" in decrypt(one.signature, one.answer, one.answer, one.key)
    assert "must be what hermetic encrypt wrote" in decrypt(one.signature, one.public, one.answer, one.key)
    assert "must be the answer of /score" in decrypt(one.signature, one.query, one.query, one.key)
    assert "must answer the key" in decrypt(one.signature, one.query, one.answer, other.key)
    assert "There is no such file" in decrypt(one.signature, one.query, one.answer, str(tmp_path / "none.key"))
    assert not (tmp_path / "none.key").exists()
    assert "cannot be read" in decrypt(one.signature, str(tmp_path / "none"), one.answer, one.key)
    assert "cannot be read" in decrypt(one.signature, one.query, str(tmp_path / "none"), one.key)


def test_inputs_are_read_as_by_predict(iris: Project, invoke: Invoke, tmp_path: Path) -> None:
    files = ("--key", str(tmp_path / "key"), "-o", str(tmp_path / "query"))
    refused = invoke("encrypt", iris.model_file, "-", *files, stdin="5,3,1,999\n", **PASSPHRASE)
    assert refused.exit_code == 1 and "Got 999" in refused.stderr
    assert not (tmp_path / "key").exists() or not (tmp_path / "query").exists()
    done = invoke("encrypt", iris.model_file, "-", *files, "--clip", stdin="5;3,5;1,25;0,5\n", **PASSPHRASE)
    assert done.exit_code == 0, done.output
    assert "1 sample under the key" in done.stdout
