"""Sums of functions of single inputs and of pairs, as affine maps of public bins: one file a library that fits them.

Models are read from their own attributes, or from the JSON that their library writes: no library is imported here.
"""

from . import explainable as explainable
from . import lightgbm as lightgbm
from . import sklearn_boosting as sklearn_boosting
from . import xgboost as xgboost
