"""One way of calling a server, through a sidecar that knows the training data: ordinary rows, then shifted ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.profile.build import build
from agent.profile.write import write
from tests.integration.real.children import answering
from tests.integration.real.errands import CALLS, ROWS, Answer, Errand
from tests.integration.real.houses import SQUARE_FEET, TRAINING_SEED, houses, prices
from tests.integration.real.servers import before
from tests.parts import free_ports, wait_until
from tests.sidecar import Sidecar, sidecar

SETTINGS = {"OUTRIDER_PANE": "500ms", "OUTRIDER_WINDOW": "2m"}
"""An evaluation twice a second, of all that was sent."""

SENT = ((2, 1.0), (3, SQUARE_FEET))
"""Seed and unit of the ordinary houses and of the shifted ones."""

CALM = {"area_m2": "ok", "age_years": "ok", "district": "ok", "prediction": "ok"}
SHIFTED = CALM | {"area_m2": "drifted", "prediction": "drifted"}
"""Areas in square feet drift, and so does what the model makes of them; nothing else does."""

Client = Callable[[Errand], list[Answer]]


@contextmanager
def client(python: Path, module: str, log: Path) -> Iterator[Client]:
    """Run a client in the environment of a server."""
    with answering([str(python), "-m", module], log) as ask:
        yield ask


@dataclass(frozen=True)
class Watched:
    """What came of one way.

    Parameters
    ----------
    direct, through
        The answers to the ordinary and to the shifted calls, from the server itself and through the sidecar.
    reports
        After the ordinary rows, and after the shifted ones.
    metrics
        The samples of ``/metrics`` at the end.
    exit_code, log
        How the sidecar ended, and what it logged.
    """

    direct: Sequence[Sequence[Answer]]
    through: Sequence[Sequence[Answer]]
    reports: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, float]
    exit_code: int
    log: str

    def check_answers(self) -> None:
        """The server answered the price of each house, and the sidecar changed nothing of it."""
        for answers, (seed, unit) in zip(self.direct, SENT, strict=True):
            found = [price for answer in answers for price in answer["prices"]]
            expected = prices(houses(ROWS, seed, unit))
            assert max(abs(one - other) for one, other in zip(found, expected, strict=True)) < 1e-6
        assert self.through == self.direct

    def check_calm(self) -> None:
        """Ordinary rows: each is seen, in the columns of the training data, and nothing drifts."""
        assert self.reports[0]["rows"] == ROWS
        assert decisions(self.reports[0]) == CALM

    def check_shifted(self) -> None:
        """Areas in square feet are found, and nothing else is."""
        assert self.reports[1]["rows"] == 2 * ROWS
        assert decisions(self.reports[1]) == SHIFTED

    def check_counts(self, format: str) -> None:
        """Each call was read, by this format; nothing is left over, and no value is wrong but those in another unit."""
        assert samples(self.metrics, "outrider_decoded_total") == {f'{{format="{format}"}}': 2 * CALLS}
        for wrong in ("undecoded", "unobserved", "faults", "proxy_faults"):
            assert samples(self.metrics, f"outrider_{wrong}_total") == {}
        in_another_unit = {f'{{column="{name}",kind="out_of_range"}}' for name in SHIFTED if SHIFTED[name] == "drifted"}
        assert samples(self.metrics, "outrider_violations_total").keys() == in_another_unit
        assert self.exit_code == 0
        assert " error " not in self.log.lower(), self.log


def samples(metrics: Mapping[str, float], name: str) -> dict[str, float]:
    """The samples of one metric by their labels, without the zeros."""
    return {sample.removeprefix(name): value for sample, value in metrics.items() if sample.partition("{")[0] == name and value}


def decisions(report: Mapping[str, Any]) -> dict[str, str]:
    """The decision on each column."""
    return {column["name"]: column["decision"] for column in report["columns"] if column["role"] != "derived"}


def watch(ask: Client, way: str, server: Sequence[int], folder: Path) -> Watched:
    """Make the calls at the server, then through a sidecar that has the profile of the training data.

    Parameters
    ----------
    server
        Its HTTP port, and its gRPC port where it has one.
    """
    errands = [Errand(way, server[0], server[-1], seed, unit) for seed, unit in SENT]
    direct = [ask(errand) for errand in errands]
    training = houses(2000, TRAINING_SEED)
    profile = folder / "profile.json"
    write(build(training | {"prediction": prices(training)}, prediction="prediction", model_name="houses"), profile)
    lanes = free_ports(len(server))
    settings = SETTINGS | before(lanes, server) | {"OUTRIDER_PROFILE": str(profile)}
    through, reports = [], []
    with sidecar(folder, server[0], settings) as running:
        for number, errand in enumerate(errands, 1):
            through.append(ask(errand._replace(http=lanes[0], grpc=lanes[-1])))
            reports.append(settled(running, number * ROWS, CALM if number == 1 else SHIFTED))
        metrics = running.metrics()
        exit_code = running.stop()
        return Watched(direct, through, reports, metrics, exit_code, running.log())


def settled(running: Sidecar, rows: int, expected: Mapping[str, str]) -> dict[str, Any]:
    """The report once all rows are in it and it says what is expected; else the last one, for the test to show."""
    reports: list[dict[str, Any]] = []

    def is_settled() -> bool:
        report = running.report()
        if report:
            reports[:] = [report]
        return bool(report) and report["rows"] >= rows and decisions(report) == expected

    try:
        wait_until(is_settled, "the report", timeout_s=20)
    except pytest.fail.Exception:
        assert reports, running.log()
    return reports[0]
