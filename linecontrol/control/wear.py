"""How much a loop makes its actuator move: travel and reversals over the last hour. Pure: time comes in as dt.

A heater dies of being moved, a valve of turning back and forth. Both are counted whoever moves it.
"""

from __future__ import annotations

from collections import deque
from math import isfinite

WINDOW_S = 3600.0
BUCKET_S = 60.0


class Wear:
    """Counts one output. Figures stand still within a minute, so that a history is not filled with them.

    Args:
        least: a turn smaller than this is noise and no reversal [output unit], >= 0.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._buckets: deque[tuple[float, int]] = deque(maxlen=round(WINDOW_S / BUCKET_S))
        self._travel, self._reversals, self._since_s = 0.0, 0, 0.0
        self.travel = 0.0
        """Sum of all movements in the last hour [output unit]; less while less than an hour has been seen."""
        self.travel_shown = 0.0
        """The same with two decimals."""
        self.reversals = 0
        """Changes of direction in the last hour."""
        self._last: float | None = None
        self._extreme = 0.0  # the furthest the output has come in its present direction
        self._direction = 0

    def see(self, value: float, dt_s: float) -> None:
        """The output now, ``dt_s`` [s] after the last look; a value that is not finite is not looked at."""
        self._since_s += dt_s
        if isfinite(value):
            self._move(value)
        if self._since_s >= BUCKET_S:
            self._turn_over()

    def _turn_over(self) -> None:
        while self._since_s >= BUCKET_S:
            self._buckets.append((self._travel, self._reversals))
            self._travel, self._reversals = 0.0, 0
            self._since_s -= BUCKET_S
        self.travel = sum(travel for travel, _ in self._buckets)
        self.travel_shown = round(self.travel, 2)
        self.reversals = sum(turns for _, turns in self._buckets)

    def _move(self, value: float) -> None:
        if self._last is None:
            self._last = self._extreme = value
            return
        self._travel += abs(value - self._last)
        self._last = value
        way = value - self._extreme
        if self._direction * way > 0.0 or (self._direction == 0 and abs(way) > self._least):
            self._direction, self._extreme = (1 if way > 0.0 else -1), value
        elif self._direction * way < 0.0 and abs(way) > self._least:
            self._reversals += 1
            self._direction, self._extreme = -self._direction, value
