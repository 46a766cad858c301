"""The wet machines do what published practice says, in the right direction and size."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plant_bench import quiet, run, started

from simulator.machines.drives import Actuator
from simulator.machines.packing import Gate
from simulator.machines.rasp import liberation
from simulator.machines.sieves import free_starch_left
from simulator.parameters import default_parameters


@pytest.mark.parametrize(
    ("stages", "ratio", "left"),
    [(1, 2, 0.333), (1, 4, 0.2), (2, 3, 0.077), (3, 2, 0.067), (3, 3, 0.025), (3, 4, 0.012), (4, 3, 0.008)],
)
def test_sieves_are_kremser_when_feed_and_retained_liquor_are_equal(stages: int, ratio: float, left: float) -> None:
    assert free_starch_left(ratio, 1.0, [1.0] * stages, 1.0) == pytest.approx(left, abs=6e-4)


def test_sieves_without_wash_only_drain() -> None:
    assert free_starch_left(0.0, 2.0, [1.0] * 3, 1.0) == pytest.approx(0.5)
    assert free_starch_left(0.0, 0.5, [1.0] * 3, 1.0) == 1.0
    assert free_starch_left(0.0, 0.0, [1.0] * 3, 1.0) == 1.0
    assert free_starch_left(5.0, 1.0, [0.0] * 3, 1.0) == 0.0


@pytest.mark.parametrize(
    ("size_um", "freed"), [(500, 0.41), (300, 0.61), (200, 0.78), (150, 0.90), (80, 1.0), (40, 1.0)]
)
def test_liberation_is_geometric(size_um: float, freed: float) -> None:
    assert liberation(size_um, 80.0) == pytest.approx(freed, abs=0.006)


def test_more_sieve_water_loses_less_free_starch_with_diminishing_return() -> None:
    lost = []
    for valve in (12.0, 20.0, 28.0, 36.0):
        plant = started(1, 15.0, parameters=quiet(), FV_203=valve)
        truth = plant.truth()
        lost.append(truth["pulp_free_starch_kg"] / truth["root_starch_kg"])
    gains = [before - after for before, after in pairwise(lost)]
    assert lost[0] > 0.05
    assert 0.005 < lost[2] < 0.03  # 3.5 m3/t
    assert gains[0] > 2 * gains[1] > 0.0
    assert gains[1] > 1.5 * gains[2] > 0.0


def test_finer_grind_frees_more_starch_and_sheds_more_fine_fibre() -> None:
    slow = started(1, 25.0, parameters=quiet(), SC_201=1000)
    fast = started(1, 25.0, parameters=quiet(), SC_201=1900)
    coarse, fine = slow.truth(), fast.truth()
    assert coarse["rasp_liberation"] < 0.85 < 0.92 < fine["rasp_liberation"]
    assert coarse["pulp_bound_starch_kg"] > 1.8 * fine["pulp_bound_starch_kg"]
    assert fine["good_purity"] < coarse["good_purity"] - 0.004
    assert fine["rasp_power_kw"] > coarse["rasp_power_kw"] + 5.0


def test_blades_wear_and_wear_costs_yield_and_power() -> None:
    sharp, blunt = started(1, parameters=quiet()), started(1, parameters=quiet())
    blunt.rasp.blade_hours = 24.0
    run(sharp, 8.0)
    run(blunt, 8.0)
    assert blunt.truth()["rasp_size_um"] > 1.05 * sharp.truth()["rasp_size_um"]
    assert blunt.truth()["rasp_liberation"] < sharp.truth()["rasp_liberation"] - 0.01


@pytest.mark.parametrize("feed_pct", [30.0, 50.0, 60.0])
def test_wet_end_works_where_it_should(feed_pct: float) -> None:
    root_kg_h = feed_pct * 20.0
    wash_pct, sieve_pct = root_kg_h * 0.003 / 8.0 * 100.0, root_kg_h * 0.0035 * 10.0
    plant = started(
        5, 25.0, SC_101=feed_pct, FV_104=wash_pct, FV_203=sieve_pct, SC_206=0.7 * feed_pct, SC_302=0, FV_204=45
    )
    shown, truth = plant.measure(), plant.truth()
    assert shown["WT-102"] == pytest.approx(root_kg_h, rel=0.2)
    assert 2.0 < shown["FT-104"] / root_kg_h * 1000.0 < 5.0
    assert 3.0 < shown["FT-203"] / root_kg_h * 1000.0 < 4.5
    assert 14.0 < shown["JT-201"] < 30.0
    assert 1050.0 < shown["DT-204"] < 1085.0
    assert 0.03 < shown["AT-105"] < 0.6
    assert shown["TT-211"] < 25.0
    assert 37.0 < truth["cake_moisture_pct_wb"] < 40.0
    assert 0.9 < truth["rasp_liberation"] < 0.97
    assert 0.95 < truth["concentrator_recovery"] < 0.99


def test_more_wash_water_leaves_less_soil() -> None:
    little, much = started(1, 10.0, FV_104=10), started(1, 10.0, FV_104=60)
    assert much.trommel.soil_pct_wb < 0.6 * little.trommel.soil_pct_wb


def test_opening_the_underflow_thins_the_milk_and_closing_it_too_far_loses_starch() -> None:
    thick, middle, thin = (started(1, 20.0, parameters=quiet(), FV_204=valve) for valve in (8.0, 44.0, 80.0))
    densities = [plant.truth()["milk_density_kg_m3"] for plant in (thick, middle, thin)]
    assert densities[0] > densities[1] + 40.0 > densities[2] + 55.0
    assert thick.truth()["concentrator_recovery"] < middle.truth()["concentrator_recovery"] - 0.1


def test_peeler_makes_a_sawtooth() -> None:
    plant = started(1, 20.0)
    shown = []
    for _ in range(600):
        plant.step(1.0)
        shown.append(plant.peeler.cake_pct_wb)
    assert max(shown) - min(shown) > 1.0
    assert 37.0 < sum(shown) / len(shown) < 40.0


def test_rinse_flushes_the_wet_machines_and_its_solids_decay() -> None:
    plant = started(1, 20.0, SC_206=10)
    run(plant, 4.0, SC_101=0, FV_203=0, FV_204=0, SC_206=0, SC_302=0)
    dirty_kg = plant.truth()["held_milk_tank_starch_kg"]
    assert dirty_kg > 5.0
    shown = []
    for _ in range(12):
        run(plant, 1.0, XC_209=1)
        shown.append(plant.measure()["AT-209"])
    assert shown[0] > 3.0
    assert shown[-1] < 0.05
    assert shown[1] > shown[4] > shown[7]
    truth = plant.truth()
    assert truth["rinse_drain_starch_kg"] > 0.95 * dirty_kg
    assert truth["held_milk_tank_starch_kg"] < 0.01 * dirty_kg
    run(plant, 1.0, XC_209=0)
    assert plant.measure()["AT-209"] < 0.05


def test_cleaning_spray_empties_the_drum() -> None:
    plant = started(1, 10.0)
    run(plant, 6.0, SC_101=0, SC_103=0, XC_109=1, FV_104=0)
    assert plant.truth()["held_trommel_kg"] < 0.2
    assert plant.measure()["FT-104"] == pytest.approx(2.0, rel=0.05)


def test_thomsonii_gives_more_powder_than_wild_lobata() -> None:
    shipped = default_parameters()
    good = {}
    for name in ("lobata_wild", "thomsonii_cultivated"):
        plant = started(1, 60.0, parameters=type(shipped)(**{**vars(shipped), "default_species": name}))
        good[name] = plant.truth()["good_kg"] + plant.truth()["held_cake_hopper_starch_kg"]
    assert good["thomsonii_cultivated"] > 1.2 * good["lobata_wild"]


@given(targets=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=30))
def test_an_actuator_moves_at_its_rate_inside_its_range(targets: list[float]) -> None:
    valve = Actuator(0.0, 100.0, 8.0, 0.5)
    for target in targets:
        before = valve.position
        after = valve.drive(target, 0.5)
        assert 0.0 <= after <= 100.0
        assert abs(after - before) <= 4.0 + 1e-9


def test_gate_travels_two_seconds_and_shares_the_stream_meanwhile() -> None:
    gate = Gate(2.0)
    seen = [(gate.step(1.0, 0.5), gate.position) for _ in range(5)]
    assert [position for _, position in seen] == [0, 0, 0, 1, 1]
    for shares, _ in seen:
        assert sum(share for _, share in shares) == pytest.approx(1.0)
    assert gate.step(float("nan"), 0.5) == [(1, 1.0)]
    assert gate.step(7.0, 2.0)[-1] == (2, 1.0)
