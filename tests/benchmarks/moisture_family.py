"""A family of flash dryers written down from their physics, kept apart from the simulator and the tests' plants.

Duct in plug flow, dX/dt = -k(T, X)(min(X, Xc) - Xe(T, RH)) with an Arrhenius k, the gas side's heat balance and a wall
that stores heat. Around it (``moisture_family_rig.py``): a heater that follows its set point with dead time and two
lags, a cake meter some way upstream and a mixing screw; cyclone, conveyor and the moisture meter. Loads: cake moisture
(autoregression and the centrifuge's sawtooth), feed rate, ambient air, and the powder's own kinetics, which nobody
measures. Ranges: flash dryers of starch as published; gains of about -0.05 to -0.25 % wb per K.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

SLICES = 14
SHARES = tuple(1.3**n * 0.3 / (1.3**SLICES - 1.0) for n in range(SLICES))  # of the contact time, short at first
BULB_C = 37.0  # of the wet powder while its surface is wet
STRUCTURES = (
    "usual",
    "bad-outlet",  # noisy, slow, drifting outlet thermometer
    "slow-heater",  # 150-180 s, and a limit on how fast it warms
    "biased-cake",  # cake meter 1.5 % wb off, noisier
    "far-cake",  # cake meter three minutes upstream, hopper between
    "no-outlet",
    "no-cake",
    "usual",
)
GAS, CP_AIR, CP_VAPOUR, CP_WATER, CP_STARCH, LATENT = 8.314, 1.006, 1.88, 4.18, 1.25, 2501.0


@dataclass(frozen=True)
class Dryer:
    """What one dryer is. Times in s, flows in kg/h, moistures in % wb unless named db."""

    structure: str
    sample_s: float
    set_point: float
    inlet_c: float
    cake_pct: float
    feed_kg_h: float
    air_per_solid: float
    false_air: float  # share of cold air drawn in behind the inlet's thermometer
    residence_s: float
    k_1_s: float  # at 80 °C
    activation_j_mol: float
    critical_db: float
    curve: float  # diffusivity falls with this power of the free moisture
    wall_share: float  # heat to the wall, K of air per K over the wall
    wall_s: float
    heater_dead_s: float
    heater_s: float
    servo_s: float
    heater_k_s: float  # fastest change of the inlet air
    cake_way_s: float
    mix_s: float
    feed_way_s: float
    cyclone_s: float
    transport_s: float
    nir_s: float
    nir_sd: float
    outlet_s: float
    outlet_sd: float
    outlet_drift_k_h: float
    cake_sd: float
    cake_tau_s: float
    saw_pct: float
    saw_s: float
    cake_meter_sd: float
    cake_meter_bias: float
    feed_sd: float
    feed_tau_s: float
    feed_meter_sd: float
    kinetics_sd: float
    kinetics_tau_s: float
    ambient_sd_k: float

    def changed(self) -> Dryer:
        """Kinetics 20 % slower, lags 20 % longer, the way to the meter 40 %."""
        lags = {
            name: 1.2 * getattr(self, name)
            for name in ("wall_s", "heater_s", "servo_s", "mix_s", "cyclone_s", "nir_s", "outlet_s")
        }
        return replace(self, k_1_s=0.8 * self.k_1_s, transport_s=1.4 * self.transport_s, **lags)


def equilibrium_db(air_c: float, humidity: float) -> float:
    """Oswin-like isotherm of a starch [kg/kg]; water activity held to 0.95."""
    saturated = 610.94 * math.exp(17.625 * air_c / (243.04 + air_c))
    activity = min(0.95, 101_325.0 * humidity / (0.622 + humidity) / saturated)
    return 0.115 * (activity / (1.0 - activity)) ** 0.36 * max(0.3, 1.0 - 0.004 * (air_c - 25.0))


def duct(
    d: Dryer, inlet_c: float, cake_db: float, feed_share: float, wall_c: float, ambient: tuple[float, float], k: float
) -> tuple[float, float, float]:
    """Powder moisture [kg/kg], outlet air [°C], heat to the wall [K of air]. ``k``: kinetics over nominal."""
    ambient_c, humidity = ambient
    air = d.air_per_solid / feed_share
    inlet_c += d.false_air * (ambient_c - inlet_c)
    x, y = cake_db, humidity
    t = inlet_c - (CP_STARCH + CP_WATER * x) * (BULB_C - ambient_c) / (air * (CP_AIR + CP_VAPOUR * y))
    to_wall = d.wall_share / SLICES
    hot_k = inlet_c - BULB_C
    given = 0.0
    for share in SHARES:
        step_s = share * d.residence_s
        rate = k * d.k_1_s * math.exp(-d.activation_j_mol / GAS * (1.0 / (t + 273.15) - 1.0 / 353.15))
        bound = equilibrium_db(t, y)
        driving = min(x, d.critical_db) - bound
        if driving > 0.0:
            rate *= (driving / max(d.critical_db - bound, 0.05)) ** d.curve
        cp = CP_AIR + CP_VAPOUR * y
        lost = (t - wall_c) * to_wall / (1.0 + to_wall)
        # heat comes from the air alone: what is left of its fall to the wet bulb drives the drying
        rate *= max(0.0, t - BULB_C) / hot_k
        most = 0.7 * max(0.0, t - BULB_C) * air * cp / LATENT
        dx = min(driving * (1.0 - math.exp(-rate * step_s)), most)
        x -= dx
        y += dx / air
        t -= dx * (LATENT + CP_VAPOUR * t - CP_WATER * BULB_C) / (air * cp) + lost
        given += lost
    return x, t, given


def draw_dryer(seed: int) -> Dryer:
    """A dryer of the family; its structure goes round with the seed."""
    rng = np.random.default_rng([2024, seed])
    structure = STRUCTURES[seed % len(STRUCTURES)]

    def u(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    d = Dryer(
        structure=structure,
        sample_s=(1.0, 2.0, 5.0, 2.0)[seed % 4],
        set_point=round(u(12.5, 13.0), 1),
        inlet_c=u(110.0, 160.0),
        cake_pct=u(36.5, 40.0),
        feed_kg_h=u(120.0, 500.0),
        air_per_solid=u(12.0, 22.0),
        false_air=max(0.0, u(-0.3, 0.5)),
        residence_s=u(2.0, 5.0),
        k_1_s=1.0,
        activation_j_mol=u(20e3, 32e3),
        critical_db=u(0.25, 0.35),
        curve=u(0.0, 4.5),
        wall_share=u(0.06, 0.12),
        wall_s=u(600.0, 1800.0),
        heater_dead_s=u(2.0, 10.0),
        heater_s=u(60.0, 120.0),
        servo_s=u(5.0, 15.0),
        heater_k_s=math.inf,
        cake_way_s=u(20.0, 90.0),
        mix_s=u(10.0, 60.0),
        feed_way_s=u(3.0, 15.0),
        cyclone_s=u(5.0, 35.0),
        transport_s=u(30.0, 90.0),
        nir_s=u(2.0, 10.0),
        nir_sd=u(0.2, 0.3),
        outlet_s=u(10.0, 30.0),
        outlet_sd=0.2,
        outlet_drift_k_h=0.0,
        cake_sd=u(0.8, 1.3),
        cake_tau_s=u(600.0, 1500.0),
        saw_pct=u(0.3, 1.0),
        saw_s=u(180.0, 360.0),
        cake_meter_sd=u(0.3, 0.5),
        cake_meter_bias=u(-0.3, 0.3),
        feed_sd=u(0.03, 0.05),
        feed_tau_s=u(200.0, 1200.0),
        feed_meter_sd=u(0.01, 0.02),
        kinetics_sd=u(0.01, 0.03),
        kinetics_tau_s=u(1200.0, 3600.0),
        ambient_sd_k=u(1.0, 3.0),
    )
    if structure == "bad-outlet":
        d = replace(d, outlet_sd=1.5, outlet_s=60.0, outlet_drift_k_h=u(-0.5, 0.5))
    elif structure == "slow-heater":
        d = replace(d, heater_s=u(150.0, 180.0), heater_k_s=0.3)
    elif structure == "biased-cake":
        d = replace(d, cake_meter_bias=1.5 if rng.uniform() < 0.5 else -1.5, cake_meter_sd=0.8)
    elif structure == "far-cake":
        d = replace(d, cake_way_s=180.0, mix_s=240.0)
    return _at_set_point(d, float(rng.normal(0.0, 0.3)))


def _at_set_point(d: Dryer, off_pct: float) -> Dryer:
    """Kinetics such that the powder leaves near the set point; drawn air flows that cannot dry it are made larger."""
    aim = (d.set_point + off_pct) / (100.0 - d.set_point - off_pct)
    cake = d.cake_pct / (100.0 - d.cake_pct)
    while True:
        low, high = 0.01, 100.0
        for _ in range(60):
            middle = math.sqrt(low * high)
            trial = replace(d, k_1_s=middle)
            x, _, _ = duct(trial, d.inlet_c, cake, 1.0, resting_wall_c(trial), AMBIENT, 1.0)
            low, high = (middle, high) if x > aim else (low, middle)
        if high < 8.0:
            return replace(d, k_1_s=math.sqrt(low * high))
        d = replace(d, air_per_solid=1.05 * d.air_per_solid, inlet_c=d.inlet_c + 3.0)


AMBIENT, WALL_LOSES = (18.0, 0.0078), 0.3


def resting_wall_c(d: Dryer) -> float:
    """Where the wall settles: it loses ``WALL_LOSES`` of what it takes per kelvin."""
    wall_c = AMBIENT[0] + 30.0
    cake_db = d.cake_pct / (100.0 - d.cake_pct)
    for _ in range(12):
        _, _, given = duct(d, d.inlet_c, cake_db, 1.0, wall_c, AMBIENT, 1.0)
        wall_c += 0.7 * (given / d.wall_share - WALL_LOSES * (wall_c - AMBIENT[0]))
    return wall_c
