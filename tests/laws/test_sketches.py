"""Laws that every accumulator of agent.sketch obeys. Whoever adds one adds its case here, or the first test fails."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import agent.sketch
from agent.errors import OutriderError
from agent.sketch.bins import BinCounts
from agent.sketch.categorical import CategorySketch
from agent.sketch.distinct import Distinct
from agent.sketch.latency import LatencyHistogram
from agent.sketch.moments import Moments
from agent.sketch.numeric import NumericSketch
from agent.sketch.quantiles import K, Quantiles
from agent.sketch.summary import CategorySummary, NumericSummary
from agent.sketch.unseen import CAPACITY, Unseen, hash_item

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "sketch"
VERBS = ("update", "merge", "result", "to_bytes", "from_bytes")

EDGES = np.linspace(-2.5, 2.5, 21)
COARSE = np.arange(0, 22, 2)
CATEGORIES = ("red", "green", "3")

Floats = NDArray[np.float64]

RANK_ERROR = 2.446 / K**0.9433
"""The 99 % bound of Apache DataSketches for the mass of a bin."""


def ranks(points: Floats, weights: Floats, at: Floats) -> Floats:
    """The share of the weight at or below each of `at`."""
    if not points.size:
        return np.zeros(at.size)
    total = np.concatenate(([0.0], np.cumsum(weights)))
    share: Floats = total[np.searchsorted(points, at, side="right")] / total[-1]
    return share


def same_quantiles(a: Any, b: Any) -> None:
    (points_a, weights_a), (points_b, weights_b) = a, b
    assert weights_a.sum() == weights_b.sum()
    at = np.linspace(-3, 3, 25)
    # Either may be off by the bound, and 25 places are looked at: three times the bound is never reached.
    assert np.abs(ranks(points_a, weights_a, at) - ranks(points_b, weights_b, at)).max(initial=0) <= 3 * RANK_ERROR


def same_moments(a: Any, b: Any) -> None:
    assert a.count == b.count
    assert a.mean == pytest.approx(b.mean, rel=1e-12, abs=1e-12, nan_ok=True)
    assert a.variance == pytest.approx(b.variance, rel=1e-9, abs=1e-12, nan_ok=True)


def same_numeric(a: NumericSummary, b: NumericSummary) -> None:
    assert (a.rows, a.missing, a.infinite, a.count) == (b.rows, b.missing, b.infinite, b.count)
    assert (a.minimum, a.maximum) == pytest.approx((b.minimum, b.maximum), rel=0, abs=0, nan_ok=True)
    assert a.bin_counts.tolist() == b.bin_counts.tolist()
    np.testing.assert_allclose(a.bin_sums, b.bin_sums, rtol=1e-6, atol=1e-9)
    same_moments(a, b)
    same_quantiles((a.points, a.weights), (b.points, b.weights))


def same_category(a: CategorySummary, b: CategorySummary) -> None:
    assert (a.rows, a.missing, a.unseen, a.categories) == (b.rows, b.missing, b.unseen, b.categories)
    assert a.counts.tolist() == b.counts.tolist()
    same_estimate(a.distinct, b.distinct)


def same_estimate(a: float, b: float) -> None:
    assert a == pytest.approx(b, rel=0.1, abs=0.01)  # four standard errors


def same_counts(a: Any, b: Any) -> None:
    assert a.tolist() == b.tolist()


def same_latency(a: Any, b: Any) -> None:
    assert (a[0].tolist(), a[1]) == (b[0].tolist(), b[1])


def same_unseen(a: Any, b: Any) -> None:
    """Both hold lower bounds of the same true counts."""
    counts_a, counts_b = dict(a.items), dict(b.items)
    for item in counts_a.keys() | counts_b.keys():
        assert abs(counts_a.get(item, 0) - counts_b.get(item, 0)) <= max(a.error, b.error)


def numbers(*, holes: bool) -> list[Any]:
    rng = np.random.default_rng(7)
    shapes = (rng.normal(size=3000), rng.normal(1.0, 0.1, size=1), rng.normal(size=500), np.full(300, 0.25), np.empty(0))
    batches = [*shapes, np.full(1, -1.0), np.array([-0.0, 0.0]), rng.standard_cauchy(size=4096) * 1e-3]
    if holes:
        holey = rng.normal(size=5000)
        holey[::7] = np.nan
        holey[3::70] = np.inf
        holey[4::70] = -np.inf
        batches += [holey, holey[:900], np.full(9, np.nan), np.array([np.inf, -np.inf, np.nan]), np.array([np.nan, 1.5])]
    return batches


def categories() -> list[Any]:
    rng = np.random.default_rng(8)
    colours = rng.choice(np.array(["red", "green", "blue", None, 3, 3.0, True], dtype=object), size=2000)
    rare = np.array([f"item {number}" for number in rng.integers(0, 3000, size=4000)], dtype=object)
    return [
        colours, rng.integers(0, 6, size=500).astype(float), np.array([np.nan, 3.0, 2.5]), np.empty(0), np.empty(0, dtype=object),
        np.array([None, None], dtype=object), np.array(["\ud800", "é", ""], dtype=object), rare,
    ]  # fmt: skip


@dataclass(frozen=True)
class Case:
    make: Callable[[], Any]
    read: Callable[[bytes], Any]
    batches: list[Any]
    same: Callable[[Any, Any], None]


def latencies() -> list[Any]:
    rng = np.random.default_rng(9)
    return [rng.integers(0, 10**10, size=size) for size in (1000, 0, 1, 77)]


def texts() -> list[Any]:
    return [["a", "b"], [], [f"text {number}" for number in range(5000)], ["a", "", "ü", "\udfff"]]


def frequent() -> list[Any]:
    few = [{"a": 5, "b": 1}, {}, {"a": 2, "ü": 9, "\udfff": 1}]
    return [*few, {f"text {number}": number % 5 + 1 for number in range(500)}, {"often": 1000}, {f"{n}": n for n in range(40)}]


CASES: dict[type, Case] = {
    Moments: Case(Moments, Moments.from_bytes, numbers(holes=False), same_moments),
    BinCounts: Case(
        lambda: BinCounts(EDGES), lambda data: BinCounts.from_bytes(data, EDGES),
        [*numbers(holes=False), np.array([np.inf, -np.inf])],
        same_counts,
    ),
    Quantiles: Case(Quantiles, Quantiles.from_bytes, numbers(holes=False), same_quantiles),
    Distinct: Case(Distinct, Distinct.from_bytes, texts(), same_estimate),
    Unseen: Case(Unseen, Unseen.from_bytes, frequent(), same_unseen),
    LatencyHistogram: Case(LatencyHistogram, LatencyHistogram.from_bytes, latencies(), same_latency),
    NumericSketch: Case(
        lambda: NumericSketch(EDGES, COARSE), lambda data: NumericSketch.from_bytes(data, EDGES, COARSE), numbers(holes=True),
        same_numeric,
    ),
    CategorySketch: Case(
        lambda: CategorySketch(CATEGORIES), lambda data: CategorySketch.from_bytes(data, CATEGORIES), categories(), same_category
    ),
}  # fmt: skip

each = pytest.mark.parametrize("case", [pytest.param(case, id=kind.__name__) for kind, case in CASES.items()])


def accumulators() -> set[type]:
    found = set()
    for module in pkgutil.iter_modules(agent.sketch.__path__, "agent.sketch."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and value.__module__ == module.name and hasattr(value, "merge"):
                found.add(value)
    return found


def fed(case: Case, batches: list[Any]) -> Any:
    sketch = case.make()
    for batch in batches:
        sketch.update(batch)
    return sketch


def test_every_accumulator_has_a_case() -> None:
    assert accumulators() == set(CASES)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_has_the_five_verbs(kind: type) -> None:
    assert [verb for verb in VERBS if not callable(getattr(kind, verb, None))] == []


@each
@pytest.mark.parametrize("cut", [0, 1, 3, -1])
def test_merged_is_sequential(case: Case, cut: int) -> None:
    merged = fed(case, case.batches[:cut])
    merged.merge(fed(case, case.batches[cut:]))
    case.same(merged.result(), fed(case, case.batches).result())


@each
def test_merged_in_any_order(case: Case) -> None:
    forth, back = case.make(), case.make()
    for batch in case.batches:
        forth.merge(fed(case, [batch]))
    for batch in reversed(case.batches):
        back.merge(fed(case, [batch]))
    case.same(forth.result(), back.result())
    case.same(forth.result(), fed(case, case.batches).result())


@each
def test_merging_leaves_the_other_as_it_was(case: Case) -> None:
    other = fed(case, case.batches)
    before = other.to_bytes()
    fresh = case.make()
    fresh.merge(other)
    fresh.update(case.batches[0])
    assert other.to_bytes() == before


@each
def test_updating_leaves_the_values_as_they_were(case: Case) -> None:
    before = repr(case.batches[0])
    fed(case, case.batches[:1])
    assert repr(case.batches[0]) == before


@each
def test_nothing_changes_nothing(case: Case) -> None:
    sketch = fed(case, case.batches)
    before = sketch.to_bytes()
    sketch.merge(case.make())
    case.same(sketch.result(), case.read(before).result())


@each
@pytest.mark.parametrize("amount", [0, 1, None])
def test_bytes_bring_back_the_same(case: Case, amount: int | None) -> None:
    sketch = fed(case, case.batches[:amount])
    back = case.read(sketch.to_bytes())
    assert back.to_bytes() == sketch.to_bytes()
    case.same(back.result(), sketch.result())
    back.update(case.batches[0])
    sketch.update(case.batches[0])
    case.same(back.result(), sketch.result())


@each
def test_single_values(case: Case) -> None:
    one_by_one, at_once = case.make(), case.make()
    batch = case.batches[0]
    pieces = (
        [{key: value} for key, value in batch.items()]
        if isinstance(batch, dict)
        else [batch[i : i + 1] for i in range(len(batch))]
    )
    for piece in pieces:
        one_by_one.update(piece)
    at_once.update(batch)
    case.same(one_by_one.result(), at_once.result())


@each
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"", lambda data: data[:-1], lambda data: data + b"\0",
        lambda data: b"\x9f" + data[1:],
        lambda data: data[: len(data) // 2],
    ],
    ids=["empty", "short", "long", "other length", "half"],
)  # fmt: skip
def test_damaged_bytes_are_refused(case: Case, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(OutriderError):
        case.read(damage(fed(case, case.batches).to_bytes()))


@each
def test_bytes_of_another_kind_are_refused(case: Case) -> None:
    for other in CASES.values():
        if other is not case:
            with pytest.raises(OutriderError):
                case.read(fed(other, other.batches).to_bytes())


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_golden_bytes_still_load(kind: type) -> None:
    """Bytes written by each layout. A state on a disk must outlive an update of Outrider and of its libraries."""
    case = CASES[kind]
    newest = sorted(GOLDEN.glob(f"{kind.__name__}.*.bin"))[-1]
    case.same(case.read(newest.read_bytes()).result(), fed(case, case.batches).result())


@pytest.mark.parametrize("kind", [BinCounts, NumericSketch], ids=lambda kind: kind.__name__)
def test_bytes_from_before_there_were_sums_still_load(kind: type) -> None:
    case = CASES[kind]
    sketch, today = case.read((GOLDEN / f"{kind.__name__}.1.bin").read_bytes()), fed(case, case.batches)
    bins, expected = (each if kind is BinCounts else each.bins for each in (sketch, today))
    assert bins.result().tolist() == expected.result().tolist()
    assert np.isnan(bins.sums).all()
    if kind is NumericSketch:
        same_moments(sketch.result(), today.result())


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf], [-np.inf], [5.0], [5.0] * 3000, [np.nan] * 3000, [np.inf] * 3000])
def test_numbers_of_one_kind(values: list[float]) -> None:
    sketch = NumericSketch(EDGES, COARSE)
    sketch.update(np.array(values))
    summary = sketch.result()
    array = np.array(values)
    finite = array[np.isfinite(array)]
    assert summary.rows == len(values)
    assert summary.missing == np.isnan(array).sum()
    assert summary.infinite == np.isinf(array).sum()
    assert summary.count == finite.size == summary.weights.sum()
    assert summary.bin_counts.sum() == summary.count + summary.infinite
    expected = (5.0, 0.0, 5.0, 5.0) if finite.size else (np.nan,) * 4
    assert (summary.mean, summary.variance, summary.minimum, summary.maximum) == pytest.approx(expected, abs=0, nan_ok=True)


def test_unseen_items_keep_their_bound() -> None:
    rng = np.random.default_rng(3)
    unseen = Unseen()
    true: dict[str, int] = {}
    for _ in range(50):
        batch: dict[str, int] = {}
        for number in rng.zipf(1.3, size=300).tolist():
            batch[str(number)] = batch.get(str(number), 0) + 1
        for text, count in batch.items():
            true[text] = true.get(text, 0) + count
        unseen.update(batch)
    total = sum(true.values())
    items, error = unseen.result()

    by_hash = {hash_item(text): count for text, count in true.items()}
    assert len(items) <= CAPACITY
    assert error <= total / (CAPACITY + 1)
    assert all(by_hash[item] - error <= count <= by_hash[item] for item, count in items)
    often = {hash_item(text) for text, count in true.items() if count > error}
    assert often <= dict(items).keys()
