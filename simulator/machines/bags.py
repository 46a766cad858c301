"""The filling of bags, and what becomes of powder in them: water activity and sweating of warm bags."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from simulator import material as m
from simulator.material import Material
from simulator.psychrometrics import Isotherm, dew_point_c, saturation_pressure_pa

_MOST_RECORDS = 2000  # older bags have left the store


@dataclass(frozen=True)
class Bag:
    """One closed bag. ``sweats``: air between the grains would condense on a wall as cold as the room."""

    number: int
    closed_s: float
    mass_kg: float
    moisture_pct_wb: float
    temp_c: float
    water_activity: float
    dew_point_c: float
    sweats: bool


def bag_climate(moisture_db: float, temp_c: float, isotherm: Isotherm) -> tuple[float, float]:
    """Water activity (0..0.95) of powder in a closed bag and the dew point of the air between its grains [°C]."""
    activity = isotherm.activity(moisture_db, temp_c)
    return activity, dew_point_c(activity * saturation_pressure_pa(temp_c))


class Bagging:
    """Fills one bag after the other from what falls into the good bin."""

    def __init__(self, bag_kg: float, isotherm: Isotherm) -> None:
        self._bag_kg = bag_kg
        self._isotherm = isotherm
        self._open: Material = m.empty()
        self._open_kg = 0.0
        self.closed = 0
        self.sweating = 0  # of them, so warm when closed that they sweat
        self.bags: deque[Bag] = deque(maxlen=_MOST_RECORDS)

    @property
    def open_kg(self) -> float:
        """What is in the open bag, as its scale has it."""
        return self._open_kg

    def fill(self, powder: Material, powder_kg: float, room_c: float, time_s: float) -> None:
        """Powder into the open bag, which is closed when it weighs enough."""
        m.pour(self._open, powder)
        self._open_kg += powder_kg
        if self._open_kg >= self._bag_kg:
            self._close(room_c, time_s)

    def close_open_bag(self, room_c: float, time_s: float, least_kg: float = 1.0) -> None:
        """A change of bags was asked for: one with at least ``least_kg`` in it is closed though it is not full."""
        if self._open_kg >= least_kg:
            self._close(room_c, time_s)

    def _close(self, room_c: float, time_s: float) -> None:
        what = self._open
        self.closed += 1
        moisture_db = what[m.WATER] / m.dry_kg(what)
        temp_c = m.temperature_c(what, room_c)
        activity, dew_c = bag_climate(moisture_db, temp_c, self._isotherm)
        self.sweating += dew_c > room_c
        self.bags.append(
            Bag(
                number=self.closed,
                closed_s=time_s,
                mass_kg=self._open_kg,
                moisture_pct_wb=100.0 * moisture_db / (1.0 + moisture_db),
                temp_c=temp_c,
                water_activity=activity,
                dew_point_c=dew_c,
                sweats=dew_c > room_c,
            )
        )
        self._open, self._open_kg = m.empty(), 0.0
