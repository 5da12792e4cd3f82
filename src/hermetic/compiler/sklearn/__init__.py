"""Fitted scikit-learn estimators as affine maps, one file a family. What each file reads, it says in the registry."""

from .. import ensembles as ensembles
from . import averages as averages
from . import chains as chains
from . import classifiers as classifiers
from . import clusters as clusters
from . import combined as combined
from . import encoders as encoders
from . import expansions as expansions
from . import imputers as imputers
from . import naive_bayes as naive_bayes
from . import neighbors as neighbors
from . import networks as networks
from . import outliers as outliers
from . import projections as projections
from . import quadratic as quadratic
from . import regressors as regressors
from . import sizes as sizes
from . import steps as steps
from . import svm as svm
from . import targets as targets
from . import thresholds as thresholds
from .registry import ESTIMATORS, STEPS, Entry, read_estimator

__all__ = ["ESTIMATORS", "STEPS", "Entry", "read_estimator"]
