"""The client against the real service in this process: the same answers as the estimator, and few requests."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import hermetic
from fitted import digits, petals, sepals, tumours
from hermetic import AsyncRemoteModel, InputError, RemoteModel, SecretKey
from in_process import URL, InProcess, after
from served import MODELS, diabetes

Connect = Callable[..., RemoteModel]


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_the_estimators(name: str, connect: Connect) -> None:
    fitted = MODELS[name]()
    remote, X = connect(name), fitted.X[:40]
    np.testing.assert_array_equal(remote.signature.labels, fitted.signature.labels)
    if fitted.signature.labels is None:
        np.testing.assert_allclose(remote.predict(X), fitted.scores[:40], rtol=0, atol=fitted.signature.error)
    else:
        np.testing.assert_array_equal(remote.predict(X), fitted.estimator.predict(X))
        np.testing.assert_allclose(remote.decision_function(X), fitted.scores[:40], rtol=0, atol=fitted.signature.error)
        expected = fitted.estimator.predict_proba(X)
        np.testing.assert_allclose(remote.predict_proba(X), expected, atol=fitted.signature.error)
    assert remote.score(X, fitted.y[:40]) == pytest.approx(fitted.estimator.score(X, fitted.y[:40]), abs=1e-3)


def test_a_single_sample_keeps_its_shape(connect: Connect) -> None:
    one, two = connect("digits"), connect("tumours")
    x, z = digits().X[3], tumours().X[3]
    assert one.decision_function(x).shape == (10,)
    assert one.predict(x) == digits().estimator.predict([x])[0]
    assert two.decision_function(z).shape == ()
    assert two.predict_proba(z).shape == (2,)


def test_the_signature_is_fetched_once_and_the_key_uploaded_once(connect: Connect, service: InProcess) -> None:
    remote = connect()
    assert [one.method for one in service.balancer.seen] == ["GET"]
    for _ in range(3):
        remote.predict(digits().X[:2])
    assert [one.method for one in service.balancer.seen] == ["GET", "PUT", "POST", "POST", "POST"]


def test_two_threads_share_one_upload(connect: Connect, service: InProcess) -> None:
    remote, start = connect(), threading.Barrier(4)

    def ask(i: int) -> Any:
        start.wait()
        return remote.predict(digits().X[i : i + 2])

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))
    np.testing.assert_array_equal(answers, [digits().estimator.predict(digits().X[i : i + 2]) for i in range(4)])
    assert len(service.balancer.calls("PUT", "")) == 1


def test_a_key_that_the_service_has_is_not_uploaded_again(connect: Connect, service: InProcess) -> None:
    key = SecretKey(digits().signature.parameters)
    connect(secret_key=key).predict(digits().X[:1])
    assert [one.method for one in service.balancer.seen] == ["GET", "HEAD", "PUT", "POST"]
    service.balancer.seen.clear()
    again = connect(secret_key=key)
    again.predict(digits().X[:1])
    assert [one.method for one in service.balancer.seen] == ["GET", "HEAD", "POST"]
    assert again.public_key.id == key.public_key.id


def test_a_reloaded_key_is_the_same_key(connect: Connect, service: InProcess, tmp_path: Any) -> None:
    remote = connect()
    remote.predict(digits().X[:1])
    remote.secret_key.save(tmp_path / "key", "a passphrase")
    again = connect(secret_key=SecretKey.load(tmp_path / "key", "a passphrase"))
    again.predict(digits().X[:1])
    assert again.public_key.id == remote.public_key.id
    assert len(service.balancer.calls("PUT", "")) == 1


def test_no_secret_and_no_input_leaves_the_process(connect: Connect, service: InProcess) -> None:
    """What can be checked of it: neither the key's words nor the sample's bytes are in what was sent."""
    remote = connect()
    x = np.arange(64) % 17
    remote.predict(x)
    sent = b"".join(one.body for one in service.balancer.seen)
    rows = remote.secret_key.ring_key.rows()
    assert x.astype(np.float64).tobytes()[:64] not in sent
    assert x.tobytes()[:64] not in sent
    assert all(row.tobytes()[:64] not in sent for row in rows)
    assert len(sent) > 50_000


@pytest.mark.parametrize(
    "kind", [np.asarray, list, sparse.csr_array, sparse.coo_array, pd.DataFrame, lambda X: X.tolist()]
)
def test_every_kind_of_input_goes_in_batches(kind: Any, connect: Connect, service: InProcess) -> None:
    remote = connect(batch_size=16)
    expected = digits().estimator.predict(digits().X[:50])
    np.testing.assert_array_equal(remote.predict(kind(digits().X[:50])), expected)
    assert len(service.balancer.calls("POST", "/infer")) == 4


def test_names_decide_in_batches_too(connect: Connect) -> None:
    remote, X = connect("diabetes", batch_size=16), diabetes().X[:50]
    backwards = X[X.columns[::-1]].assign(target=0)
    for same in (X, backwards, backwards.to_dict("records"), backwards.to_dict("list"), backwards.to_records()):
        np.testing.assert_allclose(remote.predict(same), diabetes().scores[:50], rtol=0, atol=remote.signature.error)
    one = remote.predict(backwards.iloc[7])
    np.testing.assert_allclose(one, diabetes().scores[7], rtol=0, atol=remote.signature.error)
    with pytest.raises(InputError, match="Missing: 'age'"):
        remote.predict(X.drop(columns="age"))


def test_what_is_not_used_is_said_once_a_model(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    remote, X = connect("diabetes", batch_size=16), diabetes().X[:50].assign(ward=1, colour="red")
    for _ in range(2):
        remote.predict(X)
    said = [one.getMessage() for one in caplog.records if one.name == "hermetic"]
    assert said == ["columns that the model does not use are left out: 'ward', 'colour'"]


def test_a_memory_mapped_file_is_read_piece_by_piece(connect: Connect, tmp_path: Any) -> None:
    np.save(tmp_path / "X.npy", digits().X[:50])
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(connect(batch_size=16).predict(mapped), digits().estimator.predict(digits().X[:50]))


class Watched:
    """Samples that note how far they were read."""

    def __init__(self, X: Any) -> None:
        self._X, self.shape, self.read = X, X.shape, 0

    def __getitem__(self, rows: slice) -> Any:
        self.read = rows.stop
        return self._X[rows]


def test_at_most_in_flight_batches_are_encrypted_ahead(connect: Connect, service: InProcess) -> None:
    X, ahead = Watched(digits().X[:400]), []
    remote = connect(batch_size=20, in_flight=3, progress=lambda done, total: ahead.append(X.read - done))
    np.testing.assert_array_equal(remote.predict(X), digits().estimator.predict(digits().X[:400]))
    assert len(ahead) == 20
    assert max(ahead) <= 2 * 20  # besides the batch that was just answered
    assert 1 < service.balancer.most_open <= 3


def test_answers_keep_their_order_when_they_overtake_each_other(connect: Connect, service: InProcess) -> None:
    service.balancer.fail("/infer", after(0.5))
    remote = connect(batch_size=10)
    np.testing.assert_array_equal(remote.predict(digits().X[:60]), digits().estimator.predict(digits().X[:60]))


def test_progress_counts_samples(connect: Connect) -> None:
    told: list[tuple[int, int]] = []
    connect(batch_size=20, progress=lambda done, total: told.append((done, total))).predict(digits().X[:50])
    assert told == [(20, 50), (40, 50), (50, 50)]


def test_a_failing_callback_ends_the_call(connect: Connect) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        connect(batch_size=5, progress=stop).predict(digits().X[:100])
    of_the_service = ("asyncio", "AnyIO")
    started = {thread for thread in threading.enumerate() if not thread.name.startswith(of_the_service)}
    assert started <= before


def test_the_bar_goes_to_a_terminal_on_stderr(
    connect: Connect, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = connect(batch_size=20, progress=True)
    remote.predict(digits().X[:50])
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    remote.predict(digits().X[:50])
    printed = capsys.readouterr()
    assert not printed.out
    assert "encrypted predictions" in printed.err


def test_bad_input_is_refused_before_anything_is_sent(connect: Connect, service: InProcess) -> None:
    remote = connect(batch_size=10)
    remote.predict(digits().X[:1])
    service.balancer.seen.clear()
    X = digits().X[:35].copy()
    X[33, 5] = np.nan
    with pytest.raises(InputError, match=r"finite.*sample 3, feature 5.*counted from 30"):
        remote.predict(X)
    with pytest.raises(InputError, match="shape"):
        remote.predict(X[:, :7])
    with pytest.raises(InputError):
        remote.predict([[1, 2], [3]])
    with pytest.raises(InputError, match="1 to"):
        remote.predict(X[:0])
    assert not service.balancer.seen


def test_clip_and_rounding_are_the_clients(connect: Connect) -> None:
    X = digits().X[:3] + 0.25
    X[0, 0] = 99
    with pytest.raises(InputError, match="between"):
        connect().predict(X)
    with pytest.raises(InputError, match="multiple"):
        connect(clip=True).predict(X)
    expected = digits().estimator.predict(np.clip(np.rint(X), 0, 16))
    np.testing.assert_array_equal(connect(clip=True, round_inputs=True).predict(X), expected)


def test_regressions_have_no_scores_of_classifiers(connect: Connect) -> None:
    remote = connect("sepals")
    assert not hasattr(remote, "decision_function")
    assert not hasattr(remote, "predict_proba")
    assert not hasattr(remote, "classes_")
    assert remote.predict(sepals().X[:3]).shape == (3, 2)


def test_everything_works_in_a_with_block_and_not_after(connect: Connect) -> None:
    with connect() as remote:
        remote.predict(digits().X[:1])
    with pytest.raises(hermetic.RemoteError, match="closed"):
        remote.predict(digits().X[:1])


def test_the_asynchronous_twin_has_every_method_that_asks() -> None:
    """Those that take X, but for fit, which asks nothing; with the same arguments."""
    methods = {name: one for name, one in inspect.getmembers(RemoteModel, callable) if not name.startswith("_")}
    asking = {name: inspect.signature(one).parameters for name, one in methods.items() if name != "fit"}
    asking = {name: parameters for name, parameters in asking.items() if "X" in parameters}
    assert {"predict", "transform", "raw_scores", "predict_joint_log_proba", "top"} <= set(asking)
    for name, parameters in asking.items():
        twin = getattr(AsyncRemoteModel, name)
        assert inspect.iscoroutinefunction(twin)
        assert inspect.signature(twin).parameters == parameters


def test_the_asynchronous_twin_gives_the_same(service: InProcess) -> None:
    X, fitted = digits().X[:50], digits()

    async def ask() -> list[Any]:
        told: list[int] = []
        async with hermetic.aconnect(
            URL,
            model="digits",
            transport=service.async_transport,
            batch_size=16,
            progress=lambda done, total: told.append(done),
        ) as remote:
            answers = [
                await remote.predict(X),
                await remote.decision_function(X),
                await remote.predict_proba(X),
                await remote.score(X, fitted.y[:50]),
                await remote.raw_scores(X),
            ]
            assert told == [16, 32, 48, 50] * 5
            return answers

    labels, scores, probabilities, accuracy, raw = service.run(ask)
    np.testing.assert_array_equal(raw, scores)
    np.testing.assert_array_equal(labels, fitted.estimator.predict(X))
    np.testing.assert_allclose(scores, fitted.scores[:50], rtol=0, atol=fitted.signature.error)
    np.testing.assert_allclose(probabilities, fitted.estimator.predict_proba(X), atol=fitted.signature.error)
    assert accuracy == fitted.estimator.score(X, fitted.y[:50])
    assert len(service.balancer.calls("PUT", "")) == 1


def test_many_asynchronous_calls_at_once(service: InProcess) -> None:
    async def ask() -> Any:
        remote = await hermetic.aconnect(URL, model="petals", transport=service.async_transport)
        answers = await asyncio.gather(*(remote.predict(petals().X[i]) for i in range(20)))
        await remote.close()
        return answers

    np.testing.assert_array_equal(service.run(ask), petals().estimator.predict(petals().X[:20]))
    assert len(service.balancer.calls("PUT", "")) == 1


class Whereabouts:
    """Samples that note the threads in which they are turned into numbers."""

    def __init__(self, X: Any, threads: set[int]) -> None:
        self._X, self.shape, self._threads = X, X.shape, threads

    def __getitem__(self, rows: slice) -> Whereabouts:
        return Whereabouts(self._X[rows], self._threads)

    def toarray(self) -> Any:
        self._threads.add(threading.get_ident())
        return self._X


@pytest.mark.parametrize("batch_size", [None, 10])
def test_the_event_loop_stays_free(batch_size: int | None, service: InProcess) -> None:
    threads: set[int] = set()

    async def ask() -> int:
        remote = await hermetic.aconnect(URL, model="digits", transport=service.async_transport, batch_size=batch_size)
        await remote.predict(Whereabouts(digits().X[:50], threads))
        return threading.get_ident()

    assert service.run(ask) not in threads
    assert threads


def test_an_unconnected_twin_says_so(service: InProcess) -> None:
    remote = hermetic.aconnect(URL, model="digits", transport=service.async_transport)
    with pytest.raises(hermetic.RemoteError, match="Await it"):
        _ = remote.signature


def test_a_cancelled_call_leaves_nothing_behind(service: InProcess) -> None:
    async def ask() -> int:
        remote = await hermetic.aconnect(URL, model="digits", transport=service.async_transport, batch_size=10)
        await remote.predict(digits().X[:1])
        asked, never = asyncio.Event(), asyncio.Event()

        async def silent(*_: Any) -> None:
            asked.set()
            await never.wait()

        service.balancer.fail("/infer", silent, times=4)
        before = len(asyncio.all_tasks())
        call = asyncio.create_task(remote.predict(digits().X[:100]))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return len(asyncio.all_tasks()) - before

    assert service.run(ask) <= 0
