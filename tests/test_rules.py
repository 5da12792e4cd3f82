"""Rule lists and scorecards: what they say in plain form, and compiled, at every edge; what is no rule is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hermetic
from hermetic import Client, CompiledModel, CompileError, InputError, Rules, UnsupportedModelError
from hermetic.compiler.ensembles import rule_lists
from hermetic.rules import FORMAT

EDGES = (18.0, 20.5, 65.0)
NUMBERS = [end for edge in EDGES for end in (math.nextafter(edge, 0), edge, math.nextafter(edge, 100))]
TEXTS = ["NL", "BE", "elsewhere", None]
TABLE = pd.DataFrame(
    [(age, income, region) for age in [*NUMBERS, math.nan] for income in (0.0, *NUMBERS[:3]) for region in TEXTS],
    columns=["age", "income", "region"],
)

numbers = st.one_of(
    st.tuples(st.sampled_from(["<", "<=", ">", ">=", "="]), st.sampled_from(EDGES)).map(
        lambda one: f"{one[0]} {one[1]}"
    ),
    st.sampled_from(["18 to 65", "18 to 20.5", "20.5 to 65"]),
)
ages = st.lists(st.one_of(numbers, st.just("missing")), min_size=1, max_size=3)
regions = st.lists(st.sampled_from(["NL", "BE", "missing"]), min_size=1, max_size=2, unique=True)
conditions = st.fixed_dictionaries({}, optional={"age": ages, "income": numbers, "region": regions}).filter(bool)
rules = st.lists(st.fixed_dictionaries({"if": conditions, "then": st.integers(-20, 20)}), min_size=1, max_size=5)


def asked(one: Rules) -> pd.DataFrame:
    """The rows that may be asked: no age is missing where no rule speaks of it."""
    on_age = list(one.conditions_on("age"))
    strict = any(each.intervals for each in on_age) and not any(each.missing for each in on_age)
    return TABLE.dropna(subset="age") if strict else TABLE


def compiled(one: Rules) -> CompiledModel:
    return hermetic.compile(one, asked(one), public=["rules"])


def answers(one: Rules, model: CompiledModel) -> tuple[Any, Any]:
    """The plain integers' scores, and those of the rules themselves."""
    table = asked(one)
    client = Client(model.signature)
    return np.ravel(model.reference(client.quantize(table)[0])), one.decision_function(table)


@given(given_rules=rules, start=st.integers(-5, 5), first=st.booleans())
def test_compiled_rules_say_what_the_rules_say(given_rules: Any, start: float, first: bool) -> None:
    one = Rules(given_rules, start=start, **({"match": "first", "otherwise": -7} if first else {}))
    try:
        model = compiled(one)
    except UnsupportedModelError as error:
        assert "the score must depend on an input" in str(error)
        return
    found, own = answers(one, model)
    assert np.abs(found - own).max() <= model.signature.error


def by_hand(age: float, region: Any) -> float:
    if age >= 18 and region in ("NL", "BE"):
        return 12.5
    return -3.0 if math.isnan(age) else 4.0


def test_the_first_rule_that_holds_counts() -> None:
    one = Rules(
        [{"if": {"age": ">= 18", "region": ["NL", "BE"]}, "then": 12.5}, {"if": {"age": "missing"}, "then": -3}],
        match="first",
        otherwise=4,
    )
    assert one.predict(TABLE).tolist() == [
        by_hand(age, region) for age, region in zip(TABLE["age"], TABLE["region"], strict=True)
    ]


@pytest.mark.parametrize("first", [True, False])
def test_encrypted(first: bool) -> None:
    """Eligibility by the first rule that holds, and points of all of them."""
    decisions = [
        {"if": {"age": "< 18"}, "then": False},
        {"if": {"region": "NL", "income": "> 18"}, "then": True},
    ]
    points = [{**one, "then": 2.5} for one in decisions]
    one = Rules(decisions, match="first") if first else Rules(points, start=1)
    table = TABLE.dropna(subset="age").iloc[::9]
    model = hermetic.compile(one, table, public=["rules"])
    client = Client(model.signature)
    result = model.evaluate(client.encrypt(table), client.public_key)
    found = client.predict(result)
    if first:
        assert found.dtype == bool and found.tolist() == one.predict(table).tolist()
    else:
        assert np.abs(found - one.predict(table)).max() <= model.signature.error
    assert model.signature.circuit.kind == "trees"


def test_a_scorecard_is_linear_in_public_intervals() -> None:
    one = Rules.scorecard(
        {"age": {"< 18": -50, "18 to 65": 10, ">= 65": 20, "missing": 0}, "region": {"NL": 5, "BE": 3}}, start=600
    )
    model = compiled(one)
    assert model.signature.circuit.kind == "linear"
    found, own = answers(one, model)
    assert np.abs(found - own).max() <= model.signature.error


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "eligible.json"
    document = {"format": FORMAT, "rules": [{"if": {"age": ">= 18", "region": ["NL"]}, "then": 2}], "start": 1}
    path.write_text(json.dumps(document))
    assert hermetic.compile(path, TABLE.dropna(), public=["rules"]).signature.name == "eligible"
    assert Rules.load(path).predict(TABLE[:1]).tolist() == [1.0]
    card = {"format": FORMAT, "scorecard": {"age": {">= 18": 3}}}
    assert Rules.from_document(card).predict({"age": [17, 18]}).tolist() == [0.0, 3.0]


def test_inputs_that_no_rule_speaks_of_are_refused() -> None:
    one = Rules([{"if": {"age": ">= 18"}, "then": 1}])
    client = Client(hermetic.compile(one, TABLE[["age"]].dropna(), public=["rules"]).signature)
    with pytest.raises(InputError, match=r"inputs must be finite. Got nan"):
        client.encrypt({"age": [math.nan]})
    with pytest.raises(InputError, match="must have a column 'age'"):
        one.predict(TABLE[["income"]])
    with pytest.raises(InputError, match="must have the 1 columns age"):
        one.predict(np.zeros((2, 2)))


def test_rules_in_order_that_make_too_large_a_tree_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_lists, "_MAX_NODES", 20)
    many = [{"if": {"a": f">= {i}", "b": f"< {i}", "c": f"= {i}"}, "then": i} for i in range(9)]
    with pytest.raises(UnsupportedModelError, match="a tree of at most 20 nodes"):
        hermetic.compile(Rules(many, match="first"), pd.DataFrame({"a": [1.0], "b": [1.0], "c": [1.0]}))


TABLES: dict[str, tuple[Any, str]] = {
    "texts for numbers": ({"age": ["18"], "region": ["NL"]}, "column 'age' must hold finite numbers.*Got '18'"),
    "infinity": ({"age": [math.inf], "region": ["NL"]}, "column 'age' must hold finite numbers.*Got inf"),
    "numbers for texts": ({"age": [18], "region": [3]}, "column 'region' must hold texts.*Got 3"),
    "one value": ({"age": 18, "region": ["NL"]}, "column 'age' must be there once, with one value a row"),
    "fewer rows": ({"age": [18, 19], "region": ["NL"]}, "column 'region' must be there once"),
    "columns twice": (
        pd.DataFrame([[18, 19, "NL"]], columns=["age", "age", "region"]),
        "column 'age' must be there once",
    ),
}


@pytest.mark.parametrize("what", TABLES)
def test_tables_that_do_not_fit_the_conditions_are_refused(what: str) -> None:
    table, message = TABLES[what]
    with pytest.raises(InputError, match=message):
        Rules([{"if": {"age": ">= 18", "region": "NL"}, "then": 1}]).predict(table)


def test_a_sample_that_does_not_fit_the_conditions_is_refused() -> None:
    """A range that is written in another way is a text: only the table tells that numbers were meant."""
    one = Rules([{"if": {"age": "18 - 65"}, "then": 1}])
    with pytest.raises(CompileError, match="X_sample must fit the rules: column 'age' must hold texts"):
        hermetic.compile(one, pd.DataFrame({"age": [17.0, 70.0]}), public=["rules"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"age": ">= 18", "age": "< 65"}', "must be JSON, each field once: 'age' is there twice"),
        ("[" * 100_000, "must be JSON"),
    ],
)
def test_fields_that_hide_others_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(f'{{"format": "{FORMAT}", "rules": [{{"if": {text}, "then": 1}}]}}')
    with pytest.raises(CompileError, match=message):
        hermetic.compile(path)


def test_a_file_that_forgets_its_format_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"rules": [GOOD]}))
    with pytest.raises(CompileError, match="whose format is 'hermetic rules 1'"):
        hermetic.compile(path)


def test_values_and_comparisons_in_other_forms() -> None:
    one = Rules([{"if": {"age": "== 18"}, "then": np.int64(3)}, {"if": {"age": "= 18"}, "then": np.float32(0.5)}])
    assert one.predict({"age": [17, 18]}).tolist() == [0.0, 3.5]


GOOD = {"if": {"age": ">= 18"}, "then": 1}
BAD: dict[str, tuple[Any, str]] = {
    "no rules": (lambda: Rules([]), "rules must be a list of 1 to"),
    "one rule": (lambda: Rules(GOOD), "rules must be a list of 1 to"),  # type: ignore[arg-type]
    "a text": (lambda: Rules(["age"]), "rule 0 must be"),  # type: ignore[list-item]
    "no then": (lambda: Rules([GOOD, {"if": {"age": "> 1"}}]), "rule 1 must be"),
    "no condition": (lambda: Rules([{"if": {}, "then": 1}]), "the conditions of rule 0 must be by columns"),
    "a number": (lambda: Rules([{"if": {"age": 18}, "then": 1}]), "rule 0 on column 'age' must be a text such as"),
    "an empty list": (lambda: Rules([{"if": {"age": []}, "then": 1}]), "must be a text such as"),
    "no number": (
        lambda: Rules([{"if": {"age": ">= old"}, "then": 1}]),
        "must compare with a finite number. Got 'old'",
    ),
    "infinity": (lambda: Rules([{"if": {"age": "< inf"}, "then": 1}]), "must compare with a finite number"),
    **{
        f"condition {one}": (
            lambda one=one: Rules([{"if": {"age": one}, "then": 1}]),
            "must be '< 18', .*one comparison each. Got",
        )
        for one in ("=> 18", ">= 18 and < 65", "!= 18", "≥ 18", ">")
    },
    "too large a number": (lambda: Rules([{**GOOD, "then": 10**400}]), "rule 0 must be a finite number"),
    "too large a sum": (lambda: Rules([{**GOOD, "then": 1e308}] * 2), "must add up to a finite number"),
    "a start of decisions": (
        lambda: Rules([{**GOOD, "then": True}], match="first", start=2),
        "start must be left out where rules decide",
    ),
    "backwards": (lambda: Rules([{"if": {"age": "65 to 18"}, "then": 1}]), "from a number to a larger one"),
    "mixed": (lambda: Rules([{"if": {"age": ["NL", "> 3"]}, "then": 1}]), "on numbers or on texts, not both"),
    "two kinds": (lambda: Rules([GOOD, {"if": {"age": "NL"}, "then": 1}]), "must all be on numbers, or all on texts"),
    "NaN": (lambda: Rules([{"if": {"age": "> 1"}, "then": math.nan}]), "the value of rule 0 must be a finite number"),
    "truths that add": (lambda: Rules([{"if": {"age": "> 1"}, "then": True}]), "must be a finite number. Got True"),
    "truths and numbers": (lambda: Rules([GOOD, {**GOOD, "then": True}], match="first"), "must be a finite number"),
    "a match": (lambda: Rules([GOOD], match="best"), "match must be 'all' or 'first'"),
    "otherwise": (lambda: Rules([GOOD], otherwise=1), "otherwise must come with match='first'"),
    "no column": (lambda: Rules([{"if": {"": "> 1"}, "then": 1}]), "must have names"),
    "points that overlap": (lambda: Rules.scorecard({"age": {"< 20": 1, "18 to 30": 2}}), "must not overlap"),
    "texts twice": (lambda: Rules.scorecard({"r": {"NL": 1, " NL": 2}}), "must not overlap"),
    "no points": (lambda: Rules.scorecard({"age": 3}), "a scorecard must be points"),  # type: ignore[dict-item]
    "no format": (lambda: Rules.from_document({"rules": [GOOD]}), "whose format is 'hermetic rules 1'"),
    "a field": (lambda: Rules.from_document({"format": FORMAT, "rules": [GOOD], "x": 1}), "Got 'x' as well"),
    "both": (
        lambda: Rules.from_document({"format": FORMAT, "rules": [], "scorecard": {}}),
        "either rules or a scorecard",
    ),
    "no JSON": (lambda: Rules.load(Path(__file__)), "must be JSON"),
    "no file": (lambda: Rules.load("nowhere.json"), "cannot be read"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_rule_is_refused(what: str) -> None:
    make, message = BAD[what]
    with pytest.raises(CompileError, match=message):
        make()
