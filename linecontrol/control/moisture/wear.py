"""How much the inlet set point is moved: what wears burner, valve and patience. Pure."""

from __future__ import annotations

import math

WINDOW_S = 1800.0


class Movement:
    """Sum of moves per hour, over about the last hour (an exponential window), and in all."""

    def __init__(self) -> None:
        self.per_hour = 0.0
        self.total_k = 0.0

    def step(self, moved_k: float, dt_s: float) -> None:
        """Moved by so much in this scan [K], >= 0."""
        self.total_k += moved_k
        self.per_hour += (1.0 - math.exp(-dt_s / WINDOW_S)) * (moved_k * 3600.0 / dt_s - self.per_hour)

    def dearer(self, limit_per_hour: float) -> float:
        """How many times dearer moves must be to stay below the limit; 1 = as usual. Continuous, at most 100."""
        return min(max(self.per_hour / limit_per_hour, 1.0) ** 4, 100.0)
