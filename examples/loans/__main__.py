"""``python -m examples.loans``: a bank's boosted trees judge applications that it never sees.

The model is fitted on real mortgage applications, with numbers missing here and there. Its thresholds become public;
which tree asks what, in which order, and all values stay with the bank. Applications are encrypted one by one, and each
answer is compared with XGBoost's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

import hermetic
from hermetic.cli.progress import bar
from hermetic.cli.units import duration, size
from hermetic.roundtrip import STEPS, LocalServer, round_trip

from .picture import draw
from .table import applications


def main(arguments: list[str] | None = None) -> None:
    """Fit the trees, compile them, ask about the applications that were held out; print what came, and draw it."""
    options = _options(arguments)
    X, approved = applications()
    train, held, approved_train, approved_held = train_test_split(X, approved, random_state=0, stratify=approved)
    trees = XGBClassifier(
        n_estimators=options.trees, max_depth=options.depth, learning_rate=0.1, random_state=0, n_jobs=1
    )
    trees.fit(train, approved_train)

    model = hermetic.compile(trees, train, name="loans", public=["xgbclassifier"])
    client = hermetic.Client(model.signature)
    service = LocalServer(model, client.public_key.to_bytes())
    held, y = held[: options.applications], approved_held[: options.applications].to_numpy()
    with bar("Applications, one a query") as shown:
        trips = []
        for number in range(len(held)):
            trips.append(round_trip(client, service, held.iloc[number : number + 1]))
            shown.advance(number + 1, len(held))

    encrypted = np.concatenate([np.ravel(one.scores) for one in trips])
    plain = trees.predict(held, output_margin=True).astype(np.float64)
    seconds = {step: median(one.seconds[step] for one in trips) for step in STEPS}
    print(f"medians of {len(trips)}: " + ", ".join(f"{step} {duration(seconds[step])}" for step in STEPS))
    print(f"up {size(len(trips[0].request))}, down {size(len(trips[0].response))}")
    print(f"decisions equal: {int(((encrypted > 0) == (plain > 0)).sum())} of {len(held)}")
    areas = (f"{roc_auc_score(y, scores):.4f}" for scores in (encrypted, plain))
    print("area under the ROC curve: {}; in the clear: {}".format(*areas))
    print(f"largest error of a score: {np.abs(encrypted - plain).max():.1e}; guaranteed <= {model.signature.error:.1e}")
    draw(options.picture, y, plain, encrypted, model.signature.error)
    print(f"both curves: {options.picture}")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.loans", description=__doc__)
    parser.add_argument("--trees", type=int, default=100, help="how many trees (default 100)")
    parser.add_argument("--depth", type=int, default=4, help="how deep (default 4)")
    parser.add_argument("--applications", type=int, default=498, help="how many are asked about (default all 498)")
    parser.add_argument("--picture", type=Path, default=Path("loans.png"), help="where the picture goes")
    options = parser.parse_args(arguments)
    for name in ("trees", "depth", "applications"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be 1 or more. Got {getattr(options, name)} instead.")
    return options


if __name__ == "__main__":
    main()
