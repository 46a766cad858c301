"""Does the PV follow the output, or a valve that sticks on its way? Compared by how well each explains the PV. Pure.

For a grid of sticking bands S and jumps J the valve's position is worked out from the output (M. A. A. S. Choudhury,
N. F. Thornhill, S. L. Shah, "Modelling valve stiction", Control Engineering Practice 13:641, 2005), and the PV is
regressed on each position through one lag and a delay, both on a grid too. A valve that does not stick leaves the same
error as the output itself; one that does leaves less, by a factor.

A wave from outside would pass for a sticking valve there: it stands at any phase to the output, which a valve's loss of
motion meets better than lags and delays of a process do. So the comparison is made once more with a steady wave granted
to both: one from outside then leaves nothing for the valve to explain, while a valve's edges, and the wandering of its
period, are still there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BANDS = (0.25, 0.4, 0.55, 0.7, 0.85, 0.97)  # S as a share of the output's range
JUMPS = (0.1, 0.4, 0.7, 1.0)  # J as a share of S
LAGS = (0.03, 0.08, 0.2, 0.5, 1.5, 8.0)  # of the oscillation's period; the longest is nearly an integrator
HARMONICS = 3  # of a steady wave; a triangle or a pump's strokes have them too
NEAR = 1.3  # a wave's period is looked for within this factor
DELAYS = (0.0, 0.04, 0.08, 0.13, 0.18, 0.25)  # of the period: beyond, an outside wave could pass for an answer


@dataclass(frozen=True, slots=True)
class Sticking:
    """How the output explains the PV.

    Attributes:
        straight: share of the PV's variance that the output explains, 0 to 1. sticking: the same through the best
            sticking valve. left: error left by the latter over that of the former, 0 to 1.
        band, jump: of that valve, S [output unit], J as a share of it.
        left_beside: as ``left`` (may exceed 1), of what a steady wave of this period leaves of the PV.
    """

    straight: float
    sticking: float
    left: float
    band: float
    jump: float
    left_beside: float


def positions(u: FloatArray, bands: FloatArray, jumps: FloatArray) -> FloatArray:
    """Where valves of these S and J [output unit] stand: (n_valves, n_samples) [output unit]."""
    held = np.full(len(bands), u[0])
    at = held.copy()
    way = np.ones(len(bands))
    moves = np.zeros(len(bands), dtype=bool)
    found = np.empty((len(bands), len(u)))
    before = float(u[0])
    lost = 0.5 * (bands - jumps)
    for n, value in enumerate(u.tolist()):
        turned = moves & ((value - before) * way <= 0.0)
        held = np.where(turned, before, held)
        moves = moves & ~turned
        away = value - held
        onward = away * way >= 0.0
        slips = ~moves & np.where(onward, np.abs(away) > jumps, np.abs(away) > bands)
        way = np.where(slips & ~onward, -way, way)
        moves = moves | slips
        at = np.where(moves, value - way * lost, at)
        found[:, n] = at
        before = value
    return found


def sticking(pv: FloatArray, op: FloatArray, period: float) -> Sticking:
    """Compare. ``pv`` [PV unit] and ``op`` [output unit] evenly sampled, without gaps; ``period`` of the oscillation
    [samples], best about 20 to 60."""
    span = float(np.ptp(op))
    shares = [(s, j) for s in BANDS for j in JUMPS]
    bands = span * np.array([s for s, _ in shares])
    jumps = bands * np.array([j for _, j in shares])
    inputs = np.vstack((op, positions(op, bands, jumps)))
    best, beside = _explained(pv, inputs, period)
    n = int(np.argmax(best[1:]))
    straight, through = float(best[0]), float(best[1 + n])
    left = min(1.0, (1.0 - through) / max(1.0 - straight, 1e-12))
    left_beside = (1.0 - float(np.max(beside[1:]))) / max(1.0 - float(beside[0]), 1e-12)
    return Sticking(straight, through, left, float(bands[n]), JUMPS[n % len(JUMPS)], left_beside)


def _explained(pv: FloatArray, inputs: FloatArray, period: float) -> tuple[FloatArray, FloatArray]:
    """For each input the largest share of the PV's variance over lags and delays, of one sign of gain; and the same of
    what a steady wave leaves of it."""
    skip = int(1.5 * period)
    y = _detrended(pv[None, skip:])[0]
    wave = _wave(y, period)
    rest = y - wave @ (wave.T @ y)
    best, beside = (np.zeros((2, len(inputs))) for _ in range(2))
    for lag in LAGS:
        passed = _lagged(inputs, lag * period)
        for delay in DELAYS:
            late = round(delay * period) + 1
            x = _detrended(passed[:, skip - late : passed.shape[1] - late])
            _grow(best, x, y)
            _grow(beside, x - (x @ wave) @ wave.T, rest)
    return _of_one_sign(best), _of_one_sign(beside)


def _grow(best: FloatArray, x: FloatArray, y: FloatArray) -> None:
    """Where a row of ``x`` explains more of ``y``, for a gain above 0 (first row of ``best``) or below (second)."""
    along = x @ y
    share = along**2 / np.maximum(np.einsum("ij,ij->i", x, x) * float(y @ y), 1e-300)
    for row, of_sign in zip(best, (along > 0.0, along <= 0.0), strict=True):
        np.maximum(row, share, out=row, where=of_sign)


def _of_one_sign(best: FloatArray) -> FloatArray:
    return np.asarray(best[int(np.argmax(best.max(axis=1)))], dtype=np.float64)


def _wave(y: FloatArray, period: float) -> FloatArray:
    """The steady wave near this period that ``y`` has most of, and its harmonics: orthonormal columns."""
    n = len(y)
    size = 1 << (n - 1).bit_length() + 4
    power = np.abs(np.fft.rfft(np.hanning(n) * y, size))
    low, high = int(size / (period * NEAR)), int(size * NEAR / period) + 1
    turn = 2.0 * np.pi * (low + int(np.argmax(power[low : high + 1]))) / size * np.arange(n)
    columns = np.column_stack([form(k * turn) for k in range(1, HARMONICS + 1) for form in (np.cos, np.sin)])
    return np.asarray(np.linalg.qr(columns - columns.mean(axis=0))[0], dtype=np.float64)


def _lagged(x: FloatArray, lag: float) -> FloatArray:
    from scipy.signal import lfilter

    keep = float(np.exp(-1.0 / max(lag, 1e-3)))
    start = x[:, :1] * keep
    return np.asarray(lfilter([1.0 - keep], [1.0, -keep], x, axis=1, zi=start)[0], dtype=np.float64)


def _detrended(x: FloatArray) -> FloatArray:
    line = np.linspace(-1.0, 1.0, x.shape[1])
    x = x - x.mean(axis=1, keepdims=True)
    return np.asarray(x - np.outer(x @ line / (line @ line), line), dtype=np.float64)
