"""Real object stores for the tests: Azurite for Azure Blob Storage, moto's server for S3, and this machine's own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import boto3
import httpx
from moto.server import ThreadedMotoServer

from ports import free_port

AZURITE = Path(__file__).parent.parent / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
NAME = "public-keys"

# The account that every Azurite has; it is published with it.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class StoreAt:
    """A store's URL, and the environment that a service needs to use it."""

    url: str
    environment: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def azurite() -> Iterator[StoreAt]:
    """Azurite with one empty container."""
    node = shutil.which("node")
    if node is None or not AZURITE.exists():
        raise RuntimeError("Azurite must be installed: make test does it, with npm in tests/azurite.")
    port = free_port()
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    command = [node, str(AZURITE), *options, "--disableTelemetry", "--skipApiVersionCheck"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        make_container(endpoint)
        connection = f"AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={endpoint};"
        yield StoreAt(f"az://{NAME}/below", {"AZURE_STORAGE_CONNECTION_STRING": connection})
    finally:
        process.kill()
        process.wait()


def make_container(endpoint: str) -> None:
    """``PUT`` a container, signed with the account's key as Azure's Blob service asks for."""
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
    text = f"PUT\n\n\n\n\n\n\n\n\n\n\n\n{headers}/{ACCOUNT}/{ACCOUNT}/{NAME}\nrestype:container"
    signature = base64.b64encode(
        hmac.new(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256).digest()
    ).decode()
    answer = httpx.put(
        f"{endpoint}/{NAME}?restype=container",
        headers={
            "x-ms-date": date,
            "x-ms-version": "2021-08-06",
            "Authorization": f"SharedKey {ACCOUNT}:{signature}",
            "Content-Length": "0",
        },
    )
    answer.raise_for_status()


@contextlib.contextmanager
def s3() -> Iterator[StoreAt]:
    """moto's S3 with one empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        environment = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": endpoint,
            "AWS_ALLOW_HTTP": "true",
        }
        client = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1",
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip
        client.create_bucket(Bucket=NAME)
        yield StoreAt(f"s3://{NAME}/below", environment)
    finally:
        server.stop()


def wait_for(port: int, seconds: float = 240) -> None:
    """Return when something listens on the port."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing listens on port {port}")
        time.sleep(0.1)
