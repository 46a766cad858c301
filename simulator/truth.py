"""What really happened in the plant, by name: for tests and validation, never for a controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator import material as m
from simulator.machines.packing import BINS
from simulator.wet_clocks import ph, specks_cm2, whiteness

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
    truth.update(_dry_side(plant))
    truth.update(_wet(plant))
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


def _wet(plant: Plant) -> dict[str, float]:
    """Cloths, clocks and what the eye would say; clean values where a place is empty."""
    clocks, sieves = plant.clocks, plant.sieves
    milk, cake, good = plant.milk_tank.milk, plant.cake_hopper.cake, plant.books.exits["good"]
    return {
        "lot_stored_days": plant.lot.stored_days,
        "sieve_blinding_pct": 100.0 * max(sieves.blinding),
        "fine_pass_share": sieves.fine_pass_share,
        "desander_share": plant.concentrator.desander_share,
        "milk_wet_age_h": m.wet_age_h(milk),
        "milk_log_cfu_g": m.germs_log_cfu_g(milk),
        "milk_ph": ph(m.germs_log_cfu_g(milk), clocks.p),
        "cake_wet_age_h": m.wet_age_h(cake),
        "cake_log_cfu_g": m.germs_log_cfu_g(cake),
        "cake_whiteness": whiteness(cake, clocks.p),
        "good_wet_age_h": m.wet_age_h(good),
        "good_log_cfu_g": m.germs_log_cfu_g(good),
        "good_browned_points": m.browned_points(good),
        "good_whiteness": whiteness(good, clocks.p),
        "good_specks_cm2": specks_cm2(good, clocks.p),
        "film_log_cfu_cm2": clocks.film_log_cfu_cm2,
        "hours_since_rinse": clocks.hours_since_rinse,
    }


def _dry_side(plant: Plant) -> dict[str, float]:
    """Air, filter, starch damage, optics and bags."""
    exhaust, optics, packing = plant.exhaust, plant.optics, plant.packing
    activity, dew_c = packing.bag_state()
    bags = packing.bagging.bags
    return {
        "air_kg_h": plant.heater.air_kg_s * 3600.0,
        "duct_pa": exhaust.duct_pa,
        "filter_pa": exhaust.filter_pa,
        "filter_load": exhaust.load,
        "dust_g_m3": exhaust.dust_g_m3,
        "raw_dust_g_m3": exhaust.raw_dust_g_m3,
        "gelatinised_kg": plant.dryer.gelatinised_kg,
        "gelatinisation_margin_k": plant.dryer.gel_margin_k,
        "is_gelatinisation_risk": float(plant.dryer.is_gel_risk),
        "window_moisture_pct_wb": optics.true_pct,
        "nir_fouling_pct": optics.fouling_pct,
        "nir_lot_offset_pct": optics.lot_offset_pct,
        "whiteness": optics.whiteness,
        "specks_cm2": optics.specks_cm2,
        "bag_c": packing.bag_c,
        "bag_water_activity": activity,
        "bag_dew_point_c": dew_c,
        "bag_sweats": float(dew_c > plant.ambient_c),
        "bags_closed": float(packing.bagging.closed),
        "bags_sweating": float(packing.bagging.sweating),
        "last_bag_moisture_pct_wb": bags[-1].moisture_pct_wb if bags else 0.0,
        "last_bag_c": bags[-1].temp_c if bags else plant.ambient_c,
        "last_bag_water_activity": bags[-1].water_activity if bags else 0.0,
    }
