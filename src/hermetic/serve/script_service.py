"""A service that runs a scoring script: ``init()`` once in each evaluation process, ``run()`` for each ``/score``.

The contract is that of Azure Machine Learning's inference server (``azureml-inference-server-http``): a script that
runs there runs here, unchanged. The script is loaded by :mod:`.script_runner`, in processes of its own, so that nothing
that it does keeps the front process from answering.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import os
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from ..errors import SettingsError
from . import rest, v2
from .access import Caller
from .base_service import BaseService, Facts, forbidding
from .checks import check_files
from .documents import PIECE, Body
from .keystore import open_keys
from .logs import log
from .messages import RunScript, ScriptAnswered
from .pool import QueueFullError
from .queries import Trace
from .refusals import RefusalError, busy, too_large
from .routes import OPEN, Access, Endpoint, route
from .settings import MIB, Settings
from .worker import FaultError, Program, WorkerLostError

_MODEL_DIR = "AZUREML_MODEL_DIR"
_LEGACY_CLIENTS = "HERMETIC_LEGACY_CLIENTS"  # what encrypted.inference.eiserver asks
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_NOT_FOR_SCRIPTS = ("authorization", "cookie")


class ScriptService(BaseService):
    """The parts of a running service of a script.

    Every request counts as one prediction of its tenant's limits, because only the script knows what is in it. A script
    needs no store: one that is named keeps what tenants used.

    Raises
    ------
    SettingsError
        If there is no such script or model directory.
    """

    def __init__(self, settings: Settings) -> None:
        check_files(settings)
        store = open_keys(settings).store if settings.is_given("store") else None
        super().__init__(settings, _program(settings), store)
        if settings.entry_script is None:
            raise SettingsError("entry_script must be given for a service of a script. It is not.")
        self._path = settings.entry_script.resolve()
        self.max_body = settings.max_script_body * MIB
        self._contract: dict[str, Any] = {}

    def routes(self) -> list[BaseRoute]:
        return [
            route("/", _healthy, access=OPEN),
            route("/score", _score, methods=("GET", "POST")),
            route("/healthz", rest.health, access=OPEN),
            route("/v2/health/live", v2.live, access=OPEN),
            route("/v2/health/ready", v2.ready, access=OPEN),
            route("/metrics", rest.metrics, access=Access.METRICS),
        ]

    def facts(self) -> Facts:
        return {**super().facts(), "models": [self._path.stem]}

    async def load(self) -> None:
        """Import the script and call its ``init()``, in every process.

        Raises
        ------
        SettingsError
            If that fails. The log has the traceback.
        """
        must = f"{self._path.name} must import, and its init() must return."
        try:
            self._contract = json.loads(await self.pool.load(self._path.stem, str(self._path).encode()))
        except FaultError as error:
            log.error("entry script failed", extra={"event": "script_failed", "reason": str(error)})
            raise SettingsError(f"{must} Got {str(error).strip().splitlines()[-1]}") from None
        except WorkerLostError as error:
            raise SettingsError(f"{must} Instead {error}.") from None
        log.info("entry script loaded", extra={"event": "script_loaded", "model": self._path.stem})

    async def run(self, caller: Caller, request: Request, body: Body, trace: Trace) -> Response:
        """What the script answers.

        Raises
        ------
        RefusalError
            400 for a body that is not text where the script takes text, 429 over a limit, 500 when the script fails or
            its process dies, 503 when every process is busy for too long.
        """
        trace.model, trace.samples = self._path.stem, 1
        if not self._contract["raw"]:
            with self.allowance.counting_refusals(caller):
                await asyncio.to_thread(_check_text, body)
        try:
            async with self.pool.worker_for(caller.tenant, "") as worker:
                self.allowance.charge(caller, 1)
                answer, data = await worker.ask(_message(request), body, reply=ScriptAnswered)
        except QueueFullError as error:
            raise busy(f"{error}.") from None
        except (FaultError, WorkerLostError) as error:
            told = {"request_id": request.scope["hermetic.request_id"], "reason": str(error)}
            log.error("entry script failed", extra={"event": "script_failed", **told})
            message = "the entry script failed. The operator's log says where."
            raise RefusalError(500, "script_failed", message, headers={"x-ms-run-function-failed": "True"}) from None
        trace.evaluation_ms = answer.ms
        self.metrics.evaluated(self._path.stem, 1, answer.ms)
        return _response(answer, data)


def _program(settings: Settings) -> Program:
    """The script's process: it has the whole environment, because its credentials are its own affair."""
    environment = {**_ONE_THREAD, **os.environ, "PYTHONUNBUFFERED": "1", **forbidding(settings)}
    if settings.legacy_clients:
        environment[_LEGACY_CLIENTS] = "1"
    if settings.model_dir:
        environment[_MODEL_DIR] = str(settings.model_dir.resolve())
    return Program(module=f"{__package__}.script_runner", options={}, environment=environment, depth=1)


def _check_text(body: Body) -> None:
    """Piece by piece, because text may take four times the memory of its bytes."""
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(body)
    try:
        for start in range(0, len(body), PIECE):
            decoder.decode(view[start : start + PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise RefusalError(400, "malformed", "the body must be UTF-8 text for this script. It is not.") from None


def _message(request: Request) -> RunScript:
    """What a script may see of a request besides its body; never the caller's token."""
    headers = [(name, value) for name, value in request.headers.items() if name not in _NOT_FOR_SCRIPTS]
    return RunScript(request.method, request.url.query, headers)


def _response(answer: ScriptAnswered, data: bytes) -> Response:
    response = Response(data, answer.status)
    for name, value in answer.headers:
        response.headers.append(name, value)
    response.headers["x-ms-run-fn-exec-ms"] = f"{answer.ms:.3f}"
    return response


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("Healthy")


async def _score(request: Request) -> Response:
    service: ScriptService = request.app.state.service
    endpoint = Endpoint.of(request)
    service.allowance.check(endpoint.caller)

    def check(length: int) -> None:
        if length > service.max_body:
            raise too_large(
                f"a body for the script must have at most {service.max_body} bytes. Got {length} instead: send less at "
                "once, or set max_script_body."
            )

    if request.method != "POST":
        return await service.run(endpoint.caller, request, b"", endpoint.trace)
    async with service.bodies.read(request, endpoint.caller.tenant, check) as body:
        endpoint.trace.bytes_in = len(body)
        return await service.run(endpoint.caller, request, body, endpoint.trace)
