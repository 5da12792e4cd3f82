"""``hermetic inspect``: what is public, what is private, what is guaranteed, what it costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from ..model import CompiledModel
from ..signature import Signature
from .console import stderr, stdout, warn
from .documents import show_document
from .files import load_model_or_signature
from .measure import Measured, measure, measured_table
from .report import as_json, show_layouts, show_report
from .tables import section
from .units import counted


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compiled model, or a signature.")],
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    timed: Annotated[bool, typer.Option("--measure/--no-measure", help="Measure times on this machine.")] = True,
    samples: Annotated[int, typer.Option(min=1, max=1 << 16, help="Samples of a measured query.")] = 1,
) -> None:
    """Show what a model makes public, what it guarantees, and what it costs in bytes and milliseconds."""
    signature, model = load_model_or_signature(file)
    file_bytes = file.stat().st_size
    measured = None
    if timed:
        with stderr().status("Measuring with fresh keys"):
            measured = _measured(signature, model, samples)
    if as_document:
        document = as_json(signature, model, file_bytes) | {"measured": measured and asdict(measured)}
        show_document(document, indent=2)
        return
    console = stdout()
    show_report(console, signature, model, file_bytes)
    show_layouts(console, signature)
    if measured is not None:
        title = f"Measured here, medians of {measured.repeats} queries of {counted(measured.samples, 'sample')}"
        section(console, title, measured_table(measured))


def _measured(signature: Signature, model: CompiledModel | None, samples: int) -> Measured | None:
    """None where features have no value for random inputs."""
    try:
        return measure(signature, model, samples)
    except InputError as error:
        warn(f"no times were measured, on random inputs: {error}")
        return None
