from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from agent.batch import Checked
from agent.errors import OutriderError
from agent.profile.schema import Schema
from agent.window.ring import Ring
from agent.window.state import FILE, fingerprint, load, save

Batches = Callable[..., Checked]

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "window"
MINUTE = 60 * 10**9


@pytest.fixture
def filled(schema: Schema, batch: Batches) -> Ring:
    ring = Ring(schema, MINUTE, 5)
    for minute in range(8):
        ring.update(batch(200, seed=minute), minute * MINUTE)
    return ring


def assert_untouched(ring: Ring) -> None:
    assert ring.window(0).rows == 0
    assert ring.totals()["x"].counts.sum() == 0


def test_a_restart_goes_on_where_it_stopped(filled: Ring, schema: Schema, batch: Batches, tmp_path: Path) -> None:
    save(filled, tmp_path)
    fresh = Ring(schema, MINUTE, 5)
    assert load(fresh, tmp_path) is not None
    now = 7 * MINUTE + 1
    for ring in (filled, fresh):
        ring.update(batch(50), now)
    assert fresh.window(now).rows == filled.window(now).rows == 1050
    for name, totals in filled.totals().items():
        assert fresh.totals()[name].counts.tolist() == totals.counts.tolist()
        assert fresh.totals()[name].missing == totals.missing
    assert fresh.window(9 * MINUTE).rows == filled.window(9 * MINUTE).rows


def test_notes_come_back_with_the_window(filled: Ring, schema: Schema, tmp_path: Path) -> None:
    save(filled, tmp_path, b"streaks")
    assert load(Ring(schema, MINUTE, 5), tmp_path) == b"streaks"


def test_what_is_too_old_by_now_is_dropped(filled: Ring, schema: Schema, tmp_path: Path) -> None:
    save(filled, tmp_path)
    fresh = Ring(schema, MINUTE, 5)
    load(fresh, tmp_path)
    assert fresh.window(500 * MINUTE).rows == 0
    assert fresh.totals()["x"].counts.sum() > 0


def test_a_clock_that_stands_earlier_after_the_restart_is_harmless(filled: Ring, schema: Schema, tmp_path: Path) -> None:
    save(filled, tmp_path)
    fresh = Ring(schema, MINUTE, 5)
    load(fresh, tmp_path)
    assert fresh.window(2 * MINUTE).rows == 1000


def test_a_shorter_window_takes_the_state_and_drops_the_rest(filled: Ring, schema: Schema, tmp_path: Path) -> None:
    save(filled, tmp_path)
    fresh = Ring(schema, MINUTE, 2)
    assert load(fresh, tmp_path) is not None
    assert fresh.window(8 * MINUTE).rows == 200


def test_without_a_state_there_is_nothing_to_load(schema: Schema, tmp_path: Path) -> None:
    ring = Ring(schema, MINUTE, 5)
    assert load(ring, tmp_path) is None
    assert load(ring, tmp_path / "nowhere") is None
    assert_untouched(ring)


def test_an_empty_ring_can_be_saved(schema: Schema, tmp_path: Path) -> None:
    save(Ring(schema, MINUTE, 5), tmp_path / "a" / "b")
    ring = Ring(schema, MINUTE, 5)
    assert load(ring, tmp_path / "a" / "b") is not None
    assert_untouched(ring)


def test_saving_again_replaces_and_leaves_nothing_beside(filled: Ring, batch: Batches, tmp_path: Path) -> None:
    save(filled, tmp_path)
    first = (tmp_path / FILE).read_bytes()
    filled.update(batch(10), 8 * MINUTE)
    save(filled, tmp_path)
    assert (tmp_path / FILE).read_bytes() != first
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "not a state of this version"),
        (lambda data: data[:10], "not a state of this version"),
        (lambda data: b"outrider-state/9\n" + data[17:], "not a state of this version"),
        (lambda data: data[:17], "damaged"),
        (lambda data: data[:-1], "damaged"),
        (lambda data: data + b"x", "damaged"),
        (lambda data: data[:500] + bytes((data[500] ^ 1,)) + data[501:], "damaged"),
        (lambda data: data[:17] + bytes(32) + data[49:], "damaged"),
        (lambda data: data[:17] + sha256(b"").digest(), "not a state"),
        (lambda data: data[:17] + sha256(b"\x93\x00\x00\x00").digest() + b"\x93\x00\x00\x00", "not a state"),
    ],
    ids=["empty", "short", "newer", "head only", "cut", "longer", "one bit", "checksum", "no content", "other content"],
)
def test_a_damaged_state_is_refused(
    filled: Ring, schema: Schema, tmp_path: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    save(filled, tmp_path)
    path = tmp_path / FILE
    path.write_bytes(damage(path.read_bytes()))
    ring = Ring(schema, MINUTE, 5)
    with pytest.raises(OutriderError, match=reason) as raised:
        load(ring, tmp_path)
    assert str(path) in str(raised.value)
    assert_untouched(ring)


def test_a_ring_with_a_damaged_pane_is_refused_whole(filled: Ring, schema: Schema) -> None:
    data = filled.to_bytes()
    at = data.index(b"quantiles/1") + 1
    ring = Ring(schema, MINUTE, 5)
    with pytest.raises(OutriderError, match="not a saved"):
        ring.restore(data[:at] + b"Q" + data[at + 1 :])
    assert_untouched(ring)


def test_panes_of_another_length_are_refused(filled: Ring, schema: Schema, tmp_path: Path) -> None:
    save(filled, tmp_path)
    with pytest.raises(OutriderError, match="its panes are 60 s long, and now they are 30 s"):
        load(Ring(schema, MINUTE // 2, 5), tmp_path)


def others(schema: Schema) -> dict[str, Schema]:
    x, colour, note = schema.features
    return {
        "model": replace(schema, model="other"),
        "version": replace(schema, version="2"),
        "name": replace(schema, features=(replace(x, name="z"), colour, note)),
        "edges": replace(schema, features=(replace(x, edges=np.linspace(-2, 2.1, 9)), colour, note)),
        "coarse": replace(schema, features=(replace(x, coarse=np.array([0, 4, 6])), colour, note)),
        "categories": replace(schema, features=(x, replace(colour, categories=("green", "red")), note)),
        "order": replace(schema, features=(colour, x, note)),
        "fewer": replace(schema, outputs=()),
    }


@pytest.mark.parametrize("change", ["model", "version", "name", "edges", "coarse", "categories", "order", "fewer"])
def test_a_state_of_another_profile_is_refused(filled: Ring, schema: Schema, tmp_path: Path, change: str) -> None:
    other = others(schema)[change]
    assert fingerprint(other) != fingerprint(schema)
    save(filled, tmp_path)
    with pytest.raises(OutriderError, match="another profile"):
        load(Ring(other, MINUTE, 5), tmp_path)


def test_a_directory_that_can_not_be_made_is_our_error(filled: Ring, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutriderError, match="can't be written"):
        save(filled, tmp_path / "file")
    with pytest.raises(OutriderError, match="can't be written"):
        save(filled, tmp_path / "file" / "below")


def test_a_state_that_can_not_be_read_is_our_error(schema: Schema, tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(OutriderError, match="can't be read"):
        load(Ring(schema, MINUTE, 5), tmp_path)


def test_a_failed_save_leaves_the_last_state(
    filled: Ring, schema: Schema, batch: Batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(filled, tmp_path)

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    filled.update(batch(10), 8 * MINUTE)
    with pytest.raises(OutriderError, match="No space left on device"):
        save(filled, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    ring = Ring(schema, MINUTE, 5)
    assert load(ring, tmp_path) is not None
    assert ring.window(7 * MINUTE).rows == 1000


def test_the_golden_state_still_loads(schema: Schema) -> None:
    """Written by version 2 of the layout: eight minutes of 200 rows, as `filled`. A pod's state must outlive an update."""
    ring = Ring(schema, MINUTE, 5)
    assert load(ring, GOLDEN) is not None
    window = ring.window(7 * MINUTE)
    assert window.rows == 1000
    assert [None if summary is None else summary.rows for summary in map(window.summary, range(4))] == [1000, 1000, None, 1000]
    totals = ring.totals()
    assert (int(totals["x"].counts.sum()), totals["x"].missing) == (1280, 320)
