"""A real Prometheus scrapes the real admin server and answers questions about drift."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.admin.app import Sources, make_app
from agent.admin.server import AdminServer
from agent.export import prometheus as text
from agent.export.figures import Figures
from agent.sketch.summary import CategorySummary, NumericSummary
from agent.spelling import Address
from agent.stats.drift.psi import psi
from agent.window.ring import BinTotals
from tests import synthetic
from tests.integration.parts_telemetry import Prometheus, prometheus
from tests.parts import program, serving, wait_until

ROWS = 'sum by (column, coarse) (outrider_column_bin_rows_total{bin!="_missing"})'
TRAINING = 'sum by (column, coarse) (max by (column, bin, coarse) (outrider_column_reference_bin_rows{bin!="_missing"}))'


def share(rows: str) -> str:
    """The share of each coarse bin, one row added to every bin as our own PSI does."""
    return f"({rows} + 1) / on (column) group_left () (sum by (column) ({rows}) + count by (column) ({rows}))"


PSI = f"sum by (column) (({share(ROWS)} - {share(TRAINING)}) * ln(({share(ROWS)}) / ({share(TRAINING)})))"


def served(figures: Figures) -> AdminServer:
    sources = Sources(
        report=lambda: figures.report,
        profile=lambda: None,
        metrics=lambda accept: text.render(figures, accept, {"service.name": "outrider"}),
        faults={},
    )
    return AdminServer(make_app(sources), Address("127.0.0.1", 0))


def pod(part: int, of: int) -> Figures:
    """One pod of several that together saw all rows."""
    totals = {
        name: BinTotals(whole.labels, np.array([(n + part) // of for n in whole.counts], dtype=np.int64), whole.missing)
        for name, whole in synthetic.totals().items()
    }
    return replace(synthetic.figures(), totals=totals)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Two pods behind one Prometheus."""
    pods = [pod(0, 2), pod(1, 2)]
    servers = [served(figures) for figures in pods]
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(serving(server))
        ports = [server.address.port for server in servers]
        found = stack.enter_context(prometheus(ports, tmp_path_factory.mktemp("prometheus")))
        wait_until(lambda: len(found.get("query", query="outrider_decision")["result"]) == 2, "both pods scraped")
        yield found


def labels(**pairs: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(pairs.items()))


def cells_of(summary: NumericSummary | CategorySummary) -> NDArray[np.int64]:
    """Give the rows of each coarse bin, or of each category with the unseen ones last."""
    if isinstance(summary, NumericSummary):
        return np.add.reduceat(summary.bin_counts, summary.coarse)
    return np.append(summary.counts, np.int64(summary.unseen))


def test_both_pods_are_healthy_targets(fleet: Prometheus) -> None:
    targets = fleet.get("targets")["activeTargets"]
    assert [(target["health"], target["lastError"]) for target in targets] == [("up", ""), ("up", "")]


def test_drifted_column_is_found_by_query(fleet: Prometheus) -> None:
    drifted = fleet.query("max by (column, role) (outrider_column_drifted) == 1")
    assert drifted == {labels(column="age", role="feature"): 1.0}


def test_score_stands_beside_its_threshold(fleet: Prometheus) -> None:
    over = fleet.query("max by (column, statistic) (outrider_drift_lower_bound > outrider_drift_threshold)")
    assert over == {labels(column="age", statistic="psi"): 0.6}


def test_fleet_psi_in_promql_equals_our_own(fleet: Prometheus) -> None:
    found = fleet.query(PSI)
    age = replace(synthetic.AGE_REFERENCE, bin_counts=synthetic.AGE_ROWS)
    city = replace(synthetic.CITY_REFERENCE, counts=synthetic.CITY_ROWS[:-1], unseen=int(synthetic.CITY_ROWS[-1]))
    pairs: list[tuple[str, NumericSummary | CategorySummary, NumericSummary | CategorySummary]] = [
        ("age", age, synthetic.AGE_REFERENCE),
        ("city", city, synthetic.CITY_REFERENCE),
    ]
    for column, current, reference in pairs:
        ours = psi(cells_of(current), cells_of(reference), 0.05)
        assert found[labels(column=column)] == pytest.approx(ours.value.item(), rel=1e-9)
    assert found[labels(column="age")] > 0.5
    assert found[labels(column="city")] < 0.1


def test_ks_distance_in_promql(fleet: Prometheus) -> None:
    upto = 'sum by (column) (outrider_column_bin_rows_total{column="age",bin=~"25.0|30.0"})'
    whole = 'sum by (column) (outrider_column_bin_rows_total{column="age",bin!="_missing"})'
    below = fleet.query(f"{upto} / {whole}")[labels(column="age")]
    assert below == pytest.approx(synthetic.AGE_ROWS[:2].sum() / synthetic.AGE_ROWS.sum())


def test_latency_quantile_comes_from_the_buckets(fleet: Prometheus) -> None:
    by_route = 'sum by (le) (http_server_request_duration_seconds_bucket{error_type=""})'
    median = fleet.query(f"histogram_quantile(0.5, {by_route})")
    assert 0.0025 <= median[()] <= 0.005


def test_metadata_has_type_and_help(fleet: Prometheus) -> None:
    # OpenMetrics, which Prometheus asks for, names a counter without its suffix.
    metadata = fleet.get("metadata")
    assert metadata["outrider_drift_score"][0]["type"] == "gauge"
    assert metadata["http_server_request_duration_seconds"][0]["type"] == "histogram"
    assert metadata["outrider_column_bin_rows"][0]["type"] == "counter"
    assert metadata["outrider_drift_score"][0]["help"]


def test_promtool_has_no_complaint() -> None:
    body, _ = text.render(synthetic.figures(), "", {"service.name": "outrider"})
    check = subprocess.run([program("promtool"), "check", "metrics"], input=body, capture_output=True, timeout=30, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")
