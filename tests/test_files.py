"""Private files and directories: modes under any umask, links, all or nothing."""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermetic.files import make_private_directory, write_private


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277, 0o777], autouse=True)
def umask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_private(file, b"one")
    assert (mode(file), file.read_bytes()) == (0o600, b"one")
    file.chmod(0o666)
    write_private(file, b"two")
    assert (mode(file), file.read_bytes()) == (0o600, b"two")


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o600), (0o640, 0o640), (0o666, 0o640), (0o604, 0o600)])
def test_a_group_that_read_a_file_may_go_on(tmp_path: Path, before: int, after: int) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(before)
    write_private(file, b"", keep_group=True)
    assert mode(file) == after


def test_a_link_stays_one_and_what_it_names_is_written(tmp_path: Path) -> None:
    make_private_directory(tmp_path / "real")
    target, link, chain = tmp_path / "real" / "file", tmp_path / "link", tmp_path / "chain"
    link.symlink_to("real/file")
    chain.symlink_to(link)
    for name, data in ((link, b"one"), (chain, b"two")):
        write_private(name, data)
        assert name.is_symlink()
        assert (target.read_bytes(), mode(target)) == (data, 0o600)
    assert [one.name for one in target.parent.iterdir()] == ["file"]


def test_a_pipe_takes_the_bytes_and_stays_as_it_is(tmp_path: Path) -> None:
    pipe, link, data = tmp_path / "pipe", tmp_path / "link", bytes(range(256)) * 4096
    os.mkfifo(pipe)
    pipe.chmod(0o640)
    link.symlink_to(pipe)
    for name in (pipe, link):
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(reader, True)
        writer = threading.Thread(target=write_private, args=(name, data))
        writer.start()
        with os.fdopen(reader, "rb") as file:
            first = file.read(1) if select.select([file], [], []) else b""
            assert first + file.read() == data
        writer.join()
    assert (stat.S_ISFIFO(pipe.stat().st_mode), mode(pipe)) == (True, 0o640)
    assert {one.name for one in tmp_path.iterdir()} == {"pipe", "link"}


def test_a_descriptor_of_a_pipe_is_written_to() -> None:
    reader, writer = os.pipe()
    write_private(Path(f"/dev/fd/{writer}"), b"one")
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert file.read() == b"one"


def test_devices_are_written_to_and_say_that_they_are_full() -> None:
    was = mode(Path(os.devnull))
    write_private(Path(os.devnull), b"one")
    with pytest.raises(OSError, match="No space left"):
        write_private(Path("/dev/full"), b"one")
    assert (mode(Path(os.devnull)), Path(os.devnull).is_char_device()) == (was, True)


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe"):
        write_private(tmp_path / "pipe", b"one")
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path, b"one")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_private(file, b"one")
    with pytest.raises(TypeError):
        write_private(file, "text")  # type: ignore[arg-type]
    assert file.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [file]


def test_directories_are_their_owners_alone_and_others_stay_as_they_are(tmp_path: Path) -> None:
    make_private_directory(tmp_path / "a" / "b" / "c")
    assert {mode(tmp_path / one) for one in ("a", "a/b", "a/b/c")} == {0o700}
    (tmp_path / "a").chmod(0o755)
    make_private_directory(tmp_path / "a" / "d")
    assert mode(tmp_path / "a") == 0o755
    (tmp_path / "file").touch(0o600)
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError):
            make_private_directory(path)
