"""What compiling a model makes public, and that nothing learned from data becomes so without a word."""

from __future__ import annotations

import logging
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import CompileError

_LOG = logging.getLogger("hermetic")


@dataclass(frozen=True)
class Publication:
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

    def named_by(self, names: Sequence[str]) -> bool:
        """Whether one of the names is the step's or its class's, in upper or lower case, and one is the word."""
        said = {one.lower() for one in names}
        return bool(said & {self.step.lower(), self.kind or self.step.lower()}) and (not self.word or self.word in said)

    def __str__(self) -> str:
        kind = f" ({self.kind})" if self.kind not in ("", self.step) else ""
        return f"{self.what} of {self.step!r}{kind}"


def check_published(publications: Iterable[Publication], allowed: Sequence[str]) -> None:
    """Log what becomes public.

    Raises
    ------
    CompileError
        If something learned from data would, and ``allowed`` does not name its step; the message lists all.
    """
    counted = Counter(publications)
    found = list(counted)
    refused = [one for one in found if one.learned and not one.named_by(allowed)]
    if refused:
        listed = "; ".join(f"{one}{f' ({counted[one]} times)' if counted[one] > 1 else ''}" for one in refused)
        words = [name for one in refused for name in (one.step, one.word) if name]
        names = list(dict.fromkeys([*allowed, *words]))
        raise CompileError(
            "what was learned from data must stay private, unless you say that it may become public. Clients compute "
            f"non-linear steps themselves, so everyone with the signature would see: {listed}. Pass public={names!r}, "
            f"or {' '.join(f'--public {shlex.quote(one)}' for one in names)} on the command line, if that is right; "
            "else leave these steps out."
        )
    for one in found:
        _LOG.info("public: %s (%s)", one, "learned from data" if one.learned else "not learned")
