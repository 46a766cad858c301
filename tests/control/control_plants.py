"""Small plants for loop tests: exact zero-order-hold first order plus dead time, stepped by the caller."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from linecontrol.control.pid import PidSettings, PidState, Terms, step
from linecontrol.core.model import Sample, Status


class Fopdt:
    """gain e^(-theta s)/(tau s + 1), exact for an input held over ``dt_s``; theta a multiple of dt_s."""

    def __init__(
        self, gain: float, tau_s: float, theta_s: float, dt_s: float, y0: float = 0.0, u0: float = 0.0
    ) -> None:
        self.gain, self.keep = gain, math.exp(-dt_s / tau_s)
        self.pipe = deque([u0] * round(theta_s / dt_s))
        self.bias = y0 - gain * u0
        self.y = y0

    def step(self, u: float, load: float = 0.0) -> float:
        self.pipe.append(u)
        delayed = self.pipe.popleft()
        self.y = self.keep * self.y + (1.0 - self.keep) * (self.bias + self.gain * delayed + load)
        return self.y


def closed_loop(
    settings: PidSettings, plant: Fopdt, sp: np.ndarray, load: np.ndarray, dt_s: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """(pv, output) of a loop at rest at 0 that gets this set point and load."""
    _, state, _ = step(settings, PidState(), 0.0, plant.y, dt_s, track=0.0)
    pv, out = np.empty(len(sp)), np.empty(len(sp))
    y = plant.y
    for n in range(len(sp)):
        pv[n] = y
        out[n], state, _ = step(settings, state, float(sp[n]), y, dt_s)
        y = plant.step(out[n], float(load[n]))
    return pv, out


def normal_step(s: PidSettings, before: PidState, after: PidState, dt_s: float) -> float:
    """Largest output move [output unit] that the algorithm itself explains between two good samples."""
    p = abs(s.gain) * (s.b * abs(after.sp - before.sp) + abs(after.pv - before.pv))
    if s.deadband > 0.0:
        p = abs(s.gain) * (2.0 * abs(after.sp - before.sp) + abs(after.pv - before.pv))
    i = abs(s.ki) * dt_s * max(abs(after.sp - after.pv), abs(before.sp - before.pv))
    return p + i + abs(s.kd) * abs(after.slope - before.slope) + 1e-9 * (1.0 + abs(s.gain)) * (1.0 + abs(after.pv))


def total(terms: Terms) -> float:
    return terms.p + terms.i + terms.d + terms.ff + terms.tracking


def good(value: float, time: float = 0.0) -> Sample:
    return Sample(value, Status.GOOD, time)


def bad(status: Status = Status.BAD_COMMUNICATION_ERROR) -> Sample:
    return Sample(None, status, 0.0)
