from __future__ import annotations

import numpy as np
import pytest

from agent.exchange import Exchange, Outcome
from agent.sketch.latency import BOUNDS_S
from agent.window.activity import MAX_KEYS, OTHER_METHOD, OTHER_ROUTE, Activity, CallKey

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
) -> Exchange:
    return Exchange("http/1.1", method, "/x", status, outcome, 0, 1, sent_ns, first_byte_ns, end_ns, 150, 80, b"", b"")


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
    activity.record([exchange()], ["/0"])
    assert activity.calls[CallKey("/0", "POST", 200, 0)].duration.count == 2


def test_nothing_is_nothing() -> None:
    activity = Activity()
    activity.record([], [])
    assert activity.calls == {}
