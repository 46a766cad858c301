"""Settings and short runs that the plant tests share."""

from __future__ import annotations

from dataclasses import replace

from simulator import material as m
from simulator.ledger import Books
from simulator.machines.dryer import FlashDryer
from simulator.parameters import Parameters, default_parameters
from simulator.plant import Plant
from simulator.psychrometrics import Isotherm, humidity_kg_kg

AMBIENT_C = 18.0
AMBIENT_HUMIDITY = humidity_kg_kg(AMBIENT_C, 0.6)

NOMINAL = {
    "XS-101": 1, "XS-201": 1, "XS-301": 1,
    "SC-101": 40, "SC-103": 12, "FV-104": 30,  # 800 kg/h of root, 3 m3/t of wash water
    "SC-201": 1500, "FV-203": 28, "FV-204": 44, "SC-206": 32,  # 3.5 m3/t of sieve water
    "SC-302": 44.4, "TV-303": 50, "SC-307": 65,  # 200 kg/h of cake
}  # fmt: skip


def started(seed: int = 1, minutes: float = 0.0, parameters: Parameters | None = None, **inputs: float) -> Plant:
    """A plant on nominal settings, changed by ``inputs`` (written SC_101=...), run for some minutes."""
    plant = Plant(seed, parameters=parameters)
    plant.inputs.update(NOMINAL)
    plant.inputs.update({tag.replace("_", "-"): value for tag, value in inputs.items()})
    run(plant, minutes)
    return plant


def run(plant: Plant, minutes: float, **inputs: float) -> None:
    """Go on for some minutes after changing inputs."""
    plant.inputs.update({tag.replace("_", "-"): value for tag, value in inputs.items()})
    for _ in range(round(minutes * 60)):
        plant.step(1.0)  # as the twin does; a validation check compares half of it


def quiet() -> Parameters:
    """The shipped plant without disturbances and lot variation."""
    changes = {"hopper.lump_sd": 1e-9, "trommel.pressure_sd": 1e-9, "sieves.pressure_sd": 1e-9}
    changes |= {"feeder.screw_fill_sd": 1e-9, "site.ambient_sd_k": 1e-9, "site.humidity_sd_pct": 1e-9}
    changes |= {"lot.within_starch_cv": 0.0, "lot.within_soil_log_sd": 0.0, "dewatering.floor_sd_pct": 0.0}
    return default_parameters().with_values(changes)


def settled_dryer(
    inlet_c: float, cake_kg_h: float = 200.0, cake_pct_wb: float = 38.0, fan_pct: float = 65.0, **changes: float
) -> FlashDryer:
    """A flash dryer whose walls have been at work for 25 minutes."""
    shipped = default_parameters()
    parameters = replace(shipped.dryer, **changes)
    light = replace(parameters, wall_kj_k=parameters.wall_kj_k / 5.0)  # what they do in 25 minutes they do in five
    dryer = FlashDryer(light, Isotherm(shipped.isotherm), AMBIENT_C, Books())
    first, second, third = (AMBIENT_C + share * (inlet_c - AMBIENT_C) for share in (0.7, 0.45, 0.35))
    dryer.walls_c = (first, second, third)
    air_kg_s = shipped.exhaust.fan_full_kg_h * fan_pct / 100.0 / 3600.0
    for _ in range(300):
        cake = m.empty()
        wet_kg = cake_kg_h / 3600.0
        cake[m.FREE] = wet_kg * (1.0 - cake_pct_wb / 100.0)
        cake[m.WATER] = wet_kg * cake_pct_wb / 100.0
        cake[m.HEAT] = m.heat_capacity_kj_k(cake) * 17.0
        dryer.step(cake, air_kg_s, inlet_c, AMBIENT_HUMIDITY, AMBIENT_C, 1.0)
    return dryer


def powder_pct_wb(dryer: FlashDryer) -> float:
    """Moisture of the powder that leaves the duct."""
    return 100.0 * dryer.moisture_db / (1.0 + dryer.moisture_db)
