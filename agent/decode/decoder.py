"""Exchanges to batches: split the message, find its route, read both sides, gather what has the same layout.

The monitor sees up to 100,000 single-row exchanges a second, so what repeats is learned once. Heads of one client repeat byte
for byte (a server's change with its clock, once a second), so a dictionary from head bytes to a plan says what to do with the
body. Heads that differ each time, with trace ids, are checked and reduced to the lines that matter, and those are looked up.
Each row becomes packed float64 at once, and rows of the same layout are joined per call.

A side that can't be read is counted and left out of the batch; the other side is kept. Of an answer in events that was cut, its
beginning is read, and counted all the same.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from agent.decode.block import MAX_ROWS, Block, NotObserved
from agent.decode.format import Format, Reader, is_cut, kind_of, refuse_content_type, with_event_id
from agent.decode.gather import Decoded, Groups
from agent.decode.message import BODILESS, Head, Lines, body_of, request_head, request_lines, response_head, response_lines
from agent.decode.routes import NOWHERE, Route, Routes
from agent.errors import DecodeError
from agent.exchange import Bare, Exchange, Flag
from agent.spelling import CustomRoute

__all__ = ["Decoded", "Decoder", "answered"]

MAX_REMEMBERED = 1024
"""Heads remembered per direction, whole and reduced. When they are full they are forgotten together, and learned anew."""

MAX_REMEMBERED_HEAD = 4096
"""Bytes of a head that is worth remembering: with `MAX_REMEMBERED` it bounds the memory at 16 MiB."""


class _Plan(msgspec.Struct, frozen=True, gc=False):
    """What a request's head means. `length` is that of a plain body, else -1: then `body_of` has to look closer."""

    length: int
    head: Head
    route: Route
    read: Reader


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """What a response's head means; `length` as in `_Plan`."""

    length: int
    head: Head
    kind: str


_ABSENT = Block((), True, 0, b"")
"""A side that could not be read."""


class Decoder:
    """Turns exchanges into batches; keeps what it learned of heads, and nothing else.

    Parameters
    ----------
    routes
        Routes of the user's own, from the settings.
    """

    def __init__(self, routes: Sequence[CustomRoute] = ()) -> None:
        self._routes = Routes(routes)
        self._plans: dict[bytes, _Plan] = {}
        self._answers: dict[bytes, _Answer] = {}
        self._plans_by_lines: dict[Lines, _Plan] = {}
        self._answers_by_lines: dict[Lines, _Answer] = {}

    def decode(self, exchanges: Sequence[Exchange]) -> Decoded:
        """Read exchanges, in any order and of any kind.

        It never raises: what can't be read is counted. An empty list gives an empty result.

        Cost: 3 to 4 µs for an exchange of one row of ten numbers, 9 µs where no two heads are alike, 37 to 50 ns a value for
        long JSON tables of numbers, 120 ns for CSV. Garbage collection pauses meanwhile: a body may be hundreds of thousands of
        lists, none of them garbage, and to look at them over and over takes more time than to read them.
        """
        collects = gc.isenabled()
        gc.disable()
        try:
            return self._decode(exchanges)
        finally:
            if collects:
                gc.enable()

    def _decode(self, exchanges: Sequence[Exchange]) -> Decoded:
        result = Decoded()
        groups = Groups()
        plans, templates = self._plans, result.routes
        for exchange in exchanges:
            raw = exchange.request
            start = raw.find(b"\r\n\r\n") + 4
            plan = plans.get(raw[:start])
            if plan is None:
                try:
                    plan = self._learn_request(raw[:start])
                except DecodeError as error:
                    templates.append(self._without_head(exchange, error, result))
                    continue
            route = plan.route
            templates.append(route.template)
            wire = route.format
            if wire is None:
                continue
            if not 200 <= exchange.status < 300 or exchange.grpc_status > 0:
                _count_nothing(exchange, result)
                continue
            missing: tuple[DecodeError, ...] = ()
            try:
                inputs = _inputs(exchange, plan, start)
            except DecodeError as error:
                inputs, missing = _ABSENT, (error,)
            try:
                outputs = self._outputs(exchange, wire)
            except DecodeError as error:
                outputs, missing = _ABSENT, (*missing, error)
            if inputs.left_out or outputs.left_out:
                missing += inputs.left_out + outputs.left_out
            if missing:
                _count_missing(wire, missing, result)
            groups.add(exchange, wire, route, inputs, outputs)
        groups.gather(result)
        return result

    def route(self, method: str, target: str) -> Route:
        """Give the route of a request whose bytes are not there."""
        return self._routes.match(method, target)

    def _outputs(self, exchange: Exchange, wire: Format) -> Block:
        if not wire.outputs:
            return _ABSENT
        raw = exchange.response
        start = raw.find(b"\r\n\r\n") + 4
        answer = self._answers.get(raw[:start])
        if answer is not None and answer.length == len(raw) - start and not (exchange.flags or exchange.outcome):
            body = raw[start:]
        elif is_cut(exchange):
            return self._cut_outputs(exchange, wire)
        else:
            answer, start = self._final_answer(raw)
            body = body_of(answer.head, raw, start)
        block = wire.outputs.get(answer.kind, refuse_content_type)(body, answer.head, exchange)
        if block.rows > MAX_ROWS:
            raise DecodeError("table", "too_many_rows")
        return block

    def _cut_outputs(self, exchange: Exchange, wire: Format) -> Block:
        """Read what there is of an answer that ends early, if it is of a kind that can be read so. What is lost is counted."""
        lost = NotObserved("http", "truncated" if exchange.flags & Flag.RESPONSE_CUT else "incomplete")
        try:
            answer, start = self._final_answer(exchange.response)
        except DecodeError:
            raise lost from None  # its head was cut off too
        if answer.kind not in wire.reads_cut:
            raise lost
        try:
            block = wire.outputs[answer.kind](body_of(answer.head, exchange.response, start, cut=True), answer.head, exchange)
        except NotObserved:
            raise lost from None
        return msgspec.structs.replace(block, left_out=(*block.left_out, lost))

    def _final_answer(self, raw: bytes) -> tuple[_Answer, int]:
        """Give the final response and where its head ends, behind any interim ones (100 Continue, 103 Early Hints)."""
        at = 0
        while True:
            start = raw.find(b"\r\n\r\n", at) + 4
            if start < 4:
                raise DecodeError("http", "head")
            answer = self._learn_response(raw[at:start])
            if answer.head.status >= 200:
                return answer, start
            at = start

    def _learn_request(self, raw: bytes) -> _Plan:
        lines = request_lines(raw)
        plan = self._plans_by_lines.get(lines)
        if plan is None:
            head = request_head(lines)
            route = self._routes.match(head.method, head.target)
            read = route.format.inputs.get(kind_of(head), refuse_content_type) if route.format else refuse_content_type
            if head.is_event:
                read = with_event_id(read)
            plan = _Plan(head.length if head.plain else -1, head, route, read)
            _remember(self._plans_by_lines, lines, plan, len(raw))
        _remember(self._plans, raw, plan, len(raw))
        return plan

    def _learn_response(self, raw: bytes) -> _Answer:
        answer = self._answers.get(raw)
        if answer is None:
            lines = response_lines(raw)
            answer = self._answers_by_lines.get(lines)
            if answer is None:
                head = response_head(lines)
                final = head.plain and head.status >= 200 and head.status not in BODILESS
                answer = _Answer(head.length if final else -1, head, kind_of(head))
                _remember(self._answers_by_lines, lines, answer, len(raw))
            _remember(self._answers, raw, answer, len(raw))
        return answer

    def _without_head(self, exchange: Exchange, error: DecodeError, result: Decoded) -> str:
        """Count an exchange whose request has no head that can be read, and give its route's template."""
        route = NOWHERE if exchange.protocol == "tunnel" else self._routes.match(exchange.method, exchange.target)
        if route.format is not None:
            if not answered(exchange) or exchange.flags & Flag.BODIES_LEFT_OUT:
                _count_nothing(exchange, result)
            else:
                cut = exchange.flags & Flag.REQUEST_CUT
                _count_missing(route.format, (NotObserved("http", "truncated") if cut else error,), result)
        return route.template


def answered(exchange: Exchange | Bare) -> bool:
    """Tell whether the model server answered with a result: a 2xx, and for gRPC no status but OK."""
    return 200 <= exchange.status < 300 and exchange.grpc_status <= 0


Key = TypeVar("Key")
Learned = TypeVar("Learned")


def _remember(known: dict[Key, Learned], key: Key, learned: Learned, size_bytes: int) -> None:
    if size_bytes <= MAX_REMEMBERED_HEAD:
        if len(known) >= MAX_REMEMBERED:
            known.clear()
        known[key] = learned


def _inputs(exchange: Exchange, plan: _Plan, start: int) -> Block:
    raw = exchange.request
    if plan.length == len(raw) - start and not exchange.flags:
        body = raw[start:]
    elif exchange.flags & Flag.REQUEST_CUT:
        raise NotObserved("http", "truncated")
    else:
        body = body_of(plan.head, raw, start)
    block = plan.read(body, plan.head, exchange)
    if block.rows > MAX_ROWS:
        raise DecodeError("table", "too_many_rows")
    return block


def _count_nothing(exchange: Exchange, result: Decoded) -> None:
    reason = "bodies_left_out" if answered(exchange) else "status"
    result.unobserved[reason] = result.unobserved.get(reason, 0) + 1


def _count_missing(wire: Format, missing: Sequence[DecodeError], result: Decoded) -> None:
    for reason in {error.reason for error in missing if isinstance(error, NotObserved)}:
        result.unobserved[reason] = result.unobserved.get(reason, 0) + 1
    for error in missing:
        if not isinstance(error, NotObserved):
            key = (wire.name, error.reason)
            result.undecoded[key] = result.undecoded.get(key, 0) + 1
