"""Fan and air heater of the dryer: a burner behind a heat exchanger whose metal makes the lag."""

from __future__ import annotations

from dataclasses import dataclass

from simulator import material as m
from simulator.ledger import Books
from simulator.psychrometrics import CP_AIR_KJ_KG_K, CP_VAPOUR_KJ_KG_K, air_enthalpy_kj_kg


@dataclass(frozen=True)
class HeaterParameters:
    """Fan, burner and exchanger."""

    fan_full_kg_h: float
    fan_ramp_pct_s: float
    draught_kg_h: float
    fan_kw: float
    duct_pressure_pa: float
    rated_kw: float
    valve_exponent: float
    valve_ramp_pct_s: float
    valve_deadband_pct: float
    efficiency: float
    effectiveness: float
    metal_kj_k: float
    casing_kw_k: float
    cutout_c: float
    cutout_reset_k: float


class Heater:
    """Heats ambient air; a hard-wired thermostat cuts the burner when the metal gets too hot."""

    def __init__(self, parameters: HeaterParameters, ambient_c: float, books: Books) -> None:
        self.p = parameters
        self._books = books
        self.metal_c = ambient_c
        self.metal_start_c = ambient_c
        self.air_kg_s = 0.0  # dry air
        self.inlet_c = ambient_c
        self.fuel_kw = 0.0
        self.fan_kw = 0.0
        self.is_cut_out = False

    def step(
        self, fan_pct: float, valve_pct: float, powered: bool, ambient_c: float, humidity: float, dt_s: float
    ) -> None:
        """One step; leaves ``air_kg_s`` and ``inlet_c``.

        Args:
            humidity: of the ambient air [kg/kg dry].
        """
        p = self.p
        self.air_kg_s = max(p.fan_full_kg_h * fan_pct / 100.0, p.draught_kg_h) / 3600.0
        if self.metal_c > p.cutout_c:
            self.is_cut_out = True
        elif self.metal_c < p.cutout_c - p.cutout_reset_k:
            self.is_cut_out = False
        burning = powered and not self.is_cut_out and valve_pct > 0.0
        self.fuel_kw = p.rated_kw * (valve_pct / 100.0) ** p.valve_exponent if burning else 0.0
        useful_kw = p.efficiency * self.fuel_kw
        air_kw_k = self.air_kg_s * (CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity)
        exchange_kw_k = p.effectiveness * air_kw_k
        # implicit Euler: stable for any step and exact in energy
        rise_k = (p.metal_kj_k * (self.metal_c - ambient_c) + dt_s * useful_kw) / (
            p.metal_kj_k + dt_s * (exchange_kw_k + p.casing_kw_k)
        )
        self.metal_c = ambient_c + rise_k
        self.inlet_c = ambient_c + exchange_kw_k * rise_k / air_kw_k
        books = self._books
        books.heat_in_kj["fuel"] += self.fuel_kw * dt_s
        books.heat_out_kj["flue"] += (self.fuel_kw - useful_kw) * dt_s
        books.heat_out_kj["walls"] += p.casing_kw_k * rise_k * dt_s
        books.heat_in_kj["air"] += self.air_kg_s * air_enthalpy_kj_kg(ambient_c, humidity) * dt_s
        books.inflow[m.WATER] += self.air_kg_s * humidity * dt_s
        self.fan_kw = p.fan_kw * (fan_pct / 100.0) ** 3
        books.electricity(self.fan_kw * dt_s)

    @property
    def metal_held_kj(self) -> float:
        """Heat stored in the metal since the start."""
        return self.p.metal_kj_k * (self.metal_c - self.metal_start_c)
