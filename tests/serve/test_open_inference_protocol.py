"""The Open Inference Protocol, seen by a client that nobody here wrote: Triton's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from asking import Caller, binary_request, json_request, split_answer

from fitted import digits
from hermetic import Result
from hermetic.signature import Signature
from live import Live


@pytest.fixture(scope="module")
def triton_client(service: Live) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(service.url.removeprefix("http://"), concurrency=4)
    yield client
    client.close()


def triton_input(data: bytes, *, binary: bool) -> triton.InferInput:
    tensor = triton.InferInput("query", [len(data)], "UINT8")
    tensor.set_data_from_numpy(np.frombuffer(data, dtype=np.uint8), binary_data=binary)
    return tensor


def test_health(triton_client: triton.InferenceServerClient) -> None:
    assert triton_client.is_server_live()
    assert triton_client.is_server_ready()
    assert triton_client.is_model_ready("digits")
    assert triton_client.is_model_ready("digits", "1")
    assert not triton_client.is_model_ready("digits", "2")
    assert not triton_client.is_model_ready("letters")


def test_metadata(triton_client: triton.InferenceServerClient) -> None:
    server = triton_client.get_server_metadata()
    assert server["name"] == "hermetic"
    assert "binary_tensor_data" in server["extensions"]
    model = triton_client.get_model_metadata("digits")
    assert model["versions"] == ["1"]
    assert model["inputs"] == [{"name": "query", "datatype": "UINT8", "shape": [-1]}]
    assert model["outputs"] == [{"name": "result", "datatype": "UINT8", "shape": [-1]}]


def test_metadata_carries_the_public_signature(triton_client: triton.InferenceServerClient) -> None:
    parameters = triton_client.get_model_metadata("digits", "1")["parameters"]
    signature = Signature.from_bytes(base64.b64decode(parameters["signature"]))
    assert signature == digits().signature
    assert parameters["signature_digest"] == digits().signature.digest.hex()


@pytest.mark.parametrize("binary_query", [True, False])
@pytest.mark.parametrize("binary_result", [True, False])
def test_triton_gets_the_right_scores(
    triton_client: triton.InferenceServerClient, known: Caller, binary_query: bool, binary_result: bool
) -> None:
    given = triton_input(known.query(7).to_bytes(), binary=binary_query)
    wanted = triton.InferRequestedOutput("result", binary_data=binary_result)
    answer = triton_client.infer("digits", [given], outputs=[wanted], request_id="seven", model_version="1")
    assert answer.get_response()["id"] == "seven"
    assert answer.get_response()["model_version"] == "1"
    result = Result.from_bytes(answer.as_numpy("result").astype(np.uint8).tobytes(), digits().signature)
    assert known.client.predict(result).tolist() == digits().estimator.predict(digits().X[:7]).tolist()


def test_triton_asks_many_at_once(triton_client: triton.InferenceServerClient, known: Caller) -> None:
    given = [triton_input(known.query(n).to_bytes(), binary=True) for n in (1, 2, 3, 4, 5, 6, 7, 8)]
    answers = [triton_client.async_infer("digits", [one]) for one in given]
    for count, answer in enumerate(answers, start=1):
        result = Result.from_bytes(answer.get_result().as_numpy("result").tobytes(), digits().signature)
        assert result.samples == count
        assert known.client.predict(result).tolist() == digits().estimator.predict(digits().X[:count]).tolist()


def test_triton_sees_an_error_as_the_protocol_says(triton_client: triton.InferenceServerClient) -> None:
    with pytest.raises(triton.InferenceServerException, match="the model was not found"):
        triton_client.infer("letters", [triton_input(b"abc", binary=False)])


def test_triton_compressing_its_request_is_refused(triton_client: triton.InferenceServerClient, known: Caller) -> None:
    with pytest.raises(triton.InferenceServerException, match="must not be compressed"):
        triton_client.infer(
            "digits", [triton_input(known.query().to_bytes(), binary=True)], request_compression_algorithm="gzip"
        )


def test_the_id_is_echoed_only_when_there_is_one(known: Caller) -> None:
    body, headers = binary_request(known.query().to_bytes(), id="é-1")
    answer = known.http.post("/v2/models/digits/infer", content=body, headers=headers)
    assert split_answer(answer)[0]["id"] == "é-1"
    assert "id" not in split_answer(known.infer(known.query()))[0]


def test_without_a_wish_the_answer_is_json(known: Caller) -> None:
    answer = known.http.post("/v2/models/digits/infer", json=json_request(known.query().to_bytes(), id="x"))
    (output,) = answer.json()["outputs"]
    assert answer.json()["id"] == "x"
    assert output["shape"] == [len(output["data"])]
    result = Result.from_bytes(bytes(output["data"]), digits().signature)
    assert known.client.predict(result).tolist() == digits().estimator.predict(digits().X[:1]).tolist()


def test_the_request_may_wish_for_binary_outputs_as_a_whole(known: Caller) -> None:
    request = json_request(known.query().to_bytes(), parameters={"binary_data_output": True})
    assert known.is_right(known.http.post("/v2/models/digits/versions/1/infer", json=request))


NULL = {"parameters": None, "id": None, "outputs": None}


@pytest.mark.parametrize(
    ("request_members", "tensor_members"),
    [
        (NULL, {"parameters": None}),
        ({"outputs": [{"name": "result", "parameters": None}]}, {"parameters": {"binary_data_size": None}}),
        ({"outputs": [{"name": "result", "parameters": {"binary_data": None}}]}, {"parameters": {}}),
        ({"parameters": {"binary_data_output": None}, "unknown": None}, {"unknown": None}),
        ({"model_name": None, "model_version": None}, {}),
    ],
)
def test_a_member_that_is_null_is_one_left_out(
    known: Caller, request_members: dict[str, Any], tensor_members: dict[str, Any]
) -> None:
    request = json_request(known.query().to_bytes()) | request_members
    request["inputs"][0] |= tensor_members
    answer = known.http.post("/v2/models/digits/infer", json=request)
    assert answer.status_code == 200, answer.text
    (output,) = answer.json()["outputs"]
    result = Result.from_bytes(bytes(output["data"]), digits().signature)
    assert known.client.predict(result).tolist() == digits().estimator.predict(digits().X[:1]).tolist()
    assert "id" not in answer.json()


def test_null_members_of_a_binary_request_too(known: Caller) -> None:
    query = known.query().to_bytes()
    wish = [{"name": "result", "parameters": {"binary_data": None}}]
    head, raw = split_request(*binary_request(query))
    head |= {"id": None, "outputs": wish, "parameters": {"binary_data_output": True}}
    head["inputs"][0]["data"] = None
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    assert known.is_right(known.http.post("/v2/models/digits/infer", content=text + raw, headers=headers))


@pytest.mark.parametrize("missing", ["inputs", "name", "datatype", "shape", "data"])
def test_what_is_needed_and_null_is_named(known: Caller, missing: str) -> None:
    request = json_request(QUERY)
    (request if missing == "inputs" else request["inputs"][0])[missing] = None
    answer = known.http.post("/v2/models/digits/infer", json=request)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert missing in answer.json()["error"]


def split_request(body: bytes, headers: dict[str, str]) -> tuple[dict[str, Any], bytes]:
    length = int(headers["Inference-Header-Content-Length"])
    return json.loads(body[:length]), body[length:]


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": list(bytes(100))}])
def test_a_declared_length_without_its_bytes_is_said(known: Caller, data: dict[str, Any]) -> None:
    """The JSON head of a binary request, sent without the bytes after it, or without saying where it ends."""
    head, _ = split_request(*binary_request(known.query().to_bytes()))
    head["inputs"][0] |= data
    answer = known.http.post("/v2/models/digits/infer", json=head)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    size = head["inputs"][0]["parameters"]["binary_data_size"]
    assert f"binary_data_size says that {size} bytes follow the JSON" in answer.json()["error"]
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    alone = known.http.post("/v2/models/digits/infer", content=text, headers=headers)
    assert (alone.status_code, alone.json()["code"]) == (422, "malformed")
    assert "The bytes of the tensor must follow it" in alone.json()["error"]


QUERY = bytes(100)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": []}, "the one tensor 'query'"),
        ({"inputs": {}}, "inputs must be a JSON list"),
        ({"inputs": [{"name": "query", "datatype": "FP32", "shape": [1], "data": [1]}]}, "datatype UINT8"),
        ({"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1], "data": [1]}]}, "named 'query'"),
        ({"inputs": [{"name": "query", "datatype": "UINT8", "shape": [1]}]}, "data must be a JSON list"),
        ({"inputs": [{"name": "query", "datatype": "UINT8", "shape": [2], "data": [1, 256]}]}, "from 0 to 255"),
        ({"inputs": [{"name": "query", "datatype": "UINT8", "shape": [2], "data": [1, 0.5]}]}, "from 0 to 255"),
        ({"inputs": [{"name": "query", "datatype": "UINT8", "shape": [2], "data": [1]}]}, "shape must be"),
        ({"outputs": [{"name": "weights"}]}, "outputs must name nothing but 'result'"),
        ({"outputs": 5}, "outputs must be a JSON list"),
        ({"id": 5}, "id must be a string"),
        ({"parameters": {"binary_data_output": "yes"}}, "must be true or false"),
    ],
)
def test_malformed_requests_say_what_must_be(known: Caller, change: dict[str, object], message: str) -> None:
    answer = known.http.post("/v2/models/digits/infer", json={**json_request(QUERY), **change})
    assert answer.status_code == 422
    assert answer.json()["code"] == "malformed"
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"inputs": ' + b"9" * 5000 + b"}", b"\xff"]
)
def test_what_is_no_json_object_is_refused(known: Caller, body: bytes) -> None:
    answer = known.http.post("/v2/models/digits/infer", content=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "malformed"


@pytest.mark.parametrize("length", ["0", "-1", "x", "1e3", "99999999999", "²"])
def test_the_length_of_the_json_head_must_make_sense(known: Caller, length: str) -> None:
    body, _ = binary_request(known.query().to_bytes())
    headers = {"Inference-Header-Content-Length": length.encode()}
    answer = known.http.post("/v2/models/digits/infer", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")


def test_the_declared_tensor_size_must_be_what_came(known: Caller) -> None:
    query = known.query().to_bytes()
    body, headers = binary_request(query)
    lying = body.replace(f'"binary_data_size": {len(query)}'.encode(), f'"binary_data_size": {len(query) - 1}'.encode())
    assert lying != body
    answer = known.http.post("/v2/models/digits/infer", content=lying, headers=headers)
    assert answer.status_code == 422
    assert "binary_data_size" in answer.json()["error"]
