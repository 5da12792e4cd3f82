"""``hermetic batch``: tables of any size over an object store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ..client import Client
from ..errors import KeyFileError, SettingsError
from .console import stdout, warn
from .documents import show_document
from .files import load_model_or_signature
from .passphrase import PassphraseOption, open_key
from .progress import rows_bar
from .samples import ClipOption, RoundOption
from .tables import facts
from .units import counted, duration, size

INCOMPLETE = 3
"""The exit code where some shards are missing, and everything else was done."""

_LIBRARIES = ("obstore", "pyarrow")

JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="A directory, or an s3://, az:// or gs:// URL.", show_default=False)
]
SignatureOption = Annotated[Path, typer.Option(help="The model's signature, or a model file.", show_default=False)]
KeyOption = Annotated[Path, typer.Option(help="The secret key file.", show_default=False)]
ModelOption = Annotated[Path, typer.Option(help="The compiled model.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")]
RowsPerQueryOption = Annotated[
    int | None, typer.Option(help="Rows in one query; by default as many as make about 8 MiB.", show_default=False)
]

app = typer.Typer(no_args_is_help=True, help="Encrypt, score and decrypt tables of any size over an object store.")


@app.command("encrypt")
def encrypt(  # noqa: PLR0913, PLR0917
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="A .parquet, .arrow, .csv, .tsv or .npy file.", show_default=False)
    ],
    signature: SignatureOption,
    key: Annotated[Path, typer.Option(help="Secret key file; made if it does not exist.", show_default=False)],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="JOB", help="A directory, or an s3://, az:// or gs:// URL.", show_default=False
        ),
    ],
    rows: Annotated[
        Path | None,
        typer.Option(
            help="Where it is written whose rows they are: keep it. By default TABLE.rows.", show_default=False
        ),
    ] = None,
    row_key: Annotated[
        str | None,
        typer.Option(
            help="The column that tells rows apart; by default their numbers. Not uploaded.", show_default=False
        ),
    ] = None,
    rows_per_query: RowsPerQueryOption = None,
    passphrase_file: PassphraseOption = None,
    clip: ClipOption = False,
    round_inputs: RoundOption = False,
    as_document: JsonOption = False,
) -> None:
    """Encrypt a table into a job, which hermetic batch score answers. A run that was ended goes on where it was."""
    public, _ = load_model_or_signature(signature)
    with _working():
        from ..batch.encrypting import encrypt as run

        client = Client(public, open_key(key, passphrase_file, public.parameters), clip=clip, round_inputs=round_inputs)
        kept = rows or table.with_name(f"{table.name}.rows")
        with rows_bar("encrypt") as shown:
            manifest = run(
                table, client, output, kept, row_key=row_key, rows_per_query=rows_per_query, progress=shown.advance
            )
    up = sum(shard.bytes for shard in manifest.shards)
    if as_document:
        show_document({"rows": manifest.rows, "queries": len(manifest.shards), "bytes": up, "row_file": str(kept)})
        return
    queries = "query" if len(manifest.shards) == 1 else "queries"
    what = f"{counted(manifest.rows, 'row')} in {len(manifest.shards):,} {queries} ({size(up)})"
    stdout().print(f"Wrote {what}. Keep {kept}: decrypting needs it.", markup=False, soft_wrap=True)


@app.command("score")
def score(
    job: JobArgument,
    model: ModelOption,
    engine: Annotated[str, typer.Option(help="local, ray, or a cluster's address: ray://HOST:PORT.")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="By default one a core.", show_default=False)] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="Keep metrics for Prometheus in this .prom file.", show_default=False)
    ] = None,
    as_document: JsonOption = False,
) -> None:
    """Answer what has no answer yet in a job. Exit code 3 says that some shards could not be answered."""
    with _working():
        from ..batch.scoring import score as run

        with rows_bar("score") as shown:
            summary = run(job, model, engine=engine, workers=workers, progress=shown.advance, metrics=metrics)
    for one in summary.failures:
        warn(f"{one.shard} has no answer: {one.error}")
    if as_document:
        show_document(summary.document())
    else:
        rate = f", {summary.rows_per_second:,.0f} rows/s" if summary.answered else ""
        before = f"; {counted(summary.answered_before, 'row')} had been before" if summary.answered_before else ""
        done = f"Answered {counted(summary.answered, 'row')} in {duration(summary.seconds)}{rate}{before}."
        stdout().print(done, markup=False, soft_wrap=True)
    if summary.failures:
        raise typer.Exit(INCOMPLETE)


@app.command("decrypt")
def decrypt(  # noqa: PLR0913, PLR0917
    job: JobArgument,
    signature: SignatureOption,
    key: KeyOption,
    rows: Annotated[Path, typer.Option(help="The row file that hermetic batch encrypt wrote.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A .parquet, .arrow, .csv or .tsv file.", show_default=False)
    ],
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities besides predictions.")] = False,
    scores: Annotated[bool, typer.Option("--scores", help="Scores besides predictions.")] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Write the rows whose answers are there; exit code 3 if some are not.")
    ] = False,
    passphrase_file: PassphraseOption = None,
    as_document: JsonOption = False,
) -> None:
    """Decrypt a job's answers into a table: each row's key, and its prediction."""
    if not key.is_file():
        raise KeyFileError(f"{key} must be the key that the table was encrypted with. There is no such file.")
    public, _ = load_model_or_signature(signature)
    with _working():
        from ..batch.decrypting import PREDICTION, PROBABILITY, SCORE
        from ..batch.decrypting import decrypt as run

        columns = [PREDICTION, *([SCORE] if scores else []), *([PROBABILITY] if proba else [])]
        client = Client(public, open_key(key, passphrase_file, public.parameters))
        with rows_bar("decrypt") as shown:
            done = run(job, client, rows, output, columns=columns, partial=partial, progress=shown.advance)
    for name, count, reason in done.missing:
        warn(f"{name}, {counted(count, 'row')}, is left out: {reason}")
    if as_document:
        missing = [{"answer": name, "rows": count, "error": reason} for name, count, reason in done.missing]
        show_document({"rows": done.rows, "missing": missing})
    else:
        stdout().print(f"Wrote {counted(done.rows, 'row')} to {output}.", markup=False, soft_wrap=True)
    if done.missing:
        raise typer.Exit(INCOMPLETE)


@app.command("plan")
def plan(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="A table as those to come; its first rows are measured.")
    ],
    model: ModelOption,
    rows: Annotated[float, typer.Option(help="How many rows the job will have, such as 1e9.", show_default=False)],
    rows_per_query: RowsPerQueryOption = None,
    price_core_hour: Annotated[
        float | None, typer.Option(help="What one core costs an hour.", show_default=False)
    ] = None,
    price_gb: Annotated[
        float | None, typer.Option(help="What one GB of the store costs, as long as it is kept.", show_default=False)
    ] = None,
    as_document: JsonOption = False,
) -> None:
    """Say what a large job takes: bytes, core-hours and money, from one query that is measured here."""
    with _working():
        from ..batch.planning import plan as run

        found = run(
            model, table, rows, rows_per_query=rows_per_query, price_core_hour=price_core_hour, price_gb=price_gb
        )
    if as_document:
        show_document(found.document())
        return
    rows_of_facts = {
        "rows": f"{found.rows:,}",
        "queries": f"{found.queries:,}, of {found.rows_per_query:,} rows",
        "up": size(found.up_bytes),
        "down": size(found.down_bytes),
        "encrypt": f"{found.encrypt_core_hours:,.3g} core-hours",
        "score": f"{found.score_core_hours:,.3g} core-hours",
        "decrypt": f"{found.decrypt_core_hours:,.3g} core-hours",
    }
    if found.price is not None:
        rows_of_facts["price"] = f"{found.price:,.2f}"
    rows_of_facts["measured"] = ", ".join(f"{step} {duration(one)}" for step, one in found.measured.items())
    stdout().print(facts(rows_of_facts))
    stdout().print("Taken for granted: " + "; ".join(found.assumptions) + ".", markup=False, soft_wrap=True)


@contextlib.contextmanager
def _working() -> Iterator[None]:
    """What is missing, and a store that does not answer, become errors in words."""
    if missing := [name for name in _LIBRARIES if find_spec(name) is None]:
        raise SettingsError(f"hermetic batch needs {', '.join(missing)}. Install with: pip install 'hermetic[batch]'")
    from ..object_stores import StoreError

    try:
        yield
    except StoreError as error:
        raise SettingsError(str(error)) from None
