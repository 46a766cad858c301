"""What physics forbids, the dryer does not do; where practice gives a range, it lies inside."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plant_bench import AMBIENT_C, AMBIENT_HUMIDITY, powder_pct_wb, quiet, run, settled_dryer, started

from simulator import material as m
from simulator.ledger import Books
from simulator.machines.exhaust import Exhaust
from simulator.machines.feeder import CakeHopper
from simulator.parameters import default_parameters
from simulator.psychrometrics import (
    Isotherm,
    humidity_kg_kg,
    saturation_pressure_pa,
    water_activity,
    wet_bulb_c,
)

ISOTHERM = Isotherm(default_parameters().isotherm)


@pytest.mark.parametrize(("temp_c", "pressure_pa"), [(20, 2339), (60, 19946), (100, 101420), (150, 476160)])
def test_saturation_pressure_agrees_with_steam_tables(temp_c: float, pressure_pa: float) -> None:
    assert saturation_pressure_pa(temp_c) == pytest.approx(pressure_pa, rel=3e-3)


@pytest.mark.parametrize(("dry_c", "relative", "bulb_c"), [(25, 0.5, 17.9), (30, 0.3, 17.8), (40, 0.2, 22.0)])
def test_wet_bulb_agrees_with_the_psychrometric_chart(dry_c: float, relative: float, bulb_c: float) -> None:
    assert wet_bulb_c(dry_c, humidity_kg_kg(dry_c, relative)) == pytest.approx(bulb_c, abs=0.3)


def test_wet_bulb_of_saturated_air_is_its_temperature_and_needs_no_good_guess() -> None:
    for temp_c in (5.0, 40.0, 90.0):
        assert wet_bulb_c(temp_c, humidity_kg_kg(temp_c, 1.0)) == pytest.approx(temp_c, abs=0.01)
        assert wet_bulb_c(temp_c, 1.2 * humidity_kg_kg(temp_c, 1.0)) == temp_c
        guesses = [wet_bulb_c(temp_c, 0.3 * humidity_kg_kg(temp_c, 1.0), start) for start in (-30.0, 0.0, temp_c)]
        assert max(guesses) - min(guesses) < 0.01


@pytest.mark.parametrize(
    ("activity", "temp_c", "pct_wb"), [(0.6, 25, 12.47), (0.65, 25, 13.33), (0.4, 60, 7.93), (0.8, 40, 15.42)]
)
def test_isotherm_reproduces_its_table(activity: float, temp_c: float, pct_wb: float) -> None:
    moisture_db = ISOTHERM.moisture_db(activity, temp_c)
    assert 100.0 * moisture_db / (1.0 + moisture_db) == pytest.approx(pct_wb, abs=0.02)
    assert ISOTHERM.activity(moisture_db, temp_c) == pytest.approx(activity, abs=1e-6)


@settings(deadline=None)
@given(
    inlet_c=st.floats(20.0, 200.0),
    cake_kg_h=st.floats(0.1, 450.0),
    cake_pct_wb=st.floats(15.0, 60.0),
    fan_pct=st.floats(25.0, 100.0),
)
@example(inlet_c=124.0, cake_kg_h=317.0, cake_pct_wb=58.5, fan_pct=25.0)  # so wet that the walls make fog
@example(inlet_c=145.0, cake_kg_h=447.0, cake_pct_wb=53.0, fan_pct=26.7)
def test_bounds_of_physics(inlet_c: float, cake_kg_h: float, cake_pct_wb: float, fan_pct: float) -> None:
    dryer = settled_dryer(inlet_c, cake_kg_h, cake_pct_wb, fan_pct)
    cake_db = cake_pct_wb / (100.0 - cake_pct_wb)
    assert dryer.outlet_c <= inlet_c + 0.01
    assert dryer.wet_bulb_c - 0.01 <= dryer.product_c <= max(dryer.outlet_c, dryer.wet_bulb_c) + 0.01
    assert AMBIENT_HUMIDITY - 1e-9 <= dryer.outlet_humidity <= humidity_kg_kg(dryer.outlet_c, 1.0) + 2e-4
    driest = ISOTHERM.moisture_db(water_activity(dryer.outlet_c, dryer.outlet_humidity), dryer.outlet_c)
    assert min(driest, cake_db) - 1e-3 <= dryer.moisture_db <= cake_db + 1e-9


def _gains(inlet_c: float, cake_kg_h: float, cake_pct_wb: float) -> tuple[float, float, float]:
    """Moisture gain per K of inlet, per % of cake moisture, per +1 % of feed."""

    def pct(inlet: float, cake: float, wet: float) -> float:
        return powder_pct_wb(settled_dryer(inlet, cake, wet))

    return (
        (pct(inlet_c + 3, cake_kg_h, cake_pct_wb) - pct(inlet_c - 3, cake_kg_h, cake_pct_wb)) / 6.0,
        (pct(inlet_c, cake_kg_h, cake_pct_wb + 1) - pct(inlet_c, cake_kg_h, cake_pct_wb - 1)) / 2.0,
        (pct(inlet_c, cake_kg_h * 1.02, cake_pct_wb) - pct(inlet_c, cake_kg_h * 0.98, cake_pct_wb)) / 4.0,
    )


def test_nominal_point_and_gains() -> None:
    dryer = settled_dryer(126.0)
    assert powder_pct_wb(dryer) == pytest.approx(12.8, abs=0.3)
    assert 50.0 < dryer.outlet_c < 62.0
    assert dryer.product_c < 56.0
    per_k, per_cake, per_feed = _gains(126.0, 200.0, 38.0)
    assert -0.15 < per_k < -0.08
    assert 0.3 < per_cake < 0.6
    assert 0.1 < per_feed < 0.3


@pytest.mark.parametrize(
    ("inlet_c", "cake_kg_h", "cake_pct_wb"), [(100, 150, 36), (150, 260, 38), (150, 200, 43), (175, 330, 40)]
)
def test_gains_never_exceed_the_energy_balance(inlet_c: float, cake_kg_h: float, cake_pct_wb: float) -> None:
    dryer = settled_dryer(inlet_c, cake_kg_h, cake_pct_wb)
    per_k, per_cake, _ = _gains(inlet_c, cake_kg_h, cake_pct_wb)
    air_per_solid = 3400.0 * 0.65 / (cake_kg_h * (1.0 - cake_pct_wb / 100.0))
    per_db = 100.0 / (1.0 + dryer.moisture_db) ** 2  # % wb per unit of moisture db
    ceiling_per_k = air_per_solid * 1.025 / 2595.0 * per_db
    ceiling_per_cake = 0.01 / (1.0 - cake_pct_wb / 100.0) ** 2 * per_db
    assert -ceiling_per_k < per_k < 0.0
    assert 0.0 < per_cake < ceiling_per_cake


def test_energy_per_kg_evaporated_is_that_of_a_flash_dryer() -> None:
    plant = started(1, 20.0, TV_303=0)
    run(plant, 15.0, TV_303=50)
    before = plant.truth()
    run(plant, 15.0)
    after = plant.truth()
    evaporated_kg = after["evaporated_kg"] - before["evaporated_kg"]
    assert evaporated_kg > 8.0
    assert 1.05 < (after["heat_to_air_kwh"] - before["heat_to_air_kwh"]) / evaporated_kg < 1.35
    assert 1.15 < (after["fuel_kwh"] - before["fuel_kwh"]) / evaporated_kg < 1.6


def test_empty_dryer_runs_hot_and_dry() -> None:
    plant = started(1, 40.0, SC_101=0)
    shown = plant.measure()
    assert 110.0 < shown["TT-303"] < 145.0
    assert shown["TT-304"] > 80.0
    assert AMBIENT_C + 10.0 < shown["TT-305"] < 60.0  # still air in the cone
    assert math.isnan(shown["MT-306"])
    assert plant.truth()["evaporated_kg"] < 0.01
    assert plant.truth()["good_kg"] < 0.05


def test_burner_left_on_without_a_fan_is_cut_out() -> None:
    plant = started(1, 20.0, SC_307=0, TV_303=100, SC_101=0)
    assert plant.truth()["heater_metal_c"] < 275.0
    assert plant.heater.is_cut_out or plant.truth()["heater_metal_c"] < 266.0
    run(plant, 10.0, SC_307=70, TV_303=0)
    assert not plant.heater.is_cut_out
    assert plant.truth()["inlet_air_c"] < 60.0


def test_screw_does_not_feed_into_still_air() -> None:
    plant = started(1, 20.0, SC_302=0)
    before_kg = plant.truth()["held_cake_hopper_kg"]
    assert before_kg > 5.0
    run(plant, 3.0, SC_302=60, SC_307=10)
    assert plant.truth()["held_cake_hopper_kg"] >= before_kg
    assert plant.measure()["WT-302"] < 10.0


def test_heater_lag_and_meter_delay_lie_in_their_ranges() -> None:
    """Same seed twice, one with a step: the difference is the step response without any noise."""
    base, stepped = started(7, 35.0), started(7, 35.0)
    stepped.inputs["TV-303"] += 6.0
    inlet, moisture = [], []
    for _ in range(900):
        base.step(1.0)
        stepped.step(1.0)
        inlet.append(stepped.heater.inlet_c - base.heater.inlet_c)
        moisture.append(stepped.nir_pct - base.nir_pct)
    lag_s = next(k for k, rise in enumerate(inlet) if rise > 0.632 * inlet[-1])
    assert 60.0 < lag_s < 120.0
    arrives_s = next(k for k, fall in enumerate(moisture) if fall < -0.02)
    assert 30.0 < arrives_s < 60.0


def test_moisture_follows_a_step_of_inlet_air_with_the_lag_and_delay_of_a_flash_dryer() -> None:
    """From 28 and 63 % of the final change: lag 1-3 min, delay 0.5-1.5 min, as the meter shows it."""
    base, stepped = (started(7, 45.0, quiet()) for _ in range(2))
    heater_step = stepped.heater.step

    def hotter(*args: float) -> None:
        heater_step(*args)  # type: ignore[arg-type]
        stepped.heater.inlet_c += 5.0

    stepped.heater.step = hotter  # type: ignore[method-assign,assignment]
    at = stepped.sensors.tags.index("MT-306")
    for plant in (base, stepped):
        plant.load(2000.0)
    falls = []
    for _ in range(900):
        base.step(1.0)
        stepped.step(1.0)
        falls.append(base.sensors._lagged[at] - stepped.sensors._lagged[at])
    final = sum(falls[600:]) / 300
    early_s, late_s = (next(k + 1 for k, fall in enumerate(falls) if fall > share * final) for share in (0.283, 0.632))
    lag_s = 1.5 * (late_s - early_s)
    assert 0.08 < final / 5.0 < 0.15
    assert 50.0 < lag_s < 180.0
    assert 25.0 < late_s - lag_s < 90.0


def test_the_screw_delivers_later_the_slower_it_turns_and_keeps_what_is_in_it() -> None:
    delays = []
    for screw_pct in (100.0, 50.0):
        hopper = CakeHopper(default_parameters().feeder, Books())
        cake = m.empty()
        cake[m.FREE], cake[m.WATER] = 60.0, 40.0
        hopper.cake = cake
        out_kg = [m.mass_kg(hopper.step(m.empty(), screw_pct, 0.0, 0.6, 0.5)) for _ in range(60)]
        delays.append(next(k for k, kg in enumerate(out_kg) if kg > 0.0) * 0.5)
        held_kg = m.mass_kg(hopper.held())
        assert held_kg + sum(out_kg) == pytest.approx(100.0)
        assert held_kg > hopper.mass_kg + 0.5
        assert m.mass_kg(hopper.step(m.empty(), 0.0, 0.0, 0.6, 0.5)) == 0.0
        assert m.mass_kg(hopper.held()) == pytest.approx(held_kg)
    assert delays == [6.0, 12.0]


def test_air_flow_is_near_the_fan_speed_and_pressures_balance() -> None:
    p = default_parameters().exhaust
    for speed_pct in (50.0, 55.0, 60.0, 65.0):
        exhaust = Exhaust(p, Books())
        for _ in range(20):
            air_kg_s = exhaust.step(speed_pct, True, 0.0, 50.0, 0.03, 1.0)
        flow = air_kg_s * 3600.0 / p.fan_full_kg_h
        assert flow == pytest.approx(speed_pct / 100.0, rel=0.03)
        given_pa = p.fan_head_pa * (speed_pct / 100.0) ** 2
        assert p.duct_loss_pa * flow**2 + exhaust.filter_pa == pytest.approx(given_pa, rel=1e-3)
        assert exhaust.duct_pa == pytest.approx(p.duct_pressure_pa * flow**2, rel=1e-3)
