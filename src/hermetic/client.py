"""The data owner's side: encrypt inputs, decrypt answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arguments import check_data, check_kind
from .arrays import Integers, Reals
from .circuits import client_half
from .circuits.encryption import Progress
from .circuits.query import MAX_SAMPLES, Query
from .circuits.result import Result
from .errors import InputError, MismatchError
from .features import Backbone, computed
from .keys.public import PublicKey
from .keys.secret import SecretKey
from .named_inputs import called, in_order
from .ranking import largest
from .real_values import as_reals, with_shape
from .signature import Signature

if TYPE_CHECKING:
    from .circuits.client_interface import ClientHalf


class Client:
    """Makes keys, encrypts samples and decrypts answers for one model.

    Parameters
    ----------
    signature
        The model's public signature.
    secret_key
        A key to use again, with the public key it has had from the start; by default a fresh one.
    clip
        Use the nearest value in range for inputs out of range, instead of refusing them.
    features
        The public function that computes the model's inputs from other things, where the signature names one: a
        ``backbone``, see :func:`hermetic.compile`. It is called with every X, a list or an array of them. Without it X
        are what it computes.
    round_inputs
        Round inputs to the grid where the model expects exact values, instead of refusing them. The guaranteed error
        then no longer covers the rounding.

    Attributes
    ----------
    public_key
        What the server needs once: it masks answers with it. Public.

    Raises
    ------
    MismatchError
        If the secret key has other parameters than the model, features are passed to a model that takes none, or an
        argument is of another kind.

    Notes
    -----
    Do not publish decrypted scores together with the ciphertexts they came from: exact decryptions of chosen
    ciphertexts help an attacker against the key (Li and Micciancio, EUROCRYPT 2021).
    """

    def __init__(
        self,
        signature: Signature,
        secret_key: SecretKey | None = None,
        *,
        features: Backbone | None = None,
        clip: bool = False,
        round_inputs: bool = False,
    ) -> None:
        check_kind(signature, Signature, "signature")
        check_kind(secret_key, (SecretKey, type(None)), "secret_key")
        self.signature = signature
        self.features = features
        check_backbone(signature, features)
        self.clip = clip
        self.round_inputs = round_inputs
        self._secret_key = secret_key or SecretKey(signature.parameters)
        if self._secret_key.parameters != signature.parameters:
            raise MismatchError(
                f"the secret key must use the parameters {signature.parameters.profile!r} of model "
                f"{signature.name!r}. Got {self._secret_key.parameters.profile!r} instead."
            )
        self.public_key: PublicKey = self._secret_key.public_key_for(signature.circuit.key_shape)
        self._half: ClientHalf = client_half(signature.circuit.kind)(signature, self._secret_key)

    @property
    def secret_key(self) -> SecretKey:
        """The secret key, for :meth:`SecretKey.save`."""
        return self._secret_key

    def encrypt(self, X: npt.ArrayLike, *, progress: Progress | None = None) -> Query:
        """Encrypt samples.

        Parameters
        ----------
        X
            Shape (inputs,) for one sample or (n, inputs) for any number of them; an array, a DataFrame, a Series, a
            mapping of names, a list or a sparse matrix, with texts where the model has categories. ``signature.inputs``
            is d where it has no feature map. Where both X and ``signature.feature_names`` have names, they decide: any
            order will do, and values that the model does not use are left out, which the log says once.
        progress
            Called with (done, total) ciphertexts.

        Returns
        -------
        Query
            Fresh ciphertexts: encrypting the same input twice gives different bytes.

        Raises
        ------
        InputError
            For a wrong shape or dtype, or a column of the model that is not there; NaN or infinity where they have no
            meaning; categories that are not known, or values that the signature's grid does not hold.
        """
        integers, vector = self.quantize(X)
        return self._half.encrypt(integers, vector=vector, progress=progress)

    def quantize(self, X: npt.ArrayLike) -> tuple[Integers, bool]:
        """The integers (n, d) that :meth:`encrypt` encrypts, and whether X was one sample; features of the signature's
        feature map are computed first.
        """
        features, names = self.signature.feature_map, self.signature.feature_names
        if self.features is None:
            check_data(X, "inputs")
            X = in_order(X, names)
        else:
            X = computed(self.features, X, self.signature.inputs)
        values = as_reals(X, names).astype(np.float64) if features is None else with_shape(X)
        rows, vector = _samples(values, self.signature)
        reals = rows if features is None else features.apply(rows, names)
        name = called(names) if features is None else partial(features.name_of, names=names)
        integers = self.signature.grid.quantize(reals, clip=self.clip, round_inputs=self.round_inputs, name=name)
        return integers, vector

    def decrypt(self, result: Result) -> Reals:
        """Scores: what the estimator's ``signature.method`` would give, mostly ``decision_function`` or ``predict``.

        Where a response is made of them by the link, :meth:`scores_to_response` makes it.

        Returns
        -------
        Reals
            Shape as the estimator's own for the encrypted X; without the first axis if X was one sample (d,). Each
            within ``signature.error`` of the estimator's.

        Raises
        ------
        MismatchError
            If the result answers another key or another model, or is none.
        DecryptionError
            If it does not decrypt within the noise bound.
        """
        scores = self.signature.head.shaped(self._half.decrypt(result))
        return scores[0] if result.batch.vector else scores

    def decrypt_integers(self, result: Result) -> Integers:
        """The integer results (n, k·limbs), equal bit for bit to the integer reference. Raises as :meth:`decrypt`."""
        return self._half.decrypt_integers(result)

    def top(self, result: Result, count: int) -> tuple[Reals, npt.NDArray[np.intp]]:
        """Decrypt, and give the largest scores of every sample and the numbers of their outputs, largest first: the
        nearest vectors of a compiled NearestNeighbors.

        Returns
        -------
        scores, places
            Shape (count,) or (n, count). Scores that are within twice ``signature.error`` of each other may change
            places.

        Raises
        ------
        InputError
            If the model has fewer outputs.
        """
        return self.scores_to_top(self.decrypt(result), count)

    def scores_to_top(self, scores: Reals, count: int) -> tuple[Reals, npt.NDArray[np.intp]]:
        """The largest scores of every sample and the numbers of their outputs, see :meth:`top`."""
        check_data(scores, "scores")
        return largest(self.signature.head.columns(scores), count)

    def scores_to_response(self, scores: Reals) -> Reals:
        """What the estimator's ``signature.method`` gives, from scores: the scores themselves, unless the public link
        makes a regressor's prediction, the votes of pairs, or mean probabilities of them.
        """
        check_data(scores, "scores")
        return self.signature.head.respond(scores)

    def scores_to_labels(self, scores: Reals) -> npt.NDArray[Any]:
        """The estimator's ``predict`` from scores: labels of a classifier, values of a regressor; the ``transform`` of
        a transformer.
        """
        check_data(scores, "scores")
        return self.signature.head.predict(scores)

    def scores_to_probabilities(self, scores: Reals) -> Reals:
        """The estimator's ``predict_proba`` from scores, by its public link: (n, classes).

        Raises
        ------
        InputError
            If the estimator has no ``predict_proba``.
        """
        check_data(scores, "scores")
        if not self.signature.head.has_probabilities:
            raise InputError(
                f"predict_proba must come from a model with probabilities. Model {self.signature.name!r} has none: "
                "use decrypt or predict."
            )
        return self.signature.head.probabilities(scores)

    def predict(self, result: Result) -> npt.NDArray[Any]:
        """Decrypt, and give the labels (classifiers, in the dtype the estimator was fitted with), values (regressors)
        or new features (transformers).
        """
        return self.scores_to_labels(self.decrypt(result))

    def predict_proba(self, result: Result) -> Reals:
        """Decrypt, and apply the public link: probabilities (n, classes), as the estimator's ``predict_proba``.

        Raises
        ------
        InputError
            If the estimator has no ``predict_proba``.
        """
        return self.scores_to_probabilities(self.decrypt(result))

    def __repr__(self) -> str:
        return f"Client({self.signature.name!r}, {self.signature.parameters.profile}, key {self.public_key.id[:16]}…)"


def check_backbone(signature: Signature, features: Backbone | None) -> None:
    """Raise :class:`MismatchError` where features are passed to a model that takes the inputs themselves."""
    if features is not None and signature.backbone is None:
        raise MismatchError(f"features must be left out: model {signature.name!r} takes the inputs themselves.")


def _samples(rows: Any, signature: Signature) -> tuple[Any, bool]:
    """X as rows (n, inputs), and whether it was one sample."""
    inputs, shape = signature.inputs, tuple(rows.shape)
    if len(shape) not in (1, 2) or shape[-1] != inputs:
        from_where = (
            "" if signature.backbone is None else f" {signature.backbone!r} computes them: pass it as features="
        )
        raise InputError(f"inputs must have shape ({inputs},) or (n, {inputs}). Got {shape} instead.{from_where}")
    if len(shape) == 2 and not 1 <= shape[0] <= MAX_SAMPLES:
        raise InputError(f"a batch must have 1 to {MAX_SAMPLES} samples. Got {shape[0]} instead.")
    vector = len(shape) == 1
    return (np.asarray(rows)[None] if vector else rows), vector
