"""The asynchronous twin of :class:`~hermetic.remote.RemoteModel`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..client import Client
from ..errors import SignatureChangedError, TooLargeError
from .answers import Answers
from .async_driver import AsyncDriver
from .batches import Batches
from .predictor import Predictor, score_of
from .progress import reporting
from .session import Session


class AsyncRemoteModel(Predictor):
    """A model at a service, for asyncio. Made by :func:`hermetic.aconnect`; await it, or use it with ``async with``.

    The methods that ask the service are those of :class:`~hermetic.remote.RemoteModel`, with the same arguments,
    answers and errors, and are awaited. All are there for every model. What makes that class an estimator of
    scikit-learn is not here: ``fit``, ``get_params`` and ``set_params``, ``classes_`` and such; the signature has the
    same facts.

    Checking, encryption and decryption run in threads, so that the event loop stays free. Any number of calls may run
    at the same time.
    """

    def __init__(self, session: Session, driver: AsyncDriver) -> None:
        super().__init__(session)
        self._driver = driver

    async def connect(self) -> Self:
        """Fetch the model's signature and make keys, if that is still to be done."""
        await self._driver.connect(self._session)
        return self

    async def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The estimator's ``predict``: labels (n,) of a classifier, values (n,) or (n, k) of a regression."""
        client, scores = await self._scores(X)
        return client.scores_to_labels(scores)

    async def decision_function(self, X: npt.ArrayLike) -> Reals:
        """The scores (n,) or (n, k); what a regression predicts."""
        client, scores = await self._scores(X)
        return client.scores_to_response(scores)

    async def transform(self, X: npt.ArrayLike) -> Reals:
        """The new features (n, k) of a transformer; the scores of other models, before any link."""
        return (await self._scores(X))[1]

    async def predict_joint_log_proba(self, X: npt.ArrayLike) -> Reals:
        """The estimator's ``predict_joint_log_proba``: (n, classes); the scores of other models than naive Bayes."""
        return (await self._scores(X))[1]

    async def raw_scores(self, X: npt.ArrayLike) -> Reals:
        """The decrypted scores before any link, of every model, as :meth:`hermetic.Client.decrypt` gives them."""
        return (await self._scores(X))[1]

    async def predict_proba(self, X: npt.ArrayLike) -> Reals:
        """The estimator's ``predict_proba``: (n, classes). Raises InputError if it has none."""
        client, scores = await self._scores(X)
        return client.scores_to_probabilities(scores)

    async def top(self, X: npt.ArrayLike, count: int) -> tuple[Reals, npt.NDArray[np.intp]]:
        """The ``count`` largest scores of every sample and the numbers of their outputs, as :meth:`hermetic.Client.top`
        gives them: the nearest vectors of a NearestNeighbors.
        """
        client, scores = await self._scores(X)
        return client.scores_to_top(scores, count)

    async def score(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Accuracy of a classifier, R^2 of a regression, on (weighted) samples whose true y is known."""
        client, scores = await self._scores(X)
        return score_of(client, scores, y, sample_weight)

    async def close(self) -> None:
        """Close the connection."""
        await self._driver.close()

    def __await__(self) -> Generator[Any, Any, Self]:
        return self.connect().__await__()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _scores(self, X: Any) -> tuple[Client, Reals]:
        """The client that decrypted them, and the scores."""
        session, attempt = self._session, 0
        while True:
            client = await self._driver.prepare(session)
            batches = await self._driver.run(session.plan(client, X))
            try:
                return client, await self._ask(session, client, batches)
            except (SignatureChangedError, TooLargeError) as error:
                session.recover(error, batches, attempt)
            attempt += 1

    async def _ask(self, session: Session, client: Client, batches: Batches) -> Reals:
        with Answers() as answers:
            with reporting(session.settings.progress, batches) as report:
                async with aclosing(self._driver.answers(session, client, batches)) as arriving:
                    async for answer in arriving:
                        answers.add(answer)
                        report(len(answers))
            return await self._driver.run(session.read(client, answers))
