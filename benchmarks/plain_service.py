"""The plain model behind the same web stack: ``python -m benchmarks.plain_service MODEL.npz`` prints its port.

It knows one address, ``POST /predict``: little-endian float64 features in, int64 labels out, scikit-learn in between.
There is nothing faster to compare with on this stack: no JSON, no tokens, no limits, no other process.
"""

from __future__ import annotations

import socket
import sys

import numpy as np
import uvicorn
from sklearn.linear_model import LogisticRegression
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def main() -> None:
    """Serve until the process is ended."""
    arrays = np.load(sys.argv[1])
    estimator = LogisticRegression()
    estimator.coef_, estimator.intercept_, estimator.classes_ = arrays["coef"], arrays["intercept"], arrays["classes"]
    estimator.n_features_in_ = estimator.coef_.shape[1]

    async def predict(request: Request) -> Response:
        X = np.frombuffer(await request.body(), "<f8").reshape(-1, estimator.n_features_in_)
        return Response(estimator.predict(X).astype("<i8").tobytes(), media_type="application/octet-stream")

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")).run(sockets=[listener])


if __name__ == "__main__":
    main()
