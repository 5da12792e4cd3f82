"""Descriptions that cannot be deployed are refused in words, before anything is written."""

import sys
from pathlib import Path
from typing import Any

import pytest
from rendering import rendered

from hermetic.deploy import Description, render
from hermetic.errors import ModelFileError, SettingsError


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Digits"}, "name must be 3 to 32 lower-case letters"),
        ({"name": "a\nb"}, "name must be"),
        ({"image": "digits:1\nRUN x"}, "image must be like"),
        ({"base_image": "python:3\nRUN x"}, "base_image must be"),
        ({"host": "https://a.example.com"}, "host must be a name"),
        ({"dns_label": "a.b"}, "dns_label must be"),
        ({"cores": 0}, "cores must be a number above 0"),
        ({"memory_gb": float("nan")}, "memory_gb must be a number above 0"),
        ({"workers": 2000}, "workers must be between 1 and 1024"),
        ({"replicas": 0}, "replicas must be at least 1"),
        ({"replicas": 3, "max_replicas": 2}, "at most max_replicas"),
        ({"models": ()}, "a model file must be named"),
        ({"tls_key": Path("key")}, "must be given together"),
        ({"variables": {"A-B": "1"}}, "an environment variable must be"),
        ({"variables": {"A": "1\n2"}}, "the value of A must be one line"),
        ({"secrets": {"A": "it's"}}, "the value of A must be one line"),
        ({"variables": {"A": "1"}, "secrets": {"A": "2"}}, "A must be given once"),
        ({"secrets": {"HERMETIC_RATE": "2"}}, "must not be a secret"),
        ({"tags": {"a b": "1"}}, "a tag's name must be"),
        ({"tags": {"a": "x" * 257}}, "at most 256 characters"),
        ({"tokens": None}, "tokens must name the file"),
        ({"tokens": Path("missing")}, "missing must be a readable text file"),
        ({"wheel": Path("missing.whl")}, "the wheel missing.whl must be a readable file"),
        ({"wheel": Path("a b.whl")}, "wheel must be a wheel file"),
    ],
)
def test_what_cannot_be_deployed_is_refused(
    description: Description, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        rendered("docker", tmp_path / "out", description, **change)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_model_is_refused(description: Description, tmp_path: Path) -> None:
    other = tmp_path / "digits.hermetic"
    other.write_bytes(b"no model")
    with pytest.raises(ModelFileError):
        rendered("docker", tmp_path / "out", description, models=(other,))


def test_two_models_must_differ_in_name(description: Description, tmp_path: Path) -> None:
    (model,) = description.models
    (tmp_path / "digits.hermetic").write_bytes(model.read_bytes())
    with pytest.raises(SettingsError, match="two of the files share one"):
        rendered("docker", tmp_path / "out", description, models=(model, tmp_path / "digits.hermetic"))


def test_secrets_are_not_shown(description: Description) -> None:
    described = Description("digits", (), description.wheel, secrets={"KEY": "s3cret"})
    assert "s3cret" not in repr(described)


def test_an_unknown_target_is_refused(description: Description, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must be one of docker, aci, kubernetes, azureml"):
        render("mars", description, tmp_path)


def test_without_pyyaml_it_says_what_to_install(
    description: Description, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(SettingsError, match=r"hermetic\[deploy\]"):
        rendered("docker", tmp_path / "out", description)
