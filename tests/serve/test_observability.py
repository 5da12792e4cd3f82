"""Logs, metrics and traces: what an operator sees, and what must never be in them."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from asking import Caller, binary_request, json_request, split_answer, until
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from fitted import petals
from hermetic.serve.access import new_token, token_line
from hermetic.serve.failures import describe_failure
from hermetic.serve.logs import FIELDS, JsonFormatter
from live import Live, serving


@pytest.fixture
def log_of(tmp_path: Path) -> Iterator[Callable[..., tuple[Live, dict[str, str]]]]:
    """Starts a service with tokens; gives it and the tokens."""
    with contextlib.ExitStack() as stack:

        def start(*options: str) -> tuple[Live, dict[str, str]]:
            tokens = {"acme": new_token(), "ops": new_token()}
            lines = token_line("acme", tokens["acme"]), token_line("ops", tokens["ops"], role="metrics")
            (tmp_path / "tokens").write_text("\n".join(lines))
            live = stack.enter_context(
                serving(tmp_path, {"petals": petals().model}, "--tokens", str(tmp_path / "tokens"), *options)
            )
            return live, tokens

        yield start


def requests_of(live: Live) -> list[dict[str, Any]]:
    return [one for one in live.log if one.get("event") == "request"]


def test_one_line_a_request_says_who_what_and_how_long(log_of: Callable[..., tuple[Live, dict[str, str]]]) -> None:
    live, tokens = log_of()
    caller = Caller(live.url, petals(), token=tokens["acme"])
    caller.put_key()
    body, headers = binary_request(caller.query(5).to_bytes())
    answer = caller.http.post("/v2/models/petals/infer", content=body, headers={**headers, "X-Request-ID": "mine"})
    until(lambda: any(one["request_id"] == "mine" for one in requests_of(live)))
    (line,) = [one for one in requests_of(live) if one["request_id"] == "mine"]
    assert line["tenant"] == "acme"
    assert (line["model"], line["version"], line["samples"]) == ("petals", 1, 5)
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v2/models/{model}/infer", 200)
    assert (line["bytes_in"], line["bytes_out"]) == (len(body), len(answer.content))
    assert 0 < line["evaluation_ms"] < line["ms"]
    assert line["queue_ms"] >= 0


def test_a_refusal_is_logged_with_its_code(log_of: Callable[..., tuple[Live, dict[str, str]]]) -> None:
    live, _ = log_of()
    httpx.get(f"{live.url}/models", headers={"X-Request-ID": "nobody"})
    until(lambda: any(one["request_id"] == "nobody" for one in requests_of(live)))
    (line,) = [one for one in requests_of(live) if one["request_id"] == "nobody"]
    assert (line["status"], line["code"]) == (401, "missing_token")
    assert "tenant" not in line


def test_no_secret_is_ever_logged(log_of: Callable[..., tuple[Live, dict[str, str]]]) -> None:
    """Tokens, keys, inputs and ciphertexts, sent rightly and in every wrong place: no piece of them is in the log."""
    live, tokens = log_of("--log-level", "debug")
    caller = Caller(live.url, petals(), token=tokens["acme"])
    wrong = new_token()
    query = caller.query(3).to_bytes()
    key = caller.client.public_key.to_bytes()
    caller.put_key()
    answer = caller.infer(query)
    _, result = split_answer(answer)
    text = base64.b64encode(query).decode()
    flipped = query[:200] + bytes([query[200] ^ 1]) + query[201:]
    for send in (
        lambda: caller.infer(flipped),
        lambda: caller.infer(key),
        lambda: caller.http.put(f"/keys/{'0' * 64}", content=key),
        lambda: caller.http.post("/score", json={"data": [text], "key_id": caller.key_id, "token": tokens["acme"]}),
        lambda: caller.http.post("/score", content=query),
        lambda: caller.http.post("/v2/models/petals/infer", json=json_request(query)),
        lambda: caller.http.get(f"/models/{tokens['acme']}/signature"),
        lambda: caller.http.get("/models", params={"token": tokens["acme"]}),
        lambda: caller.http.get(f"/{tokens['acme']}"),
        lambda: caller.http.get(f"/keys/{tokens['acme']}"),
        lambda: httpx.get(f"{live.url}/models", headers={"Authorization": f"Bearer {wrong}"}),
        lambda: httpx.get(f"{live.url}/models", headers={"Authorization": wrong}),
        lambda: httpx.get(f"{live.url}/models", headers={"X-Request-ID": f"{wrong} {wrong}"}),
    ):
        send()
    live.process.terminate()
    live.process.wait(timeout=120)
    log = json.dumps(live.log)
    assert len(requests_of(live)) >= 15
    for secret in (tokens["acme"], tokens["ops"], wrong):
        assert secret not in log
        assert secret.removeprefix("hermetic_")[:12] not in log
    for data in (query, key, result, flipped):
        for start in range(0, len(data) - 48, 997):
            piece = data[start : start + 12]
            assert piece.hex() not in log
            assert base64.b64encode(piece).decode() not in log
            assert repr(piece)[2:-1] not in log


def test_every_line_is_json_with_known_fields(log_of: Callable[..., tuple[Live, dict[str, str]]]) -> None:
    live, tokens = log_of()
    Caller(live.url, petals(), token=tokens["acme"]).put_key()
    httpx.get(f"{live.url}/nowhere")
    live.process.terminate()
    live.process.wait(timeout=120)
    assert len(live.log) > 3
    for line in live.log:
        assert {"time", "level", "message"} <= set(line) <= {"time", "level", "message", *FIELDS}


def test_a_failure_is_logged_by_its_place_alone() -> None:
    def fails(secret: str) -> None:
        raise ValueError(f"cannot read {secret}")

    try:
        fails("hermetic_secret")
    except ValueError as error:
        described = describe_failure(error)
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "request failed", None, (ValueError, error, None))
    assert "secret" not in described
    assert "ValueError at" in described
    assert "test_observability.py:" in described
    assert "secret" not in JsonFormatter().format(record)


def test_a_line_cannot_be_forged() -> None:
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, 'a\n{"level": "info"}', None, None)
    assert "\n" not in JsonFormatter().format(record)


def test_metrics_are_what_prometheus_reads(log_of: Callable[..., tuple[Live, dict[str, str]]]) -> None:
    live, tokens = log_of()
    caller = Caller(live.url, petals(), token=tokens["acme"])
    caller.put_key()
    for count in (1, 2, 3):
        assert caller.works(count)
    httpx.get(f"{live.url}/nowhere/{new_token()}")
    text = httpx.get(f"{live.url}/metrics", headers={"Authorization": f"Bearer {tokens['ops']}"}).text
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["hermetic_predictions_total", "petals"] == 6
    assert samples["hermetic_requests_total", "/v2/models/{model}/infer", "200", "POST"] == 3
    assert samples["hermetic_requests_total", "404", "any", "unknown"] == 1
    assert samples["hermetic_evaluation_seconds_count", "petals"] == 3
    assert samples["hermetic_models",] == 1
    assert samples["hermetic_workers",] == 1
    assert samples["process_resident_memory_bytes",] > 0
    assert "acme" not in text


def test_labels_do_not_grow_with_what_callers_make_up(log_of: Callable[..., tuple[Live, dict[str, str]]]) -> None:
    live, tokens = log_of()

    def lines() -> int:
        text = httpx.get(f"{live.url}/metrics", headers={"Authorization": f"Bearer {tokens['ops']}"}).text
        return len(text.splitlines())

    with httpx.Client(base_url=live.url, headers={"Authorization": f"Bearer {tokens['acme']}"}) as http:
        for address in ("/made-up", "/models/made-up/signature", "/v2/models/made-up", "/keys/made-up"):
            http.get(address)
        http.request("MADEUP", "/made-up")
        lines()  # counts itself from now on
        before = lines()
        for i in range(50):
            for address in (f"/{i}", f"/models/m{i}/signature", f"/v2/models/m{i}", f"/keys/{i}"):
                http.get(address)
            http.request(f"X{chr(65 + i % 26)}", "/made-up")
        assert lines() == before


class Collector(BaseHTTPRequestHandler):
    """Receives traces as an OpenTelemetry collector does."""

    spans: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans.extend((names["service.name"], span) for span in scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_traces_are_exported_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    token = new_token()
    (tmp_path / "tokens").write_text(token_line("acme", token))
    options = ("--telemetry", "--tokens", str(tmp_path / "tokens"))
    with serving(tmp_path, {"petals": petals().model}, *options) as live:
        caller = Caller(live.url, petals(), token=token)
        caller.put_key()
        assert caller.works(2)
        httpx.get(f"{live.url}/healthz")
        live.process.terminate()
        assert live.process.wait(timeout=120) == 0
    collector.shutdown()
    names = [span.name for _, span in Collector.spans]
    assert any("infer" in name for name in names)
    assert not any("healthz" in name for name in names)
    assert {service for service, _ in Collector.spans} == {"hermetic"}
    assert token not in str(Collector.spans)


def test_telemetry_needs_its_libraries(tmp_path: Path) -> None:
    """In an interpreter that cannot import them, the service says what to install."""
    code = (
        "import sys; sys.modules['opentelemetry.instrumentation.asgi'] = None\n"
        "from hermetic.serve.telemetry import traced\ntraced(None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert "pip install 'hermetic[otel]'" in done.stderr
