"""What the service of the client's tests serves."""

from __future__ import annotations

from functools import cache

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

import hermetic
from fitted import Fitted, digits, petals, sepals, tumours


@cache
def diabetes() -> Fitted:
    """A regression on a DataFrame of 10 named columns, in the precise profile."""
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    estimator = Ridge(alpha=0.1).fit(X, y)
    return Fitted(estimator, X, np.asarray(y), hermetic.compile(estimator, X, name="diabetes", profile="precise"))


MODELS = {"diabetes": diabetes, "digits": digits, "petals": petals, "sepals": sepals, "tumours": tumours}
