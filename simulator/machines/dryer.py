"""Flash dryer: the duct's profile (``duct.py``) between slow walls, and what its powder went through.

The duct holds its powder for two or three seconds, so its profile is solved as quasi-steady plug flow; the slow states
are the duct walls. Heat and water balance exactly in every slice.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator import material as m
from simulator.ledger import Books
from simulator.machines.duct import (
    WALL_NODES,
    DuctConstants,
    blow_through_duct,
    contact_s,
    dry_through_duct,
    duct_constants,
    gel_onset_c,
    step_walls,
)
from simulator.material import Material
from simulator.psychrometrics import (
    CP_AIR_KJ_KG_K,
    CP_LIQUID_KJ_KG_K,
    CP_VAPOUR_KJ_KG_K,
    LATENT_0C_KJ_KG,
    Isotherm,
    IsothermParameters,
    wet_bulb_c,
)

LEAST_SOLIDS_KG = 1e-9  # a crumb smaller than this leaves the duct as it came


@dataclass(frozen=True)
class DryerParameters:
    """Flash duct and cyclone."""

    exchange_kw_kg_k: float
    critical_moisture_db: float
    curve_exponent: float
    residence_s: float
    residence_air_kg_h: float
    longest_residence_s: float
    product_probe_s: float
    wall_kj_k: float
    wall_inside_kw_k: float
    wall_outside_kw_k: float
    dust_share: float
    gel_onset_c: float
    gel_moisture_db: float
    gel_rise_k: float
    gel_bend_k: float
    gel_rate: float
    gel_alert_k: float

    def duct(self, isotherm: IsothermParameters) -> DuctConstants:
        """What the duct's equations need of them."""
        gel = (self.gel_onset_c, self.gel_moisture_db, self.gel_rise_k, self.gel_bend_k, self.gel_rate)
        return duct_constants(
            self.exchange_kw_kg_k,
            self.critical_moisture_db,
            self.curve_exponent,
            self.wall_inside_kw_k,
            isotherm,
            gel,
        )


class FlashDryer:
    """Flash duct and cyclone; returns powder, keeps only wall heat."""

    def __init__(self, parameters: DryerParameters, isotherm: Isotherm, ambient_c: float, books: Books) -> None:
        p = self.p = parameters
        self._books = books
        self._constants = p.duct(isotherm.parameters)
        self.walls_c = (ambient_c, ambient_c, ambient_c)
        self._walls_start_c = ambient_c
        self._bulbs_c = (ambient_c, ambient_c, ambient_c, ambient_c)
        self.outlet_c = ambient_c
        self.outlet_humidity = 0.0
        self.wet_bulb_c = ambient_c
        self.product_c = ambient_c
        self.equilibrium_db = 0.0
        self.moisture_db = 0.0
        self.evaporation_kg_s = 0.0
        self.evaporated_kg = 0.0
        self.dust_kg = 0.0  # went over with the air in this step
        self.gelatinised_share = 0.0  # of the starch that passed in this step
        self.gelatinised_kg = 0.0  # dry starch since the start
        self.gel_margin_k = gel_onset_c(0.0, self._constants) - ambient_c

    @property
    def is_gel_risk(self) -> bool:
        """Whether powder is closer to gelatinising than the alert distance, temperature and moisture together."""
        return self.gel_margin_k < self.p.gel_alert_k

    def step(
        self,
        cake: Material,
        air_kg_s: float,
        inlet_c: float,
        humidity: float,
        ambient_c: float,
        dt_s: float,
        spill_share: float = 0.0,
    ) -> Material:
        """One step of the duct; returns the powder that stays in the cyclone.

        Args:
            air_kg_s: dry air.
            humidity: of the inlet air [kg/kg dry].
            spill_share: of the powder that an overfull cyclone lets go with the air, 0..1.
        """
        p = self.p
        solids_kg = m.dry_kg(cake)
        self.dust_kg = 0.0
        if solids_kg > LEAST_SOLIDS_KG:
            wall_kj = self._dry(cake, solids_kg, air_kg_s, inlet_c, humidity, dt_s)
            dust = m.draw(cake, p.dust_share + (1.0 - p.dust_share) * spill_share)
            self.dust_kg = m.mass_kg(dust)
            self._books.release("dust", dust)
        else:
            wall_kj = self._blow(air_kg_s, inlet_c, humidity, dt_s)
        loss_kj_k = p.wall_outside_kw_k / WALL_NODES * dt_s
        self.walls_c, lost = step_walls(self.walls_c, wall_kj, ambient_c, loss_kj_k, p.wall_kj_k)
        heat_out = self._books.heat_out_kj
        heat_out["walls"] += lost[0] + lost[1] + lost[2]
        air_c, out_humidity = self.outlet_c, self.outlet_humidity
        out_kj_kg = CP_AIR_KJ_KG_K * air_c + out_humidity * (LATENT_0C_KJ_KG + CP_VAPOUR_KJ_KG_K * air_c)
        heat_out["exhaust_air"] += air_kg_s * out_kj_kg * dt_s
        self._books.exits["exhaust"][m.WATER] += air_kg_s * out_humidity * dt_s
        return cake

    def _blow(self, air_kg_s: float, inlet_c: float, humidity: float, dt_s: float) -> tuple[float, float, float]:
        """Air alone: it only meets the walls; returns the heat they took [kJ]."""
        air_c, wall = blow_through_duct(air_kg_s, inlet_c, humidity, self.walls_c, self.p.wall_inside_kw_k)
        self.outlet_c, self.outlet_humidity = air_c, humidity
        self.evaporation_kg_s = 0.0
        self.product_c += (air_c - self.product_c) * min(1.0, dt_s / self.p.product_probe_s)
        self.moisture_db = 0.0
        self.gelatinised_share = 0.0
        self.gel_margin_k = gel_onset_c(0.0, self._constants) - self.product_c
        bulb_c = self.wet_bulb_c = wet_bulb_c(inlet_c, humidity, self._bulbs_c[0])
        self._bulbs_c = (bulb_c, *self._bulbs_c[1:])
        return wall[0] * dt_s, wall[1] * dt_s, wall[2] * dt_s

    def _dry(
        self, powder: Material, solids_kg: float, air_kg_s: float, inlet_c: float, humidity: float, dt_s: float
    ) -> tuple[float, float, float]:
        """Carry the powder through the slices; changes it in place and returns the heat the walls took [kJ]."""
        p = self.p
        solids_kg_s = solids_kg / dt_s
        solids_cp = m.dry_heat_capacity_kj_k(powder) / solids_kg
        moisture_in = powder[m.WATER] / solids_kg
        end = dry_through_duct(
            moisture_in,
            powder[m.HEAT] / solids_kg,
            solids_cp,
            air_kg_s / solids_kg_s,
            air_kg_s,
            contact_s(air_kg_s, p.residence_s, p.residence_air_kg_h, p.longest_residence_s),
            inlet_c,
            humidity,
            self.walls_c,
            self._bulbs_c,
            self._constants,
        )
        moisture, self.outlet_c, self.outlet_humidity, product_c, self.wet_bulb_c, self.equilibrium_db = end[:6]
        self._bulbs_c, wall, gel, margin = end[6:]
        self.moisture_db, self.product_c = moisture, product_c
        self.evaporation_kg_s = (moisture_in - moisture) * solids_kg_s
        self.evaporated_kg += (moisture_in - moisture) * solids_kg
        self.gelatinised_share, self.gel_margin_k = gel, margin
        if gel > 0.0:
            self.gelatinised_kg += gel * m.starch_kg(powder)
        powder[m.WATER] = moisture * solids_kg
        powder[m.HEAT] = (solids_cp + CP_LIQUID_KJ_KG_K * moisture) * solids_kg * product_c
        return wall[0] * solids_kg, wall[1] * solids_kg, wall[2] * solids_kg

    @property
    def metal_held_kj(self) -> float:
        """Heat stored in the duct walls since the start."""
        share_kj_k = self.p.wall_kj_k / WALL_NODES
        return sum(share_kj_k * (wall_c - self._walls_start_c) for wall_c in self.walls_c)
