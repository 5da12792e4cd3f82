"""Jobs from end to end: every row is answered once, beside its key, whatever ends on the way."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tabled import EACH, ROWS, SHARDS, Case

from hermetic import Client, DecryptionError, InputError, MismatchError, WireError
from hermetic.batch import encrypting, local_engine
from hermetic.batch.decrypting import decrypt
from hermetic.batch.encrypting import encrypt
from hermetic.batch.job import Job
from hermetic.batch.manifest import Manifest
from hermetic.batch.scoring import score
from hermetic.errors import SettingsError
from serve.stores import StoreAt, azurite, s3


def test_a_table_is_encrypted_scored_and_decrypted(case: Case) -> None:
    told: list[tuple[int, int | None]] = []
    manifest = encrypt(
        case.parquet, case.client, case.job, case.rows, row_key="patient", rows_per_query=EACH,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert (manifest.rows, len(manifest.shards)) == (ROWS, SHARDS)
    assert told[-1] == (ROWS, ROWS) and len(told) == SHARDS
    scored: list[tuple[int, int]] = []
    summary = case.scored(progress=lambda done, total: scored.append((done, total)))
    assert (summary.answered, summary.answered_before, summary.failures) == (ROWS, 0, ())
    assert scored[-1] == (ROWS, ROWS)
    found = case.decrypted(columns=("prediction", "score", "probability"))
    case.check(found)
    plain = case.table.drop(columns="patient")
    assert found["prediction"].tolist() == case.estimator.predict(plain).tolist()
    assert np.abs(found["probability_1"] - case.estimator.predict_proba(plain)[:, 1]).max() < 1e-3


def test_nothing_in_the_job_names_a_row_or_a_column(case: Case) -> None:
    case.encrypted()
    for file in Path(case.job).rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert b"p00000" not in data and b"patient" not in data and b"mean radius" not in data
    assert (case.rows.stat().st_mode & 0o777) == 0o600


@pytest.fixture(scope="module", params=["s3", "az"])
def cloud(request: pytest.FixtureRequest) -> Iterator[StoreAt]:
    with {"s3": s3, "az": azurite}[request.param]() as store:
        yield store


def test_jobs_in_clouds(case: Case, cloud: StoreAt, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    job = f"{cloud.url}/march"
    case.encrypted(job)
    assert case.scored(job).answered == ROWS
    case.check(case.decrypted(job))


def test_a_second_run_does_what_is_missing(case: Case) -> None:
    case.encrypted()
    case.scored()
    gone = Path(case.job) / "answers" / "00000002"
    gone.unlink()
    kept = {one.name: one.read_bytes() for one in gone.parent.iterdir()}
    with pytest.raises(WireError, match=r"answers/00000002 of the job .* was not found: score the job"):
        case.decrypted()
    assert not (case.folder / "out.parquet").exists()
    summary = case.scored()
    assert (summary.answered, summary.answered_before) == (EACH, ROWS - EACH)
    assert {name: (gone.parent / name).read_bytes() for name in kept} == kept
    case.check(case.decrypted())


def test_an_answer_is_written_once(case: Case) -> None:
    shard = case.encrypted().shards[0]
    job = Job.open(case.job)
    job.write_answer(shard, b"first")
    job.write_answer(shard, b"second")
    assert job.answer(shard, 100) == b"first"


def test_encrypting_goes_on_where_it_was_ended(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended in the middle of a shard: what is in the store is not encrypted again."""
    real, calls = Client.encrypt, itertools.count()

    def dies(client: Client, X: Any, **options: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(client, X, **options)

    monkeypatch.setattr(Client, "encrypt", dies)
    with pytest.raises(KeyboardInterrupt):
        case.encrypted()
    with pytest.raises(SettingsError, match=r"was not found\. hermetic batch encrypt writes it last"):
        case.scored()
    before = {one.name: one.read_bytes() for one in (Path(case.job) / "queries").iterdir()}
    assert 2 <= len(before) <= 3
    monkeypatch.setattr(Client, "encrypt", real)
    case.encrypted()
    for name, data in before.items():
        assert (Path(case.job) / "queries" / name).read_bytes() == data
    case.scored()
    case.check(case.decrypted())
    assert sorted(one.name for one in case.folder.iterdir() if "table" in one.name) == ["table.parquet", "table.rows"]


def test_a_table_that_changed_since_is_encrypted_again(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encrypting, "RowFileWriter", lambda *_: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(RuntimeError):
        case.encrypted()
    monkeypatch.undo()
    case.table.to_parquet(case.parquet)
    other = case.table.copy()
    other.loc[0, "mean radius"] += 1
    other.to_parquet(case.parquet)
    case.encrypted()
    case.scored()
    found = case.decrypted()
    own = case.estimator.decision_function(other.drop(columns="patient"))
    assert np.abs(found["score"] - own).max() <= case.model.signature.error


def test_a_run_of_something_else_is_not_continued(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encrypting._Encryption, "shards", lambda *_: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(RuntimeError):
        case.encrypted()
    monkeypatch.undo()
    with pytest.raises(SettingsError, match="It belongs to a run that did not end: run that again, or remove"):
        encrypt(case.parquet, case.client, case.job, case.rows, rows_per_query=EACH)


def test_the_row_file_of_another_job_is_not_lost(case: Case) -> None:
    case.encrypted()
    before = case.rows.read_bytes()
    with pytest.raises(SettingsError, match=r"the row file must be new. .* belongs to another job"):
        case.encrypted(str(case.folder / "april"))
    assert case.rows.read_bytes() == before
    assert not (case.folder / "april" / "manifest.json").exists()


def test_a_job_is_encrypted_once(case: Case) -> None:
    case.encrypted()
    with pytest.raises(SettingsError, match=r"must be new. It has a manifest"):
        case.encrypted()


def test_a_shard_that_kills_every_worker_is_given_up(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.encrypted()
    real = local_engine._Process.answer

    def dies(process: Any, shard: Any) -> Any:
        if shard.number == 4:
            process._process.kill()
        return real(process, shard)

    monkeypatch.setattr(local_engine._Process, "answer", dies)
    summary = case.scored()
    assert [(one.shard, one.error) for one in summary.failures] == [("queries/00000004", "its worker died 3 times")]
    assert summary.answered == ROWS - EACH
    found = case.decrypted(partial=True)
    case.check(found, np.setdiff1d(np.arange(ROWS), np.arange(4 * EACH, 5 * EACH)))


def test_damaged_and_foreign_shards_are_named_and_the_others_done(case: Case) -> None:
    case.encrypted()
    queries = Path(case.job) / "queries"
    flipped = bytearray((queries / "00000001").read_bytes())
    flipped[-5] ^= 1
    (queries / "00000001").write_bytes(flipped)
    (queries / "00000003").write_bytes((queries / "00000002").read_bytes())
    (queries / "00000005").unlink()
    summary = case.scored()
    assert summary.answered == ROWS - 3 * EACH
    errors = {one.shard: one.error for one in summary.failures}
    assert list(errors) == ["queries/00000001", "queries/00000003", "queries/00000005"]
    assert "must be what the manifest says" in errors["queries/00000001"]
    assert "must be what the manifest says" in errors["queries/00000003"]
    assert "was not found" in errors["queries/00000005"]


def test_answers_that_were_mixed_up_are_told(case: Case) -> None:
    case.encrypted()
    case.scored()
    answers = Path(case.job) / "answers"
    first, second = ((answers / name).read_bytes() for name in ("00000000", "00000001"))
    (answers / "00000000").write_bytes(second)
    (answers / "00000001").write_bytes(first)
    with pytest.raises(MismatchError, match=r"answers/00000000 .* It answers another: answers were mixed up"):
        case.decrypted()
    (answers / "00000000").write_bytes(first[:-9] + bytes(9))
    with pytest.raises(WireError, match="answers/00000000"):
        case.decrypted()
    found = case.decrypted(partial=True)
    case.check(found, slice(2 * EACH, None))


def test_another_model_or_key_is_refused_before_anything_is_done(case: Case, tmp_path: Path) -> None:
    from fitted import petals

    case.encrypted()
    petals().model.save(other := tmp_path / "petals.hermetic")
    with pytest.raises(MismatchError, match=r"must be for model 'petals' .* It is for 'tumours'"):
        score(case.job, other)
    stranger = Client(case.client.signature)
    (Path(case.job) / "public.key").write_bytes(stranger.public_key.to_bytes())
    with pytest.raises(SettingsError, match="which its manifest names"):
        case.scored()
    assert not (Path(case.job) / "answers").exists()
    with pytest.raises(MismatchError, match=r"the key of the job .* pass the key that the table was encrypted with"):
        decrypt(case.job, stranger, case.rows, tmp_path / "out.parquet")


def test_a_wrong_row_file_is_refused(case: Case, tmp_path: Path) -> None:
    case.encrypted()
    case.scored()
    other = tmp_path / "other.rows"
    encrypt(case.parquet, case.client, str(tmp_path / "another"), other, rows_per_query=EACH * 2)
    with pytest.raises(MismatchError, match="must have the rows of the job"):
        decrypt(case.job, case.client, other, tmp_path / "out.parquet")
    for data in (b"", b"PAR1 is not enough PAR1"):
        other.write_bytes(data)
        with pytest.raises(InputError, match="must be the row file that hermetic batch encrypt wrote"):
            decrypt(case.job, case.client, other, tmp_path / "out.parquet")
    with pytest.raises(InputError, match="must be the row file"):
        decrypt(case.job, case.client, case.parquet, tmp_path / "out.parquet")


@pytest.mark.parametrize("stops", [False, True])
def test_what_decrypts_is_not_told_by_what_is_read(case: Case, monkeypatch: pytest.MonkeyPatch, stops: bool) -> None:
    """A client that stops at an answer which does not decrypt tells that to whoever keeps the store's log."""
    case.encrypted()
    case.scored()
    read: list[int] = []
    real_answer, real_decrypt = Job.answer, Client.decrypt

    def logged(job: Job, shard: Any, size: int) -> bytes | None:
        read.append(shard.number)
        return real_answer(job, shard, size)

    def forged(client: Client, result: Any) -> Any:
        if len(read) == 3:
            raise (KeyboardInterrupt if stops else DecryptionError)("forged")
        return real_decrypt(client, result)

    monkeypatch.setattr(Job, "answer", logged)
    monkeypatch.setattr(Client, "decrypt", forged)
    with pytest.raises(KeyboardInterrupt if stops else DecryptionError):
        case.decrypted()
    assert read == list(range(3 if stops else SHARDS))
    assert not (case.folder / "out.parquet").exists()


LIES: dict[str, tuple[Any, str]] = {
    "no JSON": (lambda one: None, "must be JSON"),
    "another format": (lambda one: one | {"format": "hermetic batch 9"}, "a later one needs a later version"),
    "no shards": (lambda one: one | {"shards": []}, "shards must be a list of 1 to"),
    "fewer rows": (lambda one: one | {"rows": 1}, "rows must be those of all shards"),
    "a shard twice": (lambda one: one | {"shards": one["shards"][:1] * 2, "rows": EACH * 2}, "two have one hash"),
    "a huge shard": (lambda one: one | {"shards": [one["shards"][0] | {"bytes": 1 << 50}]}, "the bytes of shard 0"),
    "a shard of no rows": (lambda one: one | {"shards": [one["shards"][0] | {"rows": 0}]}, "the rows of shard 0"),
    "a path for a hash": (lambda one: one | {"shards": [one["shards"][0] | {"sha256": "../a"}]}, "sha256 of shard 0"),
    "a key that is none": (lambda one: one | {"key": "../../key"}, "key must be 64 hexadecimal digits"),
    "no model": (lambda one: {name: value for name, value in one.items() if name != "model"}, "'model' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_manifest_that_lies_is_refused(case: Case, lie: str) -> None:
    change, message = LIES[lie]
    data = json.loads(case.encrypted().to_bytes())
    changed = change(data)
    (Path(case.job) / "manifest.json").write_bytes(b"{" if changed is None else json.dumps(changed).encode())
    with pytest.raises(WireError, match=message):
        case.scored()
    assert not (Path(case.job) / "answers").exists()


def test_a_manifest_is_read_as_it_was_written(case: Case) -> None:
    manifest = case.encrypted()
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest


def test_an_object_larger_than_it_says_is_not_read(case: Case) -> None:
    shard = case.encrypted().shards[0]
    (Path(case.job) / "queries" / shard.name).write_bytes(bytes(shard.bytes + 1))
    with pytest.raises(WireError, match=f"must have at most {shard.bytes} bytes. Got {shard.bytes + 1} instead"):
        Job.open(case.job).query(shard)


def test_what_cannot_be_asked_for_is_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"rows_per_query must be 1 to 65536. Got 100000 instead"):
        encrypt(case.parquet, case.client, case.job, case.rows, rows_per_query=100_000)
    with pytest.raises(SettingsError, match="There is no "):
        case.scored(str(tmp_path / "nowhere"))
    case.encrypted()
    with pytest.raises(SettingsError, match=r"the engine must be local, ray or ray://HOST:PORT. Got spark instead"):
        case.scored(engine="spark")
    with pytest.raises(SettingsError, match="workers must be 1 or more"):
        case.scored(workers=-1)
    with pytest.raises(InputError, match=r"columns must be from prediction, score, probability. Got label instead"):
        case.decrypted(columns=("label",))
    with pytest.raises(SettingsError, match=r"must be written to a .parquet, .arrow, .csv or .tsv file"):
        case.decrypted(name="out.xlsx")


def test_trees_too(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    import hermetic

    X, y = load_iris(return_X_y=True)
    estimator = RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, y)
    model = hermetic.compile(estimator, X, public=["randomforestclassifier"])
    client = Client(model.signature)
    model.save(tmp_path / "m.hermetic")
    np.save(tmp_path / "t.npy", X[::10])
    manifest = encrypt(tmp_path / "t.npy", client, str(tmp_path / "job"), tmp_path / "t.rows", rows_per_query=4)
    assert len(manifest.shards) == 4
    assert score(str(tmp_path / "job"), tmp_path / "m.hermetic", workers=1).answered == 15
    decrypt(str(tmp_path / "job"), client, tmp_path / "t.rows", tmp_path / "out.csv")
    found = pd.read_csv(tmp_path / "out.csv")
    assert found["row"].tolist() == list(range(15))
    assert found["prediction"].tolist() == estimator.predict(X[::10]).tolist()


def test_networks_too(tmp_path: Path) -> None:
    from fitted import neurons

    one = neurons()
    client = Client(one.signature)
    one.model.save(tmp_path / "m.hermetic")
    np.save(tmp_path / "t.npy", one.X[::20])
    encrypt(tmp_path / "t.npy", client, str(tmp_path / "job"), tmp_path / "t.rows", rows_per_query=3)
    assert score(str(tmp_path / "job"), tmp_path / "m.hermetic", workers=1).answered == 8
    decrypt(str(tmp_path / "job"), client, tmp_path / "t.rows", tmp_path / "out.csv")
    found = pd.read_csv(tmp_path / "out.csv")
    assert np.abs(found["prediction"] - one.estimator.predict(one.X[::20])).max() <= one.signature.error


def test_metrics_are_kept_for_prometheus(case: Case, tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    file, seen = tmp_path / "march.prom", []

    def read() -> dict[str, float]:
        found = {}
        for family in text_string_to_metric_families(file.read_text()):
            (sample,) = family.samples
            assert sample.labels == {"model": "tumours"}
            found[sample.name.removeprefix("hermetic_batch_")] = sample.value
        return found

    case.encrypted()
    (Path(case.job) / "queries" / "00000003").unlink()
    summary = case.scored(metrics=file, progress=lambda *_: seen.append(read() if file.exists() else {}))
    first, last = seen[1], read()
    assert (first["rows"], first["end_time_seconds"]) == (ROWS, 0)
    assert 0 < first["rows_answered"] < ROWS
    assert (last["rows_answered"], last["shards_failed"]) == (ROWS - EACH, 1)
    assert last["worker_seconds"] == pytest.approx(summary.busy_seconds)
    assert last["begin_time_seconds"] <= last["end_time_seconds"]


def test_metrics_that_cannot_be_written_are_named(case: Case) -> None:
    case.encrypted()
    with pytest.raises(SettingsError, match=r"metrics must name a file that can be written: .*: No such file"):
        case.scored(metrics=case.folder / "nowhere" / "march.prom")
