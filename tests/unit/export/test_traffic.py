from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from agent.exchange import DOUBLINGS, NO_GRPC_STATUS, Outcome, ProxyStats
from agent.export import traffic
from agent.export.figures import Figures
from agent.export.readings import Buckets, Point, Values
from agent.proxy.counters import Durations
from agent.sketch.latency import BOUNDS_S
from agent.window.activity import Activity, CallKey, Calls
from tests import synthetic

ROUTE = "/inference.GRPCInferenceService/ModelInfer"
OK = CallKey(ROUTE, "POST", 200, Outcome.COMPLETE, 0)


def read(
    reading: Callable[[Figures], Iterable[Point]], calls: dict[CallKey, Calls], proxy: ProxyStats | None = None
) -> dict[Values, int | float | Buckets]:
    figures = Figures(version="0.1.0", activity=Activity(calls=calls, proxy=proxy or ProxyStats()))
    points = list(reading(figures))
    assert len(dict(points)) == len(points)
    return dict(points)


def calls(count: int = 1, *, messages: tuple[int, int] = (0, 0), gaps_ns: tuple[int, ...] = ()) -> Calls:
    made = Calls()
    made.duration.update(np.full(count, 1_000_000, dtype=np.int64))
    made.request_messages, made.response_messages = messages
    made.stream_gaps.update(np.array(gaps_ns, dtype=np.int64))
    return made


@pytest.mark.parametrize(
    ("status", "outcome", "grpc_status", "error"),
    [
        (200, Outcome.COMPLETE, NO_GRPC_STATUS, None),
        (404, Outcome.COMPLETE, NO_GRPC_STATUS, None),
        (503, Outcome.COMPLETE, NO_GRPC_STATUS, "503"),
        (101, Outcome.TUNNEL, NO_GRPC_STATUS, None),
        (200, Outcome.CLIENT_GONE, NO_GRPC_STATUS, "client_gone"),
        (200, Outcome.UPSTREAM_GONE, 0, "upstream_gone"),
        (502, Outcome.COMPLETE, 14, "UNAVAILABLE"),
        (502, Outcome.COMPLETE, 5, "502"),
    ],
)
def test_error_is_the_outcome_else_the_code_of_grpc_else_the_status(
    status: int, outcome: int, grpc_status: int, error: str | None
) -> None:
    assert traffic.error_type(status, outcome, grpc_status) == error


def test_only_the_servers_errors_of_grpc_are_errors() -> None:
    names = [traffic.error_type(200, Outcome.COMPLETE, code) for code in range(-1, 17)]
    assert {code - 1: name for code, name in enumerate(names) if name} == {
        2: "UNKNOWN",
        4: "DEADLINE_EXCEEDED",
        12: "UNIMPLEMENTED",
        13: "INTERNAL",
        14: "UNAVAILABLE",
        15: "DATA_LOSS",
    }


def test_durations_of_codes_without_an_error_are_one_series() -> None:
    found = read(traffic.request_duration, {OK: calls(2), OK._replace(grpc_status=5): calls(3)})
    assert list(found) == [("POST", 200, ROUTE, None)]


def test_calls_of_grpc_are_counted_by_route_and_status() -> None:
    found = read(
        traffic.grpc_calls,
        {
            OK: calls(4),
            OK._replace(outcome=Outcome.CLIENT_GONE): calls(1),
            OK._replace(grpc_status=14): calls(2),
            OK._replace(route="other", grpc_status=12): calls(3),
            CallKey("/ping", "GET", 200, Outcome.COMPLETE): calls(9),
        },
    )
    assert found == {(ROUTE, 0): 5, (ROUTE, 14): 2, (None, 12): 3}


def test_messages_are_counted_by_direction() -> None:
    found = read(
        traffic.messages,
        {
            OK: calls(messages=(1, 5)),
            OK._replace(grpc_status=14): calls(messages=(1, 0)),
            OK._replace(route="/ping"): calls(),
            OK._replace(route="other"): calls(messages=(3, 0)),
        },
    )
    assert found == {(ROUTE, "request"): 2, (ROUTE, "response"): 5, (None, "request"): 3}


def test_gaps_are_summed_by_route() -> None:
    found = read(
        traffic.stream_gap,
        {
            OK: calls(gaps_ns=(50_000, 200_000)),
            OK._replace(grpc_status=14): calls(gaps_ns=(50_000,)),
            OK._replace(route="/ping"): calls(),
        },
    )
    assert found == {(ROUTE,): Buckets([2, 1, *[0] * (len(BOUNDS_S) - 1)], 0.0003, BOUNDS_S)}


def test_losses_have_their_reasons() -> None:
    found = read(traffic.records_dropped, {}, ProxyStats(lost_full=1, lost_away=2, lost_died=3))
    assert found == {("tap_full",): 1, ("monitor_away",): 2, ("monitor_died",): 3}
    assert read(traffic.records_dropped, {}) == {("tap_full",): 0, ("monitor_away",): 0, ("monitor_died",): 0}


@pytest.mark.parametrize("duration_ns", [0, 1023, 1024, 2047, 2048, 999_999, (1024 << 22) - 1, 1024 << 22, 10**12])
def test_the_proxys_buckets_have_the_bounds_that_it_counts_by(duration_ns: int) -> None:
    durations = Durations()
    durations.add(duration_ns)
    stats = ProxyStats(held=durations.buckets(), held_ns=durations.sum_ns, lag=(7,) * DOUBLINGS)
    (buckets,) = read(traffic.added_latency, {}, stats).values()
    assert isinstance(buckets, Buckets)
    assert len(buckets.counts) == len(buckets.bounds_s) + 1 == DOUBLINGS
    place = buckets.counts.index(1)
    assert place == len(buckets.bounds_s) or duration_ns / 1e9 < buckets.bounds_s[place]
    assert place == 0 or buckets.bounds_s[place - 1] <= duration_ns / 1e9
    assert buckets.sum_s == duration_ns / 1e9


def test_lag_and_latency_are_not_mixed_up() -> None:
    figures = synthetic.figures()
    (((), held),) = traffic.added_latency(figures)
    (((), lag),) = traffic.loop_lag(figures)
    assert isinstance(held, Buckets)
    assert isinstance(lag, Buckets)
    assert (sum(held.counts), held.sum_s) == (7, 9.0)
    assert (sum(lag.counts), lag.sum_s) == (30, 9e-6)
