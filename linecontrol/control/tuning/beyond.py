"""What may lie beyond the classes of models, so that none of them passes for it. Pure.

A process that swings by itself is fitted beside them, to the same record with the same linear terms; no gains are
worked out for it.

    G(s) = K e^(-L s) / (w^2 s^2 + 2 zeta w s + 1),   zeta < 1

An inverse response behind two unlike lags is tried where one behind equal lags was best: a relay, whose record hardly
tells what is far below its own frequency, had its gain a third off with lags of 4 : 1 taken as equal.
"""

from __future__ import annotations

import cmath
import itertools
import math
from dataclasses import dataclass

import numpy as np

from linecontrol.control.tuning.models import FloatArray, Moves
from linecontrol.control.tuning.regression import Fit, Regression, Shape

UNLIKE = Shape("inverse", ("t1_s", "t2_s", "zero_s", "delay_s"))
CLEARLY = 6.0  # by so much its corrected Akaike criterion is to be less; equal lags taken as unlike gained up to 4
BEYOND = 10.0  # the same for a pair
SWINGS = 0.5  # damping; lags in a row (up to 8) look like a pair of 0.7 to 0.9
_PARAMETERS = 3  # w, zeta, L
_SEARCHED = 300  # samples that the first search looks at
_LEAST_DAMPING, _MOST_DAMPING = 0.02, 0.95


@dataclass(frozen=True, slots=True)
class Pair:
    """Two poles that swing, clearly better than the classes.

    Attributes:
        gain: K [PV unit / output unit]. time_s: w [s]. damping: zeta, below 1. delay_s: L [s].
        aicc: corrected Akaike criterion, comparable with ``Fit.aicc``.
    """

    gain: float
    time_s: float
    damping: float
    delay_s: float
    aicc: float

    @property
    def period_s(self) -> float:
        """Of its swings [s]."""
        return 2.0 * math.pi * self.time_s / math.sqrt(1.0 - self.damping**2)

    @property
    def swings(self) -> bool:
        """So little damped that gains of another class would not hold for it."""
        return self.damping < SWINGS

    @property
    def warning(self) -> str:
        """What a person should know when a model of another class is offered all the same."""
        return (
            f"a model that none of the classes covers (two poles, damping {self.damping:.2f}) fits clearly better, with"
            f" a gain of {self.gain:.3g}: the gain is not well told by this test; the tuning rests on how the process"
            " answers about the loop's own frequency"
        )


def unlike(regression: Regression, fit: Fit) -> Fit | None:
    """An inverse response behind two unlike lags, where it is clearly better than ``fit``, one behind equal lags."""
    middle, zero_s, delay_s = fit.x.tolist()
    apart = [0.5 * math.log(ratio) for ratio in (1.5, 3.0, 8.0)]
    starts = [np.array([middle + by, middle - by, zero_s, delay_s]) for by in apart]
    best = min((regression.fit(UNLIKE, start) for start in starts), key=lambda one: one.aicc)
    return best if best.aicc < fit.aicc - CLEARLY and best.gain * fit.gain > 0.0 else None


def pair_answer(time_s: float, damping: float, delay_s: float, moves: Moves, at_s: FloatArray) -> FloatArray:
    """Answer of such a pair of unit gain to the moves, at times ``at_s`` [s]; exact at any spacing."""
    pole = (-damping + 1j * math.sqrt(1.0 - damping**2)) / time_s
    times, sizes = moves.times_s + delay_s, moves.sizes
    behind = np.searchsorted(times, at_s, side="right")
    total = np.concatenate(([0.0], np.cumsum(sizes)))[behind]
    held = np.zeros(len(sizes) + 1, dtype=np.complex128)
    level = 0j
    gaps = np.diff(times, prepend=times[:1])
    for n, (move, gap) in enumerate(zip(sizes.tolist(), gaps.tolist(), strict=True)):
        level = level * cmath.exp(pole * gap) + move
        held[n + 1] = level
    since = np.where(behind > 0, at_s - times[np.maximum(behind - 1, 0)], 0.0)
    share = 1.0 / (1.0 - pole / pole.conjugate())  # of this pole in the answer to a step
    return np.asarray(total - 2.0 * (share * held[behind] * np.exp(pole * since)).real, dtype=np.float64)


def fitted_pair(regression: Regression, fit: Fit) -> Pair | None:
    """The pair that explains the record clearly better than ``fit``, the best of the classes; None when none does."""
    from scipy.optimize import least_squares

    if fit.shape.integrating:
        return None
    record = regression.record
    scale_s = max(min(fit.process().scale_s, record.span_s), 2.0 * record.period_s)
    others = regression.columns(fit.shape, fit.x)[:, :-1]

    def columns(x: FloatArray, every: int = 1) -> FloatArray:
        pair = pair_answer(math.exp(x[0]), float(x[1]), max(float(x[2]), 0.0), record.moves, record.t_s[::every])
        return np.column_stack((others[::every], pair))

    def left(x: FloatArray, every: int) -> float:
        a, y = columns(x, every), record.y[::every]
        return float(np.sum((y - a @ np.linalg.lstsq(a, y, rcond=None)[0]) ** 2))

    def residual(x: FloatArray) -> FloatArray:
        a, y = regression.whiten(columns(x), fit.phi), regression.whiten(record.y, fit.phi)
        return np.asarray((y - a @ np.linalg.lstsq(a, y, rcond=None)[0]) / regression.size, dtype=np.float64)

    every = max(1, len(record.t_s) // _SEARCHED)
    grid = itertools.product(np.log(np.geomspace(0.15, 1.5, 8) * scale_s), (0.15, 0.5), np.linspace(0.0, 0.6, 4))
    start = min((np.array([w, z, share * scale_s]) for w, z, share in grid), key=lambda x: left(x, every))
    low = np.array([math.log(0.3 * record.period_s), _LEAST_DAMPING, 0.0])
    high = np.array([math.log(record.span_s), _MOST_DAMPING, max(0.8 * record.after_s, record.period_s)])
    found = least_squares(
        residual, np.clip(start, low + 1e-6, high - 1e-6), bounds=(low, high), x_scale=[1.0, 1.0, scale_s], max_nfev=30
    )
    a = columns(found.x)
    linear = np.linalg.lstsq(regression.whiten(a, fit.phi), regression.whiten(record.y, fit.phi), rcond=None)[0]
    phi = regression.correlation(a, record.y - a @ linear)
    aicc = regression.aicc(a, phi) + 2.0 * _PARAMETERS
    if not aicc < fit.aicc - BEYOND:
        return None
    return Pair(float(linear[-1]), math.exp(found.x[0]), float(found.x[1]), float(found.x[2]), aicc)
