"""How long wet material has stood, and how far germs in it may have grown meanwhile. Pure.

Each vessel is mixed: what comes in fresh makes its mean age smaller, what stands grows older. Growth follows the
square-root law of Ratkowsky (1982), after a lag. It is an estimate to act on, not a count of germs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

_LN10 = math.log(10.0)
MOST_AGE_H = 1000.0


@dataclass(frozen=True, slots=True)
class Kinetics:
    """``sqrt(rate) = b (T - t_min_c)`` [1/h]; nothing grows before ``lag_h``, nor at or below ``t_min_c`` [°C]."""

    b: float
    t_min_c: float
    lag_h: float

    def log_per_h(self, temp_c: float) -> float:
        """Growth in powers of ten per hour at this temperature [°C]."""
        root = self.b * max(0.0, temp_c - self.t_min_c)
        return root * root / _LN10


class WetState(NamedTuple):
    """Attributes: age_h: mean age of what stands [h]. growth_log: growth since it was fresh [powers of ten].
    temp_c: last temperature that was measured well [°C]."""

    age_h: float = 0.0
    growth_log: float = 0.0
    temp_c: float = 25.0


def advance(
    state: WetState,
    kinetics: Kinetics,
    *,
    contents: float,
    least: float,
    per: float,
    fresh: float,
    temp_c: float,
    dt_h: float,
) -> WetState:
    """The state ``dt_h`` [h] later.

    Args:
        contents: what the vessel holds [any unit]; below ``least`` it is empty, and NaN counts as full of old material.
        per: ``contents * per`` is in the unit of ``fresh`` times hours.
        fresh: inflow of fresh material; NaN or below zero counts as none.
        temp_c: NaN = the last one that was known.
    """
    temp_c = state.temp_c if math.isnan(temp_c) else temp_c
    if contents < least:
        return WetState(temp_c=temp_c)
    held = contents * per
    rate_per_h = max(fresh, 0.0) / held if held > 0.0 and fresh > 0.0 else 0.0
    growth_per_h = kinetics.log_per_h(temp_c) if state.age_h > kinetics.lag_h else 0.0
    return WetState(
        age_h=min(MOST_AGE_H, _mixed(state.age_h, 1.0, rate_per_h, dt_h)),
        growth_log=_mixed(state.growth_log, growth_per_h, rate_per_h, dt_h),
        temp_c=temp_c,
    )


def _mixed(now: float, gain_per_h: float, rate_per_h: float, dt_h: float) -> float:
    """Solution of ``x' = gain - rate x`` after ``dt_h``."""
    if rate_per_h * dt_h < 1e-9:
        return now + gain_per_h * dt_h
    rest = gain_per_h / rate_per_h
    return rest + (now - rest) * math.exp(-rate_per_h * dt_h)
