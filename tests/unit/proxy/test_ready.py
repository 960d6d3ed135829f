"""Readiness: what turns the verdict, how often is asked, what is said about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from agent import config
from agent.proxy.ready import Standing, Watch
from agent.spelling import Readiness, Upstream
from tests.parts import logged

BAD = "connection refused"


def standing(failures: int = 3, interval_s: float = 5.0) -> Standing:
    return Standing(failures, interval_s, 100.0)


def verdicts(known: Standing, *reasons: str) -> list[bool]:
    """The verdict after each result."""
    found = []
    for reason in reasons:
        known.take(reason, 100.0)
        found.append(known.ready)
    return found


def test_nothing_is_ready_before_the_first_success() -> None:
    assert verdicts(standing(), BAD, BAD, "") == [False, False, True]


def test_so_many_failures_in_a_row_turn_the_verdict() -> None:
    assert verdicts(standing(), "", BAD, BAD, BAD) == [True, True, True, False]
    assert verdicts(standing(failures=1), "", BAD) == [True, False]


def test_a_success_between_failures_starts_the_count_anew() -> None:
    assert verdicts(standing(), "", BAD, BAD, "", BAD, BAD) == [True] * 6


def test_two_successes_in_a_row_make_it_good_again() -> None:
    assert verdicts(standing(failures=1), "", BAD, "", BAD, "", "") == [True, False, False, False, False, True]


def test_a_turn_is_told_once() -> None:
    known = standing(failures=2)
    assert [known.take(reason, 100.0) for reason in ("", "", BAD, BAD, BAD, "", "", "")] == [
        True, False, False, True, False, False, True, False,
    ]  # fmt: skip


def test_it_is_asked_often_until_the_first_success_then_at_the_interval_and_each_second_while_checks_fail() -> None:
    known = standing()
    waits = [known.wait_s]
    for reason in (BAD, "", BAD, BAD, BAD, "", ""):
        known.take(reason, 100.0)
        waits.append(known.wait_s)
    assert waits == [0.25, 0.25, 5.0, 1.0, 1.0, 1.0, 1.0, 5.0]


def test_an_interval_shorter_than_those_stays() -> None:
    known = standing(interval_s=0.1)
    waits = [known.wait_s]
    for reason in ("", BAD):
        known.take(reason, 100.0)
        waits.append(known.wait_s)
    assert waits == [0.1, 0.1, 0.1]


def test_the_words_say_verdict_reason_and_age() -> None:
    known = standing(failures=2)
    said = [known.describe(101.0)]
    for now_s, reason in ((102.0, ""), (103.0, BAD), (104.0, BAD), (105.0, "")):
        known.take(reason, now_s)
        said.append(known.describe(now_s + 10))
    assert said == [
        "failed: not asked yet (for 1s)",
        "ok (for 10s)",
        "ok (for 11s), though check 1 of 2 failed: connection refused",
        "failed: connection refused (for 10s)",
        "failed: answers again, 1 of 2 checks (for 11s)",
    ]


ONE = Upstream("http", "127.0.0.1", 8080)
TWO = Upstream("http", "127.0.0.1", 8081)


def watch(ask: Callable[[Upstream, Readiness, float], str], loop: asyncio.AbstractEventLoop, **settings: str) -> Watch:
    """A watch over two upstreams, whose checks are answered by a function."""

    async def answer(upstream: Upstream, how: Readiness, timeout_s: float) -> str:
        return ask(upstream, how, timeout_s)

    environ = {"OUTRIDER_LISTEN": "127.0.0.1:1,127.0.0.1:2", "OUTRIDER_UPSTREAM": f"{ONE},{TWO}"}
    return Watch(loop, config.load(environ | settings), ask=answer)


def run_until(ask: Callable[[Upstream, Readiness, float], str], done: Callable[[Watch], bool], **settings: str) -> Watch:
    """Let a watch run until a condition holds; intervals are 1 ms unless set."""

    async def run() -> Watch:
        watching = watch(ask, asyncio.get_running_loop(), **{"OUTRIDER_READY_INTERVAL": "1ms"} | settings)
        task = asyncio.ensure_future(watching.run())
        async with asyncio.timeout(20):
            while not done(watching):
                assert not task.done()
                await asyncio.sleep(0.001)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return watching

    return asyncio.run(run())


def test_all_upstreams_have_to_answer() -> None:
    asked: list[Upstream] = []

    def ask(upstream: Upstream, how: Readiness, timeout_s: float) -> str:
        asked.append(upstream)
        return BAD if upstream == TWO else ""

    watching = run_until(ask, lambda watching: asked.count(TWO) > 2 and asked.count(ONE) > 2)
    assert not watching.ready
    assert watching.reason == "upstream http://127.0.0.1:8081: connection refused"
    assert [line.partition(" (for ")[0] for line in watching.lines()] == [
        "[+]upstream http://127.0.0.1:8080 (tcp) ok",
        "[-]upstream http://127.0.0.1:8081 (tcp) failed: connection refused",
    ]


def test_each_upstream_may_have_a_check_of_its_own_and_the_interval_is_its_time() -> None:
    asked: set[tuple[Upstream, Readiness, float]] = set()

    def ask(upstream: Upstream, how: Readiness, timeout_s: float) -> str:
        asked.add((upstream, how, timeout_s))
        return ""

    watching = run_until(ask, lambda watching: watching.ready, OUTRIDER_READY="http:/a,grpc:b", OUTRIDER_READY_INTERVAL="7s")
    assert asked == {(ONE, Readiness("http", "/a"), 7.0), (TWO, Readiness("grpc", "b"), 7.0)}
    assert watching.reason == ""


def test_what_is_not_asked_is_ready_at_once() -> None:
    told: list[tuple[Upstream, bool]] = []
    loop = asyncio.new_event_loop()
    watching = watch(lambda upstream, how, timeout_s: pytest.fail("asked"), loop, OUTRIDER_READY="none")
    assert watching.ready
    watching.on_change = lambda upstream, ready: told.append((upstream, ready))
    with pytest.raises(TimeoutError):
        loop.run_until_complete(asyncio.wait_for(watching.run(), 0.05))
    loop.close()
    assert told == [(ONE, True), (TWO, True)]


def test_turns_are_told_and_logged_once_each() -> None:
    reasons: Iterator[str] = iter(["", BAD, BAD, "", "", "", ""])
    told: list[tuple[Upstream, bool]] = []

    def ask(upstream: Upstream, how: Readiness, timeout_s: float) -> str:
        return next(reasons, "") if upstream == ONE else ""

    def done(watching: Watch) -> bool:
        watching.on_change = lambda upstream, ready: told.append((upstream, ready))
        return told.count((ONE, True)) == 2

    with logged("outrider.proxy") as lines:
        run_until(ask, done, OUTRIDER_READY_FAILURES="2")
    assert [turn for turn in told if turn[0] == ONE] == [(ONE, True), (ONE, False), (ONE, True)]
    assert [line for line in lines if "8080" in line] == [
        "info: upstream ready upstream=http://127.0.0.1:8080 check=tcp",
        "warning: upstream not ready upstream=http://127.0.0.1:8080 check=tcp reason='connection refused'",
        "info: upstream ready upstream=http://127.0.0.1:8080 check=tcp",
    ]


def test_a_server_that_is_not_up_yet_is_said_once() -> None:
    asked: list[Upstream] = []

    def ask(upstream: Upstream, how: Readiness, timeout_s: float) -> str:
        asked.append(upstream)
        return BAD

    with logged("outrider.proxy") as lines:
        run_until(ask, lambda watching: asked.count(ONE) > 3 and asked.count(TWO) > 3)
    assert sorted(lines) == [
        f"info: waiting for the model server upstream={upstream} check=tcp reason='connection refused'" for upstream in (ONE, TWO)
    ]


def test_a_hook_that_fails_ends_nothing() -> None:
    asked: list[Upstream] = []

    def ask(upstream: Upstream, how: Readiness, timeout_s: float) -> str:
        asked.append(upstream)
        return ""

    def failing(upstream: Upstream, ready: bool) -> None:
        raise ValueError(upstream)

    def hooked(watching: Watch) -> bool:
        watching.on_change = failing
        return len(asked) > 10

    with logged("outrider.proxy") as lines:
        assert run_until(ask, hooked).ready
    assert sum("what follows from readiness failed" in line for line in lines) == 2
