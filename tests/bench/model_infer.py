"""One gRPC call of the Open Inference Protocol as it goes over the wire, written by hand: the benches need no protobuf.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_grpc.md has the messages,
https://protobuf.dev/programming-guides/encoding/ their encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tests.bench.rows import FEATURES, rows

PATH = "/inference.GRPCInferenceService/ModelInfer"


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, content: bytes) -> bytes:
    """Text, bytes, a message within a message or packed numbers: all have a length in front."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _tensor(name: str, shape: Sequence[int]) -> bytes:
    """An InferInputTensor or InferOutputTensor, which are alike; its values are in the raw contents, as Triton's clients do."""
    return _field(1, name.encode()) + _field(2, b"FP32") + _field(3, b"".join(map(_varint, shape)))


def _framed(message: bytes) -> bytes:
    """Put gRPC's prefix in front: not compressed, and the length."""
    return struct.pack(">BI", 0, len(message)) + message


def request() -> bytes:
    """Write a ModelInferRequest with one row of `FEATURES` numbers."""
    (row,) = rows(1)
    raw = struct.pack(f"<{FEATURES}f", *row)
    return _framed(_field(1, b"demo") + _field(5, _tensor("input-0", (1, FEATURES))) + _field(7, raw))


def answer() -> bytes:
    """Write the ModelInferResponse to it."""
    outputs = _field(5, _tensor("output-0", (1, 1))) + _field(6, struct.pack("<f", 0.5))
    return _framed(_field(1, b"demo") + _field(2, b"1") + outputs)
