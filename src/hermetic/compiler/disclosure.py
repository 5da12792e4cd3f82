"""What compiling a model makes public, and that nothing learned from data becomes so without a word."""

from __future__ import annotations

import logging
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..arguments import shown
from ..errors import CompileError

_LOG = logging.getLogger("hermetic")


@dataclass(frozen=True)
class Disclosure:
    """Something of a model that becomes public.

    Attributes
    ----------
    step
        Whose it is: the name of a pipeline's step, or the class of an estimator in lower case.
    what
        In words, for the person who decides: "40 bin edges".
    learned
        Whether it was learned from data: such is published only on request.
    kind
        The class of the step, in lower case; empty where that is its name.
    word
        What must be named beside the step, where its name does not say enough.
    """

    step: str
    what: str
    learned: bool
    kind: str = ""
    word: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What must be said for it to become public."""
        return (self.step, self.word) if self.word else (self.step,)

    def named_by(self, names: Sequence[str]) -> bool:
        """Whether one of the names is the step's or its class's, in upper or lower case, and one is the word."""
        said = {one.lower() for one in names}
        return bool(said & self._of_step) and (not self.word or self.word in said)

    def knows(self, name: str) -> bool:
        """Whether a name is one of its own."""
        return name.lower() in {*self._of_step, self.word}

    @property
    def _of_step(self) -> set[str]:
        return {self.step.lower(), self.kind or self.step.lower()}

    def __str__(self) -> str:
        kind = f" ({self.kind})" if self.kind not in ("", self.step) else ""
        return f"{self.what} of {self.step!r}{kind}"


def _names_said(allowed: Any, names: Sequence[str]) -> tuple[str, ...]:
    """The names that the caller gives. Raises :class:`CompileError` for anything but some names."""
    try:
        said = (allowed,) if isinstance(allowed, str | bytes) else tuple(allowed)
    except TypeError:
        said = (allowed,)
    if isinstance(allowed, str) or not all(isinstance(one, str) for one in said):
        way = (
            f"pass public={list(names)!r}, if that is right"
            if names
            else "leave it out, nothing learned becomes public"
        )
        raise CompileError(
            "public must be a list of the names of steps whose learned parameters may become public. Got "
            f"{shown(allowed)} instead: {way}."
        )
    return said


def check_disclosed(publications: Iterable[Disclosure], allowed: Sequence[str]) -> None:
    """Log what becomes public.

    Raises
    ------
    CompileError
        If something learned from data would, and ``allowed`` does not name its step, or is no list of names; the
        message lists all.
    """
    counted = Counter(publications)
    found = list(counted)
    learned = [one for one in found if one.learned]
    names = list(dict.fromkeys(name for one in learned for name in one.names))
    said = _names_said(allowed, names)
    refused = [one for one in learned if not one.named_by(said)]
    if refused:
        listed = "; ".join(f"{one}{f' ({counted[one]} times)' if counted[one] > 1 else ''}" for one in refused)
        unknown = [one for one in said if not any(each.knows(one) for each in found)]
        none = f" Nothing of it is called {', '.join(map(repr, unknown))}." if unknown else ""
        raise CompileError(
            "what was learned from data must stay private, unless you say that it may become public. Clients compute "
            f"non-linear steps themselves, so everyone with the signature would see: {listed}.{none} Pass "
            f"public={names!r}, or {' '.join(f'--public {shlex.quote(one)}' for one in names)} on the command line, if "
            "that is right; else leave these steps out."
        )
    for one in found:
        _LOG.info("public: %s (%s)", one, "learned from data" if one.learned else "not learned")
