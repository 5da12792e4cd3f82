"""The command as a whole: version, help, how errors look, what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Invoke, Project, Shell

import hermetic


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def without(library: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in an interpreter that cannot import the library."""
    code = f"import sys; sys.modules[{library!r}] = None; sys.argv = {['hermetic', *arguments]!r}\n"
    return python(code + "from hermetic.cli import main; main()")


def test_version(shell: Shell) -> None:
    done = shell("--version")
    assert (done.returncode, done.stdout) == (0, f"hermetic {hermetic.__version__}\n")


def test_help_names_every_command(invoke: Invoke) -> None:
    done = invoke("--help")
    assert done.exit_code == 0
    for command in ("compile", "inspect", "signature", "predict", "demo"):
        assert f" {command} " in done.stdout


def test_help_is_grouped_by_purpose(invoke: Invoke) -> None:
    text = invoke("--help").stdout
    places = [text.index(f" {one} ") for one in ("Models", "compile", "Predictions", "predict", "The service", "token")]
    assert places == sorted(places)


@pytest.mark.parametrize("spelling", [("--file", "~/tokens"), ("--file=~/tokens",)])
def test_a_tilde_that_no_shell_replaced_is_the_home_directory(
    spelling: tuple[str, ...], invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    done = invoke("token", "new", "acme", *spelling, "--output=~/a.token", HOME=str(tmp_path / "home"))
    assert done.exit_code == 0, done.output
    assert {one.name for one in (tmp_path / "home").iterdir()} == {"tokens", "a.token"}
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_without_its_libraries_it_says_what_to_install(library: str) -> None:
    done = without(library, "--version")
    assert done.returncode == 1
    assert done.stderr == (f"error: the command line needs {library}. Install it with: pip install 'hermetic[cli]'\n")


def test_an_error_in_its_libraries_is_not_hidden() -> None:
    done = without("numpy", "--version")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
    assert "hermetic[cli]" not in done.stderr


def test_a_client_needs_no_scikit_learn(iris: Project) -> None:
    done = without("sklearn", "predict", iris.model_file, iris.data_file, "--output", "csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == list(iris.estimator.predict(iris.X))


def test_compiling_without_scikit_learn_says_what_to_install(iris: Project, tmp_path: Path) -> None:
    target = str(tmp_path / "m.hermetic")
    arguments = ("compile", iris.estimator_file, "-o", target, "--range", "0", "10", "--trust-pickle")
    done = without("joblib", *arguments)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("pip install 'hermetic[sklearn]'")


def test_an_error_is_one_line_on_stderr(shell: Shell, tmp_path: Path) -> None:
    done = shell("inspect", str(tmp_path / "nothing"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {tmp_path / 'nothing'} cannot be read: No such file or directory.\n"


def test_debug_shows_the_traceback(shell: Shell, tmp_path: Path) -> None:
    done = shell("--debug", "inspect", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ModelFileError" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("bogus",), ("predict",), ("inspect", "file", "--samples", "0"), ("demo", "--images", "0")]
)
def test_wrong_usage_exits_with_2(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_reader_that_stops_early_gets_no_traceback(iris: Project) -> None:
    command = f"'{Path(sys.executable).with_name('hermetic')}' predict '{iris.model_file}' '{iris.data_file}' | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.strip()
    assert done.stderr == ""


def test_a_terminal_without_unicode_still_gets_an_answer(shell: Shell, iris: Project) -> None:
    done = shell("inspect", iris.model_file, "--no-measure", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "sepal length (cm)" in done.stdout
