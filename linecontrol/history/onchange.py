"""Which samples are worth a row. Pure: no clock, no I/O.

A sample is stored when its value or status differs from the tag's last stored one, or when ``keepalive_s`` of line
time has passed since that. Reading the rows as a step that holds its value gives back every sample offered, exactly.
With a deadband d, a number is stored when it is further than d from the tag's last stored one: what a reader holds is
never off by more than d. Status changes and outages are stored as they are.
Where an outage begins, the last sample before it that was held back is stored too, then the first bad one: a reader
sees until when the value was really known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from linecontrol.core.image import Scan
from linecontrol.core.model import Sample, Value
from linecontrol.history.likescans import LikeScans, is_alike
from linecontrol.history.rows import PoisonError, Row, SampleRow, encode, micros

POISON = (ValueError, TypeError, OverflowError)
"""What a value that can never be stored raises somewhere on its way."""

Refuse = Callable[[str, Sample, Exception], None]

_new_row = tuple.__new__  # a third of what calling SampleRow takes
_LEAST = 8  # tags of a scan, from which on arrays are worth their while
_EXACT = 2**53  # up to here a float holds every integer
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
        self._alike: dict[str, LikeScans] = {}  # by station; its tags are not in _last
        self._station_of: dict[str, str] = {}

    def prime(self, tag: str, time_us: int, status: int) -> None:
        """Say what lies in the database from before: a row without value at ``time_us``. Later rows come after it."""
        self._look_up(tag)
        self._last.setdefault(tag, _Last(None, status, time_us))

    def admit(self, tag: str, sample: Sample, scan_us: int) -> tuple[SampleRow, ...]:
        """Rows to store for this sample: none, itself, or the last good one before it and itself.

        A new value that carries no later time than the one before it (a device that does not stamp, or whose clock
        was set back) is stored under the time of its scan, so that it is neither lost nor out of order.
        Raises PoisonError when it can never be stored.
        """
        time_us = micros(sample.time) if sample.time > 0.0 else scan_us
        value, status = sample.value, int(sample.status)
        last = self._last.get(tag) or self._look_up(tag)
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

    def admit_scan(self, scan: Scan, scan_us: int, refuse: Refuse | None = None) -> Sequence[Row]:
        """As ``admit`` for every sample of a scan; as arrays where it is like the station's scan before it.

        ``refuse`` takes tag, sample and error of what can never be stored; without it the error is raised.
        """
        alike = self._alike.get(scan.station)
        if alike is not None:
            found = alike.admit(scan, scan_us)
            if found is not None:
                return found
            self._take_apart(scan.station)
        rows = self._one_by_one(scan, scan_us, refuse)
        self._put_together(scan)
        return rows

    def _one_by_one(self, scan: Scan, scan_us: int, refuse: Refuse | None) -> list[Row]:
        rows: list[Row] = []
        lasts, keepalive_us = self._last, self._keepalive_us
        known_s, known_us = scan.time, scan_us
        for tag, sample in scan.samples.items():
            last = lasts.get(tag)  # of a tag in another station's arrays: None, and ``admit`` finds it
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

    # -- scans that are alike
    def _put_together(self, scan: Scan) -> None:
        """From now on this station's tags are filtered as arrays, if what is known of them is of one kind."""
        if len(scan.samples) < _LEAST or not is_alike(scan):
            return
        lasts = [self._last.get(tag) for tag in scan.samples]
        known = [last for last in lasts if last is not None and type(last.value) in (float, int, bool)]
        if len(known) < len(lasts) or len({(last.seen_us, last.status) for last in known}) > 1:
            return
        if any(not abs(last.value) <= _EXACT for last in known):  # type: ignore[arg-type]
            return  # NaN, infinite, or an integer that no float holds
        self._alike[scan.station] = LikeScans(
            list(scan.samples),
            [float(last.value) for last in known],  # type: ignore[arg-type]
            [last.stored_us for last in known],
            [self._deadbands.get(tag, 0.0) for tag in scan.samples],
            status=known[0].status,
            seen_us=known[0].seen_us,
            keepalive_us=self._keepalive_us,
        )
        for tag in scan.samples:
            del self._last[tag]
            self._station_of[tag] = scan.station

    def _take_apart(self, station: str) -> None:
        """The other way: each tag for itself."""
        alike = self._alike.pop(station)
        for tag, value, stored_us in alike.lasts():
            last = self._last[tag] = _Last(value, alike.status, stored_us)
            last.seen_us = alike.seen_us
            del self._station_of[tag]

    def _look_up(self, tag: str) -> _Last | None:
        """What is known of a tag, after taking the scans apart in which it lies."""
        station = self._station_of.get(tag)
        if station is not None:
            self._take_apart(station)
        return self._last.get(tag)

    def _is_within(self, tag: str, value: Value | None, stored: Value | None) -> bool:
        band = self._deadbands.get(tag)
        if band is None or not isinstance(value, float | int) or not isinstance(stored, float | int):
            return False
        return abs(value - stored) <= band

    def close(self) -> list[SampleRow]:
        """The samples held back so far; stored when the recording ends, they say how long each value was known."""
        for station in list(self._alike):
            self._take_apart(station)
        rows = [row for tag, last in self._last.items() for row in self._held_back(tag, last)]
        self._last.clear()
        return rows

    @staticmethod
    def _held_back(tag: str, last: _Last) -> tuple[SampleRow, ...]:
        if last.seen_us <= last.stored_us:
            return ()
        return (SampleRow(tag, last.seen_us, *encode(last.value), last.status),)
