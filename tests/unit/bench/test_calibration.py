from __future__ import annotations

import io

import numpy as np
import pytest

from tests.bench.detect.calibration import alarm_rate, delay, first_alarm, highest, thresholds
from tests.bench.detect.pages import rises
from tests.bench.detect.wire import CATEGORY, Column, columns_of_json, columns_to_json, receive, send


def test_the_highest_look_ignores_what_is_undefined() -> None:
    np.testing.assert_array_equal(highest(np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])), [3.0, -np.inf])


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_thresholds_give_new_runs_the_rate_that_was_asked_for(rate: float) -> None:
    source = np.random.default_rng(1)
    scales = np.array([1.0, 100.0, 0.01])
    limits = thresholds(source.gumbel(size=(4_000, 3)) * scales, rate)
    assert alarm_rate(source.gumbel(size=(4_000, 3)) * scales, limits) == pytest.approx(rate, abs=0.015)


def test_outputs_share_the_error_whatever_their_scale() -> None:
    source = np.random.default_rng(2)
    maxima = source.gumbel(size=(4_000, 2)) * np.array([1.0, 1_000.0])
    limits = thresholds(maxima, 0.1)
    each = (maxima > limits).mean(axis=0)
    assert each[0] == pytest.approx(each[1], abs=0.02)


def test_an_output_that_never_varied_may_not_rise() -> None:
    maxima = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])
    limits = thresholds(maxima, 0.05)
    assert limits[0] == 0.0
    assert (np.array([0.001, 0.0]) > limits)[0]


def test_an_output_that_was_never_defined_never_alarms() -> None:
    maxima = np.array([[-np.inf, 1.0], [-np.inf, 2.0]])
    assert thresholds(maxima, 0.05)[0] == np.inf


def test_no_run_alarms_at_the_highest_of_few_runs() -> None:
    maxima = np.random.default_rng(3).normal(size=(8, 4))
    assert alarm_rate(maxima, thresholds(maxima, 0.05)) == 0.0


def test_the_first_alarm_is_of_any_output() -> None:
    statistics = np.array([[0.0, np.nan], [0.0, 5.0], [9.0, 9.0]])
    assert first_alarm(statistics, np.array([1.0, 1.0])) == 1
    assert first_alarm(statistics, np.array([10.0, 10.0])) == -1


def test_a_delay_counts_from_the_change_to_the_end_of_the_look() -> None:
    assert delay(4, 100, 430) == 70
    assert delay(-1, 100, 430) == float("inf")
    assert np.isnan(delay(3, 100, 430))


def test_pages_are_rises_and_the_first_look_may_be_one() -> None:
    flags = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0]], dtype=bool)
    np.testing.assert_array_equal(rises(flags), [2, 2, 0])


def test_a_message_comes_as_it_was_sent() -> None:
    stream = io.BytesIO()
    columns = (Column("a"), Column("b", CATEGORY, ("é", "")))
    rows = np.arange(6.0).reshape(2, 3)[:, ::-1]
    send(stream, {"do": "fit", "columns": columns_to_json(columns)}, rows=rows, none=np.zeros((0, 2), dtype=bool))
    stream.seek(0)
    content, arrays = receive(stream)
    assert content["do"] == "fit"
    assert columns_of_json(content["columns"]) == columns
    np.testing.assert_array_equal(arrays["rows"], rows)
    assert arrays["none"].shape == (0, 2)
    with pytest.raises(EOFError):
        receive(stream)
