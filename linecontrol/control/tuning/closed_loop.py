"""What a loop will do: its answer to a load step and to a set-point step, its IAE, the noise in its output. Pure.

Worked out from G(s) itself by a Fourier series along s = a + jw (numerical inversion of the Laplace transform), so that
delays and any order are exact to the grid. Only for stable loops with integral action.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linecontrol.control.forms import IsaGains
from linecontrol.control.tuning.models import ComplexArray, FloatArray, Plant
from linecontrol.control.tuning.robustness import controller

POINTS = 2048
_DAMPING = 3.0  # a times the horizon: what wraps around the end of the series is made e^3 smaller
_SHOWN = 0.8  # the end of the series, where rounding is made larger again, is not used


@dataclass(frozen=True, slots=True)
class Response:
    """Deviations over time after a unit step.

    Attributes:
        t_s: times [s]; pv: PV [PV unit]; op: controller output [output unit].
    """

    t_s: FloatArray
    pv: FloatArray
    op: FloatArray


def horizon_s(plant: Plant, gains: IsaGains) -> float:
    """Long enough for the loop to settle [s]: some times its slowest time."""
    slow = gains.ti_s if plant.integrating else gains.ti_s / min(abs(gains.k * plant.gain), 1.0)
    return 8.0 * max(plant.scale_s, gains.ti_s, slow)


def _line(span_s: float, points: int) -> ComplexArray:
    k = np.arange(points // 2 + 1)
    return np.asarray(_DAMPING / span_s + 2j * math.pi * k / span_s, dtype=np.complex128)


def _in_time(
    spectrum: ComplexArray, s: ComplexArray, span_s: float, start: float = 0.0, end: float = 0.0, fade_s: float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """The series at its times [s]. ``start`` and ``end``, the values at t = 0 and after long, are taken out of it
    as end + (start - end) e^(-t/fade) and put back: jumps ring, and what does not fade wraps around."""
    points = 2 * (len(s) - 1)
    t: FloatArray = np.asarray(np.arange(points) * (span_s / points), dtype=np.float64)
    known = end / s + (start - end) / (s + 1.0 / fade_s)
    y = np.fft.irfft(spectrum - known, points) * (points / span_s) * np.exp(_DAMPING * t / span_s)
    y = y + end + (start - end) * np.exp(-t / fade_s)
    used = int(_SHOWN * points)
    return t[:used], np.asarray(y[:used], dtype=np.float64)


def load_iae(plant: Plant, gains: IsaGains, *, period_s: float = 0.0, points: int = POINTS) -> float:
    """Integral of the absolute error [PV unit s] after a unit load step at the plant's input [output unit]."""
    span_s = horizon_s(plant, gains)
    s = _line(span_s, points)
    g = plant.transfer(s) * np.exp(-0.5 * period_s * s)
    t, e = _in_time(g / ((1.0 + g * controller(gains, s)) * s), s, span_s)
    return float(np.sum(np.abs(e)) * (t[1] - t[0]))


def load_response(
    plant: Plant, gains: IsaGains, *, size: float = 1.0, span_s: float | None = None, period_s: float = 0.0
) -> Response:
    """After a load step of ``size`` [output unit] at the plant's input. ``span_s`` [s] > 0; None = until settled."""
    span = (horizon_s(plant, gains) if span_s is None else span_s) / _SHOWN
    s = _line(span, POINTS)
    g, c = plant.transfer(s) * np.exp(-0.5 * period_s * s), controller(gains, s)
    pv = size * g / ((1.0 + g * c) * s)
    t, y = _in_time(pv, s, span)
    _, u = _in_time(np.asarray(-c * pv, dtype=np.complex128), s, span, 0.0, -size, plant.scale_s)
    return Response(t, y, u)


def setpoint_response(
    plant: Plant, gains: IsaGains, *, size: float = 1.0, span_s: float | None = None, period_s: float = 0.0
) -> Response:
    """After a set-point step of ``size`` [PV unit], with the weights b and c."""
    span = (horizon_s(plant, gains) if span_s is None else span_s) / _SHOWN
    s = _line(span, POINTS)
    g, c = plant.transfer(s) * np.exp(-0.5 * period_s * s), controller(gains, s)
    weighted = gains.b + gains.c * gains.td_s * s / (1.0 + gains.tf_s * s) + 1.0 / (gains.ti_s * s)
    u = size * gains.k * weighted / ((1.0 + g * c) * s)
    t, y = _in_time(np.asarray(g * u, dtype=np.complex128), s, span, 0.0, size, plant.scale_s)
    jump = size * gains.k * (gains.b + (gains.c * gains.n if gains.td_s > 0.0 and gains.n < math.inf else 0.0))
    end = 0.0 if plant.integrating else size / plant.gain
    _, op = _in_time(u, s, span, jump, end, plant.scale_s)
    return Response(t, y, op)


def noise_gain(plant: Plant, gains: IsaGains, period_s: float) -> float:
    """Standard deviation of the output per standard deviation of white PV noise sampled every ``period_s`` [s], > 0.

    [output unit / PV unit]; the mean square of C S up to half the sample frequency.
    """
    if not 0.0 < period_s < math.inf:
        raise ValueError(f"period_s {period_s!r} is not accepted (accepted: above 0 s)")
    edge = math.pi / period_s
    w = (np.arange(4000) + 0.5) * (edge / 4000)
    s = np.asarray(1j * w, dtype=np.complex128)
    c = controller(gains, s)
    return float(np.sqrt(np.mean(np.abs(c / (1.0 + plant.transfer(s) * c)) ** 2)))
