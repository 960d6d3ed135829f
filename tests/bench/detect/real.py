"""Real drift: nannyml's california housing and car-loan sets, chunk by chunk in the order of time, at default settings.

Their makers say where they drift: longitude and latitude of the housing set (its rows were given times by place), and the
car's value in the loan set, from its middle on (NannyML's documentation, "Univariate drift detection").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.detect.columns import Matrix, columns_of
from tests.bench.detect.environments import UnavailableError, data_set
from tests.bench.detect.methods import OUTRIDER, Way, talk
from tests.bench.detect.wire import Column


@dataclass(frozen=True)
class Story:
    """A data set, its chunks, and the columns that must be found."""

    name: str
    training: str
    traffic: str
    names: tuple[str, ...]
    chunk: int
    known: tuple[str, ...]


STORIES: tuple[Story, ...] = (
    Story(
        "california housing", "california_housing_reference.csv", "california_housing_analysis.csv",
        (
            "MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude", "y_pred_proba",
        ),
        720, ("Latitude", "Longitude"),
    ),
    Story(
        "car loans", "synthetic_car_loan_reference.csv", "synthetic_car_loan_analysis.csv",
        (
            "car_value", "salary_range", "debt_to_income_ratio", "loan_length", "repaid_loan_on_prev_car",
            "size_of_downpayment", "driver_tenure", "y_pred_proba",
        ),
        5_000, ("car_value",),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Where one output was flagged: after which row first (0: never), and in which share of the looks."""

    first: int
    share: float

    def cell(self) -> str:
        """Write it down."""
        return f"{self.first:,} ({self.share:.0%})" if self.first else "never"


def found_in(flags: NDArray[np.bool_], chunk: int, chunks: int) -> list[Found]:
    """Sum up flags of shape ``(looks, outputs)``."""
    every = chunk * chunks / len(flags)
    firsts = [int((int(column.argmax()) + 1) * every) if column.any() else 0 for column in flags.T]
    return [Found(first, float(share)) for first, share in zip(firsts, flags.mean(axis=0), strict=True)]


def judge(way: Way, columns: tuple[Column, ...], before: Matrix, after: Matrix, chunk: int) -> dict[str, Found]:
    """Run one method over a data set; give what it said of each output.

    Raises
    ------
    UnavailableError
        If the method can't be run here.
    """
    chunks = after.shape[1] // chunk
    with talk(way) as method:
        method.fit(columns, before, {**(way.options or {}), "window": chunk})
        flags = method.flags(after[:, : chunks * chunk], chunk)
        return dict(zip(method.outputs, found_in(flags, chunk, chunks), strict=True))


def run(ways: Sequence[Way]) -> bool:
    """Measure and print; give whether Outrider found what is known to be there."""
    return all([_tell(story, ways) for story in STORIES])  # noqa: C419 - each is to be printed


def _tell(story: Story, ways: Sequence[Way]) -> bool:
    try:
        training, traffic = data_set(story.training), data_set(story.traffic)
    except UnavailableError as reason:
        print(f"{story.name}: {reason}")
        return False
    after_columns, _ = columns_of(traffic[list(story.names)])
    columns, before = columns_of(training[list(story.names)], like=after_columns)
    _, after = columns_of(traffic[list(story.names)], like=columns)

    def one(way: Way) -> dict[str, Found] | UnavailableError:
        try:
            return judge(way, columns, before, after, story.chunk)
        except UnavailableError as reason:
            return reason

    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip([way.name for way in ways], pool.map(one, ways), strict=True))
    results = {name: answer for name, answer in answers.items() if not isinstance(answer, UnavailableError)}
    print(f"{story.name}: {after.shape[1]:,} rows in chunks of {story.chunk:,}; first row flagged, share of the looks\n")
    _print(results, [column.name for column in columns])
    for name, answer in answers.items():
        if isinstance(answer, UnavailableError):
            print(f"left out: {name}: {answer}")
    if OUTRIDER not in answers:
        return True
    ours = results.get(OUTRIDER, {})
    unfound = [name for name in story.known if name not in ours or not ours[name].first]
    print(f"{'NOT REACHED ' if unfound else 'reached     '} {story.name}: {', '.join(story.known)} found\n", flush=True)
    return not unfound


def _print(results: Mapping[str, Mapping[str, Found]], names: Sequence[str]) -> None:
    more = [name for found in results.values() for name in found if name not in names and found[name].first]
    rows = [*names, *dict.fromkeys(more)]
    lines = [["", *results]]
    lines += [[name, *(found[name].cell() if name in found else "-" for found in results.values())] for name in rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for line in lines:
        cells = (
            cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells))
    print()
