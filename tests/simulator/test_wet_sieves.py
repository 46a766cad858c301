"""Fibre sieves: counter-current washing stage by stage, bound and free loss apart, blinding, fines, a tear."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from plant_bench import quiet, run, started

from simulator import material as m
from simulator.ledger import Books
from simulator.machines.sieves import Sieves, free_starch_left, retained_share
from simulator.parameters import default_parameters

SHIPPED = default_parameters()
_RATIO = st.floats(0.3, 8.0)


@given(ratio=_RATIO, stages=st.integers(1, 6))
def test_stage_by_stage_is_kremser_where_its_assumptions_hold(ratio: float, stages: int) -> None:
    assume(abs(ratio - 1.0) > 1e-3)
    kremser = (ratio - 1.0) / (ratio ** (stages + 1) - 1.0)
    assert free_starch_left(ratio, 1.0, [1.0] * stages, 1.0) == pytest.approx(kremser, rel=1e-6)
    assert free_starch_left(2.0 * ratio, 1.0, [1.0] * stages, 0.5) == pytest.approx(kremser, rel=1e-6)


@pytest.mark.parametrize(("stages", "ratio"), [(1, 3.0), (2, 2.0), (3, 2.0), (3, 3.0), (4, 4.0)])
def test_the_machine_is_kremser_too_when_run_as_its_table_assumes(stages: int, ratio: float) -> None:
    """Mash whose liquor is what the pulp keeps, all wash mixed in, open cloths: run until steady."""
    ideal = replace(SHIPPED.sieves, stages=stages, wash_efficiency=1.0, blinding_per_t=0.0)
    books = Books()
    sieves = Sieves(ideal, books, 0.3)
    mash = m.empty()
    mash[m.COARSE], mash[m.FREE] = 0.01, 0.03
    mash[m.WATER] = 0.01 * (1.0 / ideal.pulp_dry_share - 1.0)
    for _ in range(600):
        sieves.step(list(mash), 38.5, ratio * mash[m.WATER] * 3.6, 13.0, True, 1.0)
    kremser = (ratio - 1.0) / (ratio ** (stages + 1) - 1.0)
    print(f"N {stages} A {ratio}: sieves {sieves.free_left:.4f}, Kremser {kremser:.4f}")
    assert sieves.free_left == pytest.approx(kremser, rel=1e-3)


@given(
    wash=st.floats(0.0, 20.0),
    more=st.floats(0.1, 10.0),
    feed=st.floats(0.2, 10.0),
    retained=st.lists(st.floats(0.1, 2.0), min_size=1, max_size=5),
)
def test_more_wash_and_more_stages_never_lose_more(
    wash: float, more: float, feed: float, retained: list[float]
) -> None:
    left = free_starch_left(wash, feed, retained, 0.4)
    assert 0.0 <= left <= 1.0
    assert free_starch_left(wash + more, feed, retained, 0.4) <= left + 1e-12
    assert free_starch_left(wash, feed, [retained[0], *retained], 0.4) <= left + 1e-12


def test_rosin_rammler_keeps_half_at_its_cut() -> None:
    assert retained_share(62.5, 62.5, 3.0) == pytest.approx(0.5)
    kept = [retained_share(size, 62.5, 3.0) for size in (10.0, 38.5, 60.0, 125.0, 300.0)]
    assert kept == sorted(kept)
    assert kept[0] < 0.01
    assert kept[-1] > 0.999


def test_wash_water_saves_free_starch_and_not_bound() -> None:
    free, bound = [], []
    for valve in (14.0, 28.0, 42.0):
        truth = started(1, 15.0, parameters=quiet(), FV_203=valve).truth()
        free.append(truth["pulp_free_starch_kg"] / truth["root_starch_kg"])
        bound.append(truth["pulp_bound_starch_kg"] / truth["root_starch_kg"])
    assert free[0] > 2.0 * free[1] > 4.0 * free[2]
    assert free[0] - free[1] > 2.0 * (free[1] - free[2])
    assert max(bound) - min(bound) < 0.02 * bound[0]
    assert bound[1] > 2.0 * free[1]


def test_finer_mash_sends_finer_fibre_through_the_screen() -> None:
    slow = started(1, 25.0, parameters=quiet(), SC_201=1000).truth()
    fast = started(1, 25.0, parameters=quiet(), SC_201=1900).truth()
    assert fast["fine_pass_share"] > slow["fine_pass_share"] + 0.05
    assert fast["good_whiteness"] < slow["good_whiteness"] - 0.5
    assert fast["good_specks_cm2"] > slow["good_specks_cm2"] + 0.5
    assert fast["rasp_power_kw"] > slow["rasp_power_kw"]


def test_cloths_blind_with_what_they_sieve_and_a_rinse_opens_them() -> None:
    plant = started(1, 30.0, parameters=quiet())
    half_hour = plant.truth()["sieve_blinding_pct"]
    assert 0.1 < half_hour < 4.0  # per cent
    run(plant, 30.0)
    assert plant.truth()["sieve_blinding_pct"] == pytest.approx(2.0 * half_hour, rel=0.25)
    assert plant.sieves.blinding[0] > plant.sieves.blinding[1] > plant.sieves.blinding[2]
    run(plant, 10.0, SC_101=0, XC_209=1)
    assert plant.truth()["sieve_blinding_pct"] < 0.05 * half_hour


def test_blinded_sieves_lose_free_starch_in_wetter_pulp() -> None:
    clean, blind = started(1, 20.0, parameters=quiet()), started(1, 20.0, parameters=quiet())
    blind.sieves.blinding = [0.6, 0.6, 0.6]
    pulp_kg = {}
    for plant, name in ((clean, "clean"), (blind, "blind")):
        before = m.mass_kg(plant.books.exits["pulp"])
        run(plant, 10.0)
        pulp_kg[name] = m.mass_kg(plant.books.exits["pulp"]) - before
    assert pulp_kg["blind"] > 1.3 * pulp_kg["clean"]
    assert blind.truth()["free_starch_left"] > 2.0 * clean.truth()["free_starch_left"]
    assert blind.truth()["fine_pass_share"] < clean.truth()["fine_pass_share"]


def test_a_torn_screen_shows_as_specks_less_pulp_and_lower_whiteness() -> None:
    whole, torn = started(1, 20.0, parameters=quiet()), started(1, 20.0, parameters=quiet())
    torn.sieves.tear_share = 0.05
    run(whole, 30.0)
    run(torn, 30.0)
    whole_truth, torn_truth = whole.truth(), torn.truth()
    print("tear 5 %:", torn_truth["good_specks_cm2"], whole_truth["good_specks_cm2"], torn_truth["good_whiteness"])
    assert torn_truth["cake_whiteness"] < whole_truth["cake_whiteness"] - 1.0
    assert torn_truth["good_specks_cm2"] > whole_truth["good_specks_cm2"] + 3.0
    assert torn_truth["pulp_starch_kg"] < whole_truth["pulp_starch_kg"]
    for ledger in torn.ledgers.values():
        assert ledger.relative_error < 1e-9, ledger


@given(
    parts=st.lists(st.floats(0.0, 5.0), min_size=7, max_size=7),
    water_m3_h=st.floats(0.0, 10.0),
    tear=st.floats(0.0, 1.0),
    blocked=st.floats(0.0, 0.85),
)
def test_sieves_split_and_never_make_or_lose(
    parts: list[float], water_m3_h: float, tear: float, blocked: float
) -> None:
    books = Books()
    sieves = Sieves(SHIPPED.sieves, books, 0.3)
    sieves.tear_share, sieves.blinding = tear, [blocked] * 3
    mash = [*parts, 0.0, sum(parts), 5.0, 1.0]
    mash[m.HEAT] = m.heat_capacity_kj_k(mash) * 14.0
    books.receive(mash)
    milk = m.empty()
    for _ in range(60):
        m.pour(milk, sieves.step(mash, 38.5, water_m3_h, 13.0, True, 1.0))
        mash = m.empty()
    total = sieves.held()
    m.pour(total, milk)
    for gone in books.exits.values():
        m.pour(total, gone)
    assert total == pytest.approx(books.inflow, rel=1e-9, abs=1e-9)
    assert all(part >= -1e-9 for part in (*milk, *books.exits["pulp"], *sieves.held()))
