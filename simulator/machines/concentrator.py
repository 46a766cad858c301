"""Concentrator: desander and hydrocyclones. The underflow valve decides how much liquor goes with the starch."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material


@dataclass(frozen=True)
class ConcentratorParameters:
    """Feed tank, desander, cyclones, underflow valve and the milk pipe with its density meter."""

    feed_tank_kg: float
    feed_tau_s: float
    desander_share: float
    starch_recovery: float
    fine_fibre_recovery: float
    liquor_split_full: float
    roping_starch_share: float
    closed_pct: float
    valve_ramp_pct_s: float
    pipe_kg: float
    pump_kw: float


class Concentrator:
    """A level-controlled feed tank in front of a bank of cyclones at constant pressure."""

    def __init__(self, parameters: ConcentratorParameters, books: Books, water_c: float) -> None:
        self.p = parameters
        self._books = books
        self.tank: Material = m.empty()
        self.pipe: Material = books.receive(m.water(parameters.pipe_kg, water_c))
        self.recovery = 0.0

    @property
    def milk_density_kg_m3(self) -> float:
        """Density of what stands in the underflow pipe."""
        volume = m.volume_m3(self.pipe)
        return m.mass_kg(self.pipe) / volume if volume > 1e-9 else 998.0

    def step(self, milk: Material, valve_pct: float, running: bool, dt_s: float) -> Material:
        """One step; returns concentrated milk. Overflow and sand are posted to the books."""
        p = self.p
        m.pour(self.tank, milk)
        tank_kg = m.mass_kg(self.tank)
        if tank_kg > p.feed_tank_kg:
            self._books.release("wet_drain", m.draw(self.tank, 1.0 - p.feed_tank_kg / tank_kg))
        # the feed pump is wired to the limit switch of the underflow valve: closed means circulating, not wasting
        if not running or valve_pct < p.closed_pct:
            return m.empty()
        self._books.electricity(p.pump_kw * dt_s)
        m.pour(self.pipe, self._separate(m.draw(self.tank, 1.0 - exp(-dt_s / p.feed_tau_s)), valve_pct))
        pipe_kg = m.mass_kg(self.pipe)
        return m.draw(self.pipe, max(0.0, 1.0 - p.pipe_kg / pipe_kg)) if pipe_kg > 1e-9 else m.empty()

    def _separate(self, feed: Material, valve_pct: float) -> Material:
        """Underflow of one step."""
        p = self.p
        split = p.liquor_split_full * valve_pct / 100.0
        liquor_kg = feed[m.WATER] * split
        starch_kg = feed[m.FREE] * (split + (1.0 - split) * p.starch_recovery)
        # an underflow cannot get thicker than a rope; what finds no room leaves over the top
        starch_kg = min(starch_kg, liquor_kg * p.roping_starch_share / (1.0 - p.roping_starch_share))
        self.recovery = starch_kg / feed[m.FREE] if feed[m.FREE] > 1e-12 else 0.0
        under = m.empty()
        under[m.FREE] = starch_kg
        under[m.FINE] = feed[m.FINE] * (split + (1.0 - split) * p.fine_fibre_recovery)
        under[m.SOIL] = feed[m.SOIL] * (1.0 - p.desander_share)
        under[m.WATER] = liquor_kg
        under[m.SOLUBLE] = feed[m.SOLUBLE] * split
        under[m.HEAT] = m.heat_capacity_kj_k(under) * m.temperature_c(feed, 0.0)
        self._books.release("wet_drain", m.minus(feed, under))
        return under

    def flush(self, share: float) -> Material:
        """What a rinse takes along in one step; the pipe is left full of water."""
        flushed = m.draw(self.tank, share)
        m.pour(flushed, m.draw(self.pipe, share))
        return flushed

    def held(self) -> Material:
        """Feed tank and pipe."""
        total = list(self.tank)
        m.pour(total, self.pipe)
        return total
