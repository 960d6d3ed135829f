"""Which unseen items are frequent, without keeping any of them: the Misra-Gries summary over hashes.

J. Misra and D. Gries, "Finding repeated elements" (1982); merged as in Agarwal et al., "Mergeable Summaries" (2012): add the
counts, subtract the (capacity + 1)-th largest from all, keep what is positive. Every count is a lower bound, at most
`UnseenResult.error` below the true one, and the error is at most ``n / (capacity + 1)``. Exact while no more than `CAPACITY`
different items came.

A payload's value is never kept: an item is known by 64 bits of its BLAKE2b hash. Who has a value at hand can look it up; who
has the hash alone can at best guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from heapq import nlargest
from typing import NamedTuple

import msgspec

from agent.sketch.wire import read

CAPACITY = 32
"""Items kept: an item with more than 3 % of the unseen rows is never lost."""


class UnseenResult(NamedTuple):
    """Hashes with a lower bound of their counts, most frequent first, ties by hash; and how far too low a count can be."""

    items: tuple[tuple[int, int], ...]
    error: int


class _Wire(msgspec.Struct, array_like=True, tag="unseen/1", frozen=True, gc=False):
    error: int
    counts: dict[int, int]


_DECODER = msgspec.msgpack.Decoder(_Wire)


def hash_item(text: str) -> int:
    """64 bits of the text's BLAKE2b hash, the same in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, person=b"outrider").digest(), "little")


class Unseen:
    """Counts of frequent items by hash. At most 32 pairs of numbers.

    Examples
    --------
    >>> unseen = Unseen()
    >>> unseen.update({"violet": 3, "teal": 1})
    >>> unseen.result().items[0] == (hash_item("violet"), 3)
    True
    """

    __slots__ = ("counts", "error")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.error = 0

    def update(self, counts: Mapping[str, int]) -> None:
        """Add how often each text came. Only those that can stay are hashed."""
        pairs = nlargest(CAPACITY + 1, counts.items(), key=lambda pair: pair[1])
        cut = pairs[CAPACITY][1] if len(pairs) > CAPACITY else 0
        self._add({hash_item(text): count - cut for text, count in pairs if count > cut}, cut)

    def merge(self, other: Unseen) -> None:
        """Add what `other` has seen."""
        self._add(other.counts, other.error)

    def result(self) -> UnseenResult:
        """Give the frequent items; none and no error where nothing was seen."""
        return UnseenResult(tuple(sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))), self.error)

    def to_bytes(self) -> bytes:
        """Write the state: at most 600 bytes."""
        return msgspec.msgpack.encode(_Wire(self.error, self.counts))

    @classmethod
    def from_bytes(cls, data: bytes) -> Unseen:
        """Read what `to_bytes` wrote; `OutriderError` if it is something else."""
        wire = read(_DECODER, data, "unseen items")
        unseen = cls()
        unseen.counts, unseen.error = wire.counts, wire.error
        return unseen

    def _add(self, counts: Mapping[int, int], error: int) -> None:
        mine = self.counts
        for item, count in counts.items():
            mine[item] = mine.get(item, 0) + count
        self.error += error
        if len(mine) > CAPACITY:
            cut = nlargest(CAPACITY + 1, mine.values())[-1]
            self.counts = {item: count - cut for item, count in mine.items() if count > cut}
            self.error += cut
