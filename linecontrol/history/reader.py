"""Reads a history: the same questions whether a controller runs or not. Never writes, never blocks a writer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linecontrol.core.errors import StorageError
from linecontrol.core.model import Sample, Status
from linecontrol.history import before_chunks, signals
from linecontrol.history.records import RecordReader
from linecontrol.history.rows import (
    decode,
    micros,
    seconds,
)
from linecontrol.history.series import Rollup, Series
from linecontrol.history.stats import HistoryStats, stats_of
from linecontrol.history.trend import Trend, trend_of

_STATUSES: dict[int, Status] = {int(status): status for status in Status}


def open_reader(url: str, line: str | None = None) -> HistoryReader:
    """Open a history read-only. ``line`` may be left out when it holds one line.

    Raises StorageError when there is none, it is of a newer program, or the line is not in it; ConfigError for a URL
    that is none.
    """
    reader = HistoryReader(url, line)
    reader.tags()
    return reader


class HistoryReader(RecordReader):
    """Blocking: call it from a thread, or from a program without an event loop. All times are line time [s]."""

    # -- samples
    def samples(
        self,
        tags: Sequence[str],
        start: float,
        end: float | None = None,
        limit: int = 100_000,
        *,
        hold: bool = True,
    ) -> dict[str, list[Sample]]:
        """Stored samples of each tag in [start, end), oldest first, at most ``limit`` each; each holds.

        With ``hold`` the last sample at or before ``start`` comes first, under its own time, so that the value at
        ``start`` is known. Raises StorageError for a tag that is not recorded.
        """
        line_id, found = self._known(tags)
        start_us, end_us = micros(start), None if end is None else micros(end)
        answer = {}
        for name in tags:
            tag_id, is_bool = found[name]
            if self._has_chunks:
                with self._asking() as connection:
                    rows = signals.first_rows(connection, line_id, tag_id, start_us, end_us, limit, hold=hold)
            else:
                rows = self._first_of_old(tag_id, start_us, end_us, limit, hold)
            answer[name] = as_samples(rows, is_bool=is_bool)
        return answer

    def series(
        self, tags: Sequence[str], start: float, end: float | None = None, *, hold: bool = False
    ) -> dict[str, Series]:
        """The same as columns, without limit: much faster, for calculations. See ``series.Series``."""
        line_id, found = self._known(tags)
        ids = [found[name][0] for name in tags]
        start_us, end_us = micros(start), None if end is None else micros(end)
        if self._has_chunks:
            with self._asking() as connection:
                read = signals.read(connection, line_id, ids, start_us, end_us, hold=hold, held=self._held)
        else:
            with self._connected() as old:
                read = {tag: before_chunks.read(old, tag, start_us, end_us, hold=hold) for tag in ids}
        return {name: read[found[name][0]] for name in tags}

    def trend(self, tags: Sequence[str], start: float, end: float, points: int = 1000) -> dict[str, Trend]:
        """Lines to draw of [start, end): at most about ``points`` rows of each tag, extremes and outages kept."""
        found = self.series(tags, start, end, hold=True)
        return {name: trend_of(series, points) for name, series in found.items()}

    def statistics(self, tags: Sequence[str], start: float, end: float) -> dict[str, Rollup]:
        """Count, smallest, largest and mean over time of the GOOD numbers in [start, end), of each tag."""
        if not self._has_chunks:
            rows = self.series(tags, start, end, hold=True)
            return {name: signals.rollup_from(rows[name], micros(start), micros(end)) for name in tags}
        line_id, found = self._known(tags)
        ids = [found[name][0] for name in tags]
        with self._asking() as connection:
            answer = signals.statistics(connection, line_id, ids, micros(start), micros(end), held=self._held)
        return {name: answer[found[name][0]] for name in tags}

    def stats(self) -> HistoryStats:
        """What the samples take, by tag, and for how long the disk lasts. Raises StorageError for an older schema."""
        if not self._has_chunks:
            raise StorageError(f"the history is of schema {self._revision}; start the controller once to migrate it")
        with self._connected() as connection:
            return stats_of(connection, self._line_id(connection), self._path)

    def _first_of_old(self, tag_id: int, start_us: int, end_us: int | None, limit: int, hold: bool) -> Series:
        with self._connected() as connection:
            found = before_chunks.read(connection, tag_id, start_us, end_us, hold=hold)
        held = 1 if len(found) and found.times[0] < start_us else 0
        return found.part(0, min(len(found), limit + held))


def as_samples(series: Series, *, is_bool: bool) -> list[Sample]:
    """Rows of a series as the samples they were."""
    times, values, statuses = series.times.tolist(), series.values.tolist(), series.statuses.tolist()
    if not series.texts and not is_bool and not np.isnan(series.values).any():
        columns = zip(values, statuses, times, strict=True)
        return [Sample(value, _status(status), time_us / 1e6) for value, status, time_us in columns]
    return [
        Sample(
            decode(None if value != value else value, series.texts.get(at), is_bool), _status(status), seconds(time_us)
        )
        for at, (value, status, time_us) in enumerate(zip(values, statuses, times, strict=True))
    ]


def _status(code: int) -> Status:
    return _STATUSES.get(code) or Status.from_code(code)
