"""Water activity of starch powder from its moisture and temperature, with what is not known about it. Pure.

GAB form: X = Xm C u / ((1 - u)(1 - u + C u)), u = K aw; Xm, C and K after Arrhenius about 25 °C. The parameters are
engineering values for root starch, not fitted to kudzu: corn and wheat flour lie at Xm = 0.060, which is the low end of
what is taken as possible here. Moisture alone never says that powder keeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

R_J_MOL_K = 8.314
HIGHEST = 0.95  # the GAB form holds up to here


@dataclass(frozen=True, slots=True)
class Isotherm:
    """GAB constants at 25 °C and their heats [J/mol]; ``monolayer_low``, ``monolayer_high``: between them Xm lies."""

    monolayer_db: float = 0.088
    c: float = 15.0
    k: float = 0.72
    monolayer_heat_j_mol: float = 4500.0
    c_heat_j_mol: float = 4000.0
    k_heat_j_mol: float = -300.0
    monolayer_low: float = 0.060
    monolayer_high: float = 0.095

    def activity(self, moisture_db: float, temp_c: float) -> float:
        """Water activity (0..0.95) at a moisture [kg/kg dry], >= 0."""
        inverse = (1.0 / (min(max(temp_c, -20.0), 120.0) + 273.15) - 1.0 / 298.15) / R_J_MOL_K
        monolayer = self.monolayer_db * math.exp(self.monolayer_heat_j_mol * inverse)
        c = self.c * math.exp(self.c_heat_j_mol * inverse)
        k = self.k * math.exp(self.k_heat_j_mol * inverse)
        if moisture_db <= 0.0:
            return 0.0
        a = moisture_db * (1.0 - c)
        b = moisture_db * (c - 2.0) - monolayer * c
        root = 2.0 * moisture_db / (-b + math.sqrt(b * b - 4.0 * a * moisture_db))
        return min(max(root / k, 0.0), HIGHEST)


class Activity(NamedTuple):
    """Water activity with the range it may lie in (about 95 %)."""

    value: float
    low: float
    high: float


def water_activity(isotherm: Isotherm, moisture_pct_wb: float, temp_c: float, moisture_u: float = 0.0) -> Activity:
    """Of powder at a moisture [% wb] known to ``moisture_u`` (k = 1) and a temperature.

    The range takes both ends of the isotherm's monolayer and two uncertainties of the moisture together, so it is wide:
    the isotherm of kudzu has not been measured.
    """

    def at(pct: float, monolayer_db: float) -> float:
        pct = min(max(pct, 0.0), 60.0)
        return replace(isotherm, monolayer_db=monolayer_db).activity(pct / (100.0 - pct), temp_c)

    return Activity(
        at(moisture_pct_wb, isotherm.monolayer_db),
        at(moisture_pct_wb - 2.0 * moisture_u, isotherm.monolayer_high),
        at(moisture_pct_wb + 2.0 * moisture_u, isotherm.monolayer_low),
    )
