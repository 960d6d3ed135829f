"""Fuzz every decoder, guided by coverage: ``python -m tests.fuzz.atheris_decoders [seconds] [folder of a corpus]``.

It starts from the recorded captures, where they are there, and the calls by hand of `test_decode_fuzz`. The first bytes of an
input choose the route, the content types and the codings, the rest is the two bodies, or two whole messages. The same bodies go
to one reader directly as well, any of them. What breaks is left in the working directory as ``crash-*``; give that file instead
of the folder to see it again.
"""

from __future__ import annotations

import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.exchange import Exchange

LONGEST = 1 << 14

WHOLE, FRAMED, RAW_REQUEST, RAW_RESPONSE = 1, 2, 4, 8
"""Flags: both are whole messages; bodies get gRPC's prefix; a header says where the JSON of a body ends."""

_CHOICES = struct.Struct(">BBBBBBBBHHH")
"""Target, content types of both sides, codings of both sides, flags, reader, header of the direct call, where the JSON of each
body ends, size of the request."""

CODINGS = ("", "gzip", "deflate", "br", "zstd", "x-gzip", "identity", "other")
PACKED = 8
"""Added to the number of a coding: the bytes are packed before they are sent, so that what is behind the coding is reached."""

TOKENS = [
    b'{"instances":[', b'{"inputs":[', b'{"outputs":[', b'{"predictions":[', b'"name":"x"', b'"shape":[1,2]',
    b'"datatype":"FP32"',
    b'"data":[', b'"parameters":{', b'"binary_data_size":4', b'"shared_memory_region"', b'"content_type":"base64"', b'"id":"i"',
    b'"b64":', b'"dataframe_split":{"columns":', b'"dataframe_records":', b'"index":', b'"examples":[', b'"context":{',
    b'"results":[', b'"tensor":{"shape":', b'"values":[', b'"ndarray":[', b'"names":[', b'"tftensor":', b'"jsonData":',
    b'"strData":', b'"binData":', b'"truth":', b'"reward":', b'"request":', b'"response":', b'"features":', b'"choices":[',
    b'"message":{', b'"delta":{', b'"content":', b'"usage":{', b'"prompt_tokens":', b'"embedding":', b'"model":', b'"input":',
    b'"specversion":"1.0"', b'"data_base64":', b"NaN", b"-Infinity", b"1e999", b"null", b"true", b"\\ud800", b"[[[[[[[[[[",
    b"9" * 40,
    b"\x93NUMPY\x01\x00", b"'descr': '<f8'", b"'fortran_order': True", b"'shape': (2, 1)", b"|O", b"\x00\x00\x00\x00\x05",
    b"data: ", b"data: [DONE]\n\n", b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n", b"--b--\r\n", b"\r\n\r\n",
    b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"BYTES", b"BOOL", b"BF16", b"FP16", b"INT64", b"DT_STRING",
]  # fmt: skip


def targets() -> list[str]:
    """A target of every route whose values are read, one of a configured route, and one of none."""
    from agent.decode.routes import GRPC_METHODS, ROUTES  # noqa: PLC0415 - see main()

    paths = [template.replace("{model}", "m").replace("{version}", "1") for template, wire in ROUTES if wire is not None]
    calls = [f"/{service}/{method}" for service, methods in GRPC_METHODS.items() for method, wire in methods.items() if wire]
    return [*paths, *calls, "/own/m", "/x"]


def readers() -> list[Callable[..., Any]]:
    """Every reader of every format, once."""
    from agent.decode import routes  # noqa: PLC0415 - see main()

    by_method = [wire for methods in routes.GRPC_METHODS.values() for wire in methods.values()]
    wires = [*(wire for _, wire in routes.ROUTES), *by_method, *routes.FORMATS.values()]
    found = [reader for wire in wires if wire is not None for side in (wire.inputs, wire.outputs) for reader in side.values()]
    return list(dict.fromkeys(found))


def packed(body: bytes, number: int) -> bytes:
    """Pack a body as the coding of this number says, if it says so."""
    import gzip  # noqa: PLC0415 - see main()
    import zlib  # noqa: PLC0415

    import brotli  # noqa: PLC0415
    import zstandard  # noqa: PLC0415

    if number % (2 * PACKED) < PACKED:
        return body
    coding = CODINGS[number % PACKED]
    if coding in ("gzip", "x-gzip"):
        return gzip.compress(body, 1)
    if coding == "deflate":
        return zlib.compress(body, 1)
    if coding == "br":
        return bytes(brotli.compress(body, quality=0))
    return zstandard.compress(body, 1) if coding == "zstd" else body


def bytes_of(exchange: Exchange) -> list[bytes]:
    """Write an exchange as inputs of the fuzzer: as two whole messages, and as two bodies if they have heads."""
    from agent.decode.message import body_of, request_head, request_lines, response_head, response_lines  # noqa: PLC0415
    from agent.errors import DecodeError  # noqa: PLC0415
    from tests.fuzz.test_decode_fuzz import MEDIA  # noqa: PLC0415

    known, medias = targets(), [media.partition(";")[0] for media in MEDIA]
    target = known.index(exchange.target) if exchange.target in known else 0
    whole = _CHOICES.pack(target, 0, 0, 0, 0, WHOLE, 0, 0, 0, 0, min(len(exchange.request), 65535))
    written = [whole + exchange.request + exchange.response]
    try:
        start, begin = exchange.request.index(b"\r\n\r\n") + 4, exchange.response.rindex(b"HTTP/")
        begin = begin if exchange.response[begin - 4 : begin] == b"\r\n\r\n" else 0
        behind = exchange.response.index(b"\r\n\r\n", begin) + 4
        asked = request_head(request_lines(exchange.request[:start]))
        answered = response_head(response_lines(exchange.response[begin:behind]))
        body, answer = body_of(asked, exchange.request, start), body_of(answered, exchange.response, behind)
    except (DecodeError, ValueError):
        return written
    sides = [medias.index(head.media) if head.media in medias else 1 for head in (asked, answered)]
    lengths = [max(head.json_length, 0) for head in (asked, answered)]
    flags = (RAW_REQUEST if asked.json_length > 0 else 0) | (RAW_RESPONSE if answered.json_length > 0 else 0)
    if exchange.protocol == "grpc":
        flags, body, answer = FRAMED, body[5:], answer[5:]
    sizes = [min(size, 65535) for size in (*lengths, len(body))]
    return [*written, _CHOICES.pack(target, *sides, 0, 0, flags, target, 0, *sizes) + body + answer]


class Play:
    """What one input of the fuzzer does."""

    def __init__(self) -> None:
        from agent.decode.decoder import Decoder  # noqa: PLC0415 - see main()
        from tests.fuzz.test_decode_fuzz import CUSTOM, MEDIA, check  # noqa: PLC0415

        self._targets, self._media, self._readers = targets(), MEDIA, readers()
        self._check = check
        self._decoder = Decoder(CUSTOM)

    def run(self, given: bytes) -> None:
        """Decode an exchange, twice, as what was learned is used then; and read both bodies with one reader.

        Raises
        ------
        Exception
            Whatever is wrong.
        """
        from tests.exchanges import exchange, request_bytes, response_bytes  # noqa: PLC0415 - see main()

        if len(given) < _CHOICES.size:
            return
        target, asks, answers, coding, recoding, flags, reader, header, ends, reends, size = _CHOICES.unpack_from(given)
        path = self._targets[target % len(self._targets)]
        body, answer = given[_CHOICES.size : _CHOICES.size + size], given[_CHOICES.size + size :]
        if flags & WHOLE:
            one = exchange(body, answer, target=path, method="POST")
        else:
            sent, received = (packed(self._framed(text, flags), number) for text, number in ((body, coding), (answer, recoding)))
            one = exchange(
                request_bytes(path, sent, self._of(asks), extra=_extra(coding, ends if flags & RAW_REQUEST else -1)),
                response_bytes(received, self._of(answers), extra=_extra(recoding, reends if flags & RAW_RESPONSE else -1)),
                protocol="grpc" if flags & FRAMED else "http/1.1",
            )
        for _ in range(2):
            self._check(self._decoder.decode([one]), [one])
        self._directly(reader, header, ends, one, self._framed(body, flags), self._framed(answer, flags))

    def _of(self, number: int) -> str:
        return self._media[number % len(self._media)]

    def _framed(self, body: bytes, flags: int) -> bytes:
        return b"\0" + len(body).to_bytes(4, "big") + body if flags & FRAMED else body

    def _directly(self, reader: int, header: int, ends: int, one: Exchange, *bodies: bytes) -> None:
        from agent.decode.block import Block  # noqa: PLC0415 - see main()
        from agent.decode.message import request_head  # noqa: PLC0415
        from agent.errors import DecodeError  # noqa: PLC0415

        length = b"inference-header-content-length: %d" % ends if header & 128 else b""
        media = b"content-type: %s" % self._of(header & 127).encode()
        head = request_head((b"POST /x HTTP/1.1", media, *([length] if length else [])))
        read = self._readers[reader % len(self._readers)]
        for body in bodies:
            try:
                block = read(body, head, one)
            except DecodeError:
                continue
            assert isinstance(block, Block), block


def _extra(coding: int, ends: int) -> str:
    name = CODINGS[coding % PACKED]
    encoding = f"Content-Encoding: {name}\r\n" if name else ""
    return encoding + (f"Inference-Header-Content-Length: {ends}\r\n" if ends >= 0 else "")


def main() -> None:
    # Imported here, because pytest imports this module as it does all others: only the fuzzer instruments the decoders.
    import atheris  # noqa: PLC0415

    with atheris.instrument_imports(include=["agent.decode"]):
        from tests.fuzz.test_decode_fuzz import SEEDS  # noqa: PLC0415

    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    place = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="decoders-"))
    if not place.is_file():
        place.mkdir(exist_ok=True)
        inputs = [written for seed in SEEDS for written in bytes_of(seed)]
        for number, seed in enumerate(inputs):
            (place / f"seed-{number}").write_bytes(seed[:LONGEST])
    with tempfile.NamedTemporaryFile("w", suffix=".dict") as tokens:
        for token in TOKENS:
            signs = "".join(f"\\x{byte:02x}" for byte in token)
            tokens.write(f'"{signs}"\n')
        tokens.flush()
        options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-dict={tokens.name}", "-timeout=20", str(place)]
        atheris.Setup([sys.argv[0], *options], Play().run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
