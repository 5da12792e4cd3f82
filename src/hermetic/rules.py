"""Rule lists and scorecards, as people write them: conditions on named columns, and values.

    {"format": "hermetic rules 1",
     "rules": [{"if": {"age": ">= 18", "region": ["NL", "BE"]}, "then": 12.5},
               {"if": {"income": "20000 to 50000"}, "then": 4},
               {"if": {"income": "missing"}, "then": -3}],
     "start": 100}

A condition on numbers is ``"< 18"``, ``"<= 18"``, ``"> 18"``, ``">= 18"``, ``"= 18"`` or ``"18 to 65"``, which holds
for 18 <= x < 65; on texts it is a text, or a list of them, none of which begins as a comparison does; ``"missing"``
holds for what is not there. Of a list of conditions one must hold.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import shown
from .arrays import Reals
from .errors import CompileError, InputError
from .features.categories import is_nan

FORMAT = "hermetic rules 1"
MISSING = "missing"

_COMPARISON = re.compile(r"(<=|>=|==?|<|>)\s*(\S+)")
_LIKE_A_COMPARISON = tuple("<>=!≤≥≠")
_BETWEEN = re.compile(r"(\S+)\s+to\s+(\S+)")
_MAX_RULES = 1 << 16
_MAX_CHARACTERS = 1 << 24
_FIRST_FIELD = re.compile(r'\s*\{\s*"(rules|scorecard|start|otherwise|match)"')
_KEYS = {"format", "rules", "scorecard", "start", "otherwise", "match"}

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """What a value must be.

    Attributes
    ----------
    column
        Of the table.
    intervals
        For numbers, where they may be: low <= x < high each, in order; an infinite end is none.
    texts
        For texts, which they may be; None for numbers, and where only what is missing counts.
    missing
        Whether it holds where the value is missing.
    """

    column: str
    intervals: tuple[tuple[float, float], ...]
    texts: frozenset[str] | None
    missing: bool

    def holds(self, values: npt.NDArray[Any]) -> Flags:
        """For which values (n,) it holds."""
        absent = np.array([_is_missing(one) for one in values.tolist()], dtype=np.bool_)
        if not self.intervals:
            found = np.array([one in (self.texts or ()) for one in values.tolist()], dtype=np.bool_)
        else:
            numbers = np.where(absent, np.nan, values).astype(np.float64)
            found = np.zeros(len(values), dtype=np.bool_)
            for low, high in self.intervals:
                found |= (numbers >= low) & (numbers < high)
        return np.where(absent, self.missing, found)


@dataclass(frozen=True)
class Rule:
    """All conditions together, and the value that they give."""

    conditions: tuple[Condition, ...]
    value: float


class Rules:
    """A rule list or a scorecard, which :func:`hermetic.compile` compiles as it does an estimator.

    Parameters
    ----------
    rules
        ``{"if": {column: condition, …}, "then": value}`` each. Values are numbers, or all of them truths.
    start
        What the values of rules that hold are added to.
    otherwise
        With ``match="first"``, the value where no rule holds.
    match
        ``"all"``: the values of all rules that hold are added. ``"first"``: the value of the first one that holds.

    Raises
    ------
    CompileError
        For anything but such rules; the message names the rule.

    Notes
    -----
    Compiled, columns and thresholds become public, and lists of texts; which rule tests what, in which order, and all
    values stay private where a rule tests several columns.
    """

    def __init__(
        self,
        rules: Sequence[Mapping[str, Any]],
        *,
        start: float = 0.0,
        otherwise: float | bool | None = None,
        match: str = "all",
    ) -> None:
        if match not in ("all", "first"):
            raise CompileError(f"match must be 'all' or 'first'. Got {match!r} instead.")
        if match == "all" and otherwise is not None:
            raise CompileError(
                "otherwise must come with match='first': where all rules count, none holding gives start."
            )
        if not isinstance(rules, list | tuple) or not 1 <= len(rules) <= _MAX_RULES:
            raise CompileError(f"rules must be a list of 1 to {_MAX_RULES} of them.")
        values = [_part(one, "then", number) for number, one in enumerate(rules)]
        values += [] if otherwise is None else [otherwise]
        self.first = match == "first"
        self.decides = self.first and all(isinstance(one, bool) for one in values)
        """Whether the answer is a truth."""
        self.start = _number(start, "start")
        if self.decides and self.start:
            raise CompileError(
                f"start must be left out where rules decide. Got {start!r}: values must be numbers then."
            )
        self.otherwise = self._value(False if otherwise is None and self.decides else otherwise or 0.0, "otherwise")
        self.rules = tuple(
            Rule(tuple(_conditions(_part(one, "if", number), number)), self._value(one["then"], f"rule {number}"))
            for number, one in enumerate(rules)
        )
        self.columns = tuple(dict.fromkeys(one.column for rule in self.rules for one in rule.conditions))
        self._check_kinds()
        if not math.isfinite(abs(self.start) + abs(self.otherwise) + sum(abs(one.value) for one in self.rules)):
            raise CompileError("the values of all rules must add up to a finite number. They are too large.")

    def _value(self, value: Any, name: str) -> float:
        """A truth counts as 1 or -1."""
        return (1.0 if value else -1.0) if self.decides else _number(value, f"the value of {name}")

    def _check_kinds(self) -> None:
        for column in self.columns:
            kinds = {one.texts is None for one in self.conditions_on(column) if one.intervals or one.texts}
            if len(kinds) > 1:
                raise CompileError(
                    f"conditions on column {column!r} must all be on numbers, or all on texts. Some are on each: write "
                    "texts as lists."
                )

    @staticmethod
    def scorecard(points: Mapping[str, Mapping[str, float]], *, start: float = 0.0) -> Rules:
        """A scorecard: for every column the points of its conditions, which must not overlap.

        Raises
        ------
        CompileError
            As the class; or if two conditions of a column hold for one value.
        """
        given: Any = points
        if not isinstance(given, Mapping) or not all(isinstance(one, Mapping) for one in given.values()):
            raise CompileError("a scorecard must be points by conditions, by columns: {'age': {'< 25': 10}}.")
        found = Rules(
            [
                {"if": {column: one}, "then": value}
                for column, all_of in points.items()
                for one, value in all_of.items()
            ],
            start=start,
        )
        for column in found.columns:
            found._check_apart(column)
        return found

    def _check_apart(self, column: str) -> None:
        conditions = list(self.conditions_on(column))
        ends = sorted(interval for each in conditions for interval in each.intervals)
        texts = [one for each in conditions for one in each.texts or ()]
        overlap = any(high > low for (_, high), (low, _) in pairwise(ends))
        if overlap or len(set(texts)) < len(texts) or sum(one.missing for one in conditions) > 1:
            raise CompileError(
                f"conditions on column {column!r} of a scorecard must not overlap. Two hold for one value."
            )

    @staticmethod
    def from_document(document: Any) -> Rules:
        """Read the form of a file: see the module. Raises :class:`CompileError`."""
        if not isinstance(document, Mapping) or document.get("format") != FORMAT:
            raise CompileError(f"rules must be a JSON object whose format is {FORMAT!r}.")
        if unknown := set(document) - _KEYS:
            raise CompileError(
                f"rules must have the fields {', '.join(sorted(_KEYS))}. Got {sorted(unknown)[0]!r} as well."
            )
        if ("rules" in document) == ("scorecard" in document):
            raise CompileError("there must be either rules or a scorecard.")
        rest = {name: value for name, value in document.items() if name not in ("format", "rules", "scorecard")}
        if "scorecard" in document:
            if set(rest) - {"start"}:
                raise CompileError("a scorecard must have no field but start beside it.")
            return Rules.scorecard(document["scorecard"], **rest)
        return Rules(document["rules"], **rest)

    @staticmethod
    def load(path: str | Path) -> Rules:
        """Read a JSON file. Raises :class:`CompileError`."""
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_named_once)
        except OSError as error:
            raise CompileError(f"{path} cannot be read: {error.strerror}.") from None
        except (ValueError, RecursionError) as error:
            raise CompileError(f"{path} must be JSON, each field once: {error}.") from None
        return Rules.from_document(document)

    def conditions_on(self, column: str) -> Iterator[Condition]:
        """All conditions on a column."""
        return (one for rule in self.rules for one in rule.conditions if one.column == column)

    def decision_function(self, X: Any) -> Reals:
        """The scores (n,) of a table: a DataFrame, a mapping of columns, or an array with the columns in order.

        Raises
        ------
        InputError
            If a column is not there, not as long as others, or holds numbers where conditions are on texts, or what is
            no finite number where they are on numbers.
        """
        columns = self._columns_of(X)
        held = [
            np.logical_and.reduce([one.holds(columns[one.column]) for one in rule.conditions]) for rule in self.rules
        ]
        if not self.first:
            values = [hold * rule.value for hold, rule in zip(held, self.rules, strict=True)]
            return np.asarray(self.start + np.sum(values, axis=0))
        found = np.full(len(held[0]), self.otherwise)
        for hold, rule in zip(reversed(held), reversed(self.rules), strict=True):
            found = np.where(hold, rule.value, found)
        return np.asarray(self.start + found)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The scores (n,), or truths where rules decide."""
        scores = self.decision_function(X)
        return scores > 0 if self.decides else scores

    def _columns_of(self, X: Any) -> dict[str, npt.NDArray[Any]]:
        named = hasattr(X, "columns") or isinstance(X, Mapping)
        if named and (missing := [one for one in self.columns if one not in X]):
            raise InputError(f"the table must have a column {missing[0]!r}. It has none.")
        if not named and (np.ndim(X) != 2 or np.shape(X)[1] != len(self.columns)):
            raise InputError(f"the table must have the {len(self.columns)} columns {', '.join(self.columns)}.")
        rows = X if named else np.asarray(X, dtype=object).T
        found = {
            one: np.asarray(rows[one if named else number], dtype=object) for number, one in enumerate(self.columns)
        }
        first = found[self.columns[0]]
        for name, values in found.items():
            if values.ndim != 1 or len(values) != len(first):
                raise InputError(f"column {name!r} must be there once, with one value a row.")
            self._check_values(name, values.tolist())
        return found

    def _check_values(self, column: str, values: Sequence[Any]) -> None:
        present = [one for one in values if not _is_missing(one)]
        conditions = list(self.conditions_on(column))
        if any(one.intervals for one in conditions):
            what, wrong = "finite numbers", [one for one in present if isinstance(one, str) or not _is_real(one)]
        elif any(one.texts for one in conditions):
            what, wrong = "texts", [one for one in present if not isinstance(one, str)]
        else:
            return
        if wrong:
            raise InputError(
                f"column {column!r} must hold {what}, as the conditions on it do. Got {wrong[0]!r} instead: change it, "
                "or write conditions on numbers as '= 18' or '18 to 65'."
            )


def is_rules(path: Path) -> bool:
    """Whether a JSON file holds rules, or begins as they do without their format, and not a booster."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_CHARACTERS)
    except (OSError, UnicodeDecodeError):
        return False
    return FORMAT in text or _FIRST_FIELD.match(text) is not None


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(one for one in names if names.count(one) > 1)
        raise ValueError(f"{twice!r} is there twice in one object")
    return found


def _part(rule: Any, name: str, number: int) -> Any:
    if not isinstance(rule, Mapping) or set(rule) != {"if", "then"}:
        raise CompileError(f"rule {number} must be {{'if': conditions, 'then': value}}.")
    return rule[name]


def _conditions(given: Any, number: int) -> Iterator[Condition]:
    if not isinstance(given, Mapping) or not given:
        raise CompileError(f"the conditions of rule {number} must be by columns, one at least.")
    for column, condition in given.items():
        if not isinstance(column, str) or not column:
            raise CompileError(f"columns of rule {number} must have names. Got {column!r} instead.")
        yield _condition(column, condition, number)


def _condition(column: str, given: Any, number: int) -> Condition:
    parts = list(given) if isinstance(given, list | tuple | set | frozenset) else [given]
    if not parts or not all(isinstance(part, str) and part.strip() for part in parts):
        raise CompileError(
            f"the condition of rule {number} on column {column!r} must be a text such as '>= 18', '18 to 65' or 'NL', "
            f"or a list of them. Got {given!r} instead."
        )
    rest = [part.strip() for part in parts if part.strip() != MISSING]
    intervals = [_interval(one, column, number) for one in rest]
    known = [interval for interval in intervals if interval is not None]
    if known and len(known) < len(intervals):
        raise CompileError(
            f"the condition of rule {number} on column {column!r} must be on numbers or on texts, not both."
        )
    texts = frozenset(rest) if rest and not known else None
    return Condition(column, tuple(sorted(known)), texts, len(rest) < len(parts))


def _interval(text: str, column: str, number: int) -> tuple[float, float] | None:
    """Where a condition on numbers holds; None for a text."""
    where = f"the condition of rule {number} on column {column!r}"
    if (found := _COMPARISON.fullmatch(text)) is not None:
        end = _real(found[2], where)
        after = math.nextafter(end, math.inf)
        return {
            "<": (-math.inf, end),
            "<=": (-math.inf, after),
            ">": (after, math.inf),
            ">=": (end, math.inf),
            "=": (end, after),
            "==": (end, after),
        }[found[1]]
    if text.startswith(_LIKE_A_COMPARISON):
        raise CompileError(
            f"{where} must be '< 18', '<= 18', '> 18', '>= 18', '= 18' or '18 to 65', one comparison each. Got "
            f"{text!r} instead: two ends are '18 to 65', and of a list one must hold."
        )
    between = _BETWEEN.fullmatch(text)
    if between is None or not (_is_real(between[1]) and _is_real(between[2])):
        return None
    low, high = _real(between[1], where), _real(between[2], where)
    if low >= high:
        raise CompileError(f"{where} must be from a number to a larger one. Got {text!r} instead.")
    return low, high


def _is_real(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (ValueError, TypeError, OverflowError):
        return False


def _real(text: str, where: str) -> float:
    if not _is_real(text):
        raise CompileError(f"{where} must compare with a finite number. Got {text!r} instead.")
    return float(text)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not _is_real(value):
        raise CompileError(f"{name} must be a finite number. Got {shown(value)} instead.")
    return float(value)


def _is_missing(value: Any) -> bool:
    return value is None or is_nan(value)
