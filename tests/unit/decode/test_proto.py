"""The messages that protoc wrote are those of the ``.proto`` files, and no others in the process are in their way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

import agent.decode.proto
from agent.decode.proto import open_inference_pb2, tensorflow_serving_pb2

FOLDER = Path(agent.decode.proto.__file__).parent
ROOT = FOLDER.parents[2]
MODULES = {"open_inference": open_inference_pb2, "tensorflow_serving": tensorflow_serving_pb2}

each = pytest.mark.parametrize("name", MODULES)


def test_every_file_is_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.proto")} == set(MODULES)
    assert {path.stem for path in FOLDER.glob("*_pb2.py*")} == {f"{name}_pb2" for name in MODULES}


@each
def test_modules_are_what_the_files_give(name: str, tmp_path: Path) -> None:
    """Any version of protoc gives the same descriptor; the Python around it differs by version."""
    protoc = pytest.importorskip("grpc_tools.protoc", reason="part missing: grpcio-tools")
    out = tmp_path / "set"
    assert protoc.main(["protoc", f"--proto_path={ROOT}", f"--descriptor_set_out={out}", str(FOLDER / f"{name}.proto")]) == 0
    (given,) = FileDescriptorSet.FromString(out.read_bytes()).file
    for message in given.message_type:
        _forget_json_names(message)
    assert MODULES[name].DESCRIPTOR.serialized_pb == given.SerializeToString(deterministic=True)


def _forget_json_names(message: object) -> None:
    for field in message.field:  # type: ignore[attr-defined]  # protobuf's classes have no types
        field.ClearField("json_name")
    for nested in message.nested_type:  # type: ignore[attr-defined]  # as above
        _forget_json_names(nested)


@each
def test_stubs_name_every_message(name: str) -> None:
    stub = (FOLDER / f"{name}_pb2.pyi").read_text()
    assert set(re.findall(r"^class (\w+)\(_message", stub, re.MULTILINE)) == set(MODULES[name].DESCRIPTOR.message_types_by_name)


@each
def test_the_oldest_protobuf_can_load_them(name: str) -> None:
    """Modules of later compilers check that protobuf is at least as new as they are."""
    assert "# Protobuf Python Version: 5.26.1\n" in (FOLDER / f"{name}_pb2.py").read_text()


@each
def test_names_are_our_own(name: str) -> None:
    assert MODULES[name].DESCRIPTOR.package == f"outrider.{name}"
