"""The monitor's pipeline: records in, a report out. One direction, no sockets, no clock of its own.

``exchanges → decode → summarise → check → score rows → sketch (pane) → window → evaluate → report``

A stage that fails is counted under its name and the rest goes on: nothing that a client sends, and no defect of ours, stops
the monitor.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from agent.anomalies import Anomaly, RowWatch
from agent.batch import NOTHING, Batch, Side
from agent.bias import BiasWatch
from agent.config import Settings
from agent.decode.decoder import Decoder, answered
from agent.decode.gather import Decoded
from agent.decode.routes import LABELS, OTHER
from agent.errors import OutriderError
from agent.evaluate.changes import log_changes
from agent.evaluate.decide import Streaks
from agent.evaluate.evaluate import evaluate
from agent.evaluate.report import BEFORE, SEASON, Report
from agent.evaluate.rule import Rule
from agent.evaluate.segments import SegmentSummary
from agent.evaluate.tolerance import Tolerated
from agent.exchange import Bare, Exchange
from agent.profile.schema import Schema
from agent.segments import SegmentWatch
from agent.validate.schema import Checker
from agent.validate.summaries import Summariser
from agent.warmup import Warmup
from agent.window.activity import Activity
from agent.window.ring import BinTotals, Ring
from agent.window.sampling import RowSampler
from agent.window.state import load, save
from agent.window.strangest import StrangeRow

log = logging.getLogger("outrider.monitor")

_STREAKS = msgspec.msgpack.Decoder(Streaks)

_UNMATCHED_CALLS = 20
"""So many calls to unknown paths, and nothing read so far, look like a route that was not configured."""

_FEW = 256
"""More exchanges than this in one call, of some megabytes together, are small: to look at each would cost 2 % of decoding it."""

_PORTION_BYTES = 1 << 20
"""Bytes of requests and answers that are decoded at once. Columns of so much gain nothing by being longer."""


class Pipeline:
    """All that the monitor knows.

    Parameters
    ----------
    settings
        The effective configuration.
    schema
        What the profile promises; ``None`` where there is none.
    learns
        Whether the first rows become the reference where `schema` is ``None``.
    """

    def __init__(self, settings: Settings, schema: Schema | None, *, learns: bool = True) -> None:
        self.activity = Activity()
        self.report: Report | None = None
        self.schema: Schema | None = None
        self._settings = settings
        self._decoder = Decoder(settings.routes)
        self._rule = Rule.from_settings(settings)
        self._streaks = Streaks()
        self._tolerated: Tolerated | None = None
        self._warmup = self._new_warmup() if schema is None and learns else None
        self._summariser: Summariser | None = None
        """Only where the profile summarises something."""
        self._checker: Checker | None = None
        self._rows: RowWatch | None = None
        self._ring: Ring | None = None
        self._segments: SegmentWatch | None = None
        self._bias: BiasWatch | None = None
        self._said: set[str] = set()
        self._unmatched = 0
        """Calls that matched no route while nothing could be read at all."""
        if schema is not None:
            self._adopt(schema)

    def _adopt(self, schema: Schema) -> None:
        settings = self._settings
        pane_ns = round(settings.pane_s * 1e9)
        self.schema = schema
        self._summariser = Summariser(schema) if schema.sources else None
        self._checker = Checker(schema)
        self._rows = RowWatch(schema, settings, RowSampler(pane_ns))
        panes = max(1, round(settings.window_s / settings.pane_s))
        against = settings.against
        self._ring = Ring(schema, pane_ns, panes, before=BEFORE in against, season=SEASON in against)
        self._tolerated = Tolerated(self._rule, schema)
        if self._tolerated.idle:
            log.warning("OUTRIDER_THRESHOLDS names columns that the profile does not have columns=%s", self._tolerated.idle)
        self._segments = SegmentWatch(schema, settings, self._tolerated) if settings.segments else None
        self._bias = BiasWatch(schema, settings) if settings.groups else None
        self._warmup = None
        if settings.state_dir:
            self._take_up_state()

    def take(self, exchanges: Sequence[Exchange], now_ns: int) -> Sequence[str]:
        """Take in records; give the route of each, for whoever builds spans.

        Parameters
        ----------
        exchanges
            In the order in which they ended; the more at once, the cheaper each.
        now_ns
            Wall clock: which pane they belong to.
        """
        routes: list[str] = []
        for portion in _portions(exchanges):
            routes += self._take(portion, now_ns)
        return routes

    def _take(self, exchanges: Sequence[Exchange], now_ns: int) -> Sequence[str]:
        is_read = True
        try:
            decoded = self._decoder.decode(exchanges)
        except Exception:  # noqa: BLE001 - whatever a client sent must not end the monitor
            self._fault("decode")
            decoded, is_read = Decoded(routes=[OTHER] * len(exchanges)), False
        try:
            self.activity.record(exchanges, decoded.routes)
            self._count(decoded)
        except Exception:  # noqa: BLE001 - as above
            self._fault("activity")
        if is_read and not self.activity.decoded:
            self._look_for_routes(exchanges, decoded.routes)
        for batch in decoded.batches:
            if batch.format in LABELS:
                continue  # their rows were traffic when they were asked; the window must not see them twice
            try:
                self._take_batch(batch, now_ns)
            except Exception:  # noqa: BLE001 - as above
                self._fault("sketch")
        return decoded.routes

    def _look_for_routes(self, exchanges: Sequence[Exchange], routes: Sequence[str]) -> None:
        # Every gRPC call is a POST, and no route of a user's own makes one readable.
        pairs = zip(exchanges, routes, strict=True)
        self._unmatched += sum(
            route == OTHER and exchange.method == "POST" and exchange.protocol != "grpc" for exchange, route in pairs
        )
        if self._unmatched >= _UNMATCHED_CALLS:
            message = "no call matched a known route, so no values are read; is OUTRIDER_ROUTES needed? calls=%d"
            self._say_once("routes", message, self._unmatched)

    def take_bare(self, bare: Bare) -> None:
        """Take in exchanges whose bodies were left out: they are counted, and nothing else can be said of them."""
        try:
            route = self._decoder.route(bare.method, bare.target)
            count = self.activity.record_bare(bare, route.template)
            if route.format is not None:
                _add(self.activity.unobserved, {"bodies_left_out" if answered(bare) else "status": count})
        except Exception:  # noqa: BLE001 - as above
            self._fault("activity")

    def _count(self, decoded: Decoded) -> None:
        activity = self.activity
        _add(activity.decoded, decoded.decoded)
        _add(activity.rows, decoded.rows)
        _add(activity.unobserved, decoded.unobserved)
        for reason, count in decoded.undecoded.items():
            activity.undecoded[reason] = activity.undecoded.get(reason, 0) + count

    def _take_batch(self, batch: Batch, now_ns: int) -> None:
        if self._warmup is not None:
            self._warmup.add(batch)
            if self._warmup.is_full:
                self._learn()
            return
        if self._checker is None or self._rows is None or self._ring is None or self.schema is None:
            self._without_tables(batch)
            return
        if batch.model and self.schema.model and batch.model != self.schema.model:
            _add(self.activity.unobserved, {"other_model": batch.exchanges})
            message = "requests are for another model than the profile; they are only counted profile_model=%r request_model=%r"
            self._say_once("other_model", message, self.schema.model, batch.model[:80])
            return
        broken: Mapping[tuple[str, str], int] = {}
        if self._summariser is not None:
            batch, broken = self._summariser.summarise(batch)
        batch = self._without_tables(batch)
        if not batch.inputs.rows and not batch.outputs.rows:
            return
        checked, anomalies = self._rows.take(batch, self._checker.check(batch), now_ns)
        self.activity.anomalies += anomalies
        self.activity.scored_rows += 0 if checked.matrix is None else len(checked.matrix)
        for violation, count in (*broken.items(), *checked.violations.items()):
            self.activity.violations[violation] = self.activity.violations.get(violation, 0) + count
        self._ring.update(checked, now_ns)
        if self._segments is not None:
            self._segments.take(batch, checked, now_ns)
        if self._bias is not None:
            self._bias.take(batch, checked, now_ns)

    def _without_tables(self, batch: Batch) -> Batch:
        """Leave out, and count, what is too wide for columns and was not summarised."""
        if not batch.inputs.tables and not batch.outputs.tables:
            return batch
        _add(self.activity.unobserved, {"too_wide": batch.exchanges})
        return replace(batch, inputs=_columns_only(batch.inputs), outputs=_columns_only(batch.outputs))

    def _new_warmup(self) -> Warmup:
        settings = self._settings
        return Warmup(settings.warmup_rows, settings.model_name, (*settings.segments, *settings.groups))

    def _learn(self) -> None:
        warmup = self._warmup
        if warmup is None:
            return
        try:
            schema = warmup.schema()
        except OutriderError as error:
            self._fault("warmup")
            log.error("the first rows can't become a reference; starting over reason=%r", str(error))
            self._warmup = self._new_warmup()
            return
        log.info("learned a reference from the first rows rows=%d columns=%d", warmup.rows, len(schema.columns))
        self._adopt(schema)

    def tick(self, now_ns: int) -> Report | None:
        """Close the pane, evaluate the window and save the state; call it at each pane's end. Gives the newest report."""
        if self._ring is None or self.schema is None:
            return self.report
        try:
            self._ring.rotate(now_ns)
            window = self._ring.window(now_ns)
            before = self.report
            self.report, self._streaks = evaluate(
                window, self.schema, self._rule, self._streaks, self.activity.violations, now_ns, self._tolerated
            )
            self.report = self._with_groups(self.report, now_ns)
            log_changes(before, self.report)
        except Exception:  # noqa: BLE001 - a statistic that fails must not end the monitor
            self._fault("evaluate")
        self._evaluate_segments(now_ns)
        self.save()
        return self.report

    def _evaluate_segments(self, now_ns: int) -> None:
        try:
            if self._segments is not None:
                self._segments.evaluate(now_ns)
        except Exception:  # noqa: BLE001 - as above
            self._fault("segments")

    def _with_groups(self, report: Report, now_ns: int) -> Report:
        if self._bias is None:
            return report
        return msgspec.structs.replace(report, groups=self._bias.evaluate(now_ns))

    def segment(self, name: str) -> Report | None:
        """Give the newest report of one segment, ``None`` where there is none."""
        return self._segments.report(name) if self._segments is not None else None

    def segments(self) -> list[SegmentSummary]:
        """Give all segments in a line each."""
        return self._segments.summaries() if self._segments is not None else []

    def segment_rows(self) -> Mapping[tuple[str, str], int]:
        """Rows since the start, by segment column and value."""
        return self._segments.rows if self._segments is not None else {}

    @property
    def waiting(self) -> str:
        """One sentence: why there is no report yet."""
        if self._warmup is not None:
            rows = f"learning a reference from the first rows: {self._warmup.rows} of {self._settings.warmup_rows} so far"
            return rows + self._hint()
        if self.schema is None:
            return "there is no reference: the profile can't be used; the log says why"
        return "the first evaluation comes when the first pane is full" + self._hint()

    def _hint(self) -> str:
        return f"; {self._unmatched} calls matched no known route" if self._unmatched and not self.activity.decoded else ""

    def totals(self) -> Mapping[str, BinTotals]:
        """Rows in each frozen bin since the start, by column."""
        return self._ring.totals() if self._ring is not None else {}

    def pop_scored(self) -> dict[bytes, Anomaly]:
        """Give the scores of sampled exchanges taken in since the last call, for whoever builds spans."""
        return self._rows.pop_scored() if self._rows is not None else {}

    def strangest(self, now_ns: int) -> list[StrangeRow] | None:
        """Give the strangest rows of the window; ``None`` where rows are not scored."""
        is_scored = self.schema is not None and self.schema.row_model is not None
        return self._rows.strangest(now_ns) if self._rows is not None and is_scored else None

    # State over restarts

    def save(self) -> None:
        """Write the panes to the state directory, if there is one."""
        if self._ring is None or not self._settings.state_dir:
            return
        try:
            save(self._ring, self._settings.state_dir, msgspec.msgpack.encode(self._streaks))
            if self._segments is not None:
                self._segments.save(self._settings.state_dir)
            if self._bias is not None:
                self._bias.save(self._settings.state_dir)
        except (OSError, OutriderError) as error:
            self._fault("state", quiet=True)
            self._say_once("state", "the state can't be saved; going on without reason=%r", str(error))

    def _take_up_state(self) -> None:
        if self._ring is None:
            return
        try:
            notes = load(self._ring, self._settings.state_dir)
            if notes is not None:
                self._streaks = _STREAKS.decode(notes)
                log.info("took up the window of the last run dir=%s", self._settings.state_dir)
        except (OSError, OutriderError, msgspec.DecodeError) as error:
            self._fault("state", quiet=True)
            log.warning("the saved state can't be used; starting with an empty window reason=%r", str(error))
        if self._segments is not None:
            self._segments.take_up(self._settings.state_dir)
        if self._bias is not None:
            self._bias.take_up(self._settings.state_dir)

    # What goes wrong

    def _fault(self, stage: str, *, quiet: bool = False) -> None:
        self.activity.fault(stage)
        if not quiet and stage not in self._said:
            self._said.add(stage)
            log.exception("a fault of Outrider's own; counted from now on and not said again stage=%s", stage)

    def _say_once(self, key: str, message: str, *values: object) -> None:
        if key not in self._said:
            self._said.add(key)
            log.warning(message, *values)


def _portions(exchanges: Sequence[Exchange]) -> Iterator[Sequence[Exchange]]:
    """Cut a few large exchanges into portions: until they are columns, values take many times their bytes."""
    if len(exchanges) > _FEW:
        yield exchanges
        return
    start = size = 0
    for place, exchange in enumerate(exchanges, 1):
        size += len(exchange.request) + len(exchange.response)
        if size >= _PORTION_BYTES:
            yield exchanges[start:place]
            start, size = place, 0
    if start < len(exchanges) or not exchanges:
        yield exchanges[start:]


def _columns_only(side: Side) -> Side:
    return side if not side.tables else replace(side, tables=()) if side.names else NOTHING


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count
