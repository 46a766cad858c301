"""Does a loop swing, how regularly, how damped. Pure.

Regularity of the zero crossings of the autocorrelation: N. F. Thornhill, B. Huang, H. Zhang, "Detection of multiple
oscillations in control loops", J. Process Control 13:91, 2003. Error summed over half-periods: T. Hagglund, "A
control-loop performance monitor", Control Eng. Practice 3:1543, 1995. Damping: of the strongest mode of an
autoregressive model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from linecontrol.control.assessment.series import FloatArray

ORDERS = (4, 8, 14, 20, 30)
ComplexArray = NDArray[np.complex128]
FEWEST_CROSSINGS = 6
REGULAR = 1.0  # Thornhill's r; above it a period is regular
FEWEST = 120  # samples
PER_PERIOD = 16  # samples to a period that a mode is looked at with, about
_CLEAR = 0.3  # of the autocorrelation after one period


@dataclass(frozen=True, slots=True)
class Oscillation:
    """A swing of the loop.

    Attributes:
        period_s: [s]. damping: of its mode: 0 goes on for ever, 1 does not swing.
        regularity: mean over three times the standard deviation of the crossings' distances; above 1 is regular.
        crossings: of the autocorrelation that were looked at. again: autocorrelation after one period, up to 1.
        sharpness: share of the power near the period that lies in the line itself, 0 to 1.
        share: of the output's variance within half an octave of the period, 0 to 1.
        amplitude: of the error at this period [PV unit], half of peak to peak.
        cycles: in the record. is_regular: by the autocorrelation; is_loaded: by half-periods of large error.
    """

    period_s: float
    damping: float
    regularity: float
    crossings: int
    again: float
    sharpness: float
    share: float
    amplitude: float
    cycles: float
    is_regular: bool
    is_loaded: bool


def oscillation(error: FloatArray, op: FloatArray, period_s: float) -> Oscillation | None:
    """Of an evenly sampled stretch: error [PV unit], output [output unit], sample time [s]. None = nothing to judge:
    too short, or the output did not move."""
    if len(op) < FEWEST or float(np.ptp(op)) == 0.0 or float(np.ptp(error)) == 0.0:
        return None
    mode = _mode(op)
    if mode is None:
        return None
    period, damping = mode
    x, every = _slowed(_straight(op), period, PER_PERIOD)
    crossings, regularity, again = _regularity(x, period / every)
    sharpness, share = _line(op, period)
    amplitude = math.sqrt(2.0) * _band_sd(error, period)
    regular = crossings >= FEWEST_CROSSINGS and regularity > REGULAR and again > _CLEAR
    return Oscillation(
        period * period_s,
        damping,
        regularity,
        crossings,
        again,
        sharpness,
        share,
        amplitude,
        len(op) / period,
        regular,
        _loaded(error, period),
    )


def _straight(x: FloatArray) -> FloatArray:
    line = np.linspace(-1.0, 1.0, len(x))
    x = x - float(np.mean(x))
    return np.asarray(x - line * float(line @ x) / float(line @ line), dtype=np.float64)


def averaged(x: FloatArray, every: int) -> FloatArray:
    """Means of ``every`` samples each; what is left over at the end is dropped."""
    n = len(x) // every
    return np.asarray(x[: n * every].reshape(n, every).mean(axis=1), dtype=np.float64)


def _slowed(x: FloatArray, period: float, per_period: int) -> tuple[FloatArray, int]:
    every = max(1, int(period / per_period))
    return averaged(x, every), every


def _mode(op: FloatArray) -> tuple[float, float] | None:
    """Period [samples] and damping of the output's strongest swinging mode, at the sampling that shows it best."""
    best: tuple[float, float, float] | None = None
    every = 1
    while len(op) // every >= FEWEST:
        found = _strongest(averaged(_straight(op), every))
        if found is not None:
            period, damping, power = found
            # The same mode is seen at several samplings; best near the middle of what an AR model resolves.
            fits = power / (1.0 + (math.log(period / PER_PERIOD)) ** 2) * (1.0 - min(damping, 0.9))
            if best is None or fits > best[2]:
                best = (period * every, damping, fits)
        every *= 2
    return None if best is None else best[:2]


def _strongest(x: FloatArray) -> tuple[float, float, float] | None:
    """Period [samples], damping and share of the power of the strongest pair of poles."""
    model = _autoregressive(x)
    poles = np.asarray(np.roots(np.concatenate(([1.0], -model))), dtype=np.complex128)
    size = np.abs(poles)
    poles = np.asarray(np.where(size >= 0.99999, poles / size * 0.99999, poles), dtype=np.complex128)
    upper = poles[poles.imag > 1e-6]
    if len(upper) == 0:
        return None
    powers = np.array([_power(pole, poles) for pole in upper])
    real = np.array([_power(pole, poles) for pole in poles[(np.abs(poles.imag) <= 1e-6) & (np.abs(poles) > 1e-6)]])
    n = int(np.argmax(powers))
    log = np.log(upper[n])
    share = 2.0 * powers[n] / (2.0 * powers.sum() + real.sum())
    return float(2.0 * math.pi / abs(log.imag)), float(-log.real / abs(log)), float(share)


def _power(pole: complex, poles: ComplexArray) -> float:
    others = poles[np.abs(poles - pole) > 1e-12]
    residue = 1.0 / np.prod(1.0 - others / pole)
    return float(abs(residue) ** 2 / (1.0 - abs(pole) ** 2))


def _autoregressive(x: FloatArray) -> FloatArray:
    """Coefficients of the order that Akaike's criterion picks."""
    best, chosen = math.inf, np.zeros(1)
    for order in ORDERS:
        if len(x) < 4 * order:
            break
        rows = np.lib.stride_tricks.sliding_window_view(x, order)[:-1, ::-1]
        y = x[order:]
        coefficients = np.linalg.lstsq(rows, y, rcond=None)[0]
        rest = float(np.mean((y - rows @ coefficients) ** 2)) + 1e-300
        criterion = len(y) * math.log(rest) + 2.0 * order
        if criterion < best:
            best, chosen = criterion, np.asarray(coefficients, dtype=np.float64)
    return chosen


def autocorrelation(x: FloatArray) -> FloatArray:
    """1 at lag 0; each lag divided by its own number of pairs."""
    x = x - float(np.mean(x))
    n = len(x)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(x, size)
    found = np.fft.irfft(spectrum * np.conj(spectrum), size)[:n] / np.arange(n, 0, -1)
    return np.asarray(found / found[0], dtype=np.float64)


def _regularity(x: FloatArray, period: float) -> tuple[int, float, float]:
    """Crossings, Thornhill's r, and the autocorrelation after one period."""
    acf = autocorrelation(x)[: max(int(0.6 * len(x)), 4)]
    near = acf[int(0.7 * period) : int(1.35 * period) + 1]
    again = float(near.max()) if len(near) else 0.0
    cross = np.flatnonzero(acf[:-1] * acf[1:] < 0.0)[:11]
    at = cross + acf[cross] / (acf[cross] - acf[cross + 1])
    gaps = np.diff(at)
    if len(gaps) < 2:
        return len(cross), 0.0, again
    spread = float(np.std(gaps, ddof=1))
    return len(cross), float(np.mean(gaps)) / (3.0 * max(spread, 1e-3 * float(np.mean(gaps)))), again


def _spectrum(x: FloatArray) -> FloatArray:
    window = np.hanning(len(x))
    return np.asarray(np.abs(np.fft.rfft(_straight(x) * window)) ** 2, dtype=np.float64)


def _line(op: FloatArray, period: float) -> tuple[float, float]:
    power = _spectrum(op)
    k = len(op) / period
    low, high = max(1, int(k / 1.42)), max(2, math.ceil(k * 1.42))
    band = power[low : high + 1]
    top = low + int(np.argmax(band))
    line = float(np.sum(power[max(low, top - 2) : top + 3]))
    inside = max(float(np.sum(band)), 1e-300)
    return min(line / inside, 1.0), min(inside / max(float(np.sum(power[1:])), 1e-300), 1.0)


def _band_sd(x: FloatArray, period: float) -> float:
    power = _spectrum(x)
    k = len(x) / period
    part = float(np.sum(power[max(1, int(k / 1.42)) : math.ceil(k * 1.42) + 1])) / max(float(np.sum(power)), 1e-300)
    return math.sqrt(part) * float(np.std(_straight(x)))


def _loaded(error: FloatArray, period: float) -> bool:
    """Hagglund: most half-periods sum up at least half the error that a steady sine of the same size would."""
    x = _slowed(_straight(error), period, PER_PERIOD)[0]
    signs = np.where(x >= 0.0, 1, -1)
    edges = np.concatenate(([0], np.flatnonzero(np.diff(signs)) + 1, [len(x)]))
    sums = np.array([abs(float(np.sum(x[a:b]))) for a, b in pairwise(edges)])
    usual = math.sqrt(2.0) * float(np.std(x)) * PER_PERIOD / math.pi
    loads = int(np.count_nonzero(sums > 0.5 * usual))
    return bool(loads >= max(6, 0.5 * 2.0 * len(x) / PER_PERIOD))
