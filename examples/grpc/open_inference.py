"""The gRPC messages of the Open Inference protocol, as far as this example needs them, with the field numbers of the real ones.

They are made here so that the example needs no compiler. In your own code use tritonclient, or classes that protoc generated.
"""

import struct
from collections.abc import Sequence

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "inference.GRPCInferenceService"

_TENSOR = "name:1:string datatype:2:string shape:3:int64*"
_MESSAGES = {
    "Tensor": _TENSOR,
    "ModelInferRequest": "model_name:1:string id:3:string inputs:5:Tensor* raw_input_contents:7:bytes*",
    "ModelInferResponse": "model_name:1:string id:3:string outputs:5:Tensor* raw_output_contents:6:bytes*",
    "ModelStreamInferResponse": "error_message:1:string infer_response:2:ModelInferResponse",
}
"""Fields as name, number and type; a star for repeated ones."""


def _make() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="open_inference.proto", package="inference", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, number, kind in (field.split(":") for field in fields.split()):
            one = kind.rstrip("*")
            label = kinds.LABEL_OPTIONAL if one == kind else kinds.LABEL_REPEATED
            field = message.field.add(name=name, number=int(number), label=label)
            if one in _MESSAGES:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".inference.{one}"
            else:
                field.type = kinds.Type.Value(f"TYPE_{one.upper()}")
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_make())


def _message(name: str) -> type:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"inference.{name}"))  # type: ignore[no-any-return]


Request = _message("ModelInferRequest")
Response = _message("ModelInferResponse")
StreamResponse = _message("ModelStreamInferResponse")


def pack(numbers: Sequence[float]) -> bytes:
    """Write numbers as a tensor's raw content: FP32, little-endian."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


def unpack(raw: bytes) -> tuple[float, ...]:
    """Read them again."""
    return struct.unpack(f"<{len(raw) // 4}f", raw)
