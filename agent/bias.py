"""Whether the model's answers favour some groups of rows: counts per pane, and their evaluation at each pane's end.

Groups are columns that the profile knows, features or columns beside them; at most `OUTRIDER_MAX_SEGMENTS`, the most frequent in
training first, so that nobody can make some up. Memory: 16 bytes a group and pane.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np

from agent.batch import Batch, Checked
from agent.config import Settings
from agent.errors import OutriderError
from agent.evaluate.bias import Group, Tolerance, evaluate_bias
from agent.evaluate.decide import Key, Streak
from agent.evaluate.report import Decision, GroupReport
from agent.evaluate.rule import Rule
from agent.group_language import Grouping
from agent.profile.schema import Schema
from agent.validate.outcome import OutcomeTest
from agent.validate.watched import Watched, watch
from agent.window.layout import telling
from agent.window.sealed import seal, unseal
from agent.window.selection import Selected, Selections

log = logging.getLogger("outrider.monitor")

FILE = "groups.state"

_KIND = "outrider-groups/3"


class _State(msgspec.Struct, array_like=True, frozen=True):
    key: bytes
    """Of the groups and the outcome."""
    panes: bytes
    streaks: dict[Key, Streak]
    newest: tuple[int, int]
    """Of the last evaluation's newest pane: when it began, and its rows. What is the same again is no new evidence."""


_DECODER = msgspec.msgpack.Decoder(_State)


def refuse_in_log(grouping: Grouping, why: str) -> None:
    """Say in the log that a grouping can't be watched."""
    log.error("a group can't be watched group=%s reason=%r", grouping, why)


class BiasWatch:
    """Keeps the groups that the settings ask for.

    Parameters
    ----------
    schema
        With what training was like in each group.
    settings
        Which groups, which answer is favourable, the tolerances, the window.
    refuse
        Called for each grouping that can't be watched, with the reason; a line in the log if not given.

    Attributes
    ----------
    watched
        What tells the groups, in the order of the settings.
    """

    def __init__(self, schema: Schema, settings: Settings, *, refuse: Callable[[Grouping, str], None] = refuse_in_log) -> None:
        self._say = refuse
        self._rule = Rule.from_settings(settings)
        self._tolerance = Tolerance(settings.parity, settings.impact)
        self._streaks: dict[Key, Streak] = {}
        self._faults: list[GroupReport] = []
        self._outcome: OutcomeTest | None = None
        self._favourable = str(settings.favourable or "").removeprefix("=")
        self.watched: tuple[Watched, ...] = ()
        try:
            self._outcome = OutcomeTest(schema, settings.favourable)
        except ValueError as error:
            for grouping in settings.groups:
                self._refuse(grouping, str(error))
        else:
            self.watched = watch(settings.groups, schema, settings.max_segments, self._refuse)
        self._groups = [group for watched in self.watched for group in self._groups_of(watched, schema)]
        sizes = [len(watched.values) for watched in self.watched]
        panes = max(1, round(settings.window_s / settings.pane_s))
        self._selections = Selections(sizes, round(settings.pane_s * 1e9), panes, telling(schema))
        self._newest = (0, 0)

    def _refuse(self, grouping: Grouping, why: str) -> None:
        self._say(grouping, why)
        self._faults.append(GroupReport(str(grouping), grouping.column, "", Decision.NO_REFERENCE, why))

    def _groups_of(self, watched: Watched, schema: Schema) -> Iterator[Group]:
        grouping = watched.grouping
        for name, value in zip(watched.names, watched.values, strict=True):
            yield Group(name, grouping.column, value, self._training(schema, grouping, value), str(grouping), self._favourable)

    def _training(self, schema: Schema, grouping: Grouping, value: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Give answered and selected rows of training, the group's and the others'."""
        outcome = self._outcome
        if grouping.comparison is not None and grouping.comparison.sign == "=":
            names = {str(grouping): value, str(Grouping(grouping.column)): grouping.comparison.value}
        else:
            names = {str(grouping): value}
        for known in schema.segments:
            wanted = names.get(str(known.grouping))
            if outcome is None or wanted is None or wanted not in known.values:
                continue
            if (known.outcome, known.favourable) == (outcome.column, str(outcome.favourable)):
                place = known.values.index(wanted)
                answered, selected = known.answered[place], known.selected[place]
                return (answered, selected), (sum(known.answered) - answered, sum(known.selected) - selected)
        return None

    def take(self, batch: Batch, checked: Checked, now_ns: int) -> None:
        """Add the rows of a batch. Cost: 5 ns a row and grouping of numbers, 140 ns of categories."""
        told = self._outcome.of(checked) if self._outcome is not None and self._groups else None
        if told is None:
            return
        places = [watched.of(batch, checked) for watched in self.watched]
        self._selections.update(places, *told, now_ns, checked.values)

    def evaluate(self, now_ns: int) -> list[GroupReport]:
        """Compare each group with the others; groups that can't be watched say why."""
        window = self._selections.window(now_ns)
        before, self._newest = self._newest, _newest(window)
        reports, self._streaks = evaluate_bias(
            self._groups, window, self._rule, self._tolerance, self._streaks, now_ns, fresh=before != self._newest
        )
        return [*reports, *self._faults]

    def evaluate_once(self, repeated: Sequence[float], now_ns: int) -> list[GroupReport]:
        """Compare each group with the others for once, whatever was found before: where all rows are one look.

        Parameters
        ----------
        repeated
            So many rows of each group, or of its others, count as one, at least 1; in place of what runs of equal rows say.
        now_ns
            Wall clock.

        Returns
        -------
        list
            As of `evaluate`. Cost: 0.5 ms a group.
        """
        window = self._selections.window(now_ns)
        rows = window.repeats[:, 0]
        reports = []
        for place, times in enumerate(repeated):
            repeats = np.column_stack([rows, np.rint(rows * times).astype(np.int64), rows])
            mine = window._replace(repeats=repeats)
            found, _ = evaluate_bias(self._groups, mine, self._rule, self._tolerance, {}, now_ns)
            reports.append(found[place])
        return [*reports, *self._faults]

    def save(self, directory: str) -> None:
        """Write the counts to the state directory; `OutriderError` if the disk does not take them."""
        state = _State(self._key(), self._selections.to_bytes(), self._streaks, self._newest)
        seal(Path(directory) / FILE, _KIND, msgspec.msgpack.encode(state))

    def take_up(self, directory: str) -> None:
        """Take up what `save` wrote; what is damaged or of other groups is said and left."""
        try:
            data = unseal(Path(directory) / FILE, _KIND)
            if data is None:
                return
            state = _DECODER.decode(data)
            if state.key != self._key():
                log.info("the saved groups are others than now; starting with none")
                return
            self._selections.restore(state.panes)
            self._streaks = dict(state.streaks)
            self._newest = state.newest
        except (OutriderError, msgspec.DecodeError) as error:
            log.warning("the saved groups can't be used; starting with none reason=%r", str(error))

    def _key(self) -> bytes:
        outcome = self._outcome
        what = ("", "") if outcome is None else (outcome.column, str(outcome.favourable))
        return sha256(msgspec.msgpack.encode([[group.name for group in self._groups], what])).digest()


def _newest(window: Selected) -> tuple[int, int]:
    """Tell the newest rows: when their pane began, and how many it has."""
    return (window.starts_ns[-1], int(window.repeats[-1, 0])) if window.starts_ns else (0, 0)
