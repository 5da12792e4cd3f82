"""The data owner's side: encrypt inputs, decrypt answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Integers, Reals, Residues
from .circuits.linear.integers import recombine
from .circuits.linear.packing import Layout, pack_samples, released
from .circuits.linear.wire import MAX_SAMPLES, Batch, Query, Result
from .errors import DecryptionError, InputError, MismatchError
from .features import Backbone, computed
from .keys.public import PublicKey
from .keys.secret import SecretKey
from .links import choose_labels, has_probabilities, probabilities, respond
from .named_inputs import called, in_order
from .ranking import largest
from .rlwe import modular
from .rlwe.public_ring import PublicRing
from .rlwe.ring import Ring
from .rlwe.seeds import QUERY_DOMAIN, SEED_BYTES, expand
from .signature import Signature

_INT64_BITS = 62
_REAL_KINDS = "biufO"

Progress = Callable[[int, int], None]
"""Called as progress(done, total) while a long batch is encrypted, in ciphertexts."""


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
        If the secret key has other parameters than the model, or features are passed to a model that takes none.

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
        self._ring = Ring.of(signature.parameters)
        self.public_key: PublicKey = self._secret_key.public_key

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
        layout = self.signature.layout_for(len(integers))
        seed = secrets.token_bytes(SEED_BYTES)
        key = bytes.fromhex(self.public_key.id)
        batch = Batch(self.signature.digest, key, seed, len(integers), layout, vector)
        return Query(self.signature.parameters, batch, self._encrypt(integers, layout, seed, progress))

    def quantize(self, X: npt.ArrayLike) -> tuple[Integers, bool]:
        """The integers (n, d) that :meth:`encrypt` encrypts, and whether X was one sample; features of the signature's
        feature map are computed first.
        """
        features, names = self.signature.feature_map, self.signature.feature_names
        X = in_order(X, names) if self.features is None else computed(self.features, X, self.signature.inputs)
        rows, vector = _samples(_as_reals(X, names) if features is None else _as_table(X), self.signature)
        reals = rows if features is None else features.apply(rows, names)
        name = called(names) if features is None else partial(features.name_of, names=names)
        integers = self.signature.grid.quantize(reals, clip=self.clip, round_inputs=self.round_inputs, name=name)
        return integers, vector

    def _encrypt(self, integers: Integers, layout: Layout, seed: bytes, progress: Progress | None) -> Residues:
        parameters = self.signature.parameters
        blocks = layout.query_polynomials(self.signature.features)
        total = blocks * layout.chunks(len(integers))
        c0 = np.empty((total, len(parameters.data_primes), parameters.ring_degree), dtype=np.int64)
        for chunk in range(layout.chunks(len(integers))):
            rows = integers[chunk * layout.samples : (chunk + 1) * layout.samples]
            polynomials = pack_samples(rows, layout)
            for start in range(0, blocks, 2):
                first = chunk * blocks + start
                pair = self._message(polynomials[start : start + 2])
                for i, message in enumerate(pair, start=first):
                    c1 = expand(QUERY_DOMAIN, seed, i, parameters, parameters.data_primes)
                    c0[i] = self._secret_key.ring_key.encrypt_zero(c1)
                    kept = len(parameters.kept_primes)
                    c0[i, :kept] = modular.add(c0[i, :kept], message, parameters.kept_primes)
                if progress:
                    progress(first + len(pair), total)
        return c0

    def _message(self, polynomials: Integers) -> Residues:
        """delta·P times each polynomial, in evaluation form; it is zero modulo the dropped primes."""
        parameters = self.signature.parameters
        residues = modular.from_integers(polynomials, parameters.kept_primes)
        factor = self.signature.delta * parameters.rescale_factor
        return PublicRing.of(parameters).ntt(modular.scale(residues, factor, parameters.kept_primes))

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
            If the result answers another key or another model.
        DecryptionError
            If it does not decrypt within the noise bound.
        """
        one = self.signature
        scores = recombine(self.decrypt_integers(result), one.limbs, one.limb_bits, one.scale_exponent)
        if one.squeeze:
            scores = scores[:, 0]
        return scores[0] if result.batch.vector else scores

    def decrypt_integers(self, result: Result) -> Integers:
        """The integer results (n, k·limbs), equal bit for bit to the integer reference. Raises as :meth:`decrypt`."""
        self._check_belongs(result)
        phase = self._phase(result)
        delta = self.signature.delta
        nearest = (phase + delta // 2) // delta
        if (np.abs(phase - nearest * delta) > self.signature.result_noise).any() or (
            np.abs(nearest) >> (self.signature.result_bits - 1)
        ).any():
            raise DecryptionError(
                "the result must decrypt within its noise bound. It does not: it was damaged, forged, or "
                "computed under another key."
            )
        return nearest.astype(np.int64)

    def _check_belongs(self, result: Result) -> None:
        if result.batch.signature != self.signature.digest:
            raise MismatchError(f"the result must come from model {self.signature.name!r}. It comes from another.")
        if result.batch.key.hex() != self.public_key.id:
            raise MismatchError(
                f"the result must answer the key {self.public_key.id[:16]}…. Got an answer to "
                f"{result.batch.key.hex()[:16]}… instead."
            )

    def _phase(self, result: Result) -> npt.NDArray[Any]:
        """c0 + c1·s mod q' at the target coefficients, as centred integers (n, k·limbs)."""
        parameters, batch = self.signature.parameters, result.batch
        primes, outputs = parameters.kept_primes, self.signature.integer_outputs
        c1_s = self._ring.intt(self._secret_key.ring_key.times(PublicRing.of(parameters).ntt(result.c1)))
        groups = batch.layout.result_polynomials(outputs)
        masks = np.concatenate(
            [
                c1_s[chunk * groups + group][:, index.reshape(-1)]
                for chunk, indices in enumerate(released(batch.layout, batch.samples, outputs))
                for group, index in enumerate(indices)
            ],
            axis=1,
        )
        phase = modular.to_centred_integers(modular.add(masks, result.words, primes), primes)
        if parameters.result_modulus.bit_length() <= _INT64_BITS:
            phase = phase.astype(np.int64)
        return _by_sample(phase, batch, outputs)

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
        return largest(scores[..., None] if self.signature.squeeze else scores, count)

    def scores_to_response(self, scores: Reals) -> Reals:
        """What the estimator's ``signature.method`` gives, from scores: the scores themselves, unless the public link
        makes a regressor's prediction, the votes of pairs, or mean probabilities of them.
        """
        one = self.signature
        return respond(one.method, one.link, scores, self._classes)

    def scores_to_labels(self, scores: Reals) -> npt.NDArray[Any]:
        """The estimator's ``predict`` from scores: labels of a classifier, values of a regressor; the ``transform`` of
        a transformer.
        """
        one, response = self.signature, self.scores_to_response(scores)
        if one.labels is None:
            return response
        binary = one.outputs == 1 and one.method != "predict_proba"
        if binary and not one.squeeze:
            response = response[..., 0]
        return choose_labels(one.link, response, one.labels, binary=binary)

    def scores_to_probabilities(self, scores: Reals) -> Reals:
        """The estimator's ``predict_proba`` from scores, by its public link: (n, classes).

        Raises
        ------
        InputError
            If the estimator has no ``predict_proba``.
        """
        link = self.signature.link
        if link is None or not has_probabilities(link):
            raise InputError(
                f"predict_proba must come from a model with probabilities. Model {self.signature.name!r} has none: "
                "use decrypt or predict."
            )
        return probabilities(link, scores, self._classes)

    @property
    def _classes(self) -> int:
        return 0 if self.signature.labels is None else len(self.signature.labels)

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


def _by_sample(phase: npt.NDArray[Any], batch: Batch, outputs: int) -> npt.NDArray[Any]:
    """Words in release order (chunk, output, sample) as (sample, output)."""
    full = batch.layout.samples
    rows = []
    for chunk in range(batch.layout.chunks(batch.samples)):
        samples = min(full, batch.samples - chunk * full)
        block = phase[chunk * full * outputs : chunk * full * outputs + samples * outputs]
        rows.append(block.reshape(outputs, samples).T)
    return np.concatenate(rows)


def check_backbone(signature: Signature, features: Backbone | None) -> None:
    """Raise :class:`MismatchError` where features are passed to a model that takes the inputs themselves."""
    if features is not None and signature.backbone is None:
        raise MismatchError(f"features must be left out: model {signature.name!r} takes the inputs themselves.")


def _as_reals(X: Any, names: Sequence[str] | None) -> Reals:
    """X as float64 of its own shape."""
    raw = None
    try:
        raw = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
        if raw.dtype.kind not in _REAL_KINDS:
            raise TypeError(f"its dtype is {raw.dtype}")
        return raw.astype(np.float64)
    except (TypeError, ValueError) as error:
        place = "" if raw is None or raw.dtype.kind != "O" else _first_unreal(np.atleast_2d(raw), names)
        raise InputError(f"inputs must be real numbers. Got {type(X).__name__} that is not: {error}{place}.") from error


def _first_unreal(rows: npt.NDArray[Any], names: Sequence[str] | None) -> str:
    """Where the first object is that is no real number."""
    name = called(names if rows.shape[1:] == (len(names or ()),) else None)
    for sample, feature in np.ndindex(*rows.shape[:2]):
        try:
            float(rows[sample, feature])
        except (TypeError, ValueError):
            return f" (sample {sample}, {name(feature)})"
    return ""


def _as_table(X: Any) -> Any:
    """X as it is, with a shape: a list of numbers and texts would become an array of texts."""
    try:
        return X if hasattr(X, "shape") else np.array(X, dtype=object)
    except ValueError as error:
        raise InputError(f"inputs must be rows of the same length: {error}.") from error


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
