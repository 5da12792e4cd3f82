"""The README as a package index shows it. A link into this repository leads nowhere there: it gets the address of the
source in front, from `[project.urls]`, or becomes plain text while there is no public address;
so does a picture, which an index shows from addresses of files alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(!?)\[([^\]]+)\]\((?!https?:)([^)\s]+)\)")


def dynamic_metadata(settings: Mapping[str, Any], project: Mapping[str, Any]) -> dict[str, Any]:
    """What the build backend asks for: the field ``readme``, from the file that ``input`` names."""
    readme = Path(settings["input"])
    source = project.get("urls", {}).get("Source")

    def public(link: re.Match[str]) -> str:
        picture, shown, target = link.groups()
        page = readme.name if target.startswith("#") else ""
        return f"[{shown}]({source}/blob/main/{page}{target})" if source and not picture else shown

    described = _LINK.sub(public, readme.read_text(encoding="utf-8"))
    return {"readme": {"content-type": "text/markdown", "text": described}}
