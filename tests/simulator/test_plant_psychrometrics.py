"""Humid air and steam against an independent library: a table it printed, and the library itself where installed."""

from __future__ import annotations

import random

import pytest

from simulator.psychrometrics import (
    air_enthalpy_kj_kg,
    dew_point_c,
    humid_volume_m3_kg,
    humidity_kg_kg,
    saturation_pressure_pa,
    water_activity,
    wet_bulb_c,
)

# CoolProp 8.0.0 (IAPWS-95 steam): °C, Pa
STEAM = (
    (5, 872.58), (20, 2339.32), (40, 7384.94), (60, 19946.43), (80, 47414.47),
    (100, 101418.0), (130, 270279.98), (160, 618234.62), (190, 1255236.16),
)  # fmt: skip
# CoolProp 8.0.0 humid air (ASHRAE RP-1485), 101325 Pa: °C, rel. humidity; kg/kg, wet bulb, dew point, kJ/kg, m3/kg
AIR = (
    (10, 0.5, 0.003808, 5.53, 0.06, 19.65, 0.8066),
    (18, 0.6, 0.00773, 13.41, 10.13, 37.69, 0.8347),
    (25, 0.9, 0.018097, 23.72, 23.25, 71.22, 0.8688),
    (40, 0.3, 0.013971, 25.09, 19.14, 76.21, 0.9068),
    (55, 0.3, 0.030623, 36.01, 31.9, 135.04, 0.9752),
    (55, 0.8, 0.088962, 50.83, 50.42, 286.68, 1.0618),
    (90, 0.05, 0.022406, 38.44, 26.71, 150.46, 1.0658),
    (126, 0.005, 0.007437, 38.36, 9.56, 147.46, 1.1445),
    (160, 0.003, 0.011595, 43.97, 16.24, 194.15, 1.2502),
    (190, 0.005, 0.04106, 53.19, 36.89, 309.71, 1.399),
)


def _vapour_pa(humidity: float) -> float:
    return 101_325.0 * humidity / (0.62198 + humidity)


@pytest.mark.parametrize(("temp_c", "pressure_pa"), STEAM)
def test_saturation_pressure_of_steam(temp_c: float, pressure_pa: float) -> None:
    assert saturation_pressure_pa(temp_c) == pytest.approx(pressure_pa, rel=3e-4)
    assert dew_point_c(pressure_pa) == pytest.approx(temp_c, abs=0.01)


@pytest.mark.parametrize(("temp_c", "relative", "humidity", "bulb_c", "dew_c", "heat", "volume"), AIR)
def test_humid_air(
    temp_c: float, relative: float, humidity: float, bulb_c: float, dew_c: float, heat: float, volume: float
) -> None:
    assert humidity_kg_kg(temp_c, relative) == pytest.approx(humidity, rel=8e-3)
    assert wet_bulb_c(temp_c, humidity) == pytest.approx(bulb_c, abs=0.12)
    assert dew_point_c(_vapour_pa(humidity)) == pytest.approx(dew_c, abs=0.13)
    assert air_enthalpy_kj_kg(temp_c, humidity) == pytest.approx(heat, rel=6e-3, abs=0.2)
    assert humid_volume_m3_kg(temp_c, humidity) == pytest.approx(volume, rel=1.5e-3)


def test_relations_hold_over_the_whole_range() -> None:
    rng = random.Random(4)
    for _ in range(500):
        temp_c, humidity = rng.uniform(1.0, 199.0), 10 ** rng.uniform(-3.0, -0.9)
        if water_activity(temp_c, humidity) >= 1.0:
            continue
        bulb_c, dew_c = wet_bulb_c(temp_c, humidity), dew_point_c(_vapour_pa(humidity))
        assert dew_c - 0.02 <= bulb_c <= temp_c
        assert wet_bulb_c(temp_c, humidity, rng.uniform(-60.0, 230.0)) == pytest.approx(bulb_c, abs=0.002)
        assert wet_bulb_c(temp_c + 1.0, humidity) > bulb_c
        assert wet_bulb_c(temp_c, 1.02 * humidity) > bulb_c


def test_dew_point_of_nearly_dry_air_is_a_number() -> None:
    assert -80.0 < dew_point_c(0.0) < -50.0


def test_against_the_library_itself() -> None:
    coolprop = pytest.importorskip("CoolProp.CoolProp")
    rng = random.Random(2)
    for _ in range(150):
        temp_c, humidity = rng.uniform(1.0, 199.0), 10 ** rng.uniform(-3.0, -0.9)
        if _vapour_pa(humidity) > 0.95 * saturation_pressure_pa(temp_c):
            continue
        state = ("T", temp_c + 273.15, "P", 101_325.0, "W", humidity)
        bulb_c = coolprop.HAPropsSI("B", *state) - 273.15
        if bulb_c > 0.1:
            assert wet_bulb_c(temp_c, humidity) == pytest.approx(bulb_c, abs=0.12)
        heat = coolprop.HAPropsSI("H", *state) / 1000.0
        assert air_enthalpy_kj_kg(temp_c, humidity) == pytest.approx(heat, abs=0.007 * (heat + 20.0))
