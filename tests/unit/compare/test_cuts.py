"""Segments and groups of a data set: found alone, calm alone, counted by hand, and faults that are said."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from agent.compare.compare import compare
from agent.compare.comparison import Comparison
from agent.compare.order import notes, verdict
from agent.config import load
from agent.evaluate.report import Decision, GroupReport
from agent.evaluate.segments import SegmentSummary
from agent.profile.format import Profile
from tests.unit.compare.tables import Table, profile_of


def loans(seed: int, rows: int, rates: dict[str, float] | None = None) -> Table:
    """Two numbers, a category, two columns that are no inputs, an answer."""
    rng = np.random.default_rng(seed)
    table: dict[str, Any] = {
        "age": rng.integers(18, 90, rows).astype(float),
        "amount": rng.normal(100.0, 20.0, rows),
        "country": rng.choice(["DE", "FR", "IT"], rows, p=[0.8, 0.15, 0.05]).astype(object),
        "tier": rng.choice(["gold", "iron"], rows).astype(object),
        "office": rng.integers(1, 4, rows),
    }
    share = np.array([(rates or {"gold": 0.5, "iron": 0.5})[name] for name in table["tier"]])
    table["approved"] = rng.random(rows) < share
    return table


@cache
def profile() -> Profile:
    cuts = ["country", "tier", "age<25"]
    return profile_of(loans(1, 6000), prediction="approved", segment=["tier", "office"], by=cuts)


def found(table: object, segments: str = "", groups: str = "", **more: str) -> Comparison:
    settings = {"OUTRIDER_SEGMENTS": segments, "OUTRIDER_GROUPS": groups, **more}
    return compare(profile(), table, settings=load(settings))


def segments_in(comparison: Comparison) -> dict[str, SegmentSummary]:
    return {segment.name: segment for segment in comparison.segments}


def groups_in(comparison: Comparison) -> dict[str, GroupReport]:
    return {group.name: group for group in comparison.groups}


def decisions(parts: dict[str, SegmentSummary] | dict[str, GroupReport]) -> dict[str, str]:
    return {name: str(part.decision) for name, part in parts.items()}


def italy_pays_more(table: Table) -> Table:
    table["amount"][table["country"] == "IT"] += 40.0
    return table


def taken(table: Table, places: Any) -> Table:
    return {name: values[places] for name, values in table.items()}


def test_nothing_is_cut_where_nothing_is_asked_for() -> None:
    comparison = found(loans(2, 1000))
    assert (comparison.segments, comparison.groups) == ([], [])


def test_a_segment_drifts_alone_and_is_found() -> None:
    comparison = found(italy_pays_more(loans(2, 20_000)), "country, tier")
    assert {column.decision for column in comparison.columns} == {Decision.OK}
    segments = segments_in(comparison)
    assert decisions(segments) == {
        "country=DE": "ok", "country=FR": "ok", "country=IT": "drifted", "tier=gold": "ok", "tier=iron": "ok",
    }  # fmt: skip
    italy = segments["country=IT"]
    assert italy.drifted == ["amount"]
    assert italy.reason.startswith("amount: ")
    assert f"over {italy.rows:,} rows against {italy.reference_rows:,} in training; mean 1" in italy.reason
    assert comparison.decision is Decision.DRIFTED
    assert verdict(comparison) == "None of 7 columns drifted; 1 of 5 segments drifted"


def test_calm_segments_and_groups_stay_calm() -> None:
    comparison = found(loans(3, 10_000), "country, tier, age<25", "tier, country, age<25")
    parts: list[SegmentSummary | GroupReport] = [*comparison.segments, *comparison.groups]
    assert {part.decision for part in parts} == {Decision.OK}
    assert {part.reason for part in parts} == {""}
    assert sum(segment.rows for segment in comparison.segments if segment.column == "country") == 10_000
    assert comparison.decision is Decision.OK
    assert verdict(comparison).endswith("; none of 6 segments drifted; none of 6 groups unlike the others")


def test_groups_are_what_a_hand_calculation_gives() -> None:
    table = loans(2, 4000, {"gold": 0.6, "iron": 0.3})
    comparison = found(table, groups="tier")
    iron, mine = groups_in(comparison)["tier=iron"], table["tier"] == "iron"
    rate, other_rate = float(table["approved"][mine].mean()), float(table["approved"][~mine].mean())
    assert (iron.rows, iron.selected) == (int(mine.sum()), int(table["approved"][mine].sum()))
    assert (iron.other_rows, iron.other_selected) == (int((~mine).sum()), int(table["approved"][~mine].sum()))
    assert (iron.rate, iron.other_rate) == (rate, other_rate)
    assert iron.difference is not None
    assert iron.ratio is not None
    assert iron.difference.value == pytest.approx(rate - other_rate)
    assert iron.ratio.value == pytest.approx(rate / other_rate)
    # Newcombe's interval from Wilson's, by hand
    low, high = wilson(iron.selected, iron.rows)
    other_low, other_high = wilson(iron.other_selected, iron.other_rows)
    gap = rate - other_rate
    assert iron.difference.lower == pytest.approx(gap - np.hypot(rate - low, other_high - other_rate))
    assert iron.difference.upper == pytest.approx(gap + np.hypot(high - rate, other_rate - other_low))
    assert iron.training_rate == pytest.approx(0.5, abs=0.03)


def wilson(selected: int, rows: int) -> tuple[float, float]:
    z, share = 1.959963984540054, selected / rows
    middle, width = share + z * z / (2 * rows), z * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return float((middle - width) / (1 + z * z / rows)), float((middle + width) / (1 + z * z / rows))


def test_a_group_that_is_selected_less_makes_the_data_drifted() -> None:
    comparison = found(loans(2, 4000, {"gold": 0.6, "iron": 0.3}), groups="tier, age<25")
    assert decisions(groups_in(comparison)) == {"tier=gold": "drifted", "tier=iron": "drifted", "age<25": "ok"}
    assert comparison.decision is Decision.DRIFTED
    assert "2 of 3 groups unlike the others" in verdict(comparison)
    reason = groups_in(comparison)["tier=iron"].reason
    assert reason.startswith("selected ")
    assert [word for word in ("newest", "evaluation", "so far", "minutes", "window") if word in reason] == []


def test_the_order_of_rows_means_nothing() -> None:
    table = italy_pays_more(loans(2, 8000))
    order = np.lexsort((table["age"], table["country"].astype(str)))
    one, other = (found(each, "country, age<25", "tier, country") for each in (table, taken(table, order)))
    assert decisions(segments_in(one)) == decisions(segments_in(other))
    assert one.groups == other.groups


def test_one_look_is_enough_whatever_the_sidecar_would_wait_for() -> None:
    table = italy_pays_more(loans(2, 20_000))
    patient = {"OUTRIDER_CONSECUTIVE": "9", "OUTRIDER_PANE": "1s", "OUTRIDER_WINDOW": "5m"}
    comparison = found(table, "country", "tier", OUTRIDER_AGAINST="before", **patient)
    assert decisions(segments_in(comparison))["country=IT"] == "drifted"
    assert [gap.streak for group in comparison.groups if (gap := group.difference) is not None] == [0, 0]


def test_few_rows_decide_nothing_and_say_so() -> None:
    comparison = found(loans(2, 300), "country", "country")
    italy, group = segments_in(comparison)["country=IT"], groups_in(comparison)["country=IT"]
    assert (italy.decision, group.decision) == (Decision.INSUFFICIENT, Decision.INSUFFICIENT)
    assert italy.reason == f"only {italy.rows} rows, at least 100 are needed"
    assert group.reason == f"{group.rows} answered rows against {group.other_rows} of the others; nothing is decided below 100"
    assert comparison.decision is Decision.OK


def test_a_segment_without_rows_says_so() -> None:
    table = loans(2, 1000)
    comparison = found(taken(table, table["country"] != "IT"), "country")
    assert segments_in(comparison)["country=IT"].reason == "no rows"


def test_min_rows_asked_for_are_those_of_segments_and_groups_too() -> None:
    settings = load({"OUTRIDER_SEGMENTS": "country", "OUTRIDER_GROUPS": "tier"})
    comparison = compare(profile(), loans(2, 1000), settings=settings, min_rows=5000)
    assert "fewer than 5,000 are compared with nothing" in comparison.segments[0].reason
    assert "nothing is decided below 5,000" in comparison.groups[0].reason


def test_a_segment_that_was_oversampled_is_no_proof_and_the_others_lose_none() -> None:
    table = loans(2, 6000)
    italy = np.flatnonzero(table["country"] == "IT")[:30]
    places = np.concatenate([np.flatnonzero(table["country"] != "IT"), np.repeat(italy, 40)])
    comparison = found(taken(table, np.random.default_rng(1).permutation(places)), "country", "country")
    segments, groups = segments_in(comparison), groups_in(comparison)
    assert decisions(segments) == {"country=DE": "ok", "country=FR": "ok", "country=IT": "insufficient"}
    assert segments["country=IT"].reason == "1,200 rows repeat, and say as much as 30; at least 100 are needed"
    assert groups["country=IT"].decision is Decision.INSUFFICIENT
    assert "which repeat: they say as much as 30 against" in groups["country=IT"].reason


def test_a_gap_of_copies_alone_is_none() -> None:
    table = loans(2, 4000)
    gold, iron = (np.flatnonzero(table["tier"] == name) for name in ("gold", "iron"))
    refused = iron[~table["approved"][iron]][:20]
    places = np.concatenate([gold, iron[:150], np.repeat(refused, 100)])
    comparison = found(taken(table, np.random.default_rng(1).permutation(places)), groups="tier")
    iron_group = groups_in(comparison)["tier=iron"]
    assert iron_group.rate is not None
    assert iron_group.rate < 0.1
    assert iron_group.decision is Decision.INSUFFICIENT


def test_a_data_set_with_all_rows_ten_times_is_as_the_rows_once() -> None:
    table = loans(2, 2000)
    once = found(table, "country, tier", "tier, age<25")
    tenfold = found(
        taken(table, np.random.default_rng(1).permutation(np.tile(np.arange(2000), 10))), "country, tier", "tier, age<25"
    )
    assert decisions(segments_in(once))["country=FR"] == "ok"
    assert decisions(segments_in(tenfold)) == decisions(segments_in(once))
    assert decisions(groups_in(tenfold)) == decisions(groups_in(once))
    bounds = [[gap.bound for group in each.groups if (gap := group.difference) is not None] for each in (once, tenfold)]
    assert bounds[0] == pytest.approx(bounds[1])


@pytest.mark.parametrize(
    ("segments", "groups", "note"),
    [
        ("nobody, country", "", "segments by nobody can't be watched: the profile has no column 'nobody'"),
        (
            "amount, country",
            "",
            "segments by amount can't be watched: column 'amount' holds numbers: compare it, as in amount<25",
        ),
        ("country", "'no''body', tier", "groups by 'no''body' can't be watched: the profile has no column \"no'body\""),
    ],
)
def test_what_can_not_be_watched_is_a_line_and_a_note_and_no_log(
    segments: str, groups: str, note: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    table = italy_pays_more(loans(2, 20_000))
    comparison = found(table, segments, groups)
    assert note in notes(comparison)
    parts: list[SegmentSummary | GroupReport] = [*comparison.segments, *comparison.groups]
    (fault,) = (part for part in parts if not part.value)
    assert (fault.decision, fault.reason) == (Decision.NO_REFERENCE, note.partition("watched: ")[2])
    assert segments_in(comparison)["country=IT"].decision is Decision.DRIFTED  # the rest goes on
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")


def test_an_answer_that_nobody_knows_to_be_favourable_is_said() -> None:
    comparison = found(loans(2, 1000), groups="tier", OUTRIDER_FAVOURABLE="maybe")
    (group,) = comparison.groups
    assert group.decision is Decision.NO_REFERENCE
    assert "has no category 'maybe' in training" in group.reason
    assert any(note.startswith("groups by tier can't be watched: ") for note in notes(comparison))
    assert verdict(comparison).endswith("; nothing could be decided of groups")


@pytest.mark.parametrize("column", ["country", "tier"])
def test_a_column_that_the_data_lacks_is_said(column: str) -> None:
    table = loans(2, 1000)
    del table[column]
    comparison = found(table, column, column)
    parts: list[SegmentSummary | GroupReport] = [*comparison.segments, *comparison.groups]
    assert {part.reason for part in parts} == {f"the data has no column '{column}'"}
    assert {part.decision for part in parts} == {Decision.INSUFFICIENT}
    assert {part.rows for part in parts} == {0}


def test_codes_beside_the_features_are_read_whatever_stands_there() -> None:
    table = loans(2, 1000)
    office = table["office"].astype(object)
    office[:300], office[300:400] = None, "moon"
    comparison = found({**table, "office": office}, "office=3, office", "office=3")
    mine, others = int((table["office"][400:] == 3).sum()), int((table["office"][400:] != 3).sum())
    (group,) = comparison.groups
    assert (group.rows, group.other_rows) == (mine, others + 100)
    assert segments_in(comparison)["office=3"].rows == mine
    assert sum(segment.rows for segment in comparison.segments[1:]) == 600
    assert (comparison.extra_columns, comparison.broken_rows) == ([], {})


def test_a_csv_file_gives_what_the_table_gives(tmp_path: Any) -> None:
    table = italy_pays_more(loans(2, 6000))
    lines = [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
    (tmp_path / "data.csv").write_text("\n".join([",".join(table), *lines]))
    one, other = (found(data, "country, tier, office", "tier, office") for data in (table, tmp_path / "data.csv"))
    assert one.segments == other.segments
    assert one.groups == other.groups
