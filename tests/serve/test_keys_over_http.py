"""Uploading, reading and deleting public keys, and what happens to queries without one."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from asking import Caller

from fitted import digits, petals, progression
from hermetic import PublicKey, Query
from hermetic.rlwe.parameters import FAST
from live import Live, serving


def put(caller: Caller, data: bytes, key_id: str | None = None) -> httpx.Response:
    return caller.http.put(f"/keys/{key_id or hashlib.sha256(data).hexdigest()}", content=data)


def test_the_life_of_a_key(service: Live) -> None:
    caller = Caller(service.url, digits())
    address, data = f"/keys/{caller.key_id}", caller.client.public_key.to_bytes()
    assert caller.http.head(address).status_code == 404
    assert caller.http.get(address).status_code == 404
    assert caller.put_key().status_code == 201
    assert caller.put_key().status_code == 200
    assert caller.http.head(address).status_code == 200
    assert caller.http.get(address).content == data
    assert caller.works()
    assert caller.http.delete(address).status_code == 204
    assert caller.http.delete(address).status_code == 404
    assert caller.http.head(address).status_code == 404


def test_a_query_without_a_stored_key_says_which(service: Live) -> None:
    caller = Caller(service.url, digits())
    answer = caller.infer(caller.query())
    assert answer.status_code == 424
    assert answer.json()["code"] == "unknown_key"
    assert answer.json()["key_id"] == caller.key_id


def test_a_deleted_key_is_forgotten_by_the_evaluation_processes(service: Live) -> None:
    caller = Caller(service.url, digits())
    caller.put_key()
    assert caller.works()
    caller.http.delete(f"/keys/{caller.key_id}")
    assert caller.infer(caller.query()).status_code == 424
    caller.put_key()
    assert caller.works()


def test_one_key_serves_every_model_of_its_parameters(service: Live) -> None:
    first = Caller(service.url, digits())
    first.put_key()
    second = Caller(service.url, petals())
    second.client = type(second.client)(petals().signature, first.client.secret_key)
    query = second.query(3)
    if query.key_id != first.key_id:  # a public key is fresh for every client of a secret key
        assert second.infer(query).status_code == 424
        assert second.http.put(f"/keys/{query.key_id}", content=second.client.public_key.to_bytes()).status_code == 201
    assert second.is_right(second.infer(query), 3)


def test_a_key_of_other_parameters_is_refused(service: Live) -> None:
    """Stored rightly, and then named by a query for a model that it cannot serve."""
    caller, other = Caller(service.url, digits()), Caller(service.url, progression())
    assert other.put_key().status_code == 201
    query = caller.query()
    batch = dataclasses.replace(query.batch, key=bytes.fromhex(other.key_id))
    answer = caller.infer(Query(query.parameters, batch, query.c0))
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert "make the client with this model's signature" in answer.json()["error"]


def test_the_id_must_be_the_hash_of_the_bytes(service: Live) -> None:
    caller = Caller(service.url, digits())
    answer = put(caller, caller.client.public_key.to_bytes(), "0" * 64)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert caller.http.head(f"/keys/{'0' * 64}").status_code == 404


@pytest.mark.parametrize("size", [0, 1, 1000, PublicKey.size(FAST) - 1, PublicKey.size(FAST) + 1, 10_000_000])
def test_only_the_exact_sizes_of_keys_are_read(service: Live, size: int) -> None:
    caller = Caller(service.url, digits())
    answer = put(caller, bytes(size))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_bytes_of_the_right_size_must_be_a_key(service: Live) -> None:
    caller = Caller(service.url, digits())
    data = random.randbytes(PublicKey.size(FAST))
    answer = put(caller, data)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert caller.http.head(f"/keys/{hashlib.sha256(data).hexdigest()}").status_code == 404


@pytest.mark.parametrize(
    "key_id", ["abc", "A" * 64, "g" * 64, "0" * 63, "0" * 65, "..%2f..%2fetc%2fpasswd", "0" * 63 + "%0a"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT"])
def test_ids_must_be_hashes(service: Live, key_id: str, method: str) -> None:
    answer = httpx.request(method, f"{service.url}/keys/{key_id}", content=b"x")
    assert answer.status_code in (404, 422)


def test_a_connection_string_in_a_request_changes_nothing(service: Live) -> None:
    """The guide of 2020 sent one; here keys come from the operator's own store and from nowhere else."""
    caller = Caller(service.url, digits())
    query = caller.query().to_bytes()
    body = {
        "data": [base64.b64encode(query).decode()],
        "key_id": caller.key_id,
        "conn_str": "DefaultEndpointsProtocol=http;AccountName=evil;AccountKey=eA==;BlobEndpoint=http://127.0.0.1:9/evil",
    }
    assert caller.http.post("/score", json=body).json()["code"] == "unknown_key"


class TestLimits:
    """A service with room for two keys a tenant."""

    def test_a_tenant_may_store_so_many_keys(self, tmp_path: Path) -> None:
        with serving(tmp_path, {"petals": petals().model}, "--max-keys", "2") as live:
            first, second, third = (Caller(live.url, petals()) for _ in range(3))
            assert [first.put_key().status_code, second.put_key().status_code] == [201, 201]
            answer = third.put_key()
            assert (answer.status_code, answer.json()["code"]) == (409, "too_many_keys")
            assert first.put_key().status_code == 200
            first.http.delete(f"/keys/{first.key_id}")
            assert third.put_key().status_code == 201

    def test_uploads_at_once_to_two_services_share_the_limit(self, tmp_path: Path) -> None:
        """Twelve uploads on as many connections, to two services on one store."""
        options = ("--max-keys", "4", "--store", str(tmp_path / "keys"))
        models = {"petals": petals().model}
        with serving(tmp_path / "one", models, *options) as one, serving(tmp_path / "other", models, *options) as other:
            callers = [Caller(live.url, petals()) for live in (one, other) * 6]
            with ThreadPoolExecutor(len(callers)) as threads:
                statuses = list(threads.map(lambda caller: caller.put_key().status_code, callers))
            stored = [caller for caller in callers if caller.http.head(f"/keys/{caller.key_id}").status_code == 200]
            assert set(statuses) == {201, 409}
            assert 1 <= len(stored) == statuses.count(201) <= 4
            assert all(caller.works() for caller in stored)

    def test_an_expired_key_is_unknown(self, tmp_path: Path) -> None:
        options = ("--store", str(tmp_path / "keys"), "--key-days", "1", "--key-recheck", "0")
        with serving(tmp_path, {"petals": petals().model}, *options) as live:
            caller = Caller(live.url, petals())
            caller.put_key()
            assert caller.works()
            (file,) = (tmp_path / "keys").rglob(caller.key_id)
            os.utime(file, (0, file.stat().st_mtime - 86400))
            assert caller.infer(caller.query()).status_code == 424
            assert caller.put_key().status_code == 201
            assert caller.works()
