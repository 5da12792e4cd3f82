"""What a container platform or a cloud needs to run the service, written from one description.

    docker        image, compose file                              docker compose up
    aci           image, container group                           az container create --file
    kubernetes    image, manifests                                 kubectl apply
    azureml       scoring environment, endpoint and deployment     az ml online-endpoint create …

Nothing is applied, pushed or built: files are written, and the commands that apply them are returned.
"""

from __future__ import annotations

from .description import Description
from .render import TARGETS, Rendered, render

__all__ = ["TARGETS", "Description", "Rendered", "render"]
