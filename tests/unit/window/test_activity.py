from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from agent.exchange import MARK, NO_GRPC_STATUS, Bare, Exchange, Outcome
from agent.sketch.latency import BOUNDS_S
from agent.window.activity import MAX_KEYS, OTHER_METHOD, OTHER_ROUTE, Activity, CallKey, response_gaps

ROUTE = "/v1/models/{model}:predict"
MS = 1_000_000


def exchange(
    method: str = "POST",
    status: int = 200,
    outcome: int = Outcome.COMPLETE,
    *,
    sent_ns: int = 1 * MS,
    first_byte_ns: int = 4 * MS,
    end_ns: int = 6 * MS,
    grpc_status: int = NO_GRPC_STATUS,
    messages: tuple[int, int] = (0, 0),
    marks: bytes = b"",
) -> Exchange:
    return Exchange(
        "http/1.1", method, "/x", status, outcome, 0, 1, sent_ns, first_byte_ns, end_ns, 150, 80, b"", b"", b"",
        grpc_status, *messages, marks,
    )  # fmt: skip


def marks(*pieces: tuple[int, bool]) -> bytes:
    """Marks of pieces of 40 bytes: when each passed, and whether it came from upstream."""
    return b"".join(MARK.pack(time_ns, 40 << 2 | from_upstream) for time_ns, from_upstream in pieces)


def bucket(duration_ns: int) -> list[int]:
    counts = [0] * (len(BOUNDS_S) + 1)
    counts[int(np.searchsorted(np.array(BOUNDS_S) * 1e9, duration_ns))] = 1
    return counts


def test_one_exchange() -> None:
    activity = Activity()
    activity.record([exchange()], [ROUTE])
    calls = activity.calls[CallKey(ROUTE, "POST", 200, Outcome.COMPLETE)]
    assert (calls.duration.counts.tolist(), calls.duration.sum_ns) == (bucket(6 * MS), 6 * MS)
    assert (calls.upstream.counts.tolist(), calls.upstream.sum_ns) == (bucket(3 * MS), 3 * MS)
    assert (calls.request_bytes, calls.response_bytes) == (150, 80)


def test_keys_are_counted_apart_and_add_up() -> None:
    activity = Activity()
    for _ in range(2):
        activity.record(
            [exchange(), exchange(), exchange("GET"), exchange(status=500), exchange(outcome=Outcome.CLIENT_GONE)],
            [ROUTE] * 4 + ["other"],
        )
    found = {key: calls.duration.count for key, calls in activity.calls.items()}
    assert found == {
        CallKey(ROUTE, "POST", 200, 0): 4,
        CallKey(ROUTE, "GET", 200, 0): 2,
        CallKey(ROUTE, "POST", 500, 0): 2,
        CallKey("other", "POST", 200, int(Outcome.CLIENT_GONE)): 2,
    }


def test_agrees_with_one_by_one() -> None:
    rng = np.random.default_rng(1)
    ends, statuses = rng.integers(0, 10**9, 500).tolist(), rng.choice([200, 404], 500).tolist()
    exchanges = [exchange(end_ns=end, status=status) for end, status in zip(ends, statuses, strict=True)]
    at_once, one_by_one = Activity(), Activity()
    at_once.record(exchanges, [ROUTE] * 500)
    for single in exchanges:
        one_by_one.record([single], [ROUTE])
    assert at_once.calls.keys() == one_by_one.calls.keys()
    for key, calls in at_once.calls.items():
        assert calls.duration.counts.tolist() == one_by_one.calls[key].duration.counts.tolist()
        assert calls.request_bytes == one_by_one.calls[key].request_bytes


@pytest.mark.parametrize("method", ["", "post", "BREW", "x" * 1000])
def test_unknown_methods_share_a_key(method: str) -> None:
    activity = Activity()
    activity.record([exchange(method)], [ROUTE])
    assert [key.method for key in activity.calls] == [OTHER_METHOD]


@pytest.mark.parametrize(("status", "counted"), [(0, 0), (99, 0), (100, 100), (599, 599), (600, 0), (-1, 0), (10**6, 0)])
def test_statuses_that_are_none(status: int, counted: int) -> None:
    activity = Activity()
    activity.record([exchange(status=status)], [ROUTE])
    assert [key.status for key in activity.calls] == [counted]


@pytest.mark.parametrize(("sent_ns", "first_byte_ns"), [(0, 4 * MS), (MS, 0), (0, 0)])
def test_upstream_time_needs_both_ends(sent_ns: int, first_byte_ns: int) -> None:
    activity = Activity()
    activity.record([exchange(sent_ns=sent_ns, first_byte_ns=first_byte_ns)], [ROUTE])
    (calls,) = activity.calls.values()
    assert (calls.duration.count, calls.upstream.count) == (1, 0)


def test_an_early_answer_took_no_time_upstream() -> None:
    activity = Activity()
    activity.record([exchange(sent_ns=4 * MS, first_byte_ns=MS)], [ROUTE])
    (calls,) = activity.calls.values()
    assert (calls.upstream.count, calls.upstream.sum_ns) == (1, 0)


def test_the_number_of_keys_is_bounded() -> None:
    activity = Activity()
    routes = [f"/{number}" for number in range(MAX_KEYS + 500)]
    activity.record([exchange() for _ in routes], routes)
    for status in range(700):
        activity.record([exchange(status=status)], ["/new"])
    assert len(activity.calls) <= MAX_KEYS + 6
    assert sum(calls.duration.count for calls in activity.calls.values()) == MAX_KEYS + 1200
    assert activity.calls[CallKey(OTHER_ROUTE, "POST", 200, 0)].duration.count == 600
    for status in range(-3, 30):
        activity.record([exchange(status=200 + status, grpc_status=status)], ["/new"])
    assert len(activity.calls) <= MAX_KEYS + 6 + 17
    assert activity.calls[CallKey(OTHER_ROUTE, OTHER_METHOD, 0, 0, 14)].duration.count == 1
    activity.record([exchange()], ["/0"])
    assert activity.calls[CallKey("/0", "POST", 200, 0)].duration.count == 2


def test_statuses_of_grpc_are_counted_apart() -> None:
    activity = Activity()
    for grpc_status in (-1, 0, 16, 17, -2, 10**9):
        activity.record([exchange(grpc_status=grpc_status)], [ROUTE])
    assert {key.grpc_status: calls.duration.count for key, calls in activity.calls.items()} == {NO_GRPC_STATUS: 4, 0: 1, 16: 1}


def test_messages_are_counted_by_direction() -> None:
    activity = Activity()
    activity.record([exchange(grpc_status=0, messages=(1, 7)), exchange(grpc_status=0, messages=(3, 1))], [ROUTE] * 2)
    numbers = np.array([[1, 2, 3, 4, 5, 20, 30], [1, 2, 3, 4, 5, 0, 1]], dtype=np.int64)
    assert activity.record_bare(Bare("grpc", "POST", "/x", 200, 0, 0, numbers.tobytes()), ROUTE) == 2
    calls = activity.calls[CallKey(ROUTE, "POST", 200, 0, 0)]
    assert (calls.request_messages, calls.response_messages) == (24, 39)
    assert calls.duration.count == 4


def test_gaps_lie_between_the_pieces_of_one_response() -> None:
    activity = Activity()
    streams = [
        marks((1 * MS, True), (3 * MS, True), (4 * MS, False), (8 * MS, True)),
        marks((9 * MS, True), (9 * MS, True)),
    ]
    activity.record([exchange(marks=streams[0]), exchange(), exchange(marks=streams[1])], [ROUTE] * 3)
    (calls,) = activity.calls.values()
    assert (calls.stream_gaps.count, calls.stream_gaps.sum_ns) == (3, 7 * MS)
    assert (calls.upstream.count, calls.upstream.sum_ns) == (3, 9 * MS)


@pytest.mark.parametrize(
    "streams",
    [
        [marks((1, True))],
        [marks((1, True)), marks((5, True))],
        [marks((1, False), (5, False))],
        [marks((1, False), (5, True)), marks((2, True), (9, False))],
    ],
)
def test_no_gap_without_two_pieces_of_one_response(streams: list[bytes]) -> None:
    assert response_gaps(streams).tolist() == []


def test_gaps_of_many_agree_with_one_by_one() -> None:
    rng = np.random.default_rng(2)
    streams = []
    for length in rng.integers(1, 30, 200).tolist():
        times = np.cumsum(rng.integers(0, MS, length)).tolist()
        streams.append(marks(*zip(times, (rng.random(length) < 0.7).tolist(), strict=True)))
    expected: list[int] = []
    for stream in streams:
        times = [time_ns for time_ns, kind in MARK.iter_unpack(stream) if kind & 1]
        expected += [after - before for before, after in pairwise(times)]
    assert response_gaps(streams).tolist() == expected


def test_time_that_runs_backwards_is_no_gap() -> None:
    assert response_gaps([marks((5, True), (3, True), (4, True))]).tolist() == [0, 1]


def test_nothing_is_nothing() -> None:
    activity = Activity()
    activity.record([], [])
    assert activity.calls == {}
