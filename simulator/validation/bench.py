"""Runs of machines and plants that the checks look at. Each is made once, when the first check asks for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeVar, cast

from simulator import material as m
from simulator.ledger import Books
from simulator.line_types import with_line_type
from simulator.lot import mean_lot
from simulator.machines.dryer import FlashDryer
from simulator.parameters import Parameters, default_parameters
from simulator.plant import Plant
from simulator.psychrometrics import Isotherm, humidity_kg_kg

_T = TypeVar("_T")
NOMINAL = {
    "XS-101": 1, "XS-201": 1, "XS-301": 1,
    "SC-101": 40, "SC-103": 12, "FV-104": 30,  # 800 kg/h of root, 3 m3/t of wash water
    "SC-201": 1500, "FV-203": 28, "FV-204": 44, "SC-206": 32,  # 3.5 m3/t of sieve water
    "SC-302": 44.4, "TV-303": 50, "SC-307": 65,  # 200 kg/h of cake
}  # fmt: skip
INLET_C, CAKE_KG_H, CAKE_PCT, FAN_PCT = 126.0, 200.0, 38.0, 65.0  # where the dryer makes about 13 % wb
CAKE_C = 17.0
_SEED = 1
_LOAD = 0.7  # of what the line's rasp is made for
_WALL_HASTE = 20.0  # the steady state does not depend on how heavy the walls are
_STEADY_FROM_S, _STEADY_TO_S = 3000, 4800


class Bench:
    """A workbench: parameters, and what was run with them.

    Attributes:
        parameters: of every machine and plant; another set shows what a check is sensitive to.
        plants: every plant that was run, for its books.
        steady_plants: those of ``steady``, for their bags.
    """

    def __init__(self, parameters: Parameters | None = None) -> None:
        self.parameters = parameters or default_parameters()
        self.plants: list[Plant] = []
        self.steady_plants: list[Plant] = []
        self._kept: dict[Hashable, Any] = {}

    def once(self, key: Hashable, work: Callable[[], _T]) -> _T:
        """What ``work`` gives, worked out at the first call."""
        if key not in self._kept:
            self._kept[key] = work()
        return cast("_T", self._kept[key])

    def plant(self, parameters: Parameters | None = None, **options: Any) -> Plant:
        """A new plant whose books will be looked at in the end."""
        plant = Plant(_SEED, parameters=parameters or self.parameters, **options)
        self.plants.append(plant)
        return plant

    @property
    def quiet(self) -> Parameters:
        """Parameters without disturbances and lot variation."""
        changes = {"hopper.lump_sd": 1e-9, "trommel.pressure_sd": 1e-9, "sieves.pressure_sd": 1e-9}
        changes |= {"feeder.screw_fill_sd": 1e-9, "site.ambient_sd_k": 1e-9, "site.humidity_sd_pct": 1e-9}
        changes |= {"lot.within_starch_cv": 0.0, "lot.within_soil_log_sd": 0.0, "dewatering.floor_sd_pct": 0.0}
        return self.parameters.with_values(changes)

    @property
    def isotherm(self) -> Isotherm:
        """Of the bench's starch."""
        return Isotherm(self.parameters.isotherm)

    @property
    def ambient(self) -> tuple[float, float]:
        """Room temperature [°C] and humidity [kg/kg]."""
        site = self.parameters.site
        return site.ambient_c, humidity_kg_kg(site.ambient_c, site.ambient_humidity_pct / 100.0)

    # --- the dryer alone ----------------------------------------------------------------------------------------------

    def dryer(
        self,
        inlet_c: float = INLET_C,
        cake_kg_h: float = CAKE_KG_H,
        cake_pct: float = CAKE_PCT,
        fan_pct: float = FAN_PCT,
    ) -> FlashDryer:
        """A flash dryer with settled walls, fed with clean wet starch."""
        return self.once(
            ("dryer", inlet_c, cake_kg_h, cake_pct, fan_pct), lambda: self._dryer(inlet_c, cake_kg_h, cake_pct, fan_pct)
        )

    def _dryer(self, inlet_c: float, cake_kg_h: float, cake_pct: float, fan_pct: float) -> FlashDryer:
        room_c, humidity = self.ambient
        p = self.parameters.dryer
        dryer = FlashDryer(replace(p, wall_kj_k=p.wall_kj_k / _WALL_HASTE), self.isotherm, room_c, Books())
        first, second, third = (room_c + share * (inlet_c - room_c) for share in (0.7, 0.45, 0.35))
        dryer.walls_c = (first, second, third)
        cake = wet_starch(cake_kg_h / 3600.0, cake_pct)
        for _ in range(150):
            dryer.step(list(cake), self.air_kg_s(fan_pct), inlet_c, humidity, room_c, 1.0)
        return dryer

    def air_kg_s(self, fan_pct: float) -> float:
        """Dry air at a fan speed."""
        return self.parameters.exhaust.fan_full_kg_h * fan_pct / 100.0 / 3600.0

    def heat_kw(self, inlet_c: float, fan_pct: float) -> float:
        """Heat in the inlet air above the room's."""
        room_c, humidity = self.ambient
        return self.air_kg_s(fan_pct) * (1.006 + 1.88 * humidity) * (inlet_c - room_c)

    def feed_for(
        self, goal: float, of: Callable[[FlashDryer], float], inlet_c: float, cake_pct: float, fan_pct: float
    ) -> float:
        """Wet feed [kg/h] at which a falling or rising property of the dryer meets a goal; bisection."""
        low, high = 20.0, 900.0

        def gap(feed: float) -> float:
            return of(self.dryer(inlet_c, feed, cake_pct, fan_pct)) - goal

        rising = gap(high) > gap(low)
        for _ in range(16):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if (gap(middle) > 0.0) == rising else (middle, high)
        return 0.5 * (low + high)

    # --- whole plants -------------------------------------------------------------------------------------------------

    def steady(self, species: str, kind: str) -> dict[str, float]:
        """Half an hour of a line in its steady state, on the mean lot of a species; nothing is tuned to a case."""
        return self.once(("steady", species, kind), lambda: self._steady(species, kind))

    def _steady(self, species: str, kind: str) -> dict[str, float]:
        parameters = with_line_type(self.parameters.with_species(species), kind)
        lot = mean_lot(species, parameters.species[species], parameters.lot)
        plant = self.plant(parameters, lot=lot)
        self.steady_plants.append(plant)
        feed_pct = _LOAD * parameters.rasp.reference_kg_h / parameters.hopper.feeder_full_kg_h * 100.0
        plant.inputs.update({**NOMINAL, "SC-101": feed_pct, "SC-206": 100, "TV-303": 55})
        plant.inputs.update({"FV-104": 0.75 * feed_pct, "FV-203": 0.7 * feed_pct})  # the same water per kg of root
        before: dict[str, float] = {}
        burner_pct, recoveries, water_kg = 50.0, [], 0.0
        for second in range(_STEADY_TO_S):
            plant.inputs["SC-302"] = min(100.0, 4.0 * plant.cake_hopper.mass_kg)  # what comes in goes on to the dryer
            if second % 20 == 0 and plant.dryer.moisture_db > 0.01:
                # a slow hand on the burner: damp powder would end in the sifter
                moisture_pct = 100.0 * plant.dryer.moisture_db / (1.0 + plant.dryer.moisture_db)
                burner_pct = min(90.0, max(30.0, burner_pct + 0.2 * (moisture_pct - 12.8)))
                plant.inputs["TV-303"] = burner_pct
                if second > _STEADY_FROM_S:
                    recoveries.append(plant.concentrator.recovery)
            plant.step(1.0)
            if second == _STEADY_FROM_S:
                before, water_kg = plant.truth(), 0.0
            water_kg += (plant.wash_m3_h + plant.sieve_m3_h) / 3.6
            if plant.hopper.mass_kg < 200.0:
                plant.load(1000.0, lot)
        after = plant.truth()
        made = {name: after[name] - before[name] for name in after}
        made["water_kg"] = water_kg
        found = _yields(made, after["good_purity"], lot.soil_pct_wb, sum(recoveries) / len(recoveries))
        return found | {
            "whiteness": after["good_whiteness"],
            "specks": after["good_specks_cm2"],
            "cake_pct": after["cake_moisture_pct_wb"],
            "gel_margin_k": after["gelatinisation_margin_k"],
            "wet_age_h": after["good_wet_age_h"],
        }

    @property
    def warm(self) -> Plant:
        """A plant without disturbances after 45 minutes at its nominal settings; copy it before going on."""
        return self.once("warm", lambda: self._ran(self.plant(self.quiet), 2700))

    def _ran(self, plant: Plant, seconds: int) -> Plant:
        plant.inputs.update(NOMINAL)
        plant.load(2000.0)
        for _ in range(seconds):
            plant.step(1.0)
        return plant


def _yields(made: dict[str, float], purity: float, soil_pct: float, caught: float) -> dict[str, float]:
    """Figures per root and per stage from what a plant's books say of a time."""
    bins = sum(made[f"{name}_dry_starch_kg"] for name in ("good", "rework", "waste"))
    powder_kg = bins / purity / 0.87  # at 13 % wb
    root_kg, starch_kg = made["root_fed_kg"], made["root_starch_kg"]
    ground = starch_kg - made["wash_drain_starch_kg"]
    pulped = made["pulp_bound_starch_kg"]
    milk = ground - made["pulp_starch_kg"]
    lost = made["dust_starch_kg"] + made["tailings_starch_kg"]
    return {
        "root_starch_pct": 100.0 * starch_kg / root_kg / (1.0 - soil_pct / 100.0),
        "per_100_washed": 100.0 * powder_kg / root_kg / (1.0 - soil_pct / 100.0),
        "per_100_delivered": 100.0 * powder_kg / root_kg,
        "recovery": bins / starch_kg,
        "purity_pct": 100.0 * purity,
        "freed": 1.0 - pulped / ground,
        "washed_out": 1.0 - made["pulp_free_starch_kg"] / (ground - pulped),
        "caught": caught,
        "dewatered": (milk - made["wet_drain_starch_kg"]) / (milk * caught),
        "kept_dry": bins / (bins + lost),
        "water_m3_t_root": made["water_kg"] / root_kg,
        "water_m3_t_powder": made["water_kg"] / powder_kg,
        "electricity_kwh_t": 1000.0 * made["electricity_kwh"] / powder_kg,
        "fuel_mj_t": 3600.0 * made["fuel_kwh"] / powder_kg,
        "heat_kwh_kg": made["heat_to_air_kwh"] / made["evaporated_kg"],
        "fuel_kwh_kg": made["fuel_kwh"] / made["evaporated_kg"],
        "lost_heat_pct": 100.0 * made["wall_loss_kwh"] / made["heat_to_air_kwh"],
    }


def wet_starch(mass_kg: float, moisture_pct: float, temp_c: float = CAKE_C) -> m.Material:
    """Clean cake."""
    cake = m.empty()
    cake[m.FREE] = mass_kg * (1.0 - moisture_pct / 100.0)
    cake[m.WATER] = mass_kg * moisture_pct / 100.0
    cake[m.HEAT] = m.heat_capacity_kj_k(cake) * temp_c
    return cake


def powder_pct(dryer: FlashDryer) -> float:
    """Moisture of the powder that leaves the duct [% wb]."""
    return 100.0 * dryer.moisture_db / (1.0 + dryer.moisture_db)
