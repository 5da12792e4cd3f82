"""The page of ``hermetic serve`` in a real Chromium: what `make browser` installs measures it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

BROWSER = Path(__file__).parents[1] / "browser"
_NODE = ("node", "--experimental-transform-types", "--no-warnings", "measure.ts")


def measure_browser(url: str, model: str, repeat: int) -> dict[str, Any]:
    """Medians in ms, and bytes, of the page at ``url`` with the image model it serves; see ``browser/measure.ts``."""
    tools = BROWSER / "node_modules" / ".bin"
    if not (tools / "node").exists():
        raise RuntimeError("the browser's packages must be installed. They are not: make browser.")
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    command = [*_NODE, url, model, str(repeat)]
    done = subprocess.run(command, cwd=BROWSER, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))
