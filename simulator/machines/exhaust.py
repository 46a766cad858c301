"""Bag filter and suction fan: how much air the fan moves against duct and filter, and what dust is left in it.

Pressures are in balance at every moment (a duct fills in a fraction of a second)::

    head * n^2 = duct * q^2 + filter * q        q = air flow, n = fan speed, both relative to full

Duct and cyclone resist with the square of the flow, the filter cloth and its dust cake in proportion to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

from simulator.ledger import Books
from simulator.psychrometrics import humid_volume_m3_kg


@dataclass(frozen=True)
class ExhaustParameters:
    """Fan, duct resistance and bag filter."""

    fan_full_kg_h: float
    fan_ramp_pct_s: float
    fan_coast_tau_s: float
    draught_kg_h: float
    fan_kw: float
    fan_head_pa: float
    duct_loss_pa: float
    duct_pressure_pa: float
    pressure_tau_s: float
    cloth_loss_pa: float
    cake_loss_pa: float
    cake_kg: float
    start_load: float
    pulse_tau_s: float
    penetration: float


def fan_flow(speed: float, cloth_pa: float, duct_loss_pa: float, fan_head_pa: float) -> float:
    """Air flow where fan, duct and filter are in balance; flow and speed relative to full."""
    return (sqrt(cloth_pa * cloth_pa + 4.0 * duct_loss_pa * fan_head_pa * speed * speed) - cloth_pa) / (
        2.0 * duct_loss_pa
    )


class Exhaust:
    """Fan and filter behind the cyclone.

    Upsets:
        belt_slip: 0..1 of the fan's speed lost. Air flow and suction fall at the same speed command.
        filter_tear: 0..1 of the air that passes through a hole. Pressure drop falls, dust in the clean air rises.
        filter_blinding: 1 = good cloth, 3 = wet or greasy. Pressure drop rises, air flow falls.
        pulse_air: False = no compressed air, the cake on the bags grows with every hour of powder.
    """

    def __init__(self, parameters: ExhaustParameters, books: Books) -> None:
        self.p = parameters
        self._books = books
        self.belt_slip = 0.0
        self.filter_tear = 0.0
        self.filter_blinding = 1.0
        self.pulse_air = True
        self.load = parameters.start_load  # dust cake on the bags, 1 = design
        self.air_kg_s = 0.0  # dry air
        self.duct_pa = 0.0
        self.filter_pa = 0.0
        self.dust_g_m3 = 0.0  # in the air behind the filter
        self.raw_dust_g_m3 = 0.0  # in the air before it

    def step(
        self, fan_pct: float, powered: bool, dust_kg: float, outlet_c: float, outlet_humidity: float, dt_s: float
    ) -> float:
        """One step; returns the dry air moved [kg/s].

        Args:
            powered: the station runs, its pulse valves work.
            dust_kg: powder the cyclone let go in the last step.
            outlet_c, outlet_humidity: air behind the cyclone.
        """
        p = self.p
        speed = fan_pct / 100.0 * (1.0 - self.belt_slip)
        whole = 1.0 - self.filter_tear
        cloth_pa = (p.cloth_loss_pa * self.filter_blinding + p.cake_loss_pa * self.load) * whole
        flow = fan_flow(speed, cloth_pa, p.duct_loss_pa, p.fan_head_pa)
        air_kg_s = self.air_kg_s = max(p.fan_full_kg_h * flow, p.draught_kg_h) / 3600.0
        self.filter_pa = cloth_pa * flow
        self.duct_pa += (p.duct_pressure_pa * flow * flow - self.duct_pa) * (1.0 - exp(-dt_s / p.pressure_tau_s))
        if dust_kg > 0.0:
            volume_m3 = air_kg_s * dt_s * humid_volume_m3_kg(outlet_c, outlet_humidity)
            self.raw_dust_g_m3 = 1000.0 * dust_kg / volume_m3
            self.dust_g_m3 = self.raw_dust_g_m3 * (p.penetration * whole + self.filter_tear)
            self.load += dust_kg * whole / p.cake_kg
        else:
            self.dust_g_m3 = self.raw_dust_g_m3 = 0.0
        if powered and self.pulse_air:
            self.load -= self.load * dt_s / p.pulse_tau_s
        self._books.electricity(p.fan_kw * speed * speed * speed * dt_s)
        return air_kg_s
