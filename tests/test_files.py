"""Private files and directories: modes under any umask, links, all or nothing."""

from __future__ import annotations

import os
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
