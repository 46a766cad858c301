"""What flowed through the line in the last hours, on a grid of equal steps: what the genealogy of bags looks at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from linecontrol.core.model import Sample
from linecontrol.guard.genealogy import Throughput

Array = NDArray[np.float64]


class ThroughputLog:
    """Means of some tags for each step of line time. A gap is NaN, and as long as it was.

    Args:
        step_s: length of a step [line s]. most_steps: older ones are forgotten.
    """

    def __init__(self, names: Sequence[str], step_s: float, most_steps: int) -> None:
        self._names, self.step_s, self._most = tuple(dict.fromkeys(names)), step_s, most_steps
        self._steps: dict[str, list[float]] = {name: [] for name in self._names}
        self._first = 0  # number of the first step kept
        self._now: int | None = None
        self._sums: dict[str, list[float]] = {}

    def index(self, at: float) -> int:
        """Number of the step a time lies in."""
        return math.floor(at / self.step_s)

    def note(self, now: float, values: Mapping[str, float]) -> None:
        """One look at the tags; NaN = not known."""
        at = self.index(now)
        if self._now is None:
            self._now, self._first = at, at
        if at > self._now:
            self._close(at)
        for name in self._names:
            value = values.get(name, math.nan)
            if value == value:
                found = self._sums.setdefault(name, [0.0, 0.0])
                found[0] += value
                found[1] += 1.0

    def _close(self, at: int) -> None:
        gap = min(at - (self._now or at) - 1, self._most)
        for name, steps in self._steps.items():
            total, count = self._sums.get(name, (0.0, 0.0))
            steps.append(total / count if count else math.nan)
            steps.extend([math.nan] * gap)
        self._sums, self._now = {}, at
        longest = len(self._steps[self._names[0]])
        self._first = at - longest
        if longest > 1.1 * self._most:
            for steps in self._steps.values():
                del steps[: longest - self._most]
            self._first = at - self._most

    def seen(self, weights: Mapping[int, float]) -> tuple[Throughput, Array]:
        """All that is kept up to the step under way, and weights given by number of step on the same grid."""
        count = len(self._steps[self._names[0]]) + 1
        series = {}
        for name, steps in self._steps.items():
            total, n = self._sums.get(name, (0.0, 0.0))
            series[name] = np.array([*steps, total / n if n else math.nan])
        on_grid = np.zeros(count)
        for number, kg in weights.items():
            on_grid[min(max(number - self._first, 0), count - 1)] += kg
        return Throughput(self._first * self.step_s, self.step_s, series), on_grid

    def fill(self, samples: Mapping[str, Sequence[Sample]], start: float, end: float) -> None:
        """Take what a history has, in place of what is there: a value holds until the next."""
        first, last = self.index(start), self.index(end)
        edges = np.arange(first, last) * self.step_s
        self._first, self._now, self._sums = first, last, {}
        for name in self._names:
            rows = samples.get(name, ())
            times = np.array([row.time for row in rows] or [math.inf])
            values = np.array([row.number for row in rows] or [math.nan])
            at = np.searchsorted(times, edges + self.step_s / 2.0, side="right") - 1
            self._steps[name] = [float(values[i]) if i >= 0 else math.nan for i in at]
