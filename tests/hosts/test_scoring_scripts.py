"""The guide's ``score.py`` to the byte, and a better one, in both hosts: real MNIST, real Azurite."""

from __future__ import annotations

import hashlib
import json
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import httpx
import joblib
import numpy as np
import numpy.typing as npt
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, ContainerClient, ContainerSasPermissions, generate_container_sas
from script_hosts import HOSTS, Host
from sklearn.linear_model import LogisticRegression

import hermetic
from encrypted.inference.eiclient import EILinearRegressionClient
from encrypted.inference.eiserver import EIServer
from hermetic import Client, CompiledModel, Result
from hermetic.demo.mnist import features, load_mnist
from serve.stores import ACCOUNT, ACCOUNT_KEY, NAME, azurite

HERE = Path(__file__).parent
GUIDES = HERE / "guide_score.py"
GUIDES_SHA256 = "f71b05b0cb39306c988c1c4419e3b61b7b13a2d72aebde5469d86af4b7c2fdd0"
EXAMPLES = HERE.parent.parent / "examples" / "scoring"
BETTER = EXAMPLES / "score.py"

both_hosts = pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)


@cache
def classifier() -> LogisticRegression:
    """Logistic regression on 3,000 images: 784 features, 10 classes."""
    data = load_mnist()
    return LogisticRegression(C=0.05, tol=0.01).fit(features(data.train_images[:3000]), data.train_labels[:3000])


@cache
def images() -> npt.NDArray[np.float64]:
    return features(load_mnist().test_images[:300])


@pytest.fixture(scope="module")
def connection() -> Iterator[str]:
    """The connection string of an Azurite with one container; it holds the account's key."""
    with azurite() as store:
        yield store.environment["AZURE_STORAGE_CONNECTION_STRING"]


@pytest.fixture(scope="module")
def container(connection: str) -> ContainerClient:
    """The container, with all rights: what whoever uploads public keys has."""
    return BlobServiceClient.from_connection_string(connection).get_container_client(NAME)


@pytest.fixture(scope="module")
def read_only(container: ContainerClient) -> str:
    """The container's URL with a signature that may read blobs for an hour, and nothing else."""
    signature = generate_container_sas(
        ACCOUNT,
        NAME,
        account_key=ACCOUNT_KEY,
        permission=ContainerSasPermissions(read=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    return f"{container.url}?{signature}"


def test_the_guides_script_is_the_guides() -> None:
    assert hashlib.sha256(GUIDES.read_bytes()).hexdigest() == GUIDES_SHA256


@both_hosts
def test_the_guides_script_and_the_guides_client(
    host: Host, connection: str, container: ContainerClient, tmp_path: Path
) -> None:
    joblib.dump(classifier(), tmp_path / "sklearn_mnist_model.pkl")
    error = EIServer(classifier().coef_, classifier().intercept_).error

    edp = EILinearRegressionClient(verbose=True)
    public_keys_blob, public_keys_data = edp.get_public_keys()
    container.upload_blob(public_keys_blob, public_keys_data)
    with host(GUIDES, tmp_path, {}) as url, httpx.Client(timeout=60) as http:
        for image in images()[:3]:
            raw_data = edp.encrypt(image)
            data = json.dumps({"data": raw_data, "key_id": public_keys_blob, "conn_str": connection, "container": NAME})
            answer = http.post(f"{url}/score", content=bytes(data, encoding="ASCII"))
            assert answer.status_code == 200, answer.text
            results = edp.decrypt(answer.json())
            assert np.argmax(results) == classifier().predict([image])[0]
            assert np.abs(results - classifier().decision_function([image])[0]).max() <= error


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the compiled classifier, as the deployment has it: below the model's name and version."""
    folder = tmp_path_factory.mktemp("models") / "mnist" / "1"
    folder.mkdir(parents=True)
    compiled().save(folder / "mnist.hermetic")
    return folder.parent.parent


@cache
def compiled() -> CompiledModel:
    return hermetic.compile(classifier(), images(), name="mnist", input_range=(0, 1))


@both_hosts
def test_the_better_script_and_its_client(
    host: Host, read_only: str, container: ContainerClient, model_dir: Path
) -> None:
    predict = runpy.run_path(str(EXAMPLES / "client.py"))["predict"]
    with host(BETTER, model_dir, {"PUBLIC_KEYS_URL": read_only}) as url:
        labels = predict(f"{url}/score", container, images()[:100])
    assert (labels == classifier().predict(images()[:100])).all()


@both_hosts
def test_what_the_better_script_answers_and_what_it_refuses(
    host: Host, read_only: str, container: ContainerClient, model_dir: Path
) -> None:
    client = Client(compiled().signature)
    query = client.encrypt(images()[:100]).to_bytes()
    with host(BETTER, model_dir, {"PUBLIC_KEYS_URL": read_only}) as url, httpx.Client(base_url=url, timeout=60) as http:
        early = http.post("/score", content=query)
        assert (early.status_code, early.headers["content-type"]) == (424, "application/json")

        container.upload_blob(client.public_key.id, client.public_key.to_bytes())
        answer = http.post("/score", content=query)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
        scores = client.decrypt(Result.from_bytes(answer.content, client.signature))
        assert np.abs(scores - classifier().decision_function(images()[:100])).max() <= client.signature.error

        assert http.post("/score", content=client.encrypt(images()).to_bytes()).status_code == 413
        broken = http.post("/score", content=query[:-1])
        assert broken.status_code == 422 and "Traceback" not in broken.text


@both_hosts
def test_the_better_script_refuses_a_key_that_is_not_what_its_name_says(
    host: Host, read_only: str, container: ContainerClient, model_dir: Path
) -> None:
    mine, other = Client(compiled().signature), Client(compiled().signature)
    with host(BETTER, model_dir, {"PUBLIC_KEYS_URL": read_only}) as url:
        for data in (other.public_key.to_bytes(), b"short"):
            container.upload_blob(mine.public_key.id, data, overwrite=True)
            answer = httpx.post(f"{url}/score", content=mine.encrypt(images()[0]).to_bytes(), timeout=60)
            assert (answer.status_code, "public key must" in answer.json()["error"]) == (422, True)


def test_the_better_scripts_access_can_only_read(read_only: str) -> None:
    access = ContainerClient.from_container_url(read_only)
    with pytest.raises(HttpResponseError):
        access.upload_blob("intruder", b"data")
    with pytest.raises(HttpResponseError):
        list(access.list_blobs())
