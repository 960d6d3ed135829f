"""MLServer and Triton behind a sidecar that knows the training data: what the report says of their traffic, in every encoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.profile.build import build
from agent.profile.write import write
from tests.integration.real.environments import MLSERVER, TRITON
from tests.integration.real.errands import ROWS, ROWS_OF_A_CALL, Answer, Errand
from tests.integration.real.flower_calls import COLUMNS, MILLIMETRES, SHIFTED_ROWS, flowers
from tests.integration.real.servers import Ports, before, mlserver, triton
from tests.integration.real.watched import SETTINGS, Client, client, decisions, samples, settled
from tests.parts import free_ports, wait_until
from tests.sidecar import Sidecar, sidecar

pytestmark = pytest.mark.timeout(1200)  # the first time, the environments are installed

SERVERS = {"mlserver": (MLSERVER, mlserver), "triton": (TRITON, triton)}
WAYS = {"mlserver": ("json", "gzip", "grpc"), "triton": ("json", "gzip", "binary", "grpc")}
CALM = dict.fromkeys((*COLUMNS, "prediction"), "ok")
DRIFTED = CALM | {"petal_length": "drifted", "prediction": "drifted"}


class Server(NamedTuple):
    """A running server, a client in its environment, and the profile of what its model was asked and answered in training."""

    name: str
    ports: Ports
    ask: Client
    profile: str


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp(request.param)
    environment, serve = SERVERS[request.param]
    python = environment.require()
    with serve(folder) as ports, client(python, "tests.integration.real.flower_calls", folder / "client.log") as ask:
        training = Errand("training", ports.http, ports.grpc, seed=1)
        (answer,) = ask(training)
        columns = dict(zip(COLUMNS, flowers(training).T.astype(float), strict=True))
        profile = folder / "profile.json"
        write(build(columns | {"prediction": answer["classes"]}, prediction="prediction", model_name="iris"), profile)
        yield Server(request.param, ports, ask, str(profile))


@contextmanager
def watching(server: Server, folder: Path) -> Iterator[tuple[Sidecar, Ports]]:
    """Run a sidecar before both ports."""
    lanes = Ports(*free_ports(2))
    settings = SETTINGS | before(lanes, server.ports) | {"OUTRIDER_PROFILE": server.profile}
    with sidecar(folder, server.ports.http, settings) as running:
        yield running, lanes


def ask_both(server: Server, lanes: Ports, errand: Errand) -> list[Answer]:
    """Call the server itself and through the sidecar: nothing of any answer changes."""
    through = server.ask(errand._replace(http=lanes.http, grpc=lanes.grpc))
    assert through == server.ask(errand._replace(http=server.ports.http, grpc=server.ports.grpc))
    return through


@pytest.mark.parametrize("way", ["json", "gzip", "binary", "grpc"])
def test_the_report_tells_ordinary_flowers_from_shifted_ones(server: Server, way: str, tmp_path: Path) -> None:
    if way not in WAYS[server.name]:
        pytest.skip(f"{server.name} refuses {way} tensors; another test says how that counts")
    with watching(server, tmp_path) as (running, lanes):
        ordinary = ask_both(server, lanes, Errand(way, 0, 0, seed=2))
        calm = settled(running, ROWS, CALM)
        assert (calm["rows"], calm["decision"], calm["model"], decisions(calm)) == (ROWS, "ok", "iris", CALM)
        columns = [column for column in calm["columns"] if column["role"] != "derived"]
        assert {column["name"]: column["rows"] for column in columns} == dict.fromkeys(CALM, ROWS)
        assert [column["violations"] for column in columns] == [{}] * len(CALM)

        shifted = ask_both(server, lanes, Errand(way, 0, 0, seed=3, unit=MILLIMETRES))
        drifted = settled(running, ROWS + SHIFTED_ROWS, DRIFTED)
        assert (drifted["rows"], drifted["decision"], decisions(drifted)) == (ROWS + SHIFTED_ROWS, "drifted", DRIFTED)

        metrics = running.metrics()
        calls = (ROWS + SHIFTED_ROWS) // ROWS_OF_A_CALL
        assert len(ordinary) + len(shifted) == calls
        assert samples(metrics, "outrider_decoded_total") == {'{format="open-inference"}': calls}
        assert samples(metrics, "outrider_rows_total") == {'{format="open-inference"}': ROWS + SHIFTED_ROWS}
        for nothing in ("outrider_undecoded_total", "outrider_unobserved_total", "outrider_faults_total"):
            assert samples(metrics, nothing) == {}
        assert running.stop() == 0
        assert " error " not in running.log().lower()


def test_the_mean_of_each_column_is_that_of_what_was_sent(server: Server, tmp_path: Path) -> None:
    with watching(server, tmp_path) as (running, lanes):
        sent = [Errand(way, 0, 0, seed=seed) for seed, way in enumerate(WAYS[server.name], 10)]
        for errand in sent:
            ask_both(server, lanes, errand)
        report = settled(running, ROWS * len(sent), CALM)
    means = sum(flowers(errand).astype(float).mean(axis=0) for errand in sent) / len(sent)
    assert [column["mean"] for column in report["columns"] if column["role"] == "feature"] == pytest.approx(list(means))


def test_calls_that_the_server_refuses_are_no_traffic(server: Server, tmp_path: Path) -> None:
    if server.name != "mlserver":
        pytest.skip("Triton refuses none of them")
    with watching(server, tmp_path) as (running, lanes):
        answers = ask_both(server, lanes, Errand("binary", 0, 0, seed=2))
        assert answers == [{"status": "422"}] * (ROWS // ROWS_OF_A_CALL)
        refused = {'{reason="status"}': len(answers)}
        wait_until(lambda: samples(running.metrics(), "outrider_unobserved_total") == refused, "all refused calls are counted")
        assert samples(running.metrics(), "outrider_decoded_total") == {}
        assert samples(running.metrics(), "outrider_undecoded_total") == {}
