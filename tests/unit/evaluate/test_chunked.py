from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.config import load
from agent.evaluate.chunked import threshold_of
from agent.evaluate.decide import Streaks
from agent.evaluate.evaluate import evaluate
from agent.evaluate.report import Decision
from agent.evaluate.rule import Rule
from agent.evaluate.tolerance import Tolerated
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from tests.windows import window_of

RULE = Rule.from_settings(load({"OUTRIDER_AGAINST": "training,before"}))
HOURS = 24 * 14
ROWS = 200


def week(rng: np.random.Generator, hours: int = HOURS, start: int = 0) -> dict[str, NDArray[np.generic]]:
    """Traffic with the time of day in it: `load` follows it, `size` does not, `plan` is another at night."""
    hour = np.repeat(np.arange(start, start + hours), ROWS)
    day = np.sin(2 * np.pi * hour / 24)
    night = rng.random(hour.size) < 0.5 - 0.4 * day
    return {
        "load": rng.normal(10 + 4 * day, 2),
        "size": rng.lognormal(0, 1, hour.size),
        "plan": np.where(night, "batch", "live").astype(object),
    }


@pytest.fixture(scope="module")
def schemas() -> tuple[Schema, Schema]:
    """The same training data, cut into hours and not cut."""
    data = week(np.random.default_rng(1))
    return schema_of(build(data, chunk=str(ROWS))), schema_of(build(data))


def flagged(schema: Schema, hours: range, rng: np.random.Generator, shift: float = 0.0) -> set[str]:
    found: set[str] = set()
    for hour in hours:
        columns = week(rng, 1, hour)
        columns["size"] = columns["size"] * np.exp(shift)
        report, _ = evaluate(window_of(schema, [columns]), schema, RULE, Streaks(), {}, 0)
        found |= {column.name for column in report.columns if column.decision in (Decision.SUSPECT, Decision.DRIFTED)}
    return found


def test_the_time_of_day_is_no_drift_where_training_was_cut(schemas: tuple[Schema, Schema]) -> None:
    cut, whole = schemas
    assert flagged(whole, range(24), np.random.default_rng(2)) >= {"load", "plan"}
    assert flagged(cut, range(24), np.random.default_rng(2)).isdisjoint({"load", "plan", "size"})


def test_a_column_that_does_not_follow_it_keeps_its_tolerance(schemas: tuple[Schema, Schema]) -> None:
    cut, _ = schemas
    tolerated = Tolerated(RULE, cut)
    load_ks, size_ks = tolerated.thresholds("training", "ks", tolerated.layout.numeric)[:2]
    assert load_ks > 0.4
    assert size_ks == pytest.approx(0.1, abs=0.03)
    assert "size" in flagged(cut, range(3), np.random.default_rng(3), shift=1.0)


def test_chunks_never_make_a_column_less_tolerant(schemas: tuple[Schema, Schema]) -> None:
    cut, whole = schemas
    with_chunks, without = Tolerated(RULE, cut), Tolerated(RULE, whole)
    for statistic in ("psi", "js", "missing", "mean_shift", "variance", "wasserstein", "out_of_range"):
        places = with_chunks.layout.numeric
        assert (with_chunks.thresholds("training", statistic, places) >= without.thresholds("training", statistic, places)).all()


def test_what_is_switched_off_stays_off(schemas: tuple[Schema, Schema]) -> None:
    cut, _ = schemas
    tolerated = Tolerated(Rule.from_settings(load({"OUTRIDER_KS": "off"})), cut)
    assert np.isinf(tolerated.thresholds("training", "ks", tolerated.layout.numeric)).all()


def test_neighbouring_chunks_say_what_is_sudden(schemas: tuple[Schema, Schema]) -> None:
    cut, _ = schemas
    tolerated = Tolerated(RULE, cut)
    places = tolerated.layout.numeric
    before, training = (tolerated.thresholds(name, "mean_shift", places)[0] for name in ("before", "training"))
    assert 0.25 < before < training


def test_fewer_than_six_chunks_say_nothing() -> None:
    data = week(np.random.default_rng(4), 5)
    tolerated = Tolerated(RULE, schema_of(build(data, chunk=str(ROWS))))
    assert tolerated.thresholds("training", "ks", tolerated.layout.numeric)[0] == 0.1


def test_small_chunks_of_independent_rows_raise_little() -> None:
    rng = np.random.default_rng(5)
    data = {"x": rng.normal(size=3000), "y": rng.exponential(size=3000)}
    tolerated = Tolerated(RULE, schema_of(build(data, chunk="50")))
    places = tolerated.layout.numeric[:2]
    assert tolerated.thresholds("training", "wasserstein", places).max() < 0.25
    assert tolerated.thresholds("training", "variance", places).max() < 0.6
    assert tolerated.thresholds("training", "mean_shift", places).max() < 0.5


@pytest.mark.parametrize("crest", [0.15, 0.24, 0.5])
def test_a_wave_that_hides_in_the_chance_of_small_chunks_is_tolerated_at_its_crest(crest: float) -> None:
    """Hours of 120 rows have means that chance moves by 0.09; those of busy traffic show the wave and nothing else."""
    hours = np.repeat(np.arange(14 * 24), 120)
    wave = crest * np.cos(2 * np.pi * hours / 24)
    data = {"x": np.random.default_rng(6).normal(size=hours.size) + wave}
    tolerated = Tolerated(RULE, schema_of(build(data, chunk="120")))
    sigma = np.sqrt(1 + crest**2 / 2)
    for statistic in ("wasserstein", "mean_shift"):
        assert tolerated.thresholds("training", statistic, (0,))[0] > crest / sigma


def test_patterns_that_no_column_fits_are_told(schemas: tuple[Schema, Schema]) -> None:
    rule = Rule.from_settings(load({"OUTRIDER_THRESHOLDS": "lo* ks=0.2; lod ks=0.3"}))
    assert Tolerated(rule, schemas[1]).idle == ["lod"]


def test_no_magnitudes_are_no_threshold() -> None:
    assert threshold_of(np.empty(0)) == 0.0
