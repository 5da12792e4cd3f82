"""Objects that earlier versions wrote, and what they must give: every version must still read them.

The vectors are in ``tests/vectors``, one directory a version of the formats; ``make.py`` there wrote them, and writes
those of the next version.
"""

import hashlib
import importlib.util
import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hermetic import Client, CompiledModel, PublicKey, Query, Result, SecretKey, Signature
from hermetic.rlwe import modular
from hermetic.rlwe.bitpacking import pack, unpack
from hermetic.rlwe.parameters import KNOWN
from hermetic.rlwe.ring import Ring
from hermetic.rlwe.seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, expand

VECTORS = Path(__file__).parent / "vectors"
MODELS = sorted(path.parent for path in VECTORS.glob("version-*/*/expected.json"))
PRIMITIVES = sorted(VECTORS.glob("version-*/primitives.json"))

each_model = pytest.mark.parametrize("home", MODELS, ids=lambda path: f"{path.parent.name}, {path.name}")
each_version = pytest.mark.parametrize("path", PRIMITIVES, ids=lambda path: path.parent.name)


@cache
def expected(home: Path) -> dict[str, Any]:
    return json.loads((home / "expected.json").read_text())


@cache
def secret_key(home: Path) -> SecretKey:
    return SecretKey.load(home / "secret_key.bin", expected(home)["passphrase"])


def signature_of(home: Path) -> Signature:
    return Signature.from_bytes((home / "signature.bin").read_bytes())


def client_of(home: Path) -> Client:
    return Client(signature_of(home), secret_key(home))


def test_no_vector_is_lost() -> None:
    trees = ["growths", "loose", "progress", "species"]
    names = [
        "version-1/fast",
        "version-1/precise",
        *(f"version-2/{one}" for one in sorted([*trees, "fast", "precise"])),
        "version-3/neurons",
        "version-3/windows",
        "version-4/layers",
    ]
    assert [path.relative_to(VECTORS).as_posix() for path in MODELS] == names
    assert [path.parent.name for path in PRIMITIVES] == ["version-1", "version-2", "version-3", "version-4"]


@each_model
def test_the_signature_is_read(home: Path) -> None:
    signature = signature_of(home)
    profiles = {"precise": "precise", "neurons": "network", "windows": "network", "layers": "deep"}
    assert signature.parameters.profile == profiles.get(home.name, "fast")
    assert signature.digest.hex() == expected(home)["signature"]
    assert signature.to_bytes() == (home / "signature.bin").read_bytes()


@each_model
def test_the_secret_key_is_read_with_its_public_key(home: Path) -> None:
    key = secret_key(home).public_key_for(signature_of(home).circuit.key_shape)
    assert key.id == expected(home)["public_key"]
    if (home / "public_key.bin").exists():
        data = (home / "public_key.bin").read_bytes()
        assert key.to_bytes() == data
        assert PublicKey.from_bytes(data).id == key.id


@each_model
def test_inputs_become_the_same_integers(home: Path) -> None:
    inputs = np.array(expected(home)["inputs"], dtype=np.float64)
    integers, vector = client_of(home).quantize(inputs)
    assert integers.tolist() == expected(home)["integer_inputs"]
    assert vector == (inputs.ndim == 1)


@each_model
def test_the_result_decrypts_to_the_same_scores(home: Path) -> None:
    client, data = client_of(home), (home / "result.bin").read_bytes()
    result = Result.from_bytes(data, client.signature)
    assert client.decrypt_integers(result).tolist() == expected(home)["integers"]
    assert client.decrypt(result).tolist() == expected(home)["scores"]
    assert client.predict(result).tolist() == expected(home)["predictions"]
    assert result.to_bytes() == data


@each_model
def test_the_query_is_answered(home: Path) -> None:
    """An old client's query by a new service with the old model, and the new answer by the old key."""
    client, data = client_of(home), (home / "query.bin").read_bytes()
    query = Query.from_bytes(data, client.signature)
    model = CompiledModel.load(home / "model.hermetic")
    result = Result.from_bytes(model.evaluate(query, client.public_key).to_bytes(), client.signature)
    assert np.abs(client.decrypt(result) - expected(home)["scores"]).max() <= noise_of(client.signature)
    assert query.to_bytes() == data


def noise_of(signature: Signature) -> float:
    """How far apart two answers to one query are: not at all, but for networks."""
    circuit = signature.circuit
    if circuit.kind != "networks":
        return 0.0
    return 2.0 ** (circuit.flood_bits - circuit.score_exponent) / circuit.release_parameters.rescale_factor


@each_model
def test_the_model_is_the_reference(home: Path) -> None:
    model = CompiledModel.load(home / "model.hermetic")
    assert model.signature == signature_of(home)
    integers = np.array(expected(home)["integer_inputs"])
    if model.signature.circuit.kind == "networks":
        scores = model.signature.head.shaped(model.simulate(integers))
        assert np.abs(scores - expected(home)["scores"]).max() <= noise_of(model.signature)
        return
    reference = model.integers.apply if model.signature.circuit.kind == "linear" else model._half.reference_integers
    assert reference(integers).tolist() == expected(home)["integers"]


def sha256(words: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(words, dtype="<i8").tobytes()).hexdigest()


@each_version
def test_parameters_keep_their_digests(path: Path) -> None:
    digests = {name: one.digest.hex() for name, one in KNOWN.items()}
    assert json.loads(path.read_text())["parameters"].items() <= digests.items()


def test_the_newest_version_has_every_parameter_set() -> None:
    assert list(json.loads(PRIMITIVES[-1].read_text())["parameters"]) == list(KNOWN)


@each_version
def test_seeds_expand_to_the_same_words(path: Path) -> None:
    domains = {QUERY_DOMAIN, PUBLIC_KEY_DOMAIN}
    for case in json.loads(path.read_text())["expand"]:
        domain, parameters = case["domain"].encode(), KNOWN[case["profile"]]
        primes = parameters.key_primes[: len(case["first"])]
        words = expand(domain, bytes.fromhex(case["seed"]), case["index"], parameters, primes)
        assert words[:, :4].tolist() == case["first"]
        assert sha256(words) == case["sha256"]
        domains.discard(domain)
    assert not domains


@each_version
def test_transforms_give_the_same_values(path: Path) -> None:
    for case in json.loads(path.read_text())["ntt"]:
        parameters = KNOWN[case["profile"]]
        squares = modular.from_integers(np.arange(parameters.ring_degree)[None] ** 2, parameters.data_primes)
        values = Ring.of(parameters).ntt(squares)[0]
        assert values[:, :4].tolist() == case["first"]
        assert sha256(values) == case["sha256"]


@each_version
def test_words_pack_to_the_same_bytes(path: Path) -> None:
    for case in json.loads(path.read_text())["pack"]:
        data = bytes.fromhex(case["bytes"])
        assert pack(np.array(case["words"]), case["width"]) == data
        assert unpack(data, len(case["words"]), case["width"]).tolist() == case["words"]


def test_the_script_writes_such_vectors(tmp_path: Path) -> None:
    """Run as it is, into another directory; only what is random may differ."""
    spec = importlib.util.spec_from_file_location("make", VECTORS / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(tmp_path)
    names = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    versions = [path.parent for path in PRIMITIVES]
    committed = {path.relative_to(one) for one in versions for path in one.rglob("*.*")}
    assert names == sorted(committed)
    for name in names:
        newest = next(one for one in reversed(versions) if (one / name).exists())
        if name.suffix == ".bin" and name.stem != "signature":
            assert (tmp_path / name).stat().st_size == (newest / name).stat().st_size
            assert (tmp_path / name).read_bytes() != (newest / name).read_bytes()
    assert (tmp_path / "primitives.json").read_text() == PRIMITIVES[-1].read_text()
    shutil.rmtree(tmp_path)
