"""The example of mortgage applications, from end to end, small."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.image
import pytest
from examples.loans.__main__ import main
from examples.loans.table import COLUMNS, applications


def test_the_example_compares_encrypted_answers_with_plain_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "loans.png"
    main(["--trees", "10", "--depth", "3", "--applications", "40", "--picture", str(picture)])
    said = capsys.readouterr().out
    assert "decisions equal: 40 of 40" in said
    encrypted, plain = re.findall(r"area under the ROC curve: ([0-9.]+); in the clear: ([0-9.]+)", said)[0]
    assert encrypted == plain
    worst, guaranteed = map(float, re.findall(r"score: ([-0-9.e]+); guaranteed <= ([-0-9.e]+)", said)[0])
    assert worst <= guaranteed
    assert matplotlib.image.imread(picture).std() > 0


def test_what_applicants_are_is_left_out() -> None:
    X, approved = applications()
    assert X.shape == (1989, len(COLUMNS))
    assert set(approved) == {0, 1}
    assert X.isna().to_numpy().any()
    assert not {"white", "black", "hispan", "male", "married", "old"} & set(COLUMNS)


def test_numbers_below_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--trees", "0"])
    assert "--trees must be 1 or more. Got 0 instead." in capsys.readouterr().err
