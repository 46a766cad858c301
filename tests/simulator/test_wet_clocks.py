"""Age, germs, souring and browning of the wet stages: rates as published, averages by mass, books that close."""

from __future__ import annotations

from math import log, log10

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant_bench import run, started

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material
from simulator.parameters import default_parameters
from simulator.wet_clocks import WetClocks, growth_per_h, ph, specks_cm2, whiteness

CLOCKS = default_parameters().clocks


def slurry(temp_c: float, age_h: float = 0.0, log_cfu_g: float = 4.0, dry_kg: float = 10.0) -> Material:
    """Starch milk of 20 % dry matter."""
    milk = m.empty()
    milk[m.FREE], milk[m.WATER] = dry_kg, 4.0 * dry_kg
    milk[m.HEAT] = m.heat_capacity_kj_k(milk) * temp_c
    milk[m.AGE] = dry_kg * age_h
    milk[m.GERMS] = 5.0 * dry_kg * 10.0 ** (log_cfu_g - 6.0)
    return milk


def wait(milk: Material, hours: float, ambient_c: float, clocks: WetClocks | None = None) -> WetClocks:
    """Let a tank stand."""
    clocks = clocks or WetClocks(CLOCKS, Books())
    for _ in range(round(hours * 3600.0 / CLOCKS.interval_s)):
        assert clocks.is_due(CLOCKS.interval_s)
        clocks.elapse((milk,), m.empty(), ambient_c)
    return clocks


@pytest.mark.parametrize(("temp_c", "doubling_h"), [(25.0, 1.9), (37.0, 0.75), (15.0, 7.7)])
def test_doubling_times_are_those_of_the_square_root_law(temp_c: float, doubling_h: float) -> None:
    assert log(2.0) / growth_per_h(temp_c, CLOCKS) == pytest.approx(doubling_h, rel=0.02)
    assert growth_per_h(4.0, CLOCKS) == growth_per_h(60.0, CLOCKS) == 0.0


def test_a_line_stopped_wet_at_28_c_for_ten_hours_gains_1_7_log() -> None:
    milk = slurry(28.0)
    wait(milk, 10.0, 28.0)
    print(f"10 h at 28 C: {m.germs_log_cfu_g(milk) - 4.0:.2f} log, wet age {m.wet_age_h(milk):.2f} h")
    assert m.germs_log_cfu_g(milk) - 4.0 == pytest.approx(1.7, abs=0.1)
    assert m.wet_age_h(milk) == pytest.approx(10.0)
    lagging = slurry(28.0)
    wait(lagging, 1.5, 28.0)
    assert m.germs_log_cfu_g(lagging) - 4.0 < 0.05


def test_warm_waiting_is_worse_and_growth_has_an_end() -> None:
    grown = []
    for ambient_c in (10.0, 20.0, 30.0):
        milk = slurry(ambient_c)
        wait(milk, 8.0, ambient_c)
        grown.append(m.germs_log_cfu_g(milk))
    assert grown[0] < grown[1] - 0.2 < grown[2] - 0.8
    full = slurry(37.0, age_h=10.0, log_cfu_g=8.9)
    wait(full, 10.0, 37.0)
    assert m.germs_log_cfu_g(full) < 9.05


def test_a_cold_tank_takes_the_rooms_temperature() -> None:
    milk, books = slurry(13.0), Books()
    wait(milk, 20.0, 28.0, WetClocks(CLOCKS, books))
    assert 24.0 < m.temperature_c(milk, 0.0) < 28.0
    assert books.heat_out_kj["tanks"] < 0.0


def test_ph_falls_with_germs_beyond_its_threshold() -> None:
    assert ph(3.0, CLOCKS) == ph(6.5, CLOCKS) == CLOCKS.ph_start
    assert ph(8.5, CLOCKS) == pytest.approx(CLOCKS.ph_start - 0.6)
    assert ph(99.0, CLOCKS) == CLOCKS.ph_least


def test_browning_has_its_q10_and_sulphite_slows_it() -> None:
    points = {}
    for temp_c, dosed in ((15.0, False), (25.0, False), (25.0, True)):
        milk, clocks = slurry(temp_c), WetClocks(CLOCKS, Books())
        clocks.sulphite = dosed
        wait(milk, 4.0, temp_c, clocks)
        points[temp_c, dosed] = m.browned_points(milk)
        assert whiteness(milk, CLOCKS) == pytest.approx(CLOCKS.white_clean - points[temp_c, dosed])
    assert 2.0 < points[25.0, False] < 4.0  # 0.5-1.0 points an hour
    assert points[25.0, False] == pytest.approx(2.0 * points[15.0, False], rel=1e-6)
    assert points[25.0, False] == pytest.approx(4.0 * points[25.0, True], rel=1e-6)


@settings(deadline=None)
@given(
    dry_kg=st.floats(0.1, 50.0),
    ages=st.tuples(st.floats(0.0, 24.0), st.floats(0.0, 24.0)),
    logs=st.tuples(st.floats(1.0, 8.0), st.floats(1.0, 8.0)),
)
def test_pouring_together_averages_by_mass(dry_kg: float, ages: tuple[float, float], logs: tuple[float, float]) -> None:
    one, other = slurry(20.0, ages[0], logs[0], dry_kg), slurry(20.0, ages[1], logs[1], 10.0)
    share = dry_kg / (dry_kg + 10.0)
    m.pour(one, other)
    assert m.wet_age_h(one) == pytest.approx(share * ages[0] + (1.0 - share) * ages[1])
    per_g = share * 10.0 ** logs[0] + (1.0 - share) * 10.0 ** logs[1]
    assert m.germs_log_cfu_g(one) == pytest.approx(log10(per_g))


def test_fibre_soil_and_coarse_pieces_show_in_the_powder() -> None:
    clean, fine, coarse, dirty = (slurry(20.0) for _ in range(4))
    fine[m.FINE], coarse[m.COARSE], dirty[m.SOIL] = 0.2, 0.2, 0.02
    assert whiteness(clean, CLOCKS) > whiteness(fine, CLOCKS) > 88.0
    assert specks_cm2(coarse, CLOCKS) > specks_cm2(fine, CLOCKS) > specks_cm2(clean, CLOCKS) == 0.0
    assert specks_cm2(dirty, CLOCKS) > 1.0
    assert whiteness(m.empty(), CLOCKS) == CLOCKS.white_clean
    assert specks_cm2(m.empty(), CLOCKS) == 0.0


def test_the_film_grows_sheds_and_is_rinsed_off() -> None:
    plant = started(1, 20.0)
    clean = plant.truth()["film_log_cfu_cm2"]
    clocks = plant.clocks
    for _ in range(24 * 720):
        clocks.is_due(5.0)
        clocks.elapse((slurry(25.0),), m.empty(), 25.0)
    dirty = plant.truth()["film_log_cfu_cm2"]
    assert dirty > clean + 2.0
    assert plant.truth()["hours_since_rinse"] > 24.0
    run(plant, 12.0, SC_101=0, XC_209=1)
    assert plant.truth()["film_log_cfu_cm2"] < dirty - 2.0
    assert plant.truth()["hours_since_rinse"] < 0.01


def test_a_running_line_is_young_and_its_time_books_close() -> None:
    plant = started(3, 60.0)
    truth = plant.truth()
    print({name: round(truth[name], 3) for name in truth if "age_h" in name or "log_cfu" in name or "white" in name})
    assert 0.05 < truth["good_wet_age_h"] < 1.0
    assert 2.0 < truth["good_log_cfu_g"] < 4.5
    assert 86.0 < truth["good_whiteness"] < 94.0
    assert 0.5 < truth["good_specks_cm2"] < 9.0
    run(plant, 40.0, XS_101=0, XS_201=0, XS_301=0, FV_203=0)
    stopped = plant.truth()
    assert stopped["milk_wet_age_h"] > truth["milk_wet_age_h"] + 0.6
    for ledger in plant.time_ledgers.values():
        assert ledger.created > 0.0
        assert ledger.relative_error < 1e-9, ledger


def test_dirty_roots_make_a_germier_cake() -> None:
    counts = []
    for valve in (8.0, 60.0):
        plant = started(2, 30.0, FV_104=valve)
        counts.append(plant.truth()["cake_log_cfu_g"])
    assert counts[0] > counts[1] + 0.1
