"""Delays and lags: over whole records for fitting, and sample by sample for control. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linecontrol.control.moisture.record import FloatArray

DEEPEST_S = 120.0  # how much later than modelled a delay may be found to be while running


@dataclass(frozen=True, slots=True)
class Path:
    """How an input comes to act: a delay [s], then up to two first-order lags [s] (0 = none)."""

    delay_s: float
    lag1_s: float
    lag2_s: float = 0.0

    def keeps(self, dt_s: float) -> tuple[float, float]:
        """What each lag keeps of where it was after this time; 0 for none."""
        keep1 = math.exp(-dt_s / self.lag1_s) if self.lag1_s > 0.0 else 0.0
        return keep1, math.exp(-dt_s / self.lag2_s) if self.lag2_s > 0.0 else 0.0


def shifted(values: FloatArray, delay_s: float, period_s: float) -> FloatArray:
    """The signal ``delay_s`` later, its first value before it; between samples on straight lines."""
    whole, part = divmod(max(delay_s, 0.0) / period_s, 1.0)
    n = min(int(whole), len(values))
    late = np.concatenate([np.full(n, values[0]), values[: len(values) - n]])
    if part > 0.0:
        later = np.concatenate([late[:1], late[:-1]])
        late = (1.0 - part) * late + part * later
    return late


def lagged(values: FloatArray, lag_s: float, period_s: float) -> FloatArray:
    """Through one first-order lag, from rest at the first value."""
    if lag_s <= 0.0:
        return values
    from scipy.signal import lfilter

    keep = math.exp(-period_s / lag_s)
    out, _ = lfilter([1.0 - keep], [1.0, -keep], values, zi=[keep * values[0]])
    return np.asarray(out, dtype=np.float64)


def along(path: Path, values: FloatArray, period_s: float) -> FloatArray:
    """The signal as it acts after this path."""
    late = shifted(values, path.delay_s, period_s)
    return lagged(lagged(late, path.lag1_s, period_s), path.lag2_s, period_s)


def step_response(t_s: FloatArray, lags_s: Sequence[float]) -> FloatArray:
    """Answer at ``t_s`` to a unit step at 0 through first-order lags; 0 before it. Equal lags are moved 1 % apart."""
    apart = [lag * (1.0 + 0.01 * n) for n, lag in enumerate(lag for lag in sorted(lags_s) if lag > 0.05)]
    after = np.maximum(t_s, 0.0)
    y = np.ones_like(after)
    for i, lag in enumerate(apart):
        weight = 1.0
        for j, other in enumerate(apart):
            if j != i:
                weight *= lag / (lag - other)
        y -= weight * np.exp(-after / lag)
    return np.where(t_s > 0.0, y, 0.0)


class Channel:
    """One input on its path, sample by sample. ``extra_s`` is a correction of the delay found while running [s]."""

    __slots__ = ("_ahead_s", "_keeps", "_keeps_ahead", "_step_s", "_times", "_values", "extra_s", "path", "x", "x1")

    def __init__(self, path: Path, value: float) -> None:
        self.path, self.extra_s = path, 0.0
        self._times, self._values = [-math.inf], [value]
        self.x1 = self.x = value
        self._step_s = self._ahead_s = math.nan  # that ``_keeps`` and ``_keeps_ahead`` are for: it seldom changes
        self._keeps = self._keeps_ahead = (0.0, 0.0)

    @property
    def delay_s(self) -> float:
        """Delay with its correction [s], never below 0."""
        return max(self.path.delay_s + self.extra_s, 0.0)

    def at(self, t_s: float) -> float:
        """The input as it was at this time."""
        return self._values[max(bisect_right(self._times, t_s + 1e-9) - 1, 0)]

    def step(self, t_s: float, value: float, dt_s: float) -> float:
        """The input is ``value`` from now on; returns what acts now."""
        self._times.append(t_s)
        self._values.append(value)
        if len(self._times) > 64:
            old = bisect_right(self._times, t_s - self.path.delay_s - DEEPEST_S - dt_s) - 1
            if old > 64:  # now and then, many at once
                del self._times[:old], self._values[:old]
        if dt_s != self._step_s:
            self._step_s, self._keeps = dt_s, self.path.keeps(dt_s)
        keep1, keep2 = self._keeps
        now = self._values[max(bisect_right(self._times, t_s - self.delay_s + 1e-9) - 1, 0)]  # as ``at`` finds it
        self.x1 = now + (self.x1 - now) * keep1
        self.x = self.x1 + (self.x - self.x1) * keep2
        return self.x

    def ahead(self, t_s: float, step_s: float, coming: Sequence[float]) -> list[float]:
        """What will act at the ends of the next steps, when the input will be ``coming[k]`` in step k after now."""
        if step_s != self._ahead_s:
            self._ahead_s, self._keeps_ahead = step_s, self.path.keeps(step_s)
        keep1, keep2 = self._keeps_ahead
        times, values, place, count, on_way = self._times, self._values, 0, len(coming), 0
        acting: list[float] = []
        due = middle = t_s + 0.5 * step_s - self.delay_s
        while due <= t_s and on_way < count:  # what is on its way already, found as ``at`` does
            place = bisect_right(times, due + 1e-9, place)
            acting.append(values[place - 1 if place else 0])
            on_way += 1
            due = middle + on_way * step_s
        first = int((due - t_s) / step_s)
        acting += coming[first : first + count - on_way]
        x1, x, found = self.x1, self.x, []
        if not keep2:  # one lag, as a load on its way has
            for value in acting:
                x1 = value + (x1 - value) * keep1
                found.append(x1)
            return found
        for value in acting:
            x1 = value + (x1 - value) * keep1
            x = x1 + (x - x1) * keep2
            found.append(x)
        return found
