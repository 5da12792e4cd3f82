"""Loads a rendered endpoint and deployment as Azure's client does, run by the Python of tests/hosts/azureml."""

import json
import sys
from pathlib import Path

from azure.ai.ml import load_online_deployment, load_online_endpoint

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    endpoint = load_online_endpoint(folder / "endpoint.yaml")
    deployment = load_online_deployment(folder / "deployment.yaml")
    understood = {
        "endpoint": type(endpoint).__name__,
        "deployment": type(deployment).__name__,
        "belongs_to": deployment.endpoint_name,
        "identity": endpoint.identity.type,
        "auth_mode": endpoint.auth_mode,
        "build": deployment.environment.build.path,
        "model": deployment.model.path,
        "script": deployment.code_configuration.scoring_script,
        "store": deployment.environment_variables["HERMETIC_STORE"],
        "instances": deployment.instance_count,
    }
    print(json.dumps(understood, default=str))
