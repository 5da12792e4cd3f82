"""What happens with each requirement of an environment, and that a missing one is really installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from hermetic.errors import SettingsError
from hermetic.workflow import CondaDependencies, packages

SKLEARN = version("scikit-learn")

GUIDE = CondaDependencies.create(
    ["azureml-dataprep[pandas,fuse]>=1.1.14", "azureml-defaults", "azure-storage-blob", "encrypted-inference==0.9"],
    ["scikit-learn==0.22.1"],
)


def test_the_packages_of_the_guide_need_no_installation() -> None:
    steps = packages.plan(GUIDE)
    assert [step.action for step in steps] == ["replaced", "replaced", "used", "replaced", "replaced"]
    assert all(step.note for step in steps)
    assert SKLEARN in str(steps[-1])


@pytest.mark.parametrize(
    ("conda", "requirement", "action"),
    [
        ("numpy", "numpy", "used"),
        (f"scikit-learn={SKLEARN}", f"scikit-learn=={SKLEARN}.*", "used"),
        ("conda-forge::numpy>=1.26", "numpy>=1.26", "used"),
        ("scikit-learn=0.22=py37", "scikit-learn==0.22.*", "replaced"),
        ("scikit-learn>=900", "scikit-learn>=900", "installed"),
        ("numpy<1", "numpy<1", "installed"),
        ("no-such-package", "no-such-package", "installed"),
        ("python=3.6.2", "python==3.6.2.*", "replaced"),
    ],
)
def test_one_requirement(conda: str, requirement: str, action: str) -> None:
    (step,) = packages.plan(CondaDependencies.create(conda_packages=[conda]))
    assert (step.requirement, step.action) == (requirement, action)


@pytest.fixture
def metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a distribution of this name in front of this Python's own."""
    monkeypatch.syspath_prepend(tmp_path / "site")

    def add(name: str) -> None:
        folder = tmp_path / "site" / f"{name.replace('-', '_')}-0.9.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.9\n")

    return add


def test_the_package_of_the_guide_must_not_be_there_itself(metadata: Callable[[str], None]) -> None:
    metadata("encrypted-inference")
    with pytest.raises(SettingsError, match=r"must not have encrypted-inference.* pip uninstall encrypted-inference"):
        packages.plan(GUIDE)


def test_what_replaces_it_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python with Hermetic alone: everything that it imports, but none of its metadata."""
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(SettingsError, match=r"has not: .* pip install packages/encrypted-inference"):
        packages.plan(CondaDependencies.create(["Encrypted_Inference == 0.9"]))


def wheel(folder: Path, name: str, value: int) -> Path:
    """A wheel with one module."""
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", f"VALUE = {value}\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return path


def test_what_is_missing_is_installed_into_the_environment_alone(tmp_path: Path) -> None:
    missing = f"only_there @ {wheel(tmp_path, 'only_there', 42).as_uri()}"
    steps = packages.plan(CondaDependencies.create([missing, "numpy"]))
    python = packages.build(tmp_path / "environment", steps)
    code = "import only_there, numpy, hermetic, sys; print(only_there.VALUE, sys.prefix)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["42", str(tmp_path / "environment")]
    here = subprocess.run([sys.executable, "-c", "import only_there"], capture_output=True, check=False)
    assert here.returncode != 0


def test_what_pip_cannot_install_is_said_in_its_words(tmp_path: Path) -> None:
    steps = packages.plan(CondaDependencies.create([f"gone @ {(tmp_path / 'gone-1.0-py3-none-any.whl').as_uri()}"]))
    with pytest.raises(SettingsError, match="pip must be able to install gone"):
        packages.build(tmp_path / "environment", steps)
