"""Build the site of the documentation, strictly: ``make docs``, or ``.venv-docs/bin/python docs/make_site.py``.

The pages are the repository's own Markdown, at the same paths, so that links need no rewriting: all that README.md
leads to, page by page, and the pictures and scripts that those show. Links that lead nowhere end the build.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build" / "docs"
CONFIGURATION = ROOT / "docs" / "site" / "zensical.toml"
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s#]+)[^)\s]*\)")
# GitHub takes the first word behind a fence for the language; the tests read the others.
_INFO = re.compile(r"^```(\w+) [^`\n]+$", re.MULTILINE)


def reachable(start: Path) -> set[Path]:
    """Every file of the repository that a page leads to, that page included."""
    found, waiting = {start}, [start]
    while waiting:
        page = waiting.pop()
        new = {ROOT / link for link in links(page)} - found if page.suffix == ".md" else set()
        found |= new
        waiting += sorted(new)
    return found


def links(page: Path) -> set[Path]:
    """The files that a page links to, by their paths in the repository."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = {(page.parent / target).resolve() for target in _LINK.findall(text) if not re.match(r"[a-z]+:", target)}
    return {target.relative_to(ROOT) for target in targets if target.is_file()}


def copy(source: Path, target: Path) -> None:
    """One file, at its own path; pages with fences as the site's Markdown knows them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".md":
        target.write_text(_INFO.sub(r"```\1", source.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        shutil.copyfile(source, target)


def main(built: Path) -> int:
    """Copy the pages to `built`/pages, and build `built`/site. Gives what zensical exits with."""
    shutil.rmtree(built, ignore_errors=True)
    for source in sorted(reachable(ROOT / "README.md")):
        copy(source, built / "pages" / source.relative_to(ROOT))
    configuration = shutil.copy(CONFIGURATION, built)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", configuration]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else BUILT))
