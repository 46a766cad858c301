"""Humid air and the sorption isotherm of starch, as pure functions of floats.

Enthalpies are counted from dry air and liquid water at 0 °C. Humidity is kg water per kg dry air.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import exp, log

from simulator.constants import constant

CP_AIR_KJ_KG_K = constant("air_kj_kg_k")
CP_VAPOUR_KJ_KG_K = constant("vapour_kj_kg_k")
LATENT_0C_KJ_KG = constant("latent_0c_kj_kg")
CP_LIQUID_KJ_KG_K = constant("water_kj_kg_k")
GAS_CONSTANT_J_MOL_K = 8.314
PRESSURE_PA = constant("air_pressure_pa")
MOLAR_RATIO = 0.62198  # water over dry air
_MOST_BULB_C = 96.0  # wet bulb of air with 4 kg/kg; beyond it Newton's way back is long, and no dryer runs there
_MOST_VAPOUR_PA = 0.95 * PRESSURE_PA


def saturation_pressure_pa(temp_c: float) -> float:
    """Saturation pressure of water vapour over liquid [Pa].

    Args:
        temp_c: temperature [°C], valid 0..200; held at -40 and 230 outside so that no input can blow it up.
    Source: Hyland and Wexler 1983 (the form printed by ASHRAE). Checked in the tests against steam-table values
    at 20, 60, 100 and 150 °C: within 0.3 %.
    """
    kelvin = (max(-40.0, temp_c)) + 273.15
    return _saturation_pa(min(kelvin, 503.15))


def _saturation_pa(kelvin: float) -> float:
    return exp(
        -5.8002206e3 / kelvin
        + 1.3914993
        + kelvin * (-4.8640239e-2 + kelvin * (4.1764768e-5 - kelvin * 1.4452093e-8))
        + 6.5459673 * log(kelvin)
    )


def humidity_kg_kg(temp_c: float, relative_humidity: float) -> float:
    """Humidity of air at sea level; relative humidity as a fraction 0..1, vapour pressure held below 0.95 of total."""
    vapour_pa = min(relative_humidity * saturation_pressure_pa(temp_c), _MOST_VAPOUR_PA)
    return MOLAR_RATIO * vapour_pa / (PRESSURE_PA - vapour_pa)


def water_activity(temp_c: float, humidity: float) -> float:
    """Relative humidity (0..1) that air of this humidity has at a temperature; 1 where it would be a fog."""
    vapour_pa = PRESSURE_PA * humidity / (MOLAR_RATIO + humidity)
    activity = vapour_pa / saturation_pressure_pa(temp_c)
    return min(1.0, activity)


def air_enthalpy_kj_kg(temp_c: float, humidity: float) -> float:
    """Enthalpy of humid air per kg dry air."""
    return CP_AIR_KJ_KG_K * temp_c + humidity * (LATENT_0C_KJ_KG + CP_VAPOUR_KJ_KG_K * temp_c)


def wet_bulb_c(temp_c: float, humidity: float, start_c: float | None = None) -> float:
    """Adiabatic saturation temperature (taken as the wet bulb, Lewis number 1) [°C].

    Args:
        temp_c: dry bulb [°C], -20..230.
        humidity: kg/kg dry air, below 4; supersaturated air has its wet bulb at the dry bulb.
        start_c: a guess, such as the last answer: two Newton steps then suffice.
    """
    heat_capacity = CP_AIR_KJ_KG_K + CP_VAPOUR_KJ_KG_K * humidity
    top_c = min(temp_c, _MOST_BULB_C)
    guess = 0.3 * temp_c if start_c is None else min(max(start_c, -40.0), top_c)
    was_at_top = False
    for _ in range(40):
        latent = LATENT_0C_KJ_KG + (CP_VAPOUR_KJ_KG_K - CP_LIQUID_KJ_KG_K) * guess
        kelvin = guess + 273.15
        vapour_pa = _saturation_pa(min(kelvin, 503.15))
        if vapour_pa > _MOST_VAPOUR_PA:
            vapour_pa = _MOST_VAPOUR_PA
        saturated = MOLAR_RATIO * vapour_pa / (PRESSURE_PA - vapour_pa)
        error = latent * (saturated - humidity) - heat_capacity * (temp_c - guess)
        # Clausius-Clapeyron slope of the saturation humidity; good enough for Newton
        slope = saturated * (1.0 + saturated / MOLAR_RATIO) * latent / (0.4615 * kelvin * kelvin)
        change = error / (latent * slope + heat_capacity)
        guess -= change
        if guess > top_c:
            guess = top_c
            if was_at_top:  # a fog
                break
            was_at_top = True
        elif guess < -40.0:
            guess = -40.0
        if -1e-3 < change < 1e-3:  # the error left is the square of it
            break
    return guess


def dew_point_c(vapour_pa: float) -> float:
    """Temperature at which vapour of this pressure begins to condense [°C], within 0.001 K for 1 Pa..1 MPa.

    Air without vapour never does: below 1 Pa the answer is that of 1 Pa, about -60 °C, where this is no longer meant.
    """
    goal = log(max(vapour_pa, 1.0))
    kelvin = 5200.0 / (25.3 - goal)  # Clausius-Clapeyron as a first guess
    for _ in range(20):
        change = (log(_saturation_pa(kelvin)) - goal) * kelvin * kelvin / 5300.0
        kelvin -= change
        if -1e-4 < change < 1e-4:
            break
    return kelvin - 273.15


def humid_volume_m3_kg(temp_c: float, humidity: float) -> float:
    """Volume of humid air per kg of its dry air at sea level, ideal gas; humidity in kg/kg."""
    return 287.055 * (temp_c + 273.15) / PRESSURE_PA * (1.0 + humidity / MOLAR_RATIO)


@dataclass(frozen=True)
class IsothermParameters:
    """GAB constants at 25 °C and their heats [J/mol]."""

    monolayer_db: float
    c_constant: float
    k_constant: float
    monolayer_heat_j_mol: float
    c_heat_j_mol: float
    k_heat_j_mol: float


class Isotherm:
    """GAB sorption isotherm of starch: equilibrium moisture from water activity and temperature, and back."""

    def __init__(self, parameters: IsothermParameters) -> None:
        self.parameters = parameters

    def _constants(self, temp_c: float) -> tuple[float, float, float]:
        p = self.parameters
        held_c = -20.0 if temp_c < -20.0 else min(temp_c, 120.0)
        inverse = (1.0 / (held_c + 273.15) - 1.0 / 298.15) / GAS_CONSTANT_J_MOL_K
        return (
            p.monolayer_db * exp(p.monolayer_heat_j_mol * inverse),
            p.c_constant * exp(p.c_heat_j_mol * inverse),
            p.k_constant * exp(p.k_heat_j_mol * inverse),
        )

    def moisture_db(self, activity: float, temp_c: float) -> float:
        """Equilibrium moisture [kg/kg dry]; ``activity`` is held to 0..0.95, the range of the GAB form."""
        monolayer, c, k = self._constants(temp_c)
        ka = k * (0.95 if activity > 0.95 else max(0.0, activity))
        return monolayer * c * ka / ((1.0 - ka) * (1.0 - ka + c * ka))

    def activity(self, moisture_db: float, temp_c: float) -> float:
        """Water activity (0..0.95) of powder at a moisture [kg/kg dry] and temperature."""
        monolayer, c, k = self._constants(temp_c)
        if moisture_db <= 0.0:
            return 0.0
        # X = Xm C u / ((1-u)(1-u+Cu)) is a quadratic in u = K aw
        a = moisture_db * (1.0 - c)
        b = moisture_db * (c - 2.0) - monolayer * c
        root = (-b - math.sqrt(b * b - 4.0 * a * moisture_db)) / (2.0 * a)
        return min(max(root / k, 0.0), 0.95)
