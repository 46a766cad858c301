"""Concentrator: desander and hydrocyclones. The underflow valve decides how much liquor goes with the starch.

A craft line has a settling tank instead; the same machine with ``settling_h`` above zero, as a continuous equivalent.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

from simulator import material as m
from simulator.constants import constant
from simulator.ledger import Books
from simulator.material import Material

_LN2, _LN10 = log(2.0), log(10.0)
_CYCLONE_NUMBER = constant("cyclone_number")
_GRAVITY_M_S2 = 9.81
_STARCH_KG_M3, _LIQUOR_KG_M3 = constant("solids_kg_m3"), constant("water_kg_m3")
_QUANTILES = [(-2.5 + 0.25 * i, exp(-0.5 * (-2.5 + 0.25 * i) ** 2)) for i in range(21)]
_WEIGHT = sum(weight for _, weight in _QUANTILES)


@dataclass(frozen=True)
class ConcentratorParameters:
    """Feed tank, desander, cyclones (or settling tank), underflow valve and the milk pipe with its density meter."""

    feed_tank_kg: float
    feed_tau_s: float
    granule_um: float
    granule_spread: float
    cyclone_l_min: float
    cyclone_length_mm: float
    cyclone_bar: float
    cyclone_sharpness: float
    cyclone_passes: float
    silt_um: float
    silt_spread: float
    desander_cut_um: float
    desander_sharpness: float
    settling_h: float
    settling_depth_m: float
    settlings: float
    top_layer_share: float
    fine_fibre_recovery: float
    coarse_fibre_recovery: float
    liquor_split_full: float
    roping_starch_share: float
    closed_pct: float
    valve_ramp_pct_s: float
    pipe_kg: float
    pump_kw: float


def viscosity_pa_s(temp_c: float) -> float:
    """Of water, 0..60 °C (Vogel equation)."""
    return 2.414e-5 * exp(_LN10 * 247.8 / (temp_c + 133.15))


def cyclone_cut_um(flow_l_min: float, length_mm: float, drop_bar: float, temp_c: float) -> float:
    """Size [um] of a starch granule that a cyclone catches half of the time (Rietema's characteristic number 3.5).

    ``d50^2 = 3.5 mu rho Q / (drho L dp)``, per single cyclone.
    """
    flow_m3_s = flow_l_min / 60_000.0
    work = (_STARCH_KG_M3 - _LIQUOR_KG_M3) * length_mm / 1000.0 * drop_bar * 1e5
    return 1e6 * sqrt(_CYCLONE_NUMBER * viscosity_pa_s(temp_c) * _LIQUOR_KG_M3 * flow_m3_s / work)


def settling_cut_um(hours: float, depth_m: float, temp_c: float) -> float:
    """Size [um] of a starch granule that sinks through the whole depth in the time (Stokes)."""
    speed_m_s = depth_m / (hours * 3600.0)
    return 1e6 * sqrt(18.0 * viscosity_pa_s(temp_c) * speed_m_s / ((_STARCH_KG_M3 - _LIQUOR_KG_M3) * _GRAVITY_M_S2))


def caught_share(median_um: float, spread: float, cut_um: float, sharpness: float, passes: float) -> float:
    """Mass share (0..1) caught of a log-normal size distribution, by ``1 - exp(-ln2 (d/d50)^m)`` in each pass."""
    lost = 0.0
    for z, weight in _QUANTILES:
        lost += weight * exp(-_LN2 * passes * (median_um * spread**z / cut_um) ** sharpness)
    return 1.0 - lost / _WEIGHT


def settled_share(median_um: float, spread: float, cut_um: float, times: float) -> float:
    """Mass share (0..1) on the floor of a tank that was mixed at the start: ``min(1, (d/d_cut)^2)`` of each size.

    ``times``: how often the sediment is stirred up in clean water and settled anew, the first time included.
    """
    on_floor = sum(weight * min(1.0, median_um * spread**z / cut_um) ** (2.0 * times) for z, weight in _QUANTILES)
    return float(on_floor / _WEIGHT)


class Concentrator:
    """A level-controlled feed tank in front of a bank of cyclones at constant pressure."""

    def __init__(self, parameters: ConcentratorParameters, books: Books, water_c: float, adhering: float) -> None:
        """Clean, its pipe full of water. ``adhering``: share of the germs that stays with the solids."""
        self.p = parameters
        self._books = books
        self._adhering = adhering
        self.tank: Material = m.empty()
        self.pipe: Material = books.receive(m.water(parameters.pipe_kg, water_c))
        self.recovery = 0.0
        self.blocked_share = 0.0
        """Upset, 0..1: cyclones with a plugged tip. Their feed leaves over the top: white overflow, less milk."""
        self.pressure_share = 1.0
        """Upset, 0..1: what a worn pump still gives. The cut grows coarser: white overflow, thinner milk."""
        self.desander_is_full = False
        """Upset: nobody emptied the grit pot. Silt goes on with the starch: dark specks, gritty powder."""
        self._tuned_for = (-99.0, 1.0)
        self.grade_recovery = 0.0
        self.desander_share = caught_share(
            parameters.silt_um, parameters.silt_spread, parameters.desander_cut_um, parameters.desander_sharpness, 1.0
        )

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

    def _tune(self, temp_c: float) -> None:
        """Starch recovery at a temperature and pressure; only looked up anew when one of them has changed."""
        p = self.p
        at_c, at_share = self._tuned_for
        if abs(temp_c - at_c) < 0.5 and at_share == self.pressure_share:
            return
        self._tuned_for = (temp_c, self.pressure_share)
        held_c = min(60.0, max(0.0, temp_c))
        if p.settling_h > 0.0:
            cut_um = settling_cut_um(p.settling_h, p.settling_depth_m, held_c)
            settled = settled_share(p.granule_um, p.granule_spread, cut_um, p.settlings)
            self.grade_recovery = settled * (1.0 - p.top_layer_share)
            return
        pressure = max(0.01, self.pressure_share)
        # flow goes with the root of the pressure drop
        cut_um = cyclone_cut_um(p.cyclone_l_min * sqrt(pressure), p.cyclone_length_mm, p.cyclone_bar * pressure, held_c)
        self.grade_recovery = caught_share(
            p.granule_um, p.granule_spread, cut_um, p.cyclone_sharpness, p.cyclone_passes
        )

    def _separate(self, feed: Material, valve_pct: float) -> Material:
        """Underflow of one step."""
        p = self.p
        temp_c = m.temperature_c(feed, 15.0)
        self._tune(temp_c)
        working = 1.0 - self.blocked_share
        split = p.liquor_split_full * valve_pct / 100.0 * working
        liquor_kg = feed[m.WATER] * split
        spun = (1.0 - split) * working
        starch_kg = feed[m.FREE] * (split + spun * self.grade_recovery)
        # an underflow cannot get thicker than a rope; what finds no room leaves over the top
        starch_kg = min(starch_kg, liquor_kg * p.roping_starch_share / (1.0 - p.roping_starch_share))
        self.recovery = starch_kg / feed[m.FREE] if feed[m.FREE] > 1e-12 else 0.0
        coarse = split + spun * p.coarse_fibre_recovery
        under = m.empty()
        under[m.FREE] = starch_kg
        under[m.BOUND] = feed[m.BOUND] * coarse
        under[m.COARSE] = feed[m.COARSE] * coarse
        under[m.FINE] = feed[m.FINE] * (split + spun * p.fine_fibre_recovery)
        under[m.SOIL] = feed[m.SOIL] * working * (1.0 if self.desander_is_full else 1.0 - self.desander_share)
        under[m.WATER] = liquor_kg
        under[m.SOLUBLE] = feed[m.SOLUBLE] * split
        m.follow(under, feed, self._adhering)
        under[m.HEAT] = m.heat_capacity_kj_k(under) * temp_c
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
