"""A file that is mounted as a profile: a profile that can be used, or a `ProfileError`; never anything else."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ProfileError
from agent.profile.read import read_bytes
from agent.profile.schema import schema_of

GOLDEN = Path(__file__).parents[1] / "golden" / "profile"
ODD: list[Any] = [None, -1, 0, 1, 10**30, 1e308, 0.5, "", "x", "AAAA", [], [0], {}, True]


def accepted(data: bytes) -> bool:
    try:
        profile = read_bytes(data)
    except ProfileError:
        return False
    schema_of(profile)
    return True


@pytest.mark.parametrize("name", ["profile_1.json", "profile_1.json.gz"])
def test_flipped_bytes(name: str) -> None:
    original = (GOLDEN / name).read_bytes()
    rng = random.Random(name)
    for _ in range(400):
        data = bytearray(original)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        accepted(bytes(data))
        accepted(bytes(data[: rng.randrange(len(data))]))


def places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    entries = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    for key, value in entries:
        found += [(document, key), *places(value)]
    return found


def test_odd_values_anywhere() -> None:
    original = (GOLDEN / "profile_1.json").read_bytes()
    rng = random.Random(7)
    outcomes = set()
    for _ in range(600):
        document = json.loads(original)
        holder, key = rng.choice(places(document))
        holder[key] = rng.choice(ODD)
        outcomes.add(accepted(json.dumps(document).encode()))
    assert outcomes == {True, False}
