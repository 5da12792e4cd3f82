"""Who may call: bearer tokens, hashed at rest, that name a tenant.

A token is 32 random bytes, so its SHA-256 needs no salt and no slow hash: there is nothing to guess. A line of the
file:

    tenant  sha256:<64 hexadecimal digits>  [expires=2027-01-31]  [role=metrics]  [rate=600/minute]  [quota=20000/day]

A tenant may have several lines, so that tokens can be rotated. ``role=metrics`` reads ``/metrics`` and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import SettingsError
from .limits import Rate
from .logs import log
from .refusals import RefusalError
from .tokens_file import change_lines, read_lines

PREDICT, METRICS = "predict", "metrics"
ANONYMOUS = "anonymous"

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_ID_DIGITS = 12
_OPTIONS = {"expires", "role", "rate", "quota"}


@dataclass(frozen=True)
class Caller:
    """A tenant, and the limits that its token states instead of the service's own."""

    tenant: str
    rate: Rate | None = None
    quota: Rate | None = None


@dataclass(frozen=True)
class Token:
    """A line of the tokens file."""

    caller: Caller
    sha256: bytes
    expires: datetime | None
    role: str

    def valid(self, now: datetime) -> bool:
        return self.expires is None or now < self.expires

    @property
    def id(self) -> str:
        """What it is called where it must not be shown: the start of its SHA-256."""
        return self.sha256.hex()[:_ID_DIGITS]

    def is_of(self, tenant: str, start: str) -> bool:
        """Whether it is the tenant's, and its hash starts so."""
        return self.caller.tenant == tenant and self.sha256.hex().startswith(start.lower())


def check_tenant(name: str) -> str:
    """The name, if it is one. Raises :class:`SettingsError`."""
    if not _TENANT.fullmatch(name):
        raise SettingsError(f"a tenant must be lower-case letters, digits, - and _, at most 63. Got {name!r} instead.")
    return name


def new_token() -> str:
    """A fresh token."""
    return f"hermetic_{secrets.token_urlsafe(32)}"


def token_line(tenant: str, token: str, **options: str) -> str:
    """The line of the tokens file for a token; it holds the hash, not the token."""
    shown = "".join(f"  {name}={value}" for name, value in options.items())
    line = f"{check_tenant(tenant)}  sha256:{_hash(token).hex()}{shown}"
    read_line(line)
    return line


def read_line(line: str) -> Token:
    """A line of the tokens file. Raises :class:`SettingsError`, without quoting the line."""
    tenant, *rest = line.split()
    match = _HASH.fullmatch(rest[0]) if rest else None
    if not match:
        raise SettingsError("a line must be: tenant sha256:<64 hexadecimal digits> [option=value …].")
    options = dict(_read_option(option) for option in rest[1:])
    role = options.get("role", PREDICT)
    if role not in (PREDICT, METRICS):
        raise SettingsError(f"role must be {PREDICT} or {METRICS}.")
    try:
        rate, quota = (Rate.parse(options[name]) if name in options else None for name in ("rate", "quota"))
        expires = datetime.fromisoformat(options["expires"]) if "expires" in options else None
    except ValueError as error:
        raise SettingsError(f"an option cannot be read: {error}.") from None
    if expires and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return Token(Caller(check_tenant(tenant), rate, quota), bytes.fromhex(match[1]), expires, role)


def _read_option(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if name not in _OPTIONS or not value:
        raise SettingsError(f"options must be {', '.join(sorted(_OPTIONS))}, each with =value.")
    return name, value


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Every token of a file; ``#`` starts a comment.

    Raises
    ------
    SettingsError
        If it cannot be read, a line is not valid, or everybody may write it.
    """
    return tuple(token for token in _parsed(path, read_lines(path)) if token)


def _parsed(path: Path, lines: list[str]) -> list[Token | None]:
    """What each line says; None for a comment."""
    tokens = []
    for number, line in enumerate(lines, start=1):
        content = line.partition("#")[0].strip()
        try:
            tokens.append(read_line(content) if content else None)
        except SettingsError as error:
            raise SettingsError(f"{path}, line {number}: {error}") from None
    return tokens


def append_line(path: Path, line: str) -> None:
    """Add a line to a tokens file, which is made if there is none, for its owner alone.

    Raises
    ------
    SettingsError
        If the file cannot be written, or is not a valid tokens file.
    """

    def added(lines: list[str]) -> list[str]:
        _parsed(path, lines)
        return [*lines, line]

    change_lines(path, added)


def revoke(path: Path, tenant: str, start: str = "") -> int:
    """Remove a tenant's tokens, or those whose :attr:`Token.id` starts so; gives how many there were.

    Raises
    ------
    SettingsError
        If there are none, or the file cannot be written, or is not a valid tokens file.
    """
    gone = 0

    def kept(lines: list[str]) -> list[str]:
        nonlocal gone
        tokens = _parsed(path, lines)
        rest = [line for line, token in zip(lines, tokens, strict=True) if not (token and token.is_of(tenant, start))]
        gone = len(lines) - len(rest)
        if not gone:
            which = f"a token of tenant {tenant!r}" + (f" with an id that starts with {start}" if start else "")
            raise SettingsError(f"{which} was not found in {path}: see hermetic token list.")
        return rest

    change_lines(path, kept)
    return gone


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


class Gatekeeper:
    """Turns an ``Authorization`` header into a caller. Without a tokens file everyone is one anonymous tenant."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._tokens = read_tokens(path) if path else ()

    @property
    def is_open(self) -> bool:
        """Whether no token is needed."""
        return self._path is None

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return len(self._tokens)

    def reload(self) -> None:
        """Read the file again; a file that is not valid changes nothing and is reported."""
        if self._path is None:
            return
        try:
            tokens = read_tokens(self._path)
        except SettingsError as error:
            log.error("tokens file refused", extra={"event": "tokens_refused", "reason": str(error)})
            return
        if tokens != self._tokens:
            self._tokens = tokens
            log.info("tokens file read", extra={"event": "tokens_read", "count": len(tokens)})

    def caller(self, authorization: str | None, role: str = PREDICT) -> Caller:
        """Who calls.

        Every stored hash is compared, in constant time, so that the time says nothing about which one is close.

        Raises
        ------
        RefusalError
            401 without a token, and for one that is unknown or expired; 403 for one of another role.
        """
        if self.is_open:
            return Caller(ANONYMOUS)
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorised("the request must carry a token: Authorization: Bearer TOKEN.", "missing_token")
        presented = _hash(token.strip())
        found = [known for known in self._tokens if hmac.compare_digest(known.sha256, presented)]
        if not found:
            raise _unauthorised("the token must be one that this service knows. It is not.", "bad_token")
        valid = [token for token in found if token.valid(datetime.now(UTC))]
        if not valid:
            raise _unauthorised("the token must not have expired. It has: ask for a new one.", "expired_token")
        usable = [token for token in valid if token.role == role]
        if not usable:
            raise _wrong_role(role, valid[0].role)
        return usable[0].caller


def _unauthorised(message: str, code: str) -> RefusalError:
    return RefusalError(401, code, message, headers={"WWW-Authenticate": 'Bearer realm="hermetic"'})


def _wrong_role(wanted: str, role: str) -> RefusalError:
    message = f"the token must have the role {wanted} here. It has the role {role}: ask the operator for another token."
    return RefusalError(403, "wrong_role", message)
