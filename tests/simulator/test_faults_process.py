"""What a technician would see: the readings that each process fault moves, against the same line without it."""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Callable

import pytest
from plant_bench import run, started
from test_faults_catalogue import bare_floor, begin

from simulator import material as m
from simulator.plant import Plant

Seen = dict[str, float]
Claim = Callable[[Seen, Seen], bool]


@pytest.fixture(scope="module")
def steady() -> Plant:
    """Twenty-five minutes after the start: powder falls into the bags."""
    return started(seed=3, minutes=25)


@pytest.fixture(scope="module")
def quiet(steady: Plant) -> Seen:
    return seen_after(copy.deepcopy(steady))


def seen_after(plant: Plant, minutes: float = 6.0) -> Seen:
    """Readings at the end, totals as their growth, the largest rasp power, and what left where."""
    before, exits = plant.measure(), copy.deepcopy(plant.books.exits)
    most_kw = 0.0
    for _ in range(round(minutes * 60)):
        run(plant, 1 / 60)
        most_kw = max(most_kw, plant.rasp.power_kw)
    seen = plant.measure()
    seen |= {tag: value - before[tag] for tag, value in seen.items() if tag[1] == "Q"}
    seen |= {name: m.mass_kg(exit_) - m.mass_kg(exits[name]) for name, exit_ in plant.books.exits.items()}
    seen["most_kw"] = most_kw
    seen["starch_lost"] = m.starch_kg(plant.books.exits["wet_drain"]) - m.starch_kg(exits["wet_drain"])
    seen["pulp_starch"] = m.starch_kg(plant.books.exits["pulp"]) - m.starch_kg(exits["pulp"])
    seen["pulp_fibre"] = sum(plant.books.exits["pulp"][k] - exits["pulp"][k] for k in (m.COARSE, m.FINE))
    seen["silt"] = plant.milk_tank.milk[m.SOIL] / m.mass_kg(plant.milk_tank.milk)
    seen["dry_drift"] = -plant.optics.fouling_pct
    for name, ledger in plant.ledgers.items():
        assert ledger.relative_error < 1e-9, name
    return seen


def up(tag: str, by: float = 0.0, times: float = 1.0) -> Claim:
    return lambda seen, quiet: seen[tag] > quiet[tag] * times + by


def down(tag: str, by: float = 0.0, times: float = 1.0) -> Claim:
    return lambda seen, quiet: seen[tag] < quiet[tag] * times - by


def nearly_zero(tag: str, most: float) -> Claim:
    return lambda seen, quiet: abs(seen[tag]) <= most < abs(quiet[tag])


def blind(tag: str) -> Claim:
    return lambda seen, quiet: math.isnan(seen[tag]) and not math.isnan(quiet[tag])


@pytest.mark.parametrize(
    ("fault", "claims"),
    [
        ("bridged:hopper", [nearly_zero("WT-102", 20.0), up("WT-101", 50.0)]),
        ("wet-lot:hopper:10", [up("WT-101", 20.0)]),
        ("sandy-lot:hopper:8", [up("WT-101", 20.0), up("AT-105", times=1.3)]),
        ("spray-blocked:trommel:0.5", [down("FT-104", times=0.7), up("AT-105")]),
        ("blade-break:rasp", [up("pulp_starch", times=1.2), down("FT-206")]),
        ("stone:rasp", [up("most_kw", 5.0)]),
        ("screen-tear:sieves:0.3", [down("pulp_fibre", times=0.9)]),
        ("blinding:sieves:0.9", [up("pulp_starch", times=1.02)]),
        ("cyclone-plugged:concentrator:0.4", [up("starch_lost", times=1.5)]),
        ("pump-worn:concentrator:0.3", [up("starch_lost", times=1.1)]),
        ("desander-full:concentrator", [up("silt", times=1.5)]),
        ("tank-leak:milk_tank:0.5", [down("LT-205", times=0.8), down("FT-206", times=0.7)]),
        ("cloth-tear:peeler:0.3", [up("starch_lost", times=1.2)]),
        ("cloth-glazed:peeler:5", [up("MT-207", 2.0)]),
        ("blocked-feed:cake_hopper", [nearly_zero("WT-302", 5.0), up("TT-304", 10.0), blind("MT-306")]),
        ("cake-arching:cake_hopper:0.6", [down("WT-302", times=0.75), up("TT-304", 3.0)]),
        ("burner-trip:heater", [down("TT-303", 40.0), up("MT-306", 2.0)]),
        ("poor-fuel:heater:0.7", [down("TT-303", 15.0)]),
        ("belt-slip:exhaust:0.3", [down("FT-307", times=0.8), up("TT-303", 5.0)]),
        ("filter-tear:exhaust:0.2", [up("AT-319", times=3.0), down("PDT-320")]),
        ("filter-blinding:exhaust:3", [up("PDT-320", times=1.2), down("FT-307")]),
        ("pulse-air-lost:exhaust", [up("PDT-320")]),
        ("air-lock-blocked:packing", [blind("MT-306"), nearly_zero("WT-313", 5.0)]),
        ("cooler-warm:packing:0", [up("TT-311", 3.0)]),
        ("sifter-tear:packing", [nearly_zero("tailings", 1e-3)]),
        ("dirty-window:optics:100", [up("dry_drift", times=5.0)]),
        ("power-dip:site", [nearly_zero("ST-103", 0.2), nearly_zero("JT-201", 1.0), down("FT-307", times=0.2)]),
    ],
)
async def test_a_process_fault_shows_as_its_story_says(
    steady: Plant, quiet: Seen, fault: str, claims: list[Claim]
) -> None:
    plant = copy.deepcopy(steady)
    floor = bare_floor(plant)
    await begin(floor, fault)
    seen = seen_after(plant)
    for k, claim in enumerate(claims):
        assert claim(seen, quiet), (k, {key: (seen[key], quiet[key]) for key in seen})


@pytest.mark.parametrize(
    ("place", "command", "reading"),
    [("trommel", "FV-104", "FT-104"), ("sieves", "FV-203", "FT-203"), ("heater", "TV-303", "TT-303")],
)
async def test_a_stuck_valve_stays_where_it_is_and_comes_free(
    steady: Plant, place: str, command: str, reading: str
) -> None:
    plant = copy.deepcopy(steady)
    before = plant.measure()[reading]
    floor = bare_floor(plant)
    await begin(floor, f"stuck-valve:{place}")
    plant.inputs[command] = 90.0
    run(plant, 3)
    assert plant.measure()[reading] == pytest.approx(before, rel=0.15)
    assert await floor.faults.clear("all")
    run(plant, 3)
    assert plant.measure()[reading] > 1.2 * before


async def test_a_stuck_gate_shows_where_it_stands(steady: Plant) -> None:
    plant = copy.deepcopy(steady)
    floor = bare_floor(plant)
    await begin(floor, "gate-stuck:packing")
    good_kg = m.mass_kg(plant.books.exits["good"])
    plant.inputs["XV-312"] = 1.0
    run(plant, 3)
    assert plant.measure()["ZT-312"] == 0.0
    assert m.mass_kg(plant.books.exits["good"]) > good_kg + 1.0
    await floor.faults.clear("all")
    run(plant, 1)
    assert plant.measure()["ZT-312"] == 1.0


async def test_a_broken_blade_makes_an_empty_drum_hum(steady: Plant) -> None:
    plant = copy.deepcopy(steady)
    floor = bare_floor(plant)
    run(plant, 3, SC_101=0.0)
    before = power_kw(plant)
    await begin(floor, "blade-break:rasp")
    run(plant, 1)
    assert power_kw(plant) > before + 1.0


def power_kw(plant: Plant) -> float:
    """Of the rasp, as shown over twenty seconds: one reading is 0.2 off."""
    shown = []
    for _ in range(20):
        plant.step(1.0)
        shown.append(plant.measure()["JT-201"])
    return statistics.fmean(shown)


async def test_after_a_power_dip_all_turns_again_and_the_burner_purges_first(steady: Plant) -> None:
    plant = copy.deepcopy(steady)
    floor = bare_floor(plant)
    boots = {name: cabinet.plc.boot_id for name, cabinet in floor.cabinets.items()}
    await begin(floor, "power-dip:site:no-ups")
    run(plant, 0.1)
    assert all(not cabinet.face.gate.is_open for cabinet in floor.cabinets.values())
    assert plant.heater.fuel_kw == 0.0
    assert plant.trommel_rpm < 12.0
    await floor.faults.clear("all")
    assert all(cabinet.face.gate.is_open for cabinet in floor.cabinets.values())
    assert all(cabinet.plc.boot_id == boots[name] + 1 for name, cabinet in floor.cabinets.items())
    run(plant, 0.1)
    assert plant.heater.fuel_kw == 0.0, "it purges"
    run(plant, 1)
    assert plant.heater.fuel_kw > 0.0
    assert plant.trommel_rpm == pytest.approx(12.0, abs=0.2)
