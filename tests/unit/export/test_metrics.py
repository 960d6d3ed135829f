from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from agent.evaluate.report import Decision
from agent.export.figures import ExportCounters, Figures
from agent.export.metric import Kind, Metric
from agent.export.metrics import METRICS, markdown, observe
from agent.export.readings import DECISION_CODES, MISSING, OTHER, Buckets, Values
from agent.window.ring import BinTotals
from tests import synthetic

BY_NAME = {metric.name: metric for metric in METRICS}
by_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


def read(name: str, figures: Figures | None = None) -> dict[Values, int | float | Buckets]:
    return dict(BY_NAME[name].read(figures or synthetic.figures()))


def test_names_are_unique_in_both_worlds() -> None:
    assert len(BY_NAME) == len(METRICS)
    assert len({metric.prometheus for metric in METRICS}) == len(METRICS)


@by_metric
def test_declaration_follows_the_rules(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", metric.name)
    assert "total" not in metric.name
    assert re.fullmatch(r"s|By|1|\{[a-z]+\}", metric.unit)
    assert metric.description.endswith(".")
    assert metric.name.startswith(("outrider.", "http.server.", "process."))


@by_metric
def test_points_have_the_declared_attributes_once_each(metric: Metric) -> None:
    points = list(metric.read(synthetic.figures()))
    for values, number in points:
        assert len(values) == len(metric.attributes)
        assert isinstance(number, Buckets) is (metric.kind is Kind.HISTOGRAM)
        assert isinstance(number, int | float | Buckets)
    assert not [values for values, count in Counter(values for values, _ in points).items() if count > 1]


@by_metric
def test_nothing_to_report_is_no_error(metric: Metric) -> None:
    list(metric.read(Figures(version="0.1.0")))


@by_metric
def test_every_metric_is_observed_somewhere(metric: Metric) -> None:
    figures = replace(synthetic.figures(), exports=ExportCounters(failures={"metrics": 1}))
    assert list(metric.read(figures))


def test_segments_are_those_of_the_profile_and_the_rest_together() -> None:
    assert read("outrider.segment.rows") == {("country", "DE"): 70, ("country", "_other"): 30}
    assert read("outrider.segment.drifted_columns") == {("country", "DE"): 1}
    assert read("outrider.segment.decision") == {("country", "DE"): 2, ("country", "FR"): -1}


def test_groups_have_rates_gaps_and_bounds() -> None:
    assert read("outrider.bias.selection_rate") == {("gender", "f"): 0.25}
    assert read("outrider.bias.ratio") == {("gender", "f"): 0.37}
    assert read("outrider.bias.decision") == {("gender", "f"): 2, ("nobody", ""): -2}
    bounds = read("outrider.bias.bound")
    assert bounds["gender", "f", "difference", "lower"] == -0.6
    assert bounds["gender", "f", "ratio", "proven"] == 0.7
    assert ("gender", "f", "ratio", "upper") not in bounds


def test_duration_keeps_tunnels_out_and_names_the_error() -> None:
    found = read("http.server.request.duration")
    route = "/v1/models/{model}:predict"
    stream = "/inference.GRPCInferenceService/ModelStreamInfer"
    assert {values: sum(buckets.counts) for values, buckets in found.items() if isinstance(buckets, Buckets)} == {
        ("POST", 200, route, None): 3,
        ("POST", 200, route, "upstream_gone"): 1,
        ("POST", 500, route, "500"): 1,
        ("POST", 200, stream, "UNAVAILABLE"): 1,
    }
    good = found["POST", 200, route, None]
    assert isinstance(good, Buckets)
    assert good.sum_s == pytest.approx(0.045)


def test_points_that_share_their_attributes_are_summed() -> None:
    assert read("outrider.exchanges") == {("complete",): 5, ("upstream_gone",): 1, ("tunnel",): 1}
    assert read("outrider.request.size") == {
        ("/v1/models/{model}:predict",): 750,
        ("/inference.GRPCInferenceService/ModelStreamInfer",): 150,
        (None,): 150,
    }


def test_columns_that_a_client_invents_are_summed_up() -> None:
    assert read("outrider.violations") == {("age", "out_of_range"): 5, (OTHER, "extra"): 3}


def test_undefined_numbers_are_not_observed() -> None:
    scores = read("outrider.drift.score")
    assert ("age", "feature", "mean_shift", "training") not in scores
    assert scores["age", "feature", "psi", "training"] == 0.8
    assert read("outrider.column.unseen") == {("city", "feature"): 0.01}


def test_decisions_have_ordered_codes() -> None:
    assert [DECISION_CODES[decision] for decision in Decision] == sorted(DECISION_CODES.values())
    assert read("outrider.drift.decision")["age", "feature", "psi", "training"] == 2


def test_bins_carry_their_coarse_bin() -> None:
    rows = read("outrider.column.bin.rows")
    assert rows["age", "25.0", "30.0"] == 40
    assert rows["age", "+Inf", "+Inf"] == 390
    assert rows["age", MISSING, MISSING] == 10
    assert rows["city", "Genève", "Genève"] == 480
    coarse = Counter[str]()
    for (column, _, group), count in rows.items():
        if column == "age" and group != MISSING and isinstance(count, int):
            coarse[str(group)] += count
    expected = np.add.reduceat(synthetic.AGE_ROWS, synthetic.AGE_REFERENCE.coarse).tolist()
    assert [coarse[group] for group in ("30.0", "50.0", "+Inf")] == expected


def test_reference_bins_match_the_bins_one_to_one() -> None:
    assert read("outrider.column.bin.rows").keys() == read("outrider.column.reference.bin.rows").keys()
    assert read("outrider.column.reference.bin.rows")["city", "_unseen", "_unseen"] == 20


def test_cap_keeps_the_first_columns_and_sums_up_the_rest() -> None:
    capped = replace(synthetic.many_columns(5, bins=12), max_columns=2)
    assert {values[0] for values in read("outrider.column.bin.rows", capped)} == {"c0", "c1"}
    assert {values[0] for values in read("outrider.drift.score", capped)} == {"c0", "c1"}
    assert read("outrider.column.drifted", capped) == {("c0", "feature"): 1, ("c1", "feature"): 1, (OTHER, None): 3}
    assert read("outrider.drifted.columns", capped) == {(): 5}


def test_broken_reading_leaves_out_one_metric_and_is_counted() -> None:
    figures = replace(synthetic.figures(), totals={"age": BinTotals(("1.0",), np.array([1, 2]), 0)})
    assert observe(BY_NAME["outrider.column.bin.rows"], figures) == []
    assert observe(BY_NAME["outrider.drift.score"], figures)
    assert figures.activity.faults["export"] == 1


def test_markdown_has_a_row_per_metric() -> None:
    rows = markdown().splitlines()
    assert len(rows) == len(METRICS) + 2
    assert all(row.count("|") == 7 for row in rows)
    assert any("`outrider_column_bin_rows_total`" in row for row in rows)


def test_reading_goes_on_while_another_thread_counts() -> None:
    figures = synthetic.figures()

    def count() -> None:
        for number in range(3000):
            figures.activity.violations["age", f"kind{number}"] = 1
            figures.activity.decoded[f"format{number}"] = 1

    counting = threading.Thread(target=count)
    counting.start()
    while counting.is_alive():
        for name in ("outrider.violations", "outrider.decoded"):
            assert observe(BY_NAME[name], figures)
    assert "export" not in figures.activity.faults
    assert len(read("outrider.decoded", figures)) == 3001


def test_relations_are_told_by_their_columns() -> None:
    assert read("outrider.relation.lower_bound") == {("correlation", "age ~ income"): 0.4}
    assert read("outrider.drifted.relations") == {(): 1}
