"""Flash dryers of many makes for tests of the moisture controller: none is the simulator's, none is tuned to.

Quasi-steady duct in slices (heat-limited above a critical moisture, then first-order towards a sorption limit), slow
walls, a heater with dead time and lag, a feed path after the cake meter, a cyclone, a conveyor to the moisture meter.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

NAN = math.nan


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


@dataclass
class Delay:
    """A pure delay of whole samples."""

    samples: int
    queue: deque[float] = field(default_factory=deque)

    def through(self, value: float) -> float:
        self.queue.append(value)
        return self.queue.popleft() if len(self.queue) > self.samples else self.queue[0]


class Dryer:
    """One dryer with its load, on a fixed step. ``step(inlet_sp)`` returns what the instruments show."""

    def __init__(self, make: Make, seed: int, dt_s: float = 1.0, inlet_c: float = 120.0) -> None:
        self.make, self.dt_s = make, dt_s
        self.rng = np.random.default_rng(seed)
        self.t_s = 0.0
        self.heat = self.heat2 = self.inlet = inlet_c
        self.wall = 0.0
        self.wall_c = inlet_c - 30.0
        self.cake_slow = self.rate_slow = self.unseen = 0.0
        self.cake_in, self.rate_in = make.cake_pct, make.feed_kg_h
        self.phase = self.rng.uniform(0, 1)
        self.cycle_s = 260.0
        n = lambda s: max(0, round(s / dt_s))  # noqa: E731
        self.heater, self.cake_path, self.rate_path = (
            Delay(n(make.heater_delay_s)),
            Delay(n(make.feed_delay_s)),
            Delay(n(make.feed_delay_s)),
        )
        self.conveyor = Delay(n(make.transport_s))
        self.cyclone: float | None = None
        self.nir = self.tin = self.tout = self.tp = NAN
        self.ambient_drift = 0.0
        self.truth_pct = NAN
        self.exit_pct = NAN

    def _ar(self, x: float, sd: float, tau_s: float) -> float:
        a = math.exp(-self.dt_s / tau_s)
        return a * x + sd * math.sqrt(1 - a * a) * self.rng.standard_normal()

    def duct(self, tin: float, cake_pct: float, feed_kg_h: float, humidity: float) -> tuple[float, float, float]:
        """Exit moisture [db], outlet air and product temperature [°C]."""
        m = self.make
        x = cake_pct / (100.0 - cake_pct)
        dry = feed_kg_h / 3600.0 * (1 - cake_pct / 100.0)
        air = m.air_kg_h / 3600.0
        cp = air * (1.006 + 1.88 * humidity)
        air_c = tin - m.wall_share * (tin - self.wall_c)
        slices = 8
        dt = m.residence_s / slices
        tw = 0.0
        tp = 20.0
        y = humidity
        for _ in range(slices):
            tw = 8.0 + 0.21 * air_c + 350.0 * y if air_c < 400 else 90.0
            tw = min(tw, air_c - 1.0)
            free = max(x - m.equilibrium_db, 0.0)
            drive = min(1.0, free / (m.critical_db - m.equilibrium_db))
            most = m.exchange * cp * (air_c - tw)
            k = m.kinetics_per_s * math.exp(0.012 * (air_c - 90.0))
            wanted = dry * k * free * dt / dt * 2550.0 * dt * 1.0
            q = min(most * (0.25 + 0.75 * drive), wanted)
            evap = q / 2550.0
            evap = min(evap, dry * free)
            x -= evap / dry
            y += evap / air
            air_c -= evap * 2550.0 / cp + dry * (1.25 + 4.18 * x) * 2.0 / cp
            tp = tw + (1 - drive) * (air_c - tw) * 0.6
        return x, air_c, tp

    def step(self, inlet_sp_c: float) -> dict[str, float]:
        m, dt, rng = self.make, self.dt_s, self.rng
        self.t_s += dt
        lag = lambda x, to, tau: to + (x - to) * math.exp(-dt / tau) if tau > 0 else to  # noqa: E731
        want = self.heater.through(inlet_sp_c)
        self.heat = lag(self.heat, want, m.heater_lag_s)
        self.heat2 = lag(self.heat2, self.heat, m.heater_lag2_s)
        self.inlet = self.heat2
        self.cake_slow = self._ar(self.cake_slow, m.cake_swing, 1200.0)
        self.rate_slow = self._ar(self.rate_slow, m.rate_swing, 500.0)
        self.unseen = self._ar(self.unseen, m.unseen_db, m.unseen_s)
        self.ambient_drift = self._ar(self.ambient_drift, 2.0, 7200.0)
        self.phase = (self.phase + dt / self.cycle_s) % 1.0
        if self.phase < dt / self.cycle_s:
            self.cycle_s = rng.uniform(200, 340)
        cake = m.cake_pct + self.cake_slow + m.sawtooth * (1 - 2 * self.phase)
        rate = m.feed_kg_h * (1 + self.rate_slow)
        cake_seen = cake + m.cake_sd * rng.standard_normal()
        rate_seen = rate * (1 + m.rate_rel_sd * rng.standard_normal())
        self.cake_in = lag(self.cake_in, self.cake_path.through(cake), m.feed_lag_s)
        self.rate_in = lag(self.rate_in, self.rate_path.through(rate), m.feed_lag_s)
        ambient = m.ambient_c + self.ambient_drift
        p = vapour_pa(ambient) * m.ambient_rh / 100.0
        humidity = 0.622 * p / (101325.0 - p)
        self.wall_c = lag(self.wall_c, self.inlet - 40.0, m.wall_s)
        x, air_c, tp = self.duct(self.inlet, self.cake_in, self.rate_in, humidity)
        x = max(0.001, x + self.unseen)
        air_c += self.unseen * 0.0
        self.exit_pct = 100.0 * x / (1 + x)
        self.cyclone = self.exit_pct if self.cyclone is None else lag(self.cyclone, self.exit_pct, m.cyclone_s)
        there = self.conveyor.through(self.cyclone)
        self.truth_pct = there
        start = math.isnan(self.nir)
        self.nir = there if start else lag(self.nir, there, m.nir_lag_s)
        self.tin = self.inlet if start else lag(self.tin, self.inlet, m.thermowell_s)
        self.tout = air_c if start else lag(self.tout, air_c, m.thermowell_s)
        self.tp = tp if start else lag(self.tp, tp, m.thermowell_s)
        g = lambda sd: sd * rng.standard_normal()  # noqa: E731
        nir = self.nir + g(m.nir_sd)
        if m.quantum:
            nir = round(nir / m.quantum) * m.quantum
        return {
            "t": self.t_s,
            "sp": inlet_sp_c,
            "inlet": self.tin + g(m.temp_sd),
            "outlet": self.tout + g(m.temp_sd),
            "product": self.tp + g(m.temp_sd),
            "nir": nir,
            "cake": cake_seen,
            "feed": rate_seen,
            "ambient": ambient + g(0.1),
            "rh": m.ambient_rh + g(0.5),
        }

    def steady_pct(self, inlet_c: float) -> float:
        """Exit moisture at nominal load and this inlet temperature."""
        m = self.make
        keep, self.wall_c = self.wall_c, inlet_c - 40.0
        p = vapour_pa(m.ambient_c) * m.ambient_rh / 100.0
        x, _, _ = self.duct(inlet_c, m.cake_pct, m.feed_kg_h, 0.622 * p / (101325.0 - p))
        self.wall_c = keep
        return 100.0 * x / (1 + x)

    def inlet_for(self, moisture_pct: float) -> float:
        lo, hi = 60.0, 260.0
        for _ in range(60):
            mid = 0.5 * (lo + hi)
            lo, hi = (mid, hi) if self.steady_pct(mid) > moisture_pct else (lo, mid)
        return 0.5 * (lo + hi)
