from __future__ import annotations

import numpy as np

from agent.batch import NOTHING, Batch, Checked, Side
from agent.group_language import Grouping, parse
from agent.profile.build import build
from agent.profile.schema import schema_of
from agent.validate.schema import Checker
from agent.validate.watched import Watched, watch

COUNTRIES = ["DE"] * 60 + ["FR"] * 30 + ["IT"] * 10
TIERS = ["gold"] * 45 + ["iron"] * 55
SCHEMA = schema_of(build({"age": np.arange(100.0), "country": COUNTRIES, "tier": TIERS}))


def watched(text: str, most: int = 100) -> tuple[tuple[Watched, ...], list[tuple[str, str]]]:
    refused: list[tuple[str, str]] = []

    def refuse(grouping: Grouping, why: str) -> None:
        refused.append((str(grouping), why))

    return watch(parse(text), SCHEMA, most, refuse), refused


def names(text: str, most: int = 100) -> list[tuple[str, ...]]:
    return [one.names for one in watched(text, most)[0]]


def of(one: Watched, countries: list[str | None]) -> list[int] | None:
    columns = (np.arange(float(len(countries))), np.array(countries, dtype=object))
    batch = Batch("test", "", "", Side(("age", "country"), columns, len(countries)), NOTHING)
    found = one.of(batch, Checker(SCHEMA).check(batch))
    return None if found is None else found.tolist()


def test_all_categories_are_watched_where_there_is_room() -> None:
    (one,), refused = watched("country")
    assert (one.grouping, one.values) == (Grouping("country"), ("DE", "FR", "IT"))
    assert one.names == ("country=DE", "country=FR", "country=IT")
    assert refused == []


def test_the_most_frequent_of_all_groupings_are_chosen_in_the_order_of_the_profile() -> None:
    assert names("country, tier", 3) == [("country=DE",), ("tier=iron", "tier=gold")]


def test_those_that_were_named_come_first() -> None:
    assert names("country, age<25, country=IT", 3) == [("country=DE",), ("age<25",), ("country=IT",)]


def test_a_grouping_without_room_stays_without_groups() -> None:
    assert names("age<25, country", 1) == [("age<25",), ()]
    assert names("country", 0) == [()]


def test_what_can_not_be_watched_is_refused_with_a_reason_and_the_rest_stays() -> None:
    found, refused = watched("nobody, age, tier")
    assert [one.names for one in found] == [("tier=iron", "tier=gold")]
    assert [name for name, _ in refused] == ["nobody", "age"]
    assert "no column 'nobody'" in refused[0][1]
    assert "holds numbers" in refused[1][1]


def test_rows_of_groups_that_are_not_watched_are_others() -> None:
    (one,), _ = watched("country", 2)
    assert of(one, ["FR", "DE", "IT", "ES", None]) == [1, 0, 2, 2, -1]


def test_without_watched_groups_all_values_are_others() -> None:
    (one,), _ = watched("country", 0)
    assert of(one, ["FR", None]) == [0, -1]


def test_a_column_that_was_not_sent_for_each_row_has_no_groups() -> None:
    (one,), _ = watched("country")
    batch = Batch("test", "", "", Side(("age",), (np.arange(2.0),), 2), NOTHING)
    assert one.of(batch, Checked(2, (None,) * 3, {})) is None
