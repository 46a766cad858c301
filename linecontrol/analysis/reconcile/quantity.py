"""A value and how well it is known."""

from __future__ import annotations

from dataclasses import dataclass

NORMAL_95 = 1.959964  # half width of a normal distribution's 95 % interval [standard deviations]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its standard uncertainty (k = 1); ``u`` NaN = it cannot be determined."""

    value: float
    u: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of a normal distribution."""
        half = NORMAL_95 * self.u
        return self.value - half, self.value + half
