"""The flash dryer's operating map: thousands of steady states at once, each with its energy and its gains.

Pure, and without an equation of its own: it asks ``ManyDryers`` where operating points come to rest. Starch is clean,
weather and feed stand still, the filter is as after its last pulse: what a plant does around such a point is its own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from simulator.lanes import over_lanes
from simulator.machines.exhaust import fan_flow
from simulator.machines.many_dryers import Floats, ManyDryers
from simulator.parameters import Parameters
from simulator.psychrometrics import CP_AIR_KJ_KG_K, CP_VAPOUR_KJ_KG_K, humidity_kg_kg

LEAST_FEED_KG_H = 1.0
_HALVINGS = 18  # of the feed's range: two thousandths of a kg/h
_K, _PCT, _FEED = 2.0, 0.5, 0.01  # steps to both sides for the gains: inlet K, cake % wb, share of the feed

_fan_flow = over_lanes(fan_flow)
_humidity = over_lanes(humidity_kg_kg)


@dataclass(frozen=True)
class Duty:
    """What dryers are asked to do; arrays of one shape (N,).

    Attributes:
        inlet_c: inlet air. cake_kg_h: wet cake fed; whatever ``feed_for`` is asked. cake_pct: its moisture [% wb].
        cake_c: its temperature. fan_pct: speed of the fan. room_c, room_pct: the air's temperature and humidity [%].
    """

    inlet_c: Floats
    cake_kg_h: Floats
    cake_pct: Floats
    cake_c: Floats
    fan_pct: Floats
    room_c: Floats
    room_pct: Floats


@dataclass(frozen=True)
class Rest:
    """Where dryers come to rest; arrays of shape (N,), NaN where one does not, or its air is too slow to lift the cake.

    Attributes:
        powder_pct: moisture of the powder [% wb]. powder_kg_h: what the cyclone keeps. product_c, outlet_c: behind the
            duct. gel_margin_k: least distance below the working limit of gelatinisation. air_per_solid: [kg/kg dry].
        evaporated_kg_h: water. heat_kwh_kg, fuel_kwh_kg: heat of the inlet air above the room, and fuel, per kg of it.
        valve_pct: the burner's valve; NaN where burner or thermostat do not reach this inlet air.
    """

    powder_pct: Floats
    powder_kg_h: Floats
    outlet_c: Floats
    product_c: Floats
    gel_margin_k: Floats
    air_per_solid: Floats
    evaporated_kg_h: Floats
    heat_kwh_kg: Floats
    fuel_kwh_kg: Floats
    valve_pct: Floats


@dataclass(frozen=True)
class Gains:
    """Of powder moisture, each from a small step to both sides; arrays of shape (N,).

    Attributes:
        per_k: of inlet air [% wb/K]. per_cake: of cake moisture at the same wet feed [% wb/% wb]. per_feed: of wet feed
            [% wb/%].
    """

    per_k: Floats
    per_cake: Floats
    per_feed: Floats


class DryerMap:
    """Dryers that keep their walls between questions, so that the next one, not far away, is answered sooner.

    Attributes:
        air_kg_s: dry air that the fans move; held to the least that lifts cake.
    """

    def __init__(self, parameters: Parameters, duty: Duty) -> None:
        """``duty``: of the first question; its rooms and fans are those of all."""
        p = self.p = parameters
        self._many = ManyDryers(p.dryer, p.isotherm, p.heater, duty.room_c)
        self._humidity = _humidity(duty.room_c, duty.room_pct / 100.0)
        cloth_pa = p.exhaust.cloth_loss_pa + p.exhaust.cake_loss_pa * p.exhaust.start_load
        flow = _fan_flow(duty.fan_pct / 100.0, cloth_pa, p.exhaust.duct_loss_pa, p.exhaust.fan_head_pa)
        air_kg_h = p.exhaust.fan_full_kg_h * flow
        self._lifts = air_kg_h >= p.feeder.minimum_air_kg_h
        self.air_kg_s: Floats = np.maximum(air_kg_h, p.feeder.minimum_air_kg_h) / 3600.0

    def powder_pct(self, duty: Duty) -> Floats:
        """Moisture of the powder at rest [% wb]; NaN as in ``Rest``."""
        solids_kg_s = duty.cake_kg_h * (1.0 - duty.cake_pct / 100.0) / 3600.0
        cake_db = duty.cake_pct / (100.0 - duty.cake_pct)
        many = self._many
        rested = many.settle(
            solids_kg_s, cake_db, duty.cake_c, self.air_kg_s, duty.inlet_c, self._humidity, duty.room_c
        )
        return np.where(rested & self._lifts, 100.0 * many.moisture_db / (1.0 + many.moisture_db), np.nan)

    def rest(self, duty: Duty) -> Rest:
        """Where each dryer comes to rest."""
        powder_pct = self.powder_pct(duty)
        many, p, heater = self._many, self.p.dryer, self.p.heater
        solids_kg_h = duty.cake_kg_h * (1.0 - duty.cake_pct / 100.0)
        air_kw_k = self.air_kg_s * (CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * self._humidity)
        metal_k = (duty.inlet_c - duty.room_c) / heater.effectiveness  # above the room, in the steady state
        fuel_kw = (heater.effectiveness * air_kw_k + heater.casing_kw_k) * metal_k / heater.efficiency
        reached = (metal_k >= 0.0) & (fuel_kw <= heater.rated_kw) & (metal_k + duty.room_c <= heater.cutout_c)
        with np.errstate(all="ignore"):  # nothing evaporated, no fuel
            valve_pct = 100.0 * (fuel_kw / heater.rated_kw) ** (1.0 / heater.valve_exponent)
            evaporated_kg_h = many.evaporation_kg_s * 3600.0
            found = Rest(
                powder_pct=powder_pct,
                powder_kg_h=solids_kg_h * (1.0 - p.dust_share) * (1.0 + many.moisture_db),
                outlet_c=many.outlet_c,
                product_c=many.product_c,
                gel_margin_k=many.gel_margin_k,
                air_per_solid=self.air_kg_s * 3600.0 / solids_kg_h,
                evaporated_kg_h=evaporated_kg_h,
                heat_kwh_kg=air_kw_k * (duty.inlet_c - duty.room_c) / evaporated_kg_h,
                fuel_kwh_kg=fuel_kw / evaporated_kg_h,
                valve_pct=np.where(reached, valve_pct, np.nan),
            )
        is_one = np.isfinite(powder_pct)
        return Rest(**{f.name: np.where(is_one, getattr(found, f.name), np.nan) for f in fields(Rest)})

    def gains(self, duty: Duty) -> Gains:
        """What powder moisture gains around each point."""

        def slope(low: Duty, high: Duty, over: float) -> Floats:
            return (self.powder_pct(high) - self.powder_pct(low)) / over

        return Gains(
            slope(replace(duty, inlet_c=duty.inlet_c - _K), replace(duty, inlet_c=duty.inlet_c + _K), 2.0 * _K),
            slope(
                replace(duty, cake_pct=duty.cake_pct - _PCT), replace(duty, cake_pct=duty.cake_pct + _PCT), 2.0 * _PCT
            ),
            slope(
                replace(duty, cake_kg_h=duty.cake_kg_h * (1.0 - _FEED)),
                replace(duty, cake_kg_h=duty.cake_kg_h * (1.0 + _FEED)),
                200.0 * _FEED,
            ),
        )

    def feed_for(self, duty: Duty, powder_pct: float) -> Floats:
        """Wet feed at which powder leaves with this moisture [kg/h]; NaN where none within the screw's reach does."""
        low = np.full(duty.inlet_c.shape, LEAST_FEED_KG_H)
        high = np.full(duty.inlet_c.shape, self.p.feeder.screw_full_kg_h)
        driest = self.powder_pct(replace(duty, cake_kg_h=low))
        wettest = self.powder_pct(replace(duty, cake_kg_h=high))
        there_is_one = (driest < powder_pct) & (wettest > powder_pct)
        for _ in range(_HALVINGS if there_is_one.any() else 0):
            middle = 0.5 * (low + high)
            is_wet = self.powder_pct(replace(duty, cake_kg_h=middle)) > powder_pct
            low, high = np.where(is_wet, low, middle), np.where(is_wet, middle, high)
        return np.where(there_is_one, 0.5 * (low + high), np.nan)
