"""What a signal does by itself: a level that wanders, seen through white noise. Pure.

    n_k = s_k + v_k,   s_k = phi s_(k-1) + w_k

which is an ARMA(1,1), fitted by conditional least squares (G. E. P. Box, G. M. Jenkins, Time Series Analysis, ch. 7)
and kept in continuous terms, so that any sample time may be used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from linecontrol.control.moisture.record import FloatArray

_STARTS = ((-5.0, -3.0), (-3.0, -2.0), (-6.0, -4.0), (-4.0, 0.0), (-3.0, 1.0))


@dataclass(frozen=True, slots=True)
class LevelNoise:
    """A wandering level under white noise.

    Attributes:
        corr_s: correlation time of the level [s]. level_sd: its standard deviation [unit].
        white: variance of the white noise's mean over one second [unit^2 s].
    """

    corr_s: float
    level_sd: float
    white: float

    def keep(self, dt_s: float) -> float:
        """phi for this sample time."""
        return math.exp(-dt_s / self.corr_s)

    def drive(self, dt_s: float) -> float:
        """Variance of w for this sample time."""
        return self.level_sd**2 * (1.0 - self.keep(dt_s) ** 2)

    def white_var(self, dt_s: float) -> float:
        """Variance of v for samples this far apart."""
        return self.white / dt_s


def whitened(values: FloatArray, phi: float, theta: float) -> FloatArray:
    """Through (1 - phi B)/(1 - theta B), along the first axis: what an ARMA(1,1) makes of white noise, undone."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0, -phi], [1.0, -theta], values, axis=0), dtype=np.float64)


def fit_arma(values: FloatArray, weight: FloatArray) -> tuple[float, float, float]:
    """phi, theta (0 < theta < phi < 1) and the standard deviation of the innovations. ``weight`` 0 = sample unused."""
    from scipy.optimize import minimize

    used = weight > 0.0
    used[: min(50, len(used) // 10)] = False

    def cost(q: FloatArray) -> float:
        phi, theta = _poles(q)
        e = whitened(values, phi, theta)[used]
        return math.log(float(np.mean(e * e)) + 1e-30)

    options: Any = {"xatol": 1e-2, "fatol": 1e-6, "maxiter": 200}
    found = [minimize(cost, np.array(start), method="Nelder-Mead", options=options) for start in _STARTS]
    best = min(found, key=lambda r: float(r.fun))
    phi, theta = _poles(np.asarray(best.x, dtype=np.float64))
    return phi, theta, math.exp(0.5 * float(best.fun))


def _poles(q: FloatArray) -> tuple[float, float]:
    phi = 1.0 - math.exp(float(np.clip(q[0], -9.0, -0.1)))
    return phi, phi / (1.0 + math.exp(float(np.clip(q[1], -12.0, 12.0))))


def level_noise(phi: float, theta: float, sd: float, period_s: float) -> LevelNoise:
    """The same in continuous terms."""
    white = theta * sd * sd / phi
    drive = max((1.0 + theta * theta) * sd * sd - (1.0 + phi * phi) * white, 1e-12)
    return LevelNoise(-period_s / math.log(phi), math.sqrt(drive / (1.0 - phi * phi)), white * period_s)


MEAN_S = 900.0  # over which the mean of a load is today's


class Level:
    """Estimates the level of one signal, sample by sample (scalar Kalman filter), and forecasts it."""

    __slots__ = (
        *("_ahead_s", "_drive", "_forgets", "_keep", "_keeps_ahead", "_p", "_step_s", "_white"),
        *("age_s", "mean", "noise", "x"),
    )

    def __init__(self, noise: LevelNoise, mean: float) -> None:
        self.noise, self.mean, self.x = noise, mean, 0.0
        self._p, self.age_s = noise.level_sd**2, 0.0
        self._step_s = self._ahead_s = math.nan  # that what follows is for: it seldom changes
        self._keep = self._drive = self._white = self._forgets = 0.0
        self._keeps_ahead: list[float] = []

    def restart(self) -> None:
        """After a pause: what the signal comes back to is learnt anew."""
        self.age_s = 0.0

    def step(self, value: float, dt_s: float) -> None:
        """One sample; NaN = none, and the level falls back to its mean."""
        if dt_s != self._step_s:
            self._step_s, self._keep, self._drive = dt_s, self.noise.keep(dt_s), self.noise.drive(dt_s)
            self._white, self._forgets = self.noise.white_var(dt_s), 1.0 - math.exp(-dt_s / MEAN_S)
        keep = self._keep
        self.x *= keep
        self._p = keep * keep * self._p + self._drive
        if value == value:
            gain = self._p / (self._p + self._white + 1e-12)
            self.x += gain * (value - self.mean - self.x)
            self._p *= 1.0 - gain
            # What it wanders about is today's, not that of the day of commissioning: otherwise each forecast would
            # go back to a load that does not come, and the moisture would stay off its set point.
            self.age_s += dt_s
            moved = max(dt_s / self.age_s, self._forgets) * (value - self.mean)
            self.mean += moved
            self.x -= moved

    @property
    def now(self) -> float:
        """Estimate of the level."""
        return self.mean + self.x

    def ahead(self, step_s: float, count: int) -> list[float]:
        """Expected level in the middle of each of the next steps."""
        if step_s != self._ahead_s or count > len(self._keeps_ahead):
            self._ahead_s = step_s
            self._keeps_ahead = [self.noise.keep((k + 0.5) * step_s) for k in range(count)]
        mean, x = self.mean, self.x
        return [mean + x * keep for keep in self._keeps_ahead[:count]]
