"""Images too wide for columns through the whole monitor: calls of every wire format in, brightness that drifts out."""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agent.decode.proto import open_inference_pb2, tensorflow_serving_pb2
from agent.evaluate.report import Decision
from agent.exchange import Exchange
from agent.pipeline import Pipeline
from agent.profile.build import build
from agent.profile.format import Profile
from tests.exchanges import exchange, json_exchange, request_bytes, response_bytes
from tests.unit.test_pipeline_summaries import SECOND, START, pipeline, reports

V1 = "/v1/models/demo:predict"
V2 = "/v2/models/demo/infer"
Pictures = NDArray[np.uint8]
ANSWER = {"outputs": [{"name": "y", "shape": [1], "datatype": "FP32", "data": [0.5]}]}


def pictures(rows: int, side: int, seed: int, light: float = 150.0) -> Pictures:
    """Pictures of one scene in light and contrast of many kinds."""
    rng = np.random.default_rng(seed)
    levels = rng.normal(light, 10.0, size=(rows, 1, 1, 1))
    scene = np.random.default_rng(0).normal(0.0, 1.0, size=(side, side, 3))
    return np.clip(levels + scene * rng.uniform(10.0, 25.0, size=(rows, 1, 1, 1)), 0, 255).astype(np.uint8)


def v1(image: Pictures) -> Exchange:
    return json_exchange(V1, {"instances": [image.tolist()]}, {"predictions": [0.5]})


def v1_flat(image: Pictures) -> Exchange:
    return json_exchange(V1, {"instances": [image.ravel().tolist()]}, {"predictions": [0.5]})


def v1_named(image: Pictures) -> Exchange:
    return json_exchange(V1, {"instances": [{"img": image.tolist()}]}, {"predictions": [0.5]})


def tensor(image: Pictures, datatype: str, **more: Any) -> dict[str, Any]:
    return {"name": "input_1", "shape": [1, *image.shape], "datatype": datatype, **more}


def v2(image: Pictures) -> Exchange:
    return json_exchange(V2, {"inputs": [tensor(image, "FP32", data=image.ravel().tolist())]}, ANSWER)


def v2_raw(image: Pictures, datatype: str) -> Exchange:
    data = image.astype(np.float32).tobytes() if datatype == "FP32" else image.tobytes()
    head = json.dumps({"inputs": [tensor(image, datatype, parameters={"binary_data_size": len(data)})]}).encode()
    extra = f"Inference-Header-Content-Length: {len(head)}\r\n"
    request = request_bytes(V2, head + data, "application/octet-stream", extra=extra)
    return exchange(request, response_bytes(json.dumps(ANSWER).encode()))


def grpc_exchange(target: str, request: Any, response: Any) -> Exchange:
    def framed(message: Any) -> bytes:
        text: bytes = message.SerializeToString()
        return b"\0" + struct.pack(">I", len(text)) + text

    kind = "application/grpc"
    return exchange(
        request_bytes(target, framed(request), kind), response_bytes(framed(response), kind), protocol="grpc", method="POST"
    )


def v2_grpc(image: Pictures) -> Exchange:
    pb: Any = open_inference_pb2
    given = pb.InferTensor(name="img", datatype="UINT8", shape=[1, *image.shape])
    request = pb.ModelInferRequest(model_name="demo", inputs=[given], raw_input_contents=[image.tobytes()])
    got = pb.InferTensor(name="y", datatype="FP32", shape=[1])
    response = pb.ModelInferResponse(model_name="demo", outputs=[got], raw_output_contents=[struct.pack("<f", 0.5)])
    return grpc_exchange("/inference.GRPCInferenceService/ModelInfer", request, response)


def tensorflow_grpc(image: Pictures) -> Exchange:
    pb: Any = tensorflow_serving_pb2

    def tensor_of(array: NDArray[Any]) -> Any:
        shape = pb.TensorShapeProto(dim=[{"size": size} for size in array.shape])
        return pb.TensorProto(dtype="DT_FLOAT", tensor_shape=shape, tensor_content=array.astype("<f4").tobytes())

    request = pb.PredictRequest(inputs={"img": tensor_of(image[None])})
    response = pb.PredictResponse(outputs={"y": tensor_of(np.ones(1))})
    return grpc_exchange("/tensorflow.serving.PredictionService/Predict", request, response)


SMALL: dict[str, Callable[[Pictures], Exchange]] = {
    "V1": v1,
    "V1 flat": v1_flat,
    "V1 by name": v1_named,
    "V2 JSON": v2,
    "V2 raw FP32": lambda image: v2_raw(image, "FP32"),
    "V2 raw UINT8": lambda image: v2_raw(image, "UINT8"),
    "V2 gRPC": v2_grpc,
    "TensorFlow gRPC": tensorflow_grpc,
}
LARGE = {name: SMALL[name] for name in ("V1", "V2 raw FP32", "V2 raw UINT8", "V2 gRPC", "TensorFlow gRPC")}
LARGE["V2 JSON"] = v2

PROFILES: dict[int, Profile] = {}


def profile(side: int) -> Profile:
    if side not in PROFILES:
        PROFILES[side] = build({"img": pictures(60, side, 1)})
    return PROFILES[side]


def play(monitor: Pipeline, calls: Sequence[Exchange]) -> None:
    """Five seconds of calls."""
    for second in range(5):
        monitor.take(calls[second::5], START + second * SECOND)
        monitor.tick(START + (second + 1) * SECOND)


def watch(side: int, call: Callable[[Pictures], Exchange], light: float, rows: int) -> Pipeline:
    monitor = pipeline(profile(side), OUTRIDER_MIN_ROWS="10")
    play(monitor, [call(image) for image in pictures(rows, side, 2, light)])
    assert monitor.activity.faults == {}
    assert monitor.activity.undecoded == {}
    assert monitor.activity.unobserved == {}
    return monitor


def check(side: int, call: Callable[[Pictures], Exchange], rows: int) -> None:
    same = reports(watch(side, call, 150.0, rows))
    assert set(same) == {"img.brightness", "img.contrast", "img.width", "img.height"}
    assert {column.decision for column in same.values()} <= {Decision.OK}
    dark = reports(watch(side, call, 90.0, rows))
    assert dark["img.brightness"].decision is Decision.DRIFTED
    assert dark["img.width"].decision is Decision.OK


@pytest.mark.parametrize("name", SMALL)
def test_darker_images_of_32_pixels_drift(name: str) -> None:
    check(32, SMALL[name], 60)


@pytest.mark.parametrize("name", LARGE)
def test_darker_photographs_drift(name: str) -> None:
    check(224, LARGE[name], 30)


def png(image: Pictures) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def in_base64(image: Pictures) -> Exchange:
    file = {"b64": base64.b64encode(png(image)).decode()}
    return json_exchange(V1, {"instances": [{"img": file}]}, {"predictions": [0.5]})


def alone_in_base64(image: Pictures) -> Exchange:
    return json_exchange(V1, {"instances": [{"b64": base64.b64encode(png(image)).decode()}]}, {"predictions": [0.5]})


def raw_bytes(image: Pictures) -> Exchange:
    data = struct.pack("<I", len(png(image))) + png(image)
    given = {"name": "img", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [given]}).encode()
    extra = f"Inference-Header-Content-Length: {len(head)}\r\n"
    request = request_bytes(V2, head + data, "application/octet-stream", extra=extra)
    return exchange(request, response_bytes(json.dumps(ANSWER).encode()))


def grpc_bytes(image: Pictures) -> Exchange:
    pb: Any = open_inference_pb2
    given = pb.InferTensor(name="img", datatype="BYTES", shape=[1])
    given.contents.bytes_contents.append(png(image))
    answer = pb.InferTensor(name="y", datatype="FP32", shape=[1])
    answer.contents.fp32_contents.append(0.5)
    request = pb.ModelInferRequest(model_name="demo", inputs=[given])
    return grpc_exchange(
        "/inference.GRPCInferenceService/ModelInfer", request, pb.ModelInferResponse(model_name="demo", outputs=[answer])
    )


@pytest.mark.parametrize("call", [grpc_bytes, raw_bytes, in_base64, alone_in_base64])
@pytest.mark.parametrize(("light", "wanted"), [(150.0, Decision.OK), (90.0, Decision.DRIFTED)])
def test_darker_image_files_drift(call: Callable[[Pictures], Exchange], light: float, wanted: Decision) -> None:
    monitor = pipeline(build({"img": [png(image) for image in pictures(60, 32, 1)]}), OUTRIDER_MIN_ROWS="10")
    play(monitor, [call(image) for image in pictures(60, 32, 2, light)])
    assert reports(monitor)["img.width"].decision is Decision.OK
    assert reports(monitor)["img.brightness"].decision is wanted
    assert monitor.activity.undecoded == {}


def test_image_files_are_learned_without_a_profile() -> None:
    monitor = pipeline(None, OUTRIDER_WARMUP_ROWS="60", OUTRIDER_MIN_ROWS="10")
    play(monitor, [in_base64(image) for image in pictures(60, 32, 1)])
    assert monitor.schema is not None
    play(monitor, [in_base64(image) for image in pictures(60, 32, 2, light=90.0)])
    found = reports(monitor)
    assert found["img.brightness"].decision is Decision.DRIFTED
    assert found["img.width"].decision is Decision.OK


@pytest.mark.parametrize(
    "learned", [{"x": np.arange(50.0)}, {"vec": np.random.default_rng(1).normal(size=(50, 400)), "x": [1.0] * 50}]
)
def test_what_no_profile_knows_is_counted_as_too_wide(learned: dict[str, Any]) -> None:
    monitor = pipeline(build(learned))
    monitor.take([v1(image) for image in pictures(3, 70, 1)], START)
    assert monitor.activity.unobserved == {"too_wide": 3}
    assert monitor.activity.violations == {}
    assert monitor.activity.faults == {}


@pytest.mark.parametrize("call", [v1, v1_named, v2])
def test_images_are_learned_without_a_profile_and_drift(call: Callable[[Pictures], Exchange]) -> None:
    monitor = pipeline(None, OUTRIDER_WARMUP_ROWS="60", OUTRIDER_MIN_ROWS="10")
    play(monitor, [call(image) for image in pictures(60, 40, 1)])
    assert monitor.schema is not None
    (source,) = monitor.schema.sources
    play(monitor, [call(image) for image in pictures(60, 40, 2, light=90.0)])
    found = reports(monitor)
    assert found[f"{source.name}.brightness"].decision is Decision.DRIFTED
    assert found[f"{source.name}.width"].decision is Decision.OK
    assert monitor.activity.unobserved == {}


def test_columns_beside_an_image_are_watched() -> None:
    monitor = pipeline(build({"img": pictures(60, 70, 1), "age": np.arange(60.0)}))
    images = pictures(3, 70, 2)
    monitor.take([json_exchange(V1, {"instances": [{"img": image.tolist(), "age": 99}]}, {}) for image in images], START)
    assert monitor.activity.violations["age", "out_of_range"] == 3
    assert monitor.activity.unobserved == {}


def test_embeddings_wider_than_columns_drift_by_their_norm() -> None:
    def vectors(rows: int, seed: int, scale: float) -> list[list[float]]:
        rng = np.random.default_rng(seed)
        table = rng.normal(size=(rows, 12_000)) * scale * rng.uniform(0.9, 1.1, size=(rows, 1))
        listed: list[list[float]] = table.round(3).tolist()
        return listed

    monitor = pipeline(build({"vec": np.array(vectors(100, 1, 1.0))}), OUTRIDER_MIN_ROWS="10")
    play(monitor, [json_exchange(V1, {"instances": vectors(4, seed, 1.5)}, {"predictions": [1] * 4}) for seed in range(2, 17)])
    assert reports(monitor)["vec.norm"].decision is Decision.DRIFTED


@pytest.mark.parametrize("shape", [(64, 75, 3), (90, 90, 3)])
def test_images_of_another_size_break_the_shape(shape: Sequence[int]) -> None:
    monitor = pipeline(build({"img": pictures(60, 70, 1)}))
    monitor.take([v1(np.zeros(shape, np.uint8))], START)
    assert monitor.activity.violations == {("img", "shape"): 1}
    assert monitor.activity.unobserved == {}
