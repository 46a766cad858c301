"""What a fit does not know: intervals, and the processes on the border of what agrees with the record. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import exp

import numpy as np

from linecontrol.control.tuning.models import FloatArray, Process, answer
from linecontrol.control.tuning.regression import Fit, Regression

STRAIGHT = 0.7  # half width of a logarithm's interval up to which straight lines do: a factor of 2
LOOSE = 4.0  # a process on the border may agree with the record by so much worse than straight lines have it
FAR = 2.0  # a delay's straight-line doubt so many times that of the best class is looked at more closely


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval, in the unit of its value."""

    low: float
    high: float

    def including(self, value: float) -> Interval:
        """The same, stretched to this value."""
        return Interval(min(self.low, value), max(self.high, value))

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def quantile(fit: Fit) -> float:
    """Student's t at 97.5 %, with the degrees of freedom that correlated noise leaves."""
    from scipy.special import stdtrit

    return float(stdtrit(fit.dof, 0.975))


def half_width(fit: Fit, index: int) -> float:
    """Half a 95 % interval of the parameter with this row in the covariance, from the whitened covariance."""
    return quantile(fit) * math.sqrt(max(float(fit.covariance[index, index]), 0.0))


def profiled(regression: Regression, fit: Fit, index: int, wide: float) -> Interval:
    """Profile likelihood: the delays at which the best fit of all else is not worse than 95 % allows."""
    limit = fit.whitened_rss * exp(quantile(fit) ** 2 / len(regression.record.t_s))
    low, high = (float(b[index]) for b in fit.shape.bounds(regression.record))
    step = min(max(wide, 0.02 * regression.record.period_s), 0.25 * (high - low))
    state = {"x": fit.x}

    def within(delay: float) -> bool:
        trial = state["x"].copy()
        trial[index] = delay
        x = regression.refine(fit.shape, trial, fit.phi, held=index)
        state["x"] = x
        _, rest = regression.solve(fit.shape, x, fit.phi)
        return float(rest @ rest) <= limit

    best = float(fit.x[index])
    return Interval(_edge(within, best, low, -step), _edge(within, best, high, step))


def lag_interval(regression: Regression, fit: Fit, index: int, wide: float) -> Interval:
    """Of a lag, whose parameter is its logarithm. ``wide``: half its width by the covariance.

    Where that is more than a straight line can be trusted for (a lag that has all but gone has any logarithm), by its
    profile instead.
    """
    value = float(fit.x[index])
    if wide <= STRAIGHT:
        return Interval(exp(value - wide), exp(value + wide))
    found = profiled(regression, fit, index, STRAIGHT)
    return Interval(exp(found.low), exp(found.high))


def _edge(within: Callable[[float], bool], best: float, bound: float, step: float) -> float:
    """Where ``within`` ends between ``best`` and ``bound``: outwards by steps, then by halving."""
    inside, outside = best, best
    for _ in range(12):
        outside = max(outside + step, bound) if step < 0.0 else min(outside + step, bound)
        if not within(outside):
            break
        inside = outside
        if outside == bound:
            return bound
    else:
        return outside
    for _ in range(7):
        middle = 0.5 * (inside + outside)
        if within(middle):
            inside = middle
        else:
            outside = middle
    return outside


def widened(regression: Regression, intervals: dict[str, Interval], fit: Fit, near: list[Fit]) -> dict[str, Interval]:
    """Gain and delay once more, the class not taken as known: it could be one of ``near``, by how likely each is.

    S. T. Buckland, K. P. Burnham, N. H. Augustin, "Model selection: an integral part of inference", Biometrics 53:603,
    1997; a parameter more costs as much as in Schwarz' criterion, or a simple process would seem to hide more than it
    does. Lags of unlike classes are not the same thing, and stay.
    """
    found: dict[str, Interval] = {}
    price = max(math.log(fit.dof + len(fit.x)) - 2.0, 0.0)
    weights = [1.0, *(exp(-0.5 * (f.aicc - fit.aicc + price * (len(f.x) - len(fit.x)))) for f in near)]
    for name in ("gain", "delay_s"):
        if name not in intervals:
            continue
        value, own = _estimate(fit, name)
        others = [_estimate(f, name) for f in near]
        if name == "delay_s":
            others = [
                (v, _curved(regression, f, wide) if wide > FAR * own else wide)
                for f, (v, wide) in zip(near, others, strict=True)
            ]
        each = [own**2, *(((v - value) ** 2 + wide**2) for v, wide in others)]
        spread = math.sqrt(sum(w * e for w, e in zip(weights, each, strict=True)) / sum(weights))
        factor = max(spread / own, 1.0) if own > 0.0 else 1.0
        low, high = (value + factor * (edge - value) for edge in (intervals[name].low, intervals[name].high))
        found[name] = Interval(max(low, 0.0) if name == "delay_s" else low, high)
    return found


def _curved(regression: Regression, fit: Fit, wide: float) -> float:
    """Standard deviation of the delay by its profile. The covariance only knows straight lines: where a second lag has
    all but gone, it and the delay may stand for each other without end, while in truth neither can fall below 0."""
    index = fit.shape.names.index("delay_s")
    found = profiled(regression, fit, index, min(wide, float(fit.process().scale_s)))
    return min(wide, 0.5 * (found.high - found.low) / quantile(fit))


def _estimate(fit: Fit, name: str) -> tuple[float, float]:
    """Value of the gain or the delay, and its standard deviation."""
    index = len(fit.x) + len(fit.linear) - 1 if name == "gain" else fit.shape.names.index(name)
    value = fit.gain if name == "gain" else float(fit.x[index])
    return value, math.sqrt(max(float(fit.covariance[index, index]), 0.0))


def border(regression: Regression, fit: Fit) -> tuple[Process, ...]:
    """Processes on the 95 % ellipsoid, two for each of its axes, in log lags, delay and log gain."""
    from scipy.special import fdtri

    n = len(fit.x)
    rows = [*range(n), n + len(fit.linear) - 1]
    cov = fit.covariance[np.ix_(rows, rows)].copy()
    cov[-1, :] /= fit.gain
    cov[:, -1] /= fit.gain
    size = np.sqrt(np.maximum(np.diag(cov), 1e-18))
    values, axes = np.linalg.eigh(cov / np.outer(size, size))
    radius = math.sqrt(len(rows) * float(fdtri(len(rows), fit.dof, 0.95)))
    low, high = fit.shape.bounds(regression.record)
    limit = fit.whitened_rss + LOOSE * radius**2 * fit.noise_sd**2

    def at(move: FloatArray) -> Process:
        x = np.clip(fit.x + move[:-1], low, high)
        return fit.shape.process(x, fit.gain * exp(float(np.clip(move[-1], -2.0, 2.0))))

    found = []
    for value, axis in zip(values, axes.T, strict=True):
        for way in (-1.0, 1.0):
            move = way * radius * math.sqrt(max(float(value), 0.0)) * axis * size
            found.append(at(_shortened(regression, fit, at, move, limit)))
    return tuple(found)


def _shortened(
    regression: Regression, fit: Fit, at: Callable[[FloatArray], Process], move: FloatArray, limit: float
) -> FloatArray:
    """As much of the move as leaves a process that agrees with the record. All of it but where the ellipsoid is no
    picture of the doubt: a lag that has all but gone may lie anywhere, by straight lines, and would take delay and gain
    with it."""
    others = regression.columns(fit.shape, fit.x)[:, :-1]
    base, record = regression.whiten(others, fit.phi), regression.record

    def agrees(part: float) -> bool:
        y = regression.whiten(record.y - answer(at(part * move), record.moves, record.t_s), fit.phi)
        rest = y - base @ np.linalg.lstsq(base, y, rcond=None)[0]
        return float(rest @ rest) <= limit

    if agrees(1.0):
        return move
    inside, outside = 0.0, 1.0
    for _ in range(10):
        middle = 0.5 * (inside + outside)
        inside, outside = (middle, outside) if agrees(middle) else (inside, middle)
    return np.asarray(inside * move, dtype=np.float64)
