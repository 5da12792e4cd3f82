"""The client of a service: one model over HTTP, like an estimator in this process.

    settings             what a connection is told
    batches              any number of samples in pieces of a sensible size
    flow                 work without input or output, as generators
    exchange             one request, sent again where that is safe
    answers              what came back, kept until a call has nothing left to send
    service              what can be asked, and how answers read
    session              one model's signature and keys, and how a batch is answered
    network              the way there, by the environment: proxies, authorities to trust
    driver               carries flows out with threads              -> remote_model
    async_driver         carries flows out on an event loop          -> async_remote_model

The secret key stays in this process, inside :class:`hermetic.Client`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

try:
    import httpx
except ImportError:
    raise ImportError("hermetic.connect needs httpx. Install it with: pip install 'hermetic[remote]'") from None

from ..errors import RemoteError
from ..features import Backbone
from ..keys.secret import SecretKey
from .async_driver import AsyncDriver
from .async_remote_model import AsyncRemoteModel
from .driver import Driver
from .network import AsyncNetwork, Network
from .remote_model import RemoteModel
from .session import Session
from .settings import Progress, Settings, Token
from .trust import Verify, given

__all__ = ["AsyncRemoteModel", "RemoteModel", "aconnect", "connect"]

T = TypeVar("T")


def connect(  # noqa: PLR0913 - every option by its name, for help() and completion
    url: str,
    *,
    model: str,
    version: str | int | None = None,
    token: Token | None = None,
    secret_key: SecretKey | None = None,
    features: Backbone | None = None,
    clip: bool = False,
    round_inputs: bool = False,
    accept_changes: bool = False,
    progress: Progress | bool = False,
    batch_size: int | None = None,
    in_flight: int = 4,
    timeout: float = 60.0,
    retries: int = 4,
    verify: Verify = None,
    allow_http: bool = False,
    transport: httpx.BaseTransport | None = None,
) -> RemoteModel:
    """Connect to a model at a service: fetch its signature and make keys. The public key goes up with the first query.

    The model may be used from any thread, and in processes that are forked from this one: each opens a connection of
    its own, and all have the same keys.

    Parameters
    ----------
    url
        The service, such as ``https://models.example.com``, with its path if it has one.
    model, version
        The model's name there; by default its highest version.
    token
        The bearer token, or a function that gives the current one and is called for every request.
    secret_key
        A key to use again, from :meth:`hermetic.SecretKey.load`; by default a fresh one. It stays in this process. A
        key that lives long is yours to guard: with it, a service has every call of every day to watch. A call sends
        all it has to send before it decrypts anything, and so shows nothing of what decrypts; what you do after a
        :class:`DecryptionError` may. Stop using the key then: a fresh one is replaced by itself, this one is not.
    features, clip, round_inputs
        As for :class:`hermetic.Client`; the function of ``features`` is called with one batch at a time.
    accept_changes
        When the service replaces the model: ``False`` raises :class:`SignatureChangedError`, which says what changed;
        ``True`` takes the new one and starts the call again with it. No call ever mixes two models.
    progress
        A callback (done, total), in samples, or ``True`` for a bar on stderr (needs rich).
    batch_size
        The most samples in one request; by default what costs least, see :mod:`hermetic.remote.batches`. Halved by
        itself when the service finds it too large.
    in_flight
        How many batches of a large X are under way at a time. Memory grows with it.
    timeout
        Seconds for each request, all its attempts and pauses included.
    retries
        Further attempts after a lost connection, or an answer 429, 502 or 503; ``Retry-After`` is respected. A query
        that is sent again tells the service nothing new, and counts against the quota once more.
    verify
        A file or folder of the certificate authorities to trust, or an SSL context (which may hold a client
        certificate); by default those that SSL_CERT_FILE or SSL_CERT_DIR names, or the public ones. Verification cannot
        be turned off here.
    allow_http
        Send the token over ``http://`` to another machine, in the clear.
    transport
        An httpx transport instead of the network, for tests. ``verify`` is then without effect.

    Raises
    ------
    SettingsError
        If an option cannot be used, or a variable of the environment that names a proxy or certificate authorities.
    ModelNotFoundError
        If there is no such model; the message names those that there are.
    AuthenticationError, BusyError, UnreachableError, TLSError, RemoteTimeoutError, ProtocolError
        If the service does not answer, or not as one.
    MismatchError
        If the secret key has other parameters than the model, or features are passed to a model that takes none.

    Notes
    -----
    Proxies are those of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. This machine is never asked through one, and a
    token never passes one in the clear. ``.netrc`` is not read.
    """
    settings = Settings(
        url=url,
        model=model,
        version=version,
        token=token,
        secret_key=secret_key,
        features=features,
        clip=clip,
        round_inputs=round_inputs,
        accept_changes=accept_changes,
        progress=progress,
        batch_size=batch_size,
        in_flight=in_flight,
        timeout=timeout,
        retries=retries,
        allow_http=allow_http,
    )
    context = given(verify)

    def make() -> httpx.Client:
        return httpx.Client(transport=transport or Network(context), timeout=timeout, trust_env=False)

    remote = RemoteModel(Session(settings), Driver(make if transport is None else _only_here(make)))
    try:
        return remote.connect()
    except BaseException:
        remote.close()
        raise


def aconnect(  # noqa: PLR0913 - the options of connect
    url: str,
    *,
    model: str,
    version: str | int | None = None,
    token: Token | None = None,
    secret_key: SecretKey | None = None,
    features: Backbone | None = None,
    clip: bool = False,
    round_inputs: bool = False,
    accept_changes: bool = False,
    progress: Progress | bool = False,
    batch_size: int | None = None,
    in_flight: int = 4,
    timeout: float = 60.0,
    retries: int = 4,
    verify: Verify = None,
    allow_http: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncRemoteModel:
    """:func:`connect` for asyncio, with the same options, but an asynchronous transport.

    The model connects when it is awaited, or entered: ``remote = await hermetic.aconnect(…)``, or
    ``async with hermetic.aconnect(…) as remote``. That is also when it raises what :func:`connect` raises. Every event
    loop that uses it, in this process or in one forked from it, opens a connection of its own.
    """
    settings = Settings(
        url=url,
        model=model,
        version=version,
        token=token,
        secret_key=secret_key,
        features=features,
        clip=clip,
        round_inputs=round_inputs,
        accept_changes=accept_changes,
        progress=progress,
        batch_size=batch_size,
        in_flight=in_flight,
        timeout=timeout,
        retries=retries,
        allow_http=allow_http,
    )
    context = given(verify)

    def make() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=transport or AsyncNetwork(context), timeout=timeout, trust_env=False)

    return AsyncRemoteModel(Session(settings), AsyncDriver(make if transport is None else _only_here(make)))


def _only_here(make: Callable[[], T]) -> Callable[[], T]:
    """The same, but for this process alone: a transport of the caller may hold sockets, which forks must not share."""
    process = os.getpid()

    def make_here() -> T:
        if os.getpid() != process:
            raise RemoteError("a transport must be used in the process that made it. Connect again in this one.")
        return make()

    return make_here
