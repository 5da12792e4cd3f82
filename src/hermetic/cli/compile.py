"""``hermetic compile``: a fitted estimator, a booster or an ONNX model becomes a model file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..compiler import compile_model
from ..compiler.reading import read_model
from .console import stdout
from .estimators import load_estimator
from .report import show_report
from .samples import HeaderOption, Samples, read_samples
from .simulation import show_simulation


class Profile(StrEnum):
    """The names of :data:`hermetic.rlwe.parameters.KNOWN`."""

    FAST = "fast"
    PRECISE = "precise"
    NETWORK = "network"
    DEEP = "deep"
    DEEPER = "deeper"


class HiddenRange(StrEnum):
    """What bounds hidden values of networks, see :func:`hermetic.compile`."""

    PROVED = "proved"
    CALIBRATED = "calibrated"


class Splits(StrEnum):
    """What becomes of the splits of trees, see :func:`hermetic.compile`."""

    PRIVATE = "private"
    PUBLIC = "public"


def compile_estimator(  # noqa: PLR0913, PLR0917
    estimator: Annotated[
        Path,
        typer.Argument(
            metavar="ESTIMATOR",
            help="A fitted estimator or model: .skops, .onnx, a booster's .json, .ubj or .txt, rules in .json, or "
            "joblib or pickle.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")],
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="ESTIMATOR is a pickle, and may run code while it loads.")
    ] = False,
    sample: Annotated[
        str | None, typer.Option(help="Inputs as clients will send them (.npy, .csv): their range becomes public.")
    ] = None,
    header: HeaderOption = None,
    public: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="A step whose learned parameters may become public; can be repeated."),
    ] = None,
    limits: Annotated[
        tuple[float, float] | None, typer.Option("--range", metavar="LO HI", help="The range of every input.")
    ] = None,
    step: Annotated[float | None, typer.Option(help="The step of exact inputs, counted from LO.")] = None,
    profile: Annotated[
        Profile | None, typer.Option(help="Ring parameters; by default the cheapest that give what is asked for.")
    ] = None,
    tolerance: Annotated[float | None, typer.Option(help="Largest acceptable error of a score.")] = None,
    flooding: Annotated[float | None, typer.Option(help="Least flooding of answers (lambda), in bits.")] = None,
    splits: Annotated[
        Splits, typer.Option(help="What becomes of the splits of trees; the values of leaves stay private.")
    ] = Splits.PRIVATE,
    strict: Annotated[
        bool, typer.Option("--strict/--no-strict", help="Answer private trees for the bits of real inputs alone.")
    ] = True,
    hidden_range: Annotated[
        HiddenRange | None, typer.Option(help="What bounds hidden values of a network: all inputs, or the sample.")
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Compute some of the sample with the integers of encrypted answers.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="The public name; by default that of OUTPUT.")] = None,
) -> None:
    """Compile a fitted estimator into a model that answers encrypted queries.

    The inputs' range must be known: pass --sample or --range. Steps that are not linear are computed by clients: what
    they learned becomes public, if you name them by --public.
    """
    if sample is None and limits is None:
        raise typer.BadParameter("one of them must say what inputs look like.", param_hint="--sample or --range")
    if simulate and sample is None:
        raise typer.BadParameter("it must be given for --simulate.", param_hint="--sample")
    fitted = load_estimator(estimator, trust_pickle=trust_pickle)
    rows = None if sample is None else _sample(sample, fitted, header)
    model = compile_model(
        fitted,
        rows,
        public=public or (),
        name=name or output.stem,
        input_range=limits,
        input_step=step,
        profile=profile,
        tolerance=tolerance,
        flooding=flooding,
        splits=splits.value,
        strict=strict,
        hidden_range=None if hidden_range is None else hidden_range.value,
    )
    file_bytes = model.save(output)
    console = stdout()
    show_report(console, model.signature, model, file_bytes)
    if simulate:
        show_simulation(console, model, rows)
    console.print(
        f"\nWrote {output}. Clients need its signature: hermetic signature {output} -o FILE",
        markup=False,
        soft_wrap=True,
    )


def _sample(source: str, fitted: Any, header: bool | None) -> Samples:
    linear = read_model(fitted).linear
    return read_samples(source, linear.feature_names, linear.feature_map, columns=linear.inputs, header=header)
