"""The flash duct as one pure function of floats: no object, no state, no clock.

It takes and returns plain numbers in tuples, so that it runs over arrays of dryers, too, without a change of its
equations (``many_dryers.py``). Powder and air run side by side through slices of equal contact time:

* the wall takes heat from the air (exponential approach within a slice);
* above the critical moisture the surface dries at the wet bulb's temperature, limited by the air's own heat; what the
  wall takes lets the wet bulb sink (drying alone leaves it where it is);
* below it the rate falls with a power of the free moisture over the sorption isotherm (drying curve);
* the particle's temperature follows from the same curve, between wet bulb and air;
* the heat balance of air and solid together gives the air temperature, so that each slice closes exactly.
"""

from __future__ import annotations

from math import exp, log
from typing import NamedTuple

from simulator.psychrometrics import (
    CP_AIR_KJ_KG_K,
    CP_LIQUID_KJ_KG_K,
    CP_VAPOUR_KJ_KG_K,
    GAS_CONSTANT_J_MOL_K,
    LATENT_0C_KJ_KG,
    MOLAR_RATIO,
    PRESSURE_PA,
    IsothermParameters,
    wet_bulb_c,
)

WALL_NODES = 3
SLICES_PER_NODE = 4
SLICES = WALL_NODES * SLICES_PER_NODE
VAPOUR_KJ_KG_K = 0.4615  # gas constant of water vapour
_LEAST_SPAN_DB = 0.05  # [kg/kg] between equilibrium and critical moisture, where damp air would close it


class DuctConstants(NamedTuple):
    """What does not change while the plant runs (plain floats)."""

    exchange_kw_kg_k: float
    critical_moisture_db: float
    curve: float  # exponent of the drying curve over 1
    wall_kw_k: float  # one slice
    monolayer_db: float
    gab_c: float
    gab_k: float
    monolayer_k: float  # heats over the gas constant [K]
    gab_c_k: float
    gab_k_k: float
    gel_onset_c: float
    gel_moisture_db: float
    gel_rise_k: float  # [K per kg/kg]
    gel_bend_k: float  # [K per (kg/kg)^2]
    gel_rate: float  # [1/(s K)]


class DuctEnd(NamedTuple):
    """State at the end of the duct; heat per kg dry solid."""

    moisture_db: float
    air_c: float
    humidity: float
    product_c: float
    wet_bulb_c: float
    equilibrium_db: float
    bulbs_c: tuple[float, float, float, float]  # of the inlet air and at each wall node
    wall_kj_kg: tuple[float, float, float]
    gelatinised_share: float
    gel_margin_k: float  # least distance below the working limit anywhere in the duct; negative beyond it


def duct_constants(
    exchange_kw_kg_k: float,
    critical_moisture_db: float,
    curve_exponent: float,
    wall_inside_kw_k: float,
    isotherm: IsothermParameters,
    gel: tuple[float, float, float, float, float],
) -> DuctConstants:
    """Constants from the parameters; ``gel``: onset [°C], its moisture, rise, bend, rate as in ``DuctConstants``."""
    return DuctConstants(
        exchange_kw_kg_k,
        critical_moisture_db,
        curve_exponent - 1.0,
        wall_inside_kw_k / SLICES,
        isotherm.monolayer_db,
        isotherm.c_constant,
        isotherm.k_constant,
        isotherm.monolayer_heat_j_mol / GAS_CONSTANT_J_MOL_K,
        isotherm.c_heat_j_mol / GAS_CONSTANT_J_MOL_K,
        isotherm.k_heat_j_mol / GAS_CONSTANT_J_MOL_K,
        *gel,
    )


def gel_onset_c(moisture_db: float, constants: DuctConstants) -> float:
    """Temperature that starch of this moisture should not reach [°C]; it rises as water gets scarce.

    A working limit. What is really damaged below the critical moisture is less: see ``gel_bend_k``.
    """
    return constants.gel_onset_c + constants.gel_rise_k * max(0.0, constants.gel_moisture_db - moisture_db)


def contact_s(air_kg_s: float, residence_s: float, residence_air_kg_h: float, longest_s: float) -> float:
    """Time that powder spends in the duct: the less air, the longer, up to ``longest_s``."""
    return min(residence_s * residence_air_kg_h / (air_kg_s * 3600.0), longest_s)


def blow_through_duct(
    air_kg_s: float, inlet_c: float, humidity: float, walls_c: tuple[float, float, float], wall_inside_kw_k: float
) -> tuple[float, tuple[float, float, float]]:
    """Carry air alone through the duct: where it leaves [°C], and what each wall takes [kW].

    Args:
        wall_inside_kw_k: of the whole duct.
    """
    wall_0, wall_1, wall_2 = walls_c
    capacity_kw_k = air_kg_s * (CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity)
    met = 1.0 - exp(-wall_inside_kw_k / WALL_NODES / capacity_kw_k)
    given_0 = (inlet_c - wall_0) * met
    air_c = inlet_c - given_0
    given_1 = (air_c - wall_1) * met
    air_c -= given_1
    given_2 = (air_c - wall_2) * met
    return air_c - given_2, (capacity_kw_k * given_0, capacity_kw_k * given_1, capacity_kw_k * given_2)


def step_walls(
    walls_c: tuple[float, float, float],
    taken_kj: tuple[float, float, float],
    ambient_c: float,
    loss_kj_k: float,
    wall_kj_k: float,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """One explicit step of the walls: where they are then [°C], and what each lost to the room [kJ].

    Args:
        taken_kj: from the air in this step. loss_kj_k: of one wall to the room in this step. wall_kj_k: of all three.
    """
    (wall_0, wall_1, wall_2), (taken_0, taken_1, taken_2) = walls_c, taken_kj
    per_kj = WALL_NODES / wall_kj_k
    lost_0 = loss_kj_k * (wall_0 - ambient_c)
    lost_1 = loss_kj_k * (wall_1 - ambient_c)
    lost_2 = loss_kj_k * (wall_2 - ambient_c)
    return (
        (
            wall_0 + (taken_0 - lost_0) * per_kj,
            wall_1 + (taken_1 - lost_1) * per_kj,
            wall_2 + (taken_2 - lost_2) * per_kj,
        ),
        (lost_0, lost_1, lost_2),
    )


def dry_through_duct(
    moisture_db: float,
    solid_kj_kg: float,
    solids_cp: float,
    air_per_solid: float,
    air_kg_s: float,
    contact_s: float,
    inlet_c: float,
    inlet_humidity: float,
    walls_c: tuple[float, float, float],
    bulbs_c: tuple[float, float, float, float],
    constants: DuctConstants,
) -> DuctEnd:
    """Carry powder through the duct.

    Args:
        moisture_db: of the cake [kg/kg dry].
        solid_kj_kg: heat of the cake with its water [kJ/kg dry] over 0 °C.
        solids_cp: of the dry matter [kJ/(kg K)].
        air_per_solid: dry air over dry solid [kg/kg], > 0.
        air_kg_s: dry air, > 0.
        contact_s: time in the duct.
        inlet_humidity: [kg/kg dry air].
        bulbs_c: wet bulbs of the last step, as a first guess.
    """
    (
        rate,
        critical,
        curve,
        wall_kw_k,
        mono,
        gab_c,
        gab_k,
        mono_k,
        c_k,
        k_k,
        onset_c,
        gel_db,
        gel_rise,
        gel_bend,
        gel_rate,
    ) = constants
    slice_s = contact_s / SLICES
    # beyond it a slice would leave wetter powder drier than dry powder: x exp(-met x^curve) has its top there
    most_met = 1.0 / curve if curve > 0.0 else 1e9
    exchange = rate * slice_s  # kJ/(kg K) per slice
    moisture, moisture_in = moisture_db, moisture_db
    inlet_bulb_c = wet_bulb_c(inlet_c, inlet_humidity, bulbs_c[0])
    latent = LATENT_0C_KJ_KG + CP_VAPOUR_KJ_KG_K * inlet_bulb_c - CP_LIQUID_KJ_KG_K * inlet_bulb_c
    air_c, humidity = inlet_c, inlet_humidity
    air_cp = CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity
    # heat of air and solid together, per kg dry solid; only the walls take from it
    heat = air_per_solid * (air_cp * air_c + humidity * LATENT_0C_KJ_KG) + solid_kj_kg
    # first the cold cake takes the wet bulb's temperature; the air is cooler, and with it the wet bulb
    air_c -= ((solids_cp + CP_LIQUID_KJ_KG_K * moisture) * inlet_bulb_c - solid_kj_kg) / (air_per_solid * air_cp)
    node_bulbs, node_walls = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    equilibrium, rate_share = 0.0, 1.0
    gelatinised, closest_k = 0.0, -1e9
    bulb_c = inlet_bulb_c
    for node in range(WALL_NODES):
        # walls and cold cake take heat: the wet bulb sinks along the duct
        bulb_c = node_bulbs[node] = wet_bulb_c(air_c, humidity, bulbs_c[node + 1])
        wall_c = walls_c[node]
        wall_kj = 0.0
        # how far it sinks with heat taken: water that saturated air holds at the wet bulb, and its slope there
        held = humidity + air_cp * (air_c - bulb_c) / latent
        kelvin = bulb_c + 273.15
        saturation_kj_k = latent * held * (1.0 + held / MOLAR_RATIO) * latent / (VAPOUR_KJ_KG_K * kelvin * kelvin)
        for _ in range(SLICES_PER_NODE):
            air_kj_k = air_per_solid * air_cp
            to_wall = air_kj_k * (air_c - wall_c) * (1.0 - exp(-wall_kw_k / (air_kg_s * air_cp)))
            wall_kj += to_wall
            heat -= to_wall
            air_c -= to_wall / air_kj_k
            bulb_c -= to_wall / (air_per_solid * (air_cp + saturation_kj_k))
            # equilibrium moisture of this air: relative humidity, then GAB
            kelvin = air_c + 273.15
            held_k = kelvin if 233.15 < kelvin < 503.15 else min(max(kelvin, 233.15), 503.15)
            activity = (PRESSURE_PA * humidity / (MOLAR_RATIO + humidity)) / exp(
                -5.8002206e3 / held_k
                + 1.3914993
                + held_k * (-4.8640239e-2 + held_k * (4.1764768e-5 - held_k * 1.4452093e-8))
                + 6.5459673 * log(held_k)
            )
            gab_temp_k = kelvin if 253.15 < kelvin < 393.15 else min(max(kelvin, 253.15), 393.15)
            inverse = 1.0 / gab_temp_k - 1.0 / 298.15
            c = gab_c * exp(c_k * inverse)
            fog = humidity * (1.0 - 1.0 / activity) if activity > 1.0 else 0.0
            if activity > 0.95:
                activity = 0.95
            ka = gab_k * exp(k_k * inverse) * activity
            equilibrium = mono * exp(mono_k * inverse) * c * ka / ((1.0 - ka) * (1.0 - ka + c * ka))
            free = moisture - equilibrium
            span = critical - equilibrium
            if span < _LEAST_SPAN_DB:
                span = _LEAST_SPAN_DB
            driving_k = air_c - bulb_c
            if fog > 0.0:  # walls cooled the air below its dew point: fog settles on the powder and warms what is left
                warming_k = latent / air_cp  # per kg/kg; the air holds more by Clausius and Clapeyron's slope
                holds_more = humidity * (1.0 + humidity / MOLAR_RATIO) * latent / (VAPOUR_KJ_KG_K * kelvin * kelvin)
                moisture += air_per_solid * fog / (1.0 + holds_more * warming_k)
                humidity = inlet_humidity + (moisture_in - moisture) / air_per_solid
                air_cp = CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity
                free = moisture - equilibrium
            elif driving_k > 0.0:  # powder drier than the isotherm takes water up at the same rate law
                surface = air_kj_k * driving_k / latent * (1.0 - exp(-exchange / air_kj_k))
                share = free / span
                slowing = share**curve if 0.0 < share < 1.0 else 1.0
                met = surface / span * slowing
                if met > most_met and share > 0.0:
                    met = most_met
                lost = free * (1.0 - exp(-met))
                if lost > surface:
                    lost = surface
                moisture -= lost
                humidity = inlet_humidity + (moisture_in - moisture) / air_per_solid
                air_cp = CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity
                free -= lost
            rate_share = 1.0 if free >= span else (free / span) ** (1.0 + curve) if free > 0.0 else 0.0
            # particle temperature = air - share * (air - wet bulb); solve the heat balance for the air
            solid_kj_k = solids_cp + CP_LIQUID_KJ_KG_K * moisture
            air_c = (heat - air_per_solid * humidity * LATENT_0C_KJ_KG - solid_kj_k * rate_share * bulb_c) / (
                air_per_solid * air_cp + solid_kj_k * (1.0 - rate_share)
            )
            over_k = air_c - rate_share * (air_c - bulb_c) - onset_c
            scarce = gel_db - moisture
            if scarce > 0.0:
                over_k -= gel_rise * scarce
            if over_k > closest_k:
                closest_k = over_k
            if over_k > 0.0:  # starch short of water melts far above the working limit
                melting_k = over_k - (gel_bend * scarce * scarce if scarce > 0.0 else 0.0)
                if melting_k > 0.0:
                    gelatinised += (1.0 - gelatinised) * (1.0 - exp(-gel_rate * melting_k * slice_s))
        node_walls[node] = wall_kj
    if air_c < bulb_c:  # walls cooled saturated air below the powder: they leave as warm as each other
        solid_kj_k = solids_cp + CP_LIQUID_KJ_KG_K * moisture
        air_c = (heat - air_per_solid * humidity * LATENT_0C_KJ_KG) / (air_per_solid * air_cp + solid_kj_k)
        bulb_c = air_c
    return DuctEnd(
        moisture,
        air_c,
        humidity,
        air_c - rate_share * (air_c - bulb_c),
        bulb_c,
        equilibrium,
        (inlet_bulb_c, node_bulbs[0], node_bulbs[1], node_bulbs[2]),
        (node_walls[0], node_walls[1], node_walls[2]),
        gelatinised,
        -closest_k,
    )
