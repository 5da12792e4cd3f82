"""encrypted-inference 0.9, the real one, beside this package: refused in words, whichever came first.

Both are pure Python, so to install one is to copy its files: 0.9's from the environment that the tests keep for it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
OURS = ROOT / "packages" / "encrypted-inference" / "src" / "encrypted"
THEIRS = next((ROOT / "tests" / "hosts" / "guide_client" / ".venv").glob("lib/python*/site-packages"))
WHOSE = "from encrypted.inference.eiserver import EIServer; print(EIServer.__init__.__code__.co_filename)"


def add_ours(site: Path) -> None:
    shutil.copytree(OURS, site / "encrypted", dirs_exist_ok=True)


def add_their_files(site: Path) -> None:
    shutil.copytree(THEIRS / "encrypted", site / "encrypted", dirs_exist_ok=True)


def add_theirs(site: Path) -> None:
    add_their_files(site)
    shutil.copytree(THEIRS / "encrypted_inference-0.9.dist-info", site / "encrypted_inference-0.9.dist-info")


def run(code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    """In an interpreter that sees these folders and NumPy's, and no editable install."""
    path = [str(one) for one in (*folders, Path(np.__file__).parent.parent)]
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path += {path}; {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def assert_refused(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith("ImportError: encrypted.inference must be that of one distribution")
    assert "pip uninstall encrypted-inference, or pip uninstall hermetic-encrypted-inference" in said


@pytest.mark.parametrize("module", ["eiclient", "eiserver"])
@pytest.mark.parametrize(
    "order",
    [(add_ours, add_theirs), (add_theirs, add_ours), (add_ours, add_their_files), (add_their_files, add_ours)],
    ids=["0.9 came second", "0.9 came first", "its files came second", "its files came first"],
)
def test_the_two_are_refused_in_one_environment(
    tmp_path: Path, order: tuple[Callable[[Path], None], ...], module: str
) -> None:
    for add in order:
        add(tmp_path)
    assert_refused(run(f"import encrypted.inference.{module}", tmp_path))


def test_they_are_refused_in_two_folders_of_one_path(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    add_ours(ours)
    add_theirs(theirs)
    assert_refused(run(WHOSE, ours, theirs))
    assert_refused(run(WHOSE, theirs, ours))


def test_without_the_check_the_unprotected_server_is_what_one_gets(tmp_path: Path) -> None:
    add_ours(tmp_path)
    add_theirs(tmp_path)
    (tmp_path / "encrypted" / "inference" / "__init__.py").write_text("")
    done = run(WHOSE, tmp_path)
    assert done.stdout.strip() == str(tmp_path / "encrypted" / "inference" / "eiserver" / "__init__.py")


def test_theirs_works_where_ours_is_not(tmp_path: Path) -> None:
    add_theirs(tmp_path)
    assert run(WHOSE, tmp_path).returncode == 0


def test_taking_out_one_leaves_the_other_whole(tmp_path: Path) -> None:
    """They share folders and no file, so neither installation overwrites what the other brought."""
    add_ours(tmp_path)
    theirs = [one.relative_to(THEIRS) for one in (THEIRS / "encrypted").rglob("*") if one.is_file()]
    assert theirs
    assert not [one for one in theirs if (tmp_path / one).exists()]
