"""Samples of one tag as columns, and the chunk they are kept in. Pure: no I/O, no clock.

A series is what ``OnChange`` let through: a row for every change. Times are line time in whole microseconds. A value
that is no number (none at all, a text) is NaN in the column; its text, if it has one, stands beside it. A number that
is NaN itself is the text ``=nan`` (see ``rows.encode``), so nothing is mixed up.
"""

from __future__ import annotations

import itertools
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from linecontrol.history.numbers import Floats, Ints, pack_floats, pack_ints, unpack_floats, unpack_ints

_GOOD_BELOW = 1 << 30
_ZIP_FROM = 120


@dataclass(frozen=True, slots=True)
class Series:
    """Columns of equal length, in the order of time.

    Attributes:
        times: line time [us]. values: numbers; NaN = none. statuses: OPC UA codes.
        texts: position -> text of a value that is no number.
    """

    times: Ints
    values: Floats
    statuses: Ints
    texts: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def is_all_good(self) -> bool:
        """Is every status known to be GOOD, without looking?"""
        return self.statuses.base is _ALL_GOOD

    @property
    def is_number(self) -> npt.NDArray[np.bool_]:
        """Where the value is a number and GOOD."""
        if self.is_all_good:
            return ~np.isnan(self.values)
        return np.asarray((self.statuses < _GOOD_BELOW) & ~np.isnan(self.values))

    def part(self, start: int, end: int) -> Series:
        """Rows [start, end)."""
        texts = {at - start: text for at, text in self.texts.items() if start <= at < end}
        return Series(self.times[start:end], self.values[start:end], self.statuses[start:end], texts)

    def between(self, start_us: int, end_us: int | None, *, hold: bool = False) -> Series:
        """Rows in [start_us, end_us); with ``hold`` the one before too, unless one stands at ``start_us``."""
        first = int(self.times.searchsorted(start_us))
        last = len(self) if end_us is None else int(self.times.searchsorted(end_us))
        if hold and first and (first == len(self) or self.times[first] != start_us):
            first -= 1
        return self.part(first, max(first, last))


EMPTY = Series(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


_ALL_GOOD = np.zeros(2**17, np.int64)
_ALL_GOOD.flags.writeable = False


def all_good(count: int) -> Ints:
    """Statuses of rows that are all GOOD, which most are: not to be written to, for they share their memory."""
    return _ALL_GOOD[:count] if count <= len(_ALL_GOOD) else np.zeros(count, np.int64)


def _statuses(parts: Sequence[Series]) -> Ints:
    if all(part.is_all_good for part in parts):
        return all_good(sum(map(len, parts)))
    return np.concatenate([part.statuses for part in parts])


def joined(parts: Sequence[Series]) -> Series:
    """One series of several, in the order of time; of rows of one time the first given is kept.

    Each of several must be in order by itself; a single one need not.
    """
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return _once(parts[0]) if parts else EMPTY
    texts: dict[int, str] = {}
    at = 0
    for part in parts:
        texts |= {at + n: text for n, text in part.texts.items()}
        at += len(part)
    whole = Series(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values for part in parts]),
        _statuses(parts),
        texts,
    )
    if all(before.times[-1] < after.times[0] for before, after in itertools.pairwise(parts)):
        return whole
    return _once(whole)


def _once(series: Series) -> Series:
    if len(series) < 2 or (np.diff(series.times) > 0).all():
        return series
    _, order = np.unique(series.times, return_index=True)
    return picked(series, order)


def picked(series: Series, rows: npt.NDArray[np.int64]) -> Series:
    """These rows, in this order."""
    texts = {}
    if series.texts:
        texts = {n: series.texts[at] for n, at in enumerate(rows.tolist()) if at in series.texts}
    return Series(series.times[rows], series.values[rows], series.statuses[rows], texts)


# -- roll-ups


class Rollup(NamedTuple):
    """What is known of a stretch of time without its rows. Only GOOD numbers count.

    Attributes:
        rows: how many. numbers: rows that are GOOD numbers.
        low, high: smallest and largest; None without numbers.
        weight_us: time during which a GOOD number held [us]. integral: of the held value over that time [unit us].
    """

    rows: int
    numbers: int
    low: float | None
    high: float | None
    weight_us: int
    integral: float

    @property
    def mean(self) -> float | None:
        """Mean over time of the value that held; of an instant, its value."""
        if self.weight_us:
            return self.integral / self.weight_us
        return self.low if self.low == self.high else None


NOTHING = Rollup(0, 0, None, None, 0, 0.0)


def rollup(series: Series, until_us: int | None = None) -> Rollup:
    """Of these rows; the last value is held until ``until_us`` (None: it counts for no time)."""
    if not len(series):
        return NOTHING
    times, values = series.times, series.values
    held = np.empty(len(series))  # whole microseconds, which floats hold; one room for all: to get it costs most
    np.subtract(times[1:], times[:-1], out=held[:-1], casting="unsafe")
    held[-1] = 0 if until_us is None else max(0, until_us - int(times[-1]))
    low = float(values.min()) if series.is_all_good else math.nan
    if low == low:  # one NaN would be the smallest, so all are numbers, and each holds until the next
        weight_us = int(times[-1]) - int(times[0]) + int(held[-1])
    else:
        good = series.is_number
        if not good.any():
            return Rollup(len(series), 0, None, None, 0, 0.0)
        held, values = held[good], values[good]
        low, weight_us = float(values.min()), int(held.sum())
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite reading is a reading
        np.multiply(values, held, out=held)
        integral = float(held.sum())  # pairwise, and no linear algebra threads to wake
    return Rollup(len(series), len(values), low, float(values.max()), weight_us, integral)


def together(parts: Sequence[Rollup]) -> Rollup:
    lows = [part.low for part in parts if part.low is not None]
    highs = [part.high for part in parts if part.high is not None]
    return Rollup(
        sum(part.rows for part in parts),
        sum(part.numbers for part in parts),
        min(lows, default=None),
        max(highs, default=None),
        sum(part.weight_us for part in parts),
        math.fsum(part.integral for part in parts) if all(math.isfinite(p.integral) for p in parts) else math.nan,
    )


# -- chunks


class Packed(NamedTuple):
    """A series as it is kept. ``times`` is empty where the rows are those of the axis, from ``offset`` on."""

    times: bytes
    data: bytes
    notes: bytes | None


def pack(series: Series, places: Ints | None) -> Packed:
    """``places``: of its times in an axis that several tags share; None: the series keeps its own."""
    numbers = series.times if places is None else places
    missing = np.isnan(series.values)
    values = _filled(series.values, missing) if missing.any() else series.values
    return Packed(pack_ints(numbers), pack_floats(values), _notes(series, missing))


def unpack(packed: Packed, axis: Ints | None) -> Series:
    """The inverse of ``pack``."""
    numbers = unpack_ints(packed.times)
    values = unpack_floats(packed.data)
    times = numbers if axis is None else axis[numbers]
    if packed.notes is None:
        return Series(times, values, all_good(len(times)))
    return _with_notes(times, values, packed.notes)


def _filled(values: Floats, missing: npt.NDArray[np.bool_]) -> Floats:
    """What is missing repeats the number before it: that costs next to nothing to write down."""
    at = np.maximum.accumulate(np.where(missing, 0, np.arange(len(values))))
    filled = values[at]
    return np.asarray(np.where(np.isnan(filled), 0.0, filled))


def _notes(series: Series, missing: npt.NDArray[np.bool_]) -> bytes | None:
    """What is rare: runs of a status, runs of rows without a number, texts."""
    notes: dict[str, object] = {}
    if series.statuses.any():
        changes = np.flatnonzero(np.diff(series.statuses, prepend=0))
        notes["s"] = [[int(at), int(series.statuses[at])] for at in changes]
    if missing.any():
        edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])).astype(np.int8)))
        notes["n"] = [[int(a), int(b)] for a, b in edges.reshape(-1, 2)]
    if series.texts:
        notes["t"] = list(series.texts.items())
    if not notes:
        return None
    plain = json.dumps(notes, separators=(",", ":"), ensure_ascii=False).encode()
    return zlib.compress(plain, 6) if len(plain) >= _ZIP_FROM else plain


def _with_notes(times: Ints, values: Floats, packed: bytes) -> Series:
    notes = json.loads(packed if packed[:1] == b"{" else zlib.decompress(packed))
    statuses = np.zeros(len(times), np.int64)
    for at, status in notes.get("s", ()):
        statuses[at:] = status
    if "n" in notes:
        values = values.copy()
        for start, end in notes["n"]:
            values[start:end] = np.nan
    return Series(times, values, statuses, dict(notes.get("t", ())))
