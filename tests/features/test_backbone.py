"""A private head on a public backbone: real images and texts, and functions that give what they must not."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

import hermetic
from hermetic import Client, CompiledModel, Signature
from hermetic.features import backbone_name, computed
from in_process import URL, InProcess, running
from known_weights import answered, client_of

IMAGES, DIGITS = load_digits().images, load_digits().target
CODE = [f"{name}: {one.__doc__}" for name, one in sorted(vars(builtins).items()) if one.__doc__]


def strokes(images: Any) -> Any:
    """Random convolutions of images (n, 8, 8), cut at 0 and pooled; some units never respond."""
    filters = np.random.default_rng(0).normal(size=(9, 24))
    patches = np.lib.stride_tricks.sliding_window_view(np.asarray(images) / 16, (3, 3), axis=(1, 2))
    found = np.maximum(patches.reshape(len(patches), 6, 6, 9) @ filters - 0.5, 0)
    return np.concatenate(
        [found[:, :3].max(axis=(1, 2)), found[:, 3:].max(axis=(1, 2)), np.zeros((len(found), 2))], axis=1
    )


@cache
def head() -> tuple[LogisticRegression, CompiledModel]:
    classifier = LogisticRegression(max_iter=1000).fit(strokes(IMAGES[:1200]), DIGITS[:1200])
    return classifier, hermetic.compile(classifier, IMAGES[:1500], features=strokes, name="strokes")


def test_raw_inputs_go_in_and_the_heads_answers_come_out() -> None:
    classifier, model = head()
    client = client_of(model, features=strokes)
    found = client.predict(answered(model, client, IMAGES[1500:1600]))
    assert np.array_equal(found, classifier.predict(strokes(IMAGES[1500:1600])))
    assert (found == DIGITS[1500:1600]).mean() > 0.8


def test_the_signature_names_the_backbone_and_has_nothing_of_it() -> None:
    signature = head()[1].signature
    assert signature.backbone == "strokes"
    assert signature.inputs == signature.features == 50
    assert Signature.from_json(signature.json) == signature
    assert len(signature.json) < 5000


def test_clients_may_pass_what_the_backbone_computes() -> None:
    _, model = head()
    client = client_of(model)
    assert np.array_equal(
        client.quantize(strokes(IMAGES[:3]))[0], client_of(model, features=strokes).quantize(IMAGES[:3])[0]
    )
    with pytest.raises(hermetic.InputError, match="'strokes' computes them: pass it as features="):
        client.encrypt(IMAGES[:3].reshape(3, 64))


def test_texts_are_inputs() -> None:
    vectorizer = HashingVectorizer(n_features=64)
    embed = lambda texts: vectorizer.transform(texts).toarray()  # noqa: E731 - a function without a name
    lengths = np.log([len(one) for one in CODE])
    model = hermetic.compile(Ridge().fit(embed(CODE), lengths), CODE, features=embed)
    client = client_of(model, features=embed)
    found = client.predict(answered(model, client, CODE[:5]))
    assert np.abs(found - Ridge().fit(embed(CODE), lengths).predict(embed(CODE[:5]))).max() <= model.signature.error
    with pytest.raises(hermetic.InputError, match=r"For a single one, pass \[it\]"):
        client.encrypt(CODE[0])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    plain = hermetic.compile(Ridge().fit(strokes(IMAGES), DIGITS), input_range=(0, 9))
    with running(tmp_path_factory.mktemp("service"), {"strokes": head()[1], "plain": plain}) as one:
        yield one


def test_a_connection_computes_features_one_batch_at_a_time(service: InProcess) -> None:
    classifier, _ = head()
    sizes: list[int] = []

    def counted(images: Any) -> Any:
        sizes.append(len(images))
        return strokes(images)

    options: dict[str, Any] = {"features": counted, "batch_size": 16, "transport": service.transport}
    with hermetic.connect(URL, model="strokes", **options) as remote:
        found = remote.predict(IMAGES[1500:1540])
        assert np.array_equal(found, classifier.predict(strokes(IMAGES[1500:1540])))
        assert sizes == [16, 16, 8]
        assert remote.score(IMAGES[1500:1540], DIGITS[1500:1540]) > 0.8
        assert remote.fit(list(IMAGES[:2]), DIGITS[:2]) is remote
        with pytest.raises(hermetic.InputError, match="counted must compute features from inputs"):
            remote.predict(["no", "images"])


def test_an_asynchronous_connection_computes_features(service: InProcess) -> None:
    classifier, _ = head()

    async def ask() -> Any:
        remote = hermetic.aconnect(URL, model="strokes", features=strokes, transport=service.async_transport)
        async with remote:
            return await remote.predict(IMAGES[1500:1510])

    assert np.array_equal(service.run(ask), classifier.predict(strokes(IMAGES[1500:1510])))


def test_a_model_without_a_backbone_takes_none(service: InProcess) -> None:
    model = CompiledModel.load(Path(service.models / "plain" / "1" / "model.hermetic"))
    with pytest.raises(hermetic.MismatchError, match="features must be left out"):
        Client(model.signature, features=strokes)
    with pytest.raises(hermetic.MismatchError, match="features must be left out"):
        hermetic.connect(URL, model="plain", features=strokes, transport=service.transport)


class Tensor:
    """What PyTorch's tensors have to be read by."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def detach(self) -> Tensor:
        return self

    cpu = double = detach

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.values)


def test_tensors_are_read() -> None:
    assert np.array_equal(computed(lambda X: Tensor([[1, 2]] * len(X)), ["a", "b"]), [[1, 2], [1, 2]])


@pytest.mark.parametrize(
    ("backbone", "X", "words"),
    [
        (3, [1], "must be a function of a batch"),
        (strokes, iter([1]), "must be a list or an array"),
        (strokes, [], "at least one"),
        (strokes, b"bytes", "at least one"),
        (lambda X: 1 / 0, [1], "It fails: ZeroDivisionError"),
        (lambda X: [1.0, 2.0], [1, 2], r"must give real numbers \(n, 3\). Got shape \(2,\)"),
        (lambda X: np.ones((2, 2)), [1, 2], r"\(n, 3\). Got shape \(2, 2\)"),
        (lambda X: [["a", "b", "c"]], [1], "real numbers"),
        (lambda X: np.full((1, 3), np.nan), [1], r"finite features. Got nan \(input 0, feature 0\)"),
        (lambda X: np.ones((1, 3)), [1, 2], "one row for each of 2 inputs. Got 1"),
        (lambda X: [[1], [1, 2]], [1, 2], "It fails: ValueError"),
    ],
)
def test_what_gives_no_features_is_refused(backbone: Any, X: Any, words: str) -> None:
    with pytest.raises(hermetic.InputError, match=words):
        computed(backbone, X, 3)
    with pytest.raises(hermetic.CompileError, match=words):
        hermetic.compile(Ridge().fit(np.eye(3), [1, 2, 3]), X, features=backbone)


def test_backbones_are_named() -> None:
    assert backbone_name(strokes) == "strokes"
    assert backbone_name(partial(strokes)) == "strokes"
    assert backbone_name(HashingVectorizer().transform) == "HashingVectorizer.transform"
    assert backbone_name(type("Encoder", (), {"__call__": lambda self, X: X})()) == "Encoder"
