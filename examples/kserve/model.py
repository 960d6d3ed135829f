"""The model behind the KServe SDK, V1 and V2, over REST on port 8080 and gRPC on 8081: ``python model.py FILE``."""

import sys
from typing import Any

import joblib  # type: ignore[import-untyped,unused-ignore]
import pandas as pd
from kserve import InferRequest, Model, ModelServer
from kserve.utils.utils import get_predict_response


class Houses(Model):  # type: ignore[misc]  # known only where the SDK is installed
    """Prices, in thousands."""

    def __init__(self, path: str) -> None:
        super().__init__("houses")
        self.model = joblib.load(path)
        self.ready = True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:  # noqa: ARG002 - the SDK gives them
        """Take rows with names (V1), or a tensor for each column (V2)."""
        if isinstance(payload, InferRequest):
            houses = pd.DataFrame({tensor.name: tensor.as_numpy() for tensor in payload.inputs})
            houses["district"] = [name if isinstance(name, str) else name.decode() for name in houses["district"]]
        else:
            houses = pd.DataFrame(payload["instances"])
        return get_predict_response(payload, self.model.predict(houses), self.name)


if __name__ == "__main__":
    path = sys.argv.pop()  # the SDK reads the arguments, too
    ModelServer(http_port=8080, grpc_port=8081, workers=1).start([Houses(path)])
