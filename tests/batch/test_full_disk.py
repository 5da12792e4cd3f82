"""A disk that is full: a small one is mounted where nobody else sees it. The command line says what must be done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tabled import ROWS, Case

HERMETIC = Path(sys.executable).with_name("hermetic")
MOUNTED = """
size=$1 place=$2; shift 2
mount -t tmpfs -o "size=$size" tmpfs "$place"
"$@" > /dev/null; code=$?
find "$place" -type f
exit $code
"""


def hermetic(*arguments: str | Path, before: tuple[str | Path, ...] = ()) -> tuple[int, str, list[str]]:
    """Exit code, the last line of standard error, and standard output."""
    command = [str(one) for one in (*before, HERMETIC, "batch", *arguments)]
    environment = {**os.environ, "HERMETIC_PASSPHRASE": "tumours", "COLUMNS": "400"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=480, env=environment)
    return done.returncode, (done.stderr.splitlines() or [""])[-1], done.stdout.splitlines()


def on_a_disk_of(size: str, place: Path, *arguments: str | Path) -> tuple[int, str, list[str]]:
    """The same, but standard output is the files on the disk afterwards."""
    place.mkdir()
    shell = ("unshare", "--map-root-user", "--mount", "sh", "-c", MOUNTED, "sh", size, place)
    return hermetic(*arguments, before=shell)


def encrypt(case: Case, job: Path, rows: Path) -> tuple[str | Path, ...]:
    key = ("--key", case.folder / "key", "--signature", case.model_file)
    return ("encrypt", case.parquet, *key, "-o", job, "--rows", rows, "--row-key", "patient", "--rows-per-query", "100")


def test_of_the_job(case: Case, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    code, said, files = on_a_disk_of("200k", disk, *encrypt(case, disk / "job", tmp_path / "t.rows"))
    assert code == 1
    assert said == "error: the job's store must have room for what is written. It has none: No space left on device."
    assert "manifest.json" not in str(files)
    assert not (tmp_path / "t.rows").exists()


def test_of_the_row_file(case: Case, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    code, said, _ = on_a_disk_of("4k", disk, *encrypt(case, tmp_path / "job", disk / "t.rows"))
    assert code == 1
    assert "t.rows" in said
    assert said.endswith("cannot be written: No space left on device. Make room there, and run it again.")
    assert not (tmp_path / "job" / "manifest.json").exists()


def test_of_the_table(case: Case, tmp_path: Path) -> None:
    job, rows = tmp_path / "job", tmp_path / "t.rows"
    assert hermetic(*encrypt(case, job, rows))[0] == 0
    assert hermetic("score", job, "--model", case.model_file)[0] == 0
    decrypt = ("decrypt", job, "--signature", case.model_file, "--key", case.folder / "key", "--rows", rows, "-o")
    for name in ("out.csv", "out.parquet", "out.arrow"):
        place = tmp_path / f"disk of {name}" / name
        code, said, files = on_a_disk_of("4k", place.parent, *decrypt, place)
        assert code == 1
        assert said == f"error: {place} cannot be written: No space left on device. Make room there, and run it again."
        assert files == []
    assert hermetic(*decrypt, tmp_path / "out.csv")[0] == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == ROWS + 1
