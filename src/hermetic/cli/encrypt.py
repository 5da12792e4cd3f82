"""``hermetic encrypt``: samples become a file that any HTTP client can send."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..client import Client
from .console import stdout
from .files import load_model_or_signature, write_file
from .inputs import read_inputs
from .passphrase import PassphraseOption, open_key
from .progress import bar
from .samples import ClipOption, HeaderOption, RoundOption
from .score_form import question
from .units import counted, size


def encrypt(
    signature: Annotated[Path, typer.Argument(metavar="SIGNATURE", help="The model's signature, or a model file.")],
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="A .npy, .csv or .tsv file, - for CSV on stdin, or PNG images."),
    ],
    key: Annotated[Path, typer.Option(help="Secret key file; made if it does not exist.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the query: the body for /score.")],
    public_key: Annotated[
        Path | None, typer.Option(help="Where to write the public key, which the service needs once.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    clip: ClipOption = False,
    round_inputs: RoundOption = False,
    header: HeaderOption = None,
) -> None:
    """Encrypt samples into a file that any HTTP client can send; hermetic decrypt reads the answer."""
    public, _ = load_model_or_signature(signature)
    X = read_inputs(inputs, public, header=header)
    client = Client(public, open_key(key, passphrase_file, public.parameters), clip=clip, round_inputs=round_inputs)
    with bar("encrypt") as shown:
        query = client.encrypt(X, progress=shown.advance)
    body = question(query)
    write_file(output, body)
    if public_key is not None:
        write_file(public_key, client.public_key.to_bytes())
    about = f"{counted(query.samples, 'sample')} under the key {client.public_key.id}"
    stdout().print(f"Wrote {output} ({size(len(body))}): {about}", markup=False, soft_wrap=True)
