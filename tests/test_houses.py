"""The example of house prices, from end to end."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.image
import pytest
from examples.houses.__main__ import main
from examples.houses.table import COLUMNS, communities


def test_the_example_compares_encrypted_answers_with_plain_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "houses.png"
    main(["--picture", str(picture)])
    said = capsys.readouterr().out
    found = re.findall(r"R²: linear model ([0-9.]+), network ([0-9.]+), network, encrypted ([0-9.]+)", said)[0]
    linear, plain, encrypted = map(float, found)
    assert linear < encrypted == pytest.approx(plain, abs=0.02)
    worst, guaranteed = map(float, re.findall(r"price: ([0-9.]+) thousand; guaranteed <= ([0-9.]+)", said)[0])
    assert worst <= guaranteed
    assert matplotlib.image.imread(picture).std() > 0


def test_who_lives_there_is_left_out() -> None:
    X, prices = communities()
    assert X.shape == (506, len(COLUMNS))
    assert prices.between(5, 50.01).all()
    assert "lowstat" not in COLUMNS


def test_too_few_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--communities", "1"])
    assert "--communities must be 2 or more. Got 1 instead." in capsys.readouterr().err
