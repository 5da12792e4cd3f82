"""Which files `make quick` runs: those that only compute."""

from pathlib import Path

import pytest

import quick
from quick import is_quick


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, True),
        ({"test_it.py": "import numpy"}, True),
        ({"test_it.py": "import subprocess"}, False),
        ({"test_it.py": "def test_a():\n    from hermetic.serve.app import create_app"}, False),
        ({"test_it.py": "from hermetic import serve, model"}, False),
        ({"test_it.py": "import hermetic.served_elsewhere"}, True),
        ({"test_it.py": "from helper import start", "../helper.py": "import subprocess"}, False),
        (
            {
                "test_it.py": "from helper import start",
                "helper.py": "from deeper import run",
                "deeper.py": "import nbclient",
            },
            False,
        ),
        ({"test_it.py": "from other.helper import start", "../other/helper.py": "import subprocess"}, False),
        ({"test_it.py": "import numpy", "conftest.py": "import subprocess"}, False),
        ({"test_it.py": "import numpy", "../conftest.py": "import hermetic.demo.mnist"}, False),
        ({"test_it.py": "import numpy", "../other/conftest.py": "import subprocess"}, True),
        ({"test_it.py": "import one", "one.py": "import test_it"}, True),
    ],
)
def test_what_a_file_reaches_decides(
    files: dict[str, str], expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "HERE", tmp_path)
    for name, text in {"test_it.py": "", **files}.items():
        path = tmp_path / "room" / name
        path.resolve().parent.mkdir(parents=True, exist_ok=True)
        path.resolve().write_text(text)
    assert is_quick(tmp_path / "room" / "test_it.py") is expected


def test_every_room_of_the_arithmetic_is_among_them() -> None:
    found = [path for path in quick.HERE.rglob("test_*.py") if ".venv" not in path.parts]
    rooms = {path.parent.name for path in found if is_quick(path)}
    assert {"linear", "rlwe", "native", "keys", "features", "compiler"} <= rooms
