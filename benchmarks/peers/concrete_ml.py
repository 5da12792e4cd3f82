"""Measure Concrete ML on a linear classifier, boosted trees or a forest, as its documentation deploys them.

    python concrete_ml.py --input data.npz --repeat 20 --repeat-server 20 --bits 8 --model linear

``data.npz`` holds ``x`` (n, d), the samples to predict, and ``train`` (m, d), from which Concrete ML takes the ranges
that it quantises. For ``linear`` it holds ``coef`` (k, d) and ``intercept`` (k,) too: the model is not fitted again but
given to Concrete ML with ``from_sklearn_model``. For ``boosted`` and ``forest`` it holds ``y`` (m,), the classes of
``train``, ``estimators`` and ``depth``, how many trees and how deep: Concrete ML fits XGBoost's classifier or
scikit-learn's forest, and the same in the clear beside it (``fit_benchmark``). For ``network`` it holds ``y`` and
``hidden``, the number of neurons: Concrete ML trains a network of ReLUs of its own, quantised as it is run. One JSON
object is printed. Client and server are ``FHEModelClient`` and ``FHEModelServer``:

* compile_ms: to a circuit, and to the two files that client and server start from.
* key_ms, key_bytes: new secret keys, and the serialised evaluation keys, which linear models do not need.
* server_ms: ``FHEModelServer.run``, from a request's bytes to an answer's. It reads the evaluation keys each time.
* decrypt_ms: an answer's bytes to probabilities.

``x`` is predicted encrypted as far as ``--repeat-server`` goes, and beyond that by Concrete ML's simulation, which its
documentation recommends for measuring accuracy.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from measuring import labels, silence_stdout, timed

Arrays = dict[str, npt.NDArray[Any]]


def linear(arrays: Arrays, bits: int) -> tuple[Any, Any]:
    """Concrete ML's logistic regression with the weights given, and scikit-learn's."""
    plain: Any = importlib.import_module("sklearn.linear_model").LogisticRegression()
    plain.coef_, plain.intercept_ = arrays["coef"], arrays["intercept"]
    plain.classes_, plain.n_features_in_ = np.arange(max(2, len(plain.coef_))), plain.coef_.shape[1]
    made: Any = importlib.import_module("concrete.ml.sklearn").LogisticRegression
    return made.from_sklearn_model(plain, arrays["train"], n_bits=bits), plain


def trees(name: str) -> Callable[[Arrays, int], tuple[Any, Any]]:
    """Concrete ML's classifier of this name, and the plain one, fitted on the same data."""

    def fitted(arrays: Arrays, bits: int) -> tuple[Any, Any]:
        made: Any = getattr(importlib.import_module("concrete.ml.sklearn"), name)
        sizes = {"n_estimators": int(arrays["estimators"]), "max_depth": int(arrays["depth"])}
        return made(n_bits=bits, random_state=0, **sizes).fit_benchmark(arrays["train"], arrays["y"])

    return fitted


def network(arrays: Arrays, bits: int) -> tuple[Any, Any]:
    """Concrete ML's classifier of one hidden layer with ReLUs, trained with its quantisation, and the plain one."""
    train, hidden = arrays["train"].astype(np.float32), int(arrays["hidden"])
    made: Any = importlib.import_module("concrete.ml.sklearn").NeuralNetClassifier
    model = made(
        module__n_layers=2,
        module__n_w_bits=bits,
        module__n_a_bits=bits,
        module__n_hidden_neurons_multiplier=hidden / train.shape[1],
        module__activation_function=importlib.import_module("torch").nn.ReLU,
        max_epochs=10,
        verbose=0,
    )
    return model.fit_benchmark(train, arrays["y"].astype(np.int64))


MODELS = {
    "linear": linear,
    "boosted": trees("XGBClassifier"),
    "forest": trees("RandomForestClassifier"),
    "network": network,
}


def measure(arrays: Arrays, kind: str, bits: int, repeat: int, repeat_server: int) -> dict[str, Any]:
    """All the figures of one run."""
    model, plain = MODELS[kind](arrays, bits)
    deployment: Any = importlib.import_module("concrete.ml.deployment")
    x = arrays["x"].astype(np.float32) if kind == "network" else arrays["x"]
    compile_ms: list[float] = []
    key_ms: list[float] = []
    encrypt_ms: list[float] = []
    server_ms: list[float] = []
    decrypt_ms: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        files = str(Path(folder) / "model")
        timed(compile_ms, compile_to, deployment, model, arrays["train"], files)
        server = deployment.FHEModelServer(files)
        for _ in range(repeat):
            client = deployment.FHEModelClient(files)  # a new one each time, with no folder to find its keys in again
            timed(key_ms, client.generate_private_and_evaluation_keys)
        keys = client.get_serialized_evaluation_keys()
        probabilities = []
        for i in range(repeat_server):
            sample = x[i % len(x)][None]
            request = timed(encrypt_ms, client.quantize_encrypt_serialize, sample)
            answer = timed(server_ms, server.run, request, keys)
            probabilities.append(timed(decrypt_ms, client.deserialize_decrypt_dequantize, answer)[0])

    simulated = model.predict_proba(x[repeat_server:], fhe="simulate") if repeat_server < len(x) else []
    return {
        "name": "Concrete ML",
        "version": importlib.metadata.version("concrete-ml"),
        "parameters": f"TFHE, inputs and weights of {bits} bits",
        "compile_ms": compile_ms[0],
        "key_bytes": len(keys),
        "key_ms": statistics.median(key_ms),
        "key_load_ms": None,
        "encrypt_ms": statistics.median(encrypt_ms),
        "request_bytes": len(request),
        "server_ms": statistics.median(server_ms),
        "response_bytes": len(answer),
        "decrypt_ms": statistics.median(decrypt_ms),
        "max_error": None,
        "predicted": labels(np.array([*probabilities[: len(x)], *simulated])),
        "plain": [int(label) for label in plain.predict(x)],
        "repeat": {"keys": repeat, "client": repeat_server, "server": repeat_server},
    }


def compile_to(deployment: Any, model: Any, train: npt.NDArray[Any], files: str) -> None:
    """Compile, and write what client and server start from."""
    model.compile(train)
    deployment.FHEModelDev(files, model).save()


def main() -> None:
    """Read the arguments, measure, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="data.npz")
    parser.add_argument("--repeat", type=int, default=20, help="repeats of making keys")
    parser.add_argument("--repeat-server", type=int, default=20, help="repeats of the prediction")
    parser.add_argument("--model", choices=sorted(MODELS), default="linear")
    parser.add_argument("--bits", type=int, default=8, help="n_bits, of inputs and weights")
    arguments = parser.parse_args()
    if min(arguments.repeat, arguments.repeat_server, arguments.bits) < 1:
        parser.error("at least one repeat and one bit")
    with np.load(arguments.input) as arrays, silence_stdout() as out:
        report = measure(dict(arrays), arguments.model, arguments.bits, arguments.repeat, arguments.repeat_server)
        print(json.dumps(report), file=out)


if __name__ == "__main__":
    main()
