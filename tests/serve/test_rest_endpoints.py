"""The service's own addresses: models, signatures, ``/score``, health, and one form for every error."""

from __future__ import annotations

import base64
import hashlib
import json

import httpx
import numpy as np
import pytest
from asking import Caller

from fitted import digits, petals, tumours
from hermetic import Result
from hermetic.envelope import VERSION
from hermetic.signature import Signature
from live import Live


def score(caller: Caller, *queries: bytes, **members: object) -> httpx.Response:
    data = [base64.b64encode(one).decode() for one in queries]
    return caller.http.post("/score", json={"data": data, "key_id": caller.key_id, **members})


def test_models_are_listed(service: Live) -> None:
    listed = {one["name"]: one for one in httpx.get(f"{service.url}/models").json()}
    assert set(listed) == {"digits", "petals", "tumours"}
    assert listed["petals"] == {
        "name": "petals",
        "versions": [1],
        "signature_digest": petals().signature.digest.hex(),
    }


def test_the_signature_as_envelope_and_as_json(service: Live) -> None:
    for address in ("/models/tumours/signature", "/models/tumours/versions/1/signature"):
        answer = httpx.get(service.url + address)
        assert Signature.from_bytes(answer.content) == tumours().signature
        assert answer.headers["etag"] == f'"{tumours().signature.digest.hex()}"'
        as_json = httpx.get(service.url + address, headers={"Accept": "application/json"})
        assert as_json.content == tumours().signature.json


def test_an_unchanged_signature_is_not_sent_again(service: Live) -> None:
    address = f"{service.url}/models/tumours/signature"
    tag = httpx.get(address).headers["etag"]
    again = httpx.get(address, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert httpx.get(address, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/models/letters/signature",
        "/models/digits/versions/2/signature",
        "/models/digits/versions/0/signature",
        "/models/digits/versions/01/signature",
        "/models/digits/versions/latest/signature",
        "/models/digits/versions/²/signature",
        "/models/..%2f..%2fdigits/signature",
        "/v2/models/letters",
        "/v2/models/digits/versions/2",
        "/v2/models/digits/versions/2/ready",
        "/static/../app.py",
        "/static/app.py",
        "/nowhere",
        "/healthz/",
        "//healthz",
    ],
)
def test_what_does_not_exist_is_404(service: Live, address: str) -> None:
    answer = httpx.get(service.url + address)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert isinstance(answer.json()["error"], str)


def test_the_score_form_answers_in_order(known: Caller) -> None:
    queries = [known.client.encrypt(np.asarray(digits().X)[i : i + 2]) for i in (0, 10, 20)]
    for members in ({}, {"model": "digits"}):
        answer = score(known, *(one.to_bytes() for one in queries), **members)
        assert answer.status_code == 200
        for i, text in zip((0, 10, 20), answer.json(), strict=True):
            result = Result.from_bytes(base64.b64decode(text), digits().signature)
            assert known.client.predict(result).tolist() == digits().estimator.predict(digits().X[i : i + 2]).tolist()


def test_the_score_form_finds_the_model_by_the_signature_in_the_query(service: Live) -> None:
    for fitted in (petals(), tumours()):
        caller = Caller(service.url, fitted)
        caller.put_key()
        (text,) = score(caller, caller.query(5).to_bytes()).json()
        result = Result.from_bytes(base64.b64decode(text), fitted.signature)
        assert caller.client.predict(result).tolist() == fitted.estimator.predict(fitted.X[:5]).tolist()


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({"data": "abc"}, 422, "malformed"),
        ({"data": []}, 422, "malformed"),
        ({"data": ["%%%"]}, 422, "malformed"),
        ({"data": [5]}, 422, "malformed"),
        ({"data": ["é"]}, 422, "malformed"),
        ({"data": ["QUJD"]}, 404, "not_found"),
        ({"data": ["QUJD"], "model": "digits"}, 422, "malformed"),
        ({"data": ["QUJD"] * 65}, 422, "malformed"),
        ({"key_id": 5}, 422, "malformed"),
        ({"key_id": "abc"}, 422, "malformed"),
        ({"key_id": "0" * 64}, 422, "malformed"),
        ({"model": 5}, 422, "malformed"),
        ({"model": "letters"}, 404, "not_found"),
        ({"model": "petals"}, 409, "signature_changed"),
    ],
)
def test_bad_score_requests(known: Caller, members: dict[str, object], status: int, code: str) -> None:
    answer = score(known, known.query().to_bytes(), **members)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_query_for_another_signature_says_which_is_current(known: Caller) -> None:
    answer = known.infer(known.query(), "petals")
    assert (answer.status_code, answer.json()["code"]) == (409, "signature_changed")
    assert answer.json()["signature_digest"] == petals().signature.digest.hex()


def test_a_query_of_another_size_for_another_signature_too(service: Live) -> None:
    """The size tells only that something is wrong; the caller learns what from the start of the body."""
    caller = Caller(service.url, digits())
    large = caller.query(1000)
    answer = caller.infer(large, "petals")
    assert (answer.status_code, answer.json()["code"]) == (409, "signature_changed")


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize("named", [True, False])
def test_a_query_of_a_later_version_asks_for_an_update(known: Caller, count: int, named: bool) -> None:
    """Whether its size is one of this version's or not, and whether it names its model or not."""
    later = bytearray(known.query(count).to_bytes())
    later[4] = VERSION + 1
    later[-32:] = hashlib.sha256(later[:-32]).digest()
    answers = [
        score(known, bytes(later), **({"model": "digits"} if named else {})),
        known.infer(bytes(later) + b"more"),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
        assert f"version must be {VERSION}. Got {VERSION + 1} instead: update Hermetic" in answer.json()["error"]


def test_health_says_how_it_is(service: Live) -> None:
    assert httpx.get(f"{service.url}/healthz").json() == {"status": "ok", "ready": True, "workers": 2}


def test_methods_that_an_address_does_not_have(service: Live) -> None:
    for method, address in (("POST", "/healthz"), ("DELETE", "/models"), ("PATCH", "/keys/x"), ("GET", "/score")):
        answer = httpx.request(method, service.url + address)
        assert answer.status_code == 405
        assert answer.json()["code"] == "method_not_allowed"
        assert answer.headers["allow"]


def test_the_request_id_is_echoed_or_made(service: Live) -> None:
    address = f"{service.url}/healthz"
    assert httpx.get(address, headers={"X-Request-ID": "a-1.b_2"}).headers["x-request-id"] == "a-1.b_2"
    made = {httpx.get(address).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    for bad in ('"quoted"', "a" * 65, "two words"):
        assert httpx.get(address, headers={"X-Request-ID": bad}).headers["x-request-id"] != bad


def test_the_evaluation_time_is_told(known: Caller) -> None:
    timing = known.infer(known.query()).headers["server-timing"]
    assert float(timing.split("dur=")[1].split(",")[0]) > 0


def test_nothing_is_told_about_the_server_software(service: Live) -> None:
    assert "server" not in httpx.get(f"{service.url}/healthz").headers


def test_the_openapi_document_is_valid_and_has_every_address(service: Live) -> None:
    from openapi_spec_validator import validate

    from hermetic.serve import brand, browser, openapi, pages, rest, v2

    document = httpx.get(f"{service.url}/openapi.json").json()
    validate(document)
    made = [one for module in (browser, brand, pages, v2, rest, openapi) for one in module.routes()]
    served = {(one.path, method.lower()) for one in made for method in one.methods}  # type: ignore[attr-defined]
    told = {(path, method) for path, node in document["paths"].items() for method in node if method != "parameters"}
    assert told <= served
    assert {path for path, _ in served} - {path for path, _ in told} == {"/static/{file}", "/page/{name}", "/logo"}
    assert json.dumps(document).count('"security": []') == len(told)
