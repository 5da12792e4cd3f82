"""Public keys in every kind of store: created once, whole, checked, listed, expired."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import obstore
import pytest
from stores import NAME, StoreAt

from hermetic.errors import SettingsError
from hermetic.object_stores import Store, StoreError, open_store
from hermetic.object_stores.clouds import read_connection_string
from hermetic.serve.keycache import KeyCache
from hermetic.serve.keyquota import KeyQuota
from hermetic.serve.keystore import AsyncKeyStore, KeyStore, open_keys
from hermetic.serve.refusals import RefusalError
from hermetic.serve.settings import load_settings
from ports import free_port

T = TypeVar("T")

KINDS = ("memory", "directory", "az", "s3")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, empty_store: Callable[[str], Store]) -> Store:
    return empty_store(request.param)


def made(size: int = 55_904) -> tuple[str, bytes]:
    """Bytes of a key's size, and their id. The store does not look into them."""
    data = random.randbytes(size)
    return hashlib.sha256(data).hexdigest(), data


def test_a_key_is_created_once_and_read_back(store: Store) -> None:
    keys, (key_id, data) = KeyStore(store), made()
    assert keys.read("acme", key_id) is None
    assert not keys.exists("acme", key_id)
    assert keys.create("acme", key_id, data)
    assert not keys.create("acme", key_id, data)
    assert keys.read("acme", key_id) == data
    assert keys.exists("acme", key_id)


def test_tenants_do_not_see_each_other(store: Store) -> None:
    keys, (key_id, data) = KeyStore(store), made()
    keys.create("acme", key_id, data)
    assert keys.read("other", key_id) is None
    assert not keys.delete("other", key_id)
    assert keys.create("other", key_id, data)
    assert keys.delete("other", key_id)
    assert keys.read("acme", key_id) == data


def test_deleting(store: Store) -> None:
    keys, (key_id, data) = KeyStore(store), made()
    keys.create("acme", key_id, data)
    assert keys.delete("acme", key_id)
    assert not keys.delete("acme", key_id)
    assert keys.read("acme", key_id) is None


def test_many_at_once_create_one_key_once(store: Store) -> None:
    keys, (key_id, data) = KeyStore(store), made()
    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(lambda _: keys.create("acme", key_id, data), range(8)))
    assert created.count(True) == 1
    assert keys.read("acme", key_id) == data


def test_listing(store: Store) -> None:
    keys, several = KeyStore(store), [made(100 + i) for i in range(5)]
    for i, (key_id, data) in enumerate(several):
        keys.create("acme" if i < 3 else "other", key_id, data)
    listed = keys.list()
    assert {(one.key_id, one.size) for one in listed} == {(key_id, len(data)) for key_id, data in several}
    assert {one.key_id for one in keys.list("acme")} == {key_id for key_id, _ in several[:3]}


def test_a_damaged_key_is_never_served_and_can_be_uploaded_again(store: Store) -> None:
    keys, (key_id, data) = KeyStore(store), made()
    obstore.put(store, f"keys/acme/{key_id}", data[: len(data) // 2])
    assert keys.read("acme", key_id) is None
    assert keys.create("acme", key_id, data)
    assert keys.read("acme", key_id) == data


def a_day_after_the_upload(keys: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the store it is a day and a second after its only key was uploaded, and stays so."""
    (only,) = keys.list()

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Later:
            moment = only.modified + timedelta(days=1, seconds=1)
            return cls.combine(moment.date(), moment.timetz())

    monkeypatch.setattr("hermetic.serve.keystore.datetime", Later)


def test_keys_expire(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lasting, short = KeyStore(store), KeyStore(store, timedelta(days=1))
    key_id, data = made()
    lasting.create("acme", key_id, data)
    assert short.sweep() == 0
    a_day_after_the_upload(lasting, monkeypatch)
    assert short.read("acme", key_id) is None
    assert not short.exists("acme", key_id)
    assert lasting.read("acme", key_id) == data
    assert short.sweep() == 1
    assert lasting.read("acme", key_id) is None


def test_an_expired_key_that_is_uploaded_again_lives_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, (key_id, data) = KeyStore(store, timedelta(days=1)), made()
    keys.create("acme", key_id, data)
    a_day_after_the_upload(keys, monkeypatch)
    time.sleep(2.1)  # object stores keep whole seconds, and the next upload must be later by more than one
    assert keys.read("acme", key_id) is None
    assert keys.create("acme", key_id, data)
    assert keys.read("acme", key_id) == data


def test_the_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    open_store(str(tmp_path / "new" / "keys"))
    assert (tmp_path / "new" / "keys").stat().st_mode & 0o077 == 0


def test_an_upload_reaches_the_disk_before_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file and every directory that names it are synchronised when ``create`` returns."""
    synced: set[str] = set()
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    key_id, data = made()
    root = tmp_path.resolve()
    KeyStore(open_store(str(root))).create("acme", key_id, data)
    assert synced == {str(root / part) for part in (f"keys/acme/{key_id}", "keys/acme", "keys", ".")}


@pytest.mark.parametrize("url", ["http://host/keys", "ftp://host", "https://account.blob.core.windows.net/keys"])
def test_other_kinds_of_store_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="the store must be a directory"):
        open_store(url)


def test_a_connection_string_must_be_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acme;SharedAccessSignature=secret")
    with pytest.raises(SettingsError, match="must hold AccountName and AccountKey") as caught:
        open_store("az://keys")
    assert "secret" not in str(caught.value)


KEY_TEXT = "c2VjcmV0LWtleQ=="


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("AccountName=acme;AccountKey={key}", "https://acme.blob.core.windows.net"),
        ("accountname=acme;ACCOUNTKEY={key}", "https://acme.blob.core.windows.net"),
        (" AccountName = acme ; AccountKey = {key} ;", "https://acme.blob.core.windows.net"),
        ("AccountName=acme;AccountKey={key};blobendpoint=http://h:1/acme/", "http://h:1/acme"),
        ("AccountName=acme;AccountKey={key}; BlobEndpoint =http://h:1/acme", "http://h:1/acme"),
        ("AccountName=acme;AccountKey={key};BLOBENDPOINT= https://h ", "https://h"),
        (
            "endpointsuffix=core.chinacloudapi.cn;AccountName=acme;AccountKey={key}",
            "https://acme.blob.core.chinacloudapi.cn",
        ),
        ("DEFAULTENDPOINTSPROTOCOL=HTTP;AccountName=acme;AccountKey={key}", "http://acme.blob.core.windows.net"),
        ("EndpointSuffix=;AccountName=acme;AccountKey={key}", "https://acme.blob.core.windows.net"),
        ("QueueEndpoint=https://q;AccountName=acme;AccountKey={key}", "https://acme.blob.core.windows.net"),
    ],
)
def test_a_connection_string_means_what_azures_tools_read_in_it(text: str, endpoint: str) -> None:
    assert read_connection_string(text.format(key=KEY_TEXT)) == ("acme", KEY_TEXT, endpoint)


@pytest.mark.parametrize(
    "text",
    [
        "BlobEndpont=http://h:1;AccountName=acme;AccountKey={key}",
        "Blob Endpoint=http://h:1;AccountName=acme;AccountKey={key}",
        '"AccountName=acme;AccountKey={key}"',
        "AccountName=acme;accountname=other;AccountKey={key}",
        "AccountName=acme;AccountKey={key};BlobEndpoint=h:1/acme",
        "AccountName=acme;AccountKey={key};BlobEndpoint=http://h 1/acme",
        "AccountName=acme;AccountKey={key};DefaultEndpointsProtocol=ftp",
        "AccountName=acme;{key}",
        "{key}",
        "AccountKey={key}",
        "AccountName=;AccountKey={key}",
        "AccountName=acme",
    ],
)
def test_a_connection_string_that_would_lead_elsewhere_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text.format(key=KEY_TEXT))
    with pytest.raises(SettingsError, match="AZURE_STORAGE_CONNECTION_STRING") as caught:
        open_store("az://keys")
    assert KEY_TEXT not in str(caught.value)


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_store_of_s3s_kind_is_reached_without_tls_where_its_address_says_so(
    variable: str, s3_store: StoreAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As MinIO is set up: the address alone, without AWS_ALLOW_HTTP."""
    for name, value in s3_store.environment.items():
        if name not in ("AWS_ENDPOINT", "AWS_ALLOW_HTTP"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv(variable, s3_store.environment["AWS_ENDPOINT"].replace("http://", "HTTP://") + "/ ")
    keys, (key_id, data) = KeyStore(open_store(s3_store.url)), made()
    keys.check()
    keys.create("acme", key_id, data)
    assert keys.read("acme", key_id) == data


@pytest.mark.parametrize("endpoint", ["minio:9000", "minio", "tcp://minio:9000", "http://", "http://h:99999"])
@pytest.mark.parametrize(("variable", "url"), [("AWS_ENDPOINT", "s3://keys"), ("AZURE_STORAGE_ENDPOINT", "az://keys")])
def test_an_endpoint_that_is_no_url_is_named(
    variable: str, url: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, endpoint)
    with pytest.raises(SettingsError, match=f"{variable} must be a URL"):
        open_store(url)


def test_an_environment_that_makes_no_url_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "not valid")
    with pytest.raises(SettingsError, match=r"must answer.*AWS_REGION"):
        open_keys(load_settings({"store": "s3://keys"}))


@pytest.mark.parametrize("kind", ["az", "s3_store"])
def test_a_bucket_or_container_that_is_missing_is_refused_at_the_start(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_at: StoreAt = request.getfixturevalue(kind)
    for name, value in store_at.environment.items():
        monkeypatch.setenv(name, value)
    url = store_at.url.replace(NAME, "no-such-place")
    monkeypatch.setenv("HERMETIC_STORE", url)
    with pytest.raises(SettingsError, match=r"HERMETIC_STORE.* must answer.*container or bucket") as caught:
        open_keys(load_settings({}))
    assert url in str(caught.value)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277, 0o777])
def test_a_directory_is_its_owners_alone_under_any_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        keys, (key_id, data) = KeyStore(open_store(str(tmp_path / "var" / "lib" / "keys"))), made()
        keys.create("acme", key_id, data)
        assert keys.read("acme", key_id) == data
    finally:
        os.umask(before)
    for path in (tmp_path / "var").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700


def test_a_directory_by_its_url_and_below_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for url, path in (("~/a", "a"), (f"file://{tmp_path}/b%20c", "b c"), (f"file://localhost{tmp_path}/d", "d")):
        open_store(url)
        assert (tmp_path / path).is_dir()
    for url in ("file://~/keys", "file://host/keys", "file:keys"):
        with pytest.raises(SettingsError, match="must be file:///whole/path"):
            open_store(url)


@pytest.mark.parametrize(
    "url", ["az://", "s3:///prefix", "az://key@container", "s3://bucket/p?x=1", "gs://b#f", "s3://b c"]
)
def test_a_url_that_lacks_a_name_or_holds_more_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="and hold nothing else"):
        open_store(url)


def test_a_directory_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SettingsError, match=f"{path} must be a directory"):
            open_store(str(path))


def test_a_store_that_is_gone_is_refused_at_the_start_and_503_later(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}/acme"
    secret = "c2VjcmV0LWtleQ=="
    text = f"AccountName=acme;AccountKey={secret};BlobEndpoint={endpoint}"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    keys, (key_id, data) = KeyStore(open_store("az://keys")), made()
    with pytest.raises(StoreError, match="the key store must answer") as caught:
        keys.check()
    assert secret not in str(caught.value)
    slow = AsyncKeyStore(keys)
    for attempt in (slow.create("acme", key_id, data), slow.read("acme", key_id), slow.delete("acme", key_id)):
        with pytest.raises(RefusalError) as refused:
            run(attempt)
        assert (refused.value.status, refused.value.code) == (503, "store_unavailable")
        assert "Retry-After" in refused.value.headers


def test_a_process_that_ends_right_after_the_store_answered_ends_well(tmp_path: Path) -> None:
    """obstore's coroutines abort one in ten such processes."""
    code = (
        "import asyncio, sys\n"
        "from hermetic.serve.keystore import AsyncKeyStore, KeyStore\n"
        "from hermetic.object_stores import open_store\n"
        "keys = AsyncKeyStore(KeyStore(open_store(sys.argv[1])))\n"
        "async def main():\n"
        "    await keys.create('acme', '0' * 64, b'x')\n"
        "    await asyncio.gather(*(keys.count('acme') for _ in range(4)))\n"
        "asyncio.run(main())"
    )
    for _ in range(10):
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


class TestCache:
    """What the front process keeps in memory."""

    def test_its_memory_is_bounded(self) -> None:
        async def check() -> None:
            keys = AsyncKeyStore(KeyStore(open_store("memory://")))
            cache, several = KeyCache(keys, memory=1000, recheck=60), [made(300) for _ in range(10)]
            for key_id, data in several:
                await keys.create("acme", key_id, data)
                assert await cache.get("acme", key_id) == data
            assert len(cache) == 3
            for key_id, data in several:  # what was dropped is read again
                assert await cache.get("acme", key_id) == data
            assert len(cache) == 3

        run(check())

    def test_a_deletion_elsewhere_takes_effect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seconds = [1000.0]
        monkeypatch.setattr("hermetic.serve.keycache.time", SimpleNamespace(monotonic=lambda: seconds[0]))

        async def check() -> None:
            keys, (key_id, data) = AsyncKeyStore(KeyStore(open_store("memory://"))), made()
            cache = KeyCache(keys, memory=1 << 20, recheck=60)
            await keys.create("acme", key_id, data)
            assert await cache.get("acme", key_id) == data
            await keys.delete("acme", key_id)
            assert await cache.get("acme", key_id) == data
            seconds[0] += 60
            assert await cache.get("acme", key_id) is None
            assert len(cache) == 0

        run(check())

    def test_tenants_are_kept_apart(self) -> None:
        async def check() -> None:
            keys, (key_id, data) = AsyncKeyStore(KeyStore(open_store("memory://"))), made()
            cache = KeyCache(keys, memory=1 << 20, recheck=60)
            await keys.create("acme", key_id, data)
            assert await cache.get("acme", key_id) == data
            assert await cache.get("other", key_id) is None

        run(check())


class TrustingQuota(KeyQuota):
    """Asks the store before an upload alone."""

    async def _check_place(self, tenant: str, key_id: str) -> None:
        return


class TestQuota:
    """At most so many keys a tenant, whoever stores them at the same time."""

    LIMIT = 5

    def flood(self, store: Store, kind: type[KeyQuota], services: int, uploads: int = 40) -> list[str]:
        """Uploads to several services at once; gives the keys that were taken. The others must be refused in words."""

        async def upload() -> list[str]:
            quotas = [kind(AsyncKeyStore(KeyStore(store)), self.LIMIT) for _ in range(services)]
            several = [made(100) for _ in range(uploads)]
            answers = await asyncio.gather(
                *(quotas[i % services].create("acme", *one) for i, one in enumerate(several)), return_exceptions=True
            )
            refused = [one for one in answers if one is not True]
            assert all(isinstance(one, RefusalError) and one.code == "too_many_keys" for one in refused), refused
            return [key_id for (key_id, _), answer in zip(several, answers, strict=True) if answer is True]

        return run(upload())

    def test_one_service_stores_exactly_so_many(self, store: Store) -> None:
        taken = self.flood(store, KeyQuota, services=1)
        assert len(taken) == self.LIMIT
        assert {one.key_id for one in KeyStore(store).list("acme")} == set(taken)

    def test_several_services_never_store_more(self, store: Store) -> None:
        taken = self.flood(store, KeyQuota, services=4)
        assert len(taken) <= self.LIMIT
        assert {one.key_id for one in KeyStore(store).list("acme")} == set(taken)
        again = self.flood(store, KeyQuota, services=1)
        assert len(taken) + len(again) == self.LIMIT

    def test_asking_before_an_upload_alone_would_not_do(self) -> None:
        assert len(self.flood(open_store("memory://"), TrustingQuota, services=4)) > self.LIMIT

    def test_keys_of_one_moment_are_never_too_many(self) -> None:
        """Clouds tell times in whole seconds. Here all keys have one time, and arrive one after the other."""

        async def upload() -> None:
            store = open_store("memory://")
            keys = KeyStore(store)
            moment = datetime(2027, 1, 31, tzinfo=UTC)
            listed = keys.list
            keys.list = lambda tenant=None: [  # type: ignore[method-assign]
                dataclasses.replace(one, modified=moment) for one in listed(tenant)
            ]
            quotas = [KeyQuota(AsyncKeyStore(keys), 2) for _ in range(3)]
            assert [await quotas[i].create("acme", *made(100)) for i in range(2)] == [True, True]
            for quota in quotas:
                with pytest.raises(RefusalError):
                    await quota.create("acme", *made(100))
            assert len(listed("acme")) == 2

        run(upload())

    def test_a_stored_key_is_no_new_one_and_a_deletion_makes_room(self, store: Store) -> None:
        async def check() -> None:
            keys = AsyncKeyStore(KeyStore(store))
            quota, (first, second) = KeyQuota(keys, 1), (made(100), made(100))
            assert await quota.create("acme", *first)
            assert not await quota.create("acme", *first)
            with pytest.raises(RefusalError):
                await quota.create("acme", *second)
            assert await quota.create("other", *second)
            await keys.delete("acme", first[0])
            quota.freed("acme")
            assert await quota.create("acme", *second)

        run(check())
