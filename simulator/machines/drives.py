"""Valves, drives and slow disturbances: what stands between a commanded value and what a machine feels."""

from __future__ import annotations

from math import sqrt


def towards(position: float, goal: float, reach: float) -> float:
    """Where something is that goes to ``goal`` and can go as far as ``reach`` now."""
    step = goal - position
    if step > reach:
        return position + reach
    if step < -reach:
        return position - reach
    return goal


class Actuator:
    """A drive or valve that moves at a limited rate and ignores changes smaller than its dead band.

    Not-a-number and values outside ``low..high`` never get through: the first holds, the second is clamped.
    """

    __slots__ = ("_deadband", "_goal", "_high", "_low", "_rate_per_s", "is_stuck", "position")

    def __init__(self, low: float, high: float, rate_per_s: float, deadband: float = 0.0) -> None:
        self._low, self._high = low, high
        self._rate_per_s = rate_per_s
        self._deadband = deadband
        self._goal = low
        self.position = low
        self.is_stuck = False  # upset: it stays where it is, whatever is commanded

    def drive(self, target: float, dt_s: float) -> float:
        """Move towards ``target`` for ``dt_s`` and return the position reached."""
        if self.is_stuck:
            return self.position
        if target == target:  # not NaN
            held = self._low if target < self._low else min(target, self._high)
            if abs(held - self._goal) > self._deadband or held in (self._low, self._high):
                self._goal = held
        self.position = towards(self.position, self._goal, self._rate_per_s * dt_s)
        return self.position


class Switch:
    """An on/off input: not-a-number keeps the last state, anything from a half up is on."""

    __slots__ = ("is_on",)

    def __init__(self) -> None:
        self.is_on = False

    def drive(self, target: float) -> bool:
        """Take the commanded value and return the state."""
        if target == target:
            self.is_on = target >= 0.5
        return self.is_on


class Wander:
    """A slow disturbance around zero: an Ornstein-Uhlenbeck process of a standard deviation and time constant."""

    __slots__ = ("_sd", "_tau_s", "value")

    def __init__(self, sd: float, tau_s: float) -> None:
        self._sd = sd
        self._tau_s = tau_s
        self.value = 0.0

    def step(self, dt_s: float, noise: float) -> float:
        """Advance by ``dt_s`` with one standard normal number; held to three standard deviations."""
        share = dt_s / self._tau_s
        value = self.value * (1.0 - share) + self._sd * sqrt(2.0 * share) * noise
        limit = 3.0 * self._sd
        self.value = limit if value > limit else max(value, -limit)
        return self.value
