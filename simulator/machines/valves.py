"""A valve with friction, and a motor that coasts: what stands between a command and steel that moves."""

from __future__ import annotations

from math import exp

from simulator.machines.drives import towards


class StickyValve:
    """A valve that moves at a limited rate, sticks while at rest and stops short while it slides.

    At rest it ignores a command until it is ``stick`` away from the stem; then it jumps loose and follows, staying
    ``slide`` behind. ``slide`` = ``stick`` is pure backlash, ``slide`` = 0 a plain dead band, the difference the slip
    jump that makes a loop hunt. Both end stops are reached whatever the friction. Not-a-number holds.

    Upsets:
        stick, slide: [% of travel] raise them for a worn packing: the loop above begins to cycle with a square stem.
        is_stuck: the stem does not move at all.
    """

    __slots__ = ("_goal", "_high", "_low", "_rate_per_s", "is_stuck", "position", "slide", "stick")

    def __init__(self, low: float, high: float, rate_per_s: float, stick: float, slide: float = 0.0) -> None:
        """Closed; 0 <= ``slide`` <= ``stick``, both in the unit of ``low`` and ``high``."""
        self._low, self._high = low, high
        self._rate_per_s = rate_per_s
        self.stick, self.slide = stick, slide
        self.is_stuck = False
        self._goal = low
        self.position = low

    def drive(self, target: float, dt_s: float) -> float:
        """Move towards ``target`` for ``dt_s`` and return the position reached."""
        if self.is_stuck:
            self._goal = self.position
            return self.position
        if target == target:  # not NaN
            if target <= self._low or target >= self._high:
                self._goal = self._low if target <= self._low else self._high
            else:
                away = target - self._goal
                if away > self.stick:
                    self._goal = target - self.slide
                elif away < -self.stick:
                    self._goal = target + self.slide
        self.position = towards(self.position, self._goal, self._rate_per_s * dt_s)
        return self.position


class CoastingMotor:
    """A motor on a drive: follows a ramp while it has power, runs down by its inertia when it has none."""

    __slots__ = ("_coast_tau_s", "_goal", "_high", "_rate_per_s", "position")

    def __init__(self, high: float, rate_per_s: float, coast_tau_s: float) -> None:
        self._high = high
        self._rate_per_s = rate_per_s
        self._coast_tau_s = coast_tau_s
        self._goal = 0.0
        self.position = 0.0

    def drive(self, target: float, powered: bool, dt_s: float) -> float:
        """Turn for ``dt_s``; returns the speed reached. With power back, the drive catches the turning motor."""
        if not powered:
            self.position *= exp(-dt_s / self._coast_tau_s)
            if self.position < 1e-3:
                self.position = 0.0
            return self.position
        if target == target:  # not NaN
            self._goal = min(max(target, 0.0), self._high)
        reach = self._rate_per_s * dt_s
        step = self._goal - self.position
        self.position += min(max(step, -reach), reach) if abs(step) > reach else step
        return self.position
