from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent import spelling
from agent.config import SETTINGS, load
from tests.bench.detect.methods import Way
from tests.bench.detect.outrider import REDUNDANT, scaled_tolerances
from tests.bench.detect.power import Effort, Power, _best, _kept

INF = float("inf")


def power(name: str, delays: list[float], window: int = 100) -> Power:
    return Power(name, window, 0.0, 0.0, 20, {"change": delays})


def test_a_change_found_in_less_than_half_of_the_runs_has_no_typical_delay() -> None:
    some = power("scipy", [10.0, INF, INF])
    assert some.typical("change") == INF
    assert some.found("change") == pytest.approx(1 / 3)


def test_without_a_run_nothing_was_found() -> None:
    assert power("scipy", []).typical("change") == INF
    assert power("scipy", []).found("change") == 0.0


def test_the_best_peer_is_no_peer_of_itself() -> None:
    results = [power("Outrider", [1.0]), power("scipy", [30.0], 100), power("scipy", [20.0], 300), power("whylogs", [INF])]
    assert _best("change", results) is results[2]
    assert _best("change", [results[0], results[3]]) is None


def test_results_that_are_kept_are_not_measured_again(tmp_path: Path) -> None:
    found = {"name": "gone", "window": 100, "alpha": 0.0, "rate": 0.05, "stationary": 20, "delays": {"change": [5.0, INF]}}
    (tmp_path / "gone 100 20 7.json").write_text(json.dumps(found))
    again = _kept(Way("gone", "no_such_module"), 100, Effort(20, 7, tmp_path))
    np.testing.assert_array_equal(again.delays["change"], [5.0, INF])


def test_every_tolerance_is_scaled_or_off() -> None:
    settings, defaults = load(scaled_tolerances(0.001, REDUNDANT)), load({})
    fields = [setting.field for setting in SETTINGS if setting.parse is spelling.tolerance]
    ratios = {field: getattr(settings, field) / getattr(defaults, field) for field in fields}
    assert sorted(field.upper() for field, ratio in ratios.items() if ratio == INF) == sorted(REDUNDANT)
    assert {round(ratio, 9) for ratio in ratios.values()} == {0.001, INF}
