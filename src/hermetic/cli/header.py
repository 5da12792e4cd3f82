"""Whether the first line of a table names its columns. Names may be numbers, so sometimes only the caller knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from ..errors import InputError
from .fields import is_number, number

_FEW = 2
_MISSING = frozenset({"na", "n/a", "nan", "null", "none", "nil", "missing", "inf", "infinity"})
_SHOWN = 5


def is_header(
    name: str, first: Sequence[str], others: Sequence[Sequence[str]], names: Sequence[str] | None, *, is_sample: bool
) -> bool:
    """Whether the first line names the columns: it holds names of the model, in any order, or words alone.

    Parameters
    ----------
    name
        What errors call the file.
    first, others
        The fields of the first line, and those of the lines after it.
    names
        The model's column names, if it has any.
    is_sample
        Whether it holds what samples hold in its place: then only all names of the model make it a header.

    Raises
    ------
    InputError
        If it holds numbers that may as well be the columns' names.
    """
    found = [field.strip() for field in first]
    if has_index(found):
        found, others = found[1:], [fields[1:] for fields in others]
    words, named = {name for name in found if not is_number(name)}, holds_all(found, names)
    if (named and words) or (found == list(names or ()) and not is_sample):
        return True
    if is_sample and not named:
        return False
    if words & set(names or ()):
        return True
    if not words and (named or _counts_up(found) or _is_written_unlike(found, others)):
        shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise InputError(
            f"{name}: the first line, {shown}, may be a sample or the names of columns: pass --no-header or --header."
        )
    return _are_names(found)


def holds_all(fields: Sequence[str], names: Sequence[str] | None) -> bool:
    """Whether a line holds every name of a model, if that has names."""
    return bool(names) and {field.strip() for field in fields}.issuperset(names or ())


def _are_names(found: Sequence[str]) -> bool:
    """Words that can name columns: each but once, and none like a number with a unit or a missing value."""
    words = all(any(map(str.isalpha, name)) or not any(map(str.isdigit, name)) for name in found)
    begun = any(name[:1].isalpha() or name[:1] == "_" for name in found)
    return words and begun and len(set(found)) == len(found) and _MISSING.isdisjoint(name.lower() for name in found)


def has_index(names: Sequence[str]) -> bool:
    """Whether the first column, alone, has no name: pandas writes its index so."""
    return len(names) > 1 and not names[0] and all(names[1:])


def _counts_up(found: Sequence[str]) -> bool:
    """Numbers in even steps, as columns without names are numbered."""
    values = [number(name) for name in found]
    if len(values) <= _FEW:
        return [*found] in (["0"], ["0", "1"], ["1", "2"])
    steps = [after - before for before, after in pairwise(values)]
    return steps[0] > 0 and all(math.isclose(step, steps[0], rel_tol=1e-9) for step in steps)


def _is_written_unlike(found: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Rising whole numbers over columns that hold none."""
    values = [number(name) for name in found]
    rising = all(name.isdigit() for name in found) and values == sorted(set(values))
    return rising and bool(others) and not any(field.strip().isdigit() for fields in others for field in fields)
