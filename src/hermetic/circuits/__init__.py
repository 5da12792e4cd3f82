"""Circuits: how a model is computed on ciphertexts. One folder each; this is the only list of them.

A folder has

    public      what a signature says about a circuit, and what the rest of Hermetic asks of it
    document    that as JSON
    wire        what it answers
    client      the half that encrypts and decrypts: ``ClientHalf``
    server      the half that computes: ``ServerHalf``

and the two halves never import each other. So a half is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

KINDS = ("linear", "trees", "networks")
"""The folders, as signatures name them."""


def documents(kind: str) -> Any:
    """The module that writes and reads the public part of a kind of circuits."""
    return import_module(f".{kind}.document", __name__)


def client_half(kind: str) -> Any:
    """The class that encrypts and decrypts for circuits of a kind."""
    return import_module(f".{kind}.client", __name__).ClientHalf


def read_result(kind: str) -> Any:
    """What reads the bytes of a result of circuits of a kind: (data, signature) -> Result."""
    return import_module(f".{kind}.wire", __name__).read_result


def server_half(kind: str) -> Any:
    """The class that computes circuits of a kind."""
    return import_module(f".{kind}.server", __name__).ServerHalf
