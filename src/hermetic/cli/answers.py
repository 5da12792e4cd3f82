"""Decrypted answers as a table, CSV or JSON."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from ..arrays import Reals
from ..client import Client
from .console import printable, stdout
from .documents import show_document
from .units import counted

_MOST_ROWS = 50
_COLUMN = {"probabilities": "p", "scores": "score"}


class Output(StrEnum):
    """How answers are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


ProbaOption = Annotated[bool, typer.Option("--proba", help="Probabilities besides labels.")]
ScoresOption = Annotated[bool, typer.Option("--scores", help="Scores besides labels.")]
OutputOption = Annotated[Output, typer.Option(help="How to print the answers.")]


@dataclass(frozen=True, eq=False)
class Answers:
    """What was decrypted for n samples.

    ``predictions`` are labels (n,), or the values (n,) or (n, k) of a regressor; ``details`` are the scores (n,) or
    (n, k) or the probabilities (n, classes) under their name, if they were asked for; ``classes`` the labels they
    belong to, or None for a regressor and for several labels a sample.
    """

    predictions: npt.NDArray[Any]
    classes: list[Any] | None
    details: dict[str, Reals]


def check_details(*, proba: bool, scores: bool) -> None:
    """Raise :class:`typer.BadParameter` if both are asked for: answers have one kind of details."""
    if proba and scores:
        raise typer.BadParameter("they cannot both be given. Choose one.", param_hint="--proba and --scores")


def read_answers(client: Client, decrypted: Reals, n: int, *, proba: bool, scores: bool) -> Answers:
    """Labels or values, with probabilities or scores, from what was decrypted for n samples.

    Raises InputError for probabilities where there are none.
    """
    labels = client.signature.labels
    predictions = client.scores_to_labels(decrypted)
    details = {}
    if proba:
        details["probabilities"] = client.scores_to_probabilities(decrypted).reshape(n, -1)
    if scores:
        details["scores"] = decrypted.reshape(n, -1)
    classes = None if labels is None or client.signature.head.is_multilabel else labels.tolist()
    return Answers(predictions.reshape(n, -1), classes, details)


def show_answers(answers: Answers, output: Output) -> None:
    """Print them on stdout."""
    if output is Output.JSON:
        document = {"predictions": _unnested(answers.predictions), "classes": answers.classes}
        show_document(document | {name: _unnested(values) for name, values in answers.details.items()})
    elif output is Output.CSV:
        csv.writer(sys.stdout, lineterminator="\n").writerows([_headings(answers), *_rows(answers).tolist()])
    else:
        _show_table(_headings(answers), _rows(answers))


def _unnested(values: npt.NDArray[Any]) -> list[Any]:
    return list((values[:, 0] if values.shape[1] == 1 else values).tolist())


def _headings(answers: Answers) -> list[str]:
    width = answers.predictions.shape[1]
    noun = "value" if answers.classes is None else "label"
    headings = [noun] if width == 1 else [f"{noun} {i}" for i in range(width)]
    for name, values in answers.details.items():
        heading = _COLUMN[name]
        columns = values.shape[1]
        headings += (
            [heading] if columns == 1 else [f"{heading}({label})" for label in answers.classes or range(columns)]
        )
    return headings


def _rows(answers: Answers) -> npt.NDArray[np.object_]:
    parts = [answers.predictions, *answers.details.values()]
    return np.concatenate([np.array(part.tolist(), dtype=object) for part in parts], axis=1)


def _show_table(headings: list[str], rows: npt.NDArray[np.object_]) -> None:
    console = stdout()
    shown = [["sample", *map(str, range(len(rows[:_MOST_ROWS])))]]
    for heading, column in zip(headings, rows[:_MOST_ROWS].T, strict=True):
        cells = [printable(heading), *(_cell(heading, value) for value in column)]
        if sum(map(_width, [*shown, cells])) > console.width:
            break
        shown.append(cells)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, *_ in shown:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for i in range(1, len(shown[0])):
        table.add_row(*(Text(cells[i]) for cells in shown))
    console.print(table)
    hidden = ((len(rows) - _MOST_ROWS, "more sample"), (len(headings) + 1 - len(shown), "more column"))
    more = " and ".join(counted(count, what) for count, what in hidden if count > 0)
    if more:
        console.print(f"{more}: --output csv shows all", style="dim")


def _width(cells: list[str]) -> int:
    return max(map(cell_len, cells)) + 1


def _cell(heading: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if heading.startswith("p(") else f"{value:.5g}"
    return printable(str(value))
