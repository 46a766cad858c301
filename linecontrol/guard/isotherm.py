"""Water activity of starch powder from its moisture *and* temperature by the sorption isotherm, with what is not known
about it. Pure.

The isotherm is the largest doubt: none was measured for kudzu. So every answer carries an interval, and the verdict is
about the whole of it. Moisture alone never says that powder keeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

R_J_MOL_K = 8.314462618
T0_K = 298.15


@dataclass(frozen=True, slots=True)
class Isotherm:
    """GAB: ``X = xm c k a / ((1 - k a)(1 - k a + c k a))`` [kg/kg dry]; constants at 25 °C, and their Van 't Hoff
    enthalpies [J/mol]. ``xm_low``, ``xm_high``: between these the monolayer of this powder may lie."""

    xm: float
    c: float
    k: float
    xm_j_mol: float
    c_j_mol: float
    k_j_mol: float
    xm_low: float
    xm_high: float

    def activity(self, moisture_pct_wb: float, temp_c: float, xm: float | None = None) -> float:
        """Water activity [0..1] of powder at this moisture [% wb, 0..60] and temperature [°C]; NaN for NaN."""
        if math.isnan(moisture_pct_wb) or math.isnan(temp_c):
            return math.nan
        return self.activity_at(moisture_pct_wb, self.at(temp_c), xm)

    def at(self, temp_c: float) -> tuple[float, float, float]:
        """What a temperature [°C] makes of it: a factor on xm, then c and k; for who asks often at one temperature."""
        turn = (1.0 / (temp_c + 273.15) - 1.0 / T0_K) / R_J_MOL_K
        c, k = self.c * math.exp(self.c_j_mol * turn), self.k * math.exp(self.k_j_mol * turn)
        return math.exp(self.xm_j_mol * turn), c, k

    def activity_at(self, moisture_pct_wb: float, at: tuple[float, float, float], xm: float | None = None) -> float:
        """``activity`` at a temperature that ``at`` was asked of; no NaN."""
        share = min(max(moisture_pct_wb, 0.0), 60.0) / 100.0
        x = share / (1.0 - share)
        factor, c, k = at
        xm_t = (self.xm if xm is None else xm) * factor
        square = x * (c - 1.0) * k * k
        linear = xm_t * c * k - x * (c - 2.0) * k
        if square < 1e-12:
            return min(1.0, x / linear) if linear > 0.0 else 1.0
        return min(1.0, (-linear + math.sqrt(linear * linear + 4.0 * square * x)) / (2.0 * square))


class Outlook(StrEnum):
    """What can be said of the keeping of powder; there is no word for safe."""

    UNKNOWN = "unknown"  # moisture or temperature is not measured well
    ABOVE = "above"  # most likely above the limit of growth
    DOUBTFUL = "doubtful"  # the limit lies within what is not known
    BELOW = "below"  # below the limit with everything that is not known; a laboratory still has to confirm it


class Activity(NamedTuple):
    """Water activity at bagging, and the interval it may lie in (k = 2 of the meters, all isotherms that may be)."""

    value: float
    low: float
    high: float

    def outlook(self, limit: float) -> Outlook:
        """Against the water activity at which moulds begin to grow."""
        if math.isnan(self.value):
            return Outlook.UNKNOWN
        if self.value > limit:
            return Outlook.ABOVE
        return Outlook.DOUBTFUL if self.high > limit else Outlook.BELOW


def bag_activity(
    isotherm: Isotherm,
    moisture_pct_wb: float,
    temp_c: float,
    *,
    moisture_u: float,
    temp_u: float,
    store_high_c: float = -math.inf,
) -> Activity:
    """Water activity of powder in a bag, at the warmest that the bag or its store may be.

    Args:
        moisture_u, temp_u: standard uncertainties of moisture [% wb] and temperature [K].
        store_high_c: warmest the store may be [°C]: at constant moisture a warmer bag is the worse one. Without it,
            as the bag is.
    """
    if math.isnan(moisture_pct_wb) or math.isnan(temp_c):
        return Activity(math.nan, math.nan, math.nan)
    warm_c = max(temp_c, store_high_c)
    at, activity = isotherm.at(warm_c), isotherm.activity_at
    value = activity(moisture_pct_wb, at)
    by_moisture = activity(moisture_pct_wb + moisture_u, at) - value
    by_temp = activity(moisture_pct_wb, isotherm.at(warm_c + temp_u)) - value
    meters = 2.0 * math.hypot(by_moisture, by_temp)
    wet = activity(moisture_pct_wb, at, isotherm.xm_low)
    dry = activity(moisture_pct_wb, at, isotherm.xm_high)
    return Activity(value, max(0.0, min(dry, value) - meters), min(1.0, max(wet, value) + meters))
