"""Several ways through one sidecar: a Unix socket that goes away, and two lanes of which one loses its server."""

from __future__ import annotations

from pathlib import Path

from tests.integration.faults.parts_faults import Books, ask, others_unaffected, stops_with, upstream_that
from tests.parts import free_ports, wait_until
from tests.sidecar import Sidecar, fetch, sidecar

WATCHED = {"OUTRIDER_READY": "tcp", "OUTRIDER_READY_INTERVAL": "200ms", "OUTRIDER_READY_FAILURES": "2"}


def readiness(running: Sidecar) -> int:
    answer = fetch(running.health, "/readyz")
    return answer[0] if answer is not None else 0


def test_a_unix_socket_that_goes_away_is_503_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "model.sock"
    settings = {**WATCHED, "OUTRIDER_UPSTREAM": f"unix://{path}"}
    with upstream_that(path=str(path)) as server, sidecar(tmp_path, 0, settings) as running:
        books = Books(running)
        with others_unaffected(running.port) as others:
            assert ask(running.port) == (200, "")
            wait_until(lambda: readiness(running) == 200, "readiness")
            path.unlink()  # those that are connected go on
            assert [ask(running.port) for _ in range(3)] == [(503, "upstream-unreachable")] * 3
            wait_until(lambda: readiness(running) == 503, "failing readiness")
            server.refuse()
            server.listen()
            assert ask(running.port) == (200, "")
            wait_until(lambda: readiness(running) == 200, "readiness again")
        books.balance(complete=others.calls + 2, unreachable=3)
        stops_with(running, others.calls + 5)


def test_the_death_of_one_lane_s_server_touches_only_readiness_of_the_other(tmp_path: Path) -> None:
    first, second = free_ports(2)
    with upstream_that() as rest, upstream_that() as grpc:
        settings = {
            **WATCHED,
            "OUTRIDER_LISTEN": f"127.0.0.1:{first},127.0.0.1:{second}",
            "OUTRIDER_UPSTREAM": f"http://127.0.0.1:{rest.port},http://127.0.0.1:{grpc.port}",
        }
        with sidecar(tmp_path, 0, settings) as running:
            books = Books(running)
            with others_unaffected(first) as others:
                wait_until(lambda: readiness(running) == 200, "readiness")
                assert ask(second) == (200, "")
                grpc.refuse()
                assert [ask(second) for _ in range(3)] == [(503, "upstream-unreachable")] * 3
                wait_until(lambda: readiness(running) == 503, "failing readiness")
                assert ask(first) == (200, "")
                grpc.listen()
                wait_until(lambda: readiness(running) == 200, "readiness again")
                assert ask(second) == (200, "")
            books.balance(complete=others.calls + 3, unreachable=3)
            assert f"upstream not ready upstream=http://127.0.0.1:{grpc.port}" in running.log()
            assert f"upstream not ready upstream=http://127.0.0.1:{rest.port}" not in running.log()
