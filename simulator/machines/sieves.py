"""Fibre sieves: N counter-current stages wash free starch out of the pulp. Bound starch stays in it for good."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material


@dataclass(frozen=True)
class SieveParameters:
    """Mash sump, sieve stages and water valve."""

    stages: float
    wash_efficiency: float
    pulp_dry_share: float
    fine_pass_share: float
    soil_pass_share: float
    holdup_tau_s: float
    holdup_kg: float
    sump_tau_s: float
    sump_kg: float
    minimum_water_m3_h: float
    valve_full_m3_h: float
    valve_ramp_pct_s: float
    pressure_sd: float
    pressure_tau_s: float
    motors_kw: float


def free_starch_left(wash: float, feed: float, retained: float, stages: int, efficiency: float) -> float:
    """Share (0..1) of free starch that leaves with the pulp of N counter-current stages (Kremser equation).

    Written with a feed liquor that differs from the retained one; with both equal it is
    ``(A-1)/(A^(N+1)-1)``, A being wash over retained liquor.

    Args:
        wash, feed, retained: liquor washed in, brought by the mash and kept by the pulp, in one unit.
        efficiency: share of the wash that meets the pulp, 0..1.
    """
    if retained <= 0.0:
        return 0.0
    ratio = efficiency * wash / retained
    series, power = 0.0, 1.0
    for _ in range(stages):
        series += power
        power *= ratio
    return min(1.0, 1.0 / (feed / retained * series + power)) if feed > 0.0 or power > 0.0 else 1.0


class Sieves:
    """Mash sump with its pump, and the sieve stages as one mixed hold-up with a Kremser split at its end."""

    def __init__(self, parameters: SieveParameters, books: Books) -> None:
        self.p = parameters
        self._books = books
        self._stages = max(1, round(parameters.stages))
        self.sump: Material = m.empty()
        self.slurry: Material = m.empty()
        self._wash_kg = 0.0  # how much of the slurry's water came as wash water
        self.free_left = 0.0
        self.pulp_kg = 0.0  # pulp of this step

    @property
    def is_open(self) -> bool:
        """True while the sump takes mash."""
        return m.mass_kg(self.sump) < self.p.sump_kg

    def step(self, mash: Material, water_m3_h: float, water_c: float, running: bool, dt_s: float) -> Material:
        """One step; returns raw starch milk. Pulp is posted to the books."""
        m.pour(self.sump, mash)
        # a screen without water tears: the sump pump is wired to the flow switch of the wash water
        if running and water_m3_h > self.p.minimum_water_m3_h:
            m.pour(self.slurry, m.draw(self.sump, 1.0 - exp(-dt_s / self.p.sump_tau_s)))
        wash_kg = water_m3_h / 3.6 * dt_s
        m.pour(self.slurry, self._books.receive(m.water(wash_kg, water_c)))
        self._wash_kg += wash_kg
        self._books.electricity(self.p.motors_kw * dt_s if running else 0.0)
        self._spill()
        if not running:
            self.pulp_kg = 0.0
            return m.empty()
        share = 1.0 - exp(-dt_s / self.p.holdup_tau_s)
        slurry = m.draw(self.slurry, share)
        washed_kg = self._wash_kg * share
        self._wash_kg -= washed_kg
        return self._split(slurry, washed_kg)

    def _spill(self) -> None:
        total_kg = m.mass_kg(self.slurry)
        if total_kg > self.p.holdup_kg:
            share = 1.0 - self.p.holdup_kg / total_kg
            self._books.release("wet_drain", m.draw(self.slurry, share))
            self._wash_kg *= 1.0 - share

    def _split(self, slurry: Material, washed_kg: float) -> Material:
        """Pulp to the books, milk to the concentrator."""
        p = self.p
        pulp = m.empty()
        pulp[m.BOUND] = slurry[m.BOUND]
        pulp[m.COARSE] = slurry[m.COARSE]
        pulp[m.FINE] = slurry[m.FINE] * (1.0 - p.fine_pass_share)
        pulp[m.SOIL] = slurry[m.SOIL] * (1.0 - p.soil_pass_share)
        liquor_kg = slurry[m.WATER]
        retained_kg = min(m.dry_kg(pulp) * (1.0 / p.pulp_dry_share - 1.0), liquor_kg)
        feed_kg = max(liquor_kg - washed_kg, 0.0)
        self.free_left = free_starch_left(washed_kg, feed_kg, retained_kg, self._stages, p.wash_efficiency)
        pulp[m.WATER] = retained_kg
        pulp[m.FREE] = slurry[m.FREE] * self.free_left
        pulp[m.SOLUBLE] = slurry[m.SOLUBLE] * self.free_left
        pulp[m.HEAT] = m.heat_capacity_kj_k(pulp) * m.temperature_c(slurry, 0.0)
        self._books.release("pulp", pulp)
        self.pulp_kg = m.mass_kg(pulp)
        return m.minus(slurry, pulp)

    def flush(self, share: float) -> Material:
        """What a rinse takes along in one step."""
        flushed = m.draw(self.sump, share)
        m.pour(flushed, m.draw(self.slurry, share))
        self._wash_kg *= 1.0 - share
        return flushed

    def held(self) -> Material:
        """Mash and slurry."""
        total = list(self.sump)
        m.pour(total, self.slurry)
        return total
