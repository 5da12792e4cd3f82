"""Tables in files: cut into chunks of one size, whatever their format; what cannot be a table is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic import InputError
from hermetic.batch.tables import Source, Target, _cut

TABLE = pd.DataFrame(
    {"key": [f"00{i}" for i in range(10)], "a": np.arange(10) / 4, "b": np.arange(10), "c": list("xyxyxyxyxy")}
)


def _arrow(table: pd.DataFrame, path: Path) -> None:
    found = pa.Table.from_pandas(table)
    with pa.ipc.new_file(str(path), found.schema) as writer:
        writer.write_table(found, max_chunksize=3)


def _stream(table: pd.DataFrame, path: Path) -> None:
    found = pa.Table.from_pandas(table)
    with pa.ipc.new_stream(str(path), found.schema) as writer:
        writer.write_table(found, max_chunksize=3)


WRITERS: dict[str, tuple[str, Callable[[pd.DataFrame, Path], Any]]] = {
    "parquet": ("t.parquet", lambda table, path: table.to_parquet(path, row_group_size=3)),
    "arrow": ("t.arrow", _arrow),
    "an arrow stream": ("t.ipc", _stream),
    "csv": ("t.csv", lambda table, path: table.to_csv(path, index=False)),
    "tsv": ("t.TSV", lambda table, path: table.to_csv(path, index=False, sep="\t")),
}


@pytest.mark.parametrize("form", WRITERS)
def test_a_table_is_read_some_rows_at_a_time(tmp_path: Path, form: str) -> None:
    name, write = WRITERS[form]
    write(TABLE, tmp_path / name)
    source = Source(tmp_path / name, ["b", "a", "key"], as_written=["key"])
    chunks = list(source.chunks(4))
    assert [len(one) for one in chunks] == [4, 4, 2]
    found = pa.concat_tables(chunks).to_pandas()
    assert found.columns.tolist() == ["b", "a", "key"]
    assert found["key"].tolist() == TABLE["key"].tolist()
    assert np.array_equal(found[["a", "b"]], TABLE[["a", "b"]])


def test_an_array_is_read_some_rows_at_a_time(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.arange(30.0).reshape(10, 3))
    source = Source(tmp_path / "t.npy")
    assert source.rows == 10
    assert [one.shape for one in source.chunks(4)] == [(4, 3), (4, 3), (2, 3)]


@given(sizes=st.lists(st.integers(0, 9), max_size=8), rows=st.integers(1, 7))
def test_batches_of_any_sizes_become_chunks_of_one(sizes: list[int], rows: int) -> None:
    numbers = np.arange(sum(sizes))
    parts = np.split(numbers, np.cumsum(sizes)[:-1]) if sizes else []
    chunks = list(_cut(iter(pa.record_batch({"n": one}) for one in parts), rows))
    assert all(len(one) == rows for one in chunks[:-1]) and all(0 < len(one) <= rows for one in chunks)
    assert [n for one in chunks for n in one["n"].to_pylist()] == numbers.tolist()


def test_whole_numbers_with_decimals_further_down_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hermetic.batch import tables

    monkeypatch.setattr(tables, "_READ_BYTES", 64)
    lines = ["a,b", *(f"{i},{i}" for i in range(50)), "0.5,7.25"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    *_, last = Source(tmp_path / "t.csv").chunks(10)
    assert last.to_pylist() == [{"a": 0.5, "b": 7.25}]


def _nested(path: Path) -> None:
    pa.parquet.write_table(pa.table({"a": [[1.0], [2.0]]}), path)


BAD: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "another kind": ("t.xlsx", lambda path: path.write_bytes(b"PK"), "must be a .parquet, .arrow, .csv"),
    "none": ("t.parquet", lambda path: None, "cannot be read: "),
    "no parquet": ("t.parquet", lambda path: path.write_bytes(b"PAR1"), "must be a table that can be read. It is not"),
    "no arrow": ("t.arrow", lambda path: path.write_bytes(b"ARROW1 and more"), "must be a table that can be read"),
    "no array": ("t.npy", lambda path: path.write_bytes(b"NUMPY"), "must be a table that can be read"),
    "pickled": ("t.npy", lambda path: np.save(path, np.array([{}], dtype=object)), "must be a table that can be read"),
    "an array of texts": ("t.npy", lambda path: np.save(path, np.array([["x"]])), "must hold numbers in rows"),
    "no such column": ("t.csv", lambda path: path.write_text("b\n1\n"), "must have one column 'a': there is none"),
    "a column twice": ("t.csv", lambda path: path.write_text("a,a\n1,2\n"), "must have one column 'a': there are 2"),
    "a nested column": ("t.parquet", _nested, "column 'a' of .* must hold one value a row. Got list"),
    "rows of two lengths": ("t.csv", lambda path: path.write_text("a,b\n1,2\n3\n"), "must be a table that can be read"),
    "an empty file": ("t.csv", lambda path: path.write_text(""), "must be a table that can be read"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_table_is_refused(tmp_path: Path, what: str) -> None:
    name, write, message = BAD[what]
    write(tmp_path / name)
    with pytest.raises(InputError, match=message):
        list(Source(tmp_path / name, ["a"]).chunks(5))


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.csv", "t.tsv"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    with Target(tmp_path / name) as target:
        for start in (0, 5):
            target.write(pa.Table.from_pandas(TABLE[start : start + 5], preserve_index=False))
    (found,) = Source(tmp_path / name, as_written=["key"]).chunks(100)
    assert found.to_pandas()["key"].tolist() == TABLE["key"].tolist()
    assert [one.name for one in tmp_path.iterdir()] == [name]
