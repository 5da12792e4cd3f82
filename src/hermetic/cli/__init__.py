"""The command line, ``hermetic``. One file a command, and :mod:`hermetic.cli.app` puts them together."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; says what to install where its libraries are missing."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in ("typer", "rich"):
            raise
        sys.exit(f"error: the command line needs {library}. Install it with: pip install 'hermetic[cli]'")
    app()
