"""Wet-cake hopper, feed screw and flash dryer.

The flash duct holds its powder for two or three seconds, so its profile is solved as quasi-steady plug flow in slices;
the slow states are the duct walls. In each slice the surface dries against the wet bulb (gas side, constant rate), and
below the critical moisture in proportion to the distance from the sorption isotherm. Particle temperature follows from
the same drying curve, so it lies between wet bulb and air. Heat and water balance exactly in every slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material
from simulator.psychrometrics import (
    CP_AIR_KJ_KG_K,
    CP_LIQUID_KJ_KG_K,
    CP_VAPOUR_KJ_KG_K,
    LATENT_0C_KJ_KG,
    Isotherm,
    air_enthalpy_kj_kg,
    water_activity,
    wet_bulb_c,
)

_WALL_NODES = 3
_SLICES_PER_NODE = 4


@dataclass(frozen=True)
class DryerParameters:
    """Cake hopper, feed screw, flash duct and cyclone."""

    hopper_kg: float
    screw_full_kg_h: float
    screw_ramp_pct_s: float
    screw_tail_kg: float
    screw_fill_sd: float
    screw_fill_tau_s: float
    screw_kw: float
    minimum_air_kg_h: float
    exchange_kw_kg_k: float
    critical_moisture_db: float
    curve_exponent: float
    residence_s: float
    residence_air_kg_h: float
    longest_residence_s: float
    wall_kj_k: float
    wall_inside_kw_k: float
    wall_outside_kw_k: float
    dust_share: float


class CakeHopper:
    """Mixed wet-cake hopper and the screw that feeds the dryer."""

    def __init__(self, parameters: DryerParameters, books: Books) -> None:
        self.p = parameters
        self._books = books
        self.cake: Material = m.empty()
        self.mass_kg = 0.0
        self.rate_kg_s = 0.0

    @property
    def room_kg(self) -> float:
        """What the hopper can still take."""
        return self.p.hopper_kg - self.mass_kg

    def step(self, cake: Material, screw_pct: float, filling: float, air_kg_s: float, dt_s: float) -> Material:
        """One step; returns cake fed to the duct, nothing while the air is too slow to lift it."""
        m.pour(self.cake, cake)
        self.mass_kg = m.mass_kg(self.cake)
        fed = m.empty()
        self.rate_kg_s = 0.0
        lifts = air_kg_s * 3600.0 >= self.p.minimum_air_kg_h
        if lifts and screw_pct > 0.0 and self.mass_kg > 1e-9:
            tail = self.mass_kg / (self.mass_kg + self.p.screw_tail_kg)
            wanted_kg = self.p.screw_full_kg_h / 3600.0 * screw_pct / 100.0 * (1.0 + filling) * tail * dt_s
            share = min(1.0, wanted_kg / self.mass_kg)
            fed = m.draw(self.cake, share)
            self.rate_kg_s = self.mass_kg * share / dt_s
            self.mass_kg *= 1.0 - share
        self._books.electricity(self.p.screw_kw * screw_pct / 100.0 * dt_s)
        return fed


class FlashDryer:
    """Flash duct and cyclone; returns powder, keeps only wall heat."""

    def __init__(self, parameters: DryerParameters, isotherm: Isotherm, ambient_c: float, books: Books) -> None:
        self.p = parameters
        self._isotherm = isotherm
        self._books = books
        self.walls_c = [ambient_c] * _WALL_NODES
        self._walls_start_c = ambient_c
        self.outlet_c = ambient_c
        self.outlet_humidity = 0.0
        self.wet_bulb_c = ambient_c
        self.product_c = ambient_c
        self.equilibrium_db = 0.0
        self.moisture_db = 0.0
        self.evaporation_kg_s = 0.0
        self.evaporated_kg = 0.0

    def step(
        self, cake: Material, air_kg_s: float, inlet_c: float, humidity: float, ambient_c: float, dt_s: float
    ) -> Material:
        """One step of the duct; returns the powder that reaches the cyclone.

        Args:
            air_kg_s: dry air.
            humidity: of the inlet air [kg/kg dry].
        """
        p = self.p
        solids_kg = m.dry_kg(cake)
        wall_heat_kj = [0.0] * _WALL_NODES
        powder = cake
        if solids_kg > 1e-9:
            self._dry(powder, solids_kg, air_kg_s, inlet_c, humidity, wall_heat_kj, dt_s)
            dust = m.draw(powder, p.dust_share)
            self._books.release("dust", dust)
        else:
            # a crumb too small to dry leaves as it came
            self._blow(air_kg_s, inlet_c, humidity, wall_heat_kj, dt_s)
        outside_kw_k = p.wall_outside_kw_k / _WALL_NODES
        for i in range(_WALL_NODES):
            lost_kj = outside_kw_k * (self.walls_c[i] - ambient_c) * dt_s
            self.walls_c[i] += (wall_heat_kj[i] - lost_kj) * _WALL_NODES / p.wall_kj_k
            self._books.heat_out_kj["walls"] += lost_kj
        out_kj = air_kg_s * air_enthalpy_kj_kg(self.outlet_c, self.outlet_humidity) * dt_s
        self._books.heat_out_kj["exhaust_air"] += out_kj
        self._books.exits["exhaust"][m.WATER] += air_kg_s * self.outlet_humidity * dt_s
        return powder

    def _blow(self, air_kg_s: float, inlet_c: float, humidity: float, wall_kj: list[float], dt_s: float) -> None:
        """Air alone: it only meets the walls."""
        capacity_kw_k = air_kg_s * (CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity)
        met = 1.0 - exp(-self.p.wall_inside_kw_k / _WALL_NODES / capacity_kw_k)
        air_c = inlet_c
        for node in range(_WALL_NODES):
            given_k = (air_c - self.walls_c[node]) * met
            wall_kj[node] = capacity_kw_k * given_k * dt_s
            air_c -= given_k
        self.outlet_c, self.outlet_humidity = air_c, humidity
        self.evaporation_kg_s = 0.0
        self.product_c += (air_c - self.product_c) * min(1.0, dt_s / 30.0)
        self.moisture_db = 0.0
        self.wet_bulb_c = wet_bulb_c(inlet_c, humidity, self.wet_bulb_c)

    def _dry(
        self,
        powder: Material,
        solids_kg: float,
        air_kg_s: float,
        inlet_c: float,
        inlet_humidity: float,
        wall_kj: list[float],
        dt_s: float,
    ) -> None:
        """Carry the powder through the slices; changes it in place."""
        p = self.p
        solids_kg_s = solids_kg / dt_s
        air_per_solid = air_kg_s / solids_kg_s
        solids_cp = m.dry_heat_capacity_kj_k(powder) / solids_kg
        moisture = powder[m.WATER] / solids_kg
        moisture_in = moisture
        bulb_c = wet_bulb_c(inlet_c, inlet_humidity, self.wet_bulb_c)
        latent = LATENT_0C_KJ_KG + CP_VAPOUR_KJ_KG_K * bulb_c - CP_LIQUID_KJ_KG_K * bulb_c
        slices = _WALL_NODES * _SLICES_PER_NODE
        curve = p.curve_exponent - 1.0
        contact_s = min(p.residence_s * p.residence_air_kg_h / (air_kg_s * 3600.0), p.longest_residence_s) / slices
        exchange = p.exchange_kw_kg_k * contact_s  # kJ/(kg K) per slice
        wall_kw_k = p.wall_inside_kw_k / slices
        air_c, humidity = inlet_c, inlet_humidity
        # heat of air and solid together, per kg dry solid; only the walls take from it
        heat = air_per_solid * air_enthalpy_kj_kg(air_c, humidity) + powder[m.HEAT] / solids_kg
        # first the cold cake takes the wet bulb's temperature; the air is cooler, and with it the wet bulb
        warming = (solids_cp + CP_LIQUID_KJ_KG_K * moisture) * bulb_c - powder[m.HEAT] / solids_kg
        air_c -= warming / (air_per_solid * (CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity))
        bulb_c = wet_bulb_c(air_c, humidity, bulb_c)
        equilibrium, rate_share = 0.0, 1.0
        for step in range(slices):
            air_cp = CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity
            air_kj_k = air_per_solid * air_cp
            node = step // _SLICES_PER_NODE
            if (
                step and step % _SLICES_PER_NODE == 0
            ):  # walls and cold cake take heat: the wet bulb sinks along the duct
                bulb_c = wet_bulb_c(air_c, humidity, bulb_c)
            to_wall = air_kj_k * (air_c - self.walls_c[node]) * (1.0 - exp(-wall_kw_k / (air_kg_s * air_cp)))
            wall_kj[node] += to_wall * solids_kg
            heat -= to_wall
            air_c -= to_wall / air_kj_k
            equilibrium = self._isotherm.moisture_db(water_activity(air_c, humidity), air_c)
            free = moisture - equilibrium
            span = max(p.critical_moisture_db - equilibrium, 0.05)
            driving_k = air_c - bulb_c
            if driving_k > 0.0:  # powder drier than the isotherm takes water up at the same rate law
                surface = air_kj_k * driving_k / latent * (1.0 - exp(-exchange / air_kj_k))
                share = free / span
                slowing = share**curve if 0.0 < share < 1.0 else 1.0
                falling = free * (1.0 - exp(-surface / span * slowing))
                lost = min(falling, surface)
                moisture -= lost
                humidity = inlet_humidity + (moisture_in - moisture) / air_per_solid
                free -= lost
            rate_share = 1.0 if free >= span else (free / span) ** (1.0 + curve) if free > 0.0 else 0.0
            # particle temperature = air - share * (air - wet bulb); solve the heat balance for the air
            solid_kj_k = solids_cp + CP_LIQUID_KJ_KG_K * moisture
            air_c = (heat - air_per_solid * humidity * LATENT_0C_KJ_KG - solid_kj_k * rate_share * bulb_c) / (
                air_per_solid * (CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity) + solid_kj_k * (1.0 - rate_share)
            )
        self.wet_bulb_c = bulb_c
        self.equilibrium_db = equilibrium
        self.moisture_db = moisture
        self.outlet_c, self.outlet_humidity = air_c, humidity
        self.product_c = air_c - rate_share * (air_c - bulb_c)
        self.evaporation_kg_s = (moisture_in - moisture) * solids_kg_s
        self.evaporated_kg += (moisture_in - moisture) * solids_kg
        powder[m.WATER] = moisture * solids_kg
        powder[m.HEAT] = (solids_cp + CP_LIQUID_KJ_KG_K * moisture) * solids_kg * self.product_c

    @property
    def metal_held_kj(self) -> float:
        """Heat stored in the duct walls since the start."""
        share_kj_k = self.p.wall_kj_k / _WALL_NODES
        return sum(share_kj_k * (wall_c - self._walls_start_c) for wall_c in self.walls_c)
