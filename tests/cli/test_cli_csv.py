"""Tables as programs write them: separators, decimal commas, quotes, comments, an index, names that are numbers."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import Invoke, Project
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import hermetic
from hermetic import CompiledModel
from hermetic.cli.samples import read_samples
from hermetic.errors import InputError

ROWS = [[5.25, 3.0, 1.5], [4.75, 2.5, 100.25], [6.0, 3.25, 0.125]]


def read(folder: Path, text: str, **options: object) -> list[list[float]]:
    path = folder / "x.csv"
    path.write_bytes(text.encode())
    return read_samples(str(path), options.pop("names", None), **options).tolist()  # type: ignore[arg-type]


def written(separator: str, decimal: str = ".", end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> str:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([[str(one).replace(".", decimal) for one in row] for row in ROWS])
    return file.getvalue()


@pytest.mark.parametrize("header", ["", "a{0}b{0}c\n", '"a"{0}"b"{0}"c (cm)"\n'])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize(
    ("separator", "decimal"),
    [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), ("|", "."), ("|", ","), (" ", ".")],
)
def test_every_dialect_holds_the_same_numbers(
    tmp_path: Path, separator: str, decimal: str, quoting: int, end: str, header: str
) -> None:
    text = header.format(separator) + written(separator, decimal, end, quoting)
    for columns in (None, 3):
        assert read(tmp_path, text, columns=columns) == ROWS
        assert read(tmp_path, "\ufeff" + text + end + end, columns=columns) == ROWS
        assert read(tmp_path, "# made by hand\n" + text + "# the end", columns=columns) == ROWS


def test_pandas_and_numpy_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    for options in ({}, {"sep": ";"}, {"sep": ";", "decimal": ","}, {"sep": "\t"}, {"quoting": csv.QUOTE_ALL}):
        for index in (True, False):
            assert read(tmp_path, frame.to_csv(index=index, **options)) == ROWS
    np.savetxt(tmp_path / "n.csv", np.array(ROWS), header="a b c")
    assert read_samples(str(tmp_path / "n.csv"), None).tolist() == ROWS


def test_what_excel_adds_is_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, "sep=;\r\na;b;c\r\n" + written(";", ",", "\r\n")) == ROWS


@given(st.lists(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=2), min_size=1, max_size=5))
def test_a_decimal_comma_is_the_same_number(tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]]) -> None:
    text = "\n".join(";".join(repr(one).replace(".", ",") for one in row) for row in rows)
    assert read(tmp_path_factory.getbasetemp(), text, columns=2, header=False) == rows


def test_the_number_of_columns_decides_between_separators(tmp_path: Path) -> None:
    assert read(tmp_path, "1,5 2,25\n3,5 4,75\n", columns=2) == [[1.5, 2.25], [3.5, 4.75]]
    assert read(tmp_path, "1,5;2\n3,5;4\n", columns=2) == [[1.5, 2], [3.5, 4]]


def test_two_columns_are_not_one_with_decimal_commas(tmp_path: Path) -> None:
    for columns in (None, 1, 2):
        assert read(tmp_path, "7,5\n9,25\n", columns=columns) == [[7, 5], [9, 25]]
    assert read(tmp_path, "7.5\n9.25\n", columns=1) == [[7.5], [9.25]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5.25;3,5\n", "one decimal mark, a point or a comma. Got 5.25 and 3,5"),
        ("5;3,5\n1;2.5\n", "line 2, column 2: all numbers must have one decimal mark"),
        ('"1,234",5\n', "no mark between thousands. Got '1,234'"),
        ("1.234,5;2\n", "Got '1.234,5'"),
        ("1,234,567;2\n", "Got '1,234,567'"),
        ("1_000,2\n", "must be a number. Got '1_000'"),
        ("1 000;2\n", "must be a number. Got '1 000'"),
        ("5;3;1\n5;3\n", "line 2: must have 3 columns. Got 2"),
        ("5,3\n,\n", "line 2, column 1: must be a number. Got ''"),
        ('"5,3\n4,2\n', "must be CSV text in UTF-8"),
        ("5,x\n4,2\n", "line 1, column 2: must be a number. Got 'x'"),
        ("1,000\t12,500\n", "1,000 may be a number with three decimals, or one of thousands"),
        ("5|-1,200\n7|999\n", "-1,200 may be a number with three decimals"),
    ],
)
def test_what_may_mean_two_things_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"x\.csv") as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["1,000\t2,5\n", "0,125|3\n", "1,0000\t5\n", "1,250;7\n"])
def test_decimal_commas_that_are_in_no_doubt_are_read(tmp_path: Path, text: str) -> None:
    [expected] = [[float(one.replace(",", ".")) for one in re.split(r"[\t|;]", text)]]
    assert read(tmp_path, text) == [expected]


def test_blanks_around_names_do_not_count(tmp_path: Path) -> None:
    text = "c,b ,a\n1,2,3\n"
    assert read(tmp_path, text, names=(" a", "b", " c ")) == [[3, 2, 1]]
    with pytest.raises(InputError, match="Missing: 'a'"):
        read(tmp_path, text, names=("a", " a", "b"))


NUMBERS_THAT_NAME = [
    "0,1,2",
    "1,2,3",
    ",0,1,2",
    "2019,2020,2021",
    "400,402.5,405",
    "10,50,90",
    "0",
    "0,1",
    "1;2",
    '"0","1","2"',
]


@pytest.mark.parametrize("first", NUMBERS_THAT_NAME)
def test_a_header_of_numbers_is_not_answered_as_a_sample(tmp_path: Path, first: str) -> None:
    fields = first.replace(";", ",").count(",") + 1
    others = [[1.5 * i + row + 0.25 for i in range(fields)] for row in range(3)]
    separator = ";" if ";" in first else ","
    text = "\n".join([first, *(separator.join(map(str, row)) for row in others)])
    with pytest.raises(InputError, match="may be a sample or the names of columns: pass --no-header or --header"):
        read(tmp_path, text)
    kept = [row[1:] for row in others] if first.startswith(",") else others
    assert read(tmp_path, text, header=True) == kept
    if not first.startswith(","):
        assert read(tmp_path, text, header=False)[1:] == others


@pytest.mark.parametrize("first", ["5,3,1", "0,0,0", "1,2,4", "7", "5,3", "0.5,1.5,7"])
def test_a_usual_first_sample_is_a_sample(tmp_path: Path, first: str) -> None:
    assert len(read(tmp_path, f"{first}\n{first}\n")) == 2


@pytest.mark.parametrize(
    "first",
    ["1.234,5;2.000,5", "$5;$3", "5%;3%", "5.1cm;3.5cm", "NA;NA", "null;n/a", "-;-", "?;?", ";", "a;a", "--;5..1"],
)
def test_a_first_sample_that_is_damaged_is_not_dropped_as_a_header(tmp_path: Path, first: str) -> None:
    with pytest.raises(InputError, match="line 1, column 1: must be a number"):
        read(tmp_path, f"{first}\n5.5;3.5\n")


def test_names_of_the_model_are_a_header_even_if_they_are_numbers(tmp_path: Path) -> None:
    assert read(tmp_path, "0,1,2\n5,6,7\n", names=("0", "1", "2")) == [[5, 6, 7]]
    with pytest.raises(InputError, match="may be a sample"):
        read(tmp_path, "0,1,2\n5,6,7\n", names=("a", "b", "c"))


@pytest.mark.parametrize("first", ["1,0,2", "2,1,0", "7,2,1,0"])
def test_numbers_that_are_names_in_another_order_may_be_a_sample(tmp_path: Path, first: str) -> None:
    text = f"{first}\n{','.join('5678'[: len(first.split(','))])}\n"
    with pytest.raises(InputError, match="may be a sample or the names of columns"):
        read(tmp_path, text, names=("0", "1", "2"))
    with_header = read(tmp_path, text, names=("0", "1", "2"), header=True)
    assert with_header == [[float("5678"[first.split(",").index(one)]) for one in "012"]]
    assert len(read(tmp_path, text, names=("0", "1", "2"), header=False)) == 2


NAMED = pd.DataFrame(ROWS, columns=["a", "b", "full name"])


@given(st.permutations(["a", "b", "full name", "who", "ward"]), st.sampled_from(",;\t|"), st.booleans(), st.booleans())
def test_names_decide_in_any_order_and_dialect(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], separator: str, comma: bool, index: bool
) -> None:
    mixed = NAMED.assign(who="#first last", ward="x y")[order]
    decimal = "," if comma and separator != "," else "."
    text = "# made by hand\n" + mixed.to_csv(sep=separator, decimal=decimal, index=index)
    for columns in (None, 3):
        found = read(tmp_path_factory.getbasetemp(), text, names=list(NAMED.columns), columns=columns)
        assert found == ROWS


def test_the_names_decide_between_separators(tmp_path: Path) -> None:
    text = "x,full name,y\n1,Ada Lovelace,2\n3,Alan Turing,4\n"
    assert read(tmp_path, text, names=("y", "x"), columns=2) == [[2, 1], [4, 3]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_one_column_of_a_model_is_found_among_others(tmp_path: Path, separator: str) -> None:
    text = NAMED.assign(who="x").to_csv(sep=separator)
    assert read(tmp_path, text, names=("b",), columns=1) == [[row[1]] for row in ROWS]
    alone = NAMED[["b"]].to_csv(sep=separator)
    assert read(tmp_path, alone, columns=1) == [[row[1]] for row in ROWS]


@pytest.mark.parametrize("names", [("a", "b"), None])
def test_a_text_in_a_column_that_is_not_the_models_is_no_comment(tmp_path: Path, names: tuple[str, ...] | None) -> None:
    first = "" if names is None else "colour"
    assert read(tmp_path, f"# by hand\n{first},a,b\n#f00,5,3\nred,4,2\n", names=names) == [[5, 3], [4, 2]]
    assert read(tmp_path, "a,b,colour\n5,3,red\n#7,1,red\n4,2,red\n", names=("a", "b")) == [[5, 3], [4, 2]]


def test_a_text_that_looks_like_a_comment_is_a_sample(tmp_path: Path) -> None:
    X = pd.DataFrame({"colour": ["#f00", "#00f", "#f00", "#00f"], "size": [1.0, 2.0, 3.0, 4.0]})
    columns = ColumnTransformer([("colour", OneHotEncoder(), ["colour"]), ("size", "passthrough", ["size"])])
    estimator = make_pipeline(columns, LogisticRegression()).fit(X, [0, 1, 0, 1])
    signature = hermetic.compile(estimator, X, public=["onehotencoder"]).signature
    X.to_csv(tmp_path / "x.csv", index=False)
    read_back = read_samples(str(tmp_path / "x.csv"), signature.feature_names, signature.feature_map)
    assert read_back.tolist() == X.to_numpy().tolist()


def test_the_command_takes_both_words(iris: Project, invoke: Invoke) -> None:
    lines = ["0,1,2,3", "5.1,3.5,1.4,0.2"]
    arguments = ("predict", iris.model_file, "-", "--output", "json", "--clip")
    refused = invoke(*arguments, stdin="\n".join(lines))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "--no-header or --header" in refused.stderr
    both = invoke(*arguments, "--no-header", stdin="\n".join(lines))
    assert len(json.loads(both.stdout)["predictions"]) == 2


def test_a_header_of_numbers_is_no_sample_of_compile(digits: Project, invoke: Invoke, tmp_path: Path) -> None:
    frame = pd.DataFrame(digits.X)
    frame.to_csv(tmp_path / "digits.csv", index=False)
    arguments = ("compile", digits.estimator_file, "--trust-pickle", "--sample", str(tmp_path / "digits.csv"))
    refused = invoke(*arguments, "-o", str(tmp_path / "d.hermetic"))
    assert refused.exit_code == 1 and "--header" in refused.stderr
    done = invoke(*arguments, "--header", "-o", str(tmp_path / "d.hermetic"))
    assert done.exit_code == 0, done.output
    grid = CompiledModel.load(tmp_path / "d.hermetic").signature.grid
    np.testing.assert_array_equal(grid.upper, CompiledModel.load(digits.model_file).signature.grid.upper)
    asked = invoke(
        "predict", str(tmp_path / "d.hermetic"), str(tmp_path / "digits.csv"), "--header", "--output", "json"
    )
    assert json.loads(asked.stdout)["predictions"] == digits.estimator.predict(digits.X).tolist()
