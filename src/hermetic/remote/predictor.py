"""What the blocking and the asynchronous model share: what is known once they are connected."""

from __future__ import annotations

from typing import NoReturn

import numpy.typing as npt

from ..arrays import Reals
from ..client import Client
from ..errors import InputError, RemoteError
from ..keys.public import PublicKey
from ..keys.secret import SecretKey
from ..signature import Signature
from .metrics import accuracy, r2
from .session import Session
from .settings import Settings


class Predictor:
    """A model at a service, with a connection that clones may share."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def settings(self) -> Settings:
        """The options of the connection."""
        return self._session.settings

    @property
    def client(self) -> Client:
        """What encrypts and decrypts; it turns scores into labels and probabilities without asking again."""
        if self._session.client is None:
            raise RemoteError(f"{self!r} must be connected first. Await it, or use it with `async with`.")
        return self._session.client

    @property
    def signature(self) -> Signature:
        """The model's public signature."""
        return self.client.signature

    @property
    def public_key(self) -> PublicKey:
        """The public key that the service has, or gets with the first query."""
        return self.client.public_key

    @property
    def secret_key(self) -> SecretKey:
        """The secret key, for :meth:`SecretKey.save`. It is never sent anywhere.

        After a :class:`DecryptionError` it is another one, unless it was passed to ``connect``: the answer was forged,
        and a service that learns which forgeries are noticed learns about the key.
        """
        return self.client.secret_key

    def __repr__(self) -> str:
        settings = self.settings
        version = "" if settings.version is None else f", version={settings.version!r}"
        token = "" if settings.token is None else ", token=<hidden>"
        return f"{type(self).__name__}({settings.url!r}, model={settings.model!r}{version}{token})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} cannot be pickled or copied: it holds a secret key. Use threads instead of "
            "processes (n_jobs=1, or joblib's threading backend), or connect in every process."
        )

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__reduce__()


def score_of(client: Client, scores: Reals, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> float:
    """The estimator's ``score`` from scores: accuracy of a classifier, R^2 of a regression.

    Raises
    ------
    InputError
        If it is a transformer, or y does not fit.
    """
    if "predict" not in client.signature.methods:
        raise InputError(f"score must come from a model that predicts. {client.signature.name!r} transforms.")
    metric = r2 if client.signature.labels is None else accuracy
    return metric(y, client.scores_to_labels(scores), sample_weight)
