"""``hermetic decrypt``: the answer to what ``hermetic encrypt`` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..client import Client
from ..errors import KeyFileError
from .answers import Output, OutputOption, ProbaOption, ScoresOption, check_details, read_answers, show_answers
from .files import load_model_or_signature
from .passphrase import PassphraseOption, open_key
from .score_form import read_question, read_reply


def decrypt(
    signature: Annotated[Path, typer.Argument(metavar="SIGNATURE", help="The model's signature, or a model file.")],
    query: Annotated[Path, typer.Argument(metavar="QUERY", help="What hermetic encrypt wrote.")],
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="What /score answered; - for standard input.")],
    key: Annotated[Path, typer.Option(help="The secret key file that the query was encrypted with.")],
    passphrase_file: PassphraseOption = None,
    proba: ProbaOption = False,
    scores: ScoresOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Decrypt the answer to a query, and print it. An answer to anything else is refused."""
    check_details(proba=proba, scores=scores)
    if not key.is_file():
        raise KeyFileError(f"{key} must be the key that the query was encrypted with. There is no such file.")
    public, _ = load_model_or_signature(signature)
    asked = read_question(query, public)
    result = read_reply(answer, asked, public)
    client = Client(public, open_key(key, passphrase_file, public.parameters))
    show_answers(read_answers(client, client.decrypt(result), result.samples, proba=proba, scores=scores), output)
