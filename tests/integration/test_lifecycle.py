"""The life of the real process: ready when the model is, drained in order, renewed by SIGHUP, with a monitor that may die."""

from __future__ import annotations

import http.client
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path

import grpc
import psutil
import pytest
import trustme

from agent.profile.write import write
from tests.health_service import CHECK, health_service
from tests.model_server import Handler, Server
from tests.parts import accepts, free_port, free_ports, wait_until
from tests.relay import ScriptedServer
from tests.sidecar import Sidecar, fetch, sidecar
from tests.traffic import FAST, PREDICT, call, replay, training, training_profile


class SlowModel:
    """A model server that answers when it is let."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.let = threading.Event()
        self.server = ScriptedServer(self._serve)

    def _serve(self, accepted: socket.socket) -> None:
        while accepted.recv(65536):
            self.asked.set()
            self.let.wait(60)
            accepted.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone")


class Call(threading.Thread):
    """One request on a thread of its own."""

    def __init__(self, port: int, method: str, path: str) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._method = method
        self._path = path
        self.answer: tuple[int, bytes] | None = None
        self.start()

    def run(self) -> None:
        with closing(self._connection), suppress(OSError, http.client.HTTPException):
            self._connection.request(self._method, self._path)
            with self._connection.getresponse() as response:
                self.answer = response.status, response.read()

    def finish(self) -> tuple[int, bytes] | None:
        self.join(30)
        return self.answer


@pytest.fixture
def slow() -> Iterator[SlowModel]:
    model = SlowModel()
    yield model
    model.let.set()
    model.server.close()


def readyz(running: Sidecar) -> tuple[int, str]:
    answer = fetch(running.health, "/readyz")
    return (answer[0], answer[1].decode()) if answer is not None else (0, "")


def verbose(running: Sidecar) -> list[str]:
    answer = fetch(running.health, "/readyz?verbose")
    return answer[1].decode().splitlines() if answer is not None else []


@contextmanager
def without_monitor(tmp_path: Path, upstream: int, **settings: str) -> Iterator[Sidecar]:
    """A sidecar whose monitor is not waited for."""
    quick = {"OUTRIDER_READY_INTERVAL": "100ms"}
    with sidecar(tmp_path, upstream, quick | settings, wait_for_monitor=False) as running:
        yield running


# Drains


def test_a_posted_drain_is_answered_when_the_last_call_is_over_and_the_process_stays(tmp_path: Path, slow: SlowModel) -> None:
    with without_monitor(tmp_path, slow.server.port) as running:
        wait_until(lambda: readyz(running)[0] == 200, "readiness")
        calling = Call(running.port, "POST", PREDICT)
        assert slow.asked.wait(20)
        draining = Call(running.health, "POST", "/drain")
        wait_until(lambda: readyz(running) == (503, "draining\n"), "failing readiness")
        wait_until(lambda: not accepts(running.port), "a closed listener")
        assert draining.is_alive()
        assert calling.is_alive()
        slow.let.set()
        assert calling.finish() == (200, b"done")
        assert draining.finish() == (200, b"drained\n")
        assert "[-]proxy draining" in verbose(running)
        assert running.process.poll() is None
        assert running.stop() == 0
        assert running.log().count("draining") == 1


def test_sigterm_joins_a_drain_and_who_posted_it_is_answered(tmp_path: Path, slow: SlowModel) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(without_monitor(tmp_path, slow.server.port))
        calling = Call(running.port, "POST", PREDICT)
        assert slow.asked.wait(20)
        drains = [
            stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", running.health, timeout=60))) for _ in range(2)
        ]
        for drain in drains:
            drain.request("GET", "/livez")  # so that it is accepted
            drain.getresponse().read()
        drains[0].request("POST", "/drain")
        wait_until(lambda: readyz(running)[0] == 503, "failing readiness")
        running.process.send_signal(signal.SIGTERM)
        drains[1].request("POST", "/drain", b"a body that nobody wants")
        slow.let.set()
        assert calling.finish() == (200, b"done")
        assert [drain.getresponse().read() for drain in drains] == [b"drained\n"] * 2
        assert running.process.wait(20) == 0
        assert running.log().count("draining") == 1


def test_a_drain_ends_at_its_timeout(tmp_path: Path, slow: SlowModel) -> None:
    with without_monitor(tmp_path, slow.server.port, OUTRIDER_DRAIN_TIMEOUT="300ms") as running:
        calling = Call(running.port, "POST", PREDICT)
        assert slow.asked.wait(20)
        assert Call(running.health, "POST", "/drain").finish() == (200, b"drained\n")
        assert calling.finish() is None
        assert "drain timed out" in running.log()


def test_sigint_does_not_wait_for_the_delay(tmp_path: Path, slow: SlowModel) -> None:
    with without_monitor(tmp_path, slow.server.port, OUTRIDER_DRAIN_DELAY="1h") as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(30) == 0


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_sigint_after_that_ends_the_process_at_once(tmp_path: Path, slow: SlowModel, first: signal.Signals) -> None:
    with without_monitor(tmp_path, slow.server.port, OUTRIDER_DRAIN_TIMEOUT="1h") as running:
        calling = Call(running.port, "POST", PREDICT)
        assert slow.asked.wait(20)
        running.process.send_signal(first)
        wait_until(lambda: readyz(running)[0] == 503, "the drain")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(20) == 130
        assert calling.finish() is None


# Readiness


@contextmanager
def model_at(port: int) -> Iterator[None]:
    """A model server on a port of its own, for as long as the block lasts."""
    server: ThreadingHTTPServer = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_readiness_follows_the_model_server(tmp_path: Path) -> None:
    port = free_port()
    with without_monitor(tmp_path, port) as running:
        wait_until(lambda: readyz(running) == (503, f"upstream http://127.0.0.1:{port}: connection refused\n"), "the reason")
        assert (fetch(running.health, "/livez") or (0,))[0] == 200
        for turn in (1, 2):
            with model_at(port):
                wait_until(lambda: readyz(running) == (200, "ready\n"), f"readiness {turn}")
            wait_until(lambda: readyz(running)[0] == 503, f"failing readiness {turn}")
        assert running.log().count("upstream ready ") == 2
        assert running.log().count("upstream not ready ") == 2
        assert running.log().count("waiting for the model server") == 1


def test_an_http_check_wants_a_good_status(tmp_path: Path, upstream: int) -> None:
    with without_monitor(tmp_path, upstream, OUTRIDER_READY="http:/v2/health/ready") as running:
        wait_until(lambda: "HTTP 501" in readyz(running)[1], "the status")  # the tests' model server takes POST alone
        assert f"[-]upstream http://127.0.0.1:{upstream} (http:/v2/health/ready) failed: HTTP 501" in "\n".join(verbose(running))


def test_two_upstreams_in_one_process_and_readiness_wants_both(tmp_path: Path, upstream: int) -> None:
    first, second, other = free_ports(3)
    settings = {
        "OUTRIDER_LISTEN": f"127.0.0.1:{first},127.0.0.1:{second}",
        "OUTRIDER_UPSTREAM": f"http://127.0.0.1:{upstream},http://127.0.0.1:{other}",
    }
    with ExitStack() as stack:
        running = stack.enter_context(without_monitor(tmp_path, upstream, **settings))
        with model_at(other):
            wait_until(lambda: readyz(running)[0] == 200, "readiness")
            for port in (first, second):
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
                    assert call(connection, [[1.0, 2.0]]) == (200, b'{"predictions": [3.0]}')
        wait_until(lambda: readyz(running) == (503, f"upstream http://127.0.0.1:{other}: connection refused\n"), "the reason")
        lines = verbose(running)
        assert lines[1].startswith(f"[+]upstream http://127.0.0.1:{upstream} (tcp) ok")
        assert lines[2].startswith(f"[-]upstream http://127.0.0.1:{other} (tcp) failed: connection refused")
        assert lines[-1] == "readyz check failed"


# The monitor


def test_a_monitor_that_dies_over_and_over_shows_but_does_not_count(tmp_path: Path, upstream: int) -> None:
    with without_monitor(tmp_path, upstream) as running:
        wait_until(lambda: "[+]monitor ok" in verbose(running), "the monitor")

        def is_dead() -> bool:
            monitor = running.monitor()
            if monitor is not None:
                with suppress(psutil.NoSuchProcess):
                    monitor.kill()
            return any(line.startswith("[-]monitor dead, starts again in ") for line in verbose(running))

        wait_until(is_dead, "its death")
        assert readyz(running) == (200, "ready\n")
        assert verbose(running)[-1] == "readyz check passed"
        replay(running, training(50))
        wait_until(lambda: "[+]monitor ok" in verbose(running), "the next monitor")


def test_the_monitor_ends_when_the_proxy_is_killed(tmp_path: Path, upstream: int, profile: str) -> None:
    with sidecar(tmp_path, upstream, {"OUTRIDER_PROFILE": profile, **FAST}) as running:
        monitor = running.monitor()
        assert monitor is not None
        running.process.kill()
        running.process.wait(20)
        # Where nobody is there to reap it, it stays a zombie.
        wait_until(lambda: not monitor.is_running() or monitor.status() == psutil.STATUS_ZOMBIE, "the monitor's end")


# SIGHUP and certificates

AUTHORITY = trustme.CA()


def issue(folder: Path, name: str) -> dict[str, str]:
    """Write a certificate for a name; give the settings."""
    leaf = AUTHORITY.issue_cert(name)
    for file, pem in (("tls.key", leaf.private_key_pem), ("tls.crt", leaf.cert_chain_pems[0])):
        (folder / f"{file}.new").write_bytes(pem.bytes())
        (folder / f"{file}.new").rename(folder / file)
    return {"OUTRIDER_TLS_CERT": str(folder / "tls.crt"), "OUTRIDER_TLS_KEY": str(folder / "tls.key")}


def secure(running: Sidecar, name: str, *protocols: str) -> ssl.SSLSocket:
    """Connect over TLS to a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.configure_trust(context)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", running.port), timeout=20), server_hostname=name)


def is_shown(running: Sidecar, name: str) -> bool:
    try:
        secure(running, name).close()
    except ssl.SSLCertVerificationError:
        return False
    return True


def ask(connection: ssl.SSLSocket) -> bytes:
    connection.sendall(
        b"POST /v1/models/demo:predict HTTP/1.1\r\nhost: a\r\ncontent-length: 22\r\n\r\n" + b'{"instances": [[1,2]]}'
    )
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65536)
    return answer


def test_sighup_reads_certificate_and_profile_again_and_connections_stay(tmp_path: Path, upstream: int) -> None:
    path = tmp_path / "profile.json"
    write(training_profile(), path)
    settings = issue(tmp_path, "a.example") | {"OUTRIDER_PROFILE": str(path), **FAST}
    with sidecar(tmp_path, upstream, settings) as running, secure(running, "a.example") as connection:
        assert ask(connection).endswith(b"[3]}")
        before = running.monitor()
        issue(tmp_path, "b.example")
        path.write_text(path.read_text().replace('"name":"demo"', '"name":"renewed"', 1))
        running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: is_shown(running, "b.example"), "the new certificate")
        assert ask(connection).endswith(b"[3]}")
        wait_until(lambda: "profile model=renewed" in running.log(), "the new profile")
        wait_until(lambda: running.metric("outrider_proxy_exchanges_total") >= 2, "the next monitor's metrics")
        assert running.metric("outrider_proxy_monitor_restarts_total") == 0
        assert running.monitor() != before
        assert ask(connection).endswith(b"[3]}")
        assert running.process.poll() is None
        assert "monitor died" not in running.log()


def test_many_sighups_end_nothing(tmp_path: Path, upstream: int) -> None:
    with without_monitor(tmp_path, upstream) as running:
        for _ in range(20):
            running.process.send_signal(signal.SIGHUP)
            replay(running, training(50))
        wait_until(lambda: "[+]monitor ok" in verbose(running), "a monitor")
        assert running.stop() == 0


def test_a_changed_certificate_is_found_without_a_signal(tmp_path: Path, upstream: int) -> None:
    with without_monitor(tmp_path, upstream, **issue(tmp_path, "a.example")) as running:
        assert is_shown(running, "a.example")
        issue(tmp_path, "b.example")
        wait_until(lambda: is_shown(running, "b.example"), "the new certificate")
        (tmp_path / "tls.crt").write_text("nothing")
        wait_until(lambda: "the new certificate can't be used" in running.log(), "the fault")
        assert is_shown(running, "b.example")


def test_http2_is_not_offered_for_an_upstream_that_does_not_speak_it(tmp_path: Path, upstream: int) -> None:
    with without_monitor(tmp_path, upstream, **issue(tmp_path, "a.example")) as running:
        wait_until(lambda: "clients are offered protocols=http/1.1" in running.log(), "the choice")
        with secure(running, "a.example", "h2", "http/1.1") as connection:
            assert connection.selected_alpn_protocol() == "http/1.1"
            assert ask(connection).endswith(b"[3]}")


def test_grpc_over_tls_reaches_a_plain_server_that_speaks_http2(tmp_path: Path) -> None:
    settings = issue(tmp_path, "a.example") | {"OUTRIDER_READY": "grpc:model"}
    with health_service({"": 1, "model": 1}) as port, without_monitor(tmp_path, port, **settings) as running:
        wait_until(lambda: "clients are offered protocols=h2,http/1.1" in running.log(), "the choice")
        assert readyz(running) == (200, "ready\n")
        roots = grpc.ssl_channel_credentials(AUTHORITY.cert_pem.bytes())
        names = (("grpc.ssl_target_name_override", "a.example"),)
        with grpc.secure_channel(f"127.0.0.1:{running.port}", roots, names) as channel:
            check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CHECK, None, None)
            assert check(b"", timeout=20) == b"\x08\x01"


def test_readiness_follows_the_health_service(tmp_path: Path) -> None:
    statuses = {"": 1}
    with health_service(statuses) as port, without_monitor(tmp_path, port, OUTRIDER_READY="grpc") as running:
        wait_until(lambda: readyz(running)[0] == 200, "readiness")
        statuses[""] = 2
        wait_until(lambda: readyz(running) == (503, f"upstream http://127.0.0.1:{port}: NOT_SERVING\n"), "the reason")
        statuses[""] = 1
        wait_until(lambda: readyz(running)[0] == 200, "readiness again")


# Files


def test_as_many_files_as_allowed_may_be_open(tmp_path: Path, upstream: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        with without_monitor(tmp_path, upstream) as running:
            assert psutil.Process(running.process.pid).rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
