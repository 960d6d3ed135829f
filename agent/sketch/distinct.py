"""How many distinct values: HyperLogLog, Flajolet et al. (2007), in the form of Apache DataSketches.

Exact up to some hundred values, then with a relative standard error of about ``1.04 / sqrt(2^lg_k)``: 2.3 % at lg_k = 11.
Fed only with values that are in no list, so an ordinary column costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from datasketches import hll_sketch, hll_union, tgt_hll_type

from agent.errors import OutriderError
from agent.sketch.wire import read

LG_K = 11
"""2,048 registers of 4 bits: about 1 KB when full."""


class _Wire(msgspec.Struct, array_like=True, tag="distinct/1", frozen=True, gc=False):
    sketch: bytes


_DECODER = msgspec.msgpack.Decoder(_Wire)


class Distinct:
    """Estimates the number of distinct texts. Some bytes when empty, 1 KB at most.

    Examples
    --------
    >>> distinct = Distinct()
    >>> distinct.update(["a", "b", "a"])
    >>> round(distinct.result())
    2
    """

    __slots__ = ("sketch",)

    def __init__(self) -> None:
        self.sketch: hll_sketch | None = None

    def update(self, texts: Iterable[str]) -> None:
        """Add texts, best each once. Cost: 0.2 µs per text."""
        sketch = self.sketch
        if sketch is None:
            sketch = self.sketch = hll_sketch(LG_K, tgt_hll_type.HLL_4)
        add = sketch.update
        for text in texts:
            add(text if text and text.isascii() else _portable(text))

    def merge(self, other: Distinct) -> None:
        """Add what `other` has seen."""
        if other.sketch is None:
            return
        union = hll_union(LG_K)
        if self.sketch is not None:
            union.update(self.sketch)
        union.update(other.sketch)
        self.sketch = union.get_result(tgt_hll_type.HLL_4)

    def result(self) -> float:
        """Give the estimate; 0 where nothing was seen."""
        return 0.0 if self.sketch is None else float(self.sketch.get_estimate())

    def to_bytes(self) -> bytes:
        """Write the state."""
        return msgspec.msgpack.encode(_Wire(b"" if self.sketch is None else self.sketch.serialize_compact()))

    @classmethod
    def from_bytes(cls, data: bytes) -> Distinct:
        """Read what `to_bytes` wrote; `OutriderError` if it is something else."""
        wire = read(_DECODER, data, "distinct count")
        distinct = cls()
        if wire.sketch:
            try:
                distinct.sketch = hll_sketch.deserialize(wire.sketch)
            except (RuntimeError, ValueError, IndexError, MemoryError) as error:  # whichever C++ exception the library threw
                raise OutriderError(f"these bytes are not a saved distinct count: {error}") from error
        return distinct


def _portable(text: str) -> str:
    # The library passes over the empty text. A lone surrogate is legal in JSON and in str, but not in UTF-8, which it encodes to.
    return "\0" if not text else text.encode("utf-8", "backslashreplace").decode("utf-8")
