"""The model repository while the service runs: new, changed, broken and removed files."""

from __future__ import annotations

import asyncio
import functools
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from asking import Caller, metric, under_load, until
from sklearn.linear_model import LogisticRegression

import hermetic
from fitted import Fitted, digits, petals, tumours
from hermetic.serve.repository import Repository
from in_process import publish
from live import Live, serving


def listed(live: Live) -> dict[str, list[int]]:
    return {one["name"]: one["versions"] for one in httpx.get(f"{live.url}/models").json()}


def reported(live: Live) -> list[dict[str, Any]]:
    return [one for one in live.log if one.get("event") == "model_broken"]


def other_petals() -> Fitted:
    """The same shape as ``petals``, other weights, thus another signature."""
    fitted = petals()
    estimator = LogisticRegression(C=0.01).fit(fitted.X, fitted.y)
    return Fitted(estimator, fitted.X, fitted.y, hermetic.compile(estimator, fitted.X, name="petals"))


def test_several_models_and_versions_at_once(tmp_path: Path) -> None:
    models = tmp_path / "models"
    publish(models, "petals", petals().model, 1)
    publish(models, "petals", other_petals().model, 2)
    publish(models, "petals", petals().model, 10)  # the same bytes as version 1
    with serving(tmp_path, {"digits": digits().model}) as live:
        assert listed(live) == {"digits": [1], "petals": [1, 2, 10]}
        caller = Caller(live.url, petals())
        caller.put_key()
        assert caller.works()  # no version: the highest
        assert caller.infer(caller.query(), "petals/versions/1").status_code == 200
        assert caller.infer(caller.query(), "petals/versions/2").json()["code"] == "signature_changed"
        assert caller.infer(caller.query(), "petals/versions/3").status_code == 404
        metadata = httpx.get(f"{live.url}/v2/models/petals").json()
        assert metadata["versions"] == ["1", "2", "10"]
        assert metadata["parameters"]["version"] == "10"


def test_a_file_is_served_by_its_stem(tmp_path: Path) -> None:
    file = tmp_path / "iris-2.hermetic"
    petals().model.save(file)
    (tmp_path / "models").mkdir()
    with serving(tmp_path, {}, str(file)) as live:
        assert listed(live) == {"iris-2": [1]}


class TestWhileRunning:
    """Changes that the service notices."""

    @pytest.fixture
    def live(self, tmp_path: Path) -> Any:
        with serving(tmp_path, {"petals": petals().model}, "--rescan", "1", "--workers", "2") as one:
            yield one

    @pytest.fixture
    def models(self, tmp_path: Path) -> Path:
        return tmp_path / "models"

    def test_a_new_model_and_a_removed_one(self, live: Live, models: Path) -> None:
        caller = Caller(live.url, tumours())
        caller.put_key()
        assert caller.infer(caller.query()).status_code == 404
        publish(models, "tumours", tumours().model)
        until(lambda: "tumours" in listed(live))
        assert caller.works(5)
        shutil.rmtree(models / "tumours")
        until(lambda: "tumours" not in listed(live))
        assert caller.infer(caller.query()).status_code == 404
        assert listed(live) == {"petals": [1]}

    def test_a_changed_model_says_so_to_its_callers(self, live: Live, models: Path) -> None:
        caller = Caller(live.url, petals())
        caller.put_key()
        assert caller.works()
        changed = other_petals()
        publish(models, "petals", changed.model)
        until(lambda: caller.infer(caller.query()).status_code == 409)
        assert caller.infer(caller.query()).json()["signature_digest"] == changed.signature.digest.hex()
        renewed = Caller(live.url, changed)
        renewed.put_key()
        assert renewed.works(10)

    def test_a_model_changes_under_load(self, live: Live, models: Path) -> None:
        """Whoever asked for the old one gets its answer or learns that it changed; nobody gets anything else."""
        old, new = Caller(live.url, petals()), Caller(live.url, other_petals())
        for one in (old, new):
            one.put_key()
        queries = {one: one.query(50) for one in (old, new)}
        answers: list[tuple[Caller, httpx.Response]] = []

        def ask(one: Caller) -> None:
            answers.append((one, one.infer(queries[one])))

        with under_load(*(functools.partial(ask, one) for one in 3 * [old, new])):
            for current in (new, old, new, old):
                publish(models, "petals", current.fitted.model)
                until(lambda current=current: current.infer(current.query()).status_code == 200)
        assert {answer.status_code for _, answer in answers} <= {200, 409, 503}
        assert {one for one, answer in answers if answer.status_code == 200} == {old, new}
        assert all(one.is_right(answer, 50) for one, answer in answers if answer.status_code == 200)

    @pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "another format", "weights out of bounds"])
    def test_a_broken_file_is_reported_and_never_served(self, live: Live, models: Path, damage: str) -> None:
        caller = Caller(live.url, petals())
        caller.put_key()
        good = (models / "petals" / "1" / "model.hermetic").read_bytes()
        folder = models / "broken" / "1"
        folder.mkdir(parents=True)
        (folder / "model.hermetic").write_bytes(damaged(good, damage))
        until(lambda: reported(live))
        assert "broken/1/model.hermetic" in reported(live)[0]["file"]
        assert "/proc/" not in reported(live)[0]["reason"]
        assert listed(live) == {"petals": [1]}
        assert httpx.get(f"{live.url}/v2/models/broken/ready").status_code == 404
        assert metric(live.url, "hermetic_broken_models") == 1
        assert caller.works()
        publish(models, "broken", tumours().model)
        until(lambda: "broken" in listed(live))
        assert metric(live.url, "hermetic_broken_models") == 0

    def test_a_version_that_is_overwritten_by_a_broken_file_goes_on(self, live: Live, models: Path) -> None:
        """Also after every evaluation process was lost: they get the bytes that were good."""
        caller = Caller(live.url, petals())
        caller.put_key()
        file = models / "petals" / "1" / "model.hermetic"
        file.write_bytes(file.read_bytes()[:-100])
        until(lambda: reported(live))
        assert caller.works()
        for worker in psutil.Process(live.process.pid).children():
            worker.kill()
        until(lambda: metric(live.url, "hermetic_worker_restarts") >= 2)
        until(lambda: caller.infer(caller.query()).status_code == 200)
        assert caller.works()

    def test_a_file_that_arrives_slowly_is_served_when_it_is_whole(self, live: Live, models: Path) -> None:
        publish(models / "..", "staged", digits().model)
        data = (models / ".." / "staged" / "1" / "model.hermetic").read_bytes()
        folder = models / "digits" / "1"
        folder.mkdir(parents=True)
        with (folder / "model.hermetic").open("wb") as file:
            for start in range(0, len(data), len(data) // 8):
                assert "digits" not in listed(live)
                file.write(data[start : start + len(data) // 8])
                file.flush()
                time.sleep(0.4)
        until(lambda: "digits" in listed(live))
        caller = Caller(live.url, digits())
        caller.put_key()
        assert caller.works(3)

    def test_odd_places_are_reported(self, live: Live, models: Path) -> None:
        for place in ("petals/first", "petals/0", "petals/01", "pe tals/1"):
            (models / place).mkdir(parents=True)
            petals().model.save(models / place / "model.hermetic")
        until(lambda: metric(live.url, "hermetic_broken_models") == 4)
        assert all("name/version/model.hermetic" in one["reason"] for one in reported(live))
        assert listed(live) == {"petals": [1]}

    def test_hidden_and_other_files_are_nothing(self, live: Live, models: Path) -> None:
        for place in (".git/1/model.hermetic", "petals/.new/model.hermetic", "petals/1/notes.txt", "README"):
            (models / place).parent.mkdir(parents=True, exist_ok=True)
            (models / place).write_text("nothing to serve")
        (models / "petals" / "late").mkdir()
        petals().model.save(models / "petals" / "late" / "model.hermetic")
        until(lambda: metric(live.url, "hermetic_broken_models"))  # what came before it has been looked at as well
        assert metric(live.url, "hermetic_broken_models") == len(reported(live)) == 1
        assert listed(live) == {"petals": [1]}


def damaged(data: bytes, how: str) -> bytes:
    match how:
        case "truncated":
            return data[: len(data) // 2]
        case "flipped":
            return data[:20] + bytes([data[20] ^ 1]) + data[21:]
        case "empty":
            return b""
        case "another format":
            return data.replace(b"hermetic model 1", b"hermetic model 9")
        case _:  # every weight at its largest: the bounds of the signature do not hold
            return data[:-100] + b"\x7f" * 100


class TestAtTheStart:
    """What can be said before anything is served."""

    def failure(self, tmp_path: Path, *options: str) -> str:
        with pytest.raises(RuntimeError) as caught, serving(tmp_path, {}, *options):
            pass
        return str(caught.value)

    def test_a_broken_model_alone_is_no_service(self, tmp_path: Path) -> None:
        (tmp_path / "bad.hermetic").write_bytes(b"nonsense")
        (tmp_path / "models").mkdir()
        assert "a model that can be served must be named" in self.failure(tmp_path, str(tmp_path / "bad.hermetic"))

    def test_a_path_that_is_not_there(self, tmp_path: Path) -> None:
        assert "There is no such path" in self.failure(tmp_path)

    def test_an_empty_directory_waits_for_models(self, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        with serving(tmp_path, {}, "--rescan", "1") as live:
            assert httpx.get(f"{live.url}/v2/health/live").status_code == 200
            assert httpx.get(f"{live.url}/v2/health/ready").status_code == 503
            publish(tmp_path / "models", "petals", petals().model)
            until(lambda: httpx.get(f"{live.url}/v2/health/ready").status_code == 200)

    def test_a_model_given_twice(self, tmp_path: Path) -> None:
        file = tmp_path / "petals.hermetic"
        petals().model.save(file)
        with serving(tmp_path, {"petals": petals().model}, str(file)) as live:
            assert listed(live) == {"petals": [1]}
            assert "must be given once" in reported(live)[0]["reason"]


def test_a_file_of_a_wrong_name_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    petals().model.save(tmp_path / "not a name!.hermetic")
    repository = Repository((tmp_path / "not a name!.hermetic",), Any, 1)  # type: ignore[arg-type]

    async def look_twice() -> None:
        await repository.refresh()
        await repository.refresh()

    asyncio.run(look_twice())
    assert [one.message for one in caplog.records] == ["model not loaded"]
