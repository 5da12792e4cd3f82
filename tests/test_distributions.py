"""What is published, sdist and wheels: each built as a release is, and used in an environment that was empty before.

The index is asked for what they need, as a user's pip does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import hermetic

ROOT = Path(__file__).parent.parent
LONGEST = 900
pytestmark = pytest.mark.timeout(2 * LONGEST)

SDIST = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
EXAMPLE = re.compile(r"```python\n(.*?)```\s+```text output\n(.*?)```", re.DOTALL)
RELATIVE_LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)[^)]*\)")


def run(*command: str | Path, cwd: Path) -> str:
    """What it prints. It sees no other folder of packages than its environment's."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=LONGEST,
        stdin=subprocess.DEVNULL, env=variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def empty_environment(folder: Path) -> Path:
    """An environment with nothing in it; gives its Python."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    return folder / "bin" / "python"


def pip(*arguments: str | Path, cwd: Path) -> None:
    run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    folder = tmp_path_factory.mktemp("source")
    run(sys.executable, "-c", SDIST, folder, cwd=ROOT)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def archive_of(source: Path) -> Path:
    return source.with_name(f"{source.name}.tar.gz")


@pytest.fixture(scope="module")
def wheels(source: Path) -> dict[str, Path]:
    """Both wheels by the names of their distributions, built from the sdist with what the index has to build them."""
    folder = source.parent / "wheels"
    both = (archive_of(source), source / "packages" / "encrypted-inference")
    pip("wheel", "--no-deps", "--wheel-dir", folder, *both, cwd=source)
    return {metadata(wheel)["Name"]: wheel for wheel in folder.iterdir()}


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def example(described: str) -> tuple[str, str]:
    """The first Python block of the README, and what it prints."""
    found = EXAMPLE.search(described)
    assert found and "hermetic.compile(" in found[1]
    return found[1], found[2]


@pytest.fixture(scope="module")
def installed(wheels: dict[str, Path]) -> Path:
    """An environment with both wheels, and what they need of the index."""
    folder = wheels["hermetic"].parent.parent
    python = empty_environment(folder / "environment")
    both = (f"{wheels['hermetic']}[sklearn]", wheels["hermetic-encrypted-inference"])
    pip("--python", python, "install", "--only-binary", ":all:", *both, cwd=folder)
    return python


def test_the_wheel_runs_the_readmes_example(wheels: dict[str, Path], installed: Path, tmp_path: Path) -> None:
    code, output = example(str(metadata(wheels["hermetic"]).get_payload()))
    assert run(installed, "-I", "-c", code, cwd=tmp_path) == output


def test_the_sdist_runs_the_readmes_example(source: Path, tmp_path: Path) -> None:
    """pip compiles it, in an environment of its own with what the index has for that."""
    python = empty_environment(tmp_path / "environment")
    pip("--python", python, "install", f"{archive_of(source)}[sklearn]", cwd=tmp_path)
    code, output = example((source / "README.md").read_text(encoding="utf-8"))
    assert run(python, "-I", "-c", code, cwd=tmp_path) == output


def test_both_have_the_version_of_the_source(wheels: dict[str, Path], installed: Path, tmp_path: Path) -> None:
    assert {metadata(wheel)["Version"] for wheel in wheels.values()} == {hermetic.__version__}
    needs = metadata(wheels["hermetic-encrypted-inference"]).get_all("Requires-Dist")
    assert needs == [f"hermetic=={hermetic.__version__}"]
    told = "import hermetic, importlib.metadata as m; print(hermetic.__version__, m.version('hermetic'))"
    assert run(installed, "-I", "-c", told, cwd=tmp_path).split() == [hermetic.__version__] * 2


def test_the_guides_names_work_and_end_where_0_9_is_installed(installed: Path, tmp_path: Path) -> None:
    code = "from encrypted.inference.eiclient import EILinearRegressionClient as C; print(len(C().encrypt([1.0, 2.0])))"
    assert run(installed, "-I", "-c", code, cwd=tmp_path) == "1\n"
    pip("--python", installed, "install", "--no-deps", "encrypted-inference==0.9", cwd=tmp_path)
    done = subprocess.run([str(installed), "-I", "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: encrypted.inference must be that of one distribution" in done.stderr
    pip("--python", installed, "uninstall", "--yes", "encrypted-inference", cwd=tmp_path)
    assert run(installed, "-I", "-c", code, cwd=tmp_path) == "1\n"


def test_the_wheel_holds_hermetic_and_nothing_else(wheels: dict[str, Path]) -> None:
    names = zipfile.ZipFile(wheels["hermetic"]).namelist()
    assert {name.split("/")[0] for name in names} == {"hermetic", f"hermetic-{hermetic.__version__}.dist-info"}
    assert len([name for name in names if name.endswith(".so")]) == 1
    assert not [name for name in names if name.endswith(("pp", "CMakeLists.txt"))]
    assert any(name.endswith("LICENSE") for name in zipfile.ZipFile(wheels["hermetic-encrypted-inference"]).namelist())


def test_what_a_package_index_shows_has_no_link_that_leads_nowhere(wheels: dict[str, Path]) -> None:
    assert RELATIVE_LINK.search((ROOT / "README.md").read_text(encoding="utf-8"))
    for wheel in wheels.values():
        shown = str(metadata(wheel).get_payload())
        assert len(shown) > 300
        assert not re.findall(r"\]\((?!https?://)[^)]*\)", shown)


def test_with_a_public_address_links_lead_to_the_source(tmp_path: Path) -> None:
    """[project.urls] is read when it is there."""
    readme = tmp_path / "README.md"
    readme.write_text("[a](docs/a.md#b) [c](https://c.example) [d\n e](#d) x[1](2)")
    code = (
        "import description; "
        f"print(description.dynamic_metadata({{'input': {str(readme)!r}}}, "
        "{'urls': {'Source': 'https://s.example/h'}})['readme']['text'])"
    )
    shown = run(sys.executable, "-c", code, cwd=ROOT / "packages")
    source = "https://s.example/h/blob/main"
    assert shown.startswith(f"[a]({source}/docs/a.md#b) [c](https://c.example) [d\n e]({source}/README.md#d)")


def test_the_sdist_has_what_its_pages_name(source: Path) -> None:
    pages = [source / "README.md", *source.glob("*.md"), *source.glob("docs/**/*.md"), *source.glob("browser/*.md")]
    for page in pages:
        for target in RELATIVE_LINK.findall(page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(source)} names {target}"
    for name in ("Makefile", "requirements.lock", "demo.lock", ".ci/run", "tests/vectors/version-1"):
        assert (source / name).exists()


def test_the_sdist_has_nothing_that_was_built(source: Path) -> None:
    assert not [*source.rglob("*.so"), *source.rglob("node_modules"), *source.rglob(".venv*")]


def test_a_client_of_a_service_needs_no_terminal_library() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {Requirement(one).name for one in extras["remote"]} == {"httpx"}


def test_what_the_demo_needs_is_locked_as_everything_is() -> None:
    """Written by make lock."""
    pins = {one: locked(ROOT / one) for one in ("requirements.lock", "demo.lock")}
    assert pins["demo.lock"].items() <= pins["requirements.lock"].items()
    assert len(pins["demo.lock"]) < len(pins["requirements.lock"]) / 3


def locked(lock: Path) -> dict[str, frozenset[str]]:
    """Name and version -> hashes."""
    pins = re.finditer(r"^(\S+==\S+)(.*?)(?=^\S|\Z)", lock.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return {pin[1]: frozenset(re.findall(r"--hash=\S+", pin[2])) for pin in pins}


def test_extras_are_added_to_the_hermetic_that_is_there(installed: Path, tmp_path: Path) -> None:
    """What messages say, `pip install 'hermetic[…]'`, asks no index for Hermetic where it is installed."""
    pip("--python", installed, "install", "--no-index", "--dry-run", "hermetic[sklearn]", cwd=tmp_path)
