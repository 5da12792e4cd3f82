"""Requests and responses of scripts that ask for raw HTTP, in the types that Azure's inference server gives them.

Those types are Flask's and come with ``azureml-inference-server-http``, which a script that uses them imports itself.
Here they are only recognised and filled, so a service whose scripts do without needs none of these packages.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from .messages import RunScript

_AML_REQUEST = "azureml_inference_server_http.api.aml_request"

Headers = list[tuple[str, str]]


def is_requested() -> bool:
    """Whether the script marked its ``run`` with ``@rawhttp``."""
    return bool(getattr(sys.modules.get(_AML_REQUEST), "_rawHttpRequested", False))


def request(message: RunScript, body: bytes) -> Any:
    """A ``flask.Request`` for ``/score``, as the host gives it to ``run``."""
    import flask

    environ: dict[str, Any] = {
        "REQUEST_METHOD": message.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/score",
        "QUERY_STRING": message.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in message.headers:
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ["CONTENT_LENGTH"] = str(len(body))
    return flask.Request(environ)


def is_response(answer: object) -> bool:
    """Whether an answer is an ``AMLResponse``, or any other response of Flask."""
    flask = sys.modules.get("flask")
    return flask is not None and isinstance(answer, flask.Response)


def parts(response: Any) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a response; the length is left to who sends it."""
    headers = [(name, value) for name, value in response.headers.items() if name.lower() != "content-length"]
    return response.status_code, headers, response.get_data()
