"""Is the condition of an alarm there? One small function of samples for each kind, and the delays around it.

Pure; time comes in as an argument. A condition answers True, False, or None when nothing is known (the value is not
GOOD): then what was known before still holds, for a quality alarm speaks of the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import inf, isnan, nan, ulp

from linecontrol.core.model import Sample, Status, Value
from linecontrol.guard.alarms.model import AlarmRow, Kind

Samples = Mapping[str, Sample]
Condition = Callable[[float, Samples, bool], bool | None]
"""(now, samples by tag, whether it was there before) -> whether it is there."""

_UNCERTAIN = int(Status.UNCERTAIN)  # from here on a status is not GOOD
_RATE_PIECES = 20  # a rate's window is kept as so many points


def number(sample: Sample) -> float:
    """``sample.number``, quicker: it is asked for of every alarm in every cycle."""
    value, status, _ = sample
    if status < _UNCERTAIN:
        kind = value.__class__
        if kind is float:
            return value  # type: ignore[return-value]  # a float, as was just asked
        if kind is bool or kind is int:
            return float(value)  # type: ignore[arg-type]
    return sample.number


class Delayed:
    """On-delay and off-delay: a condition must last before it counts, and so must its absence."""

    __slots__ = ("_off_s", "_on_s", "is_on", "since")

    def __init__(self, on_s: float, off_s: float) -> None:
        self._on_s, self._off_s = on_s, off_s
        self.since: float | None = None  # when the change came that waits for its delay; None = none does
        self.is_on = False

    def tick(self, now: float, found: bool | None) -> bool:
        if found is None or found is self.is_on:
            self.since = None
            return self.is_on
        if self.since is None:
            self.since = now
        if now - self.since >= (self._on_s if found else self._off_s):
            self.is_on, self.since = found, None
        return self.is_on

    def restart(self) -> None:
        """As if it had never been there: a condition that is there must last anew."""
        self.is_on, self.since = False, None


def condition_of(row: AlarmRow) -> Condition:
    """What looks for this row's condition; it may remember what it saw. Raises ValueError for an event's row."""
    try:
        return _MAKERS[row.kind](row)
    except KeyError:
        raise ValueError(f"{row.name}: a {row.kind} is not looked for in the samples") from None


def quiet_range(row: AlarmRow) -> tuple[float, float]:
    """Between these, both excluded, a GOOD number of the row's tag says by itself that a condition that was not there
    is not: it need not be looked for. NaN where only a look can tell."""
    if row.kind is Kind.HIGH:
        return -inf, row.limit
    if row.kind is Kind.LOW:
        return row.limit, inf
    if row.kind is Kind.ON:
        return -ulp(0.0), ulp(0.0)  # only 0 and False are between
    return (-inf, inf) if row.kind is Kind.QUALITY else (nan, nan)


def _high(row: AlarmRow) -> Condition:
    tag, limit, back = row.tag, row.limit, row.limit - row.deadband

    def look(_now: float, samples: Samples, was: bool) -> bool | None:
        value = number(samples[tag])
        if was:
            return None if isnan(value) else value > back
        return None if isnan(value) else value >= limit

    return look


def _low(row: AlarmRow) -> Condition:
    tag, limit, back = row.tag, row.limit, row.limit + row.deadband

    def look(_now: float, samples: Samples, was: bool) -> bool | None:
        value = number(samples[tag])
        if was:
            return None if isnan(value) else value < back
        return None if isnan(value) else value <= limit

    return look


def _apart(row: AlarmRow) -> Condition:
    """Deviation, mismatch and model: two values that should be the same."""
    tag, other, limit, back = row.tag, row.against, row.limit, row.limit - row.deadband

    def look(_now: float, samples: Samples, was: bool) -> bool | None:
        apart = abs(number(samples[tag]) - number(samples[other]))
        if not apart < inf:  # NaN is not, either
            return None
        return apart > back if was else apart >= limit and apart > 0.0

    return look


def _rate(row: AlarmRow) -> Condition:
    tag, limit, back, window_s = row.tag, row.limit, row.limit - row.deadband, row.window_s
    seen: deque[tuple[float, float]] = deque()

    def look(now: float, samples: Samples, was: bool) -> bool | None:
        value = number(samples[tag])
        if isnan(value):
            seen.clear()
            return None
        if not seen or now - seen[-1][0] >= window_s / _RATE_PIECES:
            seen.append((now, value))
        while now - seen[0][0] > window_s:
            seen.popleft()
            if not seen:
                return None
        span_s = now - seen[0][0]
        if span_s < 0.5 * window_s:
            return None
        per_min = abs(value - seen[0][1]) * 60.0 / span_s
        return per_min > back if was else per_min >= limit

    return look


def _stuck(row: AlarmRow) -> Condition:
    tag, window_s, idle_below = row.tag, row.window_s, row.idle_below
    band = 0.0 if isnan(row.limit) else row.limit
    low = high = since = float("nan")

    def look(now: float, samples: Samples, was: bool) -> bool | None:
        nonlocal low, high, since
        value = number(samples[tag])
        if isnan(value):
            since = float("nan")
            return None
        if value < idle_below:
            since = float("nan")
            return False
        if isnan(since):
            low, high, since = value, value, now
            return was
        low, high = min(low, value), max(high, value)
        if high - low > band:
            low, high, since = value, value, now
            return False
        return was or now - since >= window_s

    return look


def _quality(row: AlarmRow) -> Condition:
    tag = row.tag

    def look(_now: float, samples: Samples, _was: bool) -> bool | None:
        sample = samples[tag]
        if sample.status is Status.BAD_WAITING_FOR_INITIAL_DATA:
            return None  # its station has not answered yet, which is an alarm of its own
        return not sample.is_good

    return look


def _watchdog(row: AlarmRow) -> Condition:
    tag, window_s = row.tag, row.window_s
    last: Value | None = None
    since = float("nan")

    def look(now: float, samples: Samples, was: bool) -> bool | None:
        nonlocal last, since
        value = samples[tag].value
        if value is None:
            since = float("nan")
            return None
        if isnan(since):
            last, since = value, now
            return was
        if value != last:
            last, since = value, now
            return False
        return was or now - since >= window_s

    return look


def _on(row: AlarmRow) -> Condition:
    tag = row.tag

    def look(_now: float, samples: Samples, _was: bool) -> bool | None:
        sample = samples[tag]
        return bool(sample.value) if sample.is_good and sample.value is not None else None

    return look


_MAKERS: dict[Kind, Callable[[AlarmRow], Condition]] = {
    Kind.HIGH: _high,
    Kind.LOW: _low,
    Kind.RATE: _rate,
    Kind.DEVIATION: _apart,
    Kind.MISMATCH: _apart,
    Kind.MODEL: _apart,
    Kind.STUCK: _stuck,
    Kind.QUALITY: _quality,
    Kind.WATCHDOG: _watchdog,
    Kind.ON: _on,
}
