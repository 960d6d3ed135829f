"""Messages of gRPC protocols, trimmed to the fields that are read; field numbers and types are those of the protocols.

The packages' names are our own: protobuf knows one message of each name in a process, and a client's messages may be there too.
Names of messages never cross the wire.

To write the ``_pb2`` files again, from the repository's root::

    pip install grpcio-tools==1.63.2
    python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. agent/decode/proto/*.proto

This version writes what protobuf 5.26 and all later ones can load, which newer ones don't.
"""
