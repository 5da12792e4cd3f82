"""A model at a service, as a fitted scikit-learn estimator. scikit-learn itself is not needed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from types import MethodType, TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..client import Client
from ..errors import InputError, SettingsError, SignatureChangedError, TooLargeError
from ..head import Labels
from ..signature import Signature
from .answers import Answers
from .batches import Batches
from .driver import Driver
from .predictor import Predictor, score_of
from .progress import reporting
from .session import Session, check

PARAMETERS = (
    "url",
    "model",
    "version",
    "features",
    "clip",
    "round_inputs",
    "accept_changes",
    "batch_size",
    "in_flight",
    "timeout",
    "retries",
    "progress",
    "allow_http",
)
"""What :meth:`RemoteModel.get_params` tells: every option but the token and the secret key."""


Method = Callable[["RemoteModel", npt.ArrayLike], npt.NDArray[Any]]


class _OnlyWhere:
    """A method that models have whose estimators have it: scikit-learn chooses methods by what is there."""

    def __init__(self, has: Callable[[Signature], bool], method: Method) -> None:
        self._has = has
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, model: RemoteModel | None, owner: type[RemoteModel]) -> Callable[..., npt.NDArray[Any]]:
        if model is None:
            return self._method
        if not self._has(model.signature):
            others = " or ".join(model.signature.methods)
            raise AttributeError(f"the estimator behind {model!r} has no {self._method.__name__}. Use {others}.")
        return MethodType(self._method, model)


def _where_it_has(method: Method) -> _OnlyWhere:
    return _OnlyWhere(lambda signature: method.__name__ in signature.methods, method)


class RemoteModel(Predictor):
    """A model at a service. Made by :func:`hermetic.connect`; thread-safe.

    It is a *fitted* estimator: it works as the last step of a ``Pipeline`` of fitted steps, in ``cross_val_score`` and
    wherever scikit-learn only predicts. ``fit`` checks its arguments and trains nothing. ``sklearn.base.clone`` gives
    another estimator on the same connection, with the same keys.

    Every method that takes X takes shape (n, d), any n, or (d,) for one sample; an array, also a memory-mapped one, a
    DataFrame, a sparse matrix or a list. Larger X go in several batches, some of them in flight at a time.

    Leaks to the service: the number of samples, when they are asked for, which public key asks, and whether the model
    is the one that was connected to. Not the samples, and not the answers.

    Attributes
    ----------
    signature
        The model's public signature; its ``error`` bounds the difference from the estimator.
    public_key, secret_key
        The keys of this connection. After a :class:`DecryptionError` they are new ones, unless the secret key was
        passed to ``connect``.
    client
        The :class:`hermetic.Client` that encrypts and decrypts.
    settings
        The options of the connection.

    Raises
    ------
    InputError
        From every method that takes X, before anything is sent, for the reasons of :meth:`hermetic.Client.encrypt`.
    RemoteError
        From every method that asks the service; the class says why.
    DecryptionError, MismatchError, WireError
        If an answer is damaged, or not the answer to what was asked.
    """

    def __init__(self, session: Session, driver: Driver) -> None:
        super().__init__(session)
        self._driver = driver

    def connect(self) -> Self:
        """Fetch the model's signature and make keys, if that is still to be done."""
        self._driver.connect(self._session)
        return self

    @_where_it_has
    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The estimator's ``predict``: labels (n,) of a classifier, values (n,) or (n, k) of a regression."""
        client, scores = self._scores(X)
        return client.scores_to_labels(scores)

    @_where_it_has
    def decision_function(self, X: npt.ArrayLike) -> Reals:
        """The estimator's ``decision_function``: scores (n,) or (n, k). An attribute of classifiers that have it."""
        client, scores = self._scores(X)
        return client.scores_to_response(scores)

    @_where_it_has
    def predict_joint_log_proba(self, X: npt.ArrayLike) -> Reals:
        """The estimator's ``predict_joint_log_proba``: (n, classes). An attribute of naive Bayes models alone."""
        return self._scores(X)[1]

    @_where_it_has
    def predict_proba(self, X: npt.ArrayLike) -> Reals:
        """The estimator's ``predict_proba``: (n, classes). An attribute of models with probabilities alone."""
        client, scores = self._scores(X)
        return client.scores_to_probabilities(scores)

    @_where_it_has
    def transform(self, X: npt.ArrayLike) -> Reals:
        """The estimator's ``transform``: new features (n, k). An attribute of transformers alone."""
        return self._scores(X)[1]

    def raw_scores(self, X: npt.ArrayLike) -> Reals:
        """The decrypted scores before any link, of every model, as :meth:`hermetic.Client.decrypt` gives them."""
        return self._scores(X)[1]

    def top(self, X: npt.ArrayLike, count: int) -> tuple[Reals, npt.NDArray[np.intp]]:
        """The ``count`` largest scores of every sample and the numbers of their outputs, as :meth:`hermetic.Client.top`
        gives them: the nearest vectors of a NearestNeighbors.
        """
        client, scores = self._scores(X)
        return client.scores_to_top(scores, count)

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Accuracy of a classifier, R^2 of a regression, on (weighted) samples whose true y is known.

        y stays here: the service sees encrypted samples, as ever.
        """
        client, scores = self._scores(X)
        return score_of(client, scores, y, sample_weight)

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None) -> Self:
        """Train nothing: check that X can be encrypted and y can be predicted. The service is asked nothing about them.

        Raises
        ------
        InputError
            If X is not valid input of the model, or y has another length or a label that the model does not know.
        """
        client = self.client
        batches = self._session.cut(self._session.inputs(client, X))
        check(client, batches)
        if y is not None:
            _check_targets(client, y, batches.samples)
        return self

    @property
    def classes_(self) -> Labels:
        """The labels (classes,). An attribute of classifiers alone."""
        labels = self.signature.labels
        if labels is None:
            raise AttributeError(f"{self!r} is a regression: it has no classes_.")
        return labels

    @property
    def n_features_in_(self) -> int:
        """The number of features, d."""
        return self.signature.inputs

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        """The column names (d,). An attribute of models that were fitted with names alone."""
        names = self.signature.feature_names
        if names is None:
            raise AttributeError(f"{self!r} was fitted without column names: it has no feature_names_in_.")
        return np.array(names, dtype=object)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The options of :func:`hermetic.connect` but the token and the keys, which no report should show."""
        return {name: getattr(self.settings, name) for name in PARAMETERS}

    def set_params(self, **params: Any) -> Self:
        """Change options. Keys are kept; another URL, model or version is connected to at the next use.

        Raises
        ------
        SettingsError
            If an option is unknown or has an impossible value.
        """
        unknown = sorted(set(params) - set(PARAMETERS))
        if unknown:
            raise SettingsError(f"parameters must be among {', '.join(PARAMETERS)}. Got {', '.join(unknown)} as well.")
        if params:
            self._session = self._session.with_settings(replace(self.settings, **params))
        return self

    def close(self) -> None:
        """Close the connection, for clones as well."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> RemoteModel:
        return RemoteModel(self._session, self._driver)

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn calls this, so it is there.
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags, TransformerTags

        kind, labels = self._estimator_type, self.signature.labels
        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(required=False, multi_output=labels is None and not self.signature.squeeze),
            transformer_tags=TransformerTags() if kind == "transformer" else None,
            classifier_tags=None if labels is None else ClassifierTags(multi_class=len(labels) > 2),
            regressor_tags=RegressorTags() if kind == "regressor" else None,
            input_tags=InputTags(sparse=True),
            requires_fit=False,
        )

    @property
    def _estimator_type(self) -> str:
        """What scikit-learn before 1.6 asks for instead of the tags."""
        if self.signature.method == "transform":
            return "transformer"
        return "regressor" if self.signature.labels is None else "classifier"

    @property
    def client(self) -> Client:
        """What encrypts and decrypts; it turns scores into labels and probabilities without asking again."""
        return self._session.client or self._driver.connect(self._session)

    def _scores(self, X: Any) -> tuple[Client, Reals]:
        """The client that decrypted them, and the scores."""
        session, attempt = self._session, 0
        while True:
            client = self._driver.prepare(session)
            batches = self._driver.run(session.plan(client, X))
            try:
                return client, self._ask(session, client, batches)
            except (SignatureChangedError, TooLargeError) as error:
                session.recover(error, batches, attempt)
            attempt += 1

    def _ask(self, session: Session, client: Client, batches: Batches) -> Reals:
        with Answers() as answers:
            with (
                reporting(session.settings.progress, batches) as report,
                closing(self._driver.answers(session, client, batches)) as arriving,
            ):
                for answer in arriving:
                    answers.add(answer)
                    report(len(answers))
            return self._driver.run(session.read(client, answers))


def _check_targets(client: Client, y: npt.ArrayLike, samples: int) -> None:
    targets, labels = np.asarray(y), client.signature.labels
    if len(np.atleast_1d(targets)) != samples:
        raise InputError(f"y must have {samples} values, one a sample. Got {len(np.atleast_1d(targets))} instead.")
    if labels is not None and not np.isin(targets, labels).all():
        raise InputError(
            f"y must hold labels of the model alone: {labels.tolist()[:10]}. Got others as well: a remote model is "
            "fitted already, and learns no new ones."
        )
