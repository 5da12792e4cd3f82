"""Starting, as an operator sees it: what is said, what is warned of, what is refused, and trying it out."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
from asking import until
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fitted import petals
from hermetic.errors import SettingsError
from hermetic.serve.access import new_token, token_line
from hermetic.serve.settings import Settings, load_settings
from hermetic.serve.tls import tls_context
from in_process import publish
from live import COMMAND, serving, serving_script

FEW = ("--workers", "1", "--store", "memory://", "--port", "0")


@dataclass
class Pem:
    """A certificate for this machine, and its key."""

    certificate: Path
    key: Path
    encrypted_key: Path


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Pem:
    folder = tmp_path_factory.mktemp("pem")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    made = Pem(folder / "cert.pem", folder / "key.pem", folder / "locked.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for file, lock in (
        (made.key, serialization.NoEncryption()),
        (made.encrypted_key, serialization.BestAvailableEncryption(b"passphrase")),
    ):
        file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
    return made


@pytest.fixture
def models(tmp_path: Path) -> Path:
    publish(tmp_path / "models", "petals", petals().model)
    return tmp_path / "models"


def started(live_log: list[dict[str, object]]) -> dict[str, object]:
    (line,) = [one for one in live_log if one.get("event") == "listening"]
    return line


def events(live_log: list[dict[str, object]]) -> list[object]:
    return [one.get("event") for one in live_log]


class TestLog:
    """What the log says of the start and the end."""

    def test_the_start_says_what_runs(self, tmp_path: Path) -> None:
        (tmp_path / "tokens").write_text("\n".join(token_line("acme", new_token()) for _ in range(3)))
        store = tmp_path / "keys"
        options = ("--tokens", str(tmp_path / "tokens"), "--store", str(store), "--workers", "2")
        with serving(tmp_path, {"petals": petals().model, "iris": petals().model}, *options) as live:
            line = started(live.log)
        assert line["release"] == version("hermetic")
        assert line["models"] == ["iris/1", "petals/1"]
        assert (line["store"], line["workers"], line["tls"]) == (str(store), 2, "no")
        assert line["tokens"] == f"3 in {tmp_path / 'tokens'}"

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_the_end_says_why(self, tmp_path: Path, number: signal.Signals) -> None:
        with serving(tmp_path, {"petals": petals().model}) as live:
            live.process.send_signal(number)
            assert live.process.wait(timeout=60) == 0
            until(lambda: "stopped" in events(live.log))
        (stopping,) = [one for one in live.log if one.get("event") == "stopping"]
        assert stopping["reason"] == number.name
        assert events(live.log)[-2:] == ["stopping", "stopped"]

    def test_a_signal_before_it_listens_ends_it_too(self, tmp_path: Path) -> None:
        script, marker = tmp_path / "score.py", tmp_path / "marker"
        script.write_text(
            f"import time\ndef init():\n    open({str(marker)!r}, 'w')\n    time.sleep(600)\ndef run(x): ..."
        )
        command = [COMMAND, "serve", "--entry-script", str(script), *FEW]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            until(marker.exists)
            process.send_signal(signal.SIGTERM)
            _, text = process.communicate(timeout=60)
        assert process.returncode == 0
        assert events([json.loads(one) for one in text.splitlines()])[-2:] == ["stopping", "stopped"]

    def test_whoever_ignores_the_end_of_the_terminal_goes_on(self, models: Path) -> None:
        """As nohup starts it."""
        command = ["nohup", COMMAND, "serve", str(models), *FEW]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            lines: list[str] = []
            reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()))
            reader.start()
            until(lambda: any("listening" in one for one in lines) or process.poll() is not None)
            for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
                process.send_signal(number)
            reader.join(60)
        assert any("SIGTERM" in one for one in lines)
        assert not any("SIGHUP" in one for one in lines)

    def test_a_terminal_gets_lines_for_a_person(self, models: Path) -> None:
        ours, theirs = pty.openpty()
        process = subprocess.Popen([COMMAND, "serve", str(models), *FEW], stderr=theirs, stdout=theirs)
        os.close(theirs)
        text = ""
        while "listening" not in text and (more := os.read(ours, 4096)):
            text += more.decode()
        process.terminate()
        assert process.wait(timeout=60) == 0
        os.close(ours)
        (line,) = [one for one in text.splitlines() if "listening" in one]
        assert re.match(r"\d\d:\d\d:\d\d listening \(url http://127.0.0.1:\d+, ", line)
        for told in (f"release {version('hermetic')}", "models petals/1", "store memory://", "workers 1", "tls no"):
            assert told in line
        assert "tokens none needed" in line
        assert "warning: no tokens" in text
        assert "{" not in text


class TestWarnings:
    """What an operator may have overlooked."""

    def test_no_models_no_tokens_no_tls(self, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        with serving(tmp_path, {}) as live:
            warned = {one["event"]: one["message"] for one in live.log if one.get("level") == "warning"}
        assert set(warned) == {"no_models", "no_tokens", "no_tls"}
        assert str(tmp_path / "models") in warned["no_models"]

    def test_nothing_that_is_there(self, tmp_path: Path, pem: Pem) -> None:
        (tmp_path / "tokens").write_text(token_line("acme", new_token()))
        tls = ("--tls-certificate", str(pem.certificate), "--tls-key", str(pem.key))
        with serving(tmp_path, {"petals": petals().model}, "--tokens", str(tmp_path / "tokens"), *tls) as live:
            assert not [one for one in live.log if one.get("level") == "warning"]
            assert started(live.log)["tls"] == "yes"

    def test_a_tokens_file_that_lets_nobody_in(self, tmp_path: Path) -> None:
        (tmp_path / "tokens").write_text("# nobody yet\n")
        with serving(tmp_path, {"petals": petals().model}, "--tokens", str(tmp_path / "tokens")) as live:
            (line,) = [one for one in live.log if one.get("event") == "no_tokens"]
        assert "nobody may call" in line["message"]

    def test_a_store_that_everybody_may_write(self, tmp_path: Path) -> None:
        store = tmp_path / "keys"
        store.mkdir()
        store.chmod(0o777)
        with serving(tmp_path, {"petals": petals().model}, "--store", str(store)) as live:
            (line,) = [one for one in live.log if one.get("event") == "open_store"]
        assert str(store) in line["message"]

    def test_a_script_too(self, tmp_path: Path) -> None:
        (tmp_path / "score.py").write_text("def init(): ...\ndef run(raw_data): ...")
        with serving_script(tmp_path / "score.py") as live:
            assert {"no_tokens", "no_tls"} <= set(events(live.log))
            assert started(live.log)["models"] == ["score"]


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, "serve", "--check", "--workers", "1", "--store", "memory://", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


class TestCheck:
    """``hermetic serve --check``."""

    def test_what_would_start(self, models: Path) -> None:
        done = check(str(models))
        assert done.returncode == 0, done.stderr
        assert "The service would start" in done.stdout
        assert "petals/1" in done.stdout
        assert "listening" not in done.stderr

    def test_it_needs_no_free_port(self, tmp_path: Path, models: Path) -> None:
        with serving(tmp_path, {}) as live:
            assert check(str(models), "--port", str(live.port)).returncode == 0

    def test_what_would_not(self, tmp_path: Path, models: Path) -> None:
        (tmp_path / "broken" / "bad" / "1").mkdir(parents=True)
        (tmp_path / "broken" / "bad" / "1" / "model.hermetic").write_text("nonsense")
        (tmp_path / "tokens").write_text("nonsense")
        (tmp_path / "score.py").write_text("def init(): raise ValueError('no model')\ndef run(raw_data): ...")
        for arguments, said in (
            ((str(models), str(tmp_path / "broken")), "bad/1/model.hermetic"),
            ((str(tmp_path / "nowhere"),), f"There is no such path: {tmp_path}/nowhere"),
            ((str(models), "--tokens", str(tmp_path / "tokens")), "line 1"),
            ((str(models), "--host", "0.0.0.0"), "listening on 0.0.0.0 needs"),
            ((str(models), "--host", "192.0.2.1", "--insecure-no-tokens", "--insecure-no-tls"), "--host must be"),
            ((str(models), "--store", "az://keys"), "the store az://keys, given by --store"),
            (("--entry-script", str(tmp_path / "score.py")), "no model"),
        ):
            done = check(*arguments)
            assert (done.returncode, done.stdout) == (1, ""), arguments
            assert said in " ".join(done.stderr.split()), done.stderr
            assert "Traceback" not in done.stderr.splitlines()[-1]


class TestTls:
    """Certificate, key and authority: each is named with its path."""

    @pytest.mark.parametrize("bad", ["tls_certificate", "tls_key", "tls_client_ca"])
    def test_a_file_that_is_no_pem(self, bad: str, pem: Pem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "bad.pem").write_text("nonsense")
        given = {"tls_certificate": pem.certificate, "tls_key": pem.key, "tls_client_ca": pem.certificate}
        assert tls_context(load_settings(given))
        del given[bad]
        monkeypatch.setenv(f"HERMETIC_{bad.upper()}", str(tmp_path / "bad.pem"))
        with pytest.raises(SettingsError, match=f"HERMETIC_{bad.upper()}") as caught:
            tls_context(load_settings(given))
        assert str(tmp_path / "bad.pem") in str(caught.value)

    def test_a_key_of_another_certificate(self, pem: Pem, tmp_path: Path) -> None:
        other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (tmp_path / "other.pem").write_bytes(other)
        settings = Settings(tls_certificate=pem.certificate, tls_key=tmp_path / "other.pem")
        with pytest.raises(SettingsError, match="belong together") as caught:
            tls_context(settings)
        assert str(pem.certificate) in str(caught.value)
        assert str(tmp_path / "other.pem") in str(caught.value)

    def test_a_key_under_a_passphrase_is_refused_and_nobody_is_asked(self, pem: Pem) -> None:
        with pytest.raises(SettingsError, match="must not be encrypted") as caught:
            tls_context(Settings(tls_certificate=pem.certificate, tls_key=pem.encrypted_key))
        assert str(pem.encrypted_key) in str(caught.value)
