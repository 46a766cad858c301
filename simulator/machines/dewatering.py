"""Milk tank, peeler centrifuge and its cycle. The cake comes out in bursts: the main disturbance of the dryer."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material


@dataclass(frozen=True)
class DewateringParameters:
    """Milk tank, feed pump and peeler centrifuge."""

    tank_m3: float
    pump_full_m3_h: float
    pump_ramp_pct_s: float
    pump_kw: float
    head_kg: float
    head_tau_s: float
    feed_s: float
    spin_s: float
    peel_s: float
    saturated_pct_wb: float
    drain_tau_s: float
    floor_pct_wb: float
    floor_sd_pct: float
    spin_tau_s: float
    spin_load_share: float
    reference_load_kg: float
    blinding_pct_h: float
    layer_gradient: float
    filtrate_starch_share: float
    filtrate_fibre_share: float
    centrifuge_kw: float
    blinding_most_pct: float


class MilkTank:
    """Stirred tank between concentrator and centrifuge; spills over to the drain when full."""

    def __init__(self, parameters: DewateringParameters, books: Books) -> None:
        self.p = parameters
        self._books = books
        self.milk: Material = m.empty()
        self.level_pct = 0.0
        self.outflow_m3_h = 0.0
        self.leak_m3_h = 0.0
        """Upset [m3/h]: the bottom valve does not close. The level sinks, and no flow to the centrifuge explains it."""

    def step(self, milk: Material, pump_pct: float, dt_s: float) -> Material:
        """One step; returns what the feed pump takes."""
        m.pour(self.milk, milk)
        volume = m.volume_m3(self.milk)
        if volume > self.p.tank_m3:
            self._books.release("wet_drain", m.draw(self.milk, 1.0 - self.p.tank_m3 / volume))
            volume = self.p.tank_m3
        if self.leak_m3_h > 0.0 and volume > 1e-9:
            share = min(self.leak_m3_h / 3600.0 * dt_s / volume, 1.0 - exp(-dt_s / 10.0))
            self._books.release("wet_drain", m.draw(self.milk, share))
            volume *= 1.0 - share
        pumped = m.empty()
        self.outflow_m3_h = 0.0
        if volume > 1e-9 and pump_pct > 0.0:
            wanted_m3 = self.p.pump_full_m3_h / 3600.0 * pump_pct / 100.0 * dt_s
            share = min(wanted_m3 / volume, 1.0 - exp(-dt_s / 10.0))  # the last litres run in slowly
            pumped = m.draw(self.milk, share)
            self.outflow_m3_h = volume * share / dt_s * 3600.0
            volume *= 1.0 - share
        self.level_pct = 100.0 * volume / self.p.tank_m3
        self._books.electricity(self.p.pump_kw * pump_pct / 100.0 * dt_s)
        return pumped


class Peeler:
    """Feed, spin, peel, again. A head tank takes the milk meanwhile."""

    def __init__(self, parameters: DewateringParameters, books: Books, adhering: float) -> None:
        """Clean and empty. ``adhering``: share of the germs that stays with the solids."""
        self.p = parameters
        self._books = books
        self._adhering = adhering
        self.head: Material = m.empty()
        self.basket: Material = m.empty()
        self.phase = "feed"
        self._phase_s = 0.0
        self._floor_pct = parameters.floor_pct_wb
        self._solids_at_peel_kg = 0.0
        self._moisture_at_peel_db = 0.0
        self.hours_since_rinse = 0.0
        self.cake_pct_wb = parameters.floor_pct_wb + 1.5  # the meter looks at yesterday's smear until cake comes
        self.cloth_tear_share = 0.0
        """Upset, 0..1: that share of the filtrate goes through a hole and takes milk as it is. Less cake comes for the
        same milk, and the drain runs white."""
        self.cloth_glazed_pct = 0.0
        """Upset [% wb]: a glazed cloth that a rinse does not open. Every cake is wetter by so much."""

    def step(
        self, milk: Material, running: bool, room_kg: float, noise: float, dt_s: float
    ) -> tuple[Material, Material]:
        """One step; returns cake and the milk the head tank sends back.

        Args:
            room_kg: what the cake hopper can still take; peeling waits at zero.
            noise: a standard normal number, used once per cycle.
        """
        m.pour(self.head, milk)
        head_kg = m.mass_kg(self.head)
        back = m.draw(self.head, 1.0 - self.p.head_kg / head_kg) if head_kg > self.p.head_kg else m.empty()
        cake = m.empty()
        if not running:
            return cake, back
        self._books.electricity(self.p.centrifuge_kw * dt_s)
        self.hours_since_rinse += dt_s / 3600.0
        if self.phase == "feed":
            m.pour(self.basket, m.draw(self.head, 1.0 - exp(-dt_s / self.p.head_tau_s)))
            self._filter(self.p.saturated_pct_wb, self.p.drain_tau_s, dt_s)
            self._after(self.p.feed_s, "spin", noise, dt_s)
        elif self.phase == "spin" or room_kg <= 0.0:
            load = m.dry_kg(self.basket) / self.p.reference_load_kg
            self._filter(self.p.saturated_pct_wb, self.p.drain_tau_s, dt_s)
            thickness = (1.0 - self.p.spin_load_share) + self.p.spin_load_share * min(load, 3.0)
            self._filter(self._floor_pct, self.p.spin_tau_s * thickness, dt_s)
            if self.phase == "spin":
                self._after(self.p.spin_s, "peel", noise, dt_s)
        else:
            cake = self._peel(dt_s)
            self._after(self.p.peel_s, "feed", noise, dt_s)
        return cake, back

    def _after(self, length_s: float, phase: str, noise: float, dt_s: float) -> None:
        """Go to the next phase when this one has lasted its time."""
        self._phase_s += dt_s
        if self._phase_s < length_s - 1e-9:
            return
        self.phase, self._phase_s = phase, 0.0
        if phase == "spin":
            blinding = self.p.blinding_pct_h * self.hours_since_rinse
            blinding = min(blinding, self.p.blinding_most_pct) + self.cloth_glazed_pct
            self._floor_pct = self.p.floor_pct_wb + self.p.floor_sd_pct * noise + blinding
        elif phase == "peel":
            self._solids_at_peel_kg = m.dry_kg(self.basket)
            self._moisture_at_peel_db = self.basket[m.WATER] / max(self._solids_at_peel_kg, 1e-9)

    def _filter(self, target_pct_wb: float, tau_s: float, dt_s: float) -> None:
        """Water passes the cloth towards a moisture, with a little starch and fine fibre."""
        solids_kg = m.dry_kg(self.basket)
        water_kg = self.basket[m.WATER]
        target_kg = solids_kg * target_pct_wb / (100.0 - target_pct_wb)
        if water_kg <= target_kg or water_kg < 1e-12:
            return
        passed_kg = (water_kg - target_kg) * (1.0 - exp(-dt_s / tau_s))
        share = passed_kg / water_kg
        filtrate = m.empty()
        filtrate[m.WATER] = passed_kg
        filtrate[m.SOLUBLE] = self.basket[m.SOLUBLE] * share
        filtrate[m.FREE] = min(self.p.filtrate_starch_share * passed_kg, 0.1 * self.basket[m.FREE])
        filtrate[m.FINE] = self.basket[m.FINE] * share * self.p.filtrate_fibre_share
        if self.cloth_tear_share > 0.0:
            filtrate[m.FREE] += (self.basket[m.FREE] - filtrate[m.FREE]) * share * min(1.0, self.cloth_tear_share)
        m.follow(filtrate, self.basket, self._adhering)
        filtrate[m.HEAT] = m.heat_capacity_kj_k(filtrate) * m.temperature_c(self.basket, 0.0)
        self.basket[:] = m.minus(self.basket, filtrate)
        self._books.release("wet_drain", filtrate)

    def _peel(self, dt_s: float) -> Material:
        """The knife works outwards: the inner layers it meets first are the wetter ones."""
        left_s = self.p.peel_s - self._phase_s
        share = min(1.0, dt_s / left_s) if left_s > 1e-9 else 1.0
        cake = m.part(self.basket, share)
        if share < 1.0 and self._solids_at_peel_kg > 1e-9:
            solids_kg = m.dry_kg(cake)
            done = 1.0 - (m.dry_kg(self.basket) - 0.5 * solids_kg) / self._solids_at_peel_kg
            wetness = self._moisture_at_peel_db * (1.0 + self.p.layer_gradient * (1.0 - 2.0 * done))
            water_kg = min(solids_kg * wetness, 0.999 * self.basket[m.WATER])
            moved_kg = water_kg - cake[m.WATER]
            cake[m.WATER] = water_kg
            cake[m.HEAT] += moved_kg * m.CP_WATER_KJ_KG_K * m.temperature_c(self.basket, 0.0)
        self.basket[:] = m.minus(self.basket, cake)
        if m.dry_kg(cake) > 2e-3 * dt_s:  # under 7 kg/h the meter sees the chute, not cake
            self.cake_pct_wb = m.moisture_pct_wb(cake, self.cake_pct_wb)
        return cake

    def flush(self, share: float) -> Material:
        """What a rinse takes along in one step; the cloth is open again."""
        self.hours_since_rinse = 0.0
        flushed = m.draw(self.head, share)
        m.pour(flushed, m.draw(self.basket, share))
        return flushed

    def held(self) -> Material:
        """Head tank and basket."""
        total = list(self.head)
        m.pour(total, self.basket)
        return total
