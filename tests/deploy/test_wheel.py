"""A wheel that the image could not install is refused when it is rendered, not when it is built."""

import io
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.tags import Tag, cpython_tags, platform_tags
from packaging.utils import parse_wheel_filename
from rendering import rendered

from hermetic.deploy import Description
from hermetic.deploy.wheel import VERSION, check_wheel, python_of
from hermetic.errors import SettingsError


def content(name: str = "hermetic") -> bytes:
    """The least that is this version's wheel."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}-{VERSION}.dist-info/METADATA", f"Name: {name}\n")
    return file.getvalue()


def wheel(tags: str) -> str:
    return f"hermetic-{VERSION}-{tags}.whl"


@pytest.mark.parametrize(
    ("tags", "python"),
    [
        ("cp311-cp311-linux_x86_64", "3.11"),
        ("cp311-cp311-manylinux_2_28_x86_64", "3.11"),
        ("cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64", "3.12"),
        ("cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64", "3.11"),
        ("cp311-abi3-manylinux_2_28_x86_64", "3.13"),
        ("py3-none-any", "3.14"),
        ("1-cp311-cp311-linux_x86_64", "3.11"),
        ("cp39-cp39-linux_x86_64", None),
    ],
)
def test_a_wheel_for_the_image_is_taken(tags: str, python: str | None) -> None:
    check_wheel(wheel(tags), content(), python)


@pytest.mark.parametrize(
    ("tags", "python", "words"),
    [
        ("cp312-cp312-linux_x86_64", "3.11", "image has Python 3.11, and .* is for cp312"),
        ("cp311-cp311-manylinux_2_28_x86_64", "3.12", "image has Python 3.12, and .* is for cp311"),
        ("cp313-abi3-manylinux_2_28_x86_64", "3.11", "is for cp313"),
        ("cp31-cp31-linux_x86_64", "3.11", "is for cp31"),
        ("cp311-cp311-macosx_11_0_arm64", "3.11", "runs Linux with glibc, and .* is for macosx_11_0_arm64"),
        ("cp311-cp311-macosx_11_0_arm64", None, "is for macosx_11_0_arm64"),
        ("cp311-cp311-win_amd64", "3.11", "is for win_amd64"),
        ("cp311-cp311-musllinux_1_2_x86_64", "3.11", "is for musllinux_1_2_x86_64"),
        ("cp311", "3.11", "must be that of hermetic"),
    ],
)
def test_a_wheel_for_something_else_is_refused(tags: str, python: str | None, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        check_wheel(wheel(tags), content(), python)


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_what_pip_would_take_is_what_is_taken(minor: int) -> None:
    """Every tag that a CPython of this machine's system accepts, but those of Pythons before 3 and of this machine's
    variants of x86-64.
    """
    supported = set(cpython_tags((3, minor), platforms=list(platform_tags())))
    for other in range(11, 15):
        for abi in (f"cp3{other}", "abi3"):
            tag = Tag(f"cp3{other}", abi, "manylinux_2_17_x86_64")
            name = wheel(str(tag))
            assert parse_wheel_filename(name)[3] == {tag}
            if tag in supported:
                check_wheel(name, content(), f"3.{minor}")
            else:
                with pytest.raises(SettingsError):
                    check_wheel(name, content(), f"3.{minor}")


@pytest.mark.parametrize(
    ("image", "python"),
    [
        ("python:3.11.14-slim-bookworm", "3.11"),
        ("python:3.12", "3.12"),
        ("docker.io/library/python:3.13-slim@sha256:abc", "3.13"),
        ("python@sha256:abc", None),
        ("registry.example.com/ours:3.11", None),
        ("cpython:3.11", None),
    ],
)
def test_the_python_of_a_base_image(image: str, python: str | None) -> None:
    assert python_of(image) == python


@pytest.mark.parametrize("target", ["docker", "azureml"])
def test_every_target_looks(description: Description, tmp_path: Path, target: str) -> None:
    wrong = tmp_path / wheel("cp310-cp310-linux_x86_64")
    wrong.write_bytes(description.wheel.read_bytes())
    with pytest.raises(SettingsError, match=r"is for cp310\. Build it .* with Python 3\.11"):
        rendered(target, tmp_path / "out", description, wheel=wrong, store="az://keys/digits", image="a.azurecr.io/b:1")


def test_another_base_image_takes_the_wheel_for_its_python(description: Description, tmp_path: Path) -> None:
    newer = tmp_path / wheel("cp313-cp313-manylinux_2_28_x86_64")
    newer.write_bytes(description.wheel.read_bytes())
    rendered("docker", tmp_path / "out", description, wheel=newer, base_image="python:3.13-slim")
    assert (tmp_path / "out" / "image" / newer.name).is_file()


def test_the_wheel_that_is_built_here_is_for_this_python(description: Description) -> None:
    """It has a compiled module, so its name must say so."""
    tag = next(iter(parse_wheel_filename(description.wheel.name)[3]))
    assert tag.interpreter == f"cp3{sys.version_info.minor}"
    names = zipfile.ZipFile(description.wheel).namelist()
    assert any(name.startswith("hermetic/rlwe/native/_native.") and name.endswith(".so") for name in names)
