"""Do new gains serve a loop worse than the old ones did? Judged from how it behaves, not from any model. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from linecontrol.control.tuning.rest import half_cycles

GROWS = 1.15  # a half-cycle over the one before it
LASTING = 0.7  # the last half-cycles over the largest one
GROWING_CYCLES, LASTING_CYCLES = 4, 6
LARGER = 3.0  # error, root mean square, over what it was before
WINDOW = 30  # samples, at least, of what is compared
AT_LIMIT, AT_LIMIT_BEFORE = 0.5, 0.1  # shares of the window
AT_RATE, AT_RATE_BEFORE = 0.6, 0.2
SWINGS_THROUGH = 3  # changes from one limit to the other


class Point(NamedTuple):
    """One tick of a loop in control.

    Attributes:
        t_s: time [s]. sp, pv: working set point and PV [PV unit]. high, low, rate: that limit held the output.
    """

    t_s: float
    sp: float
    pv: float
    high: bool = False
    low: bool = False
    rate: bool = False


def usual_error(points: Sequence[Point]) -> float:
    """A robust root mean square of the error [PV unit]: set-point steps in it hardly count. NaN without points."""
    if not points:
        return math.nan
    return 1.4826 * float(np.median(np.abs([p.pv - p.sp for p in points])))


def why_take_back(
    before: Sequence[Point], after: Sequence[Point], *, floor: float, ti_s: float, period_s: float = 1.0
) -> str:
    """Why the new gains should be taken back; "" = no reason is seen (yet).

    Args:
        before, after: points in control with the old and the new gains, oldest first.
        floor: errors up to this are never held against the gains [PV unit], > 0: noise, and a part of the span.
        ti_s: the larger integral time of both [s]. period_s: of the loop [s].
    """
    t, e = [p.t_s for p in after], [p.pv - p.sp for p in after]
    old = usual_error(before)
    band = max(floor, 3.0 * old) if old == old else floor
    cycles = half_cycles(t, e, band)
    sizes = [size for _, size in cycles]
    if growing := _growing(sizes):
        return growing
    if lasting := _lasting(cycles, band):
        return lasting
    if through := _swings_through(after):
        return through
    quiet = _since_set_point_rested(after, 5.0 * ti_s)
    window = quiet[-max(WINDOW, math.ceil(2.0 * ti_s / period_s)) :]
    if len(window) < WINDOW:
        return ""
    return _limited(before, window) or _larger(window, old, floor)


def _growing(sizes: Sequence[float]) -> str:
    last = sizes[-GROWING_CYCLES:]
    if len(last) < GROWING_CYCLES or not all(b >= GROWS * a for a, b in pairwise(last)):
        return ""
    return f"an oscillation grows: {', '.join(f'{size:.3g}' for size in last)} from swing to swing"


def _lasting(cycles: Sequence[tuple[float, float]], band: float) -> str:
    last = cycles[-LASTING_CYCLES:]
    if len(last) < LASTING_CYCLES:
        return ""
    sizes = [size for _, size in last]
    largest = max(size for _, size in cycles)
    if min(sizes) < LASTING * largest or min(sizes) < 1.5 * band:
        return ""
    period = 2.0 * (last[-1][0] - last[0][0]) / (len(last) - 1)
    return f"it oscillates and does not calm down: +-{float(np.median(sizes)):.3g}, about every {period:.3g} s"


def _swings_through(after: Sequence[Point]) -> str:
    ends = [1 if p.high else -1 for p in after if p.high or p.low]
    changes = sum(a != b for a, b in pairwise(ends))
    return f"the output went from one limit to the other {changes} times" if changes >= SWINGS_THROUGH else ""


def _since_set_point_rested(after: Sequence[Point], settle_s: float) -> Sequence[Point]:
    """Points since the set point last moved, less the time an answer to that may take."""
    moved = max((n for n in range(1, len(after)) if after[n].sp != after[n - 1].sp), default=None)
    if moved is None:
        return after
    return [p for p in after[moved:] if p.t_s - after[moved].t_s > settle_s]


def _limited(before: Sequence[Point], window: Sequence[Point]) -> str:
    def share(points: Sequence[Point], *names: str) -> float:
        return sum(any(getattr(p, name) for name in names) for p in points) / len(points) if points else 0.0

    now, was = share(window, "high", "low"), share(before, "high", "low")
    if now >= AT_LIMIT and was < AT_LIMIT_BEFORE:
        return f"the output was at its limit for {now:.0%} of the time (before: {was:.0%})"
    now, was = share(window, "rate"), share(before, "rate")
    if now >= AT_RATE and was < AT_RATE_BEFORE:
        return f"the output ran at its rate limit for {now:.0%} of the time (before: {was:.0%})"
    return ""


def _larger(window: Sequence[Point], old: float, floor: float) -> str:
    now = math.sqrt(sum((p.pv - p.sp) ** 2 for p in window) / len(window))
    was = max(old, floor) if old == old else floor
    if now <= LARGER * was:
        return ""
    return f"the error (root mean square) is {now:.3g}, {now / was:.3g} times what it was"
