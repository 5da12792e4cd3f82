"""``hermetic serve --entry-script``: any script of ``init()`` and ``run(raw_data)``, and how it can go wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from asking import metric, until

from hermetic.errors import SettingsError
from hermetic.serve.script_service import ScriptService
from hermetic.serve.settings import load_settings
from live import COMMAND, Live, serving_script

SCRIPT = """
import json
import os
import sys
import time

import beside


def init():
    global starts
    starts = 1
    print("init was called")


def run(raw_data):
    asked = json.loads(raw_data)
    match asked["do"]:
        case "echo":
            return asked
        case "describe":
            model = os.environ["AZUREML_MODEL_DIR"]
            return [type(raw_data).__name__, starts, beside.WORD, sorted(os.listdir(model)), os.environ["OWN_SECRET"]]
        case "none":
            return None
        case "bytes":
            return b"not JSON"
        case "raise":
            raise ValueError("a value of the script's own")
        case "exit":
            sys.exit("enough")
        case "die":
            os._exit(7)
        case "wait":
            while not os.path.exists(asked["file"]):
                time.sleep(0.01)
            return "waited"
        case "pid":
            return os.getpid()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("script")
    (folder / "score.py").write_text(SCRIPT)
    (folder / "beside.py").write_text("WORD = 'found'\n")
    (folder / "model").mkdir()
    (folder / "model" / "weights.txt").touch()
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Live]:
    options = ("--model-dir", str(folder / "model"), "--evaluation-timeout", "5", "--body-memory", "1")
    with serving_script(folder / "score.py", *options, variables={"OWN_SECRET": "the script's own"}) as live:
        yield live


def ask(service: Live, **members: Any) -> httpx.Response:
    return httpx.post(f"{service.url}/score", content=json.dumps(members), timeout=240)


def failures(service: Live) -> list[str]:
    return [entry["reason"] for entry in service.log if entry.get("event") == "script_failed"]


def test_run_gets_the_body_as_text_and_its_answer_becomes_json(service: Live) -> None:
    answer = ask(service, do="echo", word="Grüße")
    assert (answer.status_code, answer.json()) == (200, {"do": "echo", "word": "Grüße"})
    assert answer.headers["content-type"] == "application/json"
    assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 0


def test_the_script_finds_its_model_its_neighbours_and_its_environment(service: Live) -> None:
    assert ask(service, do="describe").json() == ["str", 1, "found", ["weights.txt"], "the script's own"]


def test_what_the_script_prints_is_in_the_log(service: Live) -> None:
    until(lambda: any("init was called" in entry["message"] for entry in service.log))


def test_none_becomes_an_empty_object(service: Live) -> None:
    assert ask(service, do="none").json() == {}


def test_get_passes_the_query_as_json(service: Live) -> None:
    answer = httpx.get(f"{service.url}/score?do=echo&n=3&n=[4]&word=plain&empty=")
    assert answer.json() == {"do": "echo", "n": [3, [4]], "word": "plain", "empty": ""}


@pytest.mark.parametrize(
    ("what", "logged"),
    [
        ("raise", "ValueError: a value of the script's own"),
        ("exit", "SystemExit: enough"),
        ("bytes", "TypeError: Object of type bytes is not JSON serializable"),
    ],
)
def test_a_script_that_raises_gives_500_and_its_traceback_stays_in_the_log(
    service: Live, what: str, logged: str
) -> None:
    pid = ask(service, do="pid").json()
    answer = ask(service, do=what)
    assert answer.status_code == 500
    assert answer.headers["x-ms-run-function-failed"] == "True"
    assert answer.json() == {
        "error": "the entry script failed. The operator's log says where.",
        "code": "script_failed",
    }
    until(lambda: any(logged in one for one in failures(service)))
    traceback = next(one for one in failures(service) if logged in one)
    assert ('score.py", line' in traceback) == (what != "bytes")
    assert ask(service, do="pid").json() == pid


def test_the_log_names_the_request_that_failed(service: Live) -> None:
    number = ask(service, do="raise").headers["x-request-id"]

    def logged() -> set[str]:
        return {entry["event"] for entry in service.log if entry.get("request_id") == number}

    until(lambda: logged() == {"script_failed", "request"})


def test_a_script_that_dies_is_started_again(service: Live) -> None:
    before = ask(service, do="pid").json()
    answer = ask(service, do="die")
    assert (answer.status_code, answer.json()["code"]) == (500, "script_failed")
    until(lambda: httpx.get(f"{service.url}/v2/health/ready").status_code == 200)
    assert ask(service, do="pid").json() != before
    assert ask(service, do="describe").json()[1] == 1


def test_a_script_killed_while_idle_is_started_again(service: Live) -> None:
    before = ask(service, do="pid").json()
    psutil.Process(before).kill()
    until(lambda: metric(service.url, "hermetic_workers") == 0 or ask(service, do="pid").json() != before)
    until(lambda: httpx.get(f"{service.url}/v2/health/ready").status_code == 200)
    assert ask(service, do="pid").json() != before


@pytest.fixture
def patient(folder: Path) -> Iterator[Live]:
    """A service whose script may take as long as it likes."""
    with serving_script(folder / "score.py", "--evaluation-timeout", "600") as live:
        yield live


def test_health_does_not_wait_for_the_script(patient: Live, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(ask, patient, do="wait", file=str(tmp_path / "go"))
        until(lambda: metric(patient.url, "hermetic_running") == 1)
        assert httpx.get(patient.url).text == "Healthy"
        assert httpx.get(f"{patient.url}/healthz").json()["status"] == "ok"
        assert not waiting.done()
        (tmp_path / "go").touch()
        assert waiting.result().json() == "waited"


def test_a_script_that_takes_too_long_is_ended_and_started_again(service: Live, tmp_path: Path) -> None:
    answer = ask(service, do="wait", file=str(tmp_path / "never"))
    assert (answer.status_code, answer.json()["code"]) == (500, "script_failed")
    until(lambda: any("took too long" in one for one in failures(service)))
    until(lambda: ask(service, do="none").status_code == 200)


def test_nothing_is_left_when_the_service_is_killed_while_the_script_runs(patient: Live, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        script = psutil.Process(ask(patient, do="pid").json())
        threads.submit(ask, patient, do="wait", file=str(tmp_path / "never"))
        until(lambda: metric(patient.url, "hermetic_running") == 1)
        patient.kill()
        script.wait(timeout=120)


def test_a_body_that_is_not_text_is_refused_before_the_script_sees_it(service: Live) -> None:
    answer = httpx.post(f"{service.url}/score", content=b"\xff\xfe")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_body_beyond_the_memory_for_it_is_refused(service: Live) -> None:
    answer = httpx.post(f"{service.url}/score", content=b" " * (600 << 10))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_only_the_addresses_of_a_script_are_there(service: Live) -> None:
    assert httpx.get(f"{service.url}/models").status_code == 404
    assert httpx.put(f"{service.url}/score").status_code == 405


def test_tokens_and_limits_hold_and_each_request_counts_as_one(folder: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        [COMMAND, "token", "new", "clinic", "--file", str(tmp_path / "tokens")],
        capture_output=True,
        text=True,
        check=True,
    )
    token = next(word for word in made.stdout.split() if word.startswith("hermetic_"))
    options = ("--tokens", str(tmp_path / "tokens"), "--rate", "2/hour")
    with serving_script(folder / "score.py", *options) as live:
        assert ask(live, do="none").status_code == 401
        assert httpx.get(live.url).status_code == 200
        answers = [
            httpx.post(f"{live.url}/score", content='{"do": "none"}', headers={"Authorization": f"Bearer {token}"})
            for _ in range(3)
        ]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "over_limit"


def test_each_process_runs_the_script_and_takes_one_request_at_a_time(folder: Path, tmp_path: Path) -> None:
    options = ("--workers", "2", "--queue-timeout", "600", "--evaluation-timeout", "600")
    with serving_script(folder / "score.py", *options) as live, ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(ask, live, do="wait", file=str(tmp_path / "go")) for _ in range(3)]
        until(lambda: metric(live.url, "hermetic_running") == 2 and metric(live.url, "hermetic_queue") == 1)
        (tmp_path / "go").touch()
        assert [one.result().json() for one in asked] == ["waited"] * 3


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "serve", "--port", "0", "--workers", "1", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def init():\n    open('/nowhere/model')\ndef run(raw_data): ...", "FileNotFoundError"),
        ("import a_package_that_is_not_there", "No module named 'a_package_that_is_not_there'"),
        ("def run(raw_data): ...", "the entry script must define init()"),
        ("def init(): ...", "the entry script must define run()"),
        ("def init(: ...", "SyntaxError"),
        ("import os\ndef init(): os._exit(3)\ndef run(raw_data): ...", "the evaluation process died"),
        ("import sys\ndef init(): sys.exit(3)\ndef run(raw_data): ...", "SystemExit: 3"),
    ],
)
def test_a_script_that_does_not_start_ends_the_service_with_words(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "score.py").write_text(text)
    done = start("--entry-script", str(tmp_path / "score.py"))
    assert done.returncode == 1
    assert "score.py must import, and its init() must return." in done.stderr.replace("\n", " ")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"entry_script": "nowhere.py"}, "--entry-script must be a Python file"),
        ({"entry_script": __file__, "model_dir": "nowhere"}, "--model-dir must be a directory"),
        ({"entry_script": __file__, "models": ("a.hermetic",)}, "not both"),
        ({"model_dir": "."}, "model_dir needs entry_script"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ScriptService(load_settings(given))
