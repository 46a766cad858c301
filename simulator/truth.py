"""What really happened in the plant, by name: for tests and validation, never for a controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator import material as m
from simulator.machines.packing import BINS

if TYPE_CHECKING:
    from simulator.plant import Plant


def describe(plant: Plant) -> dict[str, float]:
    """Inner state as plain numbers; names end in their unit."""
    exits = plant.books.exits
    truth = {
        "time_s": plant.time_s,
        "root_fed_kg": m.mass_kg(plant.hopper.fed),
        "root_starch_kg": m.starch_kg(plant.hopper.fed),
        "root_starch_pct_wb": plant.root_starch_pct,
    }
    for name in (*BINS, "tailings"):
        truth[f"{name}_kg"] = m.mass_kg(exits[name])
        truth[f"{name}_dry_starch_kg"] = m.starch_kg(exits[name])
    for name, what in exits.items():
        truth[f"{name}_starch_kg"] = m.starch_kg(what)
    good = exits["good"]
    truth["good_moisture_pct_wb"] = m.moisture_pct_wb(good, 0.0)
    good_dry_kg = m.dry_kg(good)
    truth["good_purity"] = m.starch_kg(good) / good_dry_kg if good_dry_kg > 1e-9 else 0.0
    fed_starch_kg = truth["root_starch_kg"]
    truth["extraction_yield"] = m.starch_kg(good) / fed_starch_kg if fed_starch_kg > 1e-9 else 0.0
    truth["pulp_free_starch_kg"] = exits["pulp"][m.FREE]
    truth["pulp_bound_starch_kg"] = exits["pulp"][m.BOUND]
    for name, what in plant.held().items():
        truth[f"held_{name}_kg"] = m.mass_kg(what)
        truth[f"held_{name}_starch_kg"] = m.starch_kg(what)
    truth["held_line_starch_kg"] = sum(m.starch_kg(what) for name, what in plant.held().items() if name != "hopper")
    truth.update(_machines(plant))
    return truth


def _machines(plant: Plant) -> dict[str, float]:
    heat_in, heat_out = plant.books.heat_in_kj, plant.books.heat_out_kj
    dryer = plant.dryer
    return {
        "rasp_size_um": plant.rasp.size_um,
        "rasp_liberation": plant.rasp.liberation,
        "rasp_power_kw": plant.rasp.power_kw,
        "blade_hours": plant.rasp.blade_hours,
        "free_starch_left": plant.sieves.free_left,
        "concentrator_recovery": plant.concentrator.recovery,
        "milk_density_kg_m3": plant.concentrator.milk_density_kg_m3,
        "cake_moisture_pct_wb": m.moisture_pct_wb(plant.cake_hopper.cake, 0.0),
        "inlet_air_c": plant.heater.inlet_c,
        "heater_metal_c": plant.heater.metal_c,
        "outlet_air_c": dryer.outlet_c,
        "outlet_humidity_kg_kg": dryer.outlet_humidity,
        "wet_bulb_c": dryer.wet_bulb_c,
        "product_c": dryer.product_c,
        "cone_c": plant.packing.cone_c,
        "powder_moisture_pct_wb": 100.0 * dryer.moisture_db / (1.0 + dryer.moisture_db),
        "powder_moisture_db": dryer.moisture_db,
        "equilibrium_moisture_db": dryer.equilibrium_db,
        "evaporation_kg_s": dryer.evaporation_kg_s,
        "evaporated_kg": dryer.evaporated_kg,
        "warmest_wall_c": max(dryer.walls_c),
        "fuel_kwh": heat_in["fuel"] / 3600.0,
        "heat_to_air_kwh": (heat_in["fuel"] - heat_out["flue"]) / 3600.0,
        "electricity_kwh": heat_in["electricity"] / 3600.0,
        "wall_loss_kwh": heat_out["walls"] / 3600.0,
    }
