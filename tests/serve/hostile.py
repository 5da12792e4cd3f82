"""Requests that nobody honest sends, each with the statuses it may get, and many connections to send them on.

Every attack is a function of a source of random numbers and of :class:`Material`: a valid query, key and model to
start from. What it may be answered is part of the attack, so that a forged query that is answered counts as a failure.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from asking import BINARY, binary_request

CHECKSUM_BYTES = 32
BODY_START = 32
BATCH_END = BODY_START + 115
PIPELINED = 16
PATIENCE = 240


@dataclass(frozen=True)
class Material:
    """What an attacker has: everything that a client of the service has, and other objects of the wire format."""

    model: str
    query: bytes
    key_id: str
    key: bytes
    signature: bytes
    result: bytes

    @property
    def infer(self) -> str:
        return f"/v2/models/{self.model}/infer"


@dataclass(frozen=True)
class Attack:
    """One request.

    Attributes
    ----------
    kind
        For reports.
    data
        The bytes that go over the connection.
    allowed
        Statuses that it may get; 503, deliberate back-pressure, always may come instead.
    closes
        Whether the connection is of no use afterwards, and the answer may be lost with it.
    bodiless
        Whether the answer has no body whatever its headers say (``HEAD``).
    """

    kind: str
    data: bytes = field(repr=False)
    allowed: frozenset[int]
    closes: bool = False
    bodiless: bool = False


Make = Callable[[random.Random, Material], Attack]
_MAKERS: list[tuple[Make, int]] = []


def _attack(weight: int) -> Callable[[Make], Make]:
    """Use the function that often, in proportion."""

    def note(make: Make) -> Make:
        _MAKERS.append((make, weight))
        return make

    return note


def attacks(material: Material, count: int, seed: int) -> Iterator[Attack]:
    """That many attacks: every kind first, and then at random."""
    source = random.Random(seed)
    makers, weights = zip(*_MAKERS, strict=True)
    chosen = [*makers, *source.choices(makers, weights, k=count)][:count]
    return (make(source, material) for make in chosen)


def http(method: str, target: str, body: bytes | None = None, **headers: str) -> bytes:
    """A well-formed request; underscores in the names of headers stand for dashes."""
    lines = {"Host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        lines.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")


def sealed(envelope: bytes) -> bytes:
    """The envelope with the checksum that fits what it says now."""
    start = envelope[:-CHECKSUM_BYTES]
    return start + hashlib.sha256(start).digest()


def flipped(source: random.Random, data: bytes, start: int = 0, end: int | None = None) -> bytes:
    """1 to 8 bits of a stretch of the data turned over."""
    changed = bytearray(data)
    for place in source.sample(range(8 * start, 8 * (len(data) if end is None else end)), source.randint(1, 8)):
        changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def _infer(kind: str, material: Material, query: bytes, *allowed: int) -> Attack:
    body, headers = binary_request(query)
    return Attack(kind, http("POST", material.infer, body, **headers), frozenset(allowed))


def _infer_json(kind: str, material: Material, document: Any, *allowed: int) -> Attack:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Attack(kind, http("POST", material.infer, text), frozenset(allowed))


# Queries


@_attack(60)
def replayed(source: random.Random, material: Material) -> Attack:
    """The one query that is answered: the same bytes, again and again."""
    return _infer("replayed", material, material.query, 200)


@_attack(150)
def damaged(source: random.Random, material: Material) -> Attack:
    return _infer("damaged", material, flipped(source, material.query), 409, 422, 424)


@_attack(60)
def forged_words(source: random.Random, material: Material) -> Attack:
    """Other ciphertexts under a checksum that fits: a query like any other, as long as the words are residues."""
    end = len(material.query) - CHECKSUM_BYTES
    return _infer("forged words", material, sealed(flipped(source, material.query, BATCH_END, end)), 200, 422)


@_attack(100)
def words_too_large(source: random.Random, material: Material) -> Attack:
    start = source.randrange(BATCH_END, len(material.query) - CHECKSUM_BYTES - 64)
    query = bytearray(material.query)
    query[start : start + 64] = b"\xff" * 64
    return _infer("words too large", material, sealed(bytes(query)), 422)


@_attack(150)
def forged_header(source: random.Random, material: Material) -> Attack:
    """Magic, version, kind, reserved bytes, length or parameters."""
    return _infer("forged header", material, sealed(flipped(source, material.query, 0, BODY_START)), 409, 422)


@_attack(150)
def forged_batch(source: random.Random, material: Material) -> Attack:
    """Another model, key, number of samples, layout or reserved bytes. A larger layout may fit and is answered."""
    start = BODY_START + source.choice((0, 32, 96, 112))
    end = BATCH_END if start == BODY_START + 112 else start + (16 if start == BODY_START + 96 else 32)
    return _infer("forged batch", material, sealed(flipped(source, material.query, start, end)), 200, 409, 422, 424)


@_attack(100)
def impossible_layout(source: random.Random, material: Material) -> Attack:
    numbers = [source.choice((0, 2, 3, 2**31, 2**32 - 1, source.getrandbits(32))) for _ in range(4)]
    query = bytearray(material.query)
    query[BODY_START + 96 : BODY_START + 112] = b"".join(one.to_bytes(4, "little") for one in numbers)
    return _infer("impossible layout", material, sealed(bytes(query)), 422)


@_attack(300)
def truncated_query(source: random.Random, material: Material) -> Attack:
    length = min(int(source.expovariate(1 / 400)), len(material.query) - 1)
    cut = material.query[:length] if source.random() < 0.5 else material.query[: len(material.query) - 1 - length]
    return _infer("truncated query", material, source.choice((cut, sealed(cut))), 409, 422)


@_attack(60)
def oversized_query(source: random.Random, material: Material) -> Attack:
    more = source.choice((1, 31, 32, 4096, len(material.query)))
    longer = material.query + source.randbytes(more)
    return _infer("oversized query", material, source.choice((longer, sealed(longer))), 409, 413, 422)


@_attack(5)
def enormous_query(source: random.Random, material: Material) -> Attack:
    """A length far beyond any query's, declared and not sent."""
    length = str(source.choice((2**31, 2**32, 2**40, 2**62)))
    request = http("POST", material.infer, None, Inference_Header_Content_Length="100", Content_Length=length)
    return Attack("enormous query", request + material.query[:200], frozenset({409, 413, 422}), closes=True)


@_attack(100)
def wrong_kind(source: random.Random, material: Material) -> Attack:
    other = source.choice((material.key, material.signature, material.result))
    return _infer("wrong kind", material, other, 409, 413, 422)


@_attack(100)
def random_query(source: random.Random, material: Material) -> Attack:
    return _infer("random query", material, source.randbytes(len(material.query)), 422)


@_attack(50)
def another_key(source: random.Random, material: Material) -> Attack:
    start = BODY_START + 32
    query = material.query[:start] + source.randbytes(32) + material.query[start + 32 :]
    return _infer("another key", material, sealed(query), 424)


# The Open Inference Protocol


@_attack(900)
def lying_head_length(source: random.Random, material: Material) -> Attack:
    body, headers = binary_request(material.query[: source.choice((0, 10, 300))])
    true = int(headers[BINARY])
    lies = ("", "-1", "0", "+5", "1e3", "0x10", "\xb2", "9" * 9, "9" * 30, "16385")
    lie = source.choice((*lies, str(true + source.choice((-2, -1, 1, 2))), f"{true}, {true}"))
    return Attack("lying head length", http("POST", material.infer, body, **{BINARY: lie}), frozenset({409, 413, 422}))


@_attack(120)
def lying_tensor(source: random.Random, material: Material) -> Attack:
    """The head of a binary request says something else than what follows it."""
    size = len(material.query)
    parameters = source.choice((None, [], "x", {}, {"binary_data_size": source.choice(_numbers(source, size))}))
    tensor = {"name": "query", "datatype": "UINT8", "shape": [size], "parameters": parameters}
    if source.random() < 0.3:
        tensor |= {"parameters": {"binary_data_size": size}, **source.choice(_TENSOR_LIES)}
    head = json.dumps({"inputs": [tensor]}).encode()
    body = head + material.query
    return Attack(
        "lying tensor", http("POST", material.infer, body, **{BINARY: str(len(head))}), frozenset({422})
    )  # fmt: skip


def _numbers(source: random.Random, true: int) -> list[Any]:
    return [
        -1,
        0,
        true - 1,
        true + 1,
        2**31,
        2**64,
        10**400,
        1.5,
        1e308,
        float("nan"),
        str(true),
        True,
        source.random(),
    ]


_TENSOR_LIES: tuple[dict[str, Any], ...] = (
    {"datatype": "FP32"},
    {"datatype": "uint8"},
    {"datatype": None},
    {"name": "result"},
    {"name": {}},
    {"shape": [-1]},
    {"shape": [1, 1, 1]},
    {"shape": []},
    {"shape": "all"},
    {"shape": [2**70]},
    {"shape": [[[]]]},
    {"data": [1, 2, 3]},
)


@_attack(2400)
def hostile_json(source: random.Random, material: Material) -> Attack:
    """JSON of every shape but the right one."""
    tensor = {"name": "query", "datatype": "UINT8", "shape": [3], "data": [1, 2, 3]}
    member = source.choice(("name", "datatype", "shape", "data", "parameters"))
    document: Any = {"inputs": [tensor | {member: _junk(source)}]}
    place = source.randrange(6)
    if place == 0:
        document = _junk(source)
    elif place == 1:
        document = {"inputs": _junk(source)}
    elif place == 2:
        document = {"inputs": [tensor], source.choice(("id", "outputs", "parameters")): _junk(source)}
    return _infer_json("hostile JSON", material, document, 409, 422)


@_attack(100)
def broken_json(source: random.Random, material: Material) -> Attack:
    text = source.choice(
        (
            b"",
            b"{",
            b'{"inputs": [',
            b"[" * source.randint(1_000, 50_000),
            b'{"inputs":' * source.randint(1_000, 5_000),
            b'{"inputs": [{"name": "query", "shape": [' + b"9" * 20_000 + b"]}]}",
            b'{"inputs": [{"name": "query", "shape": [1e' + b"9" * 400 + b"]}]}",
            b'{"id": "\xff\xfe"}',
            b"\xff\xfe\x00\x00",
            b'{"inputs": NaN}',
            b"\xef\xbb\xbf{}",
            b"{}" + b" " * 10_000 + b"{}",
            source.randbytes(source.randint(1, 300)),
        )
    )
    return _infer_json("broken JSON", material, text, 422)


@_attack(1)
def deep_json(source: random.Random, material: Material) -> Attack:
    """As deep as the largest body may be, and as long."""
    text = source.choice((b"[" * (2 << 20), b"[" * (3 << 20), b'{"inputs":[{"data":[' + b"1," * (1 << 19)))
    return _infer_json("deep JSON", material, text, 413, 422)


@_attack(20)
def json_bomb(source: random.Random, material: Material) -> Attack:
    """A quarter of a million bytes that would become many times as many."""
    unit = source.choice((b"[],", b"{},", b'"",', b"1e9,", b"[[", b'{"data":', b'"a":0,', b"true,", b"[7,7],", b'\\"'))
    start, end = source.choice(((b'{"data":[', b"0]}"), (b'{"inputs":[{"data":[', b"0]}]}"), (b"{", b"}"), (b"", b"")))
    body = start + unit * ((256 << 10) // len(unit)) + end
    return Attack("JSON bomb", http("POST", source.choice((material.infer, "/score")), body), frozenset({422}))


@_attack(100)
def cross_site(source: random.Random, material: Material) -> Attack:
    """What a page of another origin may have a browser send."""
    lines = source.choice(({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}))
    body, headers = binary_request(material.query)
    whole = source.choice(
        (http("POST", material.infer, body, **headers, **lines), http("POST", "/score", b"{}", **lines),
         http("PUT", f"/keys/{material.key_id}", material.key, **lines),
         http("DELETE", f"/keys/{material.key_id}", None, **lines))
    )  # fmt: skip
    return Attack("cross-site", whole, frozenset({403}))


@_attack(20)
def answered_json(source: random.Random, material: Material) -> Attack:
    """A valid query with everything else hostile: what comes back is made of what was sent."""
    tensor = {"name": "query", "datatype": "UINT8", "shape": [len(material.query)], "data": list(material.query)}
    one = source.choice(("\ud800", "\x00", "é" * 256, "x" * 256, "x" * 257, "</script>", "\r\nX-Injected: 1"))
    binary = source.choice((True, False))
    document = {"id": one, "inputs": [tensor], "parameters": {"binary_data_output": binary}}
    return _infer_json("answered JSON", material, document, 200, 422)


def _junk(source: random.Random, depth: int = 3) -> Any:
    """Any JSON value."""
    leaves: list[Any] = [
        None,
        True,
        False,
        *_numbers(source, 3),
        "",
        "query",
        "\ud800",
        "\x00",
        "A" * 1000,
        [256],
        [-1],
    ]
    if depth == 0 or source.random() < 0.6:
        return source.choice(leaves)
    parts = [_junk(source, depth - 1) for _ in range(source.randint(0, 4))]
    names = ("inputs", "name", "data", "shape", "parameters", "binary_data", "__proto__", "")
    return parts if source.random() < 0.5 else {source.choice(names): part for part in parts}


# The plain endpoints


@_attack(1000)
def hostile_score(source: random.Random, material: Material) -> Attack:
    good = base64.b64encode(material.query[: source.choice((0, 50, 150))]).decode()
    strings = (good, good[:-1] + "é", "====", "\ud800", 5, None, [good], {})
    document: dict[str, Any] = {
        "data": [source.choice(strings) for _ in range(source.choice((0, 1, 2, 64, 65)))],
        "key_id": source.choice((material.key_id, material.key_id.upper(), "", "../x", 7, None)),
        "model": source.choice((material.model, "other", "../x", "\ud800", 7, [], None)),
    }
    if source.random() < 0.2:
        document[source.choice(list(document))] = _junk(source)
    body = json.dumps(document).encode()
    return Attack("hostile /score", http("POST", "/score", body), frozenset({404, 409, 422}))


@_attack(20)
def forged_score(source: random.Random, material: Material) -> Attack:
    query = flipped(source, material.query)
    document = {"data": [base64.b64encode(query).decode()], "key_id": material.key_id}
    return Attack("forged /score", http("POST", "/score", json.dumps(document).encode()), frozenset({409, 422, 424}))


@_attack(100)
def key_under_wrong_id(source: random.Random, material: Material) -> Attack:
    data = source.choice((material.key, flipped(source, material.key), sealed(flipped(source, material.key))))
    return Attack("key under a wrong id", http("PUT", f"/keys/{source.randbytes(32).hex()}", data), frozenset({422}))


@_attack(100)
def forged_key(source: random.Random, material: Material) -> Attack:
    """The id fits; the bytes are stored if they could be a key, up to the limit of keys."""
    data = flipped(source, material.key, 0, BODY_START)
    if source.random() < 0.5:
        data = sealed(flipped(source, material.key, BODY_START, len(material.key) - CHECKSUM_BYTES))
    allowed = frozenset({201, 409, 422})
    return Attack("forged key", http("PUT", f"/keys/{hashlib.sha256(data).hexdigest()}", data), allowed)


@_attack(60)
def replayed_key(source: random.Random, material: Material) -> Attack:
    return Attack("replayed key", http("PUT", f"/keys/{material.key_id}", material.key), frozenset({200}))


@_attack(150)
def key_of_wrong_size(source: random.Random, material: Material) -> Attack:
    data = source.choice((b"", material.key[:-1], material.key + b"x", material.query, source.randbytes(100)))
    target = f"/keys/{hashlib.sha256(data).hexdigest()}"
    return Attack("key of a wrong size", http("PUT", target, data), frozenset({413}))


@_attack(1200)
def hostile_key_id(source: random.Random, material: Material) -> Attack:
    """Addresses of keys that are not there, or are no ids at all."""
    true = material.key_id
    one = source.choice(
        (true.upper(), true[:-1], true + "0", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%00", true + "%00", "%ff%fe",
         source.randbytes(32).hex(), "x" * 5000, "%F0%9F%94%91", "anonymous/" + true, "*", "%0d%0aX-Injected:%201")
    )  # fmt: skip
    method = source.choice(("GET", "HEAD", "DELETE", "PUT"))
    body = b"" if method == "PUT" else None
    allowed = frozenset({404, 405, 413, 422})
    return Attack("hostile key id", http(method, f"/keys/{one}", body), allowed, bodiless=method == "HEAD")


# Addresses, methods and headers


@_attack(1400)
def hostile_path(source: random.Random, material: Material) -> Attack:
    up = source.choice(("..", "%2e%2e", "..%2f", "%2e%2e%5c", "....//", "%252e%252e", "%c0%ae%c0%ae"))
    start = source.choice(
        ("/", "/page/", "/static/", "/v2/models/", "/models/", f"/v2/models/{material.model}/versions/")
    )
    end = source.choice(("etc/passwd", "signature", "infer", "", "ready", f"{material.model}/signature"))
    path = start + f"{up}/" * source.randint(1, 9) + end + source.choice(("", "%00", "?x=" + "y" * 500, "/", "%0a"))
    return Attack("hostile path", http("GET", path), frozenset({404, 405}))


@_attack(900)
def hostile_version(source: random.Random, material: Material) -> Attack:
    version = source.choice(("0", "-1", "2", "1.0", "1e0", "01", "%31%00", "9" * 400, "%D9%A1", "latest", "1;2"))
    model = source.choice((material.model, material.model.upper(), "%00", "\xe9", "x" * 3000))
    rest = source.choice(("", "/ready", "/infer"))
    method, body = ("POST", b"{}") if rest == "/infer" else ("GET", None)
    target = f"/v2/models/{model}/versions/{version}{rest}"
    return Attack("hostile version", http(method, target, body), frozenset({400, 404}), closes=model == "\xe9")


@_attack(1000)
def wrong_method(source: random.Random, material: Material) -> Attack:
    method = source.choice(("DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "PUT", "SUBSCRIBE"))
    target = source.choice(("/", "/v2", material.infer, "/score", "/healthz", "/metrics", "/models", "/openapi.json"))
    return Attack("wrong method", http(method, target), frozenset({405}))


@_attack(60)
def compressed(source: random.Random, material: Material) -> Attack:
    coding = source.choice(("gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "\x7f"))
    target = source.choice((material.infer, "/score"))
    data = source.randbytes(100)
    return Attack("compressed", http("POST", target, data, Content_Encoding=coding), frozenset({400, 415}), closes=True)


@_attack(150)
def chunked(source: random.Random, material: Material) -> Attack:
    """A body without a declared length, well made or broken."""
    body = source.choice(
        (b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"-1\r\nx", b"fffffffffffffffff\r\nx", b"5\r\nhelloX", b"zz\r\n",
         b"5;" + b"x" * 300 + b"\r\nhello\r\n0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n")
    )  # fmt: skip
    method, target = source.choice((("POST", material.infer), ("POST", "/score"), ("PUT", f"/keys/{material.key_id}")))
    head = http(method, target, None, Transfer_Encoding=source.choice(("chunked", "Chunked", "gzip, chunked")))
    return Attack("chunked", head + body, frozenset({400, 411}), closes=True)


@_attack(100)
def smuggled(source: random.Random, material: Material) -> Attack:
    """Two lengths, or two ways to tell it: what a proxy and the service could read differently."""
    inner = http("DELETE", f"/keys/{material.key_id}")
    lines = source.choice(
        (f"Content-Length: 0\r\nContent-Length: {len(inner)}",
         f"Content-Length: {len(inner)}\r\nTransfer-Encoding: chunked",
         f"Transfer-Encoding: chunked\r\nContent-Length: {len(inner)}", f"Content-Length: +{len(inner)}",
         f"Content-Length: {len(inner)}, 0", "Transfer-Encoding: xchunked", "Content-Length: " + "9" * 5000,
         f"Content-Length : {len(inner)}", f"Transfer-Encoding : chunked\r\nContent-Length: {len(inner)}")
    )  # fmt: skip
    head = f"POST {material.infer} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n"
    return Attack("smuggled", head.encode() + inner, frozenset({400, 411, 413, 422}), closes=True)


@_attack(60)
def huge_headers(source: random.Random, material: Material) -> Attack:
    lines = source.choice(
        ({"X-Large": "x" * source.randint(16_500, 60_000)}, {f"X-{i}": "x" for i in range(150)}, {"X" * 20_000: "y"},
         {"Authorization": "Bearer " + "x" * 17_000}, {"Cookie": "a=b; " * 4_000})
    )  # fmt: skip
    return Attack("huge headers", http("GET", "/healthz", None, **lines), frozenset({431}), closes=True)


@_attack(40)
def long_address(source: random.Random, material: Material) -> Attack:
    target = "/" + source.choice(("x", "%41", "../", "?a=b&")) * source.randint(16_500, 30_000)
    return Attack("long address", http("GET", target), frozenset({431}), closes=True)


@_attack(1000)
def odd_headers(source: random.Random, material: Material) -> Attack:
    """Headers that are allowed, with values that are not what anybody means."""
    name = source.choice(
        ("Authorization", "X-Request-ID", "Accept", "If-None-Match", "Range", "Cookie", "Expect", "TE")
    )
    value = source.choice(("", "\xff" * 50, "*" * 3000, "Bearer", "Bearer \xe9", "bytes=0-", "../../x", "%0d%0a", "\t"))
    target = source.choice(("/healthz", "/v2", f"/models/{material.model}/signature", "/models"))
    return Attack("odd headers", http("GET", target, None, **{name: value}), frozenset({200}))


# Not HTTP, or not all of it


@_attack(200)
def random_bytes(source: random.Random, material: Material) -> Attack:
    return Attack("random bytes", source.randbytes(source.randint(1, 2000)), frozenset({400, 431}), closes=True)


@_attack(150)
def broken_http(source: random.Random, material: Material) -> Attack:
    data = source.choice(
        (b"GET /healthz HTTP/9.9\r\n\r\n", b"GET /healthz\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n",
         b"get /v2 HTTP/1.1\r\n\r\n",
         b"GET /v2 HTTP/1.1\nHost: x\n\n", b"GET /v2 HTTP/1.1\r\nno colon\r\n\r\n", b"GET /v2 HTTP/1.1\r\n: x\r\n\r\n",
         b"GET /v2 HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", b"GET /v2 HTTP/1.1\r\nA\x00B: c\r\n\r\n",
         b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + source.randbytes(32),
         b"CONNECT evil:443 HTTP/1.1\r\nHost: evil\r\n\r\n", b"GET http://evil/ HTTP/1.1\r\nHost: evil\r\n\r\n",
         b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 500, b"\r\n" * 2000,
         b"GET /v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    )  # fmt: skip
    return Attack("broken HTTP", data, frozenset({200, 400, 404, 405, 421, 431}), closes=True)


@_attack(200)
def damaged_http(source: random.Random, material: Material) -> Attack:
    """Bits of the request line and headers turned over; what it asks for afterwards may be harmless."""
    head = http("GET", f"/v2/models/{material.model}", None, Accept="*/*", X_Request_ID="one")
    allowed = frozenset({200, 400, 404, 405, 411, 415, 421, 422, 431})
    return Attack("damaged HTTP", flipped(source, head), allowed, closes=True, bodiless=False)


@_attack(100)
def cut_off(source: random.Random, material: Material) -> Attack:
    """A valid request that ends somewhere in the middle, and then the connection."""
    body, headers = binary_request(material.query)
    whole = source.choice(
        (http("POST", material.infer, body, **headers), http("PUT", f"/keys/{material.key_id}", material.key))
    )
    end = source.choice((source.randrange(1, 300), source.randrange(1, len(whole))))
    return Attack("cut off", whole[:end], frozenset({400, 422}), closes=True)


# Connections


@dataclass
class Outcome:
    """What came back, in numbers and in examples of what must not have."""

    sent: int = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def by_status(self) -> Counter[int]:
        """How often each status came."""
        total: Counter[int] = Counter()
        for (_, status), count in self.statuses.items():
            total[status] += count
        return total

    def note(self, attack: Attack, status: int, body: bytes) -> None:
        self.statuses[attack.kind, status] += 1
        if status not in attack.allowed and status != 503:
            self.wrong.append(f"{attack.kind}: {status} {body[:200]!r} for {attack.data[:300]!r}")
        elif status >= 400 and not attack.bodiless and not _is_refusal(body):
            self.wrong.append(f"{attack.kind}: {status} without a message: {body[:200]!r}")
        elif b"root:" in body:
            self.wrong.append(f"{attack.kind}: a file of the machine for {attack.data[:300]!r}")

    def note_unanswered(self, attack: Attack) -> None:
        self.unanswered[attack.kind] += 1
        if not attack.closes:
            self.wrong.append(f"{attack.kind}: no answer for {attack.data[:300]!r}")


def _is_refusal(body: bytes) -> bool:
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return all(isinstance(document.get(name), str) for name in ("error", "code"))


def besiege(port: int, requests: Iterator[Attack], connections: int = 8) -> Outcome:
    """Send them all, pipelined, on that many connections at a time."""
    outcome, pipelines = Outcome(), _pipelines(requests)

    async def run() -> None:
        await asyncio.gather(*(_one_after_the_other(port, pipelines, outcome) for _ in range(connections)))

    asyncio.run(run())
    return outcome


def _pipelines(requests: Iterator[Attack]) -> Iterator[list[Attack]]:
    """What goes over a connection without waiting for answers; what ends its connection goes alone."""
    waiting: list[Attack] = []
    for attack in requests:
        if attack.closes:
            yield [attack]
            continue
        waiting.append(attack)
        if len(waiting) == PIPELINED:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


async def _one_after_the_other(port: int, pipelines: Iterator[list[Attack]], outcome: Outcome) -> None:
    kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for batch in pipelines:
        fresh = batch[0].closes or kept is None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20) if fresh else kept
        async with asyncio.timeout(PATIENCE):
            alive = await _exchange(reader, writer, batch, outcome)
        if alive:
            kept = (reader, writer)
            continue
        writer.transport.abort()
        if not fresh:
            kept = None
    if kept:
        kept[1].transport.abort()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, batch: list[Attack], outcome: Outcome
) -> bool:
    """Whether the connection can still be used."""
    outcome.sent += len(batch)
    sending = asyncio.create_task(_send(writer, batch))
    open_yet = True
    for attack in batch:
        answer = await _read_answer(reader, bodiless=attack.bodiless) if open_yet else None
        if answer is None:
            open_yet = False
            outcome.note_unanswered(attack)
        else:
            outcome.note(attack, *answer)
    await sending
    return open_yet and not batch[-1].closes


async def _send(writer: asyncio.StreamWriter, batch: list[Attack]) -> None:
    with contextlib.suppress(OSError):
        for attack in batch:
            writer.write(attack.data)
            await writer.drain()
        if batch[-1].closes:
            writer.write_eof()


async def _read_answer(reader: asyncio.StreamReader, *, bodiless: bool) -> tuple[int, bytes] | None:
    """Status and body of the next answer that is final; None if the connection ends first."""
    try:
        while True:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            status = int(first.split()[1])
            if status >= 200:
                break
        headers = dict(line.split(b": ", 1) for line in lines if line)
        length = 0 if bodiless or status in (204, 304) else int(headers[b"content-length"])
        return status, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
