"""Each trouble of the dry side does what a technician would see, and the books close all the same."""

from __future__ import annotations

import math
import random
from copy import deepcopy

import pytest
from plant_bench import run, started

from simulator.plant import Plant

Shown = dict[str, float]


@pytest.fixture(scope="module")
def running() -> Plant:
    """A line that has been drying for a while on constant settings."""
    plant = started(1, 45.0)
    plant.load(3000.0)
    run(plant, 5.0)
    return plant


@pytest.fixture
def plant(running: Plant) -> Plant:
    return deepcopy(running)


@pytest.fixture(scope="module")
def usual(running: Plant) -> Shown:
    """What the line shows five minutes on when nothing happens."""
    plant = deepcopy(running)
    run(plant, 5.0)
    return plant.measure()


def _after(plant: Plant, minutes: float = 5.0, **inputs: float) -> Shown:
    run(plant, minutes, **inputs)
    for ledger in plant.ledgers.values():
        assert ledger.relative_error < 1e-9, ledger
    return plant.measure()


def test_burner_trip_cools_the_inlet_with_its_lag_and_the_powder_gets_wet(plant: Plant, usual: Shown) -> None:
    plant.heater.is_flame_out = True
    after = [_after(plant, 1.0)["TT-303"] for _ in range(4)]
    assert usual["TT-303"] > after[0] + 40.0
    assert after[0] > after[1] > after[2] > after[3]
    assert after[0] > 40.0  # the metal still gives heat
    shown = _after(plant, 2.0)
    assert shown["MT-306"] > 20.0
    assert shown["TT-304"] < usual["TT-304"] - 20.0
    plant.heater.is_flame_out = False
    assert _after(plant, 10.0)["TT-303"] == pytest.approx(usual["TT-303"], abs=3.0)


def test_a_relit_burner_purges_first(plant: Plant) -> None:
    plant.heater.is_flame_out = True
    run(plant, 0.5)
    plant.heater.is_flame_out = False
    run(plant, 0.1)
    assert plant.heater.fuel_kw == 0.0
    run(plant, 0.2)
    assert plant.heater.fuel_kw > 10.0


def test_poor_gas_gives_less_heat_at_the_same_valve(plant: Plant, usual: Shown) -> None:
    plant.heater.heating_value = 0.8
    assert 15.0 < usual["TT-303"] - _after(plant, 8.0)["TT-303"] < 30.0


def test_blocked_screw_fills_the_hopper_and_heats_the_outlet(plant: Plant, usual: Shown) -> None:
    plant.cake_hopper.is_blocked = True
    shown = _after(plant)
    assert shown["WT-302"] < 10.0
    assert shown["WT-301"] > usual["WT-301"] + 10.0
    assert shown["TT-304"] > usual["TT-304"] + 30.0
    assert math.isnan(shown["MT-306"])


def test_arching_cake_feeds_less_and_the_powder_gets_drier(plant: Plant, usual: Shown) -> None:
    plant.cake_hopper.filling_share = 0.6
    shown = _after(plant)
    assert shown["WT-302"] == pytest.approx(0.6 * usual["WT-302"], rel=0.1)
    assert shown["MT-306"] < usual["MT-306"] - 2.0
    assert shown["TT-304"] > usual["TT-304"] + 10.0


def test_slipping_belt_lowers_flow_suction_and_filter_drop_alike(plant: Plant, usual: Shown) -> None:
    plant.exhaust.belt_slip = 0.2
    shown = _after(plant)
    assert shown["FT-307"] == pytest.approx(0.78 * usual["FT-307"], rel=0.04)
    assert abs(shown["PT-308"]) < 0.7 * abs(usual["PT-308"])
    assert shown["PDT-320"] < 0.85 * usual["PDT-320"]
    assert shown["TT-303"] > usual["TT-303"] + 10.0  # same heat in less air


def test_torn_filter_shows_dust_and_a_lower_drop(plant: Plant, usual: Shown) -> None:
    plant.exhaust.filter_tear = 0.2
    shown = _after(plant)
    assert usual["AT-319"] < 0.01
    assert 0.02 < shown["AT-319"] < 0.2
    assert shown["PDT-320"] < 0.9 * usual["PDT-320"]
    assert shown["FT-307"] > usual["FT-307"]


def test_blinded_cloth_and_missing_pulse_air_choke_the_fan(plant: Plant, usual: Shown) -> None:
    other = deepcopy(plant)
    plant.exhaust.filter_blinding = 3.0
    shown = _after(plant)
    assert shown["PDT-320"] > 1.8 * usual["PDT-320"]
    assert shown["FT-307"] < 0.85 * usual["FT-307"]
    other.exhaust.pulse_air = False
    drops = [_after(other, 10.0)["PDT-320"] for _ in range(3)]
    assert usual["PDT-320"] < drops[0] < drops[1] < drops[2]
    other.exhaust.pulse_air = True
    assert _after(other, 20.0, SC_302=0)["PDT-320"] < drops[0]


def test_blocked_air_lock_blinds_the_nir_then_floods_the_filter(plant: Plant, usual: Shown) -> None:
    plant.packing.is_air_lock_blocked = True
    shown = _after(plant)
    assert math.isnan(shown["MT-306"])
    assert shown["WT-313"] < 5.0
    assert shown["AT-319"] < 0.01
    dust_kg = plant.books.exits["dust"][0]
    shown = _after(plant, 15.0)
    assert plant.books.exits["dust"][0] > dust_kg + 1.0
    assert shown["PDT-320"] > 1.5 * usual["PDT-320"]
    assert shown["FT-307"] < 0.7 * usual["FT-307"]


def test_flooded_and_torn_filter_lets_out_an_explosive_cloud(plant: Plant) -> None:
    plant.packing.is_air_lock_blocked = True
    plant.exhaust.filter_tear = 0.4
    densest = max(_after(plant, 1.0)["AT-319"] for _ in range(20))
    assert densest > 15.0  # a quarter of what can explode


def test_warm_bags_have_a_higher_activity_and_sweat(plant: Plant, usual: Shown) -> None:
    before = plant.truth()
    assert before["bag_c"] < 30.0
    assert before["bag_sweats"] == 0.0
    assert before["bags_closed"] >= 1.0
    plant.packing.cooler_effect = 0.0
    shown = _after(plant)
    after = plant.truth()
    assert shown["TT-311"] > 40.0
    assert after["bag_water_activity"] > before["bag_water_activity"] + 0.03
    assert after["bag_sweats"] == 1.0
    run(plant, 15.0)
    last = plant.packing.bagging.bags[-1]
    assert last.sweats
    assert last.temp_c > 38.0
    assert last.mass_kg == pytest.approx(25.0, abs=0.2)
    assert plant.truth()["bags_sweating"] >= 1.0
    bagging = plant.packing.bagging
    assert sum(bag.mass_kg for bag in bagging.bags) <= plant.truth()["good_kg"] + 1e-9
    bagging.close_open_bag(plant.ambient_c, plant.time_s, least_kg=0.0)
    assert sum(bag.mass_kg for bag in bagging.bags) == pytest.approx(plant.truth()["good_kg"])


def test_torn_sifter_keeps_nothing_back_and_damp_powder_lumps(plant: Plant) -> None:
    usual_share = plant.packing.p.oversize_share
    damp = deepcopy(plant)
    plant.packing.is_sifter_torn = True
    tailings_kg = plant.truth()["tailings_kg"]
    _after(plant)
    assert plant.truth()["tailings_kg"] == tailings_kg
    before = damp.truth()
    _after(damp, 8.0, TV_303=32)
    after = damp.truth()
    made_kg = after["good_kg"] + after["tailings_kg"] - before["good_kg"] - before["tailings_kg"]
    assert (after["tailings_kg"] - before["tailings_kg"]) / made_kg > 1.5 * usual_share


def test_stuck_gate_ignores_the_command(plant: Plant) -> None:
    plant.packing.gate.is_stuck = True
    assert _after(plant, 1.0, XV_312=1)["ZT-312"] == 0.0
    plant.packing.gate.is_stuck = False
    assert _after(plant, 1.0)["ZT-312"] == 1.0


def test_sticking_heater_valve_moves_in_steps(plant: Plant) -> None:
    plant.heater_valve.stick = 5.0
    stems = {round(_at(plant, 50.0 + 0.5 * k), 3) for k in range(12)}
    assert len(stems) < 5


def _at(plant: Plant, valve_pct: float) -> float:
    run(plant, 0.1, TV_303=valve_pct)
    return plant.heater_valve.position


def test_power_dip_lets_the_motors_coast_and_the_burner_purge(plant: Plant, usual: Shown) -> None:
    plant.has_mains = False
    flows = [_after(plant, 0.25)["FT-307"] for _ in range(4)]
    assert usual["FT-307"] > flows[0] > flows[1] > flows[2] > flows[3]
    assert flows[0] > 0.3 * usual["FT-307"]  # inertia
    assert plant.heater.fuel_kw == 0.0
    assert plant.rasp_rpm < 1500.0
    assert sum(plant.packing.bin_kg) == 0.0
    plant.has_mains = True
    run(plant, 0.1)
    assert plant.heater.fuel_kw == 0.0  # purging
    shown = _after(plant, 5.0)
    assert shown["FT-307"] == pytest.approx(usual["FT-307"], rel=0.02)
    assert shown["TT-303"] == pytest.approx(usual["TT-303"], abs=5.0)


def test_fan_goes_on_cooling_after_the_station_has_stopped(plant: Plant, usual: Shown) -> None:
    shown = _after(plant, 5.0, XS_301=0)
    assert shown["FT-307"] == pytest.approx(usual["FT-307"], rel=0.05)
    assert plant.heater.fuel_kw == 0.0
    assert shown["TT-303"] < 30.0


def test_nir_fouls_by_the_hour_is_wiped_at_the_rinse_and_reads_another_lot_differently(plant: Plant) -> None:
    optics = plant.optics
    before_pct = optics.fouling_pct
    assert -0.1 < before_pct < 0.0
    optics.fouling_times = 20.0
    run(plant, 12.0)
    assert optics.fouling_pct - before_pct == pytest.approx(-0.05 * 20.0 * 0.2, rel=0.02)
    assert plant.nir_pct - optics.true_pct == pytest.approx(optics.fouling_pct + optics.lot_offset_pct)
    run(plant, 1.5, XC_209=1)
    assert optics.fouling_pct != 0.0
    run(plant, 1.5)
    assert abs(optics.fouling_pct) < 0.001
    optics.fouling_pct = -0.4
    optics.wipe()
    assert optics.fouling_pct == 0.0
    offset_pct = optics.lot_offset_pct
    optics.meet_lot(3.0)
    run(plant, 1.0, XC_209=0)
    early_pct = optics.lot_offset_pct
    run(plant, 30.0)
    assert offset_pct < early_pct < optics.lot_offset_pct <= 0.3


def test_lots_differ_in_colour_by_seed_only() -> None:
    offsets = [Plant(seed) for seed in range(40)]
    for plant in offsets:
        plant.step(1.0)
    values = [plant.optics.lot_offset_pct for plant in offsets]
    again = Plant(7)
    again.step(0.5)
    assert again.optics.lot_offset_pct == values[7]
    assert len(set(values)) == 40
    assert 0.06 < (sum(v * v for v in values) / 40) ** 0.5 < 0.14


def test_camera_sees_dirt_and_keeps_its_last_picture(plant: Plant, usual: Shown) -> None:
    assert 85.0 < usual["AT-317"] < 95.0
    assert 1.0 < usual["AT-318"] < 6.0
    hopper = plant.cake_hopper.cake
    hopper[5] += 0.02 * plant.cake_hopper.mass_kg  # mud in the cake
    run(plant, 3.0)
    assert plant.optics.whiteness < usual["AT-317"] - 2.0
    assert plant.optics.specks_cm2 > usual["AT-318"] + 2.0
    run(plant, 10.0, SC_302=0)
    kept = plant.optics.whiteness
    assert math.isnan(plant.nir_pct)
    run(plant, 1.0)
    assert plant.optics.whiteness == kept


def test_any_instrument_can_be_stuck_biased_noisy_dead_or_drifting(plant: Plant) -> None:
    sensors = plant.sensors
    sensors.freeze("TT-304")
    frozen = plant.measure()["TT-304"]
    sensors.upset("WT-301").offset = 50.0
    sensors.upset("FT-307").is_dead = True
    sensors.upset("PT-308").noise_times = 30.0
    sensors.upset("MT-306").drift_per_h = 6.0
    sensors.freeze("WQ-313")
    total = plant.measure()["WQ-313"]
    healthy = deepcopy(plant)
    for tag in ("TT-304", "WT-301", "FT-307", "PT-308", "MT-306", "WQ-313"):
        healthy.sensors.mend(tag)
    for one in (plant, healthy):
        run(one, 10.0)
    shown, true = plant.measure(), healthy.measure()
    assert shown["TT-304"] == frozen != true["TT-304"]
    assert shown["WT-301"] == pytest.approx(true["WT-301"] + 50.0, abs=0.11)
    assert math.isnan(shown["FT-307"])
    assert shown["MT-306"] == pytest.approx(true["MT-306"] + 1.0, abs=0.02)
    assert shown["WQ-313"] == total < true["WQ-313"]
    spread = []
    for _ in range(200):
        plant.step(0.5)
        spread.append(plant.measure()["PT-308"])
    mean = sum(spread) / 200
    assert 80.0 < (sum((x - mean) ** 2 for x in spread) / 200) ** 0.5 < 160.0
    assert plant.truth() != {}
    sensors.mend("TT-304")
    assert plant.measure()["TT-304"] != frozen
    with pytest.raises(KeyError, match="XX-1"):
        sensors.upset("XX-1")


def test_books_close_whatever_breaks_and_the_same_troubles_give_the_same_run(running: Plant) -> None:
    def troubled() -> Plant:
        plant, rng = deepcopy(running), random.Random(5)
        for _ in range(120):
            plant.heater.is_flame_out = rng.random() < 0.2
            plant.heater.heating_value = rng.uniform(0.7, 1.1)
            plant.cake_hopper.is_blocked = rng.random() < 0.2
            plant.cake_hopper.filling_share = rng.uniform(0.2, 1.0)
            plant.exhaust.belt_slip = rng.choice((0.0, 0.3, 1.0))
            plant.exhaust.filter_tear = rng.choice((0.0, 0.5, 1.0))
            plant.exhaust.filter_blinding = rng.uniform(0.5, 8.0)
            plant.exhaust.pulse_air = rng.random() < 0.5
            plant.packing.is_air_lock_blocked = rng.random() < 0.3
            plant.packing.cooler_effect = rng.random()
            plant.packing.is_sifter_torn = rng.random() < 0.3
            plant.packing.gate.is_stuck = rng.random() < 0.3
            plant.has_mains = rng.random() < 0.9
            plant.optics.fouling_times = 50.0 * rng.random()
            plant.inputs["XV-312"] = float(rng.randrange(3))
            plant.inputs["TV-303"] = rng.uniform(0.0, 100.0)
            for _ in range(10):
                plant.step(rng.choice((0.25, 0.5, 1.0)))
            for ledger in plant.ledgers.values():
                assert ledger.relative_error < 1e-9, ledger
            for ledger in plant.time_ledgers.values():
                assert ledger.relative_error < 1e-9, ledger
            assert all(math.isfinite(value) for value in plant.truth().values())
        return plant

    first, second = troubled(), troubled()
    assert first.truth() == second.truth()
    assert repr(first.measure()) == repr(second.measure())
