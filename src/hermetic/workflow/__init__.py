"""The workflow of the 2020 guide: register, configure, deploy, call, clean up, with the names that it uses.

workspace       where models, environments and files are kept (shelf, datastore)
models          files under a name and version
environment     packages under a name and version
configuration   script, packages, limits
deployment      a copy of everything, and a supervisor that keeps it running (packages, service_home, supervisor)
webservice      a running service, found by its name
read_access     what a scoring script reads public keys with
open_data       MNIST
"""

import sys

from .. import __version__
from .configuration import DeployConfiguration, InferenceConfig
from .datastore import Datastore
from .environment import CondaDependencies, Environment
from .models import Model
from .open_data import MNIST, load_data
from .webservice import AciWebservice, AksWebservice, LocalWebservice, Webservice
from .workspace import Workspace

VERSION = __version__

core = sys.modules[__name__]
"""This module: after ``from hermetic import workflow as azureml``, the guide's ``azureml.core.VERSION`` is there."""

__all__ = [
    "MNIST",
    "VERSION",
    "AciWebservice",
    "AksWebservice",
    "CondaDependencies",
    "Datastore",
    "DeployConfiguration",
    "Environment",
    "InferenceConfig",
    "LocalWebservice",
    "Model",
    "Webservice",
    "Workspace",
    "core",
    "load_data",
]
