"""KServe behind the sidecar, called by its own clients: what the rows were is known, and no answer changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.parts_examples import EXAMPLES, run_elsewhere
from tests.integration.real.environments import KSERVE
from tests.integration.real.servers import Ports, kserve
from tests.integration.real.watched import Client, Watched, client, watch

pytestmark = pytest.mark.timeout(1200)  # the first time, its environment is installed

V1, V2 = "kserve-v1", "open-inference"
WAYS = {
    "v1": V1,
    "v1_event_binary": V1,
    "v1_event_structured": V1,
    "v2": V2,
    "v2_binary": V2,
    "grpc": V2,
    "grpc_binary": V2,
}
"""All in ``kserve_clients``, and the format that reads them."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    with kserve(tmp_path_factory.mktemp("kserve")) as ports:
        yield ports


@pytest.fixture(scope="module")
def ask(server: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    log = tmp_path_factory.mktemp("client") / "client.log"
    with client(KSERVE.python, "tests.integration.real.kserve_clients", log) as asking:
        yield asking


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def watched(server: Ports, ask: Client, way: str, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return watch(ask, way, server, tmp_path_factory.mktemp("sidecar"))


def test_answers_are_right_and_the_same_through_the_sidecar(watched: Watched) -> None:
    watched.check_answers()


def test_ordinary_rows_are_seen_and_ok(watched: Watched) -> None:
    watched.check_calm()


def test_areas_in_square_feet_drift(watched: Watched) -> None:
    watched.check_shifted()


def test_each_call_is_read(watched: Watched, way: str) -> None:
    watched.check_counts(WAYS[way])


def test_the_example_finds_the_other_unit(tmp_path: Path) -> None:
    printed = run_elsewhere(tmp_path, "kserve", programs=[KSERVE.require().parent])
    calm, shifted = re.findall(r"^(\w+): \d+ rows in the window$", printed, re.MULTILINE)
    assert (calm, shifted) == ("ok", "drifted")
    assert re.findall(r"^  (\w+) +drifted ", printed, re.MULTILINE) == ["area_m2", "price"]
    readme = (EXAMPLES / "kserve" / "README.md").read_text()
    for text in (printed, readme):
        read = re.findall(r"^outrider_(\w+)_total\{format=\"([\w-]+)\"", text, re.MULTILINE)
        assert read == [(what, name) for what in ("decoded", "rows") for name in (V1, V2)]
