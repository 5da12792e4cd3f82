"""One wheel, one model and one tokens file for all tests of a process."""

from pathlib import Path

import pytest
from rendering import build_wheel, new_tokens

from fitted import digits
from hermetic.deploy import Description


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    build_wheel(folder)
    (folder / "token").write_text(new_tokens(folder / "tokens"))
    digits().model.save(folder / "digits.hermetic")
    return folder


@pytest.fixture
def description(material: Path) -> Description:
    (wheel,) = material.glob("*.whl")
    return Description("digits", (material / "digits.hermetic",), wheel, tokens=material / "tokens")


@pytest.fixture(scope="session")
def token(material: Path) -> str:
    return (material / "token").read_text()
