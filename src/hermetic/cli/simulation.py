"""What an encrypted answer would be, computed without encryption: before anything is deployed."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console

from ..client import Client
from ..compiler.sample import spread_rows
from ..model import CompiledModel
from .tables import facts, section
from .units import counted

_ROWS = 100


def show_simulation(console: Console, model: CompiledModel, sample: Any) -> None:
    """Compute rows of a sample with the integers of encrypted answers, and print how near they are to plain scores."""
    client = Client(model.signature, clip=True, round_inputs=True)
    integers, _ = client.quantize(sample)
    integers = integers[spread_rows(len(integers), _ROWS)]
    head = model.signature.head
    found, plain = (head.shaped(one(integers)) for one in (model.simulate, model.reference))
    rows = {"rows of the sample": counted(len(integers), "row"), "farthest score": f"{np.abs(found - plain).max():.2g}"}
    if head.labels is not None:
        same = int((head.predict(found) == head.predict(plain)).sum())
        rows["labels"] = f"{same} of {len(integers)} as in plain numbers"
    section(console, "Simulated: the integers of encrypted answers, without encryption", facts(rows))
