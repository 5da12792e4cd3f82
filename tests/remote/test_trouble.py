"""What goes wrong at a service and between: lost keys, busy workers, other models, damaged and foreign answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import hermetic
from fitted import Fitted, digits, petals
from hermetic import (
    AuthenticationError,
    BusyError,
    CompiledModel,
    DecryptionError,
    MismatchError,
    ModelNotFoundError,
    ProtocolError,
    RefusedError,
    RemoteError,
    RemoteModel,
    SignatureChangedError,
    TooLargeError,
    WireError,
)
from hermetic.remote.model_requests import ModelRequests
from hermetic.serve.access import token_line
from in_process import URL, InProcess, after, refuse, rewrite, running

Connect = Callable[..., RemoteModel]
X = digits().X[:30]
LABELS = digits().estimator.predict(X)


def forget_keys(service: InProcess, remote: RemoteModel) -> None:
    """What a restart with an emptied store does."""

    async def forget() -> None:
        app: Any = service.balancer.app
        model_service = app._service
        assert await model_service.forget_key("anonymous", remote.public_key.id)

    service.run(forget)


# Keys


def test_a_lost_key_is_uploaded_again_by_itself(connect: Connect, service: InProcess) -> None:
    remote = connect()
    remote.predict(X[:1])
    forget_keys(service, remote)
    service.balancer.seen.clear()
    np.testing.assert_array_equal(remote.predict(X), LABELS)
    assert [(one.method, one.status) for one in service.balancer.seen] == [("POST", 424), ("PUT", 201), ("POST", 200)]
    first, _, again = service.balancer.seen
    assert first.body == again.body  # the same question, word for word: a repetition tells nothing new


def test_a_key_lost_under_many_batches_in_flight(connect: Connect, service: InProcess) -> None:
    remote = connect(batch_size=3)
    remote.predict(X[:1])
    forget_keys(service, remote)
    np.testing.assert_array_equal(remote.predict(X), LABELS)


def test_a_service_that_never_keeps_keys(connect: Connect, service: InProcess) -> None:
    service.balancer.fail("/infer", refuse(424), times=2)
    with pytest.raises(RefusedError, match="must keep the public key"):
        connect().predict(X)
    assert len(service.balancer.calls("PUT", "")) == 2


# Busy services


def test_a_storm_of_503_passes(connect: Connect, service: InProcess) -> None:
    remote = connect(batch_size=10)
    remote.predict(X[:1])
    service.balancer.fail("/infer", refuse(503, retry_after="0"), times=5)
    np.testing.assert_array_equal(remote.predict(X), LABELS)
    assert len(service.balancer.calls("POST", "/infer")) == 1 + 3 + 5


@pytest.mark.parametrize("status", [429, 503])
def test_a_storm_that_does_not_pass(status: int, connect: Connect, service: InProcess) -> None:
    remote = connect(retries=2)
    remote.predict(X[:1])
    service.balancer.seen.clear()
    service.balancer.fail("/infer", refuse(status), times=9)
    with pytest.raises(BusyError, match=f"{status}: made up") as refused:
        remote.predict(X)
    assert len(service.balancer.seen) == 3
    assert refused.value.status == status


def test_a_quota_that_is_used_up_is_not_waited_for(tmp_path: Path) -> None:
    """The service's own limits: 8 predictions a day, and a batch that could never fit."""
    with running(tmp_path, {"petals": petals().model}, quota="4100/day") as service:
        remote = hermetic.connect(URL, model="petals", transport=service.transport)
        remote.predict(petals().X[:150])
        with pytest.raises(BusyError, match="429") as refused:
            for _ in range(50):
                remote.predict(petals().X[:150])
        assert [one.status for one in service.balancer.seen].count(429) == 1, "it was not asked again"
        assert refused.value.retry_after is not None
        assert refused.value.retry_after > 30


def test_the_other_batches_stop_when_one_fails(connect: Connect, service: InProcess) -> None:
    remote = connect(batch_size=1, in_flight=2)
    remote.predict(X[:1])
    service.balancer.seen.clear()
    service.balancer.fail("/infer", refuse(422))
    with pytest.raises(RefusedError):
        remote.predict(X)
    assert len(service.balancer.seen) <= 3


def test_a_slow_service(connect: Connect, service: InProcess) -> None:
    remote = connect()
    remote.predict(X[:1])
    service.balancer.fail("/infer", after(0.3))
    np.testing.assert_array_equal(remote.predict(X), LABELS)


# Size limits


def test_batches_shrink_until_the_service_takes_them(tmp_path: Path) -> None:
    with running(tmp_path, {"digits": digits().model}, max_samples=64) as service:
        remote = hermetic.connect(URL, model="digits", batch_size=5000, transport=service.transport)
        some = np.concatenate([digits().X] * 3)  # more than any layout holds at once
        np.testing.assert_array_equal(remote.predict(some), digits().estimator.predict(some))
        refused = [one for one in service.balancer.calls("POST", "/infer") if one.status == 413]
        assert refused
        service.balancer.seen.clear()
        remote.predict(some)  # the size that works is remembered
        assert {one.status for one in service.balancer.seen} == {200}


def test_by_default_batches_are_what_the_service_says_it_takes(tmp_path: Path) -> None:
    with running(tmp_path, {"digits": digits().model}, max_samples=64) as service:
        remote = hermetic.connect(URL, model="digits", transport=service.transport)
        some = digits().X[:700]
        np.testing.assert_array_equal(remote.predict(some), digits().estimator.predict(some))
        assert {one.status for one in service.balancer.calls("POST", "/infer")} == {200}


def test_a_service_that_takes_nothing(connect: Connect, service: InProcess) -> None:
    service.balancer.fail("/infer", refuse(413), times=99)
    with pytest.raises(TooLargeError, match="no request of this size"):
        connect(batch_size=8, in_flight=1).predict(X[:8])
    assert len(service.balancer.calls("POST", "/infer")) == 4  # 8, 4, 2, 1


# Other models


def replace_model(service: InProcess, model: CompiledModel) -> None:
    """Put another model behind the name, and wait until the service has noticed."""
    service.publish("digits", model)

    async def noticed() -> None:
        app: Any = service.balancer.app
        async with asyncio.timeout(240):
            while app._service.queries.model("digits", None).digest != model.signature.digest.hex():
                await asyncio.sleep(0.02)

    service.run(noticed)


def smaller(features: int) -> CompiledModel:
    """A model of the first pixels alone: another signature."""
    estimator = LogisticRegression(tol=0.1).fit(digits().X[:, :features], digits().y)
    return hermetic.compile(estimator, digits().X[:, :features], name="digits", input_range=(0, 16))


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[InProcess]:
    with running(tmp_path, {"digits": digits().model}) as service:
        yield service


@pytest.mark.parametrize("features", [63, 20])
def test_a_changed_model_is_refused_and_explained(features: int, changing: InProcess) -> None:
    """With 63 features a query has a size that the new model allows, with 20 it has not."""
    remote = hermetic.connect(URL, model="digits", transport=changing.transport)
    remote.predict(X)
    replace_model(changing, smaller(features))
    with pytest.raises(SignatureChangedError, match="must be the one connected to") as refused:
        remote.predict(X)
    assert f"features was 64 and is {features}" in refused.value.changes
    assert f"features was 64 and is {features}" in str(refused.value)
    assert isinstance(refused.value, MismatchError)


@cache
def retrained() -> Fitted:
    """The same interface, other weights."""
    estimator = LogisticRegression(C=1e-4, tol=0.1).fit(digits().X, digits().y)
    model = hermetic.compile(estimator, digits().X, name="digits", input_range=(0, 16))
    return Fitted(estimator, digits().X, digits().y, model)


def test_a_changed_model_is_taken_if_the_caller_says_so(changing: InProcess) -> None:
    model, some = retrained().model, digits().X[:700]
    remote = hermetic.connect(
        URL, model="digits", accept_changes=True, batch_size=100, in_flight=1, transport=changing.transport
    )
    key = remote.public_key.id
    replaced = []

    def replace_halfway(done: int, total: int) -> None:
        if done == 300 and not replaced:
            replaced.append(done)
            replace_model(changing, model)

    remote.set_params(progress=replace_halfway)
    labels = remote.predict(some)
    assert replaced
    # No mixture: every label is the new model's.
    np.testing.assert_array_equal(labels, retrained().estimator.predict(some))
    assert (labels[:300] != digits().estimator.predict(some[:300])).any()
    assert remote.signature == model.signature
    assert remote.public_key.id == key


def test_changes_that_do_not_fit_the_data_are_not_taken(changing: InProcess) -> None:
    remote = hermetic.connect(URL, model="digits", accept_changes=True, transport=changing.transport)
    remote.predict(X)
    replace_model(changing, smaller(20))
    with pytest.raises(hermetic.InputError, match="shape"):
        remote.predict(X)


def test_the_twin_sees_changes_too(changing: InProcess) -> None:
    async def ask() -> tuple[hermetic.AsyncRemoteModel, hermetic.AsyncRemoteModel]:
        options = {"model": "digits", "transport": changing.async_transport}
        strict = await hermetic.aconnect(URL, **options)
        lenient = await hermetic.aconnect(URL, accept_changes=True, **options)
        await strict.predict(X)
        await lenient.predict(X)
        return strict, lenient

    strict, lenient = changing.run(ask)
    replace_model(changing, retrained().model)

    async def ask_again() -> Any:
        with pytest.raises(SignatureChangedError):
            await strict.predict(X)
        return await lenient.predict(X), lenient.signature

    labels, signature = changing.run(ask_again)
    assert signature == retrained().signature
    np.testing.assert_array_equal(labels, retrained().estimator.predict(X))


def test_versions(tmp_path: Path) -> None:
    with running(tmp_path, {"digits": digits().model}) as service:
        service.publish("digits", smaller(20), version=2)
        deadline = time.monotonic() + 240
        while hermetic.connect(URL, model="digits", transport=service.transport).n_features_in_ != 20:
            assert time.monotonic() < deadline
        old = hermetic.connect(URL, model="digits", version=1, transport=service.transport)
        np.testing.assert_array_equal(old.predict(X), LABELS)
        with pytest.raises(ModelNotFoundError, match="'digits' version 3"):
            hermetic.connect(URL, model="digits", version="3", transport=service.transport)


@pytest.mark.parametrize("model", ["digit", "../models", "a b", "é", "%2e%2e"])
def test_a_wrong_name_is_answered_with_the_right_ones(model: str, connect: Connect) -> None:
    with pytest.raises(ModelNotFoundError, match="It has: diabetes, digits, petals, sepals, tumours") as refused:
        connect(model)
    assert refused.value.status == 404
    assert refused.value.request_id


# Tokens


def test_tokens(tmp_path: Path) -> None:
    lines = [token_line("ours", "good-token"), token_line("ours", "old-token", expires="2020-01-01")]
    (tmp_path / "tokens").write_text("\n".join(lines))
    with running(tmp_path, {"digits": digits().model}, tokens=tmp_path / "tokens") as service:
        options: dict[str, Any] = {"model": "digits", "transport": service.transport}
        np.testing.assert_array_equal(hermetic.connect(URL, token="good-token", **options).predict(X), LABELS)
        with pytest.raises(AuthenticationError, match="expired"):
            hermetic.connect(URL, token="old-token", **options)
        with pytest.raises(AuthenticationError, match="unknown or expired"):
            hermetic.connect(URL, token="bad-token", **options)
        with pytest.raises(AuthenticationError, match="None was given"):
            hermetic.connect(URL, **options)
        tokens = iter(["good-token"] * 2 + ["bad-token"])
        remote = hermetic.connect(URL, token=lambda: next(tokens), **options)
        with pytest.raises(AuthenticationError):
            remote.predict(X)


# Damaged, foreign and impossible answers


def flip(position: int) -> Callable[[bytes], bytes]:
    def change(body: bytes) -> bytes:
        damaged = bytearray(body)
        damaged[position] ^= 1
        return bytes(damaged)

    return change


@pytest.mark.parametrize("position", [-1, -40, -1000])
def test_a_damaged_answer(position: int, connect: Connect, service: InProcess) -> None:
    service.balancer.fail("/infer", rewrite(flip(position)))
    with pytest.raises(WireError, match="checksum"):
        connect().predict(X)


@pytest.mark.parametrize("end", [-500, -5000], ids=["c0", "c1"])
def test_a_forged_answer_with_a_right_checksum(end: int, connect: Connect, service: InProcess) -> None:
    """It no longer decrypts within the noise bound."""

    def forge(body: bytes) -> bytes:
        start, middle = body.index(b"HRMT"), len(body) + end
        inverted = bytes(byte ^ 255 for byte in body[middle - 100 : middle])
        envelope = body[start : middle - 100] + inverted + body[middle:-32]
        return body[:start] + envelope + hashlib.sha256(envelope).digest()

    remote, chosen = connect(), connect(secret_key=hermetic.SecretKey(digits().signature.parameters))
    for one in (remote, chosen):
        key = one.public_key.id
        service.balancer.fail("/infer", rewrite(forge))
        with pytest.raises(DecryptionError, match="noise bound"):
            one.predict(X)
        # A service that watches which forgeries are noticed learns about this key, and nothing about the next.
        assert (one.public_key.id == key) == (one is chosen)
        np.testing.assert_array_equal(one.predict(X), LABELS)


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_cut_answer(cut: int, connect: Connect, service: InProcess) -> None:
    service.balancer.fail("/infer", rewrite(lambda body: body[:-cut]))
    with pytest.raises(ProtocolError, match="must be"):
        connect().predict(X)


def test_an_answer_longer_than_it_can_be_is_not_read(connect: Connect, service: InProcess) -> None:
    service.balancer.fail("/infer", rewrite(lambda body: body + b"x"))
    with pytest.raises(ProtocolError, match="at most"):
        connect().predict(X)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{",
        b'{"outputs": []}',
        b'{"outputs": [{"name": "other", "datatype": "UINT8", "parameters": {"binary_data_size": 7}}]}',
        b"[" * 5000,
    ],
)
def test_an_answer_of_another_form(header: bytes, connect: Connect, service: InProcess) -> None:
    service.balancer.fail("/infer", refuse(200, header + b"1234567", inference_header_content_length=str(len(header))))
    with pytest.raises(ProtocolError):
        connect().predict(X)


@pytest.mark.parametrize("length", ["", "-1", "0", "x", "999999", "12345678901234567890"])
def test_an_answer_without_a_usable_length(length: str, connect: Connect, service: InProcess) -> None:
    service.balancer.fail("/infer", refuse(200, b"{}", inference_header_content_length=length))
    with pytest.raises(ProtocolError, match="Inference-Header-Content-Length"):
        connect().predict(X)


def answer_of_another(service: InProcess, remote: RemoteModel, samples: Any) -> bytes:
    """The body of the answer that another query got."""
    remote.predict(samples)
    return service.balancer.calls("POST", "/infer")[-1].answer


def with_id_of(request: bytes, answer: bytes) -> bytes:
    """The same answer, but to the request with this body."""
    wanted, found = (one[: one.index(b"HRMT")] for one in (request, answer))
    name = json.loads(found)["id"].encode()
    return answer.replace(name, json.loads(wanted)["id"].encode())


def test_another_clients_answer(connect: Connect, service: InProcess) -> None:
    """A proxy that mixes up connections, whether it notices the protocol's id or not."""
    foreign = answer_of_another(service, connect(), X)
    remote = connect()
    service.balancer.fail("/infer", rewrite(lambda body: foreign))
    with pytest.raises(ProtocolError, match="to this request"):
        remote.predict(X)
    service.balancer.fail(
        "/infer", rewrite(lambda body: with_id_of(service.balancer.calls("POST", "/infer")[-1].body, foreign))
    )
    with pytest.raises(MismatchError, match="another query, or another key"):
        remote.predict(X)


def test_an_answer_to_another_query_of_the_same_client(connect: Connect, service: InProcess) -> None:
    remote = connect()
    earlier = answer_of_another(service, remote, X[::-1])
    service.balancer.fail(
        "/infer", rewrite(lambda body: with_id_of(service.balancer.calls("POST", "/infer")[-1].body, earlier))
    )
    with pytest.raises(MismatchError, match="another query"):
        remote.predict(X)


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (refuse(404, b"<html>nginx</html>"), ProtocolError, "must be a Hermetic service"),
        (refuse(200, b"<html>hello</html>"), ProtocolError, "must describe a Hermetic model"),
        (refuse(200, b'{"parameters": {"signature": "AAAA"}}'), ProtocolError, "must publish a valid signature"),
        (refuse(301, b"", location="https://elsewhere"), ProtocolError, "redirects to https://elsewhere"),
        (refuse(200, b"x", content_encoding="gzip"), ProtocolError, "must not be compressed"),
        (refuse(500, b"Traceback"), RemoteError, "failed on the request"),
        (refuse(418), RefusedError, "refuses the request"),
        (refuse(403), AuthenticationError, "valid token"),
        (refuse(400, b'{"error": "\x1b[2J\\u001b[31mred"}'), RefusedError, r"\(400"),
    ],
)
def test_what_is_not_a_service(
    fault: Any, kind: type[RemoteError], message: str, connect: Connect, service: InProcess
) -> None:
    service.balancer.fail("/digits", fault)
    with pytest.raises(kind, match=message) as refused:
        connect()
    assert str(refused.value).isprintable()


def test_the_public_key_may_be_refused(connect: Connect, service: InProcess) -> None:
    remote = connect()
    service.balancer.fail(remote.public_key.id, refuse(409, b'{"error": "a tenant may store 3 keys."}'))
    with pytest.raises(RefusedError, match="may store 3 keys"):
        remote.predict(X)
    np.testing.assert_array_equal(remote.predict(X), LABELS)


def test_requests_are_what_the_contract_says(connect: Connect, service: InProcess) -> None:
    """The protocol's binary extension, the exact length, and no compression."""
    connect().predict(X)
    (post,) = service.balancer.calls("POST", "/v2/models/digits/infer")
    split = int(post.headers["inference-header-content-length"])
    (tensor,) = json.loads(post.body[:split])["inputs"]
    assert tensor["shape"] == [len(post.body) - split] == [tensor["parameters"]["binary_data_size"]]
    assert post.body[split:][:4] == b"HRMT"
    assert int(post.headers["content-length"]) == len(post.body)
    assert post.headers["accept-encoding"] == "identity"
    assert len(post.headers["x-request-id"]) == 16


def test_paths_are_quoted() -> None:
    from hermetic.remote.settings import Settings

    settings = Settings(url="https://host/prefix/", model="a/../b?c#d é", version="1/2")
    assert ModelRequests(settings).description().url == (
        "https://host/prefix/v2/models/a%2F..%2Fb%3Fc%23d%20%C3%A9/versions/1%2F2"
    )
