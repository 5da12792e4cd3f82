"""What is loaded when a room is entered: no heavy library, and nothing of the other owner. One interpreter a room."""

import subprocess
import sys

import pytest

from test_import_order import DATA_OWNER, FENCED, MODEL_OWNER, MODULES, room_of

HEAVY = {*FENCED, "pandas", "scipy"}
"""What `import hermetic` must not load."""


def loaded_by(*modules: str) -> set[str]:
    """Every module that a fresh interpreter has loaded after importing these."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def rooms_loaded_with(room: str) -> set[str]:
    loaded = loaded_by(*(module for module in MODULES if room_of(module) == room))
    return {room_of(name) for name in loaded if name.startswith("hermetic.")}


def test_importing_hermetic_loads_nothing_heavy() -> None:
    assert not loaded_by("hermetic") & HEAVY


@pytest.mark.parametrize("room", sorted(DATA_OWNER))
def test_the_data_owner_never_loads_a_model(room: str) -> None:
    loaded = rooms_loaded_with(room)
    assert room in loaded
    assert not loaded & MODEL_OWNER


@pytest.mark.parametrize("room", sorted(MODEL_OWNER))
def test_the_model_owner_never_loads_a_secret_key(room: str) -> None:
    loaded = rooms_loaded_with(room)
    assert room in loaded
    assert not loaded & DATA_OWNER
