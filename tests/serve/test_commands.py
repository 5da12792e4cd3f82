"""``hermetic keys`` and ``hermetic token``, beside a running service."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from asking import Caller, until

from fitted import petals
from hermetic.object_stores import open_store
from hermetic.serve.access import Gatekeeper
from hermetic.serve.keystore import KeyStore
from live import serving

HERMETIC = str(Path(sys.executable).parent / "hermetic")


def run(*arguments: str, status: int = 0, umask: int = -1) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [HERMETIC, *arguments], capture_output=True, text=True, check=False, env=environment, umask=umask
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "keys")


def fill(store: str, tenant: str, count: int) -> list[str]:
    keys, ids = KeyStore(open_store(store)), [f"{i:02x}" * 32 for i in range(count)]
    for i, key_id in enumerate(ids):
        keys.create(tenant, key_id, bytes(10 + i))
    return ids


class TestKeys:
    """Listing and deleting."""

    def test_list(self, store: str) -> None:
        ids = fill(store, "acme", 2)
        fill(store, "other", 1)
        text = run("keys", "list", "--store", store).stdout
        assert all(one in text for one in (*ids, "acme", "other"))
        listed = json.loads(run("keys", "list", "--store", store, "--tenant", "acme", "--json").stdout)
        assert [(one["tenant"], one["key_id"], one["bytes"]) for one in listed] == [
            ("acme", ids[0], 10),
            ("acme", ids[1], 11),
        ]

    def test_delete(self, store: str) -> None:
        ids = fill(store, "acme", 3)
        run("keys", "delete", *ids[:2], "--tenant", "acme", "--store", store)
        listed = json.loads(run("keys", "list", "--store", store, "--json").stdout)
        assert [one["key_id"] for one in listed] == [ids[2]]
        done = run("keys", "delete", ids[0], "--tenant", "acme", "--store", store, status=1)
        assert "There is no" in done.stderr

    def test_a_key_is_one_line_on_the_narrowest_terminal(self, store: str) -> None:
        ids = fill(store, "t" * 63, 3)
        command = [HERMETIC, "keys", "list", "--store", store]
        for columns in ("20", "80"):
            text = subprocess.check_output(command, text=True, env={**os.environ, "COLUMNS": columns})
            assert [line.split()[1] for line in text.splitlines()] == ["key", *ids]

    def test_delete_by_the_first_characters(self, store: str) -> None:
        ids = fill(store, "acme", 3)
        fill(store, "other", 3)
        run("keys", "delete", ids[0][:8], ids[1][:20].upper(), "--tenant", "acme", "--store", store)
        listed = json.loads(run("keys", "list", "--store", store, "--json").stdout)
        assert [one["key_id"] for one in listed if one["tenant"] == "acme"] == [ids[2]]
        assert [one["key_id"] for one in listed if one["tenant"] == "other"] == ids

    def test_delete_nothing_unless_every_name_fits_one_key(self, store: str) -> None:
        keys = KeyStore(open_store(store))
        alike = ["ab" * 10 + end * 44 for end in "01"]
        for key_id in alike:
            keys.create("acme", key_id, bytes(10))
        ids = fill(store, "other", 2)
        for name, message in {
            "ab" * 10: "must name one key",
            alike[0][:7]: "must name one key",
            "": "must name one key",
            ids[1]: "It belongs to other: pass --tenant",
            "f" * 64: "There is no",
            "*" * 8: "There is no",
        }.items():
            done = run("keys", "delete", alike[0], name, "--tenant", "acme", "--store", store, status=1)
            assert message in done.stderr
        assert sorted(one.key_id for one in keys.list("acme")) == alike

    def test_delete_what_expired(self, store: str, tmp_path: Path) -> None:
        fill(store, "acme", 2)
        settings = tmp_path / "hermetic.toml"
        settings.write_text(f"store = '{store}'\nkey_days = 1\n")
        for file in (one for one in Path(store).rglob("*") if one.is_file()):
            os.utime(file, (0, file.stat().st_mtime - 86400))
        assert run("keys", "delete", "--expired", "--config", str(settings)).stdout == "2 keys deleted\n"
        assert json.loads(run("keys", "list", "--config", str(settings), "--json").stdout) == []

    def test_delete_needs_to_know_what(self, store: str) -> None:
        assert "either keys or --expired" in run("keys", "delete", "--store", store, status=1).stderr
        done = run("keys", "delete", "00" * 32, "--expired", "--store", store, status=1)
        assert "either keys or --expired" in done.stderr

    def test_a_store_that_is_not_there_is_named_and_not_made(self, tmp_path: Path) -> None:
        missing = tmp_path / "typo"
        assert f"There is no {missing}" in run("keys", "list", "--store", str(missing), status=1).stderr
        assert not missing.exists()

    def test_a_running_service_forgets_a_deleted_key(self, tmp_path: Path, store: str) -> None:
        options = ("--store", store, "--key-recheck", "0.2")
        with serving(tmp_path, {"petals": petals().model}, *options) as live:
            caller = Caller(live.url, petals())
            caller.put_key()
            assert caller.works()
            run("keys", "delete", caller.key_id, "--store", store)
            until(lambda: caller.infer(caller.query()).status_code == 424)


class TestToken:
    """Making tokens."""

    def test_the_token_goes_to_stdout_and_its_hash_to_the_file(self, tmp_path: Path) -> None:
        file = tmp_path / "tokens"
        token = run("token", "new", "acme", "--file", str(file)).stdout.strip()
        other = run("token", "new", "other", "--file", str(file), "--rate", "5/second", "--days", "1").stdout.strip()
        assert token not in file.read_text()
        gate = Gatekeeper(file)
        assert gate.caller(f"Bearer {token}").tenant == "acme"
        assert gate.caller(f"Bearer {other}").tenant == "other"
        assert str(gate.caller(f"Bearer {other}").rate) == "5/second"
        assert file.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277, 0o777])
    def test_files_are_their_owners_alone_under_any_umask(self, tmp_path: Path, umask: int) -> None:
        file, output = tmp_path / "tokens", tmp_path / "acme.token"
        command = ["token", "new", "acme", "--file", str(file), "--output", str(output)]
        done = run(*command, umask=umask)
        assert not done.stdout
        assert {one.stat().st_mode & 0o777 for one in (file, output)} == {0o600}
        assert Gatekeeper(file).caller(f"Bearer {output.read_text().strip()}").tenant == "acme"

    def test_a_link_to_the_tokens_file_stays_one(self, tmp_path: Path) -> None:
        target, link = tmp_path / "elsewhere" / "tokens", tmp_path / "tokens"
        target.parent.mkdir()
        link.symlink_to(target)
        for tenant in ("acme", "other"):  # first there is nothing behind it, then there is
            token = run("token", "new", tenant, "--file", str(link)).stdout.strip()
            assert link.is_symlink()
            assert Gatekeeper(target).caller(f"Bearer {token}").tenant == tenant
        run("token", "revoke", "acme", "--file", str(link))
        assert link.is_symlink()
        assert Gatekeeper(target).count == 1

    def test_a_token_is_not_written_over_a_file_and_nothing_is_changed(self, tmp_path: Path) -> None:
        file, output = tmp_path / "tokens", tmp_path / "acme.token"
        output.write_text("mine")
        for place in (output, tmp_path / "nowhere" / "acme.token", tmp_path):
            done = run("token", "new", "acme", "--file", str(file), "--output", str(place), status=1)
            assert str(place) in done.stderr
        assert output.read_text() == "mine"
        assert not file.exists()

    def test_a_token_that_goes_into_an_open_file_is_remarked_on(self, tmp_path: Path) -> None:
        for mode, remarked in ((0o644, True), (0o660, True), (0o600, False)):
            target = tmp_path / f"{mode:o}"
            target.touch()
            target.chmod(mode)
            with target.open("w") as stdout:
                done = subprocess.run(
                    [HERMETIC, "token", "new", "acme"], stdout=stdout, stderr=subprocess.PIPE, text=True, check=True
                )
            assert ("others can read" in done.stderr) is remarked
            assert target.read_text().startswith("hermetic_")

    def test_list_and_revoke(self, tmp_path: Path) -> None:
        file = tmp_path / "tokens"
        tokens = [run("token", "new", one, "--file", str(file)).stdout.strip() for one in ("acme", "acme", "other")]
        run("token", "new", "ops", "--file", str(file), "--role", "metrics", "--days", "3", "--rate", "5/second")
        text = run("token", "list", "--file", str(file)).stdout
        listed = json.loads(run("token", "list", "--file", str(file), "--json").stdout)
        assert [one["tenant"] for one in listed] == ["acme", "acme", "other", "ops"]
        assert (listed[3]["role"], listed[3]["rate"], listed[3]["quota"]) == ("metrics", "5/second", None)
        assert all(one["id"] in text and one["tenant"] in text for one in listed)
        assert not any(token in text for token in tokens)
        assert listed[0]["id"] == hashlib.sha256(tokens[0].encode()).hexdigest()[:12]
        assert (
            run("token", "revoke", "acme", "--id", listed[0]["id"], "--file", str(file)).stdout == "1 token revoked\n"
        )
        assert Gatekeeper(file).caller(f"Bearer {tokens[1]}").tenant == "acme"
        run("token", "revoke", "acme", "--file", str(file))
        assert [one["tenant"] for one in json.loads(run("token", "list", "--file", str(file), "--json").stdout)] == [
            "other",
            "ops",
        ]
        assert "was not found" in run("token", "revoke", "acme", "--file", str(file), status=1).stderr

    def test_without_a_file_the_line_is_shown(self, tmp_path: Path) -> None:
        done = run("token", "new", "ops", "--role", "metrics")
        (tmp_path / "tokens").write_text(done.stderr.splitlines()[-1])
        assert Gatekeeper(tmp_path / "tokens").caller(f"Bearer {done.stdout.strip()}", "metrics").tenant == "ops"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["Acme"], "a tenant must be"),
            (["acme", "--role", "admin"], "role must be"),
            (["acme", "--rate", "fast"], "600/minute"),
            (["acme", "--days", "1e12"], "--days must be"),
            (["acme", "--file", "/nowhere/tokens"], "/nowhere/tokens"),
        ],
    )
    def test_what_the_file_would_not_take_is_refused(self, arguments: list[str], message: str) -> None:
        done = run("token", "new", *arguments, status=1)
        assert message in done.stderr
        assert not done.stdout

    def test_a_file_that_is_not_one_of_tokens_stays_as_it_is(self, tmp_path: Path) -> None:
        file = tmp_path / "important.txt"
        file.write_text("shopping list")
        assert "a line must be" in run("token", "new", "acme", "--file", str(file), status=1).stderr
        assert file.read_text() == "shopping list"

    def test_a_token_lets_its_owner_in(self, tmp_path: Path) -> None:
        file = tmp_path / "tokens"
        token = run("token", "new", "acme", "--file", str(file)).stdout.strip()
        with serving(tmp_path, {"petals": petals().model}, "--tokens", str(file)) as live:
            assert httpx.get(f"{live.url}/models").status_code == 401
            caller = Caller(live.url, petals(), token=token)
            caller.put_key()
            assert caller.works()
