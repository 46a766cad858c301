"""Control charts of single runs: I-MR, EWMA, CUSUM. Which runs are not like the others, and since when. Pure.

Limits come from a baseline (the first runs, or all); the spread from moving ranges, which a slow drift does not widen.
Constants of two-point ranges are exact: d2 = 2/sqrt(pi), D4 = 1 + 3 sqrt(pi/2 - 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linecontrol.analysis.statistics.groups import plain

Floats = NDArray[np.float64]
LEAST_BASELINE = 8
D2 = 2.0 / math.sqrt(math.pi)
D4 = 1.0 + 3.0 * math.sqrt(math.pi / 2.0 - 1.0)
EWMA_WEIGHT, EWMA_REACH = 0.2, 2.962
"""Lambda and L: in control one false signal in some 500 runs (Lucas & Saccucci 1990, table 3)."""
CUSUM_SLACK, CUSUM_LIMIT = 0.5, 5.0
"""k and h in standard deviations: one false signal in some 465 runs (Montgomery 2013, section 9.1)."""

RULES: dict[str, str] = {
    "1": "one run beyond 3 sigma",
    "2": "nine in a row on one side of the centre",
    "3": "six in a row rising, or falling",
    "4": "fourteen in a row going up and down in turn",
    "5": "two of three beyond 2 sigma on one side",
    "6": "four of five beyond 1 sigma on one side",
    "7": "fifteen in a row within 1 sigma",
    "8": "eight in a row outside 1 sigma, on both sides",
    "MR": "moving range beyond its limit",
    "EWMA": "weighted mean beyond its limit",
    "CUSUM": "sum of deviations beyond its limit",
}
"""Nelson 1984 by number; 1, 5, 6 and 2 (with eight in a row) are the Western Electric rules."""
WESTERN_ELECTRIC = ("1", "5", "6", "2")
DEFAULT_RULES = WESTERN_ELECTRIC
NELSON = ("1", "2", "3", "4", "5", "6", "7", "8")


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that chance alone seldom does, complete at run ``index`` (from 0). ``side``: +1 high, -1 low, 0."""

    index: int
    rule: str
    side: int = 0

    @property
    def text(self) -> str:
        return RULES[self.rule]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart over the runs; arrays are (n_runs,), NaN where there is no point.

    Attributes:
        kind: I, MR, EWMA or CUSUM. lower, upper: limits at each run. also: the lower CUSUM, drawn downwards.
    """

    kind: str
    points: Floats
    centre: float
    lower: Floats
    upper: Floats
    signals: tuple[Signal, ...] = ()
    also: Floats | None = None

    def to_dict(self) -> dict[str, Any]:
        found = {
            "kind": self.kind,
            "points": [plain(float(v)) for v in self.points],
            "centre": plain(self.centre),
            "lower": [plain(float(v)) for v in self.lower],
            "upper": [plain(float(v)) for v in self.upper],
            "signals": [{"index": s.index, "rule": s.rule, "side": s.side, "text": s.text} for s in self.signals],
        }
        return found | ({} if self.also is None else {"also": [plain(float(v)) for v in self.also]})


@dataclass(frozen=True, slots=True)
class ControlCharts:
    """All charts of one figure. ``sigma``: short-term standard deviation, from moving ranges."""

    centre: float
    sigma: float
    baseline: int
    charts: dict[str, Chart] = field(default_factory=dict)

    @property
    def signals(self) -> list[Signal]:
        return sorted((s for chart in self.charts.values() for s in chart.signals), key=lambda s: s.index)

    def to_dict(self) -> dict[str, Any]:
        return {
            "centre": plain(self.centre),
            "sigma": plain(self.sigma),
            "baseline": self.baseline,
            "charts": {name: chart.to_dict() for name, chart in self.charts.items()},
        }


def control_charts(
    values: Sequence[float], *, baseline: int | None = None, rules: Sequence[str] = DEFAULT_RULES
) -> ControlCharts:
    """Charts over runs in order of time.

    Args:
        values: one of each run, NaN where it has none. baseline: how many runs the limits are made of; None = all.
        rules: of the chart of single values; the others have one each.
    Raises ValueError for fewer than 8 runs in the baseline, no spread in it, or a rule that is none.
    """
    unknown = [rule for rule in rules if rule not in NELSON]
    if unknown:
        raise ValueError(f"there is no rule {unknown[0]!r} (accepted: {', '.join(NELSON)})")
    y = np.asarray(values, dtype=np.float64)
    first = y[: len(y) if baseline is None else baseline]
    known = first[np.isfinite(first)]
    if len(known) < LEAST_BASELINE:
        raise ValueError(f"limits need {LEAST_BASELINE} runs that have the figure (found {len(known)})")
    ranges = np.abs(np.diff(known))
    mean_range, centre = float(ranges.mean()), float(known.mean())
    sigma = mean_range / D2
    if sigma == 0.0:
        raise ValueError("the runs that the limits are made of do not differ at all")
    charts = {
        "I": _individuals(y, centre, sigma, rules),
        "MR": _moving_ranges(y, mean_range),
        "EWMA": _ewma(y, centre, sigma),
        "CUSUM": _cusum(y, centre, sigma),
    }
    return ControlCharts(centre, sigma, len(known), charts)


def _level(y: Floats, value: float) -> Floats:
    return np.full(len(y), value)


def _individuals(y: Floats, centre: float, sigma: float, rules: Sequence[str]) -> Chart:
    lower, upper = _level(y, centre - 3.0 * sigma), _level(y, centre + 3.0 * sigma)
    signals = [s for rule in rules for s in _rule_signals(rule, (y - centre) / sigma)]
    return Chart("I", y, centre, lower, upper, tuple(sorted(signals, key=lambda s: s.index)))


def _moving_ranges(y: Floats, mean_range: float) -> Chart:
    found = np.concatenate(([math.nan], np.abs(np.diff(y)))) if len(y) else y
    limit = D4 * mean_range
    signals = tuple(Signal(int(i), "MR", 1) for i in np.flatnonzero(found > limit))
    return Chart("MR", found, mean_range, _level(y, 0.0), _level(y, limit), signals)


def _ewma(y: Floats, centre: float, sigma: float) -> Chart:
    z, steps = centre, 0
    points, half = np.full(len(y), math.nan), np.full(len(y), math.nan)
    for i, value in enumerate(y):
        if math.isfinite(value):
            z += EWMA_WEIGHT * (float(value) - z)
            steps += 1
            points[i] = z
        share = EWMA_WEIGHT / (2.0 - EWMA_WEIGHT) * (1.0 - (1.0 - EWMA_WEIGHT) ** (2 * max(1, steps)))
        half[i] = EWMA_REACH * sigma * math.sqrt(share)
    out = np.flatnonzero(np.abs(points - centre) > half)
    signals = tuple(Signal(int(i), "EWMA", int(np.sign(points[i] - centre))) for i in out)
    return Chart("EWMA", points, centre, centre - half, centre + half, signals)


def _cusum(y: Floats, centre: float, sigma: float) -> Chart:
    high = low = 0.0
    up, down = np.full(len(y), math.nan), np.full(len(y), math.nan)
    for i, value in enumerate(y):
        if math.isfinite(value):
            z = (float(value) - centre) / sigma
            high, low = max(0.0, high + z - CUSUM_SLACK), max(0.0, low - z - CUSUM_SLACK)
            up[i], down[i] = high, low
    signals = [Signal(int(i), "CUSUM", 1) for i in np.flatnonzero(up > CUSUM_LIMIT)]
    signals += [Signal(int(i), "CUSUM", -1) for i in np.flatnonzero(down > CUSUM_LIMIT)]
    signals.sort(key=lambda s: s.index)
    return Chart("CUSUM", up, 0.0, _level(y, -CUSUM_LIMIT), _level(y, CUSUM_LIMIT), tuple(signals), -down)


# -- rules on standardised values
def _run(z: Floats, length: int, is_one: Callable[[Floats], bool]) -> list[int]:
    """Ends of windows of this length, without gaps, of which the claim holds."""
    found = []
    for end in range(length - 1, len(z)):
        window = z[end - length + 1 : end + 1]
        if np.all(np.isfinite(window)) and is_one(window):
            found.append(end)
    return found


def _share(z: Floats, length: int, count: int, limit: float, rule: str) -> list[Signal]:
    """``count`` of ``length`` beyond the limit on one side, the last of them among them."""
    found = []
    for side in (1, -1):

        def beyond(window: Floats, side: int = side) -> bool:
            return bool(side * window[-1] > limit and (side * window > limit).sum() >= count)

        found += [Signal(end, rule, side) for end in _run(z, length, beyond)]
    return found


def _rule_signals(rule: str, z: Floats) -> list[Signal]:
    if rule == "1":
        return [Signal(int(i), rule, int(np.sign(z[i]))) for i in np.flatnonzero(np.abs(z) > 3.0)]
    if rule == "2":
        return _share(z, 9, 9, 0.0, rule)
    if rule == "5":
        return _share(z, 3, 2, 2.0, rule)
    if rule == "6":
        return _share(z, 5, 4, 1.0, rule)
    claims: dict[str, tuple[int, Callable[[Floats], bool]]] = {
        "3": (6, lambda w: bool(np.all(np.diff(w) > 0.0) or np.all(np.diff(w) < 0.0))),
        "4": (14, lambda w: bool(np.all(np.diff(w)[1:] * np.diff(w)[:-1] < 0.0))),
        "7": (15, lambda w: bool(np.all(np.abs(w) < 1.0))),
        "8": (8, lambda w: bool(np.all(np.abs(w) > 1.0) and w.min() < 0.0 < w.max())),
    }
    length, claim = claims[rule]
    return [Signal(end, rule) for end in _run(z, length, claim)]
