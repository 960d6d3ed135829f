"""The real sidecar in its own processes before a real server: what it finds, and what happens when something breaks."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from tests.parts import free_ports, wait_until
from tests.sidecar import ROOT, Sidecar, fetch, sidecar
from tests.traffic import FAST, PREDICT, call, connect, replay, training


def decisions(running: Sidecar) -> dict[str, str]:
    """Give the decisions on columns that are sent; the scores of whole rows follow them."""
    report = running.report()
    columns = report["columns"] if report else []
    return {column["name"]: column["decision"] for column in columns if column["role"] != "derived"}


def test_calm_traffic_is_calm_and_a_changed_unit_is_found(tmp_path: Path, upstream: int, profile: str) -> None:
    with sidecar(tmp_path, upstream, {"OUTRIDER_PROFILE": profile, **FAST}) as running:
        replay(running, training(4000))
        wait_until(lambda: (running.report() or {}).get("rows", 0) >= 4000, "4,000 rows in a report")
        time.sleep(2)
        assert set(decisions(running).values()) == {"ok"}
        pounds = training(4000)
        pounds[:, 1] *= 2.2
        replay(running, pounds)
        found = {"age": "ok", "weight": "drifted", "ratio": "ok", "prediction": "drifted"}
        wait_until(lambda: decisions(running) == found, "just the columns that changed")
        weight = next(column for column in running.report()["columns"] if column["name"] == "weight")
        assert "weight" in running.log()
        assert weight["reason"]
        metrics = running.metrics()
        assert metrics['outrider_column_drifted{column="weight",role="feature"}'] == 1
        assert running.metric("outrider_rows") == 8000


def test_without_a_profile_the_first_rows_are_the_reference(tmp_path: Path, upstream: int) -> None:
    with sidecar(tmp_path, upstream, {"OUTRIDER_WARMUP_ROWS": "1500", **FAST}) as running:
        replay(running, training(1500))
        wait_until(lambda: "learned a reference" in running.log(), "the reference")
        shifted = training(3000)
        shifted[:, 0] += 3
        replay(running, shifted)
        wait_until(lambda: decisions(running).get("feature_0") == "drifted", "drift against the learned reference")
        assert decisions(running)["feature_2"] == "ok"


def test_the_window_survives_a_restart(tmp_path: Path, upstream: int, profile: str) -> None:
    settings = {"OUTRIDER_PROFILE": profile, "OUTRIDER_STATE_DIR": str(tmp_path / "state"), **FAST}
    with sidecar(tmp_path, upstream, settings) as running:
        replay(running, training(1000))
        wait_until(lambda: (running.report() or {}).get("rows") == 1000, "1,000 rows in a report")
        assert running.stop() == 0
    with sidecar(tmp_path, upstream, settings) as running:
        wait_until(lambda: (running.report() or {}).get("rows") == 1000, "the rows of the last run")


class Load(threading.Thread):
    """Calls over and over on its own connection, and notes what went wrong and how long each call took."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.failures: list[str] = []
        self.durations_s: list[float] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def run(self) -> None:
        with closing(self._connection):
            self._call_on()

    def _call_on(self) -> None:
        while not self.stopping.is_set():
            start = time.perf_counter()
            try:
                status, _ = call(self._connection, [[5.0, 100.0, 0.5]])
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                return
            self.durations_s.append(time.perf_counter() - start)
            if status != 200:
                self.failures.append(str(status))

    def finish(self) -> None:
        self.stopping.set()
        self.join(20)


def test_a_killed_monitor_costs_no_request_comes_back_and_its_loss_is_counted(
    tmp_path: Path, upstream: int, profile: str
) -> None:
    with sidecar(tmp_path, upstream, {"OUTRIDER_PROFILE": profile, **FAST}) as running:
        loads = [Load(running.port) for _ in range(4)]
        for load in loads:
            load.start()
        time.sleep(1)
        monitor = running.monitor()
        assert monitor is not None
        monitor.kill()
        wait_until(lambda: running.metric("outrider_proxy_monitor_restarts_total") == 1, "the next monitor")
        time.sleep(0.5)
        for load in loads:
            load.finish()
        assert [load.failures for load in loads] == [[]] * 4
        durations = np.array([duration for load in loads for duration in load.durations_s])
        assert durations.max() < 1.0, "no call waited for the monitor"
        sent = len(durations)
        wait_until(lambda: running.metric("outrider_proxy_exchanges_total") == sent, f"{sent} exchanges")
        assert running.metric("outrider_proxy_records_dropped_total") > 0
        assert "monitor died; inference goes on without it" in running.log()


def test_sigterm_fails_readiness_finishes_what_is_under_way_and_exits_0(tmp_path: Path, upstream: int, profile: str) -> None:
    with sidecar(tmp_path, upstream, {"OUTRIDER_PROFILE": profile, "OUTRIDER_DRAIN_DELAY": "500ms", **FAST}) as running:
        slow: list[tuple[int, bytes]] = []

        def call_slowly() -> None:
            with closing(connect(running)) as connection:
                slow.append(call(connection, [[1.0, 2.0, 3.0]], "/v1/models/demo:predict/slow"))

        thread = threading.Thread(target=call_slowly)
        thread.start()
        time.sleep(0.2)
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: (fetch(running.health, "/readyz") or (0,))[0] == 503, "failing readiness")
        replay(running, training(50))  # new connections are still taken during the delay
        assert running.process.wait(20) == 0
        thread.join()
        assert slow == [(200, b'{"predictions": [6.0]}')]
        assert "stopped exchanges=2 records_dropped=0" in running.log()


def run_and_wait(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent", "run"]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=20)


def test_all_configuration_faults_come_at_once_and_exit_2(tmp_path: Path) -> None:
    environ = {
        "OUTRIDER_LISTEN": "nowhere",
        "OUTRIDER_WINDOW": "soon",
        "OUTRIDER_PSY": "0.1",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_TRACES_SAMPLER": "sometimes",
    }
    result = subprocess.run(
        [sys.executable, "-m", "agent", "run"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert [line.split("=")[0].removeprefix("outrider: ") for line in lines[:2]] == ["OUTRIDER_LISTEN", "OUTRIDER_WINDOW"]
    assert "OUTRIDER_PSY" in lines[2]
    assert "OTEL_TRACES_SAMPLER" in lines[3]


def test_a_port_in_use_is_a_fault_with_its_name(tmp_path: Path, upstream: int) -> None:
    environ = {"OUTRIDER_LISTEN": f"127.0.0.1:{upstream}", "OUTRIDER_HEALTH": f"127.0.0.1:{free_ports(1)[0]}"}
    result = subprocess.run(
        [sys.executable, "-m", "agent", "run"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "OUTRIDER_LISTEN" in result.stderr


def bad_profile(tmp_path: Path) -> str:
    path = tmp_path / "bad.json"
    path.write_text('{"format": "outrider-profile/1", "model": {}, "rows": "many", "columns": []}')
    return str(path)


def test_a_bad_profile_leaves_inference_alone(tmp_path: Path, upstream: int) -> None:
    with sidecar(tmp_path, upstream, {"OUTRIDER_PROFILE": bad_profile(tmp_path), **FAST}) as running:
        replay(running, training(200))
        wait_until(lambda: running.metric('outrider_faults_total{stage="profile"}') == 1, "the counted fault")
        wait_until(lambda: running.metric("outrider_rows_total") == 200, "the rows")
        assert running.log().count("the profile can't be used") == 1
        assert "rows" in running.log()


BAD_BODIES = [
    b'{"instances": [[1, 2, 3]',
    b"\xff\xfe",
    b"[]",
    b'{"instances": 7}',
    b'{"instances": [[1, 2], [3]]}',
    b"{" * 50_000,
]


def test_bad_bodies_are_relayed_and_counted(tmp_path: Path, upstream: int, profile: str) -> None:
    with sidecar(tmp_path, upstream, {"OUTRIDER_PROFILE": profile, "OUTRIDER_CAPTURE_BYTES": "64KiB", **FAST}) as running:
        with closing(connect(running)) as connection:
            for body in BAD_BODIES:
                connection.request("POST", PREDICT, body, {"Content-Type": "application/json"})
                connection.getresponse().read()
            assert call(connection, [[1.0] * 3] * 20_000)[0] == 200
            assert call(connection, [[1.0, 2.0, 3.0, 4.0]])[0] == 200
        wait_until(lambda: running.metric("outrider_exchanges_total") == len(BAD_BODIES) + 2, "all exchanges")
        wait_until(lambda: running.metric("outrider_violations_total") >= 1, "the wrong shape")
        assert running.metric('outrider_unobserved_total{reason="truncated"}') >= 1
        assert running.metric("outrider_faults_total") == 0
        replay(running, training(50))


def test_a_silent_upstream_holds_nobody_else_up(tmp_path: Path, upstream: int, profile: str) -> None:
    settings = {"OUTRIDER_PROFILE": profile, "OUTRIDER_DRAIN_TIMEOUT": "0s", **FAST}
    with sidecar(tmp_path, upstream, settings) as running, closing(connect(running)) as silent:
        silent.request("POST", "/silent", b'{"instances": []}')
        replay(running, training(500))
        wait_until(lambda: running.metric("outrider_rows_total") == 500, "the rows of the others")


def test_a_dead_collector_is_said_once_and_does_not_hang_the_end(tmp_path: Path, upstream: int, profile: str) -> None:
    settings = {
        "OUTRIDER_PROFILE": profile,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_ports(1)[0]}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        **FAST,
    }
    with sidecar(tmp_path, upstream, settings) as running:
        replay(running, training(500))
        wait_until(lambda: running.metric("outrider_export_failures_total") >= 2, "counted failures")
        started = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - started < 10
        assert running.log().count("Traceback") == 0
        assert 1 <= running.log().count("fail") <= 3


def test_a_taken_admin_port_costs_only_the_admin_server(tmp_path: Path, upstream: int, profile: str) -> None:
    settings = {"OUTRIDER_PROFILE": profile, "OUTRIDER_ADMIN": f"127.0.0.1:{upstream}", **FAST}
    with sidecar(tmp_path, upstream, settings, wait_for_monitor=False) as running:
        wait_until(lambda: "no admin server" in running.log(), "the log line")
        replay(running, training(50))
        assert running.stop() == 0
