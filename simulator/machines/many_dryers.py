"""Many flash dryers side by side, in one fixed step: what ``dryer.py`` and ``heater.py`` do for one, in N lanes.

It has no equation of its own: duct, walls and exchanger are the same functions, run over arrays by ``over_lanes``.
For a question that is asked of thousands of operating points at once; a plant has one dryer and steps that.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.lanes import over_lanes
from simulator.machines import duct
from simulator.machines.dryer import LEAST_SOLIDS_KG, DryerParameters
from simulator.machines.heater import HeaterParameters, step_metal
from simulator.material import CP_STARCH_KJ_KG_K, CP_WATER_KJ_KG_K
from simulator.psychrometrics import IsothermParameters, wet_bulb_c

Floats: TypeAlias = NDArray[np.float64]
_Walls: TypeAlias = tuple[Floats, Floats, Floats]

_dry = over_lanes(duct.dry_through_duct)
_blow = over_lanes(duct.blow_through_duct)
_contact_s = over_lanes(duct.contact_s)
_step_walls = over_lanes(duct.step_walls)
_step_metal = over_lanes(step_metal)
_wet_bulb_c = over_lanes(wet_bulb_c)


class ManyDryers:
    """N dryers of one make, each with its own walls, exchanger, air and feed of clean wet starch.

    Attributes (arrays of shape (N,), of the end of the last step):
        walls_c: three sections. metal_c: of the heaters' exchangers.
        outlet_c, outlet_humidity: air behind the duct. product_c, moisture_db: powder; 0 kg/kg where none came.
        wet_bulb_c, equilibrium_db: at the end of the duct.
        evaporation_kg_s, gelatinised_share, gel_margin_k: as those of one ``FlashDryer``.
    """

    def __init__(
        self, dryer: DryerParameters, isotherm: IsothermParameters, heater: HeaterParameters, ambient_c: Floats
    ) -> None:
        """Cold dryers, each in a room of its own temperature."""
        self.p, self.heater = dryer, heater
        self._constants = dryer.duct(isotherm)
        cold = np.array(ambient_c, dtype=np.float64)
        self.walls_c: _Walls = (cold, cold, cold)
        self.metal_c = cold
        self._bulbs_c = (cold, cold, cold, cold)
        self.outlet_c = self.wet_bulb_c = self.product_c = cold
        self.outlet_humidity = np.zeros_like(cold)
        self.equilibrium_db = self.moisture_db = self.evaporation_kg_s = self.gelatinised_share = self.outlet_humidity
        self.gel_margin_k = duct.gel_onset_c(0.0, self._constants) - cold

    def heat(self, useful_kw: Floats, air_kg_s: Floats, ambient_c: Floats, humidity: Floats, dt_s: float) -> Floats:
        """One step of the exchangers; returns the inlet air [°C].

        Args:
            useful_kw: heat of the flames that the metal takes up. air_kg_s: dry air, > 0.
            humidity: of the room's air [kg/kg dry].
        """
        p = self.heater
        rise_k, inlet_c = _step_metal(
            self.metal_c - ambient_c, useful_kw, air_kg_s, ambient_c, humidity, p.metal_kj_k, p.effectiveness,
            p.casing_kw_k, dt_s,
        )  # fmt: skip
        self.metal_c = ambient_c + rise_k
        return np.asarray(inlet_c)

    def step(
        self,
        solids_kg_s: Floats,
        cake_db: Floats,
        cake_c: Floats,
        air_kg_s: Floats,
        inlet_c: Floats,
        humidity: Floats,
        ambient_c: Floats,
        dt_s: float,
    ) -> None:
        """One step of ducts and walls; each argument but ``dt_s`` is an array of shape (N,).

        Args:
            solids_kg_s: dry starch fed; 0 where air blows alone. cake_db: its water [kg/kg dry]. cake_c: its heat [°C].
            air_kg_s: dry air, > 0. humidity: of the inlet air [kg/kg dry].
            dt_s: 0 < dt <= 1 s, as the plant's.
        """
        taken_kw = self._pass(solids_kg_s, cake_db, cake_c, air_kg_s, inlet_c, humidity, dt_s)
        taken_kj = tuple(kw * dt_s for kw in taken_kw)
        loss_kj_k = self.p.wall_outside_kw_k / duct.WALL_NODES * dt_s
        self.walls_c, _ = _step_walls(self.walls_c, taken_kj, ambient_c, loss_kj_k, self.p.wall_kj_k)

    def settle(
        self,
        solids_kg_s: Floats,
        cake_db: Floats,
        cake_c: Floats,
        air_kg_s: Floats,
        inlet_c: Floats,
        humidity: Floats,
        ambient_c: Floats,
        within_k: float = 1e-6,
    ) -> NDArray[np.bool_]:
        """Go to the steady state at once: walls that lose what they take. Arguments as of ``step``.

        Returns which dryers have come to rest: within 100 rounds no wall moves by more than ``within_k`` any more.
        """
        inside_kw_k, outside_kw_k = (
            kw_k / duct.WALL_NODES for kw_k in (self.p.wall_inside_kw_k, self.p.wall_outside_kw_k)
        )
        furthest_k = np.full(cake_db.shape, np.inf)
        for _ in range(100):
            taken_kw = self._pass(solids_kg_s, cake_db, cake_c, air_kg_s, inlet_c, humidity, 1.0)
            # what a wall takes falls by at most ``inside`` per kelvin: a step over both never overshoots
            first, second, third = (
                (kw - outside_kw_k * (wall_c - ambient_c)) / (inside_kw_k + outside_kw_k)
                for kw, wall_c in zip(taken_kw, self.walls_c, strict=True)
            )
            self.walls_c = (self.walls_c[0] + first, self.walls_c[1] + second, self.walls_c[2] + third)
            furthest_k = np.maximum(np.maximum(np.abs(first), np.abs(second)), np.abs(third))
            if furthest_k.max() <= within_k:
                break
        return np.asarray(furthest_k <= within_k)

    def _pass(
        self,
        solids_kg_s: Floats,
        cake_db: Floats,
        cake_c: Floats,
        air_kg_s: Floats,
        inlet_c: Floats,
        humidity: Floats,
        dt_s: float,
    ) -> _Walls:
        """Carry air and powder through the ducts; returns what the walls take [kW]."""
        p = self.p
        is_fed = solids_kg_s * dt_s > LEAST_SOLIDS_KG
        fed_kg_s = np.where(is_fed, solids_kg_s, air_kg_s)  # any number will do where nothing is fed
        residence_s = _contact_s(air_kg_s, p.residence_s, p.residence_air_kg_h, p.longest_residence_s)
        end = _dry(
            cake_db,
            (CP_STARCH_KJ_KG_K + CP_WATER_KJ_KG_K * cake_db) * cake_c,
            CP_STARCH_KJ_KG_K,
            air_kg_s / fed_kg_s,
            air_kg_s,
            residence_s,
            inlet_c,
            humidity,
            self.walls_c,
            self._bulbs_c,
            self._constants,
        )
        wall_0, wall_1, wall_2 = end.wall_kj_kg
        taken: _Walls = (wall_0 * fed_kg_s, wall_1 * fed_kg_s, wall_2 * fed_kg_s)
        evaporated = (cake_db - end.moisture_db) * fed_kg_s
        if is_fed.all():
            self.moisture_db, self.outlet_c, self.outlet_humidity, self.product_c = end[:4]
            self.wet_bulb_c, self.equilibrium_db, self._bulbs_c = end[4:7]
            self.gelatinised_share = np.broadcast_to(end.gelatinised_share, cake_db.shape)  # a plain 0 where none is
            self.gel_margin_k, self.evaporation_kg_s = end.gel_margin_k, evaporated
            return taken
        air_c, blown = _blow(air_kg_s, inlet_c, humidity, self.walls_c, p.wall_inside_kw_k)
        probe_c = self.product_c + (air_c - self.product_c) * min(1.0, dt_s / p.product_probe_s)
        bulb_c = _wet_bulb_c(inlet_c, humidity, self._bulbs_c[0])

        def either(fed: Floats, alone: Floats | float) -> Floats:
            return np.where(is_fed, fed, alone)

        self.moisture_db = either(end.moisture_db, 0.0)
        self.outlet_c, self.outlet_humidity = either(end.air_c, air_c), either(end.humidity, humidity)
        self.product_c, self.wet_bulb_c = either(end.product_c, probe_c), either(end.wet_bulb_c, bulb_c)
        self.equilibrium_db = either(end.equilibrium_db, self.equilibrium_db)
        kept = (bulb_c, *self._bulbs_c[1:])
        inlet_bulb_c, *bulbs_c = (either(new, old) for new, old in zip(end.bulbs_c, kept, strict=True))
        self._bulbs_c = (inlet_bulb_c, bulbs_c[0], bulbs_c[1], bulbs_c[2])
        self.evaporation_kg_s = either(evaporated, 0.0)
        self.gelatinised_share = either(end.gelatinised_share, 0.0)
        self.gel_margin_k = either(end.gel_margin_k, duct.gel_onset_c(0.0, self._constants) - probe_c)
        return either(taken[0], blown[0]), either(taken[1], blown[1]), either(taken[2], blown[2])
