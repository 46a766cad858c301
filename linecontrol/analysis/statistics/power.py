"""How many runs it takes to see a difference, and which difference so many runs can show. Pure.

Two-sided t tests, their power by the noncentral t distribution. ``paired``: both ways are tried on every lot, and
``sd`` is that of the differences within a lot; otherwise ``sd`` is that of single runs of one way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from linecontrol.analysis.statistics.groups import plain

MOST_RUNS = 100_000


@dataclass(frozen=True, slots=True)
class Needed:
    """Runs it takes.

    Attributes:
        each: runs of each way (paired: lots, each run both ways). power: with so many, the chance to see it.
        low, high: ``each`` for the ends of the 95 % interval of ``sd``; equal to ``each`` where that is not known.
    """

    each: int
    power: float
    low: int
    high: int

    def to_dict(self) -> dict[str, Any]:
        return {"each": self.each, "power": plain(self.power), "low": self.low, "high": self.high}


def power_of(difference: float, sd: float, n: int, *, paired: bool = False, alpha: float = 0.05) -> float:
    """Chance to see a true ``difference`` with ``n`` runs of each way (paired: n lots). 0..1."""
    from scipy.stats import nct
    from scipy.stats import t as student

    if n < 2 or not sd > 0.0:
        raise ValueError(f"needs at least 2 runs of each way and a spread above 0 (given {n} and {sd:g})")
    df = n - 1 if paired else 2 * n - 2
    shift = abs(difference) / sd * math.sqrt(n if paired else n / 2.0)
    if shift > 37.0:  # the noncentral t gives no numbers there, and there is nothing left to know
        return 1.0
    limit = float(student.ppf(1.0 - alpha / 2.0, df))
    other_side = float(nct.cdf(-limit, df, shift))
    return float(nct.sf(limit, df, shift)) + (other_side if math.isfinite(other_side) else 0.0)  # NaN: far below 1e-12


def runs_needed(
    difference: float,
    sd: float,
    *,
    power: float = 0.8,
    paired: bool = False,
    alpha: float = 0.05,
    sd_df: int | None = None,
) -> Needed:
    """Fewest runs of each way that show ``difference`` with this ``power``.

    ``sd_df``: degrees of freedom on which ``sd`` stands; what it leaves open is told by ``low`` and ``high``.
    Raises ValueError where it would take more than 100,000.
    """
    if not difference or not math.isfinite(difference):
        raise ValueError("needs a difference other than 0")
    if not 0.0 < alpha < power < 1.0:
        raise ValueError(f"power lies between alpha and 1 (given {power:g} and {alpha:g})")
    each = _fewest(difference, sd, power, paired, alpha)
    low, high = each, each
    if sd_df is not None and sd_df > 0:
        from scipy.stats import chi2

        ends = [sd * math.sqrt(sd_df / float(chi2.ppf(q, sd_df))) for q in (0.975, 0.025)]
        low, high = (_fewest(difference, end, power, paired, alpha) for end in ends)
    return Needed(each, power_of(difference, sd, each, paired=paired, alpha=alpha), low, high)


def _fewest(difference: float, sd: float, power: float, paired: bool, alpha: float) -> int:
    low, high = 1, 2
    while power_of(difference, sd, high, paired=paired, alpha=alpha) < power:
        low, high = high, high * 2
        if high > MOST_RUNS:
            raise ValueError(f"a difference of {difference:g} at a spread of {sd:g} takes more than {MOST_RUNS} runs")
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(difference, sd, middle, paired=paired, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high


def detectable(sd: float, n: int, *, power: float = 0.8, paired: bool = False, alpha: float = 0.05) -> float:
    """Smallest true difference that ``n`` runs of each way show with this ``power``."""
    from scipy.optimize import brentq

    def short(shift: float) -> float:
        return power_of(shift * sd, sd, n, paired=paired, alpha=alpha) - power

    most = 1.0
    while short(most) < 0.0:
        most *= 2.0
    return float(brentq(short, 0.0, most, xtol=1e-9)) * sd
