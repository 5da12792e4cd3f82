"""Every kind of circuit has what the rest of Hermetic asks for, and its two halves meet nowhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fitted
from hermetic import Client, Query, Result, Signature, circuits

CIRCUIT = fitted.petals().signature.circuit

each = pytest.mark.parametrize("kind", circuits.KINDS)


@each
def test_a_folder_has_both_halves_and_its_documents(kind: str) -> None:
    assert circuits.client_half(kind).__module__ == f"hermetic.circuits.{kind}.client"
    assert circuits.server_half(kind).__module__ == f"hermetic.circuits.{kind}.server"
    assert circuits.documents(kind).__name__ == f"hermetic.circuits.{kind}.document"


@each
@pytest.mark.parametrize(("half", "other"), [("client", "server"), ("server", "client")])
def test_finding_one_half_does_not_load_the_other(kind: str, half: str, other: str) -> None:
    code = f"import sys; from hermetic import circuits; circuits.{half}_half({kind!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert f"hermetic.circuits.{kind}.{half}" in loaded
    assert f"hermetic.circuits.{kind}.{other}" not in loaded


def test_format_1_reads_as_linear() -> None:
    signature = Signature.from_json(fitted.petals().signature.json)
    assert signature.circuit.kind == "linear"


@pytest.mark.parametrize("fitted_model", [fitted.petals, fitted.digits, fitted.tumours, fitted.progression])
def test_documents_keep_every_field(fitted_model: type) -> None:
    one = fitted_model().signature.circuit
    documents = circuits.documents(one.kind)
    assert documents.write(documents.read(documents.write(one), one.grid.groups)) == documents.write(one)


@pytest.mark.parametrize("samples", [1, 3, 64, 200])
def test_sizes_are_those_of_what_travels(samples: int) -> None:
    model, client = fitted.petals().model, Client(fitted.petals().signature)
    query = client.encrypt(fitted.petals().X[:1].repeat(samples, axis=0))
    result = model.evaluate(query, client.public_key)
    assert (
        len(query.to_bytes())
        == CIRCUIT.query_bytes(samples)
        == Query.size(model.signature, query.batch.layout, samples)
    )
    assert len(result.to_bytes()) == CIRCUIT.result_bytes(samples)
    assert Result.size(model.signature, query.batch.layout, samples) == CIRCUIT.result_bytes(samples)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_query_is_a_whole_number_of_chunks(count: int) -> None:
    for chunk, layout in zip(CIRCUIT.chunks, CIRCUIT.layouts, strict=True):
        samples = count * chunk.samples
        assert CIRCUIT.query_bytes(samples, layout) == CIRCUIT.fixed_bytes + count * chunk.query_bytes
