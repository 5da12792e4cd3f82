"""Settings: where they come from, what is refused, and the one table that documents them."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from hermetic.errors import SettingsError
from hermetic.serve.catalogue import GROUPS, all_settings
from hermetic.serve.checks import check_files
from hermetic.serve.limits import Rate
from hermetic.serve.settings import Settings, load_settings

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
    with pytest.raises(SettingsError, match="was not found"):
        load_settings({}, tmp_path / "nowhere.toml")
    for text in ("colour = 'red'", "port = ", "[server]\nport = 1"):
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(SettingsError):
            load_settings({}, tmp_path / "bad.toml")


SECRET = "hermetic_secret-token"


@pytest.mark.parametrize("name", ["port", "workers", "key_days", "public_models", "log_level", "rate", "max_samples"])
def test_a_bad_value_names_where_it_came_from(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hermetic.toml"
    file.write_text(f"{name} = '{SECRET}'\n")
    variable = f"HERMETIC_{name.upper()}"
    for given, config, source in (
        ({name: SECRET}, None, f"--{name.replace('_', '-')}"),
        ({}, file, str(file)),
        ({}, None, variable),
    ):
        if source == variable:
            monkeypatch.setenv(variable, SECRET)
        with pytest.raises(SettingsError) as caught:
            load_settings(given, config)
        assert name in str(caught.value)
        assert source in str(caught.value)


def test_settings_that_do_not_go_together_name_where_each_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hermetic.toml"
    file.write_text("legacy_clients = true\n")
    monkeypatch.setenv("HERMETIC_FORBID_LEGACY_CLIENTS", "1")
    with pytest.raises(SettingsError, match="legacy_clients must stay off") as caught:
        load_settings({}, file)
    assert str(file) in str(caught.value)
    assert "HERMETIC_FORBID_LEGACY_CLIENTS" in str(caught.value)


def test_a_misspelt_name_is_told_the_right_one(tmp_path: Path) -> None:
    file = tmp_path / "hermetic.toml"
    for wrong, right in (("queue-timeout", "queue_timeout"), ("worker", "workers"), ("token", "tokens")):
        file.write_text(f"{wrong} = 1\n")
        with pytest.raises(SettingsError, match=f"{wrong} .* is not a setting: did you mean {right}"):
            load_settings({}, file)


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8000", "udp://10.0.0.1:53", "sctp://[fd00::1]:9", "tcp://h:1"])
def test_what_kubernetes_sets_for_a_service_called_hermetic_is_passed_over(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = "10.0.0.1", "8000"
    for name, value in {
        "HERMETIC_PORT": address,
        "HERMETIC_SERVICE_HOST": host,
        "HERMETIC_SERVICE_PORT": port,
        "HERMETIC_SERVICE_PORT_HTTP": port,
        "HERMETIC_PORT_8000_TCP": address,
        "HERMETIC_PORT_8000_TCP_PROTO": "tcp",
        "HERMETIC_PORT_8000_TCP_PORT": port,
        "HERMETIC_PORT_8000_TCP_ADDR": host,
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert not settings.is_given("port")
    assert load_settings({"port": 1}).port == 1


def test_blanks_around_a_variable_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, port in ((" 9000\n", 9000), ("  ", 8000), ("", 8000)):
        monkeypatch.setenv("HERMETIC_PORT", value)
        assert load_settings({}).port == port


ALL_PATHS = ("entry_script", "tokens", "tls_certificate", "tls_key", "tls_client_ca", "logo", "store", "model_dir")


@pytest.mark.parametrize("path", ["$HOME/a", "${HOME}/a", "$XDG_STATE_HOME/keys", "%USERPROFILE%/a"])
@pytest.mark.parametrize("name", [*ALL_PATHS, "models"])
def test_a_variable_in_a_path_is_none_of_its_letters(
    name: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hermetic.toml").write_text(f"{name} = '{path}'\n")
    with pytest.raises(SettingsError, match=f"{name} .* must not start with a variable"):
        load_settings({}, tmp_path / "hermetic.toml")
    with pytest.raises(SettingsError, match=f"{name} .* must not start with a variable"):
        load_settings({name: [path] if name == "models" else path})
    monkeypatch.setenv(f"HERMETIC_{name.upper()}", path)
    with pytest.raises(SettingsError, match=f"HERMETIC_{name.upper()}.* must not start with a variable"):
        load_settings({})


@pytest.mark.parametrize("quoted", ['"{}"', "'{}'", ' "{}"\n'])
@pytest.mark.parametrize(("name", "value"), [("store", "~/keys"), ("port", "8000"), ("models", "/m"), ("title", "x")])
def test_quotes_around_a_variable_are_refused(
    name: str, value: str, quoted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``docker --env-file`` keeps them: they would be part of a path."""
    monkeypatch.setenv(f"HERMETIC_{name.upper()}", quoted.format(value))
    with pytest.raises(SettingsError, match=f"HERMETIC_{name.upper()} must be without quotes"):
        load_settings({})


@pytest.mark.parametrize("source", ["flags", "environment", "toml"])
def test_a_tilde_is_the_home_directory_wherever_a_path_is_given(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    given = dict.fromkeys(ALL_PATHS, "~/a/b")
    file = tmp_path / "below" / "hermetic.toml"
    file.parent.mkdir()
    if source == "environment":
        for name, value in given.items():
            monkeypatch.setenv(f"HERMETIC_{name.upper()}", value)
    file.write_text("".join(f"{name} = '{value}'\n" for name, value in given.items()) if source == "toml" else "")
    settings = load_settings(given if source == "flags" else {}, Path("~/below/hermetic.toml"))
    assert {str(getattr(settings, name)) for name in ALL_PATHS} == {str(tmp_path / "a" / "b")}


def test_models_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for text, names in (("~/a", ["a"]), ('["~/a", "~/b"]', ["a", "b"])):
        monkeypatch.setenv("HERMETIC_MODELS", text)
        assert load_settings({}).models == tuple(tmp_path / one for one in names)
    assert load_settings({"models": [Path("~/c")]}).models == (tmp_path / "c",)
    monkeypatch.setenv("HERMETIC_MODELS", "[a")
    with pytest.raises(SettingsError, match=r"models \(HERMETIC_MODELS\) must be a path, or a JSON list"):
        load_settings({})


def test_the_default_store_is_below_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (documented,) = [one.default for one in all_settings() if one.name == "store"]
    for state, store in (
        (None, tmp_path / ".local/state/hermetic/keys"),
        ("", tmp_path / ".local/state/hermetic/keys"),
        ("relative", tmp_path / ".local/state/hermetic/keys"),  # as the XDG specification asks
        ("~/state", tmp_path / "state/hermetic/keys"),
        ("/var/state", Path("/var/state/hermetic/keys")),
    ):
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        if state is not None:
            monkeypatch.setenv("XDG_STATE_HOME", state)
        assert load_settings({}).store == str(store)
    assert load_settings({"store": documented}).store == str(tmp_path / ".local/state/hermetic/keys")


def test_a_home_that_nobody_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMETIC_TOKENS", "~nobody-of-this-name/tokens")
    with pytest.raises(SettingsError, match=r"tokens \(HERMETIC_TOKENS\) must not start with ~"):
        load_settings({})


def test_relative_paths_in_the_file_start_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "hermetic.toml").write_text("".join(f"{name} = '../x/y'\n" for name in ALL_PATHS))
    (folder / "models.toml").write_text("models = ['m', '/n', 'o/p']\n")
    monkeypatch.chdir(tmp_path)
    for file in (Path("etc/hermetic.toml"), folder / "hermetic.toml"):
        settings = load_settings({}, file)
        assert {str(getattr(settings, name)) for name in ALL_PATHS} == {f"{folder}/../x/y"}
        assert load_settings({}, file.with_name("models.toml")).models == (folder / "m", Path("/n"), folder / "o/p")
    for store in ("memory://", "az://container/prefix", "s3://bucket", "file:///keys"):
        (folder / "hermetic.toml").write_text(f"store = '{store}'\n")
        assert load_settings({}, folder / "hermetic.toml").store == store


@pytest.mark.parametrize("name", ["tokens", "tls_certificate", "tls_key", "tls_client_ca", "entry_script", "model_dir"])
def test_a_file_that_is_missing_is_named_with_its_path_and_source(name: str, tmp_path: Path) -> None:
    script, missing, config = tmp_path / "score.py", tmp_path / "missing", tmp_path / "hermetic.toml"
    script.write_text("")
    others = {"entry_script": script, "tls_certificate": script, "tls_key": script}
    config.write_text(f"{name} = '{missing}'\n")
    given = {other: path for other, path in others.items() if other != name}
    for settings, source in (
        (load_settings({**given, name: missing}), f"--{name.replace('_', '-')}"),
        (load_settings(given, config), f"{name} in {config}"),
    ):
        with pytest.raises(SettingsError, match=f"There is no such path: {missing}") as caught:
            check_files(settings)
        assert str(caught.value).startswith(source)


def test_a_file_that_is_a_directory_or_a_model_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"--tokens must be .* {tmp_path} is a directory"):
        check_files(load_settings({"tokens": tmp_path}))
    with pytest.raises(SettingsError, match=f"There is no such path: {tmp_path}/typo"):
        check_files(load_settings({"models": (tmp_path, tmp_path / "typo")}))


def test_a_wrong_value_is_not_repeated_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone may have put a secret into the wrong variable."""
    for name in ("PORT", "RATE", "QUOTA", "PUBLIC_MODELS", "LOG_LEVEL", "CORS_ORIGIN"):
        monkeypatch.setenv(f"HERMETIC_{name}", SECRET)
        with pytest.raises(SettingsError) as caught:
            load_settings({})
        assert SECRET not in str(caught.value)
        monkeypatch.delenv(f"HERMETIC_{name}")


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
    places = [done.stdout.index(f" {group} ") for group in GROUPS.values()]
    assert places == sorted(places)


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
