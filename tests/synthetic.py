"""Made-up figures of a monitor that has seen something: a numeric and a categorical column, calls, a report."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from agent.evaluate.report import ColumnReport, Decision, GapReport, GroupReport, RelationReport, Report, Score
from agent.evaluate.segments import SegmentSummary
from agent.exchange import DOUBLINGS, MARK, Exchange, Outcome, ProxyStats
from agent.export.figures import Figures, ProcessFigures
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.summary import CategorySummary, NumericSummary
from agent.window.activity import Activity, CallKey, Calls
from agent.window.ring import BinTotals

PREDICT = CallKey("/v1/models/{model}:predict", "POST", 200, Outcome.COMPLETE)
STREAM = CallKey("/inference.GRPCInferenceService/ModelStreamInfer", "POST", 200, Outcome.COMPLETE, 14)
SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND

AGE_REFERENCE = NumericSummary(
    rows=1000, missing=20, infinite=0, count=980, mean=40.0, variance=100.0, minimum=18.0, maximum=90.0,
    edges=np.array([25.0, 30.0, 40.0, 50.0, 60.0]),
    bin_counts=np.array([100, 120, 260, 240, 160, 100]),
    coarse=np.array([0, 2, 4]),
    points=np.array([40.0]), weights=np.array([980.0]),
)  # fmt: skip
CITY_REFERENCE = CategorySummary(
    rows=1000, missing=0, categories=("Bern", "Genève"), counts=np.array([600, 380]), unseen=20, distinct=5.0
)
AGE_ROWS = np.array([40, 60, 100, 150, 250, 390], dtype=np.int64)
CITY_ROWS = np.array([500, 480, 10], dtype=np.int64)

SCHEMA = Schema(
    model="credit",
    version="7",
    features=(
        ColumnSchema(
            name="age", role="feature", type="float", nullable=True, minimum=18.0, maximum=90.0,
            edges=AGE_REFERENCE.edges, coarse=AGE_REFERENCE.coarse, categories=None, reference=AGE_REFERENCE,
        ),
        ColumnSchema(
            name="city", role="feature", type="category", nullable=False, minimum=None, maximum=None,
            edges=None, coarse=None, categories=CITY_REFERENCE.categories, reference=CITY_REFERENCE,
        ),
    ),
    outputs=(),
)  # fmt: skip

REPORT = Report(
    time_ns=START_NS + 60 * SECOND,
    window_start_ns=START_NS,
    window_end_ns=START_NS + 60 * SECOND,
    rows=1000,
    model="credit",
    version="7",
    evaluation=4,
    decision=Decision.DRIFTED,
    columns=[
        ColumnReport(
            name="age", role="feature", type="float", decision=Decision.DRIFTED, reason="PSI 0.8 is above 0.1", rows=1000,
            missing_share=0.01, reference_rows=1000, reference_missing_share=0.02,
            scores=[
                Score("psi", "training", 0.8, 0.6, 0.1, Decision.DRIFTED, 4, 1000, 3600.0),
                Score("mean_shift", "training", float("nan"), float("nan"), 0.25, Decision.OK, 0, 1000, 3600.0, 0.03),
            ],
            mean=52.0, reference_mean=40.0, median=55.0, reference_median=40.0, overdispersion=1.5, distance=12.0,
        ),
        ColumnReport(
            name="city", role="feature", type="category", decision=Decision.OK, reason="", rows=990,
            missing_share=0.0, reference_rows=1000, reference_missing_share=0.0,
            scores=[Score("psi", "training", 0.02, 0.0, 0.1, Decision.OK, 0, 990, 3600.0)], unseen_share=0.01,
        ),
    ],
    relations=[
        RelationReport(
            kind="correlation", columns=["age", "income"], decision=Decision.DRIFTED, reason="correlation 0.1 instead of 0.7",
            before=0.7, now=0.1, value=-0.6, lower=0.4, threshold=0.2, streak=4, rows=900, span_s=240.0,
        ),
    ],
)  # fmt: skip


def totals() -> dict[str, BinTotals]:
    """Rows by bin: the ages have moved up, the cities have not."""
    return {
        "age": BinTotals(("25.0", "30.0", "40.0", "50.0", "60.0", "+Inf"), AGE_ROWS.copy(), 10),
        "city": BinTotals((*CITY_REFERENCE.categories, "_unseen"), CITY_ROWS.copy(), 0),
    }


def activity() -> Activity:
    """Three good predictions, one that the model server broke off, one 500, one tunnel, and one stream that failed."""
    calls = {
        PREDICT: _calls([2_000_000, 3_000_000, 40_000_000]),
        PREDICT._replace(outcome=Outcome.UPSTREAM_GONE): _calls([5_000_000]),
        PREDICT._replace(status=500): _calls([7_000_000]),
        CallKey("other", "_OTHER", 0, Outcome.TUNNEL): _calls([90 * SECOND]),
        STREAM: _calls([9_000_000]),
    }
    calls[STREAM].request_messages, calls[STREAM].response_messages = 1, 3
    calls[STREAM].stream_gaps.update(np.array([1_000_000, 30_000_000], dtype=np.int64))
    return Activity(
        calls=calls,
        decoded={"kserve-v1": 3},
        undecoded={("kserve-v1", "not_json"): 2},
        unobserved={"status": 1},
        rows={"kserve-v1": 30},
        violations={("age", "out_of_range"): 5, ("x'; DROP", "extra"): 2, ("y", "extra"): 1},
        faults={"state": 1},
        proxy=ProxyStats(
            upstreams=(("http://127.0.0.1:8080", 1),),
            handshakes_failed=1,
            connections=2,
            active_requests=1,
            accepted=9,
            exchanges=7,
            lost_full=1,
            lost_away=4,
            lost_died=2,
            tap_bytes=4096,
            connections_refused=3,
            connections_idle=5,
            rss_bytes=30 << 20,
            held=(0, 1, 5, *(0,) * (DOUBLINGS - 4), 1),
            held_ns=9_000_000_000,
            lag=(30, *(0,) * (DOUBLINGS - 1)),
            lag_ns=9_000,
        ),
    )


def _calls(durations_ns: list[int]) -> Calls:
    calls = Calls()
    calls.duration.update(np.array(durations_ns, dtype=np.int64))
    calls.upstream.update(np.array(durations_ns, dtype=np.int64) // 2)
    calls.request_bytes = 150 * len(durations_ns)
    calls.response_bytes = 90 * len(durations_ns)
    return calls


GROUPS = [
    GroupReport(
        "gender=f", "gender", "f", Decision.DRIFTED, "", 40, 10, 60, 40, 0.25, 0.67,
        GapReport(-0.42, -0.6, -0.2, 0.12, 0.1, Decision.DRIFTED, 3, 3600.0),
        GapReport(0.37, 0.2, None, 0.7, 0.8, Decision.DRIFTED, 3, 3600.0), 0.5, 0.55,
    ),
    GroupReport("nobody", "nobody", "", Decision.NO_REFERENCE, "the profile has no column 'nobody'"),
]  # fmt: skip

SEGMENTS = (
    SegmentSummary("country=DE", "country", "DE", Decision.DRIFTED, "", 60, 500, ["age"]),
    SegmentSummary("country=FR", "country", "FR", Decision.INSUFFICIENT, "no rows so far", 0, 300, []),
)


def figures() -> Figures:
    """All of it together."""
    return Figures(
        version="0.1.0",
        model="credit",
        model_version="7",
        profile_format="outrider-profile/1",
        start_ns=START_NS,
        activity=activity(),
        report=msgspec.structs.replace(REPORT, groups=GROUPS),
        totals=totals(),
        schema=SCHEMA,
        processes=(ProcessFigures("proxy", 1.5, 30 << 20), ProcessFigures("monitor", 2.5, 90 << 20)),
        segments=SEGMENTS,
        segment_rows={("country", "DE"): 70, ("country", "_other"): 30},
    )


def many_columns(count: int, bins: int = 60) -> Figures:
    """As many columns with as many bins as asked for."""
    age = SCHEMA.features[0]
    edges = np.arange(bins - 1, dtype=np.float64)
    reference = replace(AGE_REFERENCE, edges=edges, bin_counts=np.full(bins, 10), coarse=np.arange(0, bins, 6, dtype=np.int64))
    columns = tuple(replace(age, name=f"c{i}", edges=edges, coarse=reference.coarse, reference=reference) for i in range(count))
    labels = (*(str(edge) for edge in edges), "+Inf")
    rows = {column.name: BinTotals(labels, np.arange(bins, dtype=np.int64), 1) for column in columns}
    first = REPORT.columns[0]
    reports = [
        ColumnReport(
            name=column.name, role=column.role, type=column.type, decision=first.decision, reason="", rows=10,
            missing_share=0.0, reference_rows=600, reference_missing_share=0.0, scores=first.scores,
        )
        for column in columns
    ]  # fmt: skip
    report = Report(
        time_ns=START_NS, window_start_ns=START_NS, window_end_ns=START_NS, rows=10, model="credit", version="7",
        evaluation=1, decision=Decision.DRIFTED, columns=reports,
    )  # fmt: skip
    return replace(figures(), schema=Schema("credit", "7", columns, ()), totals=rows, report=report)


STREAM_METHOD = STREAM.route.removeprefix("/")
TRACE_ID, SPAN_ID, PARENT_ID = bytes(range(1, 17)), bytes(range(33, 41)), bytes(range(65, 73))


def exchange(*, trace: bytes = TRACE_ID + SPAN_ID + PARENT_ID, target: str = "/v1/models/credit:predict?key=secret") -> Exchange:
    """One sampled prediction of 5 ms."""
    return Exchange(
        "http/1.1", "POST", target, 200, Outcome.COMPLETE, 0, START_NS, 1_000_000, 4_000_000, 5_000_000, 150, 90,
        b"x" * 150, b"y" * 90, trace,
    )  # fmt: skip


def stream(messages: int = 3, *, grpc_status: int = 0, target: str = "/" + STREAM_METHOD) -> Exchange:
    """A sampled streaming call: a message in, and so many out, a millisecond apart."""
    marks = MARK.pack(500_000, 10 << 2) + b"".join(
        MARK.pack(1_000_000 * number, 40 << 2 | 1) for number in range(1, messages + 1)
    )
    return Exchange(
        "grpc", "POST", target, 200, Outcome.COMPLETE, 0, START_NS, 600_000, 1_000_000, 5_000_000, 150, 90,
        b"x" * 150, b"y" * 90, TRACE_ID + SPAN_ID + PARENT_ID, grpc_status, 1, messages, marks,
    )  # fmt: skip
