"""A model of scikit-learn as a server of the KServe SDK, V1 and V2, REST and gRPC: ``houses``.

``python -m tests.integration.real.kserve_server HTTP_PORT GRPC_PORT``. It binds all interfaces; the SDK has no setting for that.
"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd
from kserve import InferRequest, Model, ModelServer  # type: ignore[import-not-found,unused-ignore]
from kserve.utils.utils import get_predict_response  # type: ignore[import-not-found,unused-ignore]

from tests.integration.real.houses import trained_model


class Houses(Model):  # type: ignore[misc]
    """The price of each house: rows with names in V1, a tensor for each column in V2."""

    def __init__(self) -> None:
        super().__init__("houses")
        self.model = trained_model()
        self.ready = True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        """Answer in the way that was asked in."""
        if isinstance(payload, InferRequest):
            columns = {tensor.name: tensor.as_numpy().ravel() for tensor in payload.inputs}
            columns["district"] = [value.decode() if isinstance(value, bytes) else value for value in columns["district"]]
            table = pd.DataFrame(columns)
        else:
            table = pd.DataFrame(payload["instances"])
        return get_predict_response(payload, self.model.predict(table), self.name)


if __name__ == "__main__":
    http_port, grpc_port = map(int, sys.argv[1:3])
    sys.argv[1:] = []  # the SDK reads them, too
    ModelServer(http_port=http_port, grpc_port=grpc_port).start([Houses()])
