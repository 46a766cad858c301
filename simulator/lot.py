"""Lots of roots: what a truck brings, drawn from species and season, and how it varies inside the lot."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, sqrt
from random import Random

from simulator import material as m
from simulator.material import Material


@dataclass(frozen=True)
class Species:
    """Composition of washed root by species and way of growing; means and standard deviations between lots [% wb]."""

    starch_mean_pct: float
    starch_sd_pct: float
    fibre_mean_pct: float
    fibre_sd_pct: float
    solubles_mean_pct: float
    solubles_sd_pct: float


@dataclass(frozen=True)
class LotParameters:
    """What all lots share."""

    soil_mean_pct: float
    soil_log_sd: float
    root_temp_c: float
    within_starch_cv: float
    within_soil_log_sd: float
    within_length_kg: float
    parcel_kg: float


@dataclass(frozen=True)
class Lot:
    """One delivery. Percentages are of the gross mass as delivered, adhering soil included.

    Raises:
        ValueError: a share is negative, not a number, or they leave no water.
    """

    species: str
    starch_pct_wb: float
    fibre_pct_wb: float
    soil_pct_wb: float
    solubles_pct_wb: float
    temp_c: float = 12.0

    def __post_init__(self) -> None:
        shares = (self.starch_pct_wb, self.fibre_pct_wb, self.soil_pct_wb, self.solubles_pct_wb)
        if not all(isfinite(share) and share >= 0.0 for share in shares) or sum(shares) > 80.0:
            raise ValueError(f"lot shares {shares} % must each be >= 0 and together leave 20 % water")
        if not -5.0 <= self.temp_c <= 45.0:
            raise ValueError(f"lot temperature {self.temp_c} °C is outside -5..45")

    @property
    def water_pct_wb(self) -> float:
        """Water, by difference."""
        return 100.0 - self.starch_pct_wb - self.fibre_pct_wb - self.soil_pct_wb - self.solubles_pct_wb


def draw_lot(rng: Random, name: str, species: Species, shared: LotParameters, season: float = 1.0) -> Lot:
    """Draw a lot; lots beyond two standard deviations are not bought.

    Args:
        season: relative starch content of the month, 1 in mid-winter.
    """

    def between(mean: float, sd: float) -> float:
        return max(0.2, mean + sd * min(2.0, max(-2.0, rng.gauss(0.0, 1.0))))

    starch = between(species.starch_mean_pct, species.starch_sd_pct) * season
    fibre = between(species.fibre_mean_pct, species.fibre_sd_pct)
    solubles = between(species.solubles_mean_pct, species.solubles_sd_pct)
    soil = shared.soil_mean_pct * exp(shared.soil_log_sd * min(2.0, max(-2.0, rng.gauss(0.0, 1.0))))
    clean = 1.0 - soil / 100.0
    return Lot(name, starch * clean, fibre * clean, soil, solubles * clean, shared.root_temp_c)


def parcels(rng: Random, lot: Lot, root_kg: float, shared: LotParameters) -> list[Material]:
    """Cut a lot into parcels whose composition wanders as a first-order autoregression along the lot.

    The composition is fixed when the roots are tipped, so the books know exactly what came in.
    """
    remaining, found = root_kg, []
    memory = exp(-shared.parcel_kg / shared.within_length_kg)
    fresh = sqrt(1.0 - memory * memory)
    starch_z, soil_z = rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0)
    while remaining > 1e-9:
        parcel_kg = min(shared.parcel_kg, remaining)
        found.append(_parcel(lot, parcel_kg, shared.within_starch_cv * starch_z, shared.within_soil_log_sd * soil_z))
        remaining -= parcel_kg
        starch_z = memory * starch_z + fresh * rng.gauss(0.0, 1.0)
        soil_z = memory * soil_z + fresh * rng.gauss(0.0, 1.0)
    return found


def _parcel(lot: Lot, parcel_kg: float, starch_change: float, soil_change: float) -> Material:
    """One parcel; water makes room for what varies."""
    starch = lot.starch_pct_wb * max(0.0, 1.0 + starch_change)
    soil = min(lot.soil_pct_wb * exp(soil_change), lot.soil_pct_wb + 0.25 * lot.water_pct_wb)
    water = 100.0 - starch - lot.fibre_pct_wb - soil - lot.solubles_pct_wb
    if water < 0.0:  # an absurdly rich parcel of a dry lot: keep the mass
        starch, water = starch + water, 0.0
    scale = parcel_kg / 100.0
    roots = m.empty()
    roots[m.BOUND] = starch * scale
    roots[m.COARSE] = lot.fibre_pct_wb * scale
    roots[m.WATER] = water * scale
    roots[m.SOIL] = soil * scale
    roots[m.SOLUBLE] = lot.solubles_pct_wb * scale
    roots[m.HEAT] = m.heat_capacity_kj_k(roots) * lot.temp_c
    return roots
