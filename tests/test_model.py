"""Model files: saved whole and private, refused when damaged, foreign, or beyond the bounds."""

import hashlib
import json
import os
import pickle
import stat
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import fitted
from hermetic import Client, CompiledModel, ModelFileError
from hermetic.circuits.linear.integers import IntegerMap
from known_weights import with_circuit

PETALS = fitted.petals()
MODEL = PETALS.model
FORMAT = "hermetic model 1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "petals.hermetic"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a model file."""
    path = tmp_path_factory.mktemp("models") / "petals.hermetic"
    MODEL.save(path)
    return path.read_bytes()


def write(path: Path, metadata: dict[str, str] | None = None, **tensors: Any) -> Path:
    """A safetensors file that is a good model's but for what is given."""
    signature = MODEL.signature.json.decode()
    parts = {"weights": MODEL.integers.weights, "bias": MODEL.integers.bias, **tensors}
    parts = {name: np.ascontiguousarray(tensor) for name, tensor in parts.items() if tensor is not None}
    save_file(parts, path, {"format": FORMAT, "signature": signature} if metadata is None else metadata)
    return path


def refuse(path: Path, message: str) -> None:
    with pytest.raises(ModelFileError, match=message) as raised:
        CompiledModel.load(path)
    assert type(raised.value) is ModelFileError


# A good file


@pytest.mark.parametrize(
    "make", [fitted.petals, fitted.digits, fitted.tumours, fitted.progression, fitted.sepals], ids=lambda f: f.__name__
)
def test_a_saved_model_is_the_model(make: Callable[[], fitted.Fitted], path: Path) -> None:
    one = make()
    one.model.save(path)
    loaded = CompiledModel.load(path)
    assert loaded.signature == one.signature
    for name in ("weights", "bias"):
        assert np.array_equal(getattr(loaded.integers, name), getattr(one.model.integers, name))
    for name in ("scale_exponent", "limbs", "limb_bits"):
        assert getattr(loaded.integers, name) == getattr(one.model.integers, name)
    client = Client(one.signature)
    result = loaded.evaluate(client.encrypt(one.X[:3]), client.public_key)
    assert np.abs(client.decrypt(result) - one.scores[:3]).max() <= one.signature.error


def test_the_file_is_what_the_documentation_says(path: Path, good: bytes) -> None:
    path.write_bytes(good)
    (length,) = struct.unpack("<Q", good[:8])
    header = json.loads(good[8 : 8 + length])
    assert sorted(header) == ["__metadata__", "bias", "weights"]
    signature = MODEL.signature.json
    digest = hashlib.sha256(signature)
    for name, tensor in (("bias", MODEL.integers.bias), ("weights", MODEL.integers.weights)):
        digest.update(f"{name} <i8 {tensor.shape}".encode() + tensor.tobytes())
    checksum = digest.hexdigest()
    assert header["__metadata__"] == {"format": FORMAT, "signature": signature.decode(), "checksum": checksum}
    assert (header["weights"]["dtype"], header["weights"]["shape"]) == ("I64", [3, 2])
    assert (header["bias"]["dtype"], header["bias"]["shape"]) == ("I64", [3])
    assert np.array_equal(load_file(path)["weights"], MODEL.integers.weights)


def test_saving_gives_the_same_bytes_again(path: Path, good: bytes) -> None:
    path.write_bytes(good)
    CompiledModel.load(path).save(path)
    again = path.read_bytes()
    (length,) = struct.unpack("<Q", good[:8])
    assert again[8 + length :] == good[8 + length :]
    assert json.loads(again[8 : 8 + length]) == json.loads(good[8 : 8 + length])


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_may_read_the_file(path: Path, umask: int) -> None:
    """Weights are private, and not encrypted in the file."""
    before = os.umask(umask)
    try:
        MODEL.save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name], "no temporary file is left"


def test_a_file_is_replaced_whole(path: Path) -> None:
    fitted.digits().model.save(path)
    MODEL.save(path)
    assert CompiledModel.load(path).signature == MODEL.signature


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be written: No such file or directory"):
        MODEL.save(tmp_path / "missing" / "petals.hermetic")
    (tmp_path / "directory").mkdir()
    with pytest.raises(ModelFileError, match="cannot be written: Is a directory"):
        MODEL.save(tmp_path / "directory")
    assert [one.name for one in tmp_path.iterdir()] == ["directory"]


def test_a_model_shows_no_weight() -> None:
    assert repr(MODEL) == "CompiledModel('petals', 2 features -> 3 outputs, fast)"


# Other files


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    refuse(tmp_path / "missing", "must be a Hermetic model file. There is no such file")
    refuse(tmp_path, "There is no such file")


def test_a_pickle_is_refused_and_not_run(path: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps(Bomb(), protocol))
        refuse(path, "is not a valid Hermetic model file")
    path.write_bytes(pickle.dumps(PETALS.estimator))
    refuse(path, "is not a valid Hermetic model file")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("data", [b"", b"\x00" * 8, b"\xff" * 100, b"HRMT" * 50, b"{}", b"PK\x03\x04" + bytes(100)])
def test_other_bytes_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    refuse(path, "is not a valid Hermetic model file")


def test_another_safetensors_file_is_refused(path: Path) -> None:
    refuse(write(path, metadata={}), "Its format is None")
    refuse(write(path, metadata={"format": "pt"}), "Its format is 'pt'")
    refuse(write(path, metadata={"format": "hermetic model 2"}), "Its format is 'hermetic model 2'")
    refuse(write(path, metadata={"format": FORMAT}), "is not a valid Hermetic model file: 'signature'")
    refuse(write(path, metadata={"format": FORMAT, "signature": "{}"}), "is not a valid Hermetic model file")


def test_missing_tensors_and_other_types_are_refused(path: Path) -> None:
    refuse(write(path, weights=None), "is not a valid Hermetic model file")
    refuse(write(path, bias=None), "is not a valid Hermetic model file")
    for dtype in (np.int8, np.float64, np.uint64):
        cast = MODEL.integers.weights.astype(dtype)
        refuse(write(path, weights=cast), "tensors must be int16 or int32 or int64. Got")


@pytest.mark.parametrize("step", [7, 8, 9, 50, 400, 900, -1, -30])
def test_a_truncated_file_is_refused(path: Path, good: bytes, step: int) -> None:
    path.write_bytes(good[:step])
    refuse(path, "is not a valid Hermetic model file")


def test_flipped_bits_are_refused(path: Path, good: bytes) -> None:
    """Only the name of the checksum can be damaged unnoticed: a file without one is an earlier version's."""
    name = good.index(b'"checksum"')
    for position in range(0, len(good), 3):
        if not name <= position < name + len(b'"checksum"'):
            damaged = bytearray(good)
            damaged[position] ^= 1 << position % 8
            path.write_bytes(damaged)
            with pytest.raises(ModelFileError):
                CompiledModel.load(path)


def test_a_file_of_an_earlier_version_has_no_checksum(path: Path) -> None:
    assert np.array_equal(CompiledModel.load(write(path)).integers.weights, MODEL.integers.weights)


def test_a_tampered_weight_or_edge_is_refused_in_words(path: Path) -> None:
    MODEL.save(path)
    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata()
    refuse(write(path, metadata, weights=MODEL.integers.weights + 1), "the checksum of .* must match")
    fitted.growths().model.save(path)
    with safe_open(str(path), framework="numpy") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    document = json.loads(metadata["signature"])
    document["feature_map"][0]["block"]["edges"][0][0] -= 0.5
    save_file(tensors, path, {**metadata, "signature": json.dumps(document)})
    refuse(path, "the checksum of .* must match")


# Weights beyond the bounds


def tampered(**changes: Any) -> IntegerMap:
    return replace(MODEL.integers, **changes)


LARGE = [1 << 40, -(1 << 40), 1 << 62, (1 << 63) - 1, -(1 << 63)]


@pytest.mark.parametrize("weight", LARGE)
def test_a_weight_that_results_cannot_hold_is_refused(path: Path, weight: int) -> None:
    weights = MODEL.integers.weights.copy()
    weights[1, 1] = weight
    refuse(write(path, weights=weights), "results must stay below .*: these weights exceed it")


@pytest.mark.parametrize("bias", LARGE)
def test_a_bias_that_results_cannot_hold_is_refused(path: Path, bias: int) -> None:
    biases = MODEL.integers.bias.copy()
    biases[2] = bias
    refuse(write(path, bias=biases), "results must stay below .*: these weights exceed it")


def test_weights_larger_than_the_announced_flooding_hides_are_refused(path: Path) -> None:
    """Results fit, because weights cancel over the inputs' range; but their norm is no longer what lambda says."""
    offers = tuple(replace(offer, lambda_bits=offer.lambda_bits + 0.2) for offer in MODEL.signature.offers)
    signature = with_circuit(MODEL.signature, offers=offers).json.decode()
    refuse(
        write(path, metadata={"format": FORMAT, "signature": signature}), "must be flooded by .* These weights leave"
    )


@pytest.mark.parametrize("shape", [(3, 3), (2, 2), (2, 3), (6,), (3, 2, 1), (0, 2)])
def test_weights_of_another_shape_are_refused(path: Path, shape: tuple[int, ...]) -> None:
    refuse(write(path, weights=np.zeros(shape, dtype=np.int64)), r"weights must have shape \(3, 2\) and bias \(3,\)")


@pytest.mark.parametrize("shape", [(2,), (3, 1), (4,), ()])
def test_a_bias_of_another_shape_is_refused(path: Path, shape: tuple[int, ...]) -> None:
    refuse(write(path, bias=np.zeros(shape, dtype=np.int64)), r"weights must have shape \(3, 2\) and bias \(3,\)")


def test_the_bounds_are_those_of_the_model_itself() -> None:
    """What loading refuses, making refuses: there is no other way to a model."""
    for integers in (tampered(weights=MODEL.integers.weights << 20), tampered(bias=MODEL.integers.bias << 20)):
        with pytest.raises(ModelFileError):
            CompiledModel(integers, MODEL.signature)
    CompiledModel(tampered(weights=-MODEL.integers.weights), MODEL.signature)
