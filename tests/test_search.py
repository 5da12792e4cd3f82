"""The search example, run small: its ranking is that of plain search, on real sentences."""

from __future__ import annotations

import re

import numpy as np
import pytest
from examples.search.__main__ import main, same
from examples.search.embedding import words
from examples.search.sentences import sentences


def test_it_finds_what_plain_search_finds(capsys: pytest.CaptureFixture[str]) -> None:
    asked = sentences(1000)[700]
    main([asked, "--vectors", "1000", "--tolerance", "1e-3"])
    printed = capsys.readouterr().out
    assert re.search(rf"^  1 (0\.999|1\.000)\d\d {re.escape(asked)}", printed, re.MULTILINE)
    assert "the same ranking: True" in printed
    apart, guaranteed = re.search(r"differ by (\S+) or less, guaranteed (\S+);", printed).groups()
    assert float(apart) <= float(guaranteed) <= 1e-3
    assert re.search(r"\d kB up, \d+ kB down", printed)


def test_sentences_are_different_and_real() -> None:
    found = sentences(500)
    assert len(set(found)) == 500
    assert all(30 < len(one) < 300 and one.endswith(".") for one in found)


def test_vectors_have_length_one() -> None:
    texts = sentences(400)
    lengths = np.linalg.norm(words(texts)(texts), axis=1)
    assert np.allclose(lengths[lengths > 0], 1)
    assert (lengths > 0).mean() > 0.9


def test_rankings_are_told_apart() -> None:
    scores, places = np.array([0.9, 0.8, 0.7]), np.array([4, 5, 6])
    assert same((scores, places), (scores, places), 0.01)
    assert same((scores + 0.005, places), (scores, places), 0.01)
    assert not same((scores + 0.05, places), (scores, places), 0.01)
    near = np.array([0.9, 0.805, 0.8])
    assert same((near, places[[0, 2, 1]]), (near, places), 0.01)


def test_a_service_of_few_sentences_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--vectors", "3"])
    assert "--vectors must be 100 or more" in capsys.readouterr().err
