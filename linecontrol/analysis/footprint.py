"""Energy, water, carbon and cost of a run per kg of good powder, from its counters and the site's prices and factors.

The uncertainty is that of the meters, each with an error of its own; prices and emission factors are the site's word
and are taken as they stand. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Use:
    """What a run used of one thing: energy [kWh] or water [m3].

    Attributes:
        counters: what each meter counted, by tag, and its sign: +1 it is of this use, -1 its share is of another.
        u_rel: relative standard uncertainty of a meter. price: [currency per unit]. co2: [kg per unit].
    """

    name: str
    counters: Mapping[str, tuple[float, float]]
    u_rel: float
    price: float
    co2: float

    @property
    def amount(self) -> float:
        return math.fsum(sign * counted for counted, sign in self.counters.values())


def footprint(
    energy: Sequence[Use], water: Use, powder_kg: float, powder_u_rel: float, currency: str
) -> dict[str, Any]:
    """The part of a run's record about what it took. Per kg it is None where no powder was made.

    Args:
        powder_kg: good powder. powder_u_rel: relative standard uncertainty of its scale.
    """
    found: dict[str, Any] = {}
    for key, uses, weigh in (
        ("energy_kwh_per_kg", energy, [1.0 for _ in energy]),
        ("water_l_per_kg", [water], [1000.0]),
        ("co2_kg_per_kg", [*energy, water], [use.co2 for use in (*energy, water)]),
        ("cost_per_kg", [*energy, water], [use.price for use in (*energy, water)]),
    ):
        total, u = _weighed(uses, weigh)
        has_powder = powder_kg > 0.0
        found[key] = round(total / powder_kg, 4) if has_powder else None
        found[f"{key}_u"] = round(math.hypot(u, total * powder_u_rel) / powder_kg, 4) if has_powder else None
    found["co2_kg"] = round(_weighed([*energy, water], [use.co2 for use in (*energy, water)])[0], 3)
    found["cost"] = round(_weighed([*energy, water], [use.price for use in (*energy, water)])[0], 2)
    found["currency"] = currency
    found["energy_by_carrier_kwh"] = {use.name: round(use.amount, 2) for use in energy}
    return found


def _weighed(uses: Sequence[Use], weights: Sequence[float]) -> tuple[float, float]:
    """Sum of the uses by weight, and its standard uncertainty: a meter that counts for two uses errs once."""
    total = math.fsum(weight * use.amount for use, weight in zip(uses, weights, strict=True))
    by_meter: dict[str, float] = {}
    for use, weight in zip(uses, weights, strict=True):
        for tag, (counted, sign) in use.counters.items():
            by_meter[tag] = by_meter.get(tag, 0.0) + weight * sign * use.u_rel * counted
    return total, math.sqrt(math.fsum(u * u for u in by_meter.values()))
