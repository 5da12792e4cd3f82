"""Settings: where they come from, what is refused, and the one table that documents them."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from hermetic.errors import SettingsError
from hermetic.serve.limits import Rate
from hermetic.serve.settings import Settings, all_settings, load_settings

ROOT = Path(__file__).parent.parent.parent
HERMETIC = str(Path(sys.executable).parent / "hermetic")


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith("HERMETIC_")]:
        monkeypatch.delenv(name)


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hermetic.toml"
    file.write_text("port = 1\nqueue = 1\nworkers = 1\nrate = '600/minute'\nmodels = ['a', 'b']\n")
    monkeypatch.setenv("HERMETIC_QUEUE", "2")
    monkeypatch.setenv("HERMETIC_WORKERS", "2")
    settings = load_settings({"workers": 3}, file)
    assert (settings.port, settings.queue, settings.workers) == (1, 2, 3)
    assert settings.rate == Rate(600, 60)
    assert settings.models == (tmp_path / "a", tmp_path / "b")


def test_flags_that_are_not_given_change_nothing() -> None:
    given = dict.fromkeys((one.name for one in all_settings()), None)
    assert load_settings(given).model_dump() == load_settings({}).model_dump()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"port": 70000}, "port"),
        ({"workers": 0}, "workers"),
        ({"rate": "fast"}, "600/minute"),
        ({"rate": "0/minute"}, "600/minute"),
        ({"log_level": "loud"}, "log_level"),
        ({"colour": "red"}, "colour"),
        ({"tls_certificate": Path("c")}, "must be given together"),
        ({"tls_key": Path("k")}, "must be given together"),
        ({"tls_client_ca": Path("a")}, "needs tls_certificate"),
    ],
)
def test_impossible_values_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(given)


def test_the_file_must_be_there_and_hold_known_names(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no"):
        load_settings({}, tmp_path / "nowhere.toml")
    for text in ("colour = 'red'", "port = ", "[server]\nport = 1"):
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(SettingsError):
            load_settings({}, tmp_path / "bad.toml")


def test_a_wrong_value_is_not_repeated_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone may have put a secret into the wrong variable."""
    monkeypatch.setenv("HERMETIC_PORT", "hermetic_secret-token")
    with pytest.raises(SettingsError) as caught:
        load_settings({})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_alone_needs_neither_tokens_nor_tls(host: str) -> None:
    load_settings({"host": host}).check_exposure()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "10.0.0.1", "example.org", "", "*"])
def test_listening_beyond_this_machine_needs_tokens_and_tls(host: str) -> None:
    tls = {"tls_certificate": Path("c"), "tls_key": Path("k")}
    tokens = {"tokens": Path("t")}
    for given, missing in (
        ({}, ["--tokens", "--tls-certificate"]),
        (tls, ["--tokens"]),
        (tokens, ["--tls-certificate"]),
        ({**tls, "insecure_no_tls": True}, ["--tokens"]),
        ({**tokens, "insecure_no_tokens": True}, ["--tls-certificate"]),
    ):
        settings = Settings(host=host, **given)
        with pytest.raises(SettingsError) as caught:
            settings.check_exposure()
        assert [flag for flag in ("--tokens", "--tls-certificate") if flag in str(caught.value)] == missing
    for given in ({**tls, **tokens}, {"insecure_no_tls": True, **tokens}, {**tls, "insecure_no_tokens": True}):
        Settings(host=host, **given).check_exposure()


def test_the_command_refuses_to_listen_beyond_this_machine(tmp_path: Path) -> None:
    command = [HERMETIC, "serve", str(tmp_path), "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error: listening on 0.0.0.0 needs --tokens")


def test_the_command_has_every_setting_as_a_flag() -> None:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run([HERMETIC, "serve", "--help"], capture_output=True, text=True, check=True, env=environment)
    for one in all_settings():
        if one.name != "models":
            assert f" {one.flag} " in done.stdout


def test_the_table_is_what_the_settings_say() -> None:
    rendered = runpy.run_path(str(ROOT / "docs" / "make_settings.py"))["render"]()
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == rendered, "docs/settings.md is out of date: run python docs/make_settings.py"


def test_every_default_in_the_table_is_the_default() -> None:
    settings = load_settings({})
    for one in all_settings():
        value = getattr(settings, one.name)
        if one.name not in ("workers", "store"):
            shown = f"{value:g}" if one.kind is float and value is not None else str(value)
            assert one.default == ("" if value in (None, False, ()) else shown), one.name
    assert settings.workers == os.cpu_count()
    assert settings.store.endswith("/hermetic/keys")
