"""The answers of one call, kept as they came until the last one is there.

A service that sees what its forgeries decrypt to learns the secret key, and one that sees *when* a call goes on, or
whether it does, sees that. So nothing is decrypted while a call still has something to send.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import Self

from ..circuits.query import Batch
from ..errors import RemoteError

_IN_MEMORY = 64 << 20


@dataclass(frozen=True)
class Answer:
    """The bytes that came back for an encrypted batch."""

    batch: Batch
    result: bytes = field(repr=False)


class Answers:
    """Answers in their order: ciphertexts, as the service has them. Beyond 64 MiB they go to a temporary file.

    Raises
    ------
    RemoteError
        From :meth:`add`, if the file cannot be written.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed on exit
        self._batches: list[tuple[Batch, int]] = []

    def __len__(self) -> int:
        return len(self._batches)

    def add(self, answer: Answer) -> None:
        """Keep one more."""
        try:
            self._file.write(answer.result)
        except OSError as error:
            raise RemoteError(
                "answers must be kept until all are there. The folder for temporary files cannot hold them: "
                f"{error.strerror}. Pass fewer samples at a time, or set TMPDIR."
            ) from None
        self._batches.append((answer.batch, len(answer.result)))

    def __iter__(self) -> Iterator[Answer]:
        self._file.seek(0)
        for batch, size in self._batches:
            yield Answer(batch, self._file.read(size))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
