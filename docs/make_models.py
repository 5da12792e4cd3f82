"""Write ``docs/supported-models.md`` from the registry of readers: ``python docs/make_models.py``.

A test compares the file with what this writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import sklearn

from hermetic.compiler.onnx import HEAD, PUBLIC, RULES, TREES
from hermetic.compiler.sklearn import ESTIMATORS, STEPS, Entry
from hermetic.compiler.sklearn.registry import NEAREST
from hermetic.compiler.torch_modules import LAYERS

TARGET = Path(__file__).with_name("supported-models.md")

INTRODUCTION = f"""# Supported models

Written by `docs/make_models.py` from the code that reads the models: change that, then run
`python docs/make_models.py`. Every class here is fitted on real data in the tests, compiled, encrypted, evaluated and
compared with the estimator's own methods. Checked with scikit-learn {sklearn.__version__}, XGBoost
{version("xgboost-cpu")}, LightGBM {version("lightgbm")} and InterpretML {version("interpret-core")}; another version
may lack some of these classes.

The private part of each is one matrix and one vector, or trees that split on several inputs each. What the client does
with the decrypted scores, the *link*, is public, and has nothing that was learned from data. [Compile your
model](how-to/compile-your-model.md) shows how. Trees that split on several inputs may have [public
splits](how-to/trees-and-forests.md#public-splits) instead, and [rules and
scorecards](how-to/trees-and-forests.md#rules-and-scorecards) need no estimator.

Anything else is refused, and the error says why. So are subclasses that override `decision_function`, `predict`,
`predict_proba`, `predict_joint_log_proba` or `transform`.
"""

STEPS_HEADING = """## Steps before a model

In a `Pipeline`, `FeatureUnion` or `ColumnTransformer`. Affine steps are folded into the matrix and stay private. The
others are computed by clients, from parameters that are [public](how-to/public-features.md), and so are affine steps
before them; where these were learned from data, `compile` wants them named in `public=`. A step that is not in a table
above is also a model of its own: the client gets what its `transform` gives.
"""

ONNX_HEADING = f"""## ONNX operators

In a model file or an `onnx.ModelProto`, checked with onnx {version("onnx")} and compared with ONNX Runtime
{version("onnxruntime")} in the tests. [ONNX and PyTorch](how-to/onnx-and-pytorch.md) shows how. Whatever does not
depend on the inputs may be computed by any operator. Everything up to the scores is private but the operators that are
called public. The operators after the scores may do what amounts to a link: nothing, labels by the largest, softmax,
the logarithm of it, the logistic function of each (normalised, of two or more classes), modified Huber or, for a
regression, the exponential. Before trees may stand what moves, scales or imputes inputs one by one: it becomes part of
their thresholds, which become public.
"""

TORCH_HEADING = """## PyTorch modules

Of `torch.nn`, with parameters of float32 or float64. Others are exported to ONNX first.
"""

NEAREST_HEADING = """## What comes nearest

| not supported | nearest |
|---|---|
"""


def render() -> str:
    """The text of ``supported-models.md``."""
    parts = [INTRODUCTION]
    for module, family in groupby(_by_module(ESTIMATORS), key=_module):
        parts += [f"## {_title(module)}\n", _table(family)]
    parts += [STEPS_HEADING, _steps(), ONNX_HEADING, _operators(), TORCH_HEADING, _modules()]
    rows = "".join(f"| `{name}` | `{nearest}` |\n" for name, nearest in sorted(NEAREST.items()))
    return "\n".join([*parts, NEAREST_HEADING + rows])


def _by_module(registry: Mapping[str, Entry]) -> list[Entry]:
    """The entries of every module together, whichever was imported first."""
    return sorted(registry.values(), key=_module)


def _module(entry: Entry) -> str:
    return entry.reader.__module__


def _title(module: str) -> str:
    return (import_module(module).__doc__ or "").splitlines()[0]


def _table(entries: Iterable[Entry]) -> str:
    return "| estimator | clients get | condition, note |\n|---|---|---|\n" + "".join(
        f"| {names} | {one.gives} | {one.condition or '–'} |\n" for names, one in _by_reader(entries)
    )


def _steps() -> str:
    return "| step | condition |\n|---|---|\n" + "".join(
        f"| {names} | {one.condition or '–'} |\n" for names, one in _by_reader(_by_module(STEPS))
    )


def _operators() -> str:
    rows = {
        "up to the scores": ", ".join(f"`{name}`" for name in sorted({*RULES, "LinearClassifier"})),
        "of inputs as they come, public": ", ".join(f"`{name}` ({words})" for name, words in sorted(PUBLIC.items())),
        "that give the scores, as sums of trees": ", ".join(f"`{name}`" for name in sorted(TREES)),
        "after the scores": ", ".join(f"`{name}`" for name in sorted({*HEAD, "ZipMap"})),
    }
    return "| place | operators |\n|---|---|\n" + "".join(f"| {place} | {names} |\n" for place, names in rows.items())


def _modules() -> str:
    return "| class | condition |\n|---|---|\n" + "".join(
        f"| `{name}` | {condition or '–'} |\n" for name, condition in LAYERS.items()
    )


def _by_reader(entries: Iterable[Entry]) -> Iterator[tuple[str, Entry]]:
    """The names that are read in the same way, and one of them."""
    for _, group in groupby(entries, key=lambda entry: entry.reader):
        same = list(group)
        yield ", ".join(f"`{one.name}`" for one in same), same[0]


def main() -> None:
    """Write the file."""
    TARGET.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
