"""Rasp: cuts cells open. Finer mash frees more starch, costs more power and sheds more fine fibre."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material


@dataclass(frozen=True)
class RaspParameters:
    """Rasp drum, blades and motor."""

    size_um: float
    reference_rpm: float
    reference_kg_h: float
    size_speed_exponent: float
    size_load_exponent: float
    wear_size_per_h: float
    wear_power_per_h: float
    cell_um: float
    energy_kwh_t: float
    energy_size_um: float
    energy_exponent: float
    kudzu_energy_factor: float
    idle_kw: float
    idle_exponent: float
    fine_share: float
    fine_exponent: float
    fine_ceiling: float
    heat_to_mash_share: float
    minimum_rpm: float
    capacity_kg_h: float
    box_kg: float
    box_tau_s: float
    ramp_rpm_s: float


def liberation(size_um: float, cell_um: float) -> float:
    """Share of cells cut open at a particle size (0..1): ``1 - max(0, 1 - d_c/d_p)^3``; geometric."""
    intact = 1.0 - cell_um / size_um
    return 1.0 - intact**3 if intact > 0.0 else 1.0


class Rasp:
    """A box of roots in front of a toothed drum."""

    def __init__(self, parameters: RaspParameters, books: Books) -> None:
        self.p = parameters
        self._books = books
        self.box: Material = m.empty()
        self.blade_hours = 0.0
        self.power_kw = 0.0
        self.size_um = parameters.size_um
        self.liberation = liberation(parameters.size_um, parameters.cell_um)
        self._load_kg_h = 0.0

    @property
    def is_open(self) -> bool:
        """True while the box takes roots."""
        return m.mass_kg(self.box) < self.p.box_kg

    def step(self, roots: Material, rpm: float, open_below: bool, dt_s: float) -> Material:
        """One step; returns mash."""
        m.pour(self.box, roots)
        box_kg = m.mass_kg(self.box)
        share = 0.0
        if rpm >= self.p.minimum_rpm and open_below and box_kg > 1e-9:
            capacity_kg = self.p.capacity_kg_h / 3600.0 * rpm / self.p.reference_rpm * dt_s
            share = min(1.0 - exp(-dt_s / self.p.box_tau_s), capacity_kg / box_kg)
        mash = m.draw(self.box, share)
        rate_kg_h = box_kg * share / dt_s * 3600.0
        self._load_kg_h += (rate_kg_h - self._load_kg_h) * min(1.0, dt_s / 3.0)
        self._cut(mash, rate_kg_h, rpm, dt_s)
        return mash

    def _cut(self, mash: Material, rate_kg_h: float, rpm: float, dt_s: float) -> None:
        p = self.p
        speed = rpm / p.reference_rpm
        idle_kw = p.idle_kw * speed**p.idle_exponent if speed > 0.0 else 0.0
        cut_kw = 0.0
        if rate_kg_h > 0.0:
            load = max(self._load_kg_h, 0.05 * p.reference_kg_h) / p.reference_kg_h
            worn = 1.0 + p.wear_size_per_h * self.blade_hours
            self.size_um = p.size_um * worn * load**p.size_load_exponent / speed**p.size_speed_exponent
            self.liberation = liberation(self.size_um, p.cell_um)
            freed = mash[m.BOUND] * self.liberation
            mash[m.BOUND] -= freed
            mash[m.FREE] += freed
            fine = p.fine_share * (p.energy_size_um / self.size_um) ** p.fine_exponent
            shed = mash[m.COARSE] * min(fine, p.fine_ceiling)
            mash[m.COARSE] -= shed
            mash[m.FINE] += shed
            specific = p.energy_kwh_t * p.kudzu_energy_factor * (p.energy_size_um / self.size_um) ** p.energy_exponent
            cut_kw = rate_kg_h / 1000.0 * specific * (1.0 + p.wear_power_per_h * self.blade_hours)
            self.blade_hours += dt_s / 3600.0
        self.power_kw = idle_kw + cut_kw
        warmth_kj = cut_kw * p.heat_to_mash_share * dt_s
        mash[m.HEAT] += warmth_kj
        self._books.heat_in_kj["electricity"] += warmth_kj
        self._books.electricity(self.power_kw * dt_s - warmth_kj)

    def held(self) -> Material:
        """Roots in the box."""
        return list(self.box)
