"""Objects with arrays and objects in them."""

from __future__ import annotations

import pytest

from agent.decode.arrays import MAX_FLATTENED, NotObserved
from agent.decode.flat_records import flat_record


def test_names_tell_the_way() -> None:
    record = {"a": [1, [2, None]], "b": {"c": "x", "d": {"e": True}}, "f": 3}
    assert flat_record(record) == {"a[0]": 1, "a[1][0]": 2, "a[1][1]": None, "b.c": "x", "b.d.e": True, "f": 3}


def test_many_values_are_too_wide() -> None:
    assert len(flat_record({"a": [1] * MAX_FLATTENED})) == MAX_FLATTENED
    with pytest.raises(NotObserved, match="too_wide"):
        flat_record({"a": [1] * (MAX_FLATTENED + 1)})
