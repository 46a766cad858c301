"""Trommel: dry screen, then a drum washed by pressure nozzles. Three mixed sections carry the roots along."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material

_SECTIONS = 3


@dataclass(frozen=True)
class TrommelParameters:
    """Drum, nozzles and valve."""

    residence_s: float
    reference_rpm: float
    capacity_kg: float
    ramp_rpm_s: float
    drum_kw: float
    screen_soil_share: float
    wash_rate_per_min: float
    reference_water_m3_h: float
    reference_load_kg: float
    root_loss_share: float
    water_film_share: float
    valve_full_m3_h: float
    valve_ramp_pct_s: float
    pressure_sd: float
    pressure_tau_s: float
    spray_m3_h: float
    spray_flush_s: float


class Trommel:
    """Screens, washes and conveys roots; keeps them when it stands still."""

    def __init__(self, parameters: TrommelParameters, books: Books) -> None:
        self.p = parameters
        self._books = books
        self.sections: list[Material] = [m.empty() for _ in range(_SECTIONS)]
        self.load_kg = 0.0
        self.soil_pct_wb = 0.0
        self.spray_blocked_share = 0.0
        """Upset, 0..1: nozzles full of sand. They pass no water, so that less flows at the same valve, and roots that
        only meet blocked nozzles stay dirty even when the valve makes up the flow: soil behind the drum rises."""

    @property
    def room_kg(self) -> float:
        """What the drum can still take before its inlet chute blocks the feeder."""
        return self.p.capacity_kg - self.load_kg

    def step(
        self, roots: Material, rpm: float, water_m3_h: float, water_c: float, spray: bool, open_below: bool, dt_s: float
    ) -> Material:
        """One step; returns washed roots.

        Args:
            water_m3_h: wash water, without the cleaning spray.
            open_below: False while the next machine cannot take roots.
        """
        drain = m.empty()
        spray_m3_h = self.p.spray_m3_h if spray else 0.0
        self._screen(roots, drain)
        self._wet(roots, water_m3_h + spray_m3_h, water_c, drain, dt_s)
        m.pour(self.sections[0], roots)
        washed = self._convey(rpm, open_below, dt_s)
        self._wash(rpm, water_m3_h + spray_m3_h, drain, dt_s)
        if spray:
            flushed = m.empty()
            share = 1.0 - exp(-dt_s / self.p.spray_flush_s)
            for section in self.sections:
                m.pour(flushed, m.draw(section, share))
            self._books.release("rinse_drain", flushed)
        self._books.release("wash_drain", drain)
        self.load_kg = sum(m.mass_kg(section) for section in self.sections)
        total = m.mass_kg(washed)
        if total > 1e-9:
            self.soil_pct_wb = 100.0 * washed[m.SOIL] / total
        self._books.electricity(self.p.drum_kw * rpm / self.p.reference_rpm * dt_s)
        return washed

    def _screen(self, roots: Material, drain: Material) -> None:
        """Loose soil falls through before any water touches it."""
        loose = roots[m.SOIL] * self.p.screen_soil_share
        _move_soil(roots, drain, loose)

    def _wet(self, roots: Material, flow_m3_h: float, water_c: float, drain: Material, dt_s: float) -> None:
        """Water comes in; a film of it stays on the roots, the rest runs to the drain."""
        supplied_kg = flow_m3_h / 3.6 * dt_s
        film_kg = min(supplied_kg, self.p.water_film_share * m.mass_kg(roots))
        m.pour(drain, self._books.receive(m.water(supplied_kg - film_kg, water_c)))
        m.pour(roots, self._books.receive(m.water(film_kg, water_c)))

    def _convey(self, rpm: float, open_below: bool, dt_s: float) -> Material:
        share = 1.0 - exp(-dt_s * _SECTIONS * rpm / (self.p.reference_rpm * self.p.residence_s))
        washed = m.draw(self.sections[-1], share) if open_below else m.empty()
        for i in range(_SECTIONS - 2, -1, -1):
            m.pour(self.sections[i + 1], m.draw(self.sections[i], share))
        return washed

    def _wash(self, rpm: float, flow_m3_h: float, drain: Material, dt_s: float) -> None:
        """Soil leaves as exp(-k t sqrt(q/q_ref)), q being water per root in the drum; some root breaks off too."""
        if self.load_kg < 1e-6 or rpm <= 0.0:
            return
        crowding = max(self.load_kg, 0.1 * self.p.reference_load_kg) / self.p.reference_load_kg
        water_ratio = min(flow_m3_h / self.p.reference_water_m3_h / crowding, 4.0)
        turning = rpm / self.p.reference_rpm
        reached = 1.0 - min(1.0, max(0.0, self.spray_blocked_share))
        rate_per_s = self.p.wash_rate_per_min / 60.0 * sqrt(water_ratio * turning * reached)
        soil_share = 1.0 - exp(-rate_per_s * dt_s)
        root_share = 1.0 - exp(-self.p.root_loss_share / self.p.residence_s * turning * dt_s)
        for section in self.sections:
            _move_soil(section, drain, section[m.SOIL] * soil_share)
            m.pour(drain, m.draw(section, root_share))

    def held(self) -> Material:
        """Everything in the drum."""
        total = m.empty()
        for section in self.sections:
            m.pour(total, section)
        return total


def _move_soil(source: Material, target: Material, soil_kg: float) -> None:
    """Move soil with its heat and the germs that live in it."""
    heat = soil_kg * m.CP_SOIL_KJ_KG_K * m.temperature_c(source, 0.0)
    germs = source[m.GERMS] * soil_kg / source[m.SOIL] if source[m.SOIL] > 1e-12 else 0.0
    source[m.GERMS] -= germs
    target[m.GERMS] += germs
    source[m.SOIL] -= soil_kg
    source[m.HEAT] -= heat
    target[m.SOIL] += soil_kg
    target[m.HEAT] += heat
