"""LitServe behind the sidecar, on a route of its own: what `outrider routes suggest` makes of its OpenAPI document is enough."""

from __future__ import annotations

import http.client
import json
import random
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.profile.build import build
from agent.profile.write import write
from tests.integration.real.houses import SQUARE_FEET
from tests.integration.real.servers import litserve
from tests.integration.real.watched import SETTINGS, decisions, settled
from tests.parts import wait_until
from tests.sidecar import ROOT, fetch, sidecar

pytestmark = pytest.mark.timeout(1200)  # the first time, its environment is installed

House = dict[str, float]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with litserve(tmp_path_factory.mktemp("litserve")) as port:
        yield port


@pytest.fixture(scope="module")
def routes(server: int) -> str:
    """What the command prints, as a shell takes it."""
    found = fetch(server, "/openapi.json")
    assert found is not None
    command = [sys.executable, "-m", "agent", "routes", "suggest", "-"]
    printed = subprocess.run(command, input=found[1], capture_output=True, check=True, cwd=ROOT).stdout.decode()
    (setting,) = shlex.split(printed, comments=True)
    name, _, value = setting.partition("=")
    assert name == "OUTRIDER_ROUTES"
    return value


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("profile") / "profile.json"
    training = houses(2000, seed=1)
    columns = {name: [house[name] for house in training] for name in training[0]}
    write(build(columns | {"price": [price(house) for house in training]}, prediction="price", model_name="houses"), path)
    return str(path)


def houses(rows: int, seed: int, unit: float = 1.0) -> list[House]:
    draw = random.Random(seed)
    return [{"area_m2": round(draw.lognormvariate(4.6, 0.4) * unit, 1), "age_years": draw.randint(0, 80)} for _ in range(rows)]


def price(house: House) -> float:
    return 40 + 2.5 * house["area_m2"] - 0.6 * house["age_years"]


def ask(port: int, rows: list[House], batch: int = 10) -> list[tuple[int, bytes]]:
    answers = []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        for start in range(0, len(rows), batch):
            body = json.dumps({"houses": rows[start : start + batch]})
            connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
            with connection.getresponse() as response:
                answers.append((response.status, response.read()))
    return answers


def test_the_suggestion_names_rows_and_answers(routes: str) -> None:
    assert routes == "/predict inputs=$.houses outputs=$.prices"


def test_the_report_has_the_columns_of_the_servers_own_schema(server: int, routes: str, profile: str, tmp_path: Path) -> None:
    calm = {"area_m2": "ok", "age_years": "ok", "price": "ok"}
    drifted = calm | {"area_m2": "drifted", "price": "drifted"}
    with sidecar(tmp_path, server, SETTINGS | {"OUTRIDER_ROUTES": routes, "OUTRIDER_PROFILE": profile}) as running:
        ordinary = houses(300, seed=2)
        answers = ask(running.port, ordinary)
        assert answers == ask(server, ordinary)
        assert [found for _, body in answers for found in json.loads(body)["prices"]] == pytest.approx(list(map(price, ordinary)))

        report = settled(running, 300, calm)
        assert (report["rows"], decisions(report)) == (300, calm)
        wait_until(lambda: running.report()["decision"] == "ok", "the window is ok")
        columns = {column["name"]: column for column in running.report()["columns"] if column["role"] != "derived"}
        assert {name: column["violations"] for name, column in columns.items()} == {name: {} for name in calm}
        assert columns["price"]["mean"] == pytest.approx(sum(map(price, ordinary)) / 300)

        assert {status for status, _ in ask(running.port, houses(300, seed=3, unit=SQUARE_FEET))} == {200}
        report = settled(running, 600, drifted)
        assert (report["rows"], decisions(report)) == (600, drifted)
        assert running.metric('outrider_decoded_total{format="custom"}') == 60
        assert running.metric("outrider_undecoded_total") == 0
        assert running.stop() == 0
        assert " error " not in running.log().lower()


def test_without_the_suggestion_nothing_of_it_is_read(server: int, profile: str, tmp_path: Path) -> None:
    with sidecar(tmp_path, server, SETTINGS | {"OUTRIDER_PROFILE": profile}) as running:
        ask(running.port, houses(50, seed=2))
        wait_until(lambda: running.metric("outrider_exchanges_total") == 5, "all calls are counted")
        assert running.metric("outrider_decoded_total") == 0
        assert running.report() is None or running.report()["rows"] == 0


def test_what_the_server_refuses_is_no_row(server: int, routes: str, tmp_path: Path) -> None:
    with sidecar(tmp_path, server, SETTINGS | {"OUTRIDER_ROUTES": routes}) as running:
        ((status, _),) = ask(running.port, [{"area_m2": 50.0}])
        assert status == 422
        wait_until(lambda: running.metric('outrider_unobserved_total{reason="status"}') == 1, "the refused call is counted")
        assert running.metric("outrider_decoded_total") == 0
