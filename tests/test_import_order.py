"""Imports go one way. This file says which, and checks it by reading the source: nothing is imported here.

A *room* is a module or a package below `hermetic` that has a row: `signature`, `cli`, `rlwe.ring`. Imports inside one
room are its own affair; a row of its own takes a module out of the room that its package is. Imports inside functions
and under `TYPE_CHECKING` count like any other.

To change the order, change the tables below. A row may only name rows above it: no cycle can be written down.
test_loaded_modules.py looks at the running program instead.
"""

from pathlib import Path

import pytest

from source_imports import imports

# Which room may import which. SHARED is every row above that belongs to neither owner; ANYTHING has no limit.
HOUSE = """
    room                       may import
    ----------                 ----------------------------------------
    errors                     -
    arguments                  errors
    files                      errors
    arrays                     -
    json_values                errors
    ranking                    errors arrays
    links                      arrays
    head                       arrays links

    # The ring: public ciphertexts and public keys; `seal` alone ever sees a secret.
    rlwe                       -
    rlwe.parameters            errors
    rlwe.native                -
    rlwe.modular               arrays
    rlwe.bitpacking            errors rlwe.native
    rlwe.polynomials           errors arrays rlwe.parameters rlwe.bitpacking
    rlwe.seeds                 arrays rlwe.parameters rlwe.native
    rlwe.randomness            -
    rlwe.public_ring           arrays rlwe.parameters rlwe.native rlwe.randomness
    rlwe.levels                arrays rlwe.parameters rlwe.native rlwe.public_ring
    rlwe.ring                  errors arrays rlwe.parameters rlwe.modular

    object_stores              errors files

    envelope                   errors rlwe.parameters
    keys                       -
    keys.switching             errors arrays rlwe.levels rlwe.parameters rlwe.polynomials rlwe.seeds
    keys.public                errors arrays envelope rlwe.parameters rlwe.polynomials rlwe.seeds keys.switching
    inputs                     -
    inputs.grid                errors arrays
    named_inputs               errors
    real_values                errors named_inputs
    features                   errors arrays named_inputs real_values
    train                      errors real_values features
    rules                      errors arguments arrays features

    # Circuits: what is public about each, and what travels.
    circuits                   -
    circuits.packing           errors arrays
    circuits.bounds            rlwe.parameters
    circuits.cost              circuits.packing
    circuits.header            envelope
    circuits.decimals          -
    circuits.grid_document     arrays errors inputs.grid json_values
    circuits.linear            -
    circuits.linear.bounds     rlwe.parameters circuits.packing circuits.bounds
    circuits.linear.plan       rlwe.parameters rlwe.bitpacking circuits.packing circuits.cost
    circuits.linear.integers   errors arrays inputs.grid circuits.decimals
    circuits.linear.public     SHARED
    circuits.linear.document   SHARED
    circuits.trees             -
    circuits.trees.slots       arrays
    circuits.trees.spans       arrays circuits.trees.slots
    circuits.trees.words       arrays
    circuits.trees.bounds      rlwe.parameters circuits.bounds
    circuits.trees.public      SHARED
    circuits.trees.document    SHARED
    circuits.trees.rounding    arrays
    circuits.trees.seal        errors circuits.trees.bounds
    circuits.trees.scores      arrays circuits.trees.public
    circuits.trees.partition   errors arrays circuits.trees.slots circuits.trees.words
    circuits.networks          -
    circuits.networks.embedding    arrays rlwe.levels
    circuits.networks.network      arrays
    circuits.networks.window       arrays errors
    circuits.networks.arrangement  errors arrays circuits.packing circuits.networks.embedding circuits.networks.window
    circuits.networks.diagonals    arrays circuits.networks.embedding
    circuits.networks.bounds       rlwe.parameters
    circuits.networks.public       SHARED
    circuits.networks.document     SHARED
    signature                  SHARED
    circuits.query             SHARED
    circuits.result            SHARED
    circuits.linear.wire       SHARED
    circuits.trees.wire        SHARED
    circuits.networks.wire     SHARED

    # The data owner: has the secret key, never a weight.
    keys.secret                SHARED
    circuits.encryption        SHARED keys.secret
    circuits.client_interface  SHARED circuits.encryption
    circuits.linear.client     SHARED keys.secret circuits.encryption
    circuits.trees.client      SHARED keys.secret circuits.encryption
    circuits.networks.client   SHARED keys.secret circuits.encryption
    client                     SHARED keys.secret circuits.encryption circuits.client_interface
    remote                     SHARED keys.secret client

    # The model owner: has the weights, never a secret key.
    circuits.masking           SHARED
    circuits.server_interface  SHARED circuits.masking
    circuits.linear.weights    SHARED
    circuits.linear.evaluate   SHARED circuits.masking circuits.linear.weights
    circuits.linear.server     SHARED circuits.masking circuits.linear.weights circuits.linear.evaluate
    circuits.trees.planner     SHARED
    circuits.trees.drawing     SHARED
    circuits.trees.evaluate    SHARED circuits.masking circuits.trees.drawing
    circuits.trees.server  SHARED circuits.masking circuits.trees.planner circuits.trees.drawing circuits.trees.evaluate
    circuits.networks.weights  SHARED
    circuits.networks.ranges   SHARED circuits.networks.weights
    circuits.networks.guarantee    SHARED circuits.networks.weights circuits.networks.ranges
    circuits.networks.planner  SHARED circuits.networks.weights circuits.networks.ranges circuits.networks.guarantee
    circuits.networks.evaluate SHARED circuits.masking circuits.networks.weights
    circuits.networks.server   SHARED circuits.masking circuits.networks.weights circuits.networks.guarantee
    circuits.networks.simulate SHARED circuits.networks.evaluate
    circuits.networks.server   circuits.networks.ranges circuits.networks.evaluate circuits.networks.simulate
    model                      SHARED circuits.masking circuits.server_interface circuits.linear.weights
    compiler                   SHARED circuits.linear.server circuits.trees.planner model
    compiler                   circuits.networks.planner circuits.networks.ranges circuits.networks.weights
    compiler                   circuits.networks.guarantee circuits.networks.window
    legacy                     errors
    serve                      SHARED circuits.masking model legacy
    deploy                     SHARED model serve

    # Tables over an object store: what both owners see, then a half of each.
    batch.manifest             errors
    batch.job                  errors object_stores batch.manifest
    batch.tables               errors files
    batch.row_file             errors files batch.manifest
    batch.encrypting           SHARED client batch.job batch.manifest batch.row_file batch.tables
    batch.decrypting           SHARED client batch.job batch.manifest batch.row_file batch.tables
    batch.evaluator            SHARED circuits.masking model
    batch.worker               SHARED batch.evaluator
    batch.local_engine         SHARED batch.evaluator
    batch.ray_engine           SHARED batch.evaluator
    batch.summary              -
    batch.metrics              errors batch.summary
    batch.scoring              SHARED circuits.masking model batch.evaluator batch.local_engine batch.ray_engine

    # Doors: they may use both sides.
    batch.planning             ANYTHING
    batch                      ANYTHING
    roundtrip                  SHARED keys.secret circuits.encryption client model
    demo                       ANYTHING
    workflow                   ANYTHING
    cli                        ANYTHING
    __main__                   ANYTHING
    __init__                   ANYTHING
"""

DATA_OWNER = {
    *("keys.secret", "circuits.encryption", "circuits.client_interface", "circuits.linear.client"),
    *("circuits.trees.client", "circuits.networks.client", "client", "remote", "batch.encrypting", "batch.decrypting"),
}
MODEL_OWNER = {
    *("circuits.masking", "circuits.server_interface"),
    *("circuits.linear.weights", "circuits.linear.evaluate", "circuits.linear.server"),
    *("circuits.trees.planner", "circuits.trees.drawing", "circuits.trees.evaluate", "circuits.trees.server"),
    *("circuits.networks.weights", "circuits.networks.ranges", "circuits.networks.planner"),
    "circuits.networks.guarantee",
    *("circuits.networks.evaluate", "circuits.networks.simulate", "circuits.networks.server"),
    *("model", "compiler", "legacy", "serve", "deploy"),
    *("batch.evaluator", "batch.worker", "batch.local_engine", "batch.ray_engine", "batch.scoring"),
}

# Which rooms may import a library that the others must do without.
FENCED = {
    # rlwe.ring: all of Hermetic's own cryptography. legacy: legacy clients' ciphertexts need SEAL's evaluator itself.
    "seal": {"rlwe.ring", "legacy"},
    "sklearn": {"compiler", "demo", "remote"},
    "typer": {"cli"},
    "rich": {"cli", "remote"},
    "httpx": {"remote"},
    "starlette": {"serve"},
    "uvicorn": {"serve"},
    "obstore": {"object_stores", "batch.job", "serve", "workflow"},
    "pydantic": {"serve"},
    "PIL": {"cli"},
    "matplotlib": {"demo"},
    "pureml": {"demo"},
    "zarr": {"demo"},
    "joblib": {"cli"},
    "skops": {"cli"},
    "onnx": {"compiler"},
    "yaml": {"deploy"},
    "pyarrow": {"batch.tables", "batch.row_file", "batch.encrypting", "batch.decrypting"},
    "ray": {"batch.ray_engine"},
    "torch": {"train"},
}

PACKAGE = Path(__file__).parent.parent / "src" / "hermetic"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def read_house(table: str) -> dict[str, set[str] | None]:
    """Room -> the rooms it may import, or None for no limit. Refuses a row that names one below it. A second row of a
    room adds to the first.
    """
    house: dict[str, set[str] | None] = {}
    rows = [line.split() for line in table.splitlines() if line.strip() and not line.strip().startswith("#")]
    for room, *allowed in rows[2:]:
        names = {name for name in allowed if name not in ("-", "SHARED", "ANYTHING")}
        if "SHARED" in allowed:
            names |= set(house) - DATA_OWNER - MODEL_OWNER
        if below := names - set(house):
            raise ValueError(f"The row {room!r} must only name rows above it. Got {sorted(below)} instead.")
        house[room] = None if "ANYTHING" in allowed else names | (house.get(room) or set())
    return house


def room_of(module: str) -> str:
    """The room of a module: `hermetic.compiler.planner` -> `compiler`, `hermetic.rlwe.ring` -> `rlwe.ring`, `hermetic`
    itself -> `__init__`. A module without a row has the name of one that is missing.
    """
    parts = module.split(".")[1:]
    names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((name for name in names if name in MAY_IMPORT), names[-1] if names else "__init__")


def imports_of(module: str) -> set[str]:
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    return imports(source, module, is_package=path.name == "__init__.py", modules=set(MODULES))


MAY_IMPORT = read_house(HOUSE)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_row(module: str) -> None:
    room = room_of(module)
    assert room in MAY_IMPORT, f"{module} has no row: add {room!r} to HOUSE in {Path(__file__).name}"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    room = room_of(module)
    allowed = MAY_IMPORT.get(room)
    if allowed is None:  # no limit, or no row: the test above says so
        return
    rooms = {room_of(name) for name in imports_of(module) if name.split(".")[0] == "hermetic"}
    wrong = rooms - allowed - {room}
    assert not wrong, f"{module} must only import {sorted(allowed)}. Got {sorted(wrong)} as well."


@pytest.mark.parametrize("module", MODULES)
def test_fenced_libraries_stay_behind_their_fence(module: str) -> None:
    libraries = {name.split(".")[0] for name in imports_of(module)}
    for library, rooms in FENCED.items():
        assert library not in libraries or room_of(module) in rooms, (
            f"{module} must not import {library}: only {sorted(rooms)} may"
        )


def test_the_two_owners_never_import_each_other() -> None:
    for owner, other in ((DATA_OWNER, MODEL_OWNER), (MODEL_OWNER, DATA_OWNER)):
        for room in owner:
            assert not (MAY_IMPORT[room] or set()) & other, f"the row {room!r} crosses to the other owner"


def test_a_row_must_not_name_one_below_it() -> None:
    with pytest.raises(ValueError, match="must only name rows above it"):
        read_house("room may import\n----\nlow high\nhigh -")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import seal", {"seal"}),
        ("import sklearn.linear_model as lm", {"sklearn.linear_model"}),
        ("from hermetic.model import CompiledModel", {"hermetic.model"}),
        ("from hermetic import model", {"hermetic.model"}),
        ("from hermetic import model, Client", {"hermetic.model", "hermetic"}),
        ("from . import model", {"hermetic.model"}),
        ("from .model import CompiledModel", {"hermetic.model"}),
        ("from .compile import planner", {"hermetic.compile.planner"}),
        ("def f():\n    from .model import CompiledModel", {"hermetic.model"}),
        ("if TYPE_CHECKING:\n    import hermetic.model", {"hermetic.model"}),
    ],
)
def test_every_way_to_import_is_seen(source: str, expected: set[str]) -> None:
    modules = {"hermetic.client", "hermetic.model", "hermetic.compile", "hermetic.compile.planner"}
    assert imports(source, "hermetic.client", is_package=False, modules=modules) == expected


def test_relative_imports_inside_a_package_are_seen() -> None:
    modules = {"hermetic.model", "hermetic.compile", "hermetic.compile.planner"}
    source = "from ..model import CompiledModel\nfrom .planner import plan"
    expected = {"hermetic.model", "hermetic.compile.planner"}
    assert imports(source, "hermetic.compile.sklearn", is_package=False, modules=modules) == expected
    source = "from ..model import CompiledModel\nfrom . import planner"
    assert imports(source, "hermetic.compile", is_package=True, modules=modules) == expected
