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
    wear_idle_share: float
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
    wear_sand_per_pct: float
    fines_share_um: float
    broken_size_factor: float
    broken_kw: float
    stone_s: float
    stone_kw: float
    stone_wear_h: float


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
        self._stone_left_s = 0.0
        self.has_broken_blade = False
        """Upset: a blade has snapped. The gap leaves slices whole: coarser mash, more starch in the pulp, thinner
        milk, and the drum hums out of balance: more power, though less is cut."""
        self.has_stone = False
        """Upset, taken back when it has struck: a stone passes the drum. Power leaps for seconds, the teeth blunt."""

    @property
    def fines_um(self) -> float:
        """Size of the fine fibre that this mash sheds."""
        return self.p.fines_share_um * self.size_um

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
            if self.has_broken_blade:
                worn *= p.broken_size_factor
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
            # an hour at reference load on clean roots wears as an hour; sand grinds the teeth
            sand_pct = 100.0 * mash[m.SOIL] / m.mass_kg(mash)
            self.blade_hours += (
                dt_s
                / 3600.0
                * (p.wear_idle_share + (1.0 - p.wear_idle_share) * load)
                * (1.0 + p.wear_sand_per_pct * sand_pct)
            )
        self.power_kw = idle_kw + cut_kw + self._upset_kw(speed, dt_s)
        warmth_kj = cut_kw * p.heat_to_mash_share * dt_s
        mash[m.HEAT] += warmth_kj
        self._books.heat_in_kj["electricity"] += warmth_kj
        self._books.electricity(self.power_kw * dt_s - warmth_kj)

    def _upset_kw(self, speed: float, dt_s: float) -> float:
        """What a stone and a broken blade cost; nothing at rest."""
        if speed <= 0.0:
            return 0.0
        if self.has_stone:
            self.has_stone = False
            self._stone_left_s = self.p.stone_s
            self.blade_hours += self.p.stone_wear_h
        extra_kw = self.p.broken_kw * speed if self.has_broken_blade else 0.0
        if self._stone_left_s > 0.0:
            self._stone_left_s -= dt_s
            extra_kw += self.p.stone_kw
        return extra_kw

    def turn_blades(self) -> None:
        """Sharp blades, all of them: what a fitter does every 8 to 24 hours."""
        self.blade_hours = 0.0
        self.has_broken_blade = False

    def held(self) -> Material:
        """Roots in the box."""
        return list(self.box)
