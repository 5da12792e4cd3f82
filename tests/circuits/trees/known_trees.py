"""Small private trees, made by hand and at random, and an attacker's queries: any phases in any coefficient."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import numpy.typing as npt

from hermetic import Client, CompiledModel, Query, Signature
from hermetic.arrays import Integers, Reals
from hermetic.circuits.query import Batch
from hermetic.circuits.trees.document import slot_grid
from hermetic.circuits.trees.planner import choose
from hermetic.circuits.trees.public import TreeCircuit
from hermetic.circuits.trees.slots import Slots
from hermetic.circuits.trees.words import Words
from hermetic.features import Bins, FeatureMap
from hermetic.head import Head
from hermetic.rlwe import modular
from hermetic.rlwe.public_ring import PublicRing
from hermetic.rlwe.seeds import QUERY_DOMAIN, SEED_BYTES, expand

EDGES = ((-1.0, 0.0, 2.5), (0.5,), (1.0, 2.0, 3.0, 4.0))
MISSING = (False, True, False)


def slots_of(edges: Any = EDGES, missing: Any = MISSING) -> Slots:
    return Slots(np.array([len(one) for one in edges]), np.array(missing))


class Builder:
    """Collects the words of trees, which are nested tuples (input, slots that go left, left, right), or values."""

    def __init__(self, slots: Slots, columns: int) -> None:
        self.slots, self.columns = slots, columns
        self.rows: dict[str, list[Any]] = {name: [] for name in Words.__dataclass_fields__}

    def tree(self, output: int, root: Any) -> None:
        self.rows["outputs"].append(output)
        self._walk(root, {})

    def _walk(self, node: Any, path: dict[int, npt.NDArray[np.bool_]]) -> None:
        if not isinstance(node, tuple):
            self._word(np.broadcast_to(np.asarray(node, dtype=np.float64), (self.columns,)), path)
            return
        number, left, *children = node
        goes = np.isin(np.arange(self.slots.widths[number]), left)
        for child, mask in zip(children, (goes, ~goes), strict=True):
            allowed = path.get(number, np.ones(len(goes), dtype=np.bool_)) & mask
            if allowed.any():
                self._walk(child, {**path, number: allowed})

    def _word(self, value: Reals, path: dict[int, npt.NDArray[np.bool_]]) -> None:
        rows = self.rows
        word = len(rows["trees"])
        rows["trees"].append(len(rows["outputs"]) - 1)
        rows["base"].append(value)
        for number, allowed in path.items():
            constant, terms = self.slots.linear(number, 1.0 - allowed)
            condition = len(rows["condition_words"])
            rows["condition_words"].append(word)
            rows["condition_constants"].append(int(constant))
            for place in np.flatnonzero(terms):
                rows["term_conditions"].append(condition)
                rows["term_bits"].append(int(self.slots.first_bits[number] + place))
                rows["term_signs"].append(int(terms[place]))

    def words(self, bias: Reals) -> Words:
        arrays = {name: np.array(values, dtype=np.int64) for name, values in self.rows.items()}
        arrays |= {"base": np.array(self.rows["base"]), "bias": np.asarray(bias, dtype=np.float64)}
        return Words(**{**arrays, "jumps": np.zeros((0, self.columns))})


def random_words(seed: int, outputs: int = 1, columns: int = 1, trees: int = 4) -> Words:
    """Trees of depth 3 on :data:`EDGES`."""
    random, slots = np.random.default_rng(seed), slots_of()
    builder = Builder(slots, columns)

    def grown(depth: int) -> Any:
        if not depth:
            return random.normal(size=columns)
        number = int(random.integers(slots.inputs))
        width = int(slots.widths[number])
        left = random.choice(width, int(random.integers(1, width)), replace=False)
        return number, left, grown(depth - 1), grown(depth - 1)

    for output in range(outputs):
        for _ in range(trees):
            builder.tree(output, grown(3))
    return builder.words(random.normal(size=outputs * columns))


def compiled(words: Words, **options: Any) -> CompiledModel:
    slots, features = slots_of(), FeatureMap(Bins(EDGES, MISSING))
    choice = choose(words, slots, slot_grid(slots, features.groups), **options)
    head = Head("predict", squeeze=choice.circuit.outputs == 1)
    signature = Signature("trees", head, choice.circuit, choice.error, None, features)
    return CompiledModel(choice.integers, Signature.from_json(signature.json))


def all_slots() -> Integers:
    """Every combination of slots, one-hot (n, d)."""
    slots = slots_of()
    grid = np.stack(np.meshgrid(*map(np.arange, slots.widths), indexing="ij"), axis=-1).reshape(-1, slots.inputs)
    out = np.zeros((len(grid), slots.slots), dtype=np.int64)
    np.put_along_axis(out, grid + slots.starts[:-1], 1, axis=1)
    return out


def circuit_of(model: CompiledModel) -> TreeCircuit:
    return model.signature.circuit_of(TreeCircuit)


def honest_phases(model: CompiledModel, slots: Integers) -> npt.NDArray[np.object_]:
    """The phases (m, N) of an honest query for slots (d,), modulo q, as Python integers."""
    circuit = circuit_of(model)
    out = np.zeros((circuit.query_polynomials, circuit.parameters.ring_degree), dtype=object)
    bits = circuit.slots.to_bits(slots[None])[0]
    block, column = np.divmod(np.arange(len(bits)), circuit.bits)
    out[block, column] = bits.astype(object) * circuit.delta
    return out


def forged_query(client: Client, phases: npt.NDArray[np.object_]) -> Query:
    """A query whose coefficients have any phases (m, N)."""
    signature = client.signature
    parameters = signature.parameters
    seed, primes = secrets.token_bytes(SEED_BYTES), parameters.data_primes
    residues = np.stack([(phases % prime).astype(np.int64) for prime in primes], axis=1)
    messages = PublicRing.of(parameters).ntt(residues)
    c0 = np.stack(
        [
            modular.add(
                client.secret_key.ring_key.encrypt_zero(expand(QUERY_DOMAIN, seed, i, parameters, primes)), one, primes
            )
            for i, one in enumerate(messages)
        ]
    )
    circuit = signature.circuit_of(TreeCircuit)
    batch = Batch(signature.digest, bytes.fromhex(client.public_key.id), seed, 1, circuit.layout, False)
    return Query(parameters, batch, c0)


def opened_words(client: Client, model: CompiledModel, query: Query) -> tuple[Integers, Integers]:
    """What a client reads with the stream that its tests open: checks (2, w) and scores (c, w)."""
    half: Any = client._half
    circuit = circuit_of(model)
    result: Any = model.evaluate(query, client.public_key)
    sample = result.answers[0]
    products = half._times_secret(sample)
    limbs = half._opened(half._values(circuit.tests, sample[0], products[0]))
    from hermetic.circuits.trees import wire

    count = sum(len(one.words) for one in sample[1:])
    _, checks, scores = wire.sealed(sample, circuit, wire.keystream(limbs, query.batch.query, 0, count))
    return (
        half._values(circuit.checks, checks, products[1]).reshape(2, -1),
        half._values(circuit.scores, scores, products[2]).reshape(circuit.integer_columns, -1),
    )
