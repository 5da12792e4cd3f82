"""The example that reads MNIST with a convolution: the quick form from end to end, where PyTorch is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / "tests" / "hosts" / "pytorch" / ".venv" / "bin" / "python"
LONGEST = 480


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, "-m", "examples.mnist_cnn", "--folder", str(folder), "--picture", str(folder / "a.png")]
    return subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, timeout=LONGEST, cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_quick_form_runs_from_training_to_the_picture(tmp_path: Path) -> None:
    done = run(tmp_path, "--quick", "--images", "40")
    assert done.returncode == 0, done.stderr
    assert "trained in" in done.stderr
    assert "network: one hidden layer, a convolution of 8x8 at 11x11 places, activations of degree 4" in done.stdout
    clear = re.search(r"^read right of all test images, in the clear: ([\d,]+) of 10,000", done.stdout, re.MULTILINE)
    assert clear and int(clear[1].replace(",", "")) > 9_000
    equal = re.search(r"^labels equal: (\d+) of 40", done.stdout, re.MULTILINE)
    assert equal and int(equal[1]) >= 39
    error = re.search(r"largest error of a score: (\S+); guaranteed <= (\S+)", done.stdout)
    assert error and float(error[1]) <= float(error[2])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    again = run(tmp_path, "--quick", "--images", "1")
    assert again.returncode == 0 and "trained in" not in again.stderr, again.stderr


def test_more_images_than_there_are_are_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--images", "10001")
    assert done.returncode == 2
    assert "--images must be from 1 to 10,000. Got 10001 instead." in done.stderr
