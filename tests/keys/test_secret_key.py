"""The secret key: masked, never copied by accident, saved only under a passphrase, and refused when damaged."""

import copy
import hashlib
import os
import pickle
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import fitted
from hermetic import Client, KeyFileError, MismatchError, PublicKey, SecretKey
from hermetic.keys import secret as secret_key
from hermetic.rlwe.parameters import FAST, PRECISE
from hermetic.rlwe.ring import Ring

PASSPHRASE = "correct horse battery staple"
HEADER = 36
TAG = 16


@pytest.fixture(scope="module")
def key() -> SecretKey:
    return SecretKey(FAST)


@pytest.fixture(scope="module")
def saved(key: SecretKey, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a key file."""
    path = tmp_path_factory.mktemp("keys") / "one.key"
    key.save(path, PASSPHRASE)
    return path.read_bytes()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real scrypt with a small cost, for tests that derive hundreds of keys."""
    monkeypatch.setattr(secret_key, "_LOG2_N", 4)


def plaintext_of(data: bytes, passphrase: str) -> bytes:
    """A key file decrypted as docs/wire-format.md says, without Hermetic."""
    magic, version, log2_n, r, p, salt, nonce = struct.unpack("<4sBBBB16s12s", data[:HEADER])
    assert (magic, version) == (b"HRMK", 1)
    derived = hashlib.scrypt(passphrase.encode(), salt=salt, n=1 << log2_n, r=r, p=p, maxmem=256 << 20, dklen=32)
    return AESGCM(derived).decrypt(nonce, data[HEADER:], data[:HEADER])


# In memory


def test_a_key_shows_nothing_of_itself(key: SecretKey) -> None:
    for text in (repr(key), str(key), f"{key}", f"{key!r:>40}", repr({"key": key})):
        assert "SecretKey(<hidden>, fast)" in text


def test_a_client_shows_nothing_of_its_key(key: SecretKey) -> None:
    text = repr(Client(fitted.petals().signature, key))
    assert text == f"Client('petals', fast, key {key.public_key.id[:16]}…)"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_key_is_never_pickled(key: SecretKey, protocol: int) -> None:
    for holder in (key, [key], Client(fitted.petals().signature, key)):
        with pytest.raises(TypeError, match=r"cannot be pickled or copied: save it under a passphrase"):
            pickle.dumps(holder, protocol)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_key_is_never_copied(key: SecretKey, duplicate: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        duplicate(key)


def test_keys_are_fresh() -> None:
    first, second = SecretKey(FAST), SecretKey(FAST)
    assert not np.array_equal(first.ring_key.rows(), second.ring_key.rows())
    assert first.public_key.seed != second.public_key.seed
    assert first.public_key.id != second.public_key.id


def test_a_key_has_one_public_key(key: SecretKey) -> None:
    assert key.public_key is key.public_key
    assert Client(fitted.petals().signature, key).public_key is Client(fitted.digits().signature, key).public_key


def test_a_key_of_other_parameters_is_a_mismatch(key: SecretKey) -> None:
    with pytest.raises(MismatchError, match=r"must use the parameters 'precise'.*Got 'fast' instead"):
        Client(fitted.progression().signature, key)


# The file


@pytest.mark.parametrize("make", [fitted.petals, fitted.progression])
def test_a_loaded_key_reads_answers_to_queries_from_before(make: Callable[[], fitted.Fitted], tmp_path: Path) -> None:
    one = make()
    before = Client(one.signature)
    query = before.encrypt(one.X[:3])
    before.secret_key.save(tmp_path / "one.key", PASSPHRASE)
    result = one.model.evaluate(query, before.public_key)
    after = Client(one.signature, SecretKey.load(tmp_path / "one.key", PASSPHRASE))
    assert np.array_equal(after.decrypt(result), before.decrypt(result))
    assert after.public_key.to_bytes() == before.public_key.to_bytes()
    later = one.model.evaluate(after.encrypt(one.X[:3]), before.public_key)
    assert np.array_equal(before.decrypt(later), after.decrypt(later))


def test_the_file_is_what_the_documentation_says(key: SecretKey, saved: bytes) -> None:
    plaintext = plaintext_of(saved, PASSPHRASE)
    assert len(saved) == HEADER + 16 + 1024 + PublicKey.size(FAST) + TAG == 56_996
    assert plaintext[:16] == FAST.digest
    assert plaintext[1040:] == key.public_key.to_bytes()
    bits = int.from_bytes(plaintext[16:1040], "little")
    ternary = np.array([(bits >> (2 * i) & 3) - 1 for i in range(4096)])
    rows = [np.mod(ternary, prime) for prime in FAST.key_primes]
    assert np.array_equal(Ring.of(FAST).ntt(np.array([rows]))[0], key.ring_key.rows())


def test_scrypt_is_as_costly_as_it_was(saved: bytes) -> None:
    """2^16 blocks of 8·128 bytes: 64 MiB. A cheaper file would be a weaker one."""
    assert saved[4:8] == bytes([1, 16, 8, 1])


def test_two_files_of_a_key_share_nothing(saved: bytes, key: SecretKey, tmp_path: Path) -> None:
    key.save(tmp_path / "two.key", PASSPHRASE)
    other = (tmp_path / "two.key").read_bytes()
    assert other[8:24] != saved[8:24], "salt"
    assert other[24:36] != saved[24:36], "nonce"
    same = np.frombuffer(other[HEADER:], dtype=np.uint8) == np.frombuffer(saved[HEADER:], dtype=np.uint8)
    assert same.mean() < 0.02


def test_no_part_of_the_plaintext_is_in_the_file(saved: bytes, key: SecretKey) -> None:
    plaintext = plaintext_of(saved, PASSPHRASE)
    for start in range(0, len(plaintext) - 8, 8):
        assert plaintext[start : start + 8] not in saved
    rows = key.ring_key.rows().tobytes()
    for start in range(0, len(rows), 8):
        assert rows[start : start + 8] not in saved
    assert PASSPHRASE.encode() not in saved


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_may_read_the_file(key: SecretKey, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        key.save(tmp_path / "one.key", PASSPHRASE)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "one.key").stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["one.key"], "no temporary file is left"


@pytest.mark.usefixtures("quick")
def test_a_file_is_not_overwritten_unless_asked(key: SecretKey, tmp_path: Path) -> None:
    path = tmp_path / "one.key"
    key.save(path, PASSPHRASE)
    first = path.read_bytes()
    with pytest.raises(KeyFileError, match=r"exists already\. Choose another name, or pass overwrite=True"):
        key.save(path, "another")
    assert path.read_bytes() == first
    key.save(path, "another", overwrite=True)
    assert SecretKey.load(path, "another").public_key.id == key.public_key.id


def test_an_empty_passphrase_is_refused(key: SecretKey, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="passphrase must not be empty"):
        key.save(tmp_path / "one.key", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("quick")
def test_any_text_is_a_passphrase(key: SecretKey, tmp_path: Path) -> None:
    for passphrase in (" ", "Schlüssel 🗝", "x" * 10_000, "a\x00b"):
        key.save(tmp_path / "one.key", passphrase, overwrite=True)
        assert SecretKey.load(tmp_path / "one.key", passphrase).public_key.id == key.public_key.id


@pytest.mark.usefixtures("quick")
def test_a_file_that_cannot_be_written_leaves_nothing(key: SecretKey, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be written: No such file or directory"):
        key.save(tmp_path / "missing" / "one.key", PASSPHRASE)
    (tmp_path / "directory").mkdir()
    with pytest.raises(KeyFileError, match="cannot be written: Is a directory"):
        key.save(tmp_path / "directory", PASSPHRASE, overwrite=True)
    assert [one.name for one in tmp_path.iterdir()] == ["directory"]


@pytest.mark.parametrize("wrong", ["", "correct horse battery stapl", PASSPHRASE + " ", PASSPHRASE.upper()])
def test_a_wrong_passphrase_is_a_clear_error(saved: bytes, tmp_path: Path, wrong: str) -> None:
    (tmp_path / "one.key").write_bytes(saved)
    with pytest.raises(KeyFileError, match="the passphrase is wrong, or the file is damaged"):
        SecretKey.load(tmp_path / "one.key", wrong)


def refused(path: Path, data: bytes, passphrase: str = PASSPHRASE) -> str:
    path.write_bytes(data)
    with pytest.raises(KeyFileError) as raised:
        SecretKey.load(path, passphrase)
    assert str(path) in str(raised.value)
    return str(raised.value)


@pytest.mark.usefixtures("quick")
def test_every_damaged_byte_is_noticed(key: SecretKey, tmp_path: Path) -> None:
    """All 36 of the header, all 16 of the tag, and every 500th between."""
    path = tmp_path / "one.key"
    key.save(path, PASSPHRASE)
    good = path.read_bytes()
    positions = [*range(HEADER), *range(HEADER, len(good), 500), *range(len(good) - TAG, len(good))]
    for position in positions:
        damaged = bytearray(good)
        damaged[position] ^= 1 << position % 8
        refused(path, bytes(damaged))
    path.write_bytes(good)
    SecretKey.load(path, PASSPHRASE)


def test_a_file_of_another_length_is_refused(saved: bytes, tmp_path: Path) -> None:
    for length in (0, 3, 4, 35, 36, 52, 1000, len(saved) - 1):
        assert "must be a Hermetic secret key file" in refused(tmp_path / "one.key", saved[:length]) or length >= HEADER
    assert "or the file is damaged" in refused(tmp_path / "one.key", saved + b"\x00")


@pytest.mark.parametrize("position", [4, 5, 6, 7])
def test_costs_in_the_header_are_not_obeyed(saved: bytes, tmp_path: Path, position: int) -> None:
    """A file must not choose how much memory reading it takes: 2^63 blocks would be refused by nobody else."""
    data = bytearray(saved)
    data[position] = 63
    assert "a header this version does not know" in refused(tmp_path / "one.key", bytes(data))


@pytest.mark.parametrize("data", [b"HRMT", b"PK\x03\x04", b"-----BEGIN PRIVATE KEY-----", b"\x00" * 57_000])
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    assert "must be a Hermetic secret key file" in refused(tmp_path / "one.key", data * 3)


@pytest.mark.usefixtures("quick")
def test_a_key_for_unknown_parameters_is_refused(key: SecretKey, saved: bytes, tmp_path: Path) -> None:
    """As a later version might write it: authentic, but not for this one."""
    plaintext = bytes(16) + plaintext_of(saved, PASSPHRASE)[16:]
    header = struct.pack("<4sBBBB16s12s", b"HRMK", 1, 4, 8, 1, bytes(16), bytes(12))
    derived = hashlib.scrypt(PASSPHRASE.encode(), salt=bytes(16), n=16, r=8, p=1, dklen=32)
    data = header + AESGCM(derived).encrypt(bytes(12), plaintext, header)
    assert "was made by another version of Hermetic" in refused(tmp_path / "one.key", data)


def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read: No such file or directory"):
        SecretKey.load(tmp_path / "missing.key", PASSPHRASE)
    with pytest.raises(KeyFileError, match="cannot be read: Is a directory"):
        SecretKey.load(tmp_path, PASSPHRASE)


@pytest.mark.usefixtures("quick")
def test_a_precise_key_is_saved_and_loaded(tmp_path: Path) -> None:
    key = SecretKey(PRECISE)
    key.save(tmp_path / "one.key", PASSPHRASE)
    loaded = SecretKey.load(tmp_path / "one.key", PASSPHRASE)
    assert loaded.parameters == PRECISE
    assert np.array_equal(loaded.ring_key.rows(), key.ring_key.rows())
    assert len((tmp_path / "one.key").read_bytes()) == HEADER + 16 + 2048 + PublicKey.size(PRECISE) + TAG
