"""Seldon's feedback: ``/api/v1.0/feedback``, what should have been answered to calls that were answered before.

``{"request", "response", "reward", "truth"}``, of which all but the reward are messages as in `agent.decode.seldon`. These are
labels for calls that were counted already, so the format is marked as such, and its batches are kept out of what is monitored:

- inputs: those of ``request``;
- outputs: ``truth`` (``truth[0]``, ``truth[1]``, ... or ``truth.<name>`` where there are several columns), and ``reward`` in
  every row. They are in the request as well; the response says nothing;
- id: ``meta.puid`` of the call that it is about, as ``response`` has it, or else ``request``.

Sources: Seldon Core "External Prediction API"; ``proto/prediction.proto``.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from agent.decode.block import MAX_STEM, Block, NotObserved, block_of
from agent.decode.format import JSON, Format, by_body
from agent.decode.json_text import JSON_FAULTS, JsonText
from agent.decode.message import Head, body_of, request_head, request_lines
from agent.decode.seldon import AnyMessage, block_of_message
from agent.errors import DecodeError
from agent.exchange import Exchange, Flag

_NAME = "seldon-feedback"


class Feedback(msgspec.Struct, gc=False):
    """What was asked and answered, and what should have been answered."""

    request: AnyMessage | None = None
    response: AnyMessage | None = None
    truth: AnyMessage | None = None
    reward: float | None = None


_FEEDBACK = JsonText(Feedback, Feedback)


def read_inputs(body: bytes) -> Block:
    """Read what was asked.

    Raises
    ------
    NotObserved
        ``no_rows`` where the request is not there; else as `agent.decode.seldon.read_inputs`.
    DecodeError
        As `agent.decode.seldon.read_inputs`.
    """
    feedback = _feedback(body)
    if feedback.request is None:
        raise NotObserved(_NAME, "no_rows")
    return msgspec.structs.replace(block_of_message(feedback.request, is_row=True), id=_call(feedback))


def read_labels(body: bytes) -> Block:
    """Read what should have been answered, from the same message: ``truth``, and ``reward`` in every row.

    Raises
    ------
    NotObserved
        ``no_rows`` where neither is there; else as `read_inputs`.
    DecodeError
        As `read_inputs`.
    """
    feedback = _feedback(body)
    names: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = [()]
    if feedback.truth is not None:
        block = block_of_message(feedback.truth, is_row=False)
        names, rows = _label_names(block.names), _rows(block)
    if feedback.reward is not None and not math.isnan(feedback.reward):
        names, rows = (*names, "reward"), [(*row, feedback.reward) for row in rows]
    if not names:
        raise NotObserved(_NAME, "no_rows")
    return msgspec.structs.replace(block_of(names, rows), id=_call(feedback))


def _rows(block: Block) -> list[tuple[Any, ...]]:
    values = block.values
    if isinstance(values, bytes):
        values = np.frombuffer(values).reshape(block.rows, block.width).T
    return list(map(tuple, values if isinstance(values, list) else values.T.tolist()))


def _label_names(names: int | tuple[str, ...]) -> tuple[str, ...]:
    if names == 1 or (isinstance(names, tuple) and len(names) == 1):
        return ("truth",)
    if isinstance(names, int):
        return tuple(f"truth[{index}]" for index in range(names))
    if any(len(name) > MAX_STEM for name in names):
        raise DecodeError(_NAME, "name_too_long")
    return tuple(f"truth.{name}" for name in names)


def _feedback(body: bytes) -> Feedback:
    try:
        return _FEEDBACK.exact(body)
    except JSON_FAULTS as error:
        return _FEEDBACK.loose(body, error)


def _call(feedback: Feedback) -> str:
    """Give the id of the call that the feedback is about."""
    puids = [message.meta.puid for message in (feedback.response, feedback.request) if message and message.meta]
    return next(filter(None, puids), "")


def _read_labels_of_request(_body: bytes, _head: Head, exchange: Exchange) -> Block:
    """Read the labels, which are in the request as well; the response to feedback says nothing."""
    if exchange.flags & Flag.REQUEST_CUT:
        raise NotObserved("http", "truncated")
    raw = exchange.request
    start = raw.find(b"\r\n\r\n") + 4
    head = request_head(request_lines(raw[:start]))
    return read_labels(body_of(head, raw, start))


SELDON_FEEDBACK = Format(_NAME, {JSON: by_body(read_inputs)}, {JSON: _read_labels_of_request}, is_labels=True)
