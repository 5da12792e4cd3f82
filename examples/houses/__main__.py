"""``python -m examples.houses``: a network of scikit-learn, as it was fitted, values houses that it never sees.

It has one hidden layer of 64 neurons, which knows what a linear model cannot: that one more room is worth more in a
large house. Communities are encrypted one by one, and each answer is compared with the network's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hermetic
from hermetic.cli.progress import bar
from hermetic.cli.units import duration, size
from hermetic.roundtrip import STEPS, LocalServer, RoundTrip, round_trip

from .picture import draw
from .table import communities

ROOMS = 25
"""Points of the curve."""


def main(arguments: list[str] | None = None) -> None:
    """Fit the network, compile it, ask about communities that were held out; print what came, and draw it."""
    options = _options(arguments)
    X, prices = communities()
    train, held, prices_train, prices_held = train_test_split(X, prices, random_state=0)
    linear = make_pipeline(StandardScaler(), Ridge()).fit(train, prices_train)
    layer = MLPRegressor(
        hidden_layer_sizes=(64,), activation="logistic", alpha=12, solver="lbfgs", max_iter=3000, random_state=0
    )
    network = make_pipeline(StandardScaler(), layer).fit(train, prices_train)
    model = hermetic.compile(network, train, name="houses")
    print(f"variance of the network's values that its polynomials explain: {model.agreement:.2%}")

    held, y = held[: options.communities], prices_held[: options.communities].to_numpy()
    held = held.clip(train.min(), train.max(), axis=1)
    rooms = np.linspace(*train["rooms"].quantile([0.02, 0.98]), ROOMS)
    curve = pd.DataFrame([train.median()] * ROOMS, columns=train.columns).assign(rooms=rooms)
    trips = _asked(model, pd.concat([held, curve]))
    encrypted = np.concatenate([np.ravel(one.scores) for one in trips])
    answers, line = encrypted[: len(held)], encrypted[len(held) :]
    plain = network.predict(held)
    seconds = {step: median(one.seconds[step] for one in trips) for step in STEPS}
    print(f"medians of {len(trips)}: " + ", ".join(f"{step} {duration(seconds[step])}" for step in STEPS))
    print(f"up {size(len(trips[0].request))}, down {size(len(trips[0].response))}")
    values = {"linear model": linear.predict(held), "network": plain, "network, encrypted": answers}
    print("R²: " + ", ".join(f"{name} {r2_score(y, found):.3f}" for name, found in values.items()))
    worst = np.abs(answers - plain).max()
    print(f"largest difference of an encrypted price: {worst:.2f} thousand; guaranteed <= {model.signature.error:.2f}")
    draw(options.picture, y, values["linear model"], answers, rooms, network.predict(curve), line)
    print(f"prices, and the curve: {options.picture}")


def _asked(model: hermetic.CompiledModel, rows: pd.DataFrame) -> list[RoundTrip]:
    client = hermetic.Client(model.signature)
    service, trips = LocalServer(model, client.public_key.to_bytes()), []
    with bar("Communities, one a query") as shown:
        for number in range(len(rows)):
            trips.append(round_trip(client, service, rows.iloc[number : number + 1]))
            shown.advance(number + 1, len(rows))
    return trips


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.houses", description=__doc__)
    parser.add_argument("--communities", type=int, default=127, help="how many are asked about (default all 127)")
    parser.add_argument("--picture", type=Path, default=Path("houses.png"), help="where the picture goes")
    options = parser.parse_args(arguments)
    if options.communities < 2:
        parser.error(f"--communities must be 2 or more. Got {options.communities} instead.")
    return options


if __name__ == "__main__":
    main()
