"""Ensembles of trees, and sums of functions of single inputs and of pairs: one file a library or family that fits them.

What is a sum of functions of single inputs, or of pairs, becomes an affine map of public bins; other trees stay trees.

Models are read from their own attributes, or from the JSON that their library writes: no library is imported here.
"""

from . import explainable as explainable
from . import forests as forests
from . import histograms as histograms
from . import lightgbm as lightgbm
from . import sklearn_boosting as sklearn_boosting
from . import xgboost as xgboost
