"""``hermetic serve --legacy-clients``: an unmodified client of encrypted-inference 0.9 over HTTP, beside new ones."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import jsonschema
import numpy as np
import psutil
import pytest
from legacy_client import LegacyClient
from sklearn.ensemble import RandomForestRegressor

from fitted import Fitted, digits, progression, tumours
from hermetic import compile as compile_model
from hermetic.legacy.format import MAX_KEY_BYTES
from live import COMMAND, Live, serving, serving_script
from serve.asking import Caller


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, old: LegacyClient) -> Iterator[Live]:
    models = {one.signature.name: one.model for one in (digits(), tumours(), progression())}
    forest = RandomForestRegressor(2, max_depth=3, random_state=0).fit(
        digits().X, digits().X[:, 20] * digits().X[:, 43]
    )
    models["forest"] = compile_model(forest, digits().X, name="forest", public=["randomforestregressor"])
    with serving(tmp_path_factory.mktemp("legacy"), models, "--legacy-clients") as live:
        assert put(live, old).status_code == 201
        yield live


def put(service: Live, old: LegacyClient, keys: bytes | None = None) -> httpx.Response:
    return httpx.put(f"{service.url}/keys/{old.key_id}", content=keys or old.keys, timeout=240)


def score(service: Live, old: LegacyClient, data: object, **members: object) -> httpx.Response:
    return httpx.post(f"{service.url}/score", json={"data": data, "key_id": old.key_id, **members}, timeout=240)


@pytest.mark.parametrize("fitted", [digits, tumours, progression])
def test_legacy_clients_get_the_estimators_scores(service: Live, old: LegacyClient, fitted: Fitted) -> None:
    """Pixels, a pipeline with a scaler, and a precise model of two limbs."""
    one = fitted()
    for sample in range(2):
        x = np.asarray(one.X, dtype=float)[sample]
        answer = score(service, old, old.encrypt(x), model=one.signature.name)
        assert answer.status_code == 200, answer.text
        right = np.atleast_1d(one.scores[sample])
        scores = old.decrypt(answer.json())
        assert scores.shape == right.shape
        assert np.abs(scores - right).max() <= one.signature.error + 1e-5 * np.ptp(one.scores)


def test_a_warning_stands_in_the_log(service: Live) -> None:
    warnings = [entry for entry in service.log if entry.get("event") == "legacy_clients"]
    assert len(warnings) == 1 and "not protected" in warnings[0]["message"]


def test_new_clients_are_answered_beside_them(service: Live) -> None:
    caller = Caller(service.url, digits())
    caller.put_key()
    assert caller.works()


def test_keys_are_read_back_as_they_came_and_deleted(service: Live, old: LegacyClient) -> None:
    address = f"{service.url}/keys/{old.key_id}"
    assert put(service, old).status_code == 200
    assert httpx.get(address).content == old.keys
    assert httpx.delete(address).status_code == 204 and httpx.get(address).status_code == 404
    x = digits().X[0]
    assert score(service, old, old.encrypt(x), model="digits").status_code == 424
    assert put(service, old).status_code == 201
    assert score(service, old, old.encrypt(x), model="digits").status_code == 200


def test_keys_that_are_none_and_names_that_are_taken_are_refused(service: Live, old: LegacyClient) -> None:
    for keys, status, words in [
        (old.keys + b"other", 409, "Other keys have it"),
        (bytes(1000), 422, "format of encrypted-inference 0.9"),
        (old.keys[:1_000_000], 422, "state its size"),
        (bytes(MAX_KEY_BYTES + 1), 413, "at most"),
    ]:
        answer = put(service, old, keys)
        assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
    named = hashlib.sha256(old.keys).hexdigest()
    assert httpx.put(f"{service.url}/keys/{named}", content=old.keys, timeout=240).status_code == 413


def test_requests_that_do_not_fit_are_refused_and_the_service_lives(service: Live, old: LegacyClient) -> None:
    right = old.encrypt(digits().X[0])
    garbled = bytearray(base64.b64decode(right[0]))
    garbled[30:60] = bytes(30)
    for data, members, status, words in [
        (right, {}, 422, "model the name"),
        (right, {"model": "none"}, 404, "model"),
        (right, {"model": "forest"}, 422, "legacy clients must ask linear models"),
        (right * 2, {"model": "digits"}, 422, "must take 1 ciphertexts"),
        ([], {"model": "digits"}, 422, "must take 1 ciphertexts"),
        ("text", {"model": "digits"}, 422, "must be a list"),
        ([7], {"model": "digits"}, 422, "must be a base64 string"),
        (["AAAA"], {"model": "digits"}, 422, "format of encrypted-inference 0.9"),
        ([base64.b64encode(garbled).decode()], {"model": "digits"}, 422, "inflate"),
        (["A" * 2_000_000], {"model": "digits"}, 422, "at most"),
    ]:
        answer = score(service, old, data, **members)
        assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
    assert score(service, old, right, model="digits").status_code == 200
    assert service.process.poll() is None


def test_the_log_names_no_key_in_full_and_no_ciphertext(service: Live, old: LegacyClient) -> None:
    right = old.encrypt(digits().X[0])
    score(service, old, right, model="digits")
    assert old.key_id not in str(service.log) and right[0][:60] not in str(service.log)


def test_without_the_switch_nothing_of_it_is_there(tmp_path: Path, old: LegacyClient) -> None:
    with serving(tmp_path, {"digits": digits().model}) as service:
        assert put(service, old).status_code == 422
        refused = score(service, old, old.encrypt(digits().X[0]))
        assert refused.status_code == 422 and "64 lower-case" in refused.json()["error"]
        assert not [entry for entry in service.log if entry.get("event") == "legacy_clients"]


def test_it_can_be_made_impossible(tmp_path: Path, old: LegacyClient) -> None:
    """Even where the front process let such a request through, no evaluation process would answer it."""
    options = ("--forbid-legacy-clients",)
    with serving(tmp_path, {"digits": digits().model}, *options) as service:
        assert put(service, old).status_code == 422
        for worker in psutil.Process(service.process.pid).children():
            assert worker.environ()["HERMETIC_FORBID_LEGACY_CLIENTS"] == "1"
    for variables, flags in (({"HERMETIC_LEGACY_CLIENTS": "1"}, options), ({}, ("--legacy-clients", *options))):
        done = start(str(tmp_path / "models"), *flags, **variables)
        assert done.returncode == 1
        assert "legacy_clients must stay off where forbid_legacy_clients is on" in done.stderr


def test_a_script_cannot_allow_what_is_forbidden(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text(
        "from encrypted.inference.eiserver import EIServer\n"
        "def init(): EIServer([[1.0]], [0.0], legacy_clients=True)\n"
        "def run(raw_data): ...\n"
    )
    done = start("--entry-script", str(script), "--forbid-legacy-clients")
    assert done.returncode == 1
    assert "HERMETIC_FORBID_LEGACY_CLIENTS is set" in done.stderr
    with serving_script(script):
        """Without the switch it starts."""


def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, "serve", "--port", "0", "--workers", "1", *arguments]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=480)


def test_limits_count_legacy_clients_too(tmp_path: Path, old: LegacyClient) -> None:
    options = ("--legacy-clients", "--rate", "1/hour")
    with serving(tmp_path, {"digits": digits().model}, *options) as service:
        put(service, old)
        data = old.encrypt(digits().X[0])
        assert [score(service, old, data).status_code for _ in range(2)] == [200, 429]


SCRIPT = """
import base64, json
from encrypted.inference.eiserver import EIServer

def init():
    global server
    server = EIServer([[1.0, 2.0], [3.0, -4.0]], [0.5, 0.0])

def run(raw_data):
    request = json.loads(raw_data)
    return server.predict(request["data"], base64.b64decode(request["keys"]))
"""


def test_the_switch_reaches_an_entry_script(tmp_path: Path, old: LegacyClient) -> None:
    script = tmp_path / "score.py"
    script.write_text(SCRIPT)
    with serving_script(script, "--legacy-clients") as service:
        body = {"data": old.encrypt([1.0, 2.0]), "keys": base64.b64encode(old.keys).decode()}
        answer = httpx.post(f"{service.url}/score", json=body, timeout=240)
        assert old.decrypt(answer.json()) == pytest.approx([5.5, -5.0], abs=1e-5)


def test_the_openapi_document_takes_the_key_ids_of_legacy_clients(service: Live, old: LegacyClient) -> None:
    document = httpx.get(f"{service.url}/openapi.json").json()
    asked = document["components"]["schemas"]["ScoreRequest"]["properties"]["key_id"]
    jsonschema.validate(old.key_id, asked)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(old.key_id.upper(), asked)
