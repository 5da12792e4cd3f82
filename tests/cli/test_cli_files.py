"""Every place where a command writes: what cannot be written is said in one line, and nothing is replaced by it."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from command_line import HERMETIC, Invoke, Project

from hermetic import CompiledModel
from hermetic.cli.units import size

PASSPHRASE = {"HERMETIC_PASSPHRASE": "correct horse"}


def commands(project: Project, target: str) -> dict[str, tuple[str, ...]]:
    """Each command with the place that it writes."""
    key = ("--key", f"{project.model_file}.key")
    return {
        "compile": ("compile", project.estimator_file, "--trust-pickle", "--sample", project.data_file, "-o", target),
        "signature": ("signature", project.model_file, "-o", target),
        "predict": ("predict", project.model_file, project.data_file, "--key", target),
        "encrypt": ("encrypt", project.model_file, project.data_file, *key, "-o", target),
        "encrypt --public-key": (
            "encrypt", project.model_file, project.data_file, *key, "-o", f"{project.model_file}.query", "--public-key",
            target,
        ),
        "encrypt --key": ("encrypt", project.model_file, project.data_file, "--key", target, "-o", os.devnull),
        "token": ("token", "new", "clinic", "--file", target),
        "keys": ("keys", "list", "--store", target),
        "demo": ("demo", "--images", "1", "--picture", f"{target}.png"),
    }  # fmt: skip


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Places where nobody can write, not even root."""
    (tmp_path / "file").write_text("kept")
    (tmp_path / "loop").symlink_to("loop")
    return {
        "below a file": str(tmp_path / "file" / "x"),
        "no such directory": str(tmp_path / "none" / "x"),
        "name too long": str(tmp_path / ("x" * 300)),
        "a loop": str(tmp_path / "loop" / "x"),
        "the system's": "/proc/x",
    }


@pytest.mark.parametrize("command", commands(Project(None, None, "", "", ""), ""))
def test_a_place_that_cannot_be_written_is_named(
    command: str, places: dict[str, str], iris: Project, invoke: Invoke, tmp_path: Path
) -> None:
    for what, place in places.items():
        if command == "keys" and what == "no such directory":  # a store is made where there is none
            continue
        done = invoke(*commands(iris, place)[command], **PASSPHRASE)
        assert done.exit_code == 1, f"{what}: {done.output}"
        assert isinstance(done.exception, SystemExit), f"{what}: {done.exception!r}"
        said = done.stderr.splitlines()[-1]
        assert said.startswith("error: ") and (place in said or command == "keys"), f"{what}: {said}"
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("command", ["compile", "signature", "predict", "encrypt", "encrypt --key", "token"])
def test_a_directory_is_not_written(command: str, iris: Project, invoke: Invoke, tmp_path: Path) -> None:
    done = invoke(*commands(iris, str(tmp_path))[command], **PASSPHRASE)
    assert done.exit_code == 1
    assert f"error: {tmp_path} " in done.stderr


def test_a_pipe_that_nobody_reads_is_said_and_not_replaced(iris: Project, invoke: Invoke, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    done = invoke(*commands(iris, str(pipe))["compile"])
    assert done.exit_code == 1
    assert f"{pipe} " in done.stderr
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_model_can_go_into_a_pipe_or_a_device(iris: Project, invoke: Invoke, tmp_path: Path) -> None:
    pipe, copy = tmp_path / "pipe", tmp_path / "copy.hermetic"
    os.mkfifo(pipe)
    with copy.open("wb") as file, subprocess.Popen(["cat", str(pipe)], stdout=file) as reader:
        with pipe.open("wb"):  # the reader is there, and stays until the model came
            done = invoke(*commands(iris, str(pipe))["compile"])
        assert (done.exit_code, reader.wait()) == (0, 0), done.output
    CompiledModel.load(copy)
    assert str(size(copy.stat().st_size)) in done.stdout
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    done = invoke(*commands(iris, os.devnull)["compile"])
    assert done.exit_code == 0, done.output
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "{model}", "{data}"),
        ("predict", "{model}", "{data}", "--output", "csv"),
        ("predict", "{model}", "{data}", "--output", "json"),
        ("inspect", "{model}", "--no-measure"),
        ("inspect", "{model}", "--no-measure", "--json"),
        ("token", "new", "clinic"),
    ],
)
def test_a_full_disk_behind_standard_output_is_said(arguments: tuple[str, ...], iris: Project) -> None:
    command = [str(HERMETIC), *(one.format(model=iris.model_file, data=iris.data_file) for one in arguments)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "error: standard output must be usable: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_went_away_is_no_traceback(iris: Project) -> None:
    command = [str(HERMETIC), "predict", iris.model_file, iris.data_file, "--output", "csv"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert "Traceback" not in done.stderr
