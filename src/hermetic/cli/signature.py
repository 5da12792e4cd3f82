"""``hermetic signature``: the public half of a model, to hand out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import stdout
from .files import load_model, write_file
from .units import size


def signature(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A compiled model.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the signature.")],
) -> None:
    """Write the public signature of a model: all that a client needs, and no weight."""
    data = load_model(model).signature.to_bytes()
    write_file(output, data)
    stdout().print(f"Wrote {output} ({size(len(data))}). It holds no weight: give it to clients.", markup=False)
