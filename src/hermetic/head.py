"""What a model's scores mean, and what anybody may make of them. Public, and the same for every circuit.

``scores -> response -> labels``: the response is what the estimator's method gives, and labels are chosen from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import links
from .arrays import Reals

Labels = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Head:
    """How scores are read. Arrays of them have shape (..., k), or (...) where ``squeeze`` drops the axis of one output.

    Attributes
    ----------
    method
        The estimator's method that decrypted scores give, one of :data:`hermetic.links.HEADS`. They equal it, or its
        argument to the link.
    link
        The public function of scores that makes probabilities of them, or (``exp``, ``expm1``, ``one_vs_one``,
        ``votes``, ``mean_logistic``, ``mean_softmax``) what the method gives, or (``pairs``, ``multilabel``) labels;
        ``None`` when the estimator has none.
    labels
        The classes, any dtype; ``None`` for a regression.
    squeeze
        Whether one output is returned as shape (n,) instead of (n, 1).
    """

    method: str
    link: str | None = None
    labels: Labels | None = None
    squeeze: bool = False

    @property
    def classes(self) -> int:
        """The number of labels."""
        return 0 if self.labels is None else len(self.labels)

    @property
    def methods(self) -> tuple[str, ...]:
        """The estimator's methods that clients have: ``method`` itself, ``predict`` but of a transformer, and
        ``predict_proba`` where the link gives probabilities.
        """
        found = [self.method]
        found += [] if self.method == "transform" else ["predict"]
        found += ["predict_proba"] if self.has_probabilities else []
        return tuple(dict.fromkeys(found))

    @property
    def has_probabilities(self) -> bool:
        """Whether the link gives probabilities."""
        return links.has_probabilities(self.link)

    @property
    def is_multilabel(self) -> bool:
        """Whether each score chooses one of two labels."""
        return links.is_multilabel(self.link)

    def shaped(self, columns: Reals) -> Reals:
        """Scores from columns (..., k)."""
        return columns[..., 0] if self.squeeze else columns

    def columns(self, scores: Reals) -> Reals:
        """Columns (..., k) from scores."""
        return scores[..., None] if self.squeeze else scores

    def respond(self, scores: Reals) -> Reals:
        """What the estimator's ``method`` gives: the scores themselves, unless the link makes it of them."""
        return links.respond(self.method, self.link, scores, self.classes)

    def response_error(self, scores: Reals, error: float) -> Reals:
        """How far each response may move when every score moves by at most ``error``."""
        return links.response_error(self.method, self.link, scores, self.classes, error)

    def probabilities(self, scores: Reals) -> Reals:
        """The estimator's ``predict_proba`` (..., classes), by a link that gives one."""
        return links.probabilities(str(self.link), scores, self.classes)

    def predict(self, scores: Reals) -> npt.NDArray[Any]:
        """The estimator's ``predict``, or the ``transform`` of a transformer: labels, or the response where there are
        none.
        """
        response = self.respond(scores)
        return response if self.labels is None else self.choose(response, self.labels)

    def choose(self, response: Reals, labels: Labels) -> Labels:
        """The label of every sample, from what the method gives. One score of two classes chooses by its sign."""
        binary = self.method != "predict_proba" and (self.squeeze or response.shape[-1] == 1)
        chosen = response[..., 0] if binary and not self.squeeze else response
        return links.choose_labels(self.link, chosen, labels, binary=binary)

    def certain(self, scores: Reals, error: float) -> npt.NDArray[np.bool_]:
        """Which labels stay the same when every score moves by at most ``error``, where they are chosen by signs or by
        the largest score.
        """
        columns = self.columns(scores)
        if self.is_multilabel or columns.shape[-1] == 1:
            return np.asarray(np.abs(scores) > error)
        largest = np.sort(columns, axis=-1)
        return np.asarray(largest[..., -1] - largest[..., -2] > 2 * error)
