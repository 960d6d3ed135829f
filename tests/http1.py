"""HTTP/1 as `h11` reads it: a second opinion for tests."""

from __future__ import annotations

from dataclasses import dataclass, field

import h11


@dataclass
class Opinion:
    """One exchange."""

    method: str
    target: str
    status: int
    request: bytes
    """The content, without chunks."""
    response: bytes
    interim: list[int] = field(default_factory=list)


def exchanges_in(sent: bytes, received: bytes, *, has_ended: bool = False) -> list[Opinion]:
    """Every exchange on a connection where a client sent and received this; `has_ended` if the server closed it then."""
    server, client = h11.Connection(h11.SERVER), h11.Connection(h11.CLIENT)
    server.receive_data(sent)
    client.receive_data(received)
    if has_ended:
        client.receive_data(b"")
    found: list[Opinion] = []
    while True:
        request = server.next_event()
        if request is h11.NEED_DATA:
            return found
        assert isinstance(request, h11.Request)
        question = _content(server)
        client.send(h11.Request(method=request.method, target=request.target, headers=[("Host", "m")]))
        client.send(h11.EndOfMessage())
        interim: list[int] = []
        while isinstance(response := client.next_event(), h11.InformationalResponse):
            interim.append(response.status_code)
        assert isinstance(response, h11.Response)
        answer = _content(client)
        method, target = request.method.decode(), request.target.decode()
        found.append(Opinion(method, target, response.status_code, question, answer, interim))
        if server.our_state is h11.SEND_RESPONSE:
            server.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            server.send(h11.EndOfMessage())
        if h11.MUST_CLOSE in (server.our_state, client.our_state):
            assert not server.trailing_data[0]
            return found
        server.start_next_cycle()
        client.start_next_cycle()


def _content(reader: h11.Connection) -> bytes:
    content = b""
    while isinstance(event := reader.next_event(), h11.Data):
        content += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage), event
    return content


def content_of(message: bytes) -> bytes:
    """The content of a message as it was on the wire, after any interim ones."""
    while message.startswith(b"HTTP/1.1 1"):
        message = message.partition(b"\r\n\r\n")[2]
    head, _, body = message.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return body
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            break
        content += body[:length]
        body = body[length + 2 :]
    return content
