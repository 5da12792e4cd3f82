"""The scoring script in Azure's own inference server, with exactly the packages that the rendered environment locks."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from rendering import checked, document, rendered

from fitted import digits, petals
from hermetic import Client, PublicKey, Result
from hermetic.deploy import Description
from hermetic.object_stores import open_store
from hermetic.serve.keystore import KeyStore
from hermetic.signature import Signature
from ports import free_port
from serve.stores import azurite

LONGEST_START = 240
LONGEST_INSTALL = 1200


@dataclass(frozen=True)
class Endpoint:
    """A running deployment, and its key store as an operator has it."""

    url: str
    keys: KeyStore

    def ask(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/score", content=body, timeout=60)

    def admit(self, key: PublicKey) -> None:
        self.keys.create("anonymous", key.id, key.to_bytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("endpoint")


@pytest.fixture(scope="module")
def endpoint(folder: Path, material: Path) -> Iterator[Endpoint]:
    (wheel,) = material.glob("*.whl")
    with azurite() as store, pytest.MonkeyPatch.context() as patch:
        for name, value in store.environment.items():
            patch.setenv(name, value)
        rendered("azureml", folder, Description("digits", (material / "digits.hermetic",), wheel, store=store.url))
        python = installed(folder)
        variables = {**document(folder / "deployment.yaml")["environment_variables"], **store.environment}
        port = free_port()
        log = (folder / "log").open("w+")
        process = subprocess.Popen(
            [str(python.with_name("azmlinfsrv")), "--entry_script", "code/score.py", "--port", str(port)],
            env={**variables, "AZUREML_MODEL_DIR": "model", "PATH": str(python.parent)},
            cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_until_alive(f"http://127.0.0.1:{port}", process, folder / "log")
            yield Endpoint(f"http://127.0.0.1:{port}", KeyStore(open_store(store.url)))
        finally:
            process.terminate()
            process.wait(30)
            log.close()


def installed(folder: Path) -> Path:
    """What conda does with the environment's file: an empty environment, and pip with these requirements."""
    environment = folder / "environment"
    *_, pip = document(environment / "conda.yaml")["dependencies"]
    python = folder / "env" / "bin" / "python"
    checked(sys.executable, "-m", "venv", folder / "env")
    (environment / "pip.txt").write_text("\n".join(pip["pip"]) + "\n")
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--requirement", "pip.txt"]
    done = subprocess.run(
        command, cwd=environment, capture_output=True, text=True, check=False, timeout=LONGEST_INSTALL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return python


def wait_until_alive(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + LONGEST_START
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)


def test_a_query_is_answered(endpoint: Endpoint) -> None:
    fitted = digits()
    client = Client(Signature.from_bytes(httpx.get(f"{endpoint.url}/score", timeout=60).content))
    endpoint.admit(client.public_key)
    answer = endpoint.ask(client.encrypt(fitted.X[:5]).to_bytes())
    assert answer.status_code == 200, answer.text
    labels = client.predict(Result.from_bytes(answer.content, fitted.signature))
    assert np.array_equal(labels, fitted.estimator.predict(fitted.X[:5]))


def test_a_key_that_is_not_in_the_store_is_named(endpoint: Endpoint) -> None:
    client = Client(digits().signature)
    answer = endpoint.ask(client.encrypt(digits().X[:1]).to_bytes())
    assert (answer.status_code, "key store" in answer.text) == (424, True)


def test_what_is_no_query_is_refused(endpoint: Endpoint) -> None:
    whole = Client(digits().signature).encrypt(digits().X[:1]).to_bytes()
    other = Client(petals().signature).encrypt(petals().X[:1]).to_bytes()
    assert endpoint.ask(whole[:-1]).status_code == 413
    assert endpoint.ask(b"").status_code == 413
    assert endpoint.ask(bytes(len(whole))).status_code == 422
    assert endpoint.ask(other).status_code in (413, 422)
