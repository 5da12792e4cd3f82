"""``hermetic predict``: encrypt, have it answered here or by a service, decrypt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.text import Text

from ..arrays import Reals
from ..client import Client
from ..errors import HermeticError
from ..roundtrip import LocalServer, round_trip
from ..signature import Signature
from .answers import Output, OutputOption, ProbaOption, ScoresOption, check_details, read_answers, show_answers
from .console import stdout
from .files import load_model
from .inputs import read_inputs
from .passphrase import PassphraseOption, open_key
from .progress import bar
from .samples import ClipOption, HeaderOption, RoundOption, Samples
from .token_file import TOKEN_VARIABLE, read_token
from .units import counted, duration, size

_AT_SERVICE = "Answered by a service"


@dataclass(frozen=True, eq=False)
class Outcome:
    """Who decrypted how many samples, their scores, and a line about it."""

    client: Client
    samples: int
    scores: Reals
    summary: str


def predict(  # noqa: PLR0913, PLR0917
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL] INPUT",
            help="A compiled model, but not with --url; and a .npy or .csv file, - for CSV on stdin, or PNG images.",
            show_default=False,
        ),
    ],
    key: Annotated[
        Path | None, typer.Option(help="Secret key file; made if it does not exist. By default a key for this run.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    proba: ProbaOption = False,
    scores: ScoresOption = False,
    output: OutputOption = Output.TABLE,
    clip: ClipOption = False,
    round_inputs: RoundOption = False,
    header: HeaderOption = None,
    url: Annotated[
        str | None, typer.Option(help="The service's address.", show_default=False, rich_help_panel=_AT_SERVICE)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model's name there.", show_default=False, rich_help_panel=_AT_SERVICE)
    ] = None,
    model_version: Annotated[
        str | None, typer.Option(help="By default the highest.", show_default=False, rich_help_panel=_AT_SERVICE)
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help=f"Holds the token; otherwise ${TOKEN_VARIABLE}, or none.", rich_help_panel=_AT_SERVICE),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(help="Certificate authorities to trust instead of the public ones.", rich_help_panel=_AT_SERVICE),
    ] = None,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="Send the token in the clear.", rich_help_panel=_AT_SERVICE)
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds for each request.", rich_help_panel=_AT_SERVICE)] = 60.0,
) -> None:
    """Encrypt samples, have them answered, decrypt and print the answers.

    Without --url they are answered in this process, from bytes to bytes as a service would.
    """
    check_details(proba=proba, scores=scores)
    if passphrase_file is not None and key is None:
        raise typer.BadParameter("it must come with --key.", param_hint="--passphrase-file")
    options: dict[str, Any] = {"clip": clip, "round_inputs": round_inputs}
    if url is None:
        for name, value in (("--model", model), ("--model-version", model_version), ("--token-file", token_file)):
            if value is not None:
                raise typer.BadParameter("it must come with --url.", param_hint=name)
        if len(arguments) < 2:
            raise typer.BadParameter("both must be given: MODEL INPUT.", param_hint="[MODEL] INPUT")
        outcome = _ask_here(
            Path(arguments[0]), partial(read_inputs, arguments[1:], header=header), key, passphrase_file, options
        )
    else:
        if model is None:
            raise typer.BadParameter("it must come with --model.", param_hint="--url")
        options |= {
            "model": model,
            "version": model_version,
            "token": read_token(token_file),
            "verify": None if ca_file is None else str(ca_file),
            "allow_http": allow_http,
            "timeout": timeout,
        }
        outcome = _ask_service(url, partial(read_inputs, arguments, header=header), key, passphrase_file, options)
    show_answers(read_answers(outcome.client, outcome.scores, outcome.samples, proba=proba, scores=scores), output)
    if output is Output.TABLE:
        stdout().print(Text(f"\n{outcome.summary}", style="dim"))


def _ask_here(
    model: Path,
    read: Callable[[Signature], Samples],
    key: Path | None,
    passphrase_file: Path | None,
    options: dict[str, Any],
) -> Outcome:
    compiled = load_model(model)
    signature = compiled.signature
    X = read(signature)
    secret_key = None if key is None else open_key(key, passphrase_file, signature.parameters)
    client = Client(signature, secret_key, **options)
    service = LocalServer(compiled, client.public_key.to_bytes())
    with bar("encrypt") as shown:
        trip = round_trip(client, service, X, begin=shown.begin, progress=shown.advance)
    samples, taken = counted(trip.result.samples, "sample"), duration(sum(trip.seconds.values()))
    summary = f"{samples} in {taken}; {size(len(trip.request))} up, {size(len(trip.response))} down"
    return Outcome(client, trip.result.samples, trip.scores, summary)


def _ask_service(
    url: str,
    read: Callable[[Signature], Samples],
    key: Path | None,
    passphrase_file: Path | None,
    options: dict[str, Any],
) -> Outcome:
    try:
        from ..remote import connect
    except ImportError as error:
        raise HermeticError(str(error)) from None
    with connect(url, **options) as remote:
        signature = remote.signature
    X = read(signature)
    secret_key = None if key is None else open_key(key, passphrase_file, signature.parameters)
    with bar("predict") as shown, connect(url, secret_key=secret_key, progress=shown.advance, **options) as remote:
        start = time.perf_counter()
        scores = remote.raw_scores(X)
        taken = time.perf_counter() - start
        client = remote.client
    samples = len(np.atleast_2d(X))
    return Outcome(client, samples, scores, f"{counted(samples, 'sample')} in {duration(taken)}, by {url}")
