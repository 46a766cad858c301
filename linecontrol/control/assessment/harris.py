"""The Harris index: the variance that no controller could avoid, over the variance there is. Pure.

L. Desborough, T. Harris, "Performance assessment measures for univariate feedback control", Can. J. Chem. Eng. 70:1186,
1992: the error is regressed on errors that are at least the delay old; what this leaves is what feedback cannot reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linecontrol.control.assessment.series import FloatArray

ORDERS = (5, 10, 15, 20, 30)
RESAMPLES = 200
BLOCKS = 20  # of the bootstrap
# Bare, the block bootstrap of 2,500 correlated samples holds the truth in 87 of 100 series of known index; so much
# wider, in 97 (tests/benchmarks/assessment.py).
WIDER = 1.6
FEWEST = 200  # samples
_EDGE = 1e-3  # as near to 0 or 1 as an index is told
_NEAR = 2  # samples of delay to either side, to show how much depends on it


@dataclass(frozen=True, slots=True)
class Harris:
    """The index.

    Attributes:
        index: 0 (all variance is avoidable) to 1 (none is). low, high: its 95 % interval by block bootstrap.
        delay: assumed [samples], 1 or more. by_delay: delay [samples] to the index, two samples to either side.
    """

    index: float
    low: float
    high: float
    delay: int
    by_delay: dict[int, float]


def harris(error: FloatArray, delay: int, *, seed: int = 0) -> Harris | None:
    """Of an evenly sampled control error [PV unit].

    Args:
        delay: samples from a move of the output to the first PV that shows it, 1 or more.
        seed: of the bootstrap; the same seed gives the same interval.

    None when there are fewer than 200 samples, or the error does not move.
    """
    if delay < 1:
        raise ValueError(f"delay {delay} is not accepted (accepted: 1 sample or more)")
    if len(error) < max(FEWEST, 4 * (delay + max(ORDERS))) or float(np.ptp(error)) == 0.0:
        return None
    e = error - float(np.mean(error))
    near = range(max(1, delay - _NEAR), delay + _NEAR + 1)
    order = _order(e, delay)
    by_delay = {b: _index(*_moments(e, b, order)) for b in near}
    low, high = _interval(e, delay, order, seed, by_delay[delay])
    return Harris(by_delay[delay], low, high, delay, by_delay)


def _rows(e: FloatArray, delay: int, order: int) -> tuple[FloatArray, FloatArray]:
    """Old errors, and the errors they should foretell."""
    windows = np.lib.stride_tricks.sliding_window_view(e, order)[: len(e) - delay - order + 1]
    return np.asarray(windows, dtype=np.float64), e[delay + order - 1 :]


def _order(e: FloatArray, delay: int) -> int:
    """By Akaike's criterion."""

    def criterion(order: int) -> float:
        x, y = _rows(e, delay, order)
        rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        return len(y) * float(np.log(np.mean(rest**2) + 1e-300)) + 2.0 * order

    return min(ORDERS, key=criterion)


def _moments(
    e: FloatArray, delay: int, order: int, blocks: int = 1
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Sums of products of each block: X'X, X'y, y'y, number of rows."""
    x, y = _rows(e, delay, order)
    parts = [part for part in np.array_split(np.arange(len(y)), blocks) if len(part)]
    return (
        np.array([x[part].T @ x[part] for part in parts]),
        np.array([x[part].T @ y[part] for part in parts]),
        np.array([y[part] @ y[part] for part in parts]),
        np.array([float(len(part)) for part in parts]),
    )


def _index(xx: FloatArray, xy: FloatArray, yy: FloatArray, rows: FloatArray) -> float:
    """1 less the share of the variance that old errors foretell, corrected for the number of terms."""
    a, b, total, n = xx.sum(axis=0), xy.sum(axis=0), float(yy.sum()), float(rows.sum())
    rest = total - float(b @ np.linalg.lstsq(a, b, rcond=1e-10)[0])
    return float(np.clip(rest / total * n / max(n - len(b), 1.0), 0.0, 1.0))


def _interval(e: FloatArray, delay: int, order: int, seed: int, index: float) -> tuple[float, float]:
    """About ``index``, by the spread of log(index/(1 - index)) over blocks drawn again."""
    from scipy.special import stdtrit

    sums = _moments(e, delay, order, BLOCKS)
    rng = np.random.default_rng(seed)
    count = len(sums[3])
    found = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, count, count)
        found.append(_odds(_index(*(part[drawn] for part in sums))))
    half = WIDER * float(np.std(found)) * float(stdtrit(count - 1, 0.975))
    low, high = (1.0 / (1.0 + math.exp(-(_odds(index) + way * half))) for way in (-1.0, 1.0))
    return min(low, index), max(1.0 if high > 1.0 - 2.0 * _EDGE else high, index)


def _odds(index: float) -> float:
    inside = min(max(index, _EDGE), 1.0 - _EDGE)
    return math.log(inside / (1.0 - inside))
