"""Where the instruments sit: the true value behind each tag, in the order of ``data/sensors.yaml``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.plant import Plant

RATE_TAGS = (
    "WT-101", "WT-102", "AT-106", "ST-103", "FT-104", "AT-105",
    "JT-201", "ST-201", "FT-203", "DT-204", "LT-205", "MT-207", "FT-206", "AT-209", "TT-211",
    "WT-301", "WT-302", "TT-303", "TT-304", "TT-305", "MT-306", "FT-307", "PT-308", "TT-309", "MT-310", "TT-311",
    "WT-313", "AT-317", "AT-318", "AT-319", "PDT-320",
)  # fmt: skip
TOTAL_TAGS = (
    "WQ-102", "FQ-104", "JQ-110", "FQ-203", "WQ-208", "WQ-207", "JQ-210", "WQ-313", "WQ-314", "WQ-315", "JQ-316",
    "FQ-212", "JQ-321",
)  # fmt: skip


def true_rates(plant: Plant, dt_s: float) -> list[float]:
    """True values in the order of ``RATE_TAGS``, in the unit of each tag; the NIR is NaN without powder."""
    hopper, heater, dryer, packing = plant.hopper, plant.heater, plant.dryer, plant.packing
    return [
        hopper.mass_kg,
        hopper.rate_kg_s * 3600.0,
        plant.root_starch_pct,
        plant.trommel_rpm,
        plant.wash_m3_h,
        plant.trommel.soil_pct_wb,
        plant.rasp.power_kw,
        plant.rasp_rpm,
        plant.sieve_m3_h,
        plant.concentrator.milk_density_kg_m3,
        plant.milk_tank.level_pct,
        plant.peeler.cake_pct_wb,
        plant.milk_tank.outflow_m3_h,
        plant.rinse_solids_pct,
        plant.slurry_c,
        plant.cake_hopper.mass_kg,
        plant.cake_hopper.rate_kg_s * 3600.0,
        heater.inlet_c,
        dryer.outlet_c,
        packing.cone_c,
        plant.nir_pct,
        heater.air_kg_s * 3600.0,
        plant.exhaust.duct_pa,
        plant.ambient_c,
        plant.ambient_humidity_pct,
        packing.bag_c,
        sum(packing.bin_kg) * 3600.0 / dt_s,
        plant.optics.whiteness,
        plant.optics.specks_cm2,
        plant.exhaust.dust_g_m3,
        plant.exhaust.filter_pa,
    ]
