"""What a model makes public and what it guarantees, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ..features import FeatureMap
from ..inputs.grid import Grid
from ..model import CompiledModel
from ..rlwe.parameters import SECURITY_BITS
from ..signature import Signature
from .tables import facts, section
from .units import counted, size

_SHOWN = 6


def show_report(console: Console, signature: Signature, model: CompiledModel | None, file_bytes: int) -> None:
    """Print what is public, what is private, what is guaranteed, and what travels."""
    section(console, "Public: anyone with the signature learns", facts(_public(signature)))
    if signature.feature_map is not None:
        rows = _features(signature.feature_map, signature.feature_names)
        section(console, "Public too: what clients compute before they encrypt", facts(rows))
    if model is not None:
        section(console, "Private: stays with the owner", facts(_private(model, file_bytes)))
    section(console, f"Guaranteed, for {signature.circuit.guaranteed}", facts(_guaranteed(signature, model)))
    section(console, "Bytes", facts(_bytes(signature)))


def show_layouts(console: Console, signature: Signature) -> None:
    """Print what fits a polynomial, and the bytes of a full batch, for every layout that the model answers."""
    section(console, "Layouts, each with a full batch", _layouts(signature))


def as_json(signature: Signature, model: CompiledModel | None, file_bytes: int) -> dict[str, Any]:
    """The same facts for programs."""
    parameters = signature.parameters
    return {
        "kind": "signature" if model is None else "model",
        "file_bytes": file_bytes,
        "digest": signature.digest.hex(),
        "public": json.loads(signature.json),
        "private": None if model is None else model.sizes,
        "guaranteed_error": signature.error,
        "error_over_spread": None if model is None else _over_spread(model),
        "lambda_bits": signature.lambda_bits,
        "security_bits": SECURITY_BITS,
        "estimated_security_bits": parameters.estimated_bits,
        "parameters": {
            "profile": parameters.profile,
            "ring_degree": parameters.ring_degree,
            "data_primes": parameters.data_primes,
            "special_prime": parameters.special_prime,
        },
        "public_key_bytes": signature.public_key_bytes,
        "layouts": signature.circuit.full_batches,
    }


def _public(signature: Signature) -> dict[str, str]:
    made = "probabilities" if signature.head.has_probabilities else "made"
    link = f", {made} by {signature.link}" if signature.link else ""
    rows = {
        "name": signature.name,
        "shape": f"{_shape(signature)} -> {counted(signature.outputs, 'score')}",
        "inputs" if signature.feature_map is None else "features": _inputs(signature.grid),
        "scores": f"of {signature.method}{link}",
    }
    if signature.backbone is not None:
        rows["backbone"] = f"{signature.backbone!r}, which clients have: it computes the inputs"
    if signature.feature_names is not None:
        rows["feature names"] = _listed(signature.feature_names)
    if signature.labels is not None:
        rows["labels"] = f"{_listed(map(repr, signature.labels.tolist()))} ({signature.labels.dtype})"
    rows |= signature.circuit.descriptions
    rows["signature"] = f"{size(len(signature.to_bytes()))}, {signature.digest.hex()[:32]}…"
    return rows


def _shape(signature: Signature) -> str:
    encrypted = counted(signature.features, "feature")
    if signature.feature_map is None:
        return encrypted
    return f"{counted(signature.inputs, 'input')} -> {encrypted} (public: {signature.feature_map})"


def _features(features: FeatureMap, names: tuple[str, ...] | None) -> dict[str, str]:
    """Every parameter of a feature map in words; the values of categories themselves, where they are few."""
    rows = {
        f"input {column}" if names is None else repr(names[column]): f"one of {_listed(map(repr, categories.values))}"
        for column, categories in features.categories.items()
    }
    return rows | {f"step {number}": words for number, words in enumerate(features.parameters, start=1)}


def _private(model: CompiledModel, file_bytes: int) -> dict[str, str]:
    shapes = {name: " x ".join(f"{length:,}" for length in shape) for name, shape in model.sizes.items()}
    return {
        **{name: f"{shape} {model.signature.circuit.numbers}" for name, shape in shapes.items()},
        "where": f"in the model file ({size(file_bytes)}), in the clear",
    }


def _guaranteed(signature: Signature, model: CompiledModel | None) -> dict[str, str]:
    parameters = signature.parameters
    modulus = "+".join(str(p.bit_length()) for p in parameters.data_primes)
    share = None if model is None else _over_spread(model)
    beside = "" if share is None else f", {_share(share)} of the spread of scores"
    agreement = None if model is None else model.agreement
    return {
        "error of a score": f"<= {signature.error:g}{beside}",
        **({} if agreement is None else {"agreement": f"{agreement:.1%} of the sample, with the network in plain"}),
        "flooding of answers": f"lambda >= {signature.lambda_bits:g} bits",
        "security": parameters.security,
        "parameters": f"profile {parameters.profile}, N = {parameters.ring_degree:,}, q = {modulus} bits",
    }


def _over_spread(model: CompiledModel) -> float | None:
    """The error beside the spread of scores: on the sample, where that is known, else over the range."""
    spread = model.spread_over_range if model.spread is None else model.spread
    return model.signature.error / spread if spread else None


def _share(value: float) -> str:
    return f"{value:.1%}" if value >= 0.001 else "less than 0.1%"


def _bytes(signature: Signature) -> dict[str, str]:
    circuit = signature.circuit
    switching = ", switching keys included" if circuit.key_shape else ""
    rows = {"public key": f"{size(signature.public_key_bytes)} up, once{switching}"}
    for samples in (1, max(chunk.samples for chunk in circuit.chunks)):
        up, down = circuit.query_bytes(samples), circuit.result_bytes(samples)
        each = f", {size((up + down) / samples)} a sample" if samples > 1 else ""
        rows[counted(samples, "sample")] = f"{size(up)} up, {size(down)} down{each}"
    return rows


def _layouts(signature: Signature) -> Table:
    table = Table(box=None, pad_edge=False)
    headings = ("samples", "features", "outputs", "ciphertexts", "request", "response", "a sample", "lambda")
    for heading in headings:
        table.add_column(heading, justify="right", header_style="dim")
    for batch in signature.circuit.full_batches:
        table.add_row(
            *(f"{batch[name]:,}" for name in headings[:3]),
            f"{batch['query_ciphertexts']:,} up, {batch['result_ciphertexts']:,} down",
            size(batch["request_bytes"]),
            size(batch["response_bytes"]),
            size((batch["request_bytes"] + batch["response_bytes"]) / batch["samples"]),
            f"{batch['lambda_bits']:g}",
        )
    return table


def _inputs(grid: Grid) -> str:
    lower, upper, step = grid.lower, grid.upper, grid.step
    steps = int((grid.high - grid.low).max())
    kind = "exact" if grid.exact else f"rounded to {steps:,} steps"
    if np.ptp(lower) == 0 and np.ptp(upper) == 0:
        kind = f"exact in steps of {step[0]:g}" if grid.exact else kind
        return f"each from {lower[0]:g} to {upper[0]:g}, {kind}"
    ranges = [f"{low:g} to {high:g}" for low, high in zip(lower, upper, strict=True)]
    return f"{kind}; {_listed(ranges)}"


def _listed(values: Iterable[str]) -> str:
    names = list(values)
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[: _SHOWN - 2])}, … {names[-1]} ({len(names):,} in all)"
