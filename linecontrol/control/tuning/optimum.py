"""The best gains under a limit: least IAE after a load step, subject to max(Ms, Mt) <= limits. Pure; numpy, scipy.

For each (Ti, Td) the largest K that keeps the limits follows without a search: at every frequency |S| <= M and |T| <= M
are quadratics in K, each forbidding one interval (k1, k2). What is left between the intervals of all frequencies (and
of all plants of a set) is allowed. Ti and Td are then searched. After Astrom, Panagopoulos & Hagglund, "Design of PI
controllers based on non-convex optimization", Automatica 34:585 (1998), and MIGO (2006), with IAE in place of -ki.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from linecontrol.control.forms import IsaGains
from linecontrol.control.tuning.closed_loop import load_iae
from linecontrol.control.tuning.models import ComplexArray, FloatArray, Plant
from linecontrol.control.tuning.robustness import (
    FINE,
    controller,
    frequencies,
    is_stable,
    search_frequencies,
    worst_margins,
)

Structure = Literal["pi", "pid"]
SEARCH_POINTS = 1024  # of the response, while searching
MISSED = 1.05  # IAE with the gain that all frequencies allow, over that of the search: above it, one was missed
CALMEST = 1.05  # lowest peak that is tried for the sake of doubtful plants
CALMING = 6  # peaks tried


@dataclass(frozen=True, slots=True)
class Limits:
    """What the loop must keep. Raises ValueError when a limit is not above 1.

    Attributes:
        peak: max(Ms, Mt) on the plant itself, > 1; 1.4 is calm, 1.7 quick. The default leaves room below 1.5 for
            what no model of this kind sees (more lags than it has).
        worst_peak: the same on every plant of the set that agrees with the test; at least ``peak``.
        hf_gain: largest |K|(1 + N), the gain from PV noise to output [output unit / PV unit]; inf = no limit.
    """

    peak: float = 1.37
    worst_peak: float = 1.45
    hf_gain: float = math.inf

    def __post_init__(self) -> None:
        if not 1.0 < self.peak < math.inf:
            raise ValueError(f"peak {self.peak!r} is not accepted (accepted: above 1, finite)")
        if not self.peak <= self.worst_peak < math.inf:
            raise ValueError(f"worst_peak {self.worst_peak!r} is not accepted (accepted: at least peak {self.peak:g})")
        if not self.hf_gain > 0.0:
            raise ValueError(f"hf_gain {self.hf_gain!r} is not accepted (accepted: above 0)")


def _forbidden(f: ComplexArray, peak: float) -> tuple[FloatArray, FloatArray]:
    """Intervals of K > 0 in which 1 + K f breaks Ms or Mt <= peak, for f = G C/K at each frequency."""
    size2, m2 = np.abs(f) ** 2, peak * peak
    low, high = [], []
    for a, b, c in (
        (size2, 2.0 * f.real, np.full(f.shape, 1.0 - 1.0 / m2)),
        ((m2 - 1.0) * size2, 2.0 * m2 * f.real, np.full(f.shape, m2)),
    ):
        inside = b * b - 4.0 * a * c
        cut = (inside > 0.0) & (b < 0.0)
        root = np.sqrt(inside[cut])
        low.append(2.0 * c[cut] / (-b[cut] + root))  # not (-b - root)/2a: no digits are lost for small f
        high.append((-b[cut] + root) / (2.0 * a[cut]))
    return np.concatenate(low), np.concatenate(high)


def _gaps(low: FloatArray, high: FloatArray) -> list[float]:
    """Upper ends of what is allowed between the intervals, largest first."""
    order = np.argsort(low)
    low, reach = low[order], np.maximum.accumulate(high[order])
    # Neighbouring frequencies overlap; a gap must be wide enough not to be the grid's.
    apart = np.flatnonzero(low[1:] > reach[:-1] * 1.002) + 1
    return [float(low[n]) for n in apart[::-1]] + [float(low[0])]


class Search:
    """The largest gain and its IAE for given times, on one plant or on a set of plants.

    Args:
        plants: the first is the nominal one, which the IAE is taken on and ``limits.peak`` holds for;
            ``limits.worst_peak`` holds for all of them.
    """

    def __init__(
        self, plants: Sequence[Plant], limits: Limits, n: float, period_s: float, *, fine: bool = False
    ) -> None:
        self.plants, self.limits, self.n, self.period_s = plants, limits, n, period_s
        scale_s = plants[0].scale_s
        self.w = frequencies(scale_s, FINE) if fine else search_frequencies(scale_s)
        self.s: ComplexArray = np.asarray(1j * self.w, dtype=np.complex128)
        hold = np.exp(-0.5 * period_s * self.s)
        self.g = np.array([plant.transfer(self.s) * hold for plant in plants])
        self.sign = math.copysign(1.0, plants[0].gain)

    def largest(self, ti_s: float, td_s: float) -> IsaGains | None:
        """The gains with the largest K that keeps all limits; None when no K does."""
        shape = IsaGains(self.sign, ti_s, td_s, self.n)
        f = self.g * controller(shape, self.s)
        low, high = _forbidden(f[0], self.limits.peak)
        if len(f) > 1:
            more_low, more_high = _forbidden(f[1:], self.limits.worst_peak)
            low, high = np.concatenate((low, more_low)), np.concatenate((high, more_high))
        roof = self.limits.hf_gain / (1.0 + (self.n if td_s > 0.0 else 0.0))
        if len(low) == 0:  # nothing but noise limits the gain
            return replace(shape, k=self.sign * roof) if roof < math.inf else None
        for k in _gaps(low, high):
            if k > roof:
                if np.any((low < roof) & (high > roof)):
                    continue
                k = roof
            if k > 0.0 and self._stable(f, k):
                return replace(shape, k=self.sign * k)
        return None

    def _stable(self, f: ComplexArray, k: float) -> bool:
        return all(is_stable(row, 1 + int(plant.integrating)) for row, plant in zip(k * f, self.plants, strict=True))

    def cost(self, ti_s: float, td_s: float) -> float:
        """IAE of the largest gain; inf when there is none."""
        gains = self.largest(ti_s, td_s)
        if gains is None:
            return math.inf
        iae = load_iae(self.plants[0], gains, period_s=self.period_s, points=SEARCH_POINTS)
        return iae if math.isfinite(iae) else math.inf


def best_gains(
    plants: Sequence[Plant],
    limits: Limits | None = None,
    *,
    structure: Structure = "pid",
    n: float = 8.0,
    period_s: float = 0.0,
    b: float = 1.0,
    near: IsaGains | None = None,
) -> IsaGains:
    """Gains of least IAE after a load step, within the limits on every plant.

    Args:
        plants: the nominal plant first, then others that are possible too; gains all of one sign.
        n: derivative filter ratio Td/Tf, > 0. period_s: sample time [s] of the loop, half of it counts as delay.
        b: set-point weight to carry, 0..1. near: gains of a search with other limits, to start from.

    Raises ValueError when no gains keep the limits, naming them.
    """
    limits = Limits() if limits is None else limits
    if not plants:
        raise ValueError("no plants were given, so that there is nothing to tune for")
    if len({plant.gain > 0.0 for plant in plants}) > 1:
        raise ValueError("the plants' gains differ in sign, so that no one sign of K is right for all")
    quick = Search(plants, limits, n, period_s)
    for search, begin in ((quick, near), (quick, None), (Search(plants, limits, n, period_s, fine=True), None)):
        ti_s, td_s = _searched(search, structure, begin)
        gains = _on_fine_grid(search, ti_s, td_s)
        if search is not quick or _iae(search, gains) <= MISSED * search.cost(ti_s, td_s):
            break  # otherwise a narrow peak was missed between the quick search's frequencies
    return replace(gains, b=b)


def _iae(search: Search, gains: IsaGains) -> float:
    return load_iae(search.plants[0], gains, period_s=search.period_s, points=SEARCH_POINTS)


def _searched(search: Search, structure: Structure, near: IsaGains | None) -> tuple[float, float]:
    """Ti and Td of least IAE: from ``near`` on, otherwise from the best of a grid. Raises ValueError."""
    plants, limits = search.plants, search.limits
    if near is not None and math.isfinite(search.cost(near.ti_s, near.td_s)):
        return _polish(search, near.ti_s, near.td_s, structure)
    scale = plants[0].scale_s
    grid = [(ti, 0.0) for ti in np.geomspace(0.05, 20.0, 12) * scale]
    if structure == "pid":
        grid = [(float(ti), float(ti) * r) for ti, _ in grid for r in (0.0, 0.06, 0.15, 0.3, 0.45)]
    starts = sorted(((search.cost(ti, td), ti, td) for ti, td in grid), key=lambda row: row[0])
    if not math.isfinite(starts[0][0]):
        raise ValueError(
            f"no {structure.upper()} gains keep max(Ms, Mt) <= {limits.peak:g} and {limits.worst_peak:g} on all of"
            f" {len(plants)} plants; accepted: higher limits, or a test that leaves less doubt"
        )
    return _polish(search, starts[0][1], starts[0][2], structure)


def calm_gains(
    plants: Sequence[Plant], limits: Limits, *, structure: Structure = "pid", n: float = 8.0
) -> IsaGains | None:
    """The best gains for the first plant alone, at the highest peak up to ``limits.peak`` at which they keep
    ``limits.worst_peak`` on all; None when no peak down to ``CALMEST`` does.

    Unlike ``best_gains`` on all plants it stays on the curve of best gains of the likeliest plant. On the true plant
    that gives less IAE for the same peak: the plants on the border of what agrees with a test pull Ti and Td about.
    """
    low, high = CALMEST, limits.peak
    kept, last, peak = None, None, high
    for _ in range(CALMING):
        alone = replace(limits, peak=peak, worst_peak=peak)
        try:
            last = best_gains(plants[:1], alone, structure=structure, n=n, near=last)
        except ValueError:
            return kept
        if worst_margins(plants, last).worst <= 1.005 * limits.worst_peak:
            kept, low = last, peak
            if peak == limits.peak:
                break
        else:
            high = peak
        peak = 1.0 + math.sqrt((low - 1.0) * (high - 1.0))
    return kept


def _on_fine_grid(search: Search, ti_s: float, td_s: float) -> IsaGains:
    """The gain once more: with much delay and derivative the peaks are narrow, and fall between a search's frequencies.

    Where Ms and Mt both bind, what is allowed between them may close by a hair; then the limits give by that hair.
    """
    limits = search.limits
    for slack in (1.0, 1.002, 1.005, 1.009):
        eased = replace(limits, peak=limits.peak * slack, worst_peak=limits.worst_peak * slack)
        gains = Search(search.plants, eased, search.n, search.period_s, fine=True).largest(ti_s, td_s)
        if gains is not None:
            return gains
    raise ValueError(f"no gains keep max(Ms, Mt) <= {limits.peak:g} between the frequencies searched")


def _polish(search: Search, ti_s: float, td_s: float, structure: Structure) -> tuple[float, float]:
    """Nelder-Mead from the best of the grid, in log Ti and Td/Ti (0 to 1/2)."""
    from scipy.optimize import minimize

    def times(x: FloatArray) -> tuple[float, float]:
        share = min(max(float(x[1]), 0.0), 0.5) if structure == "pid" else 0.0
        return math.exp(float(x[0])), math.exp(float(x[0])) * share

    first = np.array([math.log(ti_s), td_s / ti_s] if structure == "pid" else [math.log(ti_s)])
    size = np.diag([0.3, 0.08][: len(first)])
    simplex = np.vstack((first, first + size))
    found = minimize(  # type: ignore[call-overload]  # its stubs know no initial_simplex
        lambda x: search.cost(*times(x)),
        first,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 2e-3, "fatol": math.inf, "maxfev": 120, "maxiter": 120},
    )
    return times(found.x)
