"""Large bodies with nested arrays, spoiled at random: what the fast way reads, the complete way reads the same."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.decode import kserve_v1, open_inference
from agent.decode.block import Block
from agent.decode.gather import side
from agent.decode.json_records import large_table
from agent.decode.open_inference_large import large_inputs

IMAGE: list[Any] = np.random.default_rng(1).integers(0, 9, size=(70, 60, 1)).tolist()
V1: list[dict[str, Any]] = [
    {"instances": [{"img": IMAGE, "age": 3}]},
    {"instances": [{"img": IMAGE}, {"img": IMAGE}], "signature_name": "x[,"},
    {"instances": [IMAGE], "parameters": {"a": [[]]}},
    {"inputs": {"img": [IMAGE], "lag": [[1, 2]], "light": 0.5}},
]
V2: list[dict[str, Any]] = [
    {
        "id": "1",
        "inputs": [
            {"name": "img", "shape": [1, 70, 60, 1], "datatype": "FP32", "data": [IMAGE]},
            {"name": "lag", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2]]},
        ],
    }
]

spoils = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["", *'[]{},:"01-.e ', "[]", "],[", "null", "1e999"]), st.booleans()), max_size=2
)
"""Where, what, and whether it stands in the place of a character or before it."""


def spoiled(value: dict[str, Any], changes: list[tuple[float, str, bool]]) -> bytes:
    text = json.dumps(value, separators=(",", ":"))
    for part, what, instead in changes:
        place = int(part * (len(text) - 1))
        text = text[:place] + what + text[place + instead :]
    return text.encode()


def read(block: Block) -> tuple[Any, ...]:
    columns = side(block.names, block.numeric, [block.values]).columns if block.names else ()
    tables = [(table.tensor, table.values.tolist()) for table in block.tables]
    return block.names, block.rows, block.id, block.tensors, tables, [column.tolist() for column in columns]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(V1), spoils)
def test_v1(value: dict[str, Any], changes: list[tuple[float, str, bool]]) -> None:
    body = spoiled(value, changes)
    fast = large_table(body, ("instances",), ("inputs",))
    assert changes or fast is not None
    if fast is not None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kserve_v1, "large_table", lambda *_: None)
            assert read(kserve_v1.read_inputs(body)) == read(fast)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(V2), spoils)
def test_v2(value: dict[str, Any], changes: list[tuple[float, str, bool]]) -> None:
    body = spoiled(value, changes)
    fast = large_inputs(body)
    assert changes or fast is not None
    if fast is not None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(open_inference, "large_inputs", lambda _: None)
            assert read(open_inference.read_inputs(body)) == read(fast)
