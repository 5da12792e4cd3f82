"""What values of settings may look like: functions that take what was given, and raise ValueError for anything else."""

from __future__ import annotations

import ipaddress
import json
import re
from pathlib import Path
from typing import Any

from ..files import expanded
from .connections import Network
from .limits import Rate

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")


def expanded_paths(value: Any) -> Any:
    """``~`` means the home directory wherever a path is given; an empty path means nothing."""
    if isinstance(value, list | tuple):
        return [expanded_paths(item) for item in value]
    if value == "":
        raise ValueError("must not be empty")
    return expanded(str(value)) if isinstance(value, str | Path) else value


def read_list(value: Any) -> Any:
    """The environment has text alone: a JSON list, or one path."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.startswith("[") else [value]
    except ValueError:
        raise ValueError("must be a path, or a JSON list of paths") from None


def read_object(value: Any) -> Any:
    """The environment has text alone: a JSON object of texts."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError('must be JSON like {"wine": "Which of three cultivars"}') from None


def read_rate(value: Any) -> Any:
    """Predictions a period."""
    if not isinstance(value, str | int | float):
        return value
    try:
        return Rate.parse(str(value))
    except ValueError:
        raise ValueError("must be a number a period, such as 600/minute or 20000/day") from None


def check_origins(value: str | None) -> str | None:
    """Web origins with commas."""
    for origin in (value or "").split(","):
        if value and not _ORIGIN.fullmatch(origin.strip()):
            raise ValueError("every origin must be like https://app.example.com, without a path")
    return value


def check_networks(value: str | None) -> str | None:
    """Addresses or networks with commas."""
    try:
        networks(value)
    except ValueError:
        raise ValueError("every proxy must be an address or a network, such as 10.0.0.7 or 10.0.0.0/24") from None
    return value


def networks(text: str | None) -> tuple[Network, ...]:
    """The networks that a text names."""
    return tuple(ipaddress.ip_network(network.strip()) for network in text.split(",")) if text else ()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
