"""The filter ``OnChange`` for a whole scan at once, as arrays. Pure: no clock, no I/O.

For scans that are like the one before: the same tags in the same order, one time stamp later than before, one status
that is still the same, numbers only. Of any other scan nothing is decided here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np

from linecontrol.core.image import Scan
from linecontrol.history.rows import PoisonError, Row, micros
from linecontrol.history.scanrows import Names, ScanRows

_EXACT = 2.0**53  # up to here a float holds every integer
_NOTHING: tuple[Row, ...] = ()


def is_alike(scan: Scan) -> bool:
    """Do all samples of the scan carry one time stamp and one status?"""
    _, statuses, times = zip(*scan.samples.values(), strict=True)
    is_one: bool = times.count(times[0]) == len(times) and statuses.count(statuses[0]) == len(statuses)
    return is_one and times[0] > 0.0


class LikeScans:
    """What was stored last of the tags of one station.

    Args:
        names: tags in the order of the scan. values, stored_us: of each, as stored last. bands: deadband of each.
        status, seen_us: of all of them. keepalive_us: see ``OnChange``.
    """

    def __init__(
        self,
        names: Sequence[str],
        values: Sequence[float],
        stored_us: Sequence[int],
        bands: Sequence[float],
        *,
        status: int,
        seen_us: int,
        keepalive_us: int,
    ) -> None:
        self._names = Names(names)
        self._values = np.array(values, np.float64)
        self._stored_us = np.array(stored_us, np.int64)
        self._oldest_us = int(self._stored_us.min())
        self._bands = np.array(bands, np.float64) if any(bands) else None
        self._numbers = struct.Struct(f"={len(names)}d")
        self._keepalive_us = keepalive_us
        self.status, self.seen_us = status, seen_us

    def lasts(self) -> Iterator[tuple[str, float, int]]:
        """Tag, value and time [us] of what was stored last."""
        return zip(self._names.names, self._values.tolist(), self._stored_us.tolist(), strict=True)

    def admit(self, scan: Scan, scan_us: int) -> Sequence[Row] | None:
        """Rows to store; None when the scan is not like those before, and then nothing has changed here."""
        samples = scan.samples
        if list(samples) != self._names.names:
            return None
        values, statuses, times = zip(*samples.values(), strict=True)
        count, time_s = len(values), times[0]
        status = statuses[
            0
        ]  # counted by itself, not by ours: what is the same object is compared in a tenth of the time
        if status != self.status or statuses.count(status) != count:
            return None
        if times.count(time_s) != count or not time_s > 0.0:
            return None
        try:
            time_us = scan_us if time_s == scan.time else micros(time_s)
            now = np.frombuffer(self._numbers.pack(*values))  # which refuses texts, and what is no value
        except (PoisonError, OverflowError, struct.error):
            return None
        if time_us <= self.seen_us:
            return None
        return self._stored(now, time_us)

    def _stored(self, now: np.ndarray[tuple[int], np.dtype[np.float64]], time_us: int) -> Sequence[Row] | None:
        bands = self._bands
        # NaN is a change, with a band as well
        is_due = now != self._values if bands is None else ~(np.abs(now - self._values) <= bands)
        until_us = time_us - self._keepalive_us
        if self._oldest_us <= until_us:
            is_due |= self._stored_us <= until_us
        (at,) = is_due.nonzero()
        if not len(at):
            self.seen_us = time_us
            return _NOTHING
        new = now[at]
        if not new.dot(new) < _EXACT**2:
            return None  # one of them is NaN, infinite, or perhaps an integer that no float holds
        self._stored_us[at] = time_us
        if self._oldest_us <= until_us:
            self._oldest_us = int(self._stored_us.min())
        self._values[at] = new
        self.seen_us = time_us
        return ScanRows(self._names, at, new, time_us, self.status)
