"""An evaluation process that runs a scoring script. It sees no network but what the script opens itself.

The script is any Python file with ``init()`` and ``run(raw_data)``. ``run`` gets the body as text and returns what JSON
can hold; one marked with ``@rawhttp`` gets the request (:mod:`.rawhttp`) and may return a response of its own.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

from . import rawhttp
from .frames import answer_front_process
from .messages import Done, Failed, Handlers, LoadModel, Message, RunScript, ScriptAnswered, UnloadModel, answered

_MODULE = "entry_module"
_PR_SET_PDEATHSIG = 1


class ScriptRunner:
    """Answers the messages of the front process."""

    _run_function: Callable[[Any], Any]

    def __init__(self) -> None:
        self._handlers: Handlers = {LoadModel: self._load, UnloadModel: self._unload, RunScript: self._run}

    def answer(self, message: Message, payload: memoryview) -> tuple[Message, bytes]:
        """The reply to one message: :class:`Failed` with the traceback of whatever the script raised."""
        try:
            return answered(self._handlers, message, payload)
        except (Exception, SystemExit):
            return Failed(_traceback()), b""

    def _load(self, _: LoadModel, path: memoryview) -> tuple[Message, bytes]:
        """Import the script at a path and call its ``init()``; the answer says whether it takes raw requests."""
        module = import_script(Path(bytes(path).decode()))
        module.init()
        self._run_function = module.run
        self._raw = rawhttp.is_requested()
        return Done(), json.dumps({"raw": self._raw}).encode()

    def _unload(self, _: UnloadModel, __: memoryview) -> tuple[Message, bytes]:
        """Sent when the script failed in another process: the service does not start, and this process ends."""
        return Done(), b""

    def _run(self, message: RunScript, payload: memoryview) -> tuple[Message, bytes]:
        body = bytes(payload)
        raw_data = rawhttp.request(message, body) if self._raw else _text(message, body)
        started = time.perf_counter()
        answer = self._run_function(raw_data)
        ms = (time.perf_counter() - started) * 1e3
        status, headers, data = rawhttp.parts(answer) if rawhttp.is_response(answer) else _json(answer)
        return ScriptAnswered(ms, status, headers), data


def import_script(path: Path) -> ModuleType:
    """The script as a module; files beside it can be imported by it.

    Raises
    ------
    AttributeError
        If it lacks ``init()`` or ``run()``.
    BaseException
        Whatever it raises when it is imported.
    """
    sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"the entry script must be a Python file (.py). Got {path.name} instead.")
    module = sys.modules[_MODULE] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("init", "run"):
        if not callable(getattr(module, name, None)):
            raise AttributeError(f"the entry script must define {name}(). {path.name} does not.")
    return module


def _text(message: RunScript, body: bytes) -> str:
    """The body; for another method than POST the query's parameters as a JSON object."""
    return body.decode() if message.method == "POST" else json.dumps(_parameters(message.query))


def _parameters(query: str) -> dict[str, Any]:
    """Each parameter read as JSON if it is JSON; a list of all values for one that is repeated."""
    found = {name: list(map(_value, values)) for name, values in parse_qs(query, keep_blank_values=True).items()}
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _json(answer: object) -> tuple[int, list[tuple[str, str]], bytes]:
    data = {} if answer is None else answer
    return 200, [("Content-Type", "application/json")], json.dumps(data).encode()


def _traceback() -> str:
    """The exception that is being handled, from the script's own first line on."""
    kind, error, frames = sys.exc_info()
    while frames and frames.tb_next and frames.tb_frame.f_globals.get("__name__") in (__name__, "__main__"):
        frames = frames.tb_next
    return "".join(traceback.format_exception(kind, error, frames))


def _end_with_parent() -> None:
    """Have the kernel end this process with the front process, even one that is killed while ``run`` never returns."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL):
        raise OSError(ctypes.get_errno(), "prctl")


def main(descriptor: int) -> None:
    """Serve the front process at the other end of a socket until it closes it."""
    _end_with_parent()
    answer_front_process(descriptor, ScriptRunner().answer)


if __name__ == "__main__":
    main(int(sys.argv[1]))
