"""A running service, found by its name: its state, its address, its log, a call, its end."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import IO, Any, ClassVar
from urllib.parse import urlsplit

from ..errors import InputError, RefusedError, RemoteTimeoutError, UnreachableError
from .configuration import DeployConfiguration
from .service_home import ServiceHome, State
from .shelf import checked_name
from .workspace import Workspace

_LONGEST_DEPLOYMENT = 600.0
_LONGEST_RESTART = 30.0
_LONGEST_ANSWER = 120.0
_MOST_ANSWER_BYTES = 256_000_000
_SHOWN = 500
_TAIL = 15

Body = str | bytes | bytearray | memoryview | IO[str] | IO[bytes]
"""What :meth:`Webservice.run` sends."""


class Webservice:
    """A service of a workspace.

    Parameters
    ----------
    workspace
        Where it was deployed.
    name
        Its name.

    Raises
    ------
    SettingsError
        If there is no such service.
    """

    target: ClassVar[str] = "local"

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.name = checked_name("service", name)
        self._home = ServiceHome(workspace.services / name)
        plan = self._home.plan()
        self.tags, self.description = dict(plan.tags), plan.description

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, state={self.state!r})"

    @classmethod
    def deploy_configuration(
        cls,
        cpu_cores: float = 1,
        memory_gb: float = 1,
        tags: Mapping[str, str] | None = None,
        description: str = "",
        port: int | None = None,
        cloud: Mapping[str, Any] | None = None,
    ) -> DeployConfiguration:
        """Where and within which limits a service is to run, see :class:`.DeployConfiguration`."""
        return DeployConfiguration(
            cls.target, cpu_cores, memory_gb, dict(tags or {}), description, port, dict(cloud or {})
        )

    @staticmethod
    def list(workspace: Workspace) -> list[Webservice]:
        """Every service of the workspace."""
        found = sorted(workspace.services.glob("*/service.json")) if workspace.services.is_dir() else []
        return [Webservice(workspace, path.parent.name) for path in found]

    @property
    def state(self) -> str:
        """``Transitioning``, ``Healthy``, ``Failed``, or ``Unhealthy`` if its supervisor is gone."""
        return self._home.state().name

    @property
    def restarts(self) -> int:
        """How often it died and was started again."""
        return self._home.state().restarts

    @property
    def scoring_uri(self) -> str | None:
        """Where to POST; None until it listens."""
        url = self._home.state().url
        return url and f"{url}/score"

    def get_logs(self, num_lines: int = 5000) -> str:
        """The last lines it printed."""
        if not self._home.log.exists():
            return ""
        return "\n".join(self._home.log.read_text(encoding="utf-8").splitlines()[-num_lines:])

    def wait_for_deployment(self, show_output: bool = False, timeout_sec: float = _LONGEST_DEPLOYMENT) -> None:
        """Return when it answers.

        Raises
        ------
        UnreachableError
            If it does not start; with the end of its log.
        RemoteTimeoutError
            If it takes longer than ``timeout_sec`` seconds.
        """
        state = self._settled(timeout_sec)
        if show_output:
            print(f"{self.name}: {state.name}, {state.url}/score")

    def run(self, input_data: Body) -> Any:
        """POST a body to the scoring script; gives its answer, parsed from JSON. Waits while it is being restarted.

        Parameters
        ----------
        input_data
            The body: text, which goes out in UTF-8, bytes, or an open file of either. What the script takes, mostly
            JSON: ``json.dumps(…)``.

        Raises
        ------
        InputError
            If the body is something else.
        UnreachableError
            If it does not run.
        RefusedError
            If the script fails or refuses the body.
        """
        body = _body(input_data)
        url = urlsplit(self._settled(_LONGEST_RESTART).url or "")
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_LONGEST_ANSWER)
        try:
            connection.request("POST", "/score", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read(_MOST_ANSWER_BYTES)
        except TimeoutError:
            raise RemoteTimeoutError(f"{self.name} must answer within {_LONGEST_ANSWER:.0f} s. It did not.") from None
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"{self.name} must answer. The connection broke ({type(error).__name__}): see get_logs()."
            ) from None
        finally:
            connection.close()
        return self._parsed(answer.status, data)

    def delete(self) -> None:
        """End its processes and remove its files; nothing is left of it."""
        self._home.remove()

    def _parsed(self, status: int, data: bytes) -> Any:
        try:
            parsed = json.loads(data)
        except ValueError:
            parsed = None
        if status != 200 or (parsed is None and data.strip() != b"null"):
            said = data[:_SHOWN].decode(errors="replace")
            raise RefusedError(
                f"{self.name} must answer with status 200 and JSON. Got status {status}: {said}. See get_logs().",
                status=status,
            )
        return parsed

    def _settled(self, seconds: float) -> State:
        deadline = time.monotonic() + seconds
        while (state := self._home.state()).name != "Healthy":
            if state.name != "Transitioning":
                raise UnreachableError(
                    f"{self.name} must be healthy. It is {state.name}: correct what its log says and deploy it again. "
                    f"The log ends with:\n{self.get_logs(_TAIL)}"
                )
            if time.monotonic() > deadline:
                raise RemoteTimeoutError(f"{self.name} must be healthy within {seconds:.0f} s. It is {state.name}.")
            time.sleep(0.05)
        return state


def _body(given: Any) -> bytes:
    """The bytes to send. Nothing is turned into JSON, because only the caller knows what the script expects."""
    read = getattr(given, "read", None)
    content = read() if callable(read) else given
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    if not isinstance(content, str):
        raise InputError(
            f"input_data must be text or bytes, the body as the script takes it. Got {type(content).__name__} instead: "
            "pass json.dumps(…) of it; an array first needs .tolist()."
        )
    try:
        return content.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"input_data must be text that UTF-8 can hold. It is not: {error.reason}.") from None


class LocalWebservice(Webservice):
    """A service on this machine."""


class AciWebservice(Webservice):
    """A service described for Azure Container Instances. It runs here; what the cloud needs is rendered beside it."""

    target = "aci"


class AksWebservice(Webservice):
    """A service described for Kubernetes. It runs here; what the cluster needs is rendered beside it."""

    target = "aks"
