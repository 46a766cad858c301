"""How high a set point may stand below a limit that must not be exceeded, from the spread that was measured. Pure.

    proposal = limit - (mean deviation + z(risk) * spread), never above what safety or the loop allows

Mean and spread of a record are only estimates, so the upper ends of their 95 % intervals count; neighbouring readings
are alike, so a record is worth fewer readings than it has. What the readings do not show (the meter's bias, the
estimator's own error) is added as variance. Tails heavier than normal widen it.

It proposes; who decides is a person.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

SURE = 0.95  # one-sided, of mean and of spread
LEAST_INDEPENDENT = 15.0
STEP = 0.05  # proposals are rounded down to this [PV unit]
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What no spread however small can lift the set point above [PV unit]. Raises ValueError.

    Attributes:
        limit: the critical limit. margin: kept below it in any case, > 0.
        sp_low, sp_high: limits of the loop's set point.
    """

    limit: float
    margin: float
    sp_low: float
    sp_high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and 0.0 < self.margin < math.inf and self.sp_low < self.sp_high):
            raise ValueError(f"{self} is not accepted (accepted: a finite limit, a margin above 0, sp_low < sp_high)")

    @property
    def most(self) -> float:
        return min(self.limit - self.margin, self.sp_high)


@dataclass(frozen=True, slots=True)
class Advice:
    """A proposal and what it stands on [PV unit].

    Attributes:
        set_point: proposed; at most ``Ceiling.most``, rounded down.
        back_off: distance from the limit that the risk asks for. bound_by: "risk", "margin", "loop" or "loop-low".
        mean, spread: of the deviations from the set point; mean_most, spread_most: upper ends of their intervals.
        unseen: standard deviation of what the readings do not show. tail: factor for heavy tails, >= 1.
        independent: independent readings the record is worth.
    """

    set_point: float
    back_off: float
    bound_by: str
    risk: float
    mean: float
    spread: float
    mean_most: float
    spread_most: float
    unseen: float
    tail: float
    independent: float


@dataclass(frozen=True, slots=True)
class NoAdvice:
    """Why nothing is proposed. False in a condition. ``code``: "risk", "few", "still"."""

    code: str
    reason: str

    def __bool__(self) -> bool:
        return False


def advise_set_point(deviations: Sequence[float], unseen: float, risk: float, ceiling: Ceiling) -> Advice | NoAdvice:
    """The highest set point whose risk of exceeding the limit is no more than asked for.

    Args:
        deviations: measured value minus working set point, evenly spaced in time, while the loop was in control
            [PV unit]; not finite ones are left out.
        unseen: standard deviation of what the measured value does not show: bias, estimator [PV unit], >= 0.
        risk: accepted share of time above the limit, 1e-6 to 0.05.
    """
    if not 1e-6 <= risk <= 0.05:
        return NoAdvice("risk", f"a risk of {risk:g} is not accepted (accepted: 0.000001 to 0.05 of the time)")
    if not 0.0 <= unseen < math.inf:
        return NoAdvice("still", "the uncertainty of the meter or the estimator is unknown")
    x = [value for value in deviations if math.isfinite(value)]
    independent = independent_count(x)
    if independent < LEAST_INDEPENDENT:
        return NoAdvice(
            "few",
            f"the {len(x)} readings in control are worth {independent:.0f} independent ones "
            f"(accepted: {LEAST_INDEPENDENT:.0f} or more); take a longer run",
        )
    mean = math.fsum(x) / len(x)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in x) / (len(x) - 1))
    z = _NORMAL.inv_cdf(SURE)
    mean_most = mean + z * spread / math.sqrt(independent)
    spread_most = spread * math.sqrt((independent - 1.0) / _chi2(1.0 - SURE, independent - 1.0))
    tail = _tail(sorted(x), mean, spread, independent)
    back_off = mean_most + _NORMAL.inv_cdf(1.0 - risk) * tail * math.hypot(spread_most, unseen)
    wanted, bound_by = ceiling.limit - back_off, "risk"
    if wanted > ceiling.most:
        wanted, bound_by = ceiling.most, "loop" if ceiling.sp_high <= ceiling.limit - ceiling.margin else "margin"
    set_point = math.floor(round(wanted / STEP, 6)) * STEP
    if set_point < ceiling.sp_low:
        set_point, bound_by = ceiling.sp_low, "loop-low"
    set_point = min(round(set_point, 4), ceiling.most)
    return Advice(set_point, back_off, bound_by, risk, mean, spread, mean_most, spread_most, unseen, tail, independent)


def independent_count(x: Sequence[float]) -> float:
    """Independent readings a record of alike neighbours is worth: n / (1 + 2 sum of the autocorrelation up to its
    first zero). 0 for fewer than three readings, or when all are the same."""
    n = len(x)
    if n < 3:
        return 0.0
    mean = math.fsum(x) / n
    centred = [value - mean for value in x]
    variance = math.fsum(value * value for value in centred)
    if variance <= 1e-18 * n:
        return 0.0
    total = 0.0
    for lag in range(1, n // 2):
        rho = math.fsum(a * b for a, b in zip(centred, centred[lag:], strict=False)) / variance
        if rho <= 0.0:
            break
        total += rho
    return n / (1.0 + 2.0 * total)


def _chi2(p: float, degrees: float) -> float:
    """Quantile of chi square (Wilson and Hilferty 1931); within 1 % for 10 degrees and more, 0.01 <= p <= 0.99."""
    h = 2.0 / (9.0 * degrees)
    return degrees * (1.0 - h + _NORMAL.inv_cdf(p) * math.sqrt(h)) ** 3


def _tail(x: Sequence[float], mean: float, spread: float, independent: float) -> float:
    """How much further out the upper readings lie than normal ones would, where the record can tell; at least 1.

    Args:
        x: sorted.
    """
    widest = 1.0
    for share in (0.05, 0.02, 0.01, 0.005):
        if share * independent < 2.0:
            break
        found = x[min(len(x) - 1, math.ceil((1.0 - share) * len(x)) - 1)]
        widest = max(widest, (found - mean) / (_NORMAL.inv_cdf(1.0 - share) * spread))
    return widest
