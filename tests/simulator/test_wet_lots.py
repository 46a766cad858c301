"""Lots: what species, season and storage bring, how a lot varies inside, and what a kind of line is."""

from __future__ import annotations

import statistics
from dataclasses import fields, is_dataclass
from importlib.resources import files
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import __main__ as command_line
from simulator import material as m
from simulator.line_types import line_types, parse_line_types, with_line_type
from simulator.lot import draw_lot, mean_lot, parcels, sandy, stored
from simulator.parameters import default_parameters
from simulator.plant import Plant
from simulator.profile import ProfileError
from simulator.yaml_text import load_yaml

SHIPPED = default_parameters()
SHARED = SHIPPED.lot


@settings(deadline=None)
@given(days=st.floats(0.0, 30.0), more=st.floats(0.1, 30.0))
def test_storage_turns_starch_to_sugar_and_never_back(days: float, more: float) -> None:
    fresh = mean_lot("x", SHIPPED.species["lobata_cultivated"], SHARED)
    young, old = stored(fresh, days, SHARED), stored(fresh, days + more, SHARED)
    assert old.starch_pct_wb < young.starch_pct_wb <= fresh.starch_pct_wb
    assert old.solubles_pct_wb > young.solubles_pct_wb
    # less sugar appears than starch goes: roots breathe
    assert old.solubles_pct_wb - young.solubles_pct_wb < young.starch_pct_wb - old.starch_pct_wb
    assert old.germs_log_g > young.germs_log_g
    again = stored(young, more, SHARED)  # two stays are one long one
    assert again.starch_pct_wb == pytest.approx(old.starch_pct_wb)
    assert again.stored_days == pytest.approx(old.stored_days)


def test_storage_loss_lies_in_its_range_and_follows_the_store() -> None:
    fresh = mean_lot("x", SHIPPED.species["lobata_cultivated"], SHARED)
    lost = {}
    for temp_c in (10.0, 15.0, 25.0):
        lot = type(fresh)(**{**vars(fresh), "temp_c": temp_c})
        lost[temp_c] = 100.0 * (1.0 - stored(lot, 1.0, SHARED).starch_pct_wb / fresh.starch_pct_wb)
    assert 0.3 < lost[10.0] < lost[15.0] < 0.8
    assert lost[25.0] == pytest.approx(2.0 * lost[15.0], rel=0.01)
    for days in (-1.0, 500.0, float("nan")):
        with pytest.raises(ValueError, match="stored for"):
            stored(fresh, days, SHARED)


def test_lots_scatter_about_their_species_mean() -> None:
    rng = Random("lots")
    for name, species in SHIPPED.species.items():
        found = [draw_lot(rng, name, species, SHARED).starch_pct_wb for _ in range(400)]
        middle = mean_lot(name, species, SHARED).starch_pct_wb
        assert statistics.fmean(found) == pytest.approx(middle, rel=0.02)
        assert 0.04 < statistics.stdev(found) / middle < 0.22


def test_spring_roots_are_poorer_and_species_rank_as_published() -> None:
    def starch(species: str, month: int) -> float:
        parameters = SHIPPED.with_species(species).with_values({"site.month": month})
        return Plant(5, parameters=parameters).lot.starch_pct_wb

    assert starch("lobata_wild", 1) > starch("lobata_wild", 10) > starch("lobata_wild", 4)
    order = ("lobata_wild", "lobata_cultivated", "thomsonii_cultivated", "thomsonii_selected")
    ranked = [SHIPPED.species[name] for name in order]
    assert [s.starch_mean_pct for s in ranked] == sorted(s.starch_mean_pct for s in ranked)
    assert [s.fibre_mean_pct for s in ranked] == sorted((s.fibre_mean_pct for s in ranked), reverse=True)
    with pytest.raises(KeyError, match="accepted: lobata"):
        SHIPPED.with_species("potato")


def test_a_month_of_the_season_can_be_changed_as_any_parameter() -> None:
    def starch(month: int, **changes: float) -> float:
        changed = {name.replace("_", "."): value for name, value in changes.items()} | {"site.month": float(month)}
        return Plant(5, parameters=SHIPPED.with_values(changed)).lot.starch_pct_wb

    assert starch(4, season_april=0.6) / starch(4) == pytest.approx(0.6 / SHIPPED.season[3])
    assert starch(5, season_april=0.6) == starch(5)
    assert SHIPPED.with_values({"season.december": 0.9}).season == (*SHIPPED.season[:11], 0.9)
    for wrong in ("season.4", "season.13", "season.winter"):
        with pytest.raises(KeyError, match=r"accepted: season\.january, season\.feb"):
            SHIPPED.with_values({wrong: 0.9})
    with pytest.raises(ValueError, match=r"season\.april = 1.5 cannot be \(accepted: 0.5 to 1.05\)"):
        SHIPPED.with_values({"season.april": 1.5})


def test_inside_a_lot_starch_wanders_as_an_autoregression() -> None:
    lot = mean_lot("x", SHIPPED.species["lobata_cultivated"], SHARED)
    rng, starch = Random("within"), []
    for _ in range(30):
        starch += [m.starch_kg(roots) / m.mass_kg(roots) for roots in parcels(rng, lot, 5000.0, SHARED)]
    mean, sd = statistics.fmean(starch), statistics.stdev(starch)
    assert mean == pytest.approx(lot.starch_pct_wb / 100.0, rel=0.01)
    assert sd / mean == pytest.approx(0.04, abs=0.008)
    lag = 10  # parcels in 250 kg: a quarter of an hour at 1 t/h
    pairs = [(starch[i] - mean, starch[i + lag] - mean) for i in range(len(starch) - lag) if i % 200 < 200 - lag]
    rho = statistics.fmean(a * b for a, b in pairs) / sd**2
    assert 0.7 < rho < 0.9


def test_a_sandy_lot_has_more_soil_and_less_of_all_else() -> None:
    lot = mean_lot("x", SHIPPED.species["lobata_cultivated"], SHARED)
    dirty = sandy(lot, SHARED)
    assert dirty.soil_pct_wb > 10.0
    assert dirty.starch_pct_wb / lot.starch_pct_wb == pytest.approx((100 - dirty.soil_pct_wb) / (100 - lot.soil_pct_wb))
    assert dirty.water_pct_wb < lot.water_pct_wb


def test_germs_come_in_with_the_soil() -> None:
    lot = mean_lot("x", SHIPPED.species["lobata_cultivated"], SHARED)
    roots = parcels(Random(1), lot, 25.0, SHARED)[0]
    per_g_soil = roots[m.GERMS] * 1e9 / (roots[m.SOIL] * 1000.0)
    assert per_g_soil == pytest.approx(10.0**lot.germs_log_g)


def test_line_types_change_only_parameters_that_are_there_and_say_why() -> None:
    assert with_line_type(SHIPPED, "mechanised") == SHIPPED
    manual = with_line_type(SHIPPED, "manual")
    for name, value in line_types()["manual"].items():
        section, _, key = name.partition(".")
        group = getattr(manual, section)
        assert is_dataclass(group)
        assert key in {field.name for field in fields(group)}  # type: ignore[arg-type]
        assert getattr(group, key) == value
    assert not any(name.split(".")[0] in {"species", "lot", "season"} for name in line_types()["manual"])
    with pytest.raises(KeyError, match="accepted: mechanised, manual"):
        with_line_type(SHIPPED, "magic")
    content = load_yaml(files("simulator").joinpath("data", "line_types.yaml").read_text("utf-8"))
    del content["manual"]["changes"]["rasp.size_um"]["source"]
    with pytest.raises(ValueError, match=r"rasp\.size_um"):
        parse_line_types(content)


def test_the_command_line_chooses_roots_and_line() -> None:
    text = "--species thomsonii_cultivated --month 4 --storage-days 10 --line-type manual --root-kg 300 --seed 3"
    plant = command_line._make_plant(command_line._parser().parse_args(text.split()))
    assert isinstance(plant, Plant)
    assert plant.lot.species == "thomsonii_cultivated"
    assert plant.lot.stored_days == 10.0
    assert plant.parameters.concentrator.settling_h == 12.0
    assert plant.hopper.mass_kg == pytest.approx(300.0)
    winter = Plant(3, parameters=SHIPPED.with_species("thomsonii_cultivated"))
    assert plant.lot.starch_pct_wb < 0.9 * winter.lot.starch_pct_wb
    for wrong in (["--species", "potato"], ["--line-type", "magic"]):
        with pytest.raises(ProfileError, match="accepted"):
            command_line._make_plant(command_line._parser().parse_args(wrong))
    for wrong in (["--month", "13"], ["--storage-days", "-1"], ["--storage-days", "nan"]):
        with pytest.raises(SystemExit):
            command_line._parser().parse_args(wrong)
