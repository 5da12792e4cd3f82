"""Files of boosters: what save_model wrote is compiled, and anything else is refused in words, whatever its bytes are.

The libraries themselves end the process on many of these bytes; so would this test, if they saw them.
"""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

import hermetic
from hermetic import CompileError
from hermetic.compiler.ensembles.ubjson import decode
from hermetic.compiler.reading import load_booster

CANCER, DIABETES, IRIS = (one(return_X_y=True) for one in (load_breast_cancer, load_diabetes, load_iris))
ENDINGS = [".json", ".ubj", ".txt"]
MUTANTS = 150


def trained(ending: str, data: Any = IRIS, **options: Any) -> Any:
    """A booster of the library whose files end so."""
    if ending == ".txt":
        options = {"num_threads": 1, "verbosity": -1, "max_depth": 1, **options}
        return lightgbm.train(options, lightgbm.Dataset(*data), 4)
    return xgboost.train({"nthread": 1, "max_depth": 1, **options}, xgboost.DMatrix(*data), 4)


def raw_scores(booster: Any, X: Any) -> Any:
    if isinstance(booster, lightgbm.Booster):
        return booster.predict(X, raw_score=True)
    return booster.predict(xgboost.DMatrix(X), output_margin=True)


def saved(booster: Any, path: Path) -> Path:
    booster.save_model(path)
    return path


OF_XGBOOST = [
    (CANCER, {"objective": "binary:logistic"}),
    (IRIS, {"objective": "multi:softprob", "num_class": 3}),
    (DIABETES, {"objective": "count:poisson"}),
    (DIABETES, {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]}),
    (DIABETES, {"booster": "dart", "rate_drop": 0.3}),
    (DIABETES, {"num_parallel_tree": 2, "subsample": 0.5}),
]
OF_LIGHTGBM = [
    (CANCER, {"objective": "binary"}),
    (IRIS, {"objective": "multiclass", "num_class": 3}),
    (DIABETES, {"objective": "poisson"}),
    (DIABETES, {"objective": "quantile", "alpha": 0.2}),
    (DIABETES, {"boosting": "dart"}),
    (DIABETES, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
    (DIABETES, {"zero_as_missing": True}),
]
KINDS = [(ending, *one) for ending in (".json", ".ubj") for one in OF_XGBOOST] + [(".txt", *one) for one in OF_LIGHTGBM]


@pytest.mark.parametrize(("ending", "data", "options"), KINDS)
def test_a_file_is_the_booster_that_wrote_it(ending: str, data: Any, options: Any, tmp_path: Path) -> None:
    booster = trained(ending, data, **options)
    path = saved(booster, tmp_path / f"stumps{ending}")
    assert np.array_equal(raw_scores(load_booster(path), data[0]), raw_scores(booster, data[0]))
    from_file = hermetic.compile(path, data[0], public=["booster"])
    from_booster = hermetic.compile(booster, data[0], public=["booster"], name="stumps")
    assert from_file.signature == from_booster.signature
    assert np.array_equal(from_file.integers.weights, from_booster.integers.weights)


@pytest.mark.parametrize("ending", ENDINGS)
def test_deep_trees_are_read_as_those_of_a_booster_are(ending: str, tmp_path: Path) -> None:
    booster = trained(ending, max_depth=3)
    path = saved(booster, tmp_path / f"deep{ending}")
    from_file = hermetic.compile(str(path), IRIS[0], public=["booster"])
    from_booster = hermetic.compile(booster, IRIS[0], public=["booster"])
    values = np.eye(from_file.signature.features, dtype=np.int64)
    assert np.array_equal(from_file.reference(values), from_booster.reference(values))


@pytest.mark.parametrize("ending", [".json", ".ubj"])
def test_a_tree_is_all_that_the_library_saved(ending: str) -> None:
    booster = trained(ending)
    assert (
        decode(bytes(booster.save_raw("ubj")))["learner"]["learner_model_param"]
        == (json.loads(booster.save_raw("json"))["learner"]["learner_model_param"])
    )


def of_categories(ending: str, **options: Any) -> tuple[Any, pd.DataFrame]:
    """A booster that splits by categories with names, and by numbers, and its inputs."""
    X = pd.DataFrame({"kind": pd.Categorical(list("abcdefg") * 80), "rank": pd.Categorical(np.arange(560) % 4 * 10)})
    X["size"] = np.sin(np.arange(560.0))
    y = X["kind"].isin(["b", "e"]) * X["size"] + X["rank"].astype(float) / 20
    if ending == ".txt":
        options = {"verbosity": -1, "min_data_in_leaf": 1, "max_cat_to_onehot": 1, "cat_smooth": 1, **options}
        return lightgbm.train({"max_depth": 3, **options}, lightgbm.Dataset(X, y), 4), X
    data = xgboost.DMatrix(X, y, enable_categorical=True)
    return xgboost.train({"max_depth": 3, "max_cat_to_onehot": 1, "nthread": 1, **options}, data, 4), X


@pytest.mark.parametrize("ending", ENDINGS)
def test_categories_in_a_file_are_those_of_its_booster(ending: str, tmp_path: Path) -> None:
    booster, X = of_categories(ending)
    from_file = hermetic.compile(saved(booster, tmp_path / f"kinds{ending}"), X, public=["booster"])
    from_booster = hermetic.compile(booster, X, public=["booster"], name="kinds")
    one, other = (model.signature.feature_map for model in (from_file, from_booster))
    assert one.document() == other.document()
    assert len(one.categories) == 2
    values = np.eye(one.outputs, dtype=np.int64)
    assert np.array_equal(from_file.reference(values), from_booster.reference(values))


# Bytes of anybody


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"tree", b"\x80\x04K\x05.", b"{" * 9999, b"[" * 9999, b"\xff" * 99]
)
def test_other_files_are_refused_by_name(ending: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"other{ending}"
    path.write_bytes(data)
    library = "LightGBM" if ending == ".txt" else "XGBoost"
    with pytest.raises(CompileError, match=rf"other\{ending} must be a model that {library}'s save_model wrote"):
        hermetic.compile(path, IRIS[0])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_not_there_is_named(ending: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=rf"none\{ending} must be the file of a model. It cannot be read"):
        hermetic.compile(tmp_path / f"none{ending}", IRIS[0])


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ["regression", "classes", "deep", "categories"])
def test_damaged_files_are_refused_or_read_and_end_nothing(ending: str, kind: str, tmp_path: Path) -> None:
    """Bytes are changed, taken out and put in; in structures, values are replaced by others of their kind."""
    objective = "multiclass" if ending == ".txt" else "multi:softprob"
    options = {"classes": {"objective": objective, "num_class": 3}, "deep": {"max_depth": 4}}
    booster, asked = trained(ending, **options.get(kind, {})), IRIS[0]
    if kind == "categories":
        booster, asked = of_categories(ending)
    whole = saved(booster, tmp_path / f"a{ending}")
    path, refused = tmp_path / f"damaged{ending}", 0
    for seed in range(MUTANTS):
        path.write_bytes(damaged(random.Random(seed), whole.read_bytes(), ending))
        try:
            asked_about(load_booster(path), asked)
        except CompileError:
            refused += 1
    assert 0 < refused <= MUTANTS


def asked_about(booster: Any, X: Any) -> None:
    """Whatever a booster does with inputs, and what it is read by; it may refuse columns of categories."""
    if isinstance(booster, lightgbm.Booster):
        booster.predict(X, raw_score=True)
        booster.dump_model()
        return
    booster.save_raw("json")
    if isinstance(X, pd.DataFrame):
        with suppress(ValueError):
            booster.predict(xgboost.DMatrix(X, enable_categorical=True))
    else:
        raw_scores(booster, X)


def damaged(source: random.Random, data: bytes, ending: str) -> bytes:
    if source.random() < 0.6 and ending != ".ubj":
        return replaced(source, data.decode()).encode()
    changed = bytearray(data)
    for _ in range(source.choice([1, 1, 3])):
        place = source.randrange(len(changed))
        if source.random() < 0.5:
            changed[place] = source.choice([0, 1, 127, 128, 255, *b"0123456789-LSl[{"])
        else:
            changed[place : place + source.randrange(9)] = source.randbytes(source.randrange(4))
    return bytes(changed)


def replaced(source: random.Random, text: str) -> str:
    """One number or short word in the text is another."""
    places = [i for i, one in enumerate(text) if one.isdigit()]
    start = end = source.choice(places)
    while end < len(text) and text[end] in "0123456789.e-":
        end += 1
    other = source.choice(["-1", "0", "1", "2", "3", "999999999", "4294967296", "1e300", "-2", "[]", "", "nan", "true"])
    return text[:start] + other + text[end:]


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("left_children", 0), 0, "must have one parent"),
        (("left_children", 0), 7, "left_children must be a whole number from -1 to 2, not '7'"),
        (("split_indices", 0), 4, "split_indices must be a whole number from 0 to 3"),
        (("split_type", 0), 1, "split_type"),
        (("split_conditions", 0), float("nan"), "split_conditions must be finite numbers, not 'nan'"),
        (("tree_param", "num_nodes"), "9", "left_children must be a list of 9 values, not 3 values"),
        (("tree_param", "size_leaf_vector"), "3", "size_leaf_vector"),
        (("base_weights",), 5, "base_weights must be a list of 3 values, not int"),
    ],
)
def test_the_place_in_a_tree_is_named(place: tuple[Any, ...], value: Any, words: str, tmp_path: Path) -> None:
    model = json.loads(trained(".json").save_raw("json"))
    *before, last = ("learner", "gradient_booster", "model", "trees", 1, *place)
    found = model
    for one in before:
        found = found[one]
    found[last] = value
    path = tmp_path / "tree.json"
    path.write_text(json.dumps(model))
    with pytest.raises(CompileError, match=words):
        load_booster(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("left_child=0", "must have one parent"),
        ("left_child=-5", "left_child must be a whole number from -2 to 0"),
        ("split_feature=4", "split_feature must be a whole number from 0 to 3"),
        ("decision_type=1", "num_cat must count the sets of splits by categories"),
        ("leaf_value=1", "leaf_value must be a list of 2 values, not 1 values"),
        ("threshold=nan", "threshold must be finite numbers"),
        ("num_leaves=99999999999", "num_leaves must be a whole number"),
        ("num_cat=1", "num_cat must be a whole number from 0 to 0"),
        ("num_class=5", "num_tree_per_iteration must be a whole number from 5 to 5"),
        ("objective=a\tb", "its objective must be a name with options"),
        ("max_feature_idx=8", "feature_names must be 9 texts"),
    ],
)
def test_the_line_of_a_file_is_named(line: str, words: str, tmp_path: Path) -> None:
    name = line.partition("=")[0]
    lines = trained(".txt").model_to_string().split("\n")
    place = next(i for i, one in enumerate(lines) if one.startswith(f"{name}="))
    path = tmp_path / "lines.txt"
    path.write_text("\n".join([*lines[:place], line, *lines[place + 1 :]]))
    with pytest.raises(CompileError, match=words):
        load_booster(path)
