"""What a trial was really worth: from the plant's own books, which no controller sees."""

from __future__ import annotations

import math

from simulator import material as m
from simulator.plant import Plant

LEAST_SAMPLE_KG = 1e-3  # in a second; less is no stream to take a sample from
ACTIVITY_LIMIT = 0.65  # no visible fungi in flours for six months at 25 °C (Abdullah 2000)


class Judge:
    """Looks at every step; ``verdict`` at the end.

    Args:
        limit_pct_wb: critical limit of powder moisture.
    """

    def __init__(self, plant: Plant, limit_pct_wb: float) -> None:
        self._plant = plant
        self._limit_pct = limit_pct_wb
        self._good = plant.books.exits["good"]
        self._last_kg, self._last_water_kg = m.mass_kg(self._good), self._good[m.WATER]
        self.wet_in_good_kg = 0.0
        self._sum = self._sum2 = self._weight = 0.0

    def look(self) -> None:
        """After every plant step."""
        total_kg, water_kg = m.mass_kg(self._good), self._good[m.WATER]
        made_kg = total_kg - self._last_kg
        if made_kg <= 1e-6:
            return
        moisture = 100.0 * (water_kg - self._last_water_kg) / made_kg
        self._last_kg, self._last_water_kg = total_kg, water_kg
        if moisture > self._limit_pct:
            self.wet_in_good_kg += made_kg
        self._sum += made_kg * moisture
        self._sum2 += made_kg * moisture * moisture
        self._weight += made_kg

    def powder_pct_wb(self) -> float:
        """True moisture of the powder that leaves the dryer now, whatever chute it goes to; NaN where there is none."""
        window = self._plant.packing.window
        total_kg = m.mass_kg(window)
        return 100.0 * window[m.WATER] / total_kg if total_kg > LEAST_SAMPLE_KG else math.nan

    def verdict(self) -> dict[str, float]:
        """True results, by name; NaN where there was no powder."""
        truth = self._plant.truth()
        bagging = self._plant.packing.bagging
        bagging.close_open_bag(self._plant.ambient_c, self._plant.time_s)
        bad = sum(bag.moisture_pct_wb > self._limit_pct or bag.water_activity > ACTIVITY_LIMIT for bag in bagging.bags)
        mean = self._sum / self._weight if self._weight else math.nan
        spread = math.sqrt(max(0.0, self._sum2 / self._weight - mean * mean)) if self._weight else math.nan
        return {
            "extraction_yield": truth["extraction_yield"],
            "good_kg": truth["good_kg"],
            "out_of_spec_kg": self.wet_in_good_kg + truth["rework_kg"] + truth["waste_kg"],
            "wet_in_good_kg": self.wet_in_good_kg,
            "bags": float(bagging.closed),
            "bad_bags": float(bad),
            "moisture_mean_pct_wb": mean,
            "moisture_sd_pct_wb": spread,
            "evaporated_kg": truth["evaporated_kg"],
            "fuel_kwh": truth["fuel_kwh"],
            "electricity_kwh": truth["electricity_kwh"],
        }
