"""MLflow behind the sidecar, called by its own client and by hand: what the rows were is known, and no answer changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.parts_examples import EXAMPLES, run_elsewhere
from tests.integration.real.environments import MLFLOW
from tests.integration.real.servers import mlflow
from tests.integration.real.watched import Client, Watched, client, watch

pytestmark = pytest.mark.timeout(1200)  # the first time, its environment is installed

WAYS = ("client", "client_params", "split", "records", "instances", "inputs", "csv")
"""All in ``mlflow_clients``."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mlflow(tmp_path_factory.mktemp("mlflow")) as port:
        yield port


@pytest.fixture(scope="module")
def ask(server: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    log = tmp_path_factory.mktemp("client") / "client.log"
    with client(MLFLOW.python, "tests.integration.real.mlflow_clients", log) as asking:
        yield asking


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def watched(server: int, ask: Client, way: str, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return watch(ask, way, [server], tmp_path_factory.mktemp("sidecar"))


def test_answers_are_right_and_the_same_through_the_sidecar(watched: Watched) -> None:
    watched.check_answers()


def test_ordinary_rows_are_seen_and_ok(watched: Watched) -> None:
    watched.check_calm()


def test_areas_in_square_feet_drift(watched: Watched) -> None:
    watched.check_shifted()


def test_each_call_is_read(watched: Watched) -> None:
    watched.check_counts("invocations")


def test_the_example_finds_the_other_unit(tmp_path: Path) -> None:
    printed = run_elsewhere(tmp_path, "mlflow", programs=[MLFLOW.require().parent])
    calm, shifted = re.findall(r"^(\w+): \d+ rows in the window$", printed, re.MULTILINE)
    assert (calm, shifted) == ("ok", "drifted")
    assert re.findall(r"^  (\w+) +drifted ", printed, re.MULTILINE) == ["area_m2", "price"]
    readme = (EXAMPLES / "mlflow" / "README.md").read_text()
    for text in (printed, readme):
        read = re.findall(r"^outrider_(\w+)_total\{format=\"([\w-]+)\"", text, re.MULTILINE)
        assert read == [(what, name) for what in ("decoded", "rows") for name in ("invocations",)]
