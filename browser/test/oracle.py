"""The model owner's side for the tests: one JSON request a line on standard input, one JSON answer a line.

{"make": {"kind": …, …}}                            -> {"signature": base64, "X": [[…]], "sizes": …, …}
{"evaluate": {"query": base64, "key": base64}}      -> {"result": base64}
{"reference": {"X": [[…]]}}                         -> {"integers": […], "response": …, "labels": …, "proba": …}
{"encrypt": {"X": …}}                               -> {"key": base64, "query": base64, "result": base64, …}
{"expand": {"domain", "seed", "index", "profile"}}  -> {"rows": [[…]]}
{"link": {"link": …, "scores": …, "classes": …}}    -> {"values": …}
"""

from __future__ import annotations

import base64
import json
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from pandas import DataFrame
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine, make_regression
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from xgboost import XGBClassifier

import hermetic
from hermetic.circuits.query import Query
from hermetic.demo.classifier import cache_directory, load_or_train
from hermetic.demo.mnist import features, load_mnist
from hermetic.keys.public import PublicKey
from hermetic.links import has_probabilities, probabilities, respond
from hermetic.rlwe.parameters import PROFILES
from hermetic.rlwe.seeds import expand

Fitted = tuple[Any, Any]
"""An estimator and data of it."""


def mnist() -> Fitted:
    data = load_mnist()
    return load_or_train(data, cache_directory()).estimator, features(data.test_images[:2000])


def tumours() -> Fitted:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    return pipeline.fit(X, np.array(["malignant", "benign"])[y]), X


def digits() -> Fitted:
    X, y = load_digits(return_X_y=True)
    return LogisticRegression(tol=1e-2).fit(X / 16, y), X / 16


def cancer() -> Fitted:
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return LogisticRegression().fit(X, np.array(["malignant", "benign"])[y]), X


def huber() -> Fitted:
    X, y = load_digits(return_X_y=True)
    return SGDClassifier(loss="modified_huber", random_state=0).fit(X / 16, y), X / 16


def pairs() -> Fitted:
    X, y = load_wine(return_X_y=True)
    return make_pipeline(StandardScaler(), OneVsOneClassifier(LinearSVC())).fit(X, y), X


def votes() -> Fitted:
    X, y = load_wine(return_X_y=True)
    return make_pipeline(StandardScaler(), SVC(kernel="linear")).fit(X, y), X


def calibrated() -> Fitted:
    X, y = load_wine(return_X_y=True)
    return make_pipeline(StandardScaler(), CalibratedClassifierCV(LinearSVC(), cv=3)).fit(X, y), X


def soft() -> Fitted:
    X, y = load_wine(return_X_y=True)
    parts = [("a", LogisticRegression()), ("b", LogisticRegression(C=0.01))]
    return make_pipeline(StandardScaler(), VotingClassifier(parts, voting="soft", weights=[2, 1])).fit(X, y), X


def logarithms() -> Fitted:
    X, y = load_diabetes(return_X_y=True)
    return TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1).fit(X, y / 100), X


def rates() -> Fitted:
    X, y = load_diabetes(return_X_y=True)
    return PoissonRegressor().fit(X, y / 100), X


def bayes() -> Fitted:
    X, y = load_digits(return_X_y=True)
    return MultinomialNB().fit(X, y), X


def priors() -> Fitted:
    X, y = load_wine(return_X_y=True)
    return NearestCentroid(priors="empirical").fit(X, y), X


def ovo() -> Fitted:
    X, y = load_wine(return_X_y=True)
    return make_pipeline(StandardScaler(), SVC(kernel="linear", decision_function_shape="ovo")).fit(X, y), X


def multilabel() -> Fitted:
    X, y = load_wine(return_X_y=True)
    labels = np.stack([y > 0, X[:, 0] > 13], axis=1).astype(int)
    return make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())).fit(X, labels), X


def components() -> Fitted:
    X, _ = load_wine(return_X_y=True)
    return PCA(3).fit(X), X


def diabetes() -> Fitted:
    X, y = load_diabetes(return_X_y=True)
    return LinearRegression().fit(X, y), X


def multi() -> Fitted:
    X, y = make_regression(n_samples=300, n_features=7, n_targets=3, random_state=1)
    return LinearRegression().fit(X, y), X


def boosted() -> Fitted:
    X, y = load_breast_cancer(return_X_y=True)
    X[::3, 2] = np.nan
    return XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1).fit(X, np.array(y)), X


def forest() -> Fitted:
    X, y = load_wine(return_X_y=True)
    return RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, np.array(["red", "white", "rosé"])[y]), X


TREES = ("boosted", "forest")

KINDS = {
    one.__name__: cache(one)
    for one in (
        *(mnist, tumours, digits, cancer, huber, diabetes, multi, boosted, forest),
        *(pairs, votes, calibrated, soft, logarithms, rates, bayes, priors, components, ovo, multilabel),
    )
}


class Oracle:
    """One model at a time."""

    def make(self, kind: str, **options: Any) -> dict[str, Any]:
        self.estimator, X = KINDS[kind]()
        more: dict[str, Any] = {}
        if kind in ("digits", "huber"):
            more = {"input_range": (0, 1), "input_step": 1 / 16}
        elif kind in TREES:
            more = {"public": [type(self.estimator).__name__]}
        self.model = hermetic.compile(self.estimator, X, **more, **options)
        one = self.model.signature
        sizes = {n: Query.size(one, one.layout_for(n), n) for n in (1, 2, 3, 10, 64, 100, 1000, 5000)}
        return {
            "signature": encoded(one.to_bytes()),
            "digest": one.digest.hex(),
            "X": np.where(np.isnan(X), None, np.asarray(X))[:50].tolist(),
            "names": one.feature_names,
            "sizes": sizes,
            "delta": str(one.circuit.delta),
            "result_noise": str(getattr(one.circuit, "result_noise", None)),
            "error": one.error,
        }

    def save(self, path: str) -> dict[str, Any]:
        self.model.save(path)
        return {}

    def evaluate(self, query: str, key: str) -> dict[str, Any]:
        parsed = Query.from_bytes(decoded(query), self.model.signature)
        return {"result": encoded(self.model.evaluate(parsed, PublicKey.from_bytes(decoded(key))).to_bytes())}

    def reference(self, X: Any) -> dict[str, Any]:
        data, one = np.atleast_2d(np.array(X, dtype=float)), self.model.signature
        table = data if one.feature_names is None else DataFrame(data, columns=one.feature_names)
        values = hermetic.Client(one).quantize(table)[0]
        integers = self.model._half.reference_integers(values) if one.feature_map else self.model.integers.apply(values)
        margin = {} if hasattr(self.estimator, one.method) else {"output_margin": True}
        response = getattr(self.estimator, "predict" if margin else one.method)(table, **margin)
        return {
            "quantized": values.tolist(),
            "integers": [str(value) for value in integers.reshape(-1).tolist()],
            "response": np.reshape(response, (len(data), -1)).tolist(),
            "labels": None if one.labels is None else self.estimator.predict(table).tolist(),
            "proba": self.estimator.predict_proba(table).tolist() if has_probabilities(one.link) else None,
        }

    def encrypt(self, X: Any) -> dict[str, Any]:
        client = hermetic.Client(self.model.signature)
        query = client.encrypt(np.array(X, dtype=float))
        result = self.model.evaluate(query, client.public_key)
        blobs = {"key": client.public_key, "query": query, "result": result}
        words = {"key": client.public_key.b, "query": query.c0, "result": result.words}
        return {name: encoded(blob.to_bytes()) for name, blob in blobs.items()} | {
            "words": {name: value.reshape(-1)[::97].tolist() for name, value in words.items()},
            "c1": result.c1.reshape(-1)[::97].tolist(),
        }

    def decrypt(self, home: str, query: str) -> dict[str, Any]:
        folder = Path(home)
        passphrase = json.loads((folder / "expected.json").read_text())["passphrase"]
        model = hermetic.CompiledModel.load(folder / "model.hermetic")
        key = hermetic.SecretKey.load(folder / "secret_key.bin", passphrase)
        client = hermetic.Client(model.signature, key)
        result = model.evaluate(Query.from_bytes(decoded(query), model.signature), client.public_key)
        return {"integers": client.decrypt_integers(result).tolist(), "scores": client.decrypt(result).tolist()}

    def expand(self, domain: str, seed: str, index: int, profile: str) -> dict[str, Any]:
        parameters = PROFILES[profile]
        rows = expand(domain.encode(), bytes.fromhex(seed), index, parameters, parameters.key_primes)
        return {"rows": rows.tolist()}

    def link(self, link: str, scores: Any, classes: int) -> dict[str, Any]:
        apply = probabilities if has_probabilities(link) else partial(respond, "decision_function")
        return {"values": apply(link, np.array(scores), classes).tolist()}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decoded(text: str) -> bytes:
    return base64.b64decode(text)


def main() -> None:
    oracle = Oracle()
    for line in sys.stdin:
        ((method, arguments),) = json.loads(line).items()
        try:
            answer = getattr(oracle, method)(**arguments)
        except hermetic.HermeticError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer), flush=True)


main()
