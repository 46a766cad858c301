"""How far a loop is from instability: Ms, Mt, gain and phase margin of our PID (filter included) on a plant. Pure.

    C(s) = K (1 + 1/(Ti s) + Td s/(1 + s Tf)),  S = 1/(1 + G C),  T = G C/(1 + G C),  Ms = max|S|, Mt = max|T|

Stability is counted by Nyquist's rule on a frequency grid. A hold of ``period_s`` is taken as half of it in delay.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from linecontrol.control.forms import IsaGains
from linecontrol.control.tuning.models import ComplexArray, FloatArray, Plant

COARSE, FINE = 840, 3000  # points of the frequency grid: for a set of plants, and for figures shown to people


@dataclass(frozen=True, slots=True)
class Margins:
    """Distances from instability.

    Attributes:
        stable: the closed loop is stable. All other values are then finite or inf; otherwise ms = mt = inf, the
            margins 0.
        ms, mt: peaks of sensitivity and complementary sensitivity, >= 1 and >= 0.
        gain_margin: factor (not dB) by which the gain may rise; inf when there is no such limit.
        phase_margin_deg: [deg]; inf when |G C| stays below 1 throughout.
        delay_margin_s: more delay that would make it unstable [s].
        crossover_rad_s: highest frequency where |G C| = 1 [rad/s]; 0 when there is none.
    """

    stable: bool
    ms: float
    mt: float
    gain_margin: float
    phase_margin_deg: float
    delay_margin_s: float
    crossover_rad_s: float

    @property
    def worst(self) -> float:
        """The larger of Ms and Mt."""
        return max(self.ms, self.mt)


UNSTABLE = Margins(False, math.inf, math.inf, 0.0, 0.0, 0.0, 0.0)


def controller(gains: IsaGains, s: ComplexArray) -> ComplexArray:
    """C(s) from the error, as the product's PID builds it; gain with its sign."""
    form = 1.0 + gains.td_s * s / (1.0 + gains.tf_s * s)
    if gains.ti_s < math.inf:
        form = form + 1.0 / (gains.ti_s * s)
    return np.asarray(gains.k * form, dtype=np.complex128)


def frequencies(scale_s: float, points: int) -> FloatArray:
    """A logarithmic grid [rad/s] that reaches from far below 1/scale to far above it."""
    return np.asarray(np.geomspace(1e-3 / scale_s, 5e3 / scale_s, points), dtype=np.float64)


def search_frequencies(scale_s: float) -> FloatArray:
    """A grid [rad/s] for searches: dense where a loop of this scale can come near -1, thin elsewhere."""
    ends = np.array([1e-3, 0.1, 60.0, 5e3]) / scale_s
    parts = [np.geomspace(a, b, n, endpoint=False) for a, b, n in zip(ends[:-1], ends[1:], (60, 480, 60), strict=True)]
    return np.asarray(np.concatenate((*parts, ends[-1:])), dtype=np.float64)


def loop_gain(plant: Plant, gains: IsaGains, w: FloatArray, period_s: float = 0.0) -> ComplexArray:
    """G(jw) C(jw), with the hold of a controller that runs every ``period_s`` [s] as half of it in delay."""
    s = np.asarray(1j * w, dtype=np.complex128)
    return np.asarray(plant.transfer(s) * controller(gains, s) * np.exp(-0.5 * period_s * s), dtype=np.complex128)


def is_stable(loop: ComplexArray, integrators: int) -> bool:
    """Nyquist on a grid from ~0 to ~infinity: 1 + G C must turn by +90 deg per integrator, and not once more.

    Holds for plants without poles on the right and with at most one at 0.
    """
    angle = np.unwrap(np.angle(1.0 + loop))
    if loop[0].real > 0.0 and integrators == 2:
        return False
    return bool(abs((angle[-1] - angle[0]) - integrators * 0.5 * math.pi) < 0.5 * math.pi)


def margins(plant: Plant, gains: IsaGains, *, period_s: float = 0.0, points: int = FINE) -> Margins:
    """All margins of this loop. Gains of the wrong sign give an unstable loop, as they do on the plant."""
    w = frequencies(plant.scale_s, points)
    if gains.ti_s < math.inf:  # slow integral action happens far below the plant's own frequencies
        w = np.union1d(w, np.geomspace(1e-2 / gains.ti_s, 1e2 / gains.ti_s, points // 3))
    loop = loop_gain(plant, gains, w, period_s)
    integrators = int(plant.integrating) + int(gains.ti_s < math.inf)
    wrong_sign = plant.gain * gains.k < 0.0
    if wrong_sign or not np.all(np.isfinite(loop)) or not is_stable(loop, integrators):
        return UNSTABLE
    ms = max(1.0, float(np.max(1.0 / np.abs(1.0 + loop))))
    mt = float(np.max(np.abs(loop / (1.0 + loop))))
    return Margins(True, ms, mt, _gain_margin(loop), *_phase_margin(loop, w))


def _gain_margin(loop: ComplexArray) -> float:
    im, re = loop.imag, loop.real
    cross = np.flatnonzero((im[:-1] * im[1:] <= 0.0) & (re[:-1] < 0.0) & (re[1:] < 0.0))
    values = [re[n] + (re[n + 1] - re[n]) * im[n] / (im[n] - im[n + 1]) for n in cross if im[n] != im[n + 1]]
    inside = [-1.0 / v for v in values if -1.0 < v < 0.0]
    return float(min(inside, default=math.inf))


def _phase_margin(loop: ComplexArray, w: FloatArray) -> tuple[float, float, float]:
    """Phase margin [deg], delay margin [s], highest crossover [rad/s]."""
    size = np.log(np.abs(loop))
    cross = np.flatnonzero((size[:-1] >= 0.0) & (size[1:] < 0.0) | (size[:-1] < 0.0) & (size[1:] >= 0.0))
    if len(cross) == 0:
        return math.inf, math.inf, 0.0
    part = size[cross] / (size[cross] - size[cross + 1])
    at = w[cross] * (w[cross + 1] / w[cross]) ** part
    angle = np.unwrap(np.angle(loop))
    phase = angle[cross] + part * (angle[cross + 1] - angle[cross])
    left = np.mod(phase + math.pi, 2.0 * math.pi)
    small = np.minimum(left, 2.0 * math.pi - left)
    return float(np.degrees(np.min(small))), float(np.min(left / at)), float(at[-1])


def worst_margins(plants: Iterable[Plant], gains: IsaGains, *, period_s: float = 0.0) -> Margins:
    """The worst of each figure over a set of plants (say, all that agree with a test); unstable if one is."""
    each = [margins(plant, gains, period_s=period_s, points=COARSE) for plant in plants]
    if not each:
        raise ValueError("no plants were given, so that none can be the worst")
    if not all(m.stable for m in each):
        return UNSTABLE
    return Margins(
        True,
        max(m.ms for m in each),
        max(m.mt for m in each),
        min(m.gain_margin for m in each),
        min(m.phase_margin_deg for m in each),
        min(m.delay_margin_s for m in each),
        max(m.crossover_rad_s for m in each),
    )
