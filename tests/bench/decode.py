"""Open Inference tensors to columns: values a second, beside plain msgspec, orjson and numpy.

``python tests/bench/decode.py [--rounds 7] [--seconds 0.3] [--json FILE]``

Outrider is measured from a whole recorded exchange to a `Batch`, by `Decoder.decode`, one exchange at a time: head, route, the
request's tensor and the answer of one value a row. Its peers are given the request's body alone, and do what is least: parse it
and make one float64 array with a row for each column. JSON has 17 digits a number, as doubles have. All run in turn in one
process, on one core; a round is the median of its repetitions, and what is reported is the median of the rounds.

``single`` and ``raw single`` are thousands of exchanges a second with one row of ten, a thousand exchanges a call; there is no
figure for them here. Needs orjson.

Exit codes: 0 with every figure reached, 1 with some not.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from agent.decode.decoder import Decoder
from agent.exchange import Exchange
from tests.bench.table import Column, Goal, compare, medians, table
from tests.exchanges import exchange, json_exchange, request_bytes, response_bytes

TARGET = "/v2/models/m/infer"
ROWS, COLUMNS, MANY_ROWS = 1_000, 50, 100_000
SINGLE_ROWS = 1_000
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Round:
    """Values a second, of one way in one round; exchanges a second for the last two. NaN where it means nothing."""

    flat: float
    nested: float
    raw: float
    raw_large: float
    single: float
    raw_single: float


COLUMNS_SHOWN: tuple[Column[Round], ...] = (
    Column("JSON flat, M/s", lambda one: one.flat / MILLION, ".1f"),
    Column("JSON nested, M/s", lambda one: one.nested / MILLION, ".1f"),
    Column(f"raw FP32 {ROWS:,}, M/s", lambda one: one.raw / MILLION),
    Column(f"raw FP32 {MANY_ROWS:,}, M/s", lambda one: one.raw_large / MILLION),
    Column("single, k/s", lambda one: one.single / 1e3),
    Column("raw single, k/s", lambda one: one.raw_single / 1e3),
)

OUTRIDER = "outrider"
GOALS: tuple[Goal[Round], ...] = (
    Goal("JSON flat, 1,000 x 50", OUTRIDER, OUTRIDER, lambda one, _: one.flat / MILLION, True, 20, "M values/s"),
    Goal("JSON nested, 1,000 x 50", OUTRIDER, OUTRIDER, lambda one, _: one.nested / MILLION, True, 20, "M values/s"),
    Goal("raw FP32, 1,000 x 50", OUTRIDER, OUTRIDER, lambda one, _: one.raw / MILLION, True, 500, "M values/s"),
)


class _FlatTensor(msgspec.Struct):
    shape: list[int]
    data: list[float]


class _FlatRequest(msgspec.Struct):
    inputs: list[_FlatTensor]


class _NestedTensor(msgspec.Struct):
    shape: list[int]
    data: list[list[float]]


class _NestedRequest(msgspec.Struct):
    inputs: list[_NestedTensor]


def json_request(rows: NDArray[np.float64], *, nested: bool) -> dict[str, Any]:
    """A request of one matrix."""
    data = (rows if nested else rows.ravel()).tolist()
    return {"id": "1", "inputs": [{"name": "x", "shape": list(rows.shape), "datatype": "FP64", "data": data}]}


def json_answer(rows: int) -> dict[str, Any]:
    """One value a row."""
    output = {"name": "y", "shape": [rows], "datatype": "FP64", "data": [0.5] * rows}
    return {"model_name": "m", "model_version": "1", "outputs": [output]}


def raw_message(key: str, array: NDArray[np.float32]) -> tuple[bytes, str]:
    """A body with one raw tensor, and the header that says where it begins."""
    tensor = {
        "name": "x", "shape": list(array.shape), "datatype": "FP32", "parameters": {"binary_data_size": array.nbytes}
    }  # fmt: skip
    text = json.dumps({"id": "1", key: [tensor]}).encode()
    return text + array.tobytes(), f"Inference-Header-Content-Length: {len(text)}\r\n"


def raw_exchange(array: NDArray[np.float32]) -> Exchange:
    """A matrix, answered with its first column."""
    asked, asked_header = raw_message("inputs", array)
    answered, answered_header = raw_message("outputs", array[:, :1])
    octets = "application/octet-stream"
    return exchange(
        request_bytes(TARGET, asked, octets, extra=asked_header), response_bytes(answered, octets, extra=answered_header)
    )


Work = Callable[[], Any]


def turned(values: NDArray[Any], shape: list[int]) -> NDArray[np.float64]:
    """One float64 array with a row for each column."""
    return np.array(values.reshape(shape).T, dtype=np.float64, order="C")


def works() -> tuple[dict[str, dict[str, Work]], dict[str, int]]:
    """Give what is measured, by way and by field of `Round`; and how many values or exchanges each is."""
    source = np.random.default_rng(7)
    rows = source.normal(size=(ROWS, COLUMNS))
    floats, many = rows.astype(np.float32), source.normal(size=(MANY_ROWS, COLUMNS)).astype(np.float32)
    few = [source.normal(size=(1, 10)) for _ in range(SINGLE_ROWS)]
    exchanges = {
        "flat": [json_exchange(TARGET, json_request(rows, nested=False), json_answer(ROWS))],
        "nested": [json_exchange(TARGET, json_request(rows, nested=True), json_answer(ROWS))],
        "raw": [raw_exchange(floats)],
        "raw_large": [raw_exchange(many)],
        "single": [json_exchange(TARGET, json_request(one, nested=False), json_answer(1)) for one in few],
        "raw_single": [raw_exchange(one.astype(np.float32)) for one in few],
    }
    decoder = Decoder()
    wanted: dict[str, NDArray[Any]] = {"flat": rows, "nested": rows, "raw": floats, "raw_large": many}
    ours: dict[str, Work] = {}
    for name, ones in exchanges.items():
        ours[name] = lambda ones=ones: decoder.decode(ones)  # type: ignore[misc]  # a default keeps each its own
        check(ours[name](), wanted.get(name, np.concatenate(few)), exact=name != "raw_single")
    bodies = {name: ones[0].request.partition(b"\r\n\r\n")[2] for name, ones in exchanges.items()}
    flat, nested = msgspec.json.Decoder(_FlatRequest).decode, msgspec.json.Decoder(_NestedRequest).decode

    def by_msgspec(decode: Callable[[bytes], _FlatRequest | _NestedRequest], name: str) -> Work:
        def work() -> NDArray[np.float64]:
            tensor = decode(bodies[name]).inputs[0]
            return turned(np.array(tensor.data), tensor.shape)

        return work

    def by_orjson(name: str) -> Work:
        def work() -> NDArray[np.float64]:
            tensor = orjson.loads(bodies[name])["inputs"][0]
            return turned(np.array(tensor["data"]), tensor["shape"])

        return work

    def by_numpy(name: str, count: int) -> Work:
        def work() -> NDArray[np.float64]:
            return turned(np.frombuffer(bodies[name][-4 * count * COLUMNS :], "<f4"), [count, COLUMNS])

        return work

    return {
        OUTRIDER: ours,
        "msgspec+numpy": {"flat": by_msgspec(flat, "flat"), "nested": by_msgspec(nested, "nested")},
        "orjson+numpy": {"flat": by_orjson("flat"), "nested": by_orjson("nested")},
        "numpy": {"raw": by_numpy("raw", ROWS), "raw_large": by_numpy("raw_large", MANY_ROWS)},
    }, {
        "flat": rows.size, "nested": rows.size, "raw": rows.size, "raw_large": many.size,
        "single": SINGLE_ROWS, "raw_single": SINGLE_ROWS,
    }  # fmt: skip


def check(result: Any, rows: NDArray[Any], *, exact: bool) -> None:
    """Stop if what was decoded is not what was written."""
    (batch,) = result.batches
    got = np.array(batch.inputs.columns).T
    if not (np.array_equal(got, rows) if exact else np.allclose(got, rows, rtol=1e-6)):
        raise SystemExit("bench: the columns are not those that were sent")


def seconds_of(work: Work, budget: float) -> float:
    """Give the median time of one call, over at least three calls and about so many seconds."""
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def main() -> int:
    """Run from the command line; give the exit code."""
    parser = argparse.ArgumentParser(description="Open Inference tensors to columns, values a second.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each measurement")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    ways, sizes = works()
    rounds: dict[str, list[Round]] = {way: [] for way in ways}
    for number in range(options.rounds):
        turn = number % len(ways)
        for way in [*ways, *ways][turn : turn + len(ways)]:
            rates = {name: sizes[name] / seconds_of(work, options.seconds) for name, work in ways[way].items()}
            rounds[way].append(Round(**{name: rates.get(name, math.nan) for name in sizes}))
    results = {way: medians(measured) for way, measured in rounds.items()}
    print(table(results, COLUMNS_SHOWN, base="orjson+numpy") + "\n")
    goals = compare(results, GOALS)
    for sentence, _ in goals:
        print(sentence)
    if options.json is not None:
        content = {
            "medians": {way: asdict(one) for way, one in results.items()},
            "rounds": {way: [asdict(one) for one in measured] for way, measured in rounds.items()},
            "goals": [{"sentence": " ".join(sentence.split()), "reached": reached} for sentence, reached in goals],
        }
        options.json.write_text(json.dumps(content, indent=2) + "\n")
    return int(not all(reached for _, reached in goals))


if __name__ == "__main__":
    sys.exit(main())
