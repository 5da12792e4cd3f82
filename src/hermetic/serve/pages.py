"""The page for developers: which models there are, what their signatures say, and how to call them.

Everything is rendered here. It looks like the page at ``/``, whose style sheet it uses, with one of its own for what
only it has, and one small script. No third party is asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from html import escape
from importlib.metadata import version
from importlib.resources import files

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..signature import Signature
from .browser import stylesheet
from .refusals import not_found
from .repository import ServedModel
from .routes import OPEN, route, service_of

_STATIC = {"page.css": "text/css", "copy.js": "text/javascript", "icon.svg": "image/svg+xml"}
_SHOWN_FEATURES = 12
_SHOWN_LABELS = 12
_POLICY = "; ".join(
    f"{name} {value}"
    for name, value in {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }.items()
)


def routes() -> list[BaseRoute]:
    """The pages and what they are made of."""
    return [route("/developers", start, access=OPEN), route("/static/{file}", static, access=OPEN)]


async def static(request: Request) -> Response:
    name = request.path_params["file"]
    if name not in _STATIC:
        raise not_found("the file")
    data = (files(__package__) / "static" / name).read_bytes()
    tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=_STATIC[name], headers=headers)


async def start(request: Request) -> Response:
    service = service_of(request)
    url = service.settings.public_url or str(request.base_url).rstrip("/")
    shown = service.repository.models if service.gate.is_open or service.public_models else None
    brand, guarded = service.brand, not service.gate.is_open
    page = render(shown, url, needs_token=guarded, title=brand.title, descriptions=brand.descriptions)
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return Response(page, media_type="text/html", headers=headers)


def render(
    models: list[ServedModel] | None,
    url: str,
    *,
    needs_token: bool,
    title: str = "Hermetic",
    descriptions: Mapping[str, str] | None = None,
) -> str:
    """The page. ``models`` is ``None`` when only callers with a token may see them."""
    if models is None:
        listed = '<p class="hint">Models are shown to callers with a token.</p>'
        name = "NAME"
    else:
        told = descriptions or {}
        listed = "".join(
            _model(model, url, told.get(model.name, ""), needs_token=needs_token) for model in reversed(models)
        )
        listed = listed or '<p class="hint">No model is served at the moment.</p>'
        name = models[-1].name if models else "NAME"
    return _PAGE.format(
        title=escape(title),
        style=stylesheet(),
        models=listed,
        count="" if models is None else f'<span class="count">{len(models)}</span>',
        access="needs a bearer token" if needs_token else "is open to everyone who reaches it",
        curl=escape(_curl(url, name, needs_token=needs_token)),
        version=escape(version("hermetic")),
    )


def _model(model: ServedModel, url: str, description: str, *, needs_token: bool) -> str:
    signature = model.signature
    return _MODEL.format(
        name=escape(model.name),
        version=model.version,
        anchor=escape(f"{model.name}-{model.version}"),
        task=escape(_task(signature)),
        description=f'<p class="description">{escape(description)}</p>' if description else "",
        facts=_facts(_facts_of(model)),
        ranges=_ranges(signature),
        snippet=escape(_snippet(model, url, needs_token=needs_token)),
        digest=model.digest,
    )


def _task(signature: Signature) -> str:
    if signature.labels is None:
        return f"regression, {_count(signature.outputs, 'value')}"
    return f"classification, {len(signature.labels)} classes"


def _facts_of(model: ServedModel) -> Iterable[tuple[str, str]]:
    signature = model.signature
    cost = signature.cost(1)
    labels = [] if signature.labels is None else [str(label) for label in signature.labels[:_SHOWN_LABELS].tolist()]
    more = "" if signature.labels is None or len(signature.labels) <= _SHOWN_LABELS else ", …"
    if signature.backbone is not None:
        yield "Backbone", f"{signature.backbone}, which clients have: it computes the input"
    if signature.feature_map is not None:
        yield "Input", f"{signature.inputs} values, from which the client computes features: {signature.feature_map}"
    yield "Encrypted", f"{signature.features} features, {_span(signature)}"
    if labels:
        yield "Classes", ", ".join(labels) + more
    yield "Scores", f"as the estimator's {signature.method}, within {signature.error:.2g}"
    yield "Link", signature.link or "none"
    yield "Parameters", str(signature.parameters)
    yield "Answers flooded by", f"λ = {signature.lambda_bits:.0f} bits"
    yield "One sample", f"{_kilobytes(cost.request_bytes)} up, {_kilobytes(cost.response_bytes)} down"
    yield "One request", f"up to {_count(model.max_samples, 'sample')}, {_kilobytes(model.sizes.largest)}"


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)


def _span(signature: Signature) -> str:
    grid = signature.grid
    same = all(bool((values == values[0]).all()) for values in (grid.lower, grid.upper))
    if not same:
        return "each with a range of its own"
    exact = f" in steps of {grid.step[0]:.6g}" if grid.exact else ""
    return f"{grid.lower[0]:.6g} to {grid.upper[0]:.6g}{exact}"


def _ranges(signature: Signature) -> str:
    """A table of features, unless they are all alike and have no names."""
    grid = signature.grid
    alike = all(bool(np.all(values == values[0])) for values in (grid.lower, grid.upper, grid.step))
    if alike and signature.feature_names is None:
        return ""
    named = signature.feature_names if signature.feature_map is None else None
    names = named or tuple(str(i) for i in range(signature.features))
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{low:.6g}</td><td>{high:.6g}</td><td>{step:.3g}</td></tr>"
        for name, low, high, step in list(zip(names, grid.lower, grid.upper, grid.step, strict=True))[:_SHOWN_FEATURES]
    )
    rest = signature.features - _SHOWN_FEATURES
    note = f"<p>and {_count(rest, 'more feature')}; the signature has them all.</p>" if rest > 0 else ""
    return _RANGES.format(rows=rows, note=note)


def _snippet(model: ServedModel, url: str, *, needs_token: bool) -> str:
    token = ', token="TOKEN"' if needs_token else ""
    calls = "\n".join(f"remote.{method}(X)" for method in sorted(model.signature.methods, key=len))
    address = f"{json.dumps(url)}, model={json.dumps(model.name)}"
    return f"import hermetic\n\nremote = hermetic.connect({address}{token})\n{calls}"


def _curl(url: str, name: str, *, needs_token: bool) -> str:
    token = "-H 'Authorization: Bearer TOKEN' " if needs_token else ""
    return f"curl -s {token}{url}/v2/models/{name}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def _kilobytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1_000_000 else f"{size / 1e3:.1f} kB"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}: for developers</title>
<link rel="icon" href="logo">
<link rel="stylesheet" href="{style}">
<link rel="stylesheet" href="static/page.css">
<script src="static/copy.js" defer></script>
</head>
<body>
<header class="top">
<div class="frame">
<p class="brand"><img src="logo" alt="">{title}</p>
<nav><a href="./">Ask a model in this browser</a></nav>
</div>
</header>
<main class="frame">
<section class="intro">
<h1>Models that answer on data they never see.</h1>
<p>You keep the secret key, encrypt inputs and decrypt scores. The wire carries ciphertexts and your public key, and
shows how many samples there are. This service computes on ciphertexts, and sees neither your input nor the result. It
{access}.</p>
</section>
<section class="part">
<h2>Models {count}</h2>
{models}
</section>
<section class="part">
<h2>Protocol</h2>
<p>Open Inference Protocol (KServe V2) under <code>/v2</code>, with the binary tensor extension; the query and the
result are UINT8 tensors. Public keys are stored under <code>/keys</code>. Everything is described in the
<a href="openapi.json">OpenAPI document</a>.</p>
<div class="code"><pre><code>{curl}</code></pre><button type="button">Copy</button></div>
</section>
</main>
<footer class="frame">
<p>Hermetic {version} · <a href="healthz">health</a> · <a href="openapi.json">OpenAPI</a></p>
</footer>
</body>
</html>
"""

_MODEL = """<article id="{anchor}" class="card">
<h3>{name} <span class="version">version {version}</span></h3>
<p class="hint">{task}</p>
{description}
<dl>{facts}</dl>
{ranges}
<div class="code"><pre><code>{snippet}</code></pre><button type="button">Copy</button></div>
<p class="hint digest">Signature <a href="models/{name}/versions/{version}/signature"><code>{digest}</code></a></p>
</article>
"""

_RANGES = """<details><summary>Features and their ranges</summary>
<div class="scroll" tabindex="0" role="group" aria-label="Features and their ranges"><table class="numbers"><thead><tr>
<th scope="col">Feature</th><th scope="col">Smallest</th><th scope="col">Largest</th><th scope="col">Step</th>
</tr></thead><tbody>{rows}</tbody></table></div>
{note}</details>"""
