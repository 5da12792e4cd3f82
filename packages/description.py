"""The README as a package index shows it. A link into this repository leads nowhere there: it gets the address of the
source in front, from `[project.urls]`, or becomes plain text while there is no public address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)\s]+)\)")


def dynamic_metadata(settings: Mapping[str, Any], project: Mapping[str, Any]) -> dict[str, Any]:
    """What the build backend asks for: the field ``readme``, from the file that ``input`` names."""
    text = Path(settings["input"]).read_text(encoding="utf-8")
    source = project.get("urls", {}).get("Source")
    described = _LINK.sub(rf"[\1]({source}/blob/main/\2)" if source else r"\1", text)
    return {"readme": {"content-type": "text/markdown", "text": described}}
