from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from agent.admin.app import Sources, make_app
from agent.admin.page import PAGE
from agent.evaluate.report import Decision, Report
from agent.export import prometheus
from agent.profile.format import FORMAT, Model, Profile
from agent.window.strangest import Part, StrangeRow
from tests import synthetic

PROFILE = Profile(format=FORMAT, model=Model(name="credit"), rows=3, columns=[])


def sources(
    *,
    report: Callable[[], Report | None] = lambda: synthetic.REPORT,
    profile: Profile | None = PROFILE,
    faults: dict[str, int] | None = None,
) -> Sources:
    return Sources(
        report=report,
        profile=lambda: profile,
        metrics=lambda accept: prometheus.render(synthetic.figures(), accept),
        faults={} if faults is None else faults,
        model="credit",
        version="7",
        start_ns=synthetic.START_NS,
        now=lambda: synthetic.START_NS + 5,
    )


def ask(given: Sources, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    async def one() -> tuple[int, dict[str, str], bytes]:
        async with TestClient(TestServer(make_app(given)), auto_decompress=False) as client:
            answer = await client.request(method, path, headers={"Accept-Encoding": "identity", **headers})
            return answer.status, dict(answer.headers), await answer.read()

    return asyncio.run(one())


def with_segments() -> Sources:
    report = msgspec.structs.replace(synthetic.REPORT, rows=60)
    return replace(
        sources(),
        segments=lambda: list(synthetic.SEGMENTS),
        segment=lambda name: report if name == "country=DE" else None,
    )


def test_segments_are_listed() -> None:
    status, _, body = ask(with_segments(), "/api/segments")
    assert status == 200
    listed = json.loads(body)
    assert [(one["name"], one["decision"], one["rows"], one["drifted"]) for one in listed] == [
        ("country=DE", "drifted", 60, ["age"]),
        ("country=FR", "insufficient", 0, []),
    ]


def test_a_segment_has_a_report_of_its_own() -> None:
    status, _, body = ask(with_segments(), "/api/report?segment=country%3DDE")
    assert status == 200
    assert json.loads(body)["rows"] == 60


@pytest.mark.parametrize(
    ("segment", "message"),
    [("country%3DFR", "no rows yet"), ("country%3DES", "/api/segments lists them"), ("", "no such segment")],
)
def test_a_segment_without_a_report_is_not_found(segment: str, message: str) -> None:
    status, _, body = ask(with_segments(), f"/api/report?segment={segment}")
    assert status == 404
    assert message in json.loads(body)["error"]


def test_report_is_json() -> None:
    status, headers, body = ask(sources(), "/api/report")
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    report = json.loads(body)
    assert report["decision"] == "drifted"
    assert report["columns"][0]["scores"][0] == {
        "statistic": "psi", "against": "training", "value": 0.8, "lower": 0.6, "threshold": 0.1, "decision": "drifted",
        "streak": 4, "rows": 1000, "span_s": 3600.0, "p_value": None,
    }  # fmt: skip
    assert report["columns"][0]["scores"][1]["value"] is None  # NaN is no JSON


@pytest.mark.parametrize(("profile", "decision"), [(PROFILE, Decision.INSUFFICIENT), (None, Decision.NO_REFERENCE)])
def test_report_before_the_first_evaluation(profile: Profile | None, decision: Decision) -> None:
    status, _, body = ask(sources(report=lambda: None, profile=profile), "/api/report")
    assert status == 200
    report = msgspec.json.decode(body, type=Report)
    assert (report.decision, report.evaluation, report.model, report.columns) == (decision, 0, "credit", [])
    assert b"null" not in body


def test_profile_is_the_file() -> None:
    status, _, body = ask(sources(), "/api/profile")
    assert status == 200
    assert msgspec.json.decode(body, type=Profile) == PROFILE


def test_strangest_rows_are_json() -> None:
    rows = [StrangeRow(5, 3.2, [Part("age", 0.001)], id="a-1")]
    status, headers, body = ask(replace(sources(), strangest=lambda: rows), "/api/rows")
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(body) == [
        {"time_ns": 5, "score": 3.2, "parts": [{"column": "age", "probability": 0.001}], "id": "a-1"},
    ]  # fmt: skip


def test_rows_that_are_not_scored_are_a_404_that_says_so() -> None:
    status, _, body = ask(sources(), "/api/rows")
    assert status == 404
    assert "at least 100 rows" in json.loads(body)["error"]


def test_no_profile_is_a_404_that_says_so() -> None:
    status, _, body = ask(sources(profile=None), "/api/profile")
    assert status == 404
    assert "OUTRIDER_PROFILE" in json.loads(body)["error"]


def test_metrics_follow_the_accept_header() -> None:
    assert ask(sources(), "/metrics")[1]["Content-Type"].startswith("text/plain; version=0.0.4")
    openmetrics = ask(sources(), "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert openmetrics[1]["Content-Type"].startswith("application/openmetrics-text")


def test_answers_are_compressed_where_wanted() -> None:
    _, headers, body = ask(sources(), "/metrics", **{"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert b"outrider_drift_score" in gzip.decompress(body)


def test_page_is_self_contained() -> None:
    status, headers, body = ask(sources(), "/")
    assert (status, body.decode()) == (200, PAGE)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "http://" not in PAGE
    assert "https://" not in PAGE
    for link in ("/api/report", "/api/profile", "/metrics"):
        assert f'href="{link}"' in PAGE


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/api/report", 405), ("GET", "/%ff", 404)]
)
def test_faults_of_the_client_are_json(method: str, path: str, status: int) -> None:
    found, headers, body = ask(sources(), path, method)
    assert found == status
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(body)["error"]


def test_fault_of_ours_is_counted_and_says_nothing_inside() -> None:
    def broken() -> Report | None:
        raise RuntimeError("secret")

    faults: dict[str, int] = {}
    status, _, body = ask(sources(report=broken, faults=faults), "/api/report")
    assert status == 500
    assert b"secret" not in body
    assert faults == {"admin": 1}


def test_head_is_answered() -> None:
    assert ask(sources(), "/api/report", "HEAD")[0] == 200
