"""Which samples are worth a row. Pure: no clock, no I/O.

A sample is stored when its value or status differs from the tag's last stored one, or when ``keepalive_s`` of line
time has passed since that. Reading the rows as a step that holds its value gives back every sample offered, exactly.
With a deadband d, a number is stored when it is further than d from the tag's last stored one: what a reader holds is
never off by more than d. Status changes and outages are stored as they are.
Where an outage begins, the last sample before it that was held back is stored too, then the first bad one: a reader
sees until when the value was really known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from linecontrol.core.image import Scan
from linecontrol.core.model import Sample, Value
from linecontrol.history.rows import PoisonError, SampleRow, encode, micros

POISON = (ValueError, TypeError, OverflowError)
"""What a value that can never be stored raises somewhere on its way."""

Refuse = Callable[[str, Sample, Exception], None]

_new_row = tuple.__new__  # a third of what calling SampleRow takes
_BAD = 2  # the two top bits of a status code, from here on bad


class _Last:
    """What was stored last of one tag, and until when it has been seen unchanged."""

    __slots__ = ("seen_us", "status", "stored_us", "value")

    def __init__(self, value: Value | None, status: int, time_us: int) -> None:
        self.value = value
        self.status = status
        self.stored_us = time_us
        self.seen_us = time_us


class OnChange:
    """The filter of one line. Not thread-safe: it belongs to the event loop."""

    def __init__(self, keepalive_s: float, deadbands: Mapping[str, float] | None = None) -> None:
        self._keepalive_us = micros(keepalive_s)
        self._deadbands = {tag: band for tag, band in (deadbands or {}).items() if band > 0.0}
        self._last: dict[str, _Last] = {}

    def prime(self, tag: str, time_us: int, status: int) -> None:
        """Say what lies in the database from before: a row without value at ``time_us``. Later rows come after it."""
        self._last.setdefault(tag, _Last(None, status, time_us))

    def admit(self, tag: str, sample: Sample, scan_us: int) -> tuple[SampleRow, ...]:
        """Rows to store for this sample: none, itself, or the last good one before it and itself.

        A new value that carries no later time than the one before it (a device that does not stamp, or whose clock
        was set back) is stored under the time of its scan, so that it is neither lost nor out of order.
        Raises PoisonError when it can never be stored.
        """
        time_us = micros(sample.time) if sample.time > 0.0 else scan_us
        value, status = sample.value, int(sample.status)
        last = self._last.get(tag)
        if last is None:
            number, text = encode(value)
            self._last[tag] = _Last(value, status, time_us)
            return (SampleRow(tag, time_us, number, text, status),)
        if status == last.status and (value == last.value or self._is_within(tag, value, last.value)):
            if time_us <= last.seen_us:
                return ()  # the same answer once more
            last.seen_us = time_us
            if time_us - last.stored_us < self._keepalive_us:
                return ()
            last.stored_us, last.value = time_us, value
            return (SampleRow(tag, time_us, *encode(value), status),)
        number, text = encode(value)
        if time_us <= last.seen_us:
            time_us = max(scan_us, last.seen_us + 1)
        before = self._held_back(tag, last) if status >> 30 >= _BAD > last.status >> 30 else ()
        self._last[tag] = _Last(value, status, time_us)
        return (*before, SampleRow(tag, time_us, number, text, status))

    def admit_scan(self, scan: Scan, scan_us: int, refuse: Refuse | None = None) -> list[SampleRow]:
        """As ``admit`` for every sample of a scan, and quicker where nothing changed.

        ``refuse`` takes tag, sample and error of what can never be stored; without it the error is raised.
        """
        rows: list[SampleRow] = []
        lasts, keepalive_us = self._last, self._keepalive_us
        known_s, known_us = scan.time, scan_us
        for tag, sample in scan.samples.items():
            last = lasts.get(tag)
            value = sample[0]
            if last is not None and sample[1] == last.status and (value == last.value or type(value) is float):
                time_s = sample[2]
                if time_s == known_s and time_s > 0.0:  # one device stamps all it answers at once
                    time_us = known_us
                else:
                    try:
                        time_us = micros(time_s) if time_s > 0.0 else scan_us
                    except PoisonError as error:
                        if refuse is None:
                            raise
                        refuse(tag, sample, error)
                        continue
                if last.seen_us < time_us:
                    if value == last.value:
                        if time_us < last.stored_us + keepalive_us:
                            last.seen_us = time_us
                            continue
                    elif value == value and tag not in self._deadbands:  # another number, of the same status
                        last.value, last.stored_us, last.seen_us = value, time_us, time_us
                        rows.append(_new_row(SampleRow, (tag, time_us, value, None, last.status)))
                        continue
            try:
                rows += self.admit(tag, sample, scan_us)
            except POISON as error:
                if refuse is None:
                    raise
                refuse(tag, sample, error)
        return rows

    def _is_within(self, tag: str, value: Value | None, stored: Value | None) -> bool:
        band = self._deadbands.get(tag)
        if band is None or not isinstance(value, float | int) or not isinstance(stored, float | int):
            return False
        return abs(value - stored) <= band

    def close(self) -> list[SampleRow]:
        """The samples held back so far; stored when the recording ends, they say how long each value was known."""
        rows = [row for tag, last in self._last.items() for row in self._held_back(tag, last)]
        self._last.clear()
        return rows

    @staticmethod
    def _held_back(tag: str, last: _Last) -> tuple[SampleRow, ...]:
        if last.seen_us <= last.stored_us:
            return ()
        return (SampleRow(tag, last.seen_us, *encode(last.value), last.status),)
