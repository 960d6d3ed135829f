"""The binary tensor extension of the Open Inference Protocol over HTTP: raw tensors behind the JSON.

``Inference-Header-Content-Length: N`` says that the first N bytes are the JSON. Each tensor there that has no ``data`` has its
size in ``parameters.binary_data_size``, and its bytes follow the JSON in the order of the tensors. Both kinds may be mixed, and
either side of an exchange may use the extension without the other. A content coding is over all of it.

- Without the header all of the body is JSON, whatever its content type: so does Triton, and so does KServe.
- ``N = 0`` means that there is no JSON at all, only the bytes of the model's one input. Its datatype is known to the model
  alone, and not to be guessed from the bytes: such a body is not observed, as ``untyped``.
- Sizes that don't fit their shapes, reach beyond the end, or leave bytes over, are counted as ``size``.

Source: Triton "binary tensor data" extension, which KServe and MLServer have taken over.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.decode.block import NotObserved
from agent.decode.message import Head
from agent.errors import DecodeError

NOTHING_BEHIND = memoryview(b"")
"""What is behind the JSON of a body that is all JSON."""


def text_and_behind(body: bytes, head: Head) -> tuple[bytes, memoryview]:
    """Split a body whose head says where its JSON ends.

    Raises
    ------
    NotObserved
        ``untyped``
    DecodeError
        ``size`` where the JSON would end behind the body.
    """
    size = head.json_length
    if size == 0:
        raise NotObserved("open-inference", "untyped")
    if size > len(body):
        raise DecodeError("open-inference", "size")
    return body[:size], memoryview(body)[size:]


def cut(behind: memoryview, sizes: Sequence[int | None]) -> list[memoryview | None]:
    """Cut what is behind the JSON into tensors of these sizes; ``None`` for those that have no bytes there.

    Raises
    ------
    DecodeError
        ``size`` for a negative one, and where they do not add up to what is there.
    """
    pieces: list[memoryview | None] = []
    at = 0
    for size in sizes:
        if size is None:
            pieces.append(None)
            continue
        if size < 0 or at + size > len(behind):
            raise DecodeError("open-inference", "size", offset=at)
        pieces.append(behind[at : at + size])
        at += size
    if at != len(behind):
        raise DecodeError("open-inference", "size", offset=at)
    return pieces
