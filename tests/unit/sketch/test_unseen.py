from __future__ import annotations

from agent.sketch.unseen import CAPACITY, Unseen, hash_item


def test_few_items_are_counted_exactly() -> None:
    unseen = Unseen()
    unseen.update({"a": 2, "b": 5})
    unseen.update({"a": 3})
    assert dict(unseen.result().items) == {hash_item("a"): 5, hash_item("b"): 5}
    assert unseen.result().error == 0


def test_most_frequent_first() -> None:
    unseen = Unseen()
    unseen.update({f"item {count}": count for count in range(1, 20)})
    assert [count for _, count in unseen.result().items] == list(range(19, 0, -1))


def test_a_flood_of_single_items_does_not_push_out_a_frequent_one() -> None:
    unseen = Unseen()
    for round_number in range(200):
        unseen.update({"often": 10} | {f"{round_number} {number}": 1 for number in range(50)})
    items, error = unseen.result()
    assert len(items) <= CAPACITY
    assert 2000 - error <= dict(items)[hash_item("often")] <= 2000


def test_hashes_are_the_same_in_every_process() -> None:
    """A saved state holds hashes, and a later process adds to them."""
    assert hash_item("violet") == 7089410294722743374
    assert hash_item("\ud800") != hash_item("\ud801")
