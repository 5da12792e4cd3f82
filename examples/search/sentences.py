"""Real sentences without a download: the documentation in the source of whatever Python packages are installed."""

from __future__ import annotations

import re
import site
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_DOCUMENTATION = re.compile(r'"""(.+?)"""', re.DOTALL)
_SENTENCE = re.compile(r"[A-Z][a-z]+ [^.!?:;<>{}\[\]|=_`\\]{30,200}\.")


def sentences(count: int) -> list[str]:
    """At most ``count`` different English sentences, package by package in the order of their names."""
    found: dict[str, None] = {}
    for text in _documentation():
        for sentence in _SENTENCE.findall(" ".join(text.split())):
            found.setdefault(sentence)
        if len(found) >= count:
            break
    return list(found)[:count]


def _documentation() -> Iterator[str]:
    for folder in (*site.getsitepackages(), sysconfig.get_path("stdlib")):
        for path in sorted(Path(folder).rglob("*.py")):
            yield from _DOCUMENTATION.findall(path.read_text(encoding="utf-8", errors="ignore"))
