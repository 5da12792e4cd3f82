"""hermetic demo, as its user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from mnist_files import small, write
from typer.testing import CliRunner

from hermetic.cli.app import app
from hermetic.demo.classifier import train
from hermetic.demo.mnist import features

HERMETIC = Path(sys.executable).with_name("hermetic")
TRAIN, TEST = 500, 40


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("idx"), small(TRAIN, TEST))


def demo(directory: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a directory of its own, with a cache of its own and no terminal."""
    # matplotlib keeps its fonts, which take seconds to list, where it always does.
    ours = {"XDG_CACHE_HOME": str(directory / "cache"), "MPLCONFIGDIR": matplotlib.get_cachedir(), "COLUMNS": "80"}
    environment = os.environ | ours | variables
    return subprocess.run(
        [str(HERMETIC), "demo", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env=environment,
    )


def fact(shown: str, name: str) -> list[str]:
    """What stands beside a name, every time it is shown."""
    return re.findall(rf"^{re.escape(name)}  +(.*?) *$", shown, re.MULTILINE)


def test_the_whole_demo(files: Path, tmp_path: Path) -> None:
    done = demo(tmp_path, "--data", str(files), "--images", "2", "--all")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    shown = done.stdout

    data = small(TRAIN, TEST)
    estimator = train(data).estimator
    right = estimator.predict(features(data.test_images)) == data.test_labels
    chosen = np.random.default_rng(0).permutation(TEST)[:2]
    expected = [f"{part.sum()} of {len(part)} = {part.mean():.2%}" for part in (right[chosen], right)]
    assert fact(shown, "accuracy, encrypted") == fact(shown, "accuracy, scikit-learn") == expected
    assert fact(shown, "labels equal") == ["2 of 2", f"{TEST} of {TEST}"]
    reference = "to the reference, bit for bit"
    assert fact(shown, "integers equal") == [f"20 of 20 {reference}", f"{TEST * 10} of {TEST * 10} {reference}"]
    for one in fact(shown, "largest error"):
        error, guaranteed = map(float, re.fullmatch(r"(\S+) of a score; guaranteed <= (\S+)", one).groups())
        assert 0 < error <= guaranteed

    assert f"{TRAIN:,} training and {TEST} test images" in shown
    for i in chosen:
        label = data.test_labels[i]
        assert f"read {label}, is {label} ✓" in shown or f", is {label} ✗" in shown
    for step in ("make keys (once)", "encrypt", "pack the request", "answer", "read the response", "decrypt"):
        assert len(re.findall(rf"^{re.escape(step)}  .* m?s", shown, re.MULTILINE)) == 2
    assert max(map(len, shown.splitlines())) <= 80
    assert len(re.findall(r"(?: [0-9a-f]{2}){16}$", shown, re.MULTILINE)) == 14
    picture = matplotlib.image.imread(tmp_path / "hermetic-demo.png")
    assert picture.shape[1] == round(page_width() * 150)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "hermetic-demo.png"]


def page_width() -> float:
    from hermetic.demo import picture

    return 2 * picture._MARGIN + 5 * picture._PAIR + 4 * picture._GAP


def in_process(*options: str, **variables: str) -> str:
    done = CliRunner().invoke(app, ["demo", *options], env={"COLUMNS": "80"} | variables)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_classifier_is_cached_and_a_damaged_cache_ignored(files: Path, tmp_path: Path) -> None:
    cache, picture = tmp_path / "cache", str(tmp_path / "demo.png")
    options = ("--data", str(files), "--images", "1", "--picture", picture)
    assert "trained in" in in_process(*options, XDG_CACHE_HOME=str(cache))
    assert "from the cache" in in_process(*options, XDG_CACHE_HOME=str(cache))
    assert "trained in" in in_process(*options, "--no-cache", XDG_CACHE_HOME=str(cache))
    (kept,) = (cache / "hermetic").iterdir()
    kept.write_bytes(b"damaged")
    assert "trained in" in in_process(*options, XDG_CACHE_HOME=str(cache))


def test_seed_profile_and_picture(files: Path, tmp_path: Path) -> None:
    def run(seed: int, name: str) -> str:
        target = tmp_path / name
        options = ("--data", str(files), "--images", "6", "--seed", str(seed), "--picture", str(target))
        shown = in_process(*options, "--profile", "precise", XDG_CACHE_HOME=str(tmp_path))
        assert target.read_bytes().startswith(b"\x89PNG")
        assert "profile precise" in shown
        return str(re.findall(r"is \d", shown))

    assert run(1, "a.png") == run(1, "b.png") != run(2, "c.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes(), "ciphertexts are always fresh"


def test_more_images_than_there_are(files: Path, tmp_path: Path) -> None:
    options = ("--data", str(files), "--images", "1000", "--picture", str(tmp_path / "demo.png"))
    shown = in_process(*options, XDG_CACHE_HOME=str(tmp_path))
    assert fact(shown, "labels equal") == [f"{TEST} of {TEST}"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "nowhere"), "nowhere must hold train-images-idx3-ubyte.gz"),
        (("--picture", "nowhere/demo.png"), "nowhere/demo.png cannot be written"),
        (("--picture", "demo.jpg"), "must end in .png"),
    ],
)
def test_what_cannot_work_is_said_before_any_work(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    done = demo(tmp_path, *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("library", ["sklearn", "matplotlib"])
def test_without_its_libraries_it_says_what_to_install(library: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None; sys.argv = ['hermetic', 'demo']\n"
    code += "from hermetic.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: the demo needs {library}. Install it with: pip install 'hermetic[demo]'\n"
