"""Who may call: the tokens file, and what the service says to those who may not."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from asking import Caller, until

from fitted import digits, petals
from hermetic.errors import SettingsError
from hermetic.serve import access
from hermetic.serve.access import METRICS, PREDICT, Gatekeeper, new_token, read_line, token_line
from hermetic.serve.limits import Rate
from hermetic.serve.refusals import RefusalError
from live import Live, serving

HASH = "sha256:" + "0" * 64


def hours(count: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=count)).isoformat(timespec="seconds")


class TestFile:
    """The tokens file."""

    def test_it_holds_the_hash_and_not_the_token(self) -> None:
        token = new_token()
        line = token_line("acme", token)
        assert token not in line
        assert hashlib.sha256(token.encode()).hexdigest() in line

    def test_tokens_hold_256_bits(self) -> None:
        tokens = {new_token() for _ in range(100)}
        assert len(tokens) == 100
        assert all(len(one.removeprefix("hermetic_")) == 43 for one in tokens)

    def test_a_line_with_every_option(self) -> None:
        token = read_line(f"acme {HASH} expires=2027-01-31T12:00:00+01:00 role=metrics rate=600/minute quota=9/day")
        assert token.caller.tenant == "acme"
        assert token.role == METRICS
        assert token.expires == datetime(2027, 1, 31, 11, tzinfo=UTC)
        assert token.caller.rate == Rate(600, 60)
        assert token.caller.quota == Rate(9, 86400)

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("acme", "a line must be"),
            ("acme sha256:abc", "a line must be"),
            (f"acme {HASH[7:]}", "a line must be"),
            (f"Acme {HASH}", "a tenant must be"),
            (f"../acme {HASH}", "a tenant must be"),
            (f"{'a' * 64} {HASH}", "a tenant must be"),
            (f"acme {HASH} role=admin", "role must be"),
            (f"acme {HASH} expires=tomorrow", "cannot be read"),
            (f"acme {HASH} rate=fast", "cannot be read"),
            (f"acme {HASH} colour=red", "options must be"),
            (f"acme {HASH} role", "options must be"),
        ],
    )
    def test_bad_lines(self, tmp_path: Path, line: str, message: str) -> None:
        path = tmp_path / "tokens"
        path.write_text(f"# tenants\n\n{line}\n")
        with pytest.raises(SettingsError, match=f"line 3: .*{message}"):
            Gatekeeper(path)

    def test_a_token_pasted_where_its_hash_belongs_is_not_shown(self, tmp_path: Path) -> None:
        path, token = tmp_path / "tokens", new_token()
        path.write_text(f"acme {token}\n")
        with pytest.raises(SettingsError) as caught:
            Gatekeeper(path)
        assert token not in str(caught.value)

    def test_it_must_exist(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="must be a readable text file"):
            Gatekeeper(tmp_path / "nowhere")

    def test_it_is_written_for_its_owner_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens"
        first, second = new_token(), new_token()
        access.append_line(path, token_line("acme", first))
        access.append_line(path, token_line("other", second))
        assert path.stat().st_mode & 0o077 == 0
        gate = Gatekeeper(path)
        assert gate.caller(f"Bearer {first}").tenant == "acme"
        assert gate.caller(f"bearer {second}").tenant == "other"

    def test_who_reads_it_goes_on_reading_it(self, tmp_path: Path) -> None:
        """The service's group reads the file that an administrator changes."""
        path = tmp_path / "tokens"
        path.write_text("")
        path.chmod(0o664)
        access.append_line(path, token_line("acme", new_token()))
        assert path.stat().st_mode & 0o777 == 0o640

    @pytest.mark.parametrize("mode", [0o602, 0o646, 0o666, 0o777])
    def test_a_file_that_everybody_may_write_is_refused(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "tokens"
        path.write_text(token_line("acme", new_token()))
        path.chmod(mode)
        for use in (Gatekeeper, lambda file: access.append_line(file, token_line("acme", new_token()))):
            with pytest.raises(SettingsError, match="must not be writable by everybody"):
                use(path)
        (tmp_path / "link").symlink_to(path)
        with pytest.raises(SettingsError, match="must not be writable by everybody"):
            Gatekeeper(tmp_path / "link")

    def test_a_file_with_another_name_is_not_changed(self, tmp_path: Path) -> None:
        """A service that reads the other name would go on taking what was revoked."""
        path, token = tmp_path / "tokens", new_token()
        access.append_line(path, token_line("acme", token))
        (tmp_path / "served").hardlink_to(path)
        for change in (partial(access.revoke, path, "acme"), partial(access.append_line, path, path.read_text())):
            with pytest.raises(SettingsError, match="must have no other name"):
                change()
        assert Gatekeeper(tmp_path / "served").caller(f"Bearer {token}").tenant == "acme"

    def test_what_is_no_file_is_refused_and_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
            for use in (Gatekeeper, lambda file: access.append_line(file, token_line("acme", new_token()))):
                with pytest.raises(SettingsError, match="must be a file"):
                    use(path)

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("start", ["", "\ufeff", "\ufeff# ours"])
    def test_files_of_other_editors_are_read(self, tmp_path: Path, start: str, end: str) -> None:
        path, token = tmp_path / "tokens", new_token()
        path.write_bytes(f"{start}{end}{token_line('acme', token)}{end}".encode())
        access.append_line(path, token_line("other", new_token()))
        assert Gatekeeper(path).caller(f"Bearer {token}").tenant == "acme"
        assert Gatekeeper(path).count == 2

    def test_a_file_that_everybody_may_replace_is_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "shared"
        folder.mkdir()
        (folder / "tokens").write_text(token_line("acme", new_token()))
        folder.chmod(0o777)
        with pytest.raises(SettingsError, match="not everybody can replace it"):
            Gatekeeper(folder / "tokens")
        folder.chmod(0o1777)  # as /tmp, and as Kubernetes mounts secrets: only the owner replaces a file
        assert Gatekeeper(folder / "tokens").count == 1

    def test_a_file_that_becomes_writable_while_it_is_used_changes_nothing(self, tmp_path: Path) -> None:
        path, old, planted = tmp_path / "tokens", new_token(), new_token()
        path.write_text(token_line("acme", old))
        gate = Gatekeeper(path)
        path.chmod(0o666)
        path.write_text(token_line("mallory", planted))
        gate.reload()
        assert gate.caller(f"Bearer {old}").tenant == "acme"
        with pytest.raises(RefusalError):
            gate.caller(f"Bearer {planted}")

    def test_revoking_takes_the_tenants_lines_and_leaves_the_rest(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens"
        lines = [token_line(one, new_token()) for one in ("acme", "acme", "acme-2")]
        path.write_text("\n".join(["# ours", *lines, "", "# end"]))
        first, second, _ = access.read_tokens(path)
        assert access.revoke(path, "acme", first.id) == 1
        assert path.read_text().splitlines() == ["# ours", *lines[1:], "", "# end"]
        assert access.revoke(path, "acme", second.sha256.hex().upper()) == 1
        assert path.read_text().splitlines() == ["# ours", lines[2], "", "# end"]
        for tenant, start in (("acme", ""), ("acme-2", first.id), ("nobody", "")):
            with pytest.raises(SettingsError, match="was not found"):
                access.revoke(path, tenant, start)

    def test_commands_at_once_lose_no_line(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens"
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda i: access.append_line(path, token_line(f"t{i}", new_token())), range(40)))
        assert {one.caller.tenant for one in access.read_tokens(path)} == {f"t{i}" for i in range(40)}

    def test_changes_take_effect_and_a_broken_file_changes_nothing(self, tmp_path: Path) -> None:
        path, old, new = tmp_path / "tokens", new_token(), new_token()
        path.write_text(token_line("acme", old))
        gate = Gatekeeper(path)
        path.write_text("nonsense")
        gate.reload()
        assert gate.caller(f"Bearer {old}").tenant == "acme"
        path.write_text(token_line("acme", new))
        gate.reload()
        assert gate.caller(f"Bearer {new}").tenant == "acme"
        with pytest.raises(RefusalError):
            gate.caller(f"Bearer {old}")


class TestGatekeeper:
    """Tokens against the file."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "tokens"

    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "hermetic_x", "Bearer hermetic_x", "Bearer \xff"]
    )
    def test_callers_without_a_known_token(self, path: Path, header: str | None) -> None:
        path.write_text(token_line("acme", new_token()))
        with pytest.raises(RefusalError) as refused:
            Gatekeeper(path).caller(header)
        assert refused.value.status == 401
        assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")

    def test_an_expired_token_says_so(self, path: Path) -> None:
        old, fresh = new_token(), new_token()
        path.write_text(token_line("acme", old, expires=hours(-1)) + "\n" + token_line("acme", fresh, expires=hours(1)))
        gate = Gatekeeper(path)
        assert gate.caller(f"Bearer {fresh}").tenant == "acme"
        with pytest.raises(RefusalError, match="must not have expired") as refused:
            gate.caller(f"Bearer {old}")
        assert (refused.value.status, refused.value.code) == (401, "expired_token")

    def test_roles_are_kept_apart(self, path: Path) -> None:
        predicting, watching = new_token(), new_token()
        path.write_text(token_line("acme", predicting) + "\n" + token_line("ops", watching, role=METRICS))
        gate = Gatekeeper(path)
        assert gate.caller(f"Bearer {predicting}", PREDICT).tenant == "acme"
        assert gate.caller(f"Bearer {watching}", METRICS).tenant == "ops"
        for token, role in ((predicting, METRICS), (watching, PREDICT)):
            with pytest.raises(RefusalError, match=f"must have the role {role} here") as refused:
                gate.caller(f"Bearer {token}", role)
            assert (refused.value.status, refused.value.code) == (403, "wrong_role")

    def test_an_expired_token_of_another_role_has_expired(self, path: Path) -> None:
        old = new_token()
        path.write_text(token_line("acme", old, expires=hours(-1)))
        with pytest.raises(RefusalError, match="must not have expired"):
            Gatekeeper(path).caller(f"Bearer {old}", METRICS)

    def test_every_hash_is_compared_in_constant_time(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The number of comparisons does not depend on where, or whether, the token is in the file."""
        tokens = [new_token() for _ in range(5)]
        path.write_text("\n".join(token_line(f"tenant-{i}", one) for i, one in enumerate(tokens)))
        gate, calls = Gatekeeper(path), []

        def counted(a: bytes, b: bytes) -> bool:
            calls.append((a, b))
            return compare(a, b)

        compare = hmac.compare_digest
        monkeypatch.setattr(hmac, "compare_digest", counted)
        for token in (tokens[0], tokens[4]):
            calls.clear()
            gate.caller(f"Bearer {token}")
            assert len(calls) == 5
        calls.clear()
        with pytest.raises(RefusalError):
            gate.caller("Bearer hermetic_unknown")
        assert len(calls) == 5


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"acme": new_token(), "other": new_token(), "old": new_token(), "ops": new_token()}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, tokens: dict[str, str]) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("guarded")
    lines = [
        token_line("acme", tokens["acme"]),
        token_line("other", tokens["other"]),
        token_line("acme", tokens["old"], expires=hours(-1)),
        token_line("ops", tokens["ops"], role=METRICS),
    ]
    (folder / "tokens").write_text("\n".join(lines))
    models = {"digits": digits().model, "petals": petals().model}
    with serving(folder, models, "--tokens", str(folder / "tokens"), "--rescan", "1") as live:
        yield live


PROTECTED = [
    ("GET", "/models"),
    ("GET", "/models/digits/signature"),
    ("GET", "/models/digits/versions/1/signature"),
    ("GET", "/v2/models/digits"),
    ("GET", "/v2/models/digits/versions/1"),
    ("GET", "/v2/models/digits/ready"),
    ("POST", "/v2/models/digits/infer"),
    ("POST", "/v2/models/digits/versions/1/infer"),
    ("GET", "/v2/models/letters"),
    ("POST", "/v2/models/letters/infer"),
    ("GET", f"/keys/{'0' * 64}"),
    ("HEAD", f"/keys/{'0' * 64}"),
    ("PUT", f"/keys/{'0' * 64}"),
    ("DELETE", f"/keys/{'0' * 64}"),
    ("GET", "/keys/nonsense"),
    ("POST", "/score"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(("method", "address"), PROTECTED)
def test_without_a_token_everything_looks_alike(
    guarded: Live, tokens: dict[str, str], method: str, address: str
) -> None:
    """401 comes before anything that would tell what exists."""
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {tokens['old']}"}):
        answer = httpx.request(method, guarded.url + address, headers=headers)
        assert answer.status_code == 401
        assert "www-authenticate" in answer.headers


def test_every_address_is_either_open_on_purpose_or_protected(guarded: Live) -> None:
    document = httpx.get(f"{guarded.url}/openapi.json").json()
    told = {(method.upper(), path) for path, node in document["paths"].items() for method, one in node.items()
            if method != "parameters" and one["security"]}  # fmt: skip
    reachable = {
        (method, path.format(model="digits", version="1", key_id="0" * 64))
        for path, node in document["paths"].items()
        for method in map(str.upper, node)
        if method != "PARAMETERS"
    }
    refused = {one for one in reachable if httpx.request(one[0], guarded.url + one[1]).status_code == 401}
    assert len(told) == len(refused)
    assert reachable - refused == {
        ("GET", one)
        for one in ("/", "/developers", "/v2", "/v2/health/live", "/v2/health/ready", "/healthz", "/openapi.json")
    }


def test_a_tenant_s_keys_are_its_own(guarded: Live, tokens: dict[str, str]) -> None:
    mine = Caller(guarded.url, digits(), token=tokens["acme"])
    assert mine.put_key().status_code == 201
    assert mine.works()
    address = f"/keys/{mine.key_id}"
    theirs = {"Authorization": f"Bearer {tokens['other']}"}
    assert mine.http.get(address, headers=theirs).status_code == 404
    assert mine.http.head(address, headers=theirs).status_code == 404
    assert mine.http.delete(address, headers=theirs).status_code == 404
    query = mine.query()
    mine.http.headers.update(theirs)
    assert mine.infer(query).status_code == 424
    mine.http.headers["Authorization"] = f"Bearer {tokens['acme']}"
    assert mine.works()


def test_metrics_need_a_token_of_their_own(guarded: Live, tokens: dict[str, str]) -> None:
    def status(name: str, address: str) -> int:
        return httpx.get(guarded.url + address, headers={"Authorization": f"Bearer {tokens[name]}"}).status_code

    assert status("ops", "/metrics") == 200
    assert status("acme", "/metrics") == 403
    assert status("ops", "/models") == 403
    assert status("acme", "/models") == 200


def test_the_page_shows_no_model_without_a_token(guarded: Live) -> None:
    page = httpx.get(f"{guarded.url}/developers").text
    assert "digits" not in page
    assert "Models are shown to callers with a token" in page


def test_models_can_be_public_while_queries_are_not(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(token_line("acme", new_token()))
    options = ("--tokens", str(tmp_path / "tokens"), "--public-models")
    with serving(tmp_path, {"petals": petals().model}, *options) as live:
        assert httpx.get(f"{live.url}/models/petals/signature").status_code == 200
        assert httpx.get(f"{live.url}/v2/models/petals").status_code == 200
        assert "petals" in httpx.get(f"{live.url}/developers").text
        caller = Caller(live.url, petals())
        assert caller.put_key().status_code == 401
        assert caller.infer(caller.query()).status_code == 401


def test_a_new_token_is_taken_and_a_withdrawn_one_refused_while_running(tmp_path: Path) -> None:
    first, second = new_token(), new_token()
    path = tmp_path / "tokens"
    path.write_text(token_line("acme", first))
    with serving(tmp_path, {"petals": petals().model}, "--tokens", str(path), "--rescan", "0.5") as live:

        def status(token: str) -> int:
            return httpx.get(f"{live.url}/models", headers={"Authorization": f"Bearer {token}"}).status_code

        assert (status(first), status(second)) == (200, 401)
        path.write_text(token_line("acme", second))
        until(lambda: (status(first), status(second)) == (401, 200))
