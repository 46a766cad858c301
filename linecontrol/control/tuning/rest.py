"""Is a process at rest? Noise, drift and swings of a short stretch of samples. Pure arrays in, figures out."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np

from linecontrol.control.tuning.models import FloatArray
from linecontrol.control.tuning.record import Numbers

FEWEST_AT_REST = 15  # samples
LOUDEST = 0.2  # noise's standard deviation over the PV's room; above, a test would mostly see noise
MOST_DRIFT = 0.3  # of the PV's room, over the stretch that was watched
SWING_SDS = 3.0  # a swing counts from this many standard deviations of the fast noise on
FEWEST_SWINGS = 3  # half-cycles in a row


@dataclass(frozen=True, slots=True)
class Rest:
    """What was seen.

    Attributes:
        mean: of the PV [PV unit]. noise_sd: standard deviation about its straight line [PV unit].
        drift_per_s: slope of that line [PV unit/s]. span_s: how long it was watched [s].
        swings: half-cycles in a row. period_s: of the swings [s], NaN when there are none. swing: their size, half
            peak to peak [PV unit].
    """

    mean: float
    noise_sd: float
    drift_per_s: float
    span_s: float
    swings: int
    period_s: float
    swing: float


def half_cycles(t_s: Numbers, e: Numbers, band: float) -> list[tuple[float, float]]:
    """Excursions of ``e`` beyond +-``band`` that alternate in sign: (time of the extreme [s], size) of each.

    Time spent within the band does not end an excursion; only the other side does.
    """
    found: list[tuple[float, float]] = []
    sign = 0
    for at, value in zip(t_s, e, strict=True):
        size = abs(value)
        if not size > band:
            continue
        side = 1 if value > 0.0 else -1
        if side != sign:
            found.append((float(at), float(size)))
            sign = side
        elif size > found[-1][1]:
            found[-1] = (float(at), float(size))
    return found


def watch_rest(t_s: Numbers, y: Numbers) -> Rest:
    """Figures of a stretch. Raises ValueError for fewer than ``FEWEST_AT_REST`` samples or one that is not finite."""
    t, pv = np.asarray(t_s, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(t) < FEWEST_AT_REST or not np.all(np.isfinite(pv)):
        raise ValueError(f"{len(t)} samples are not accepted (accepted: {FEWEST_AT_REST} or more, all finite)")
    middle = t - np.mean(t)
    slope = float(np.dot(middle, pv) / np.dot(middle, middle))
    rest: FloatArray = pv - np.mean(pv) - slope * middle
    fast = float(np.std(np.diff(rest))) / np.sqrt(2.0)  # what is left of slow swings in it is small
    swings = half_cycles(t, rest, SWING_SDS * fast) if fast > 0.0 else []
    # The first and last excursion are cut off by the stretch's ends; the size is that of the rest
    sizes = [size for _, size in swings]
    regular = len(swings) >= FEWEST_SWINGS
    period = 2.0 * (swings[-1][0] - swings[0][0]) / (len(swings) - 1) if regular else float("nan")
    return Rest(
        mean=float(np.mean(pv)),
        noise_sd=float(np.sqrt(np.sum(rest**2) / (len(t) - 2))),
        drift_per_s=slope,
        span_s=float(t[-1] - t[0]),
        swings=len(swings) if regular else 0,
        period_s=period,
        swing=float(np.median(sizes)) if regular else 0.0,
    )


def why_not_at_rest(rest: Rest, room: float, *, ramps: bool) -> str:
    """Why a test should not begin; "" = it may.

    Args:
        room: how far the PV may go from where it is [PV unit], > 0.
        ramps: the test bears a drift (a doublet), so that twice as much of it is accepted.
    """
    if rest.swings and isfinite(rest.period_s) and rest.swing > LOUDEST * room:
        return (
            f"the PV oscillates (about {rest.period_s:.3g} s, +-{rest.swing:.3g}): put the loop in Man with the output"
            " in the middle of its swing, wait until the PV is at rest, and start again"
        )
    if rest.noise_sd > LOUDEST * room:
        return (
            f"the PV's noise ({rest.noise_sd:.3g}, standard deviation) is too large for a PV limit of +-{room:.3g}"
            f" (accepted: up to {LOUDEST:.0%} of it); allow +-{rest.noise_sd / LOUDEST * 1.5:.3g} or calm the process"
        )
    most = MOST_DRIFT * (2.0 if ramps else 1.0) * room
    drifted = abs(rest.drift_per_s) * rest.span_s
    if drifted > most:
        better = "wait until it is at rest" if ramps else "wait until it is at rest, or make a doublet"
        return (
            f"the PV is not steady: it drifted by {drifted:.3g} in {rest.span_s:.3g} s (accepted: {most:.3g}); {better}"
        )
    return ""
