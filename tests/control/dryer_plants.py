"""Flash dryers of many makes for tests of the moisture controller: none is the simulator's, none is tuned to.

Quasi-steady duct in slices (heat-limited above a critical moisture, then first-order towards a sorption limit), slow
walls, a heater with dead time and lag, a feed path after the cake meter, a cyclone, a conveyor to the moisture meter.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from linecontrol.control.moisture import MoistureController, MoistureSample

NAN = math.nan
SLICES, LATENT = 8, 2550.0  # of the duct; heat of evaporation [kJ/kg]


@dataclass(frozen=True)
class Make:
    """Parameters of one dryer. Times [s], temperatures [°C], rates [kg/h], moistures [% wb or kg/kg db]."""

    air_kg_h: float = 2600.0
    heater_delay_s: float = 6.0
    heater_lag_s: float = 80.0
    heater_lag2_s: float = 5.0
    wall_share: float = 0.15  # of the inlet's excess over ambient that the walls take when cold
    wall_s: float = 700.0
    kinetics_per_s: float = 1.1
    residence_s: float = 3.0
    critical_db: float = 0.28
    equilibrium_db: float = 0.04
    exchange: float = 0.42  # share of the air's drive that a slice gives, at the nominal air-to-solid ratio
    feed_delay_s: float = 12.0
    feed_lag_s: float = 8.0
    cyclone_s: float = 25.0
    transport_s: float = 45.0
    nir_lag_s: float = 5.0
    nir_sd: float = 0.2
    cake_sd: float = 0.25
    rate_rel_sd: float = 0.015
    temp_sd: float = 0.2
    thermowell_s: float = 12.0
    feed_kg_h: float = 300.0
    cake_pct: float = 39.0
    cake_swing: float = 1.5  # sd of the slow part [% wb]
    sawtooth: float = 1.0  # half height [% wb]
    rate_swing: float = 0.05  # relative sd
    unseen_db: float = 0.004  # sd of what no meter sees, in product moisture
    unseen_s: float = 1500.0
    ambient_c: float = 15.0
    ambient_rh: float = 70.0
    quantum: float = 0.01  # of the moisture meter

    def changed(self, kinetics: float = 0.8, lags: float = 1.2, transport: float = 1.4) -> Make:
        """The same dryer some years later."""
        return replace(
            self,
            kinetics_per_s=self.kinetics_per_s * kinetics,
            heater_lag_s=self.heater_lag_s * lags,
            cyclone_s=self.cyclone_s * lags,
            feed_lag_s=self.feed_lag_s * lags,
            transport_s=self.transport_s * transport,
        )


def vapour_pa(temp_c: float) -> float:
    """Magnus."""
    return 610.9 * math.exp(17.62 * temp_c / (243.12 + temp_c))


def humidity(temp_c: float, rh_pct: float) -> float:
    """[kg/kg dry air]."""
    p = vapour_pa(temp_c) * rh_pct / 100.0
    return 0.622 * p / (101_325.0 - p)


@dataclass
class Delay:
    """A pure delay of whole samples."""

    samples: int
    queue: deque[float] = field(default_factory=deque)

    def through(self, value: float) -> float:
        self.queue.append(value)
        return self.queue.popleft() if len(self.queue) > self.samples else self.queue[0]


class Dryer:
    """One dryer with its load, on a fixed step."""

    def __init__(self, make: Make, seed: int, dt_s: float = 1.0, inlet_c: float = 120.0) -> None:
        self.make, self.dt_s = make, dt_s
        self.rng = np.random.default_rng(seed)
        self.t_s = 0.0
        self.heat = self.inlet = inlet_c
        self.wall_c = inlet_c - 30.0
        self.cake_slow = self.rate_slow = self.unseen = 0.0
        self.cake_in, self.rate_in = make.cake_pct, make.feed_kg_h
        self.phase, self.cycle_s = self.rng.uniform(0, 1), 260.0
        self.heater = Delay(round(make.heater_delay_s / dt_s))
        self.cake_path, self.rate_path = (Delay(round(make.feed_delay_s / dt_s)) for _ in range(2))
        self.conveyor = Delay(round(make.transport_s / dt_s))
        self.cyclone = self.nir = self.inlet_seen = self.outlet_seen = self.product_seen = NAN
        self.ambient_drift, self.truth_pct = 0.0, NAN

    def _ar(self, x: float, sd: float, tau_s: float) -> float:
        a = math.exp(-self.dt_s / tau_s)
        return a * x + sd * math.sqrt(1 - a * a) * self.rng.standard_normal()

    def duct(self, inlet_c: float, cake_pct: float, feed_kg_h: float, humidity: float) -> tuple[float, float, float]:
        """Exit moisture [db], outlet air and product temperature [°C]."""
        m = self.make
        x = cake_pct / (100.0 - cake_pct)
        dry = feed_kg_h / 3600.0 * (1.0 - cake_pct / 100.0)
        air = m.air_kg_h / 3600.0
        cp = air * (1.006 + 1.88 * humidity)
        air_c = inlet_c - m.wall_share * (inlet_c - self.wall_c)
        y, product_c = humidity, 20.0
        for _ in range(SLICES):
            wet_bulb_c = min(8.0 + 0.21 * air_c + 350.0 * y, air_c - 1.0)  # a straight line will do between 30 and 160
            free = max(x - m.equilibrium_db, 0.0)
            drive = min(1.0, free / (m.critical_db - m.equilibrium_db))
            by_heat = m.exchange * cp * (air_c - wet_bulb_c) * (0.25 + 0.75 * drive) / LATENT
            by_kinetics = dry * m.kinetics_per_s * math.exp(0.012 * (air_c - 90.0)) * free * m.residence_s / SLICES
            evaporated = min(by_heat, by_kinetics, dry * free)
            x -= evaporated / dry
            y += evaporated / air
            air_c -= (evaporated * LATENT + dry * (1.25 + 4.18 * x) * 2.0) / cp
            product_c = wet_bulb_c + (1.0 - drive) * (air_c - wet_bulb_c) * 0.6
        return x, air_c, product_c

    def _lag(self, x: float, to: float, tau_s: float) -> float:
        return to + (x - to) * math.exp(-self.dt_s / tau_s)

    def _load(self) -> tuple[float, float]:
        """Cake moisture [% wb] and feed rate [kg/h] as they are at their meters."""
        m, dt = self.make, self.dt_s
        self.cake_slow = self._ar(self.cake_slow, m.cake_swing, 1200.0)
        self.rate_slow = self._ar(self.rate_slow, m.rate_swing, 500.0)
        self.phase = (self.phase + dt / self.cycle_s) % 1.0
        if self.phase < dt / self.cycle_s:
            self.cycle_s = self.rng.uniform(200.0, 340.0)
        cake = m.cake_pct + self.cake_slow + m.sawtooth * (1.0 - 2.0 * self.phase)
        return cake, m.feed_kg_h * (1.0 + self.rate_slow)

    def step(self, inlet_sp_c: float) -> dict[str, float]:
        """One step with this inlet set point; what the instruments show then, by the record's names."""
        m, noise = self.make, self.rng.standard_normal(9)
        self.t_s += self.dt_s
        self.heat = self._lag(self.heat, self.heater.through(inlet_sp_c), m.heater_lag_s)
        self.inlet = self._lag(self.inlet, self.heat, m.heater_lag2_s)
        self.unseen = self._ar(self.unseen, m.unseen_db, m.unseen_s)
        self.ambient_drift = self._ar(self.ambient_drift, 2.0, 7200.0)
        cake, rate = self._load()
        self.cake_in = self._lag(self.cake_in, self.cake_path.through(cake), m.feed_lag_s)
        self.rate_in = self._lag(self.rate_in, self.rate_path.through(rate), m.feed_lag_s)
        ambient_c = m.ambient_c + self.ambient_drift
        self.wall_c = self._lag(self.wall_c, self.inlet - 40.0, m.wall_s)
        x, air_c, product_c = self.duct(self.inlet, self.cake_in, self.rate_in, humidity(ambient_c, m.ambient_rh))
        x = max(0.001, x + self.unseen)
        exit_pct = 100.0 * x / (1.0 + x)
        if math.isnan(self.nir):
            self.cyclone = self.nir = exit_pct
            self.inlet_seen, self.outlet_seen, self.product_seen = self.inlet, air_c, product_c
        self.cyclone = self._lag(self.cyclone, exit_pct, m.cyclone_s)
        self.truth_pct = self.conveyor.through(self.cyclone)
        self.nir = self._lag(self.nir, self.truth_pct, m.nir_lag_s)
        self.inlet_seen = self._lag(self.inlet_seen, self.inlet, m.thermowell_s)
        self.outlet_seen = self._lag(self.outlet_seen, air_c, m.thermowell_s)
        self.product_seen = self._lag(self.product_seen, product_c, m.thermowell_s)
        return {
            "time_s": self.t_s,
            "inlet_sp_c": inlet_sp_c,
            "inlet_c": self.inlet_seen + m.temp_sd * noise[0],
            "outlet_c": self.outlet_seen + m.temp_sd * noise[1],
            "product_c": self.product_seen + m.temp_sd * noise[2],
            "moisture_pct_wb": round((self.nir + m.nir_sd * noise[3]) / m.quantum) * m.quantum,
            "cake_pct_wb": cake + m.cake_sd * noise[4],
            "feed_kg_h": rate * (1.0 + m.rate_rel_sd * noise[5]),
            "ambient_c": ambient_c + 0.1 * noise[6],
            "ambient_rh_pct": m.ambient_rh + 0.5 * noise[7],
        }

    def steady_pct(self, inlet_c: float) -> float:
        """Exit moisture at the nominal load and this inlet temperature [% wb]."""
        m, kept = self.make, self.wall_c
        self.wall_c = inlet_c - 40.0
        x, _, _ = self.duct(inlet_c, m.cake_pct, m.feed_kg_h, humidity(m.ambient_c, m.ambient_rh))
        self.wall_c = kept
        return 100.0 * x / (1.0 + x)

    def inlet_for(self, moisture_pct: float) -> float:
        """Inlet temperature that gives this moisture at the nominal load [°C]."""
        low, high = 60.0, 260.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.steady_pct(middle) > moisture_pct else (low, middle)
        return 0.5 * (low + high)


MAKES = {
    "heat-limited": Make(),
    "mixed": Make(air_kg_h=3600.0, kinetics_per_s=0.55, exchange=0.35, feed_kg_h=280.0),
    "kinetics-limited": Make(air_kg_h=4800.0, kinetics_per_s=0.34, exchange=0.4, feed_kg_h=260.0, residence_s=3.5),
    "weak": Make(
        air_kg_h=5200.0,
        kinetics_per_s=0.7,
        exchange=0.4,
        feed_kg_h=200.0,
        residence_s=3.5,
        equilibrium_db=0.11,
        critical_db=0.35,
    ),
}
AIM = 13.0  # moisture they are run at [% wb]


def record(
    make: Make, seed: int, *, hours: float = 4.0, dt_s: float = 2.0, step_k: float = 8.0
) -> dict[str, np.ndarray]:
    """Normal running without control and one step of the inlet set point, held 40 min."""
    at_c = Dryer(make, seed, dt_s).inlet_for(AIM)
    dryer = Dryer(make, seed, dt_s, inlet_c=at_c)
    start_s = 0.6 * hours * 3600.0
    rows = []
    for k in range(int(hours * 3600.0 / dt_s)):
        stepped = start_s <= k * dt_s < start_s + 2400.0
        rows.append(dryer.step(at_c + step_k if stepped else at_c))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@dataclass
class Course:
    """How a run went. Errors are of the true moisture at the meter against the set point [% wb]."""

    errors: list[float] = field(default_factory=list)
    inlet_sp_c: list[float] = field(default_factory=list)
    flags: list[tuple[str, ...]] = field(default_factory=list)
    estimates: list[tuple[float, float, float]] = field(default_factory=list)  # estimate, its u, truth

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(np.square(self.errors))))

    @property
    def outside(self) -> float:
        """Share of time further than 1 % wb from the set point."""
        return float(np.mean(np.abs(self.errors) > 1.0))

    def flagged(self, name: str) -> int:
        return sum(name in row for row in self.flags)


def drive(
    dryer: Dryer,
    controller: MoistureController | None,
    minutes: float,
    *,
    start_c: float,
    warm_min: float = 15.0,
    meddle: Callable[[float, dict[str, float], MoistureController | None], None] | None = None,
) -> Course:
    """Run a dryer, with ``meddle(t_s, readings, controller)`` before each scan; the first ``warm_min`` do not count."""
    course, inlet_c, dt = Course(), start_c, dryer.dt_s
    for k in range(int((minutes + warm_min) * 60.0 / dt)):
        row = dryer.step(inlet_c)
        t_s = k * dt - warm_min * 60.0
        if meddle is not None:
            meddle(t_s, row, controller)
        if controller is not None:
            out = controller.step(MoistureSample(**{name: v for name, v in row.items() if name != "time_s"}), dt)
            inlet_c = out.inlet_sp_c
            if t_s >= 0.0:
                course.flags.append(out.flags)
                course.estimates.append((out.estimate_pct_wb, out.estimate_u_pct, dryer.truth_pct))
        if t_s >= 0.0:
            course.errors.append(dryer.truth_pct - AIM)
            course.inlet_sp_c.append(inlet_c)
    return course
