"""How balanced the training data is, in words, and what is warned of."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from agent.profile.balance import describe, groups_of, warnings
from agent.profile.build import build
from agent.profile.show import show

ROWS = 2000


def data(**columns: Any) -> dict[str, Any]:
    gender = np.array(["f", "m"])[np.arange(ROWS) % 2]
    found: dict[str, Any] = {
        "x": np.random.default_rng(1).normal(size=ROWS),
        "gender": gender,
        "approved": np.where(gender == "f", np.arange(ROWS) % 20 < 4, np.arange(ROWS) % 20 < 10),
    }
    return found | columns


def test_groups_have_sizes_and_rates() -> None:
    profile = build(data(), prediction="approved", by="gender")
    first, second = groups_of(profile.segments[0])
    assert (first.name, first.share, first.rows) == ("gender=f", 0.5, 1000)
    assert [first.rate, second.rate] == pytest.approx([0.2, 0.5])
    assert first.ratio == pytest.approx(0.4)


def test_classes_and_groups_are_described() -> None:
    lines = describe(build(data(), prediction="approved", by=["gender", "x<0"]))
    assert lines[0] == "prediction approved: false 65 %; true 35 %"
    assert lines[1] == "by gender: gender=f 50 %, 20 % chosen; gender=m 50 %, 50 % chosen; chosen is approved=true"
    assert lines[2].startswith("by x<0: x<0 ")


def test_a_profile_without_classes_or_groups_says_nothing() -> None:
    profile = build({"x": np.arange(100.0)})
    assert describe(profile) == []
    assert warnings(profile) == []


def test_a_group_that_is_selected_less_is_warned_of() -> None:
    said: list[str] = []
    build(data(), prediction="approved", by="gender", warn=said.append)
    (sentence,) = said
    assert sentence.startswith("gender=f is selected 0.4 times as often as the others in training (20 % against 50 %")


def test_balanced_data_is_not_warned_of() -> None:
    said: list[str] = []
    build(data(approved=np.arange(ROWS) // 2 % 2 == 0), prediction="approved", by="gender", warn=said.append)
    assert said == []


def test_groups_and_classes_that_are_hardly_there_are_warned_of() -> None:
    gender = np.where(np.arange(ROWS) < 5, "d", "f")
    verdict = np.where(np.arange(ROWS) < 12, "fraud", "fine")
    found = warnings(build(data(gender=gender, approved=verdict), label="approved", by="gender"))
    assert found[0] == "class 'fraud' of 'approved' has 0.6 % of the rows: a model learns little of so few"
    assert found[1] == "groups with less than 1 % of the rows: gender=d (5); little can be said of them"
    assert len(found) == 2


def test_many_rare_groups_make_one_warning() -> None:
    names = np.full(ROWS, "most")
    names[:15] = [f"r{i:02}" for i in range(15)]
    (sentence,) = warnings(build({"x": np.arange(float(ROWS)), "c": names}, by="c"))
    assert "and 7 more" in sentence


def test_so_few_rows_have_no_ratio() -> None:
    gender = np.where(np.arange(ROWS) < 25, "d", "f")
    found = build(data(gender=gender, approved=np.arange(ROWS) >= 25), prediction="approved", by="gender")
    assert all(group.ratio is None or group.ratio > 1 for group in groups_of(found.segments[0]))
    assert not [sentence for sentence in warnings(found) if "selected" in sentence]


def test_the_printed_profile_says_it() -> None:
    stream = io.StringIO()
    show(build(data(), prediction="approved", by="gender"), Console(file=stream, width=200))
    assert "by gender: gender=f 50 %, 20 % chosen" in stream.getvalue()


def test_an_outcome_that_nobody_has_is_warned_of() -> None:
    said: list[str] = []
    answers = np.array(["approved", "rejected"])[np.arange(ROWS) // 2 % 2]
    build(data(approved=answers), prediction="approved", by="gender", favourable="appruved", warn=said.append)
    (sentence,) = said
    assert sentence.startswith("no row has the favourable outcome 'appruved' in column 'approved' (its values: ")
    assert "'approved'" in sentence
    assert sentence.endswith("check --favourable")
