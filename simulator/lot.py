"""Lots of roots: what a truck brings, drawn from species and season, and how it varies inside the lot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, isfinite, sqrt
from random import Random

from simulator import material as m
from simulator.material import Material

_SUGAR_PER_STARCH = 180.0 / 162.0  # hydrolysis takes up water


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
    within_fibre_slope: float
    within_soil_log_sd: float
    within_length_kg: float
    parcel_kg: float
    stored_days: float
    storage_loss_pct_d: float
    storage_reference_c: float
    storage_q10: float
    storage_respired_share: float
    soil_germs_log_g: float
    storage_germs_log_d: float
    sandy_factor: float


@dataclass(frozen=True)
class Lot:
    """One delivery. Percentages are of the gross mass as delivered, adhering soil included.

    ``stored_days``: since digging, already in the figures. ``germs_log_g``: log CFU per g of its soil and skin.

    Raises:
        ValueError: a share is negative, not a number, or they leave no water.
    """

    species: str
    starch_pct_wb: float
    fibre_pct_wb: float
    soil_pct_wb: float
    solubles_pct_wb: float
    temp_c: float = 12.0
    stored_days: float = 0.0
    germs_log_g: float = 7.0

    def __post_init__(self) -> None:
        shares = (self.starch_pct_wb, self.fibre_pct_wb, self.soil_pct_wb, self.solubles_pct_wb)
        if not all(isfinite(share) and share >= 0.0 for share in shares) or sum(shares) > 80.0:
            raise ValueError(f"lot shares {shares} % must each be >= 0 and together leave 20 % water")
        if not -5.0 <= self.temp_c <= 45.0:
            raise ValueError(f"lot temperature {self.temp_c} °C is outside -5..45")
        if not 0.0 <= self.stored_days <= 120.0 or not 0.0 <= self.germs_log_g <= 10.0:
            raise ValueError(f"lot stored {self.stored_days} d with {self.germs_log_g} log CFU/g: not in 0..120, 0..10")

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
    dug = Lot(name, starch * clean, fibre * clean, soil, solubles * clean, shared.root_temp_c)
    return stored(replace(dug, germs_log_g=shared.soil_germs_log_g), shared.stored_days, shared)


def mean_lot(name: str, species: Species, shared: LotParameters, season: float = 1.0) -> Lot:
    """The lot in the middle of its species: nothing drawn, stored as long as lots are."""
    clean = 1.0 - shared.soil_mean_pct / 100.0
    dug = Lot(
        name,
        species.starch_mean_pct * season * clean,
        species.fibre_mean_pct * clean,
        shared.soil_mean_pct,
        species.solubles_mean_pct * clean,
        shared.root_temp_c,
        germs_log_g=shared.soil_germs_log_g,
    )
    return stored(dug, shared.stored_days, shared)


def stored(lot: Lot, days: float, shared: LotParameters) -> Lot:
    """The lot after some more days in store: starch turns to sugar and is breathed away, rot spreads.

    First order in starch, its rate with a Q10 of the store's temperature.

    Raises:
        ValueError: days are negative, or more than a lot keeps.
    """
    if not 0.0 <= days <= 120.0:
        raise ValueError(f"roots stored for {days} days: not in 0..120")
    faster = shared.storage_q10 ** ((lot.temp_c - shared.storage_reference_c) / 10.0)
    kept = (1.0 - shared.storage_loss_pct_d / 100.0) ** (days * faster)
    sugared = lot.starch_pct_wb * (1.0 - kept) * (1.0 - shared.storage_respired_share)
    return replace(
        lot,
        starch_pct_wb=lot.starch_pct_wb * kept,
        solubles_pct_wb=lot.solubles_pct_wb + sugared * _SUGAR_PER_STARCH,
        stored_days=lot.stored_days + days,
        germs_log_g=min(10.0, lot.germs_log_g + shared.storage_germs_log_d * days),
    )


def sandy(lot: Lot, shared: LotParameters) -> Lot:
    """The same roots dug in wet weather: more soil on them, and less of everything else in a truckload.

    The technician sees soil behind the drum rise, brown wash water, and blades that blunt within a shift.
    """
    soil = min(30.0, lot.soil_pct_wb * shared.sandy_factor)
    rest = (100.0 - soil) / (100.0 - lot.soil_pct_wb)
    return replace(
        lot,
        soil_pct_wb=soil,
        starch_pct_wb=lot.starch_pct_wb * rest,
        fibre_pct_wb=lot.fibre_pct_wb * rest,
        solubles_pct_wb=lot.solubles_pct_wb * rest,
    )


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
        richer = shared.within_starch_cv * starch_z
        woodier = shared.within_fibre_slope * richer
        found.append(_parcel(lot, parcel_kg, richer, woodier, shared.within_soil_log_sd * soil_z))
        remaining -= parcel_kg
        starch_z = memory * starch_z + fresh * rng.gauss(0.0, 1.0)
        soil_z = memory * soil_z + fresh * rng.gauss(0.0, 1.0)
    return found


def _parcel(lot: Lot, parcel_kg: float, starch_change: float, fibre_change: float, soil_change: float) -> Material:
    """One parcel; water makes room for what varies."""
    starch = lot.starch_pct_wb * max(0.0, 1.0 + starch_change)
    soil = min(lot.soil_pct_wb * exp(soil_change), lot.soil_pct_wb + 0.25 * lot.water_pct_wb)
    fibre = lot.fibre_pct_wb * max(0.0, 1.0 + fibre_change)
    water = 100.0 - starch - fibre - soil - lot.solubles_pct_wb
    if water < 0.0:  # an absurdly rich parcel of a dry lot: keep the mass
        starch, water = starch + water, 0.0
    scale = parcel_kg / 100.0
    roots = m.empty()
    roots[m.BOUND] = starch * scale
    roots[m.COARSE] = fibre * scale
    roots[m.WATER] = water * scale
    roots[m.SOIL] = soil * scale
    roots[m.SOLUBLE] = lot.solubles_pct_wb * scale
    roots[m.HEAT] = m.heat_capacity_kj_k(roots) * lot.temp_c
    roots[m.GERMS] = roots[m.SOIL] * 10.0 ** (lot.germs_log_g - 6.0)
    return roots
