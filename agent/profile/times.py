"""When each row was: times of any spelling as nanoseconds since 1970, for cutting training data into chunks."""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from agent.errors import ProfileError
from agent.profile.blocks import Opaque, Texts, Values

NEVER = np.iinfo(np.int64).min
"""Where there is no time, or none between the years 1677 and 2262; numpy's NaT."""

_LIMIT = 9.2e18
_UNITS = ((1e11, 1e9), (1e14, 1e6), (1e17, 1e3))
"""Below the first number a value counts seconds (until the year 5138), below the second milliseconds, then microseconds; from
there on nanoseconds. With each, how many nanoseconds that is."""


def times_of(values: Values, name: str) -> NDArray[np.int64]:
    """Read a block of a column as times.

    Parameters
    ----------
    values
        Datetimes, ISO 8601 texts (without a zone they are UTC), or numbers since 1970 whose unit shows in their magnitude.
    name
        The column's, for the error.

    Returns
    -------
    NDArray
        int64, shape ``(rows,)``: nanoseconds since 1970 in UTC, `NEVER` where a value is missing or is no time.

    Raises
    ------
    ProfileError
        If the column's type has no times: durations, times of day, vectors, images.

    Examples
    --------
    >>> times_of(np.array([1.0, 1_700_000_000_000.0, np.nan]), "seen").tolist()
    [1000000000, 1700000000000000000, -9223372036854775808]
    """
    match values:
        case np.ndarray():
            return _of_numbers(values)
        case Texts():
            known = np.array([*map(_of_text, values.labels), NEVER], dtype=np.int64)
            return known[values.codes]
        case Opaque(times=found) if found is not None:
            return found
        case _:
            raise ProfileError(f"column {name!r} holds no points in time, which chunks of a length of time are cut by")


def from_microseconds(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn microseconds into nanoseconds; what is beyond 64 bits becomes `NEVER`."""
    inside = np.abs(times.clip(-(2**62))) < _LIMIT / 1e3
    return np.where(inside, times * inside * 1000, NEVER)


def _of_numbers(values: NDArray[np.float64]) -> NDArray[np.int64]:
    sizes = np.abs(values)
    factors = np.select([sizes < limit for limit, _ in _UNITS], [factor for _, factor in _UNITS], 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values * factors
        inside = np.abs(scaled) < _LIMIT
    times = np.full(len(values), NEVER)
    times[inside] = scaled[inside].astype(np.int64)
    return times


def _of_text(text: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return NEVER
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    try:
        since = zoned - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    except OverflowError:
        return NEVER
    micro = since // dt.timedelta(microseconds=1)
    return micro * 1000 if abs(micro) < _LIMIT / 1e3 else NEVER
