"""The tests beside this one, run again: on every CPU target that this machine has, and under sanitizers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hermetic.rlwe import native

HERE = Path(__file__).parent
SOURCES = Path(native.__file__).parent
EVERY_TARGET = ("x86_64_v4", "x86_64_v3", "x86_64", "generic")
TESTS = [str(path) for path in sorted(HERE.glob("test_*.py")) if path.name != Path(__file__).name]

RUN = """
import sys
import hypothesis, pytest
hypothesis.settings.register_profile("few", deadline=None, max_examples=10)
sys.exit(pytest.main(["-q", "-s", "-p", "no:cacheprovider", "--hypothesis-profile=few", *sys.argv[1:]]))
"""

LOAD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("hermetic.rlwe.native._native", {module!r})
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[spec.name])
"""


def run(code: str, **environment: str) -> None:
    """The other tests in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *TESTS],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=1120,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert " passed" in done.stdout


def library(name: str) -> str:
    command = ["c++", f"-print-file-name={name}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("target", native.targets()[1:])
def test_every_target_gives_the_same_words(target: str) -> None:
    run(RUN, HERMETIC_NATIVE_TARGET=target)


def test_nothing_is_read_or_written_out_of_bounds(tmp_path: Path) -> None:
    """A build with the address and undefined-behaviour sanitizers; either ends the process when it finds something."""
    tools = Path(sys.executable).parent
    options = ["-DHERMETIC_SANITIZE=ON", f"-DPython_EXECUTABLE={sys.executable}"]
    ninja = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}"]
    for arguments in (["-S", str(SOURCES), "-B", str(tmp_path), *ninja, *options], ["--build", str(tmp_path)]):
        subprocess.run([str(tools / "cmake"), *arguments], check=True, capture_output=True, timeout=1120)
    (module,) = tmp_path.glob("_native*.so")
    # Python never gives everything back when it ends. The C++ library must be there before the sanitizer looks for it.
    preload = f"{library('libasan.so')} {library('libstdc++.so')}"
    run(LOAD.format(module=str(module)) + RUN, LD_PRELOAD=preload, ASAN_OPTIONS="detect_leaks=0")


def loaded_for(target: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from hermetic.rlwe import native; print(native.target)"]
    return subprocess.run(
        command, env={**os.environ, "HERMETIC_NATIVE_TARGET": target}, capture_output=True, text=True, check=False
    )


def test_the_best_target_is_taken_and_others_on_request() -> None:
    assert native.target == (os.environ.get("HERMETIC_NATIVE_TARGET") or native.targets()[0])
    for target in native.targets():
        assert loaded_for(target).stdout.strip() == target
    assert loaded_for("").stdout.strip() == native.targets()[0]


@pytest.mark.parametrize("target", sorted({"z80", "x86_64_v", *EVERY_TARGET} - set(native.targets())))
def test_a_target_that_is_not_there_is_named(target: str) -> None:
    found = loaded_for(target)
    assert found.returncode != 0
    assert f"HERMETIC_NATIVE_TARGET must be one that this CPU has: {', '.join(native.targets())}. " in found.stderr
    assert f"Got {target} instead" in found.stderr
