"""The versions that requirements.lock pins."""

import re
from pathlib import Path

LOCK = Path(__file__).parent.parent / "requirements.lock"


def locked_version(name: str) -> str:
    found = re.search(rf"^{re.escape(name)}==([^ ]+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, f"{LOCK.name} must pin {name}"
    return found[1]
