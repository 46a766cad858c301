"""The simulator's drying section by itself: hopper, screw, heater with its loop, duct, cyclone, meters.

The wet end is replaced by what it does to the hopper: a peel of cake every cycle, each as wet as it happens to be, on
top of a slow wander and of a cloth that blinds. Machines and instruments are the simulator's own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from functools import cache

import numpy as np
from moisture_rig import Load, Meter, Reading

from linecontrol.control.moisture import MoistureSample
from linecontrol.control.pid import Pid, PidSettings, PidState
from simulator import material as m
from simulator.actuation import heater_valve
from simulator.ledger import Books
from simulator.machines.dryer import FlashDryer
from simulator.machines.exhaust import Exhaust
from simulator.machines.feeder import CakeHopper
from simulator.machines.heater import Heater
from simulator.machines.packing import Packing
from simulator.parameters import Parameters, default_parameters
from simulator.psychrometrics import Isotherm, humidity_kg_kg
from simulator.sensors import instrument_rows

FAN_PCT, SCREW_PCT = 50.0, 27.0
HOPPER_KG = 35.0
CAKE_C, CAKE_PCT = 17.0, 37.5
CYCLE_S, PEEL_S, GRADIENT = 190.0, 15.0, 0.03
BLINDING_PCT_H = 0.5
LOT_SD_PCT, LOT_TAU_S = 1.0, 1200.0  # slow wander of the cake: milk density, load of the centrifuge
BULK_SD, BULK_TAU_S = 0.04, 600.0  # slow wander of what the screw carries: bulk density
SETTLE_S = 7200
TIC_303 = PidSettings(
    k=0.9,
    ti_s=85.0,
    td_s=0.0,
    n=8.0,
    b=0.6,
    action="reverse",
    op_low=0.0,
    op_high=100.0,
    op_rate_up_per_s=2.0,
    op_rate_down_per_s=2.0,
)
SHOWN = {
    "moisture_pct_wb": "MT-306",
    "inlet_c": "TT-303",
    "outlet_c": "TT-304",
    "product_c": "TT-305",
    "cake_pct_wb": "MT-207",
    "feed_kg_h": "WT-302",
    "ambient_c": "TT-309",
    "ambient_rh_pct": "MT-310",
}


class SectionRig:
    """The drying section at work, in steps of one second. The meter for powder is taken as calibrated (no bias)."""

    name = "simulator"
    low_c, high_c = 60.0, 185.0

    def __init__(self, parameters: Parameters, seed: int | None, *, inlet_c: float, set_point: float) -> None:
        """Cold; ``seed`` None = nothing wanders, meters are exact."""
        p = self.p = parameters
        self.sample_s, self.set_point, self.inlet_c = 2.0, set_point, inlet_c
        books = Books()
        isotherm = Isotherm(p.isotherm)
        self._valve = heater_valve(p.heater)
        self._hopper, self._exhaust = CakeHopper(p.feeder, books), Exhaust(p.exhaust, books)
        self._heater = Heater(p.heater, p.site.ambient_c, books)
        self._dryer = FlashDryer(p.dryer, isotherm, p.site.ambient_c, books)
        self._packing = Packing(p.packing, isotherm, p.site.ambient_c, books)
        self._tic = Pid(TIC_303, PidState(out=30.0))
        self._sp_c, self.true_pct = inlet_c, math.nan
        self._mean_kg_h = p.feeder.screw_full_kg_h * SCREW_PCT / 100.0
        m.pour(self._hopper.cake, _cake(HOPPER_KG, CAKE_PCT))
        self._lagged: dict[str, float] = {}
        self._cycle_s, self._cake_seen, self._peel_pct, self._peel_kg_s = 0.0, CAKE_PCT, CAKE_PCT, 0.0
        self._fill = self._bulk = self._lot = self._amb = self._rh = 0.0
        self.hours = 0.0
        self.disturb(seed)

    def disturb(self, seed: int | None, run: int = 0) -> None:
        """Errors of meters and how much loads wander from the seed, the wandering itself from the run, from now on."""
        self.seed, self._quiet = seed, seed is None
        self._valve.stick = 0.0 if self._quiet else self.p.heater.valve_stick_pct
        self._valve.slide = 0.0 if self._quiet else self.p.heater.valve_slide_pct
        self._rng = np.random.default_rng([306, seed or 0])
        rows = {row.tag: row for row in instrument_rows()[0]}
        self._rows = {name: rows[tag] for name, tag in SHOWN.items()}
        self._draws, self._at = np.empty((0, 16)), 0
        errors = self._rng.normal(size=(2, len(SHOWN)))
        calibrated = {"moisture_pct_wb"}
        self._bias = {
            n: 0.0 if self._quiet or n in calibrated else row.bias_sd * errors[0, k]
            for k, (n, row) in enumerate(self._rows.items())
        }
        self._gain = {
            n: 1.0 if self._quiet or n in calibrated else 1.0 + row.gain_sd * errors[1, k]
            for k, (n, row) in enumerate(self._rows.items())
        }
        self.floor_sd = 0.0 if self._quiet else float(self._rng.uniform(0.6, 1.0))
        self.fill_sd = 0.0 if self._quiet else float(self._rng.uniform(0.02, 0.04))
        self._rng = np.random.default_rng([307, seed or 0, run])
        self.hours = 0.0

    @property
    def loads(self) -> tuple[Load, ...]:
        site, feeder = self.p.site, self.p.feeder
        cake, feed, air = self._rows["cake_pct_wb"], self._rows["feed_kg_h"], self._rows["ambient_c"]
        wanders = ((LOT_SD_PCT, LOT_TAU_S), (self.floor_sd, 0.5 * CYCLE_S), (1.0, 7200.0))
        return (
            Load("cake", 1.0, wanders, None, Meter(cake.noise_sd, cake.tau_s)),
            Load("feed", 0.02, ((self.fill_sd, feeder.screw_fill_tau_s), (BULK_SD, BULK_TAU_S)), None,
                 Meter(feed.noise_sd / self._mean_kg_h, feed.tau_s)),
            Load("air", 1.0, ((site.ambient_sd_k, site.ambient_tau_s),), None, Meter(air.noise_sd, air.tau_s)),
        )  # fmt: skip

    @property
    def nir_meter(self) -> Meter:
        row = self._rows["moisture_pct_wb"]
        return Meter(row.noise_sd, row.tau_s)

    def load_readings(self, sample: MoistureSample) -> dict[str, float]:
        return {
            "cake": sample.cake_pct_wb - CAKE_PCT,
            "feed": sample.feed_kg_h / self._mean_kg_h - 1.0,
            "air": sample.ambient_c - self.p.site.ambient_c,
        }

    def quiet(self) -> SectionRig:
        """The same, undisturbed and exact, at rest."""
        return settled(_key(self.p), self.inlet_c, self.set_point)

    def advance(self, inlet_sp_c: float, push: Mapping[str, float] | None = None) -> Reading:
        for _ in range(round(self.sample_s)):
            self._second(inlet_sp_c, push or {})
        return self._show(inlet_sp_c)

    def _normals(self) -> list[float]:
        if self._quiet:
            return [0.0] * 16
        if self._at >= len(self._draws):
            self._draws, self._at = self._rng.normal(size=(2048, 16)), 0
        self._at += 1
        return self._draws[self._at - 1].tolist()

    def _burst(self, n: list[float], push_pct: float) -> m.Material:
        """Cake of this second."""
        if self._quiet:
            self._cake_seen = CAKE_PCT + push_pct
            return _cake(self._hopper.rate_kg_s + (HOPPER_KG - self._hopper.mass_kg) / 600.0, self._cake_seen)
        if self._cycle_s <= 0.0:
            self._cycle_s = CYCLE_S
            slow = min(BLINDING_PCT_H * self.hours, 4.0) - 1.0 + self._lot
            self._peel_pct = CAKE_PCT + slow + self.floor_sd * n[6]
            kg = self._mean_kg_h * CYCLE_S / 3600.0 + 0.3 * (HOPPER_KG - self._hopper.mass_kg)
            self._peel_kg_s = max(0.0, kg) / PEEL_S
        self._cycle_s -= 1.0
        done = (CYCLE_S - self._cycle_s) / PEEL_S
        if done > 1.0:
            return m.empty()
        db = self._peel_pct / (100.0 - self._peel_pct) * (1.0 + GRADIENT * (1.0 - 2.0 * done))
        self._cake_seen = 100.0 * db / (1.0 + db) + push_pct
        return _cake(self._peel_kg_s, self._cake_seen)

    def _second(self, inlet_sp_c: float, push: Mapping[str, float]) -> None:
        p, n = self.p, self._normals()

        def wander(now: float, sd: float, tau_s: float, e: float) -> float:
            return 0.0 if self._quiet else now * (1.0 - 1.0 / tau_s) + sd * math.sqrt(2.0 / tau_s) * e

        self._fill = wander(self._fill, self.fill_sd, p.feeder.screw_fill_tau_s, n[0])
        self._bulk = wander(self._bulk, BULK_SD, BULK_TAU_S, n[3])
        self._lot = wander(self._lot, LOT_SD_PCT, LOT_TAU_S, n[1])
        self._amb = wander(self._amb, p.site.ambient_sd_k, p.site.ambient_tau_s, n[2])
        self._rh = wander(self._rh, p.site.humidity_sd_pct, p.site.ambient_tau_s, n[4])
        ambient_c, rh = p.site.ambient_c + self._amb + push.get("air", 0.0), p.site.ambient_humidity_pct + self._rh
        humidity = humidity_kg_kg(ambient_c, min(0.98, max(0.05, rh / 100.0)))
        dryer, packing = self._dryer, self._packing
        air_kg_s = self._exhaust.step(FAN_PCT, True, dryer.dust_kg, dryer.outlet_c, dryer.outlet_humidity, 1.0)
        self._sp_c += min(max(inlet_sp_c - self._sp_c, -1.0), 1.0)
        valve, _ = self._tic.step(self._sp_c, self._lagged.get("inlet_c", p.site.ambient_c) + 0.2 * n[5], 1.0)
        self._heater.step(air_kg_s, self._valve.drive(valve, 1.0), True, ambient_c, humidity, 1.0)
        cake = self._burst(n, push.get("cake", 0.0))
        fed = self._hopper.step(cake, SCREW_PCT, self._fill + self._bulk + push.get("feed", 0.0), air_kg_s, 1.0)
        powder = dryer.step(fed, air_kg_s, self._heater.inlet_c, humidity, ambient_c, 1.0, packing.spill_share)
        packing.step(powder, 0.0, True, dryer.outlet_c, ambient_c, 1.0)
        window_kg = m.mass_kg(packing.window)
        if window_kg > 1e-4:
            self.true_pct = 100.0 * packing.window[m.WATER] / window_kg
        self.hours += 1.0 / 3600.0
        now = {
            "moisture_pct_wb": self.true_pct,
            "inlet_c": self._heater.inlet_c,
            "outlet_c": dryer.outlet_c,
            "product_c": packing.cone_c,
            "cake_pct_wb": self._cake_seen,
            "feed_kg_h": self._hopper.rate_kg_s * 3600.0,
            "ambient_c": ambient_c,
            "ambient_rh_pct": rh,
        }
        for name, true in now.items():
            goal = true * self._gain[name] + self._bias[name]
            old = self._lagged.get(name, goal)
            old = goal if old != old else old
            self._lagged[name] = old + (goal - old) * (1.0 - math.exp(-1.0 / self._rows[name].tau_s))

    def _show(self, inlet_sp_c: float) -> Reading:
        n = self._normals()
        shown = {}
        for k, (name, row) in enumerate(self._rows.items()):
            value = self._lagged[name] + row.noise_sd * n[k]
            shown[name] = value if self._quiet else round(value / row.quantum) * row.quantum
        return Reading(MoistureSample(inlet_sp_c=inlet_sp_c, **shown), self.true_pct)


def _cake(kg: float, pct_wb: float) -> m.Material:
    cake = m.empty()
    cake[m.FREE], cake[m.WATER] = kg * (1.0 - pct_wb / 100.0), kg * pct_wb / 100.0
    cake[m.HEAT] = m.heat_capacity_kj_k(cake) * CAKE_C
    return cake


CHANGED = (
    ("dryer.exchange_kw_kg_k", 0.8),
    ("heater.metal_kj_k", 1.2),
    ("dryer.wall_kj_k", 1.2),
    ("packing.cyclone_tau_s", 1.2),
    ("packing.transport_s", 1.4),
)
Key = tuple[tuple[str, float], ...]


def parameters_of(key: Key) -> Parameters:
    """The shipped plant, with some parameters so many times larger."""
    shipped = default_parameters()
    changes = {}
    for name, factor in key:
        section, _, field = name.partition(".")
        changes[name] = factor * getattr(getattr(shipped, section), field)
    return shipped.with_values(changes)


def _key(p: Parameters) -> Key:
    return CHANGED if p.dryer.exchange_kw_kg_k != default_parameters().dryer.exchange_kw_kg_k else ()


@cache
def _settled(key: Key, inlet_c: float, set_point: float) -> SectionRig:
    rig = SectionRig(parameters_of(key), None, inlet_c=inlet_c, set_point=set_point)
    for _ in range(SETTLE_S // 2):
        rig.advance(inlet_c)
    return rig


def settled(key: Key, inlet_c: float, set_point: float) -> SectionRig:
    """Undisturbed and at rest at this inlet set point."""
    return copy.deepcopy(_settled(key, inlet_c, set_point))


@cache
def resting_inlet_c(set_point: float) -> float:
    """Inlet set point at which the undisturbed section makes powder of this moisture."""
    rig = SectionRig(parameters_of(()), None, inlet_c=96.0, set_point=set_point)
    inlet_c = 96.0
    for second in range(0, 14_400, 2):
        reading = rig.advance(inlet_c)
        if second > 1800 and second % 300 == 0:
            inlet_c += 4.0 * (reading.true_pct - set_point)
    return round(inlet_c, 1)
