"""What flows through the plant: one extensive vector of seven masses, its sensible heat and three clocks.

A ``Material`` is a plain list so that a step of the whole plant stays in the tens of microseconds. Every
machine only ever moves, splits or relabels these vectors, which is why mass and energy balance by construction.
Nothing here knows a machine, a clock or a random number.
"""

from __future__ import annotations

from math import log10
from typing import TypeAlias

from simulator.constants import constant

Material: TypeAlias = list[float]
"""[kg] free starch, bound starch, coarse fibre, fine fibre, water, soil, solubles; then heat [kJ] over 0 °C liquid.

Behind them what time does to wet starch, as amounts, so that pouring together averages by mass without a further rule:
wet age [kg dry · h], germs [1e9 CFU] and browning [kg dry · points of whiteness].
"""

FREE, BOUND, COARSE, FINE, WATER, SOIL, SOLUBLE, HEAT, AGE, GERMS, BROWN = range(11)
SIZE = 11

CP_STARCH_KJ_KG_K = constant("starch_kj_kg_k")
CP_FIBRE_KJ_KG_K = constant("fibre_kj_kg_k")
CP_WATER_KJ_KG_K = constant("water_kj_kg_k")
CP_SOIL_KJ_KG_K = constant("soil_kj_kg_k")
CP_SOLUBLE_KJ_KG_K = constant("soluble_kj_kg_k")

SOLIDS_VOLUME_M3_KG = 1.0 / constant("solids_kg_m3")
SOIL_VOLUME_M3_KG = 1.0 / constant("soil_kg_m3")
WATER_VOLUME_M3_KG = 1.0 / constant("water_kg_m3")


def empty() -> Material:
    """A new vector of nothing."""
    return [0.0] * SIZE


def water(mass_kg: float, temp_c: float) -> Material:
    """Clean water of a temperature."""
    return [0.0, 0.0, 0.0, 0.0, mass_kg, 0.0, 0.0, mass_kg * CP_WATER_KJ_KG_K * temp_c, 0.0, 0.0, 0.0]


def pour(into: Material, what: Material) -> None:
    """Add ``what`` to a hold-up, component by component (unrolled: this is the hottest line of the plant)."""
    into[0] += what[0]
    into[1] += what[1]
    into[2] += what[2]
    into[3] += what[3]
    into[4] += what[4]
    into[5] += what[5]
    into[6] += what[6]
    into[7] += what[7]
    into[8] += what[8]
    into[9] += what[9]
    into[10] += what[10]


def part(what: Material, fraction: float) -> Material:
    """A copy of a well-mixed ``fraction`` (0..1) of ``what``."""
    a, b, c, d, e, f, g, h, i, j, k = what
    return [
        a * fraction,
        b * fraction,
        c * fraction,
        d * fraction,
        e * fraction,
        f * fraction,
        g * fraction,
        h * fraction,
        i * fraction,
        j * fraction,
        k * fraction,
    ]


def minus(what: Material, taken: Material) -> Material:
    """What is left of ``what`` after ``taken`` was split off."""
    a, b, c, d, e, f, g, h, i, j, k = what
    n, o, p, q, r, s, t, u, v, w, x = taken
    return [a - n, b - o, c - p, d - q, e - r, f - s, g - t, h - u, i - v, j - w, k - x]


def draw(holdup: Material, fraction: float) -> Material:
    """Take a well-mixed ``fraction`` (0..1) out of a hold-up, which shrinks by exactly that."""
    a, b, c, d, e, f, g, h, i, j, k = holdup
    taken = [
        a * fraction,
        b * fraction,
        c * fraction,
        d * fraction,
        e * fraction,
        f * fraction,
        g * fraction,
        h * fraction,
        i * fraction,
        j * fraction,
        k * fraction,
    ]
    n, o, p, q, r, s, t, u, v, w, x = taken
    holdup[:] = (a - n, b - o, c - p, d - q, e - r, f - s, g - t, h - u, i - v, j - w, k - x)
    return taken


def follow(taken: Material, whole: Material, adhering: float) -> None:
    """Give a part whose masses a machine has set its share of the clocks.

    Age and browning belong to the dry mass. Germs swim with the water, but for the share that adheres to solids.
    """
    dry = dry_kg(whole)
    share = min(1.0, dry_kg(taken) / dry) if dry > 1e-12 else 0.0
    wet = min(1.0, taken[4] / whole[4]) if whole[4] > 1e-12 else 1.0
    taken[8] = whole[8] * share
    taken[9] = whole[9] * (adhering * share + (1.0 - adhering) * wet)
    taken[10] = whole[10] * share


def mass_kg(what: Material) -> float:
    """Total mass."""
    return what[0] + what[1] + what[2] + what[3] + what[4] + what[5] + what[6]


def dry_kg(what: Material) -> float:
    """Mass without water."""
    return what[0] + what[1] + what[2] + what[3] + what[5] + what[6]


def starch_kg(what: Material) -> float:
    """Dry starch, free and bound."""
    return what[0] + what[1]


def dry_heat_capacity_kj_k(what: Material) -> float:
    """Heat capacity of everything but the water."""
    return (
        (what[0] + what[1]) * CP_STARCH_KJ_KG_K
        + (what[2] + what[3]) * CP_FIBRE_KJ_KG_K
        + what[5] * CP_SOIL_KJ_KG_K
        + what[6] * CP_SOLUBLE_KJ_KG_K
    )


def heat_capacity_kj_k(what: Material) -> float:
    """Heat capacity with the water (written out: it is asked for dozens of times in a step)."""
    return (
        (what[0] + what[1]) * CP_STARCH_KJ_KG_K
        + (what[2] + what[3]) * CP_FIBRE_KJ_KG_K
        + what[4] * CP_WATER_KJ_KG_K
        + what[5] * CP_SOIL_KJ_KG_K
        + what[6] * CP_SOLUBLE_KJ_KG_K
    )


def temperature_c(what: Material, when_empty_c: float) -> float:
    """Temperature of a mixture; ``when_empty_c`` where there is too little to have one."""
    capacity = (
        (what[0] + what[1]) * CP_STARCH_KJ_KG_K
        + (what[2] + what[3]) * CP_FIBRE_KJ_KG_K
        + what[4] * CP_WATER_KJ_KG_K
        + what[5] * CP_SOIL_KJ_KG_K
        + what[6] * CP_SOLUBLE_KJ_KG_K
    )
    return what[7] / capacity if capacity > 1e-9 else when_empty_c


def volume_m3(what: Material) -> float:
    """Volume of a slurry, volumes added."""
    return (
        (what[0] + what[1] + what[2] + what[3] + what[6]) * SOLIDS_VOLUME_M3_KG
        + what[4] * WATER_VOLUME_M3_KG
        + what[5] * SOIL_VOLUME_M3_KG
    )


def moisture_pct_wb(what: Material, when_empty: float) -> float:
    """Moisture, wet basis; ``when_empty`` where there is nothing."""
    total = mass_kg(what)
    return 100.0 * what[4] / total if total > 1e-9 else when_empty


def wet_age_h(what: Material) -> float:
    """Mean time since its cells were cut open, by dry mass; 0 where there is nothing."""
    dry = dry_kg(what)
    return what[AGE] / dry if dry > 1e-9 else 0.0


def browned_points(what: Material) -> float:
    """Points of whiteness lost to browning, by dry mass; 0 where there is nothing."""
    dry = dry_kg(what)
    return what[BROWN] / dry if dry > 1e-9 else 0.0


def germs_log_cfu_g(what: Material) -> float:
    """Total plate count, log CFU per g as it is; 0 (one germ per gram) where there are fewer or nothing."""
    total = mass_kg(what)
    per_g = what[GERMS] * 1e6 / total if total > 1e-9 else 0.0
    return log10(per_g) if per_g > 1.0 else 0.0
