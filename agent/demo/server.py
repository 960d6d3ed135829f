"""The demo's model server: KServe V1 and Open Inference (V2) over JSON, on loopback, in a process of its own.

Run as ``python -m agent.demo.server MODEL PORT``. It writes one line to standard output when it takes requests, and stops on
SIGTERM. It knows nothing of Outrider: it stands for whatever model server the user has.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

# One or a few rows per call: the model's own threads would only wait for each other. OpenMP reads this when it is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from agent.demo import model

ESTIMATOR = web.AppKey("estimator", object)


class V1Request(msgspec.Struct):
    """``{"instances": [[59, 2, ...], ...]}``: values in the order of the features, ``null`` where one is missing."""

    instances: list[list[float | None]]


class Tensor(msgspec.Struct):
    """One column of a V2 request."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float | None]


class V2Request(msgspec.Struct):
    """One tensor per feature."""

    inputs: list[Tensor]
    id: str = ""


_V1 = msgspec.json.Decoder(V1Request)
_V2 = msgspec.json.Decoder(V2Request)


def rows_of_v1(body: bytes) -> NDArray[np.float64]:
    """Rows of shape ``(n, 10)`` from a V1 body; `ValueError` if they are not that."""
    return _checked(np.array(_V1.decode(body).instances, dtype=np.float64))


def rows_of_v2(body: bytes) -> tuple[str, NDArray[np.float64]]:
    """Give the request's id, and rows of shape ``(n, 10)``, from a V2 body; `ValueError` if they are not that."""
    request = _V2.decode(body)
    tensors = {tensor.name: tensor.data for tensor in request.inputs}
    if missing := [name for name in model.FEATURES if name not in tensors]:
        raise ValueError(f"no input named {missing[0]}")
    return request.id, _checked(np.array([tensors[name] for name in model.FEATURES], dtype=np.float64).T)


def _checked(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    if rows.ndim != 2 or rows.shape[1] != len(model.FEATURES) or not len(rows):
        raise ValueError(f"expected rows of {len(model.FEATURES)} values")
    return rows


def _answer(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _predict(request: web.Request, rows: NDArray[np.float64]) -> list[float]:
    estimator: Any = request.app[ESTIMATOR]
    predictions: list[float] = estimator.predict(rows).tolist()
    return predictions


async def _v1_predict(request: web.Request) -> web.Response:
    try:
        rows = rows_of_v1(await request.read())
    except (msgspec.MsgspecError, ValueError) as error:
        return _answer({"error": str(error)}, 400)
    return _answer({"predictions": _predict(request, rows)})


async def _v2_infer(request: web.Request) -> web.Response:
    try:
        id_, rows = rows_of_v2(await request.read())
    except (msgspec.MsgspecError, ValueError) as error:
        return _answer({"error": str(error)}, 400)
    output = {"name": model.PREDICTION, "shape": [len(rows)], "datatype": "FP64", "data": _predict(request, rows)}
    answer = {"model_name": model.NAME, "model_version": model.VERSION, "outputs": [output]}
    return _answer(answer | ({"id": id_} if id_ else {}))


async def _v1_status(_: web.Request) -> web.Response:
    return _answer({"name": model.NAME, "ready": True})


async def _v2_live(_: web.Request) -> web.Response:
    return _answer({"live": True})


async def _v2_ready(_: web.Request) -> web.Response:
    return _answer({"ready": True})


async def _v2_metadata(_: web.Request) -> web.Response:
    datatypes = {name: "INT64" if name in model.INTEGERS else "FP64" for name in model.FEATURES}
    return _answer(
        {
            "name": model.NAME,
            "versions": [model.VERSION],
            "platform": "sklearn",
            "inputs": [{"name": name, "datatype": datatypes[name], "shape": [-1]} for name in model.FEATURES],
            "outputs": [{"name": model.PREDICTION, "datatype": "FP64", "shape": [-1]}],
        }
    )


def application(estimator: Any) -> web.Application:
    """All routes, ready to serve.

    Parameters
    ----------
    estimator
        Has ``predict(rows)``, as `agent.demo.model.Trained.estimator`.
    """
    app = web.Application()
    app[ESTIMATOR] = estimator
    app.add_routes(
        [
            web.get(f"/v1/models/{model.NAME}", _v1_status),
            web.post(f"/v1/models/{model.NAME}:predict", _v1_predict),
            web.get("/v2/health/live", _v2_live),
            web.get("/v2/health/ready", _v2_ready),
            web.get(f"/v2/models/{model.NAME}", _v2_metadata),
            web.get(f"/v2/models/{model.NAME}/ready", _v2_ready),
            web.post(f"/v2/models/{model.NAME}/infer", _v2_infer),
        ]
    )
    return app


def main() -> None:
    """Load the model, serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="agent.demo.server", description="The demo's model server.")
    parser.add_argument("model", help="the file that agent.demo.model.save wrote")
    parser.add_argument("port", type=int, help="on 127.0.0.1")
    arguments = parser.parse_args()
    estimator = model.load(Path(arguments.model))
    estimator.predict(np.zeros((1, len(model.FEATURES))))  # the first call loads what later calls use
    web.run_app(
        application(estimator),
        host="127.0.0.1",
        port=arguments.port,
        access_log=None,
        print=lambda _: print("ready", flush=True),
        shutdown_timeout=1.0,
    )


if __name__ == "__main__":
    main()
