"""The two hosts of a scoring script: Azure's inference server, and ``hermetic serve --entry-script``.

Both run in the environment ``tests/hosts/azureml``, so that a script finds the same packages in each.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from live import serving_script
from ports import free_port

BIN = Path(__file__).parent / "azureml" / ".venv" / "bin"
LONGEST_START = 360

Host = Callable[[Path, Path, Mapping[str, str]], AbstractContextManager[str]]
"""(script, model directory, environment variables) -> the URL of the running host."""


@contextlib.contextmanager
def azure(script: Path, model_dir: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """``azureml-inference-server-http``, as its own command starts it, but on this machine's address alone."""
    port = free_port()
    settings = {
        "AZUREML_ENTRY_SCRIPT": script.name,
        "AML_APP_ROOT": str(script.parent),
        "AZUREML_MODEL_DIR": str(model_dir),
    }
    app = "azureml_inference_server_http.server.entry:app"
    command = [str(BIN / "gunicorn"), "--bind", f"127.0.0.1:{port}", "--timeout", "120", app]
    with subprocess.Popen(
        command, env={**os.environ, **settings, **variables}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(process, url := f"http://127.0.0.1:{port}")
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + LONGEST_START
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).text == "Healthy":
                return
        time.sleep(0.1)
    raise RuntimeError(f"the inference server must start. It did not: exit code {process.poll()}.")


@contextlib.contextmanager
def hermetic_serve(script: Path, model_dir: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """``hermetic serve --entry-script``."""
    options = ("--model-dir", str(model_dir))
    with serving_script(script, *options, command=str(BIN / "hermetic"), variables=variables) as live:
        yield live.url


HOSTS: dict[str, Host] = {"azureml-inference-server-http": azure, "hermetic serve": hermetic_serve}
