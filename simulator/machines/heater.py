"""Air heater of the dryer: a burner behind a heat exchanger whose metal makes the lag."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from simulator import material as m
from simulator.ledger import Books
from simulator.psychrometrics import CP_AIR_KJ_KG_K, CP_VAPOUR_KJ_KG_K, air_enthalpy_kj_kg


@dataclass(frozen=True)
class HeaterParameters:
    """Burner and exchanger."""

    rated_kw: float
    valve_exponent: float
    valve_ramp_pct_s: float
    valve_stick_pct: float
    valve_slide_pct: float
    burner_dead_s: float
    purge_s: float
    efficiency: float
    effectiveness: float
    metal_kj_k: float
    casing_kw_k: float
    cutout_c: float
    cutout_reset_k: float


def step_metal(
    rise_k: float,
    useful_kw: float,
    air_kg_s: float,
    ambient_c: float,
    humidity: float,
    metal_kj_k: float,
    effectiveness: float,
    casing_kw_k: float,
    dt_s: float,
) -> tuple[float, float]:
    """One step of the exchanger: how far its metal is above the room then [K], and the air behind it [°C].

    Implicit Euler: stable for any step and exact in energy.

    Args:
        rise_k: of the metal above the room before. useful_kw: heat of the flame that it takes up.
        air_kg_s: dry air, > 0. humidity: of the ambient air [kg/kg dry].
    """
    air_kw_k = air_kg_s * (CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity)
    exchange_kw_k = effectiveness * air_kw_k
    risen_k = (metal_kj_k * rise_k + dt_s * useful_kw) / (metal_kj_k + dt_s * (exchange_kw_k + casing_kw_k))
    return risen_k, ambient_c + exchange_kw_k * risen_k / air_kw_k


class Heater:
    """Heats ambient air; a hard-wired thermostat cuts the burner when the metal gets too hot.

    After power comes on, or a lost flame is reset, the burner purges before it lights its pilot.

    Upsets:
        is_flame_out: the burner tripped. The inlet air cools with the metal's lag, the valve opens in vain.
        heating_value: 1 = good gas, 0.8 = every valve position gives a fifth less heat.
    """

    def __init__(self, parameters: HeaterParameters, ambient_c: float, books: Books) -> None:
        self.p = parameters
        self._books = books
        self.metal_c = ambient_c
        self.metal_start_c = ambient_c
        self.air_kg_s = 0.0  # dry air
        self.inlet_c = ambient_c
        self.fuel_kw = 0.0
        self.is_cut_out = False
        self.is_flame_out = False
        self.heating_value = 1.0
        self._clock_s = 0.0
        self._purge_left_s = parameters.purge_s
        self._burner_pct = 0.0
        self._on_the_way: deque[tuple[float, float]] = deque()  # when the burner feels it, valve position [%]

    def step(
        self, air_kg_s: float, valve_pct: float, powered: bool, ambient_c: float, humidity: float, dt_s: float
    ) -> None:
        """One step; leaves ``inlet_c``.

        Args:
            air_kg_s: dry air drawn through, > 0.
            humidity: of the ambient air [kg/kg dry].
        """
        p = self.p
        self.air_kg_s = air_kg_s
        self.fuel_kw = self._burn(valve_pct, powered, dt_s)
        useful_kw = p.efficiency * self.fuel_kw
        rise_k, self.inlet_c = step_metal(
            self.metal_c - ambient_c, useful_kw, air_kg_s, ambient_c, humidity, p.metal_kj_k, p.effectiveness,
            p.casing_kw_k, dt_s,
        )  # fmt: skip
        self.metal_c = ambient_c + rise_k
        books = self._books
        books.heat_in_kj["fuel"] += self.fuel_kw * dt_s
        books.heat_out_kj["flue"] += (self.fuel_kw - useful_kw) * dt_s
        books.heat_out_kj["walls"] += p.casing_kw_k * rise_k * dt_s
        books.heat_in_kj["air"] += air_kg_s * air_enthalpy_kj_kg(ambient_c, humidity) * dt_s
        books.inflow[m.WATER] += air_kg_s * humidity * dt_s

    def _burn(self, valve_pct: float, powered: bool, dt_s: float) -> float:
        """Fuel burnt [kW]: valve position some seconds ago, if there is a flame."""
        p = self.p
        self._clock_s += dt_s
        way = self._on_the_way
        way.append((self._clock_s + p.burner_dead_s, valve_pct))
        due_s = self._clock_s + 1e-9
        while way and way[0][0] <= due_s:
            self._burner_pct = way.popleft()[1]
        if self.metal_c > p.cutout_c:
            self.is_cut_out = True
        elif self.metal_c < p.cutout_c - p.cutout_reset_k:
            self.is_cut_out = False
        if not powered or self.is_flame_out or self.is_cut_out:
            self._purge_left_s = p.purge_s
            return 0.0
        if self._purge_left_s > 0.0:
            self._purge_left_s -= dt_s
            return 0.0
        return float(p.rated_kw * self.heating_value * (self._burner_pct / 100.0) ** p.valve_exponent)

    @property
    def metal_held_kj(self) -> float:
        """Heat stored in the metal since the start."""
        return self.p.metal_kj_k * (self.metal_c - self.metal_start_c)
