"""Private networks through a real service: keys of megabytes, batches, refused answers, and keys that are others'."""

from __future__ import annotations

import hashlib
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hermetic
from fitted import petals
from hermetic import CalibrationError, Client
from live import COMMAND, Live, serving

X, y = load_breast_cancer(return_X_y=True)
X = X[:, :6]
ESTIMATOR = make_pipeline(
    StandardScaler(), MLPClassifier((64,), activation="logistic", alpha=0.1, max_iter=40, random_state=0)
)
CLIENTS = 8


def compiled() -> hermetic.CompiledModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few iterations suffice here
        return hermetic.compile(ESTIMATOR.fit(X, y), X, name="tumours")


MODEL = compiled()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """With room for the keys of two clients in its evaluation process, and of one before it."""
    models = {"tumours": MODEL, "petals": petals().model}
    options = ("--worker-key-memory", "16", "--key-cache", "4")
    with serving(tmp_path_factory.mktemp("networks"), models, *options) as live:
        yield live


def test_a_batch_is_answered_as_the_network_does(service: Live) -> None:
    told: list[tuple[int, int]] = []
    with hermetic.connect(service.url, model="tumours", progress=lambda *one: told.append(one)) as remote:
        found = remote.predict(X[:24])
        assert np.mean(found == ESTIMATOR.predict(X[:24])) > 0.9
        proba = remote.predict_proba(X[:4])
        assert proba.shape == (4, 2)
        assert np.abs(proba.sum(axis=1) - 1).max() < 1e-12
    assert told[0][1] == 24
    assert [one for one in told if one[1] == 24][-1] == (24, 24)


def test_a_refused_answer_names_its_sample_in_the_whole_batch(service: Live) -> None:
    rows = np.concatenate([X[:7], X.max(axis=0)[None], X[:3]])
    with hermetic.connect(service.url, model="tumours") as remote, pytest.raises(CalibrationError) as caught:
        remote.predict(rows)
    assert caught.value.sample == 7


def test_keys_are_dropped_and_sent_again_within_the_memory_that_there_is(service: Live) -> None:
    """More clients than keys fit: every one is answered rightly, and no process grows with their number."""
    workers = psutil.Process(service.process.pid).children(recursive=True)
    clients = [hermetic.connect(service.url, model="tumours") for _ in range(CLIENTS)]
    sizes = []
    for _ in range(2):
        for remote in clients:
            assert np.mean(remote.predict(X[:2]) == ESTIMATOR.predict(X[:2])) > 0.4
        sizes.append(max(one.memory_info().rss for one in workers))
    for remote in clients:
        remote.close()
    key = len(Client(MODEL.signature).public_key.to_bytes())
    assert key > 2_000_000
    assert sizes[1] - sizes[0] < 2.7 * key * 2


def test_a_key_without_switching_keys_is_refused_with_what_to_do(service: Live) -> None:
    client = Client(MODEL.signature)
    bare = client.secret_key.public_key
    headers = {"Content-Type": "application/octet-stream"}
    stored = httpx.put(f"{service.url}/keys/{bare.id}", content=bare.to_bytes(), headers=headers)
    assert stored.status_code == 413
    assert "must have" in stored.text
    assert str(MODEL.signature.circuit.query_bytes(1)) not in stored.text


def test_a_key_of_the_right_size_that_is_none_is_refused(service: Live) -> None:
    data = bytearray(Client(MODEL.signature).public_key.to_bytes())
    data[-1000] ^= 1
    name = hashlib.sha256(bytes(data)).hexdigest()
    headers = {"Content-Type": "application/octet-stream"}
    refused = httpx.put(f"{service.url}/keys/{name}", content=bytes(data), headers=headers)
    assert refused.status_code == 422
    assert "checksum" in refused.text


def test_a_key_of_another_model_is_refused_with_what_to_do(service: Live) -> None:
    """A linear model's key, named in a query for the network."""
    other, client = Client(petals().signature), Client(MODEL.signature)
    headers = {"Content-Type": "application/octet-stream"}
    key = other.public_key
    assert httpx.put(f"{service.url}/keys/{key.id}", content=key.to_bytes(), headers=headers).status_code == 201
    query = client.encrypt(X[:1])
    forged = replace(query, batch=replace(query.batch, key=bytes.fromhex(key.id))).to_bytes()
    answer = httpx.post(
        f"{service.url}/v2/models/tumours/infer",
        json={"inputs": [{"name": "query", "datatype": "UINT8", "shape": [len(forged)], "data": list(forged)}]},
    )
    assert answer.status_code == 422
    assert "make the client with this model's signature" in answer.text


def test_linear_models_beside_it_are_served_as_ever(service: Live) -> None:
    one = petals()
    with hermetic.connect(service.url, model="petals") as remote:
        assert np.array_equal(remote.predict(one.X[:5]), one.estimator.predict(one.X[:5]))


def test_inspect_says_what_is_public_and_how_large_keys_are(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "tumours.hermetic")
    for options in ((), ("--json",)):
        command = [COMMAND, "inspect", str(tmp_path / "tumours.hermetic"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "range" in done.stdout
    text = subprocess.run(command[:-1], capture_output=True, text=True, check=True).stdout
    assert "switching keys included" in text
    assert "every input like those of the owner's sample" in text.replace("\n", " ")
    assert "64 x 6 reals" in text
