"""The admin API: the report, the profile, the metrics, and a page that shows them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from agent.admin.page import PAGE, PAGE_POLICY
from agent.clock import Now, wall_ns
from agent.evaluate.report import Decision, Report
from agent.evaluate.segments import SegmentSummary
from agent.profile.format import Profile
from agent.window.strangest import StrangeRow

_log = logging.getLogger("outrider.admin")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the answers come from.

    Parameters
    ----------
    report
        Gives the newest evaluation, or ``None`` before the first.
    profile
        Gives the training profile, or ``None`` where there is none (yet).
    metrics
        Takes an ``Accept`` header and gives the metrics' text and its content type; called on another thread.
    faults
        Where an error of our own is counted, under ``admin``.
    waiting
        Says in one sentence why there is no report yet.
    strangest
        Gives the strangest rows of the window, or ``None`` where rows are not scored.
    segments
        Gives all segments in a line each.
    segment
        Gives the newest report of one segment, or ``None`` if it has none.
    model, version
        What the model is called before the first report.
    start_ns
        Wall clock when the monitor began.
    now
        Wall clock.
    """

    report: Callable[[], Report | None]
    profile: Callable[[], Profile | None]
    metrics: Callable[[str], tuple[bytes, str]]
    faults: dict[str, int]
    waiting: Callable[[], str] = lambda: "the first evaluation comes when the first pane is full"
    strangest: Callable[[], list[StrangeRow] | None] = lambda: None
    segments: Callable[[], list[SegmentSummary]] = list
    segment: Callable[[str], Report | None] = lambda _: None
    model: str = ""
    version: str = ""
    start_ns: int = 0
    now: Now = wall_ns


SOURCES: web.AppKey[Sources] = web.AppKey("sources", Sources)
"""Where an application keeps its sources."""


def make_app(sources: Sources) -> web.Application:
    """Make the aiohttp application. It answers every fault, its own included, with JSON."""
    app = web.Application(middlewares=[_json_faults])
    app[SOURCES] = sources
    app.router.add_get("/", _page)
    app.router.add_get("/api/report", _report)
    app.router.add_get("/api/profile", _profile)
    app.router.add_get("/api/rows", _rows)
    app.router.add_get("/api/segments", _segments)
    app.router.add_get("/metrics", _metrics)
    return app


def waiting_report(sources: Sources) -> Report:
    """Give the report that says why there is none yet: no reference, or no evaluation so far."""
    now_ns = sources.now()
    return Report(
        time_ns=now_ns,
        window_start_ns=sources.start_ns,
        window_end_ns=now_ns,
        rows=0,
        model=sources.model,
        version=sources.version,
        evaluation=0,
        decision=Decision.NO_REFERENCE if sources.profile() is None else Decision.INSUFFICIENT,
        columns=[],
        reason=sources.waiting(),
    )


async def _page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


async def _report(request: web.Request) -> web.Response:
    sources = request.app[SOURCES]
    if "segment" in request.query:
        return _segment(sources, request.query["segment"])
    return _json(msgspec.json.encode(sources.report() or waiting_report(sources)))


def _segment(sources: Sources, name: str) -> web.Response:
    if name not in (segment.name for segment in sources.segments()):
        return _fault(404, "there is no such segment: /api/segments lists them")
    report = sources.segment(name)
    return _fault(404, "this segment has had no rows yet") if report is None else _json(msgspec.json.encode(report))


async def _segments(request: web.Request) -> web.Response:
    return _json(msgspec.json.encode(request.app[SOURCES].segments()))


async def _profile(request: web.Request) -> web.Response:
    profile = request.app[SOURCES].profile()
    if profile is None:
        return _fault(404, "there is no training profile: set OUTRIDER_PROFILE, or wait until one is learned from traffic")
    return _json(await asyncio.to_thread(msgspec.json.encode, profile))


async def _rows(request: web.Request) -> web.Response:
    rows = request.app[SOURCES].strangest()
    if rows is None:
        return _fault(404, "rows are not scored: the profile has no structure of rows; build it again from at least 100 rows")
    return _json(msgspec.json.encode(rows))


async def _metrics(request: web.Request) -> web.Response:
    sources = request.app[SOURCES]
    accept = ",".join(request.headers.getall("Accept", []))
    body, content_type = await asyncio.to_thread(sources.metrics, accept)
    response = web.Response(body=body, headers={"Content-Type": content_type})
    response.enable_compression()
    return response


def _json(body: bytes, status: int = 200) -> web.Response:
    response = web.Response(body=body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"})
    response.enable_compression()
    return response


def _fault(status: int, message: str) -> web.Response:
    return _json(msgspec.json.encode({"error": message}), status)


@web.middleware
async def _json_faults(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        response = _fault(error.status, f"only {', '.join(sorted(error.allowed_methods))} here")
        response.headers["Allow"] = error.headers["Allow"]
        return response
    except web.HTTPException as error:
        return _fault(error.status, "nothing here; there are /api/report, /api/rows, /api/segments, /api/profile and /metrics")
    except Exception as error:  # noqa: BLE001 - a fault of ours is counted, and the monitor goes on
        faults = request.app[SOURCES].faults
        faults["admin"] = faults.get("admin", 0) + 1
        if faults["admin"] == 1:
            _log.warning("admin fault path=%s reason=%r; counted from now on", request.path, f"{type(error).__name__}: {error}")
        return _fault(500, "an error inside Outrider; its log says which")
