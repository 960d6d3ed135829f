"""What must hold of every gap between groups, whatever the counts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.evaluate.bias import Group, Tolerance, evaluate_bias
from agent.evaluate.decide import Key, Streak
from agent.evaluate.rule import Rule
from agent.window.selection import Selected

MINUTE_NS = 60 * 10**9

pane = st.tuples(st.integers(0, 400), st.floats(0, 1), st.integers(0, 400), st.floats(0, 1), st.integers(1, 30))


@settings(deadline=None)
@given(st.lists(pane, min_size=1, max_size=9), st.integers(1, 200))
def test_what_is_proven_is_never_more_than_what_is_seen(panes: list[tuple[int, float, int, float, int]], min_rows: int) -> None:
    counts = np.array([[[[n, int(p * n)], [m, int(q * m)]]] for n, p, m, q, _ in panes], dtype=np.int64)
    repeats = np.array([[n + m, (n + m) * length, (n + m) // length] for n, _, m, _, length in panes], dtype=np.int64)
    window = Selected([place * MINUTE_NS for place in range(len(panes))], counts, repeats)
    streaks: dict[Key, Streak] = {}
    rule = Rule(min_rows, 2, 0.05, 1440, {})
    for _ in range(2):
        (report,), streaks = evaluate_bias(
            [Group("g", "g", "")], window, rule, Tolerance(0.1, 0.8), streaks, len(panes) * MINUTE_NS
        )
        difference, ratio = report.difference, report.ratio
        assert difference is not None
        assert ratio is not None
        if difference.value is not None:
            assert difference.bound is not None
            assert 0 <= difference.bound <= abs(difference.value)
        if ratio.value is not None:
            assert ratio.bound is not None
            assert ratio.value <= ratio.bound <= 1 or 1 <= ratio.bound <= ratio.value
