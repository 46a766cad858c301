"""Instruments: lag, calibration error by seed, noise, quantisation, end stops, and the blind NIR."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant_bench import NOMINAL, run, started

from simulator.constants import parse_constants
from simulator.parameters import default_parameters, parse_parameters
from simulator.plant import INPUT_TAGS, Plant
from simulator.sensors import Noise, Sensors, instrument_rows, parse_instruments
from simulator.taps import RATE_TAGS, TOTAL_TAGS
from simulator.yaml_text import load_yaml

STATIONS = ("screening", "grinding", "drying")


def _profile_tags() -> list[dict[str, object]]:
    from pathlib import Path

    folder = Path(__file__).parents[2] / "plc_profiles" / "stations"
    return [tag for name in STATIONS for tag in load_yaml((folder / f"{name}.yaml").read_text("utf-8"))["tags"]]


def test_plant_measures_and_takes_every_process_tag_of_the_stations() -> None:
    control = ("XI", "QI", "SEQ", "CHK", "XA", "XS", "HB", "OWN")
    tags = _profile_tags()
    shown = {str(t["name"]) for t in tags if not t.get("writable") and str(t["name"]).split("-")[0] not in control}
    assert set(Plant(1).measure()) == shown
    taken = {str(t["name"]) for t in tags if t.get("writable") and str(t["name"])[:2] not in ("HB", "OW")}
    runs = {"XC-101", "XC-201", "XC-301"}
    assert set(INPUT_TAGS) == taken - runs | {"XS-101", "XS-201", "XS-301"}
    assert set(Plant(1).inputs) == set(INPUT_TAGS)


def test_instruments_stay_inside_the_range_and_scale_of_their_register() -> None:
    by_name = {str(t["name"]): t for t in _profile_tags()}
    rates, totals = instrument_rows()
    for row in rates:
        low, high = by_name[row.tag]["range"]  # type: ignore[misc]
        assert low <= row.low < row.high <= high, row.tag
        assert row.unit == by_name[row.tag].get("unit", row.unit), row.tag
    for row in (*rates, *totals):
        scale = float(by_name[row.tag].get("scale", 1.0))  # type: ignore[arg-type]
        if "int" in str(by_name[row.tag]["type"]):
            assert row.quantum / scale == pytest.approx(round(row.quantum / scale)), row.tag


def test_calibration_errors_have_the_stated_spread() -> None:
    start = dict.fromkeys(RATE_TAGS, 0.0)
    plants = [Sensors(f"{seed}:calibration", start) for seed in range(400)]
    assert statistics.stdev(p.gain["WT-102"] for p in plants) == pytest.approx(0.005, rel=0.15)
    assert statistics.stdev(p.gain["WT-313"] for p in plants) == pytest.approx(0.003, rel=0.15)
    assert statistics.stdev(p.bias["AT-106"] for p in plants) == pytest.approx(0.6, rel=0.15)
    assert statistics.stdev(p.bias["MT-306"] for p in plants) == pytest.approx(0.2, rel=0.15)
    assert all(p.gain["WQ-102"] == p.gain["WT-102"] and p.gain["WQ-314"] == p.gain["WT-313"] for p in plants)


def test_an_instrument_follows_its_lag() -> None:
    start = dict.fromkeys(RATE_TAGS, 20.0)
    sensors = Sensors("0:calibration", start)
    at = RATE_TAGS.index("TT-303")
    zeros = [0.0] * len(RATE_TAGS)
    before = sensors.shown()["TT-303"]
    rates = [100.0 if i == at else 20.0 for i in range(len(RATE_TAGS))]
    for _ in range(30):  # 15 s, one time constant
        sensors.step(rates, [0.0] * len(TOTAL_TAGS), zeros, 0.5)
    assert sensors.shown()["TT-303"] - before == pytest.approx(80.0 * (1.0 - math.exp(-1.0)), abs=0.05)


def test_noise_is_standard_normal_and_white() -> None:
    noise = Noise("x")
    taken = [noise.take(34) for _ in range(6000)]
    first = [window[20] for window in taken]
    assert statistics.fmean(first) == pytest.approx(0.0, abs=0.05)
    assert statistics.stdev(first) == pytest.approx(1.0, abs=0.04)
    assert statistics.correlation(first[:-1], first[1:]) == pytest.approx(0.0, abs=0.05)


def test_nir_is_blind_without_powder_and_wakes_without_memory() -> None:
    plant = started(1, 10.0, SC_302=0)
    assert math.isnan(plant.measure()["MT-306"])
    run(plant, 4.0, SC_302=40)
    truth_pct, shown = plant.nir_pct, plant.measure()["MT-306"]
    assert abs(shown - truth_pct) < 2.0
    run(plant, 4.0, SC_302=0)
    assert math.isnan(plant.measure()["MT-306"])
    run(plant, 5.0, XS_301=0)
    assert math.isnan(plant.measure()["MT-306"])


def test_what_the_nir_saw_reaches_the_gate_late_enough_to_divert_it() -> None:
    plant = started(1, 30.0)
    plant.inputs["SC-302"] = 0.0
    seen_s = gone_s = None
    for second in range(300):
        plant.step(1.0)
        if seen_s is None and math.isnan(plant.nir_pct):
            seen_s = second
        if gone_s is None and sum(plant.packing.bin_kg) < 2e-4:
            gone_s = second
    assert seen_s is not None
    assert gone_s is not None
    assert 12.0 < gone_s - seen_s < 60.0


def test_totalisers_add_up_the_measured_flow_and_never_fall() -> None:
    plant = started(6)
    last = dict.fromkeys(TOTAL_TAGS, 0.0)
    for _ in range(40):
        run(plant, 1.0)
        shown = plant.measure()
        for tag in TOTAL_TAGS:
            assert shown[tag] >= last[tag]
            last[tag] = shown[tag]
    truth = plant.truth()
    assert last["WQ-102"] == pytest.approx(truth["root_fed_kg"] * plant.sensors.gain["WT-102"], abs=0.02)
    assert last["WQ-313"] == pytest.approx(truth["good_kg"] * plant.sensors.gain["WT-313"], abs=0.02)
    electricity = last["JQ-110"] + last["JQ-210"] + last["JQ-316"]
    assert electricity == pytest.approx(truth["electricity_kwh"] + truth["fuel_kwh"], rel=0.02)


def test_divert_gate_decides_the_bin() -> None:
    plant = started(1, 25.0)
    good_kg = plant.measure()["WQ-313"]
    run(plant, 0.1, XV_312=1)
    assert plant.measure()["ZT-312"] == 1.0
    at_gate_kg = plant.measure()["WQ-313"]
    run(plant, 5.0)
    assert plant.measure()["WQ-313"] == at_gate_kg >= good_kg
    assert plant.measure()["WQ-314"] > 5.0
    run(plant, 2.0, XV_312=2)
    assert plant.measure()["WQ-315"] > 2.0


def test_every_parameter_has_unit_evidence_and_source_and_can_be_changed() -> None:
    shipped = default_parameters()
    assert shipped.with_values({"rasp.size_um": 155}).rasp.size_um == 155.0
    for wrong in ("rasp.colour", "nothing.size_um", "season", "species.lobata_wild"):
        with pytest.raises(KeyError):
            shipped.with_values({wrong: 1.0})
    with pytest.raises(ValueError, match="finite"):
        shipped.with_values({"rasp.size_um": math.nan})
    with pytest.raises(ValueError, match=r"rasp\.size_um = -5 cannot be \(accepted: 20 to 2000 um\)"):
        shipped.with_values({"rasp.size_um": -5.0})
    poor = shipped.with_values({"species.lobata_wild.starch_mean_pct": 12.0}).with_species("lobata_wild")
    assert poor.species["lobata_wild"].starch_mean_pct == 12.0 != shipped.species["lobata_wild"].starch_mean_pct
    from importlib.resources import files

    content = load_yaml(files("simulator").joinpath("data", "parameters.yaml").read_text("utf-8"))
    content["rasp"]["size_um"]["value"] = 9000
    with pytest.raises(ValueError, match="outside its range"):
        parse_parameters(content)
    del content["rasp"]["size_um"]["source"]
    with pytest.raises(ValueError, match=r"rasp\.size_um"):
        parse_parameters(content)
    del content["rasp"]["size_um"]
    with pytest.raises(ValueError, match="missing"):
        parse_parameters(content)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_a_plant_whose_parameters_lie_at_the_ends_of_their_ranges_runs_and_its_books_close(data: st.DataObject) -> None:
    ranges = default_parameters().ranges
    names = data.draw(st.lists(st.sampled_from(sorted(ranges)), min_size=1, max_size=3, unique=True))
    changes = {name: data.draw(st.sampled_from((ranges[name].low, ranges[name].high))) for name in names}
    plant = Plant(seed=1, parameters=default_parameters().with_values(changes))
    plant.inputs.update(NOMINAL)
    run(plant, 2.0)
    assert all(ledger.relative_error < 1e-9 for ledger in plant.ledgers.values()), changes


def test_every_instrument_and_constant_says_its_source() -> None:
    from importlib.resources import files

    def content(name: str) -> dict[str, dict[str, dict[str, object]]]:
        return load_yaml(files("simulator").joinpath("data", name).read_text("utf-8"))  # type: ignore[no-any-return]

    instruments, constants = content("sensors.yaml"), content("constants.yaml")
    assert len(parse_instruments(instruments)[0]) == len(RATE_TAGS)
    assert parse_constants(constants)["water_kg_m3"] == 998.0
    del instruments["rates"]["TT-303"]["source"]
    with pytest.raises(ValueError, match="TT-303"):
        parse_instruments(instruments)
    del constants["water_kg_m3"]["evidence"]
    with pytest.raises(ValueError, match="water_kg_m3"):
        parse_constants(constants)


def test_nominal_settings_are_tags_the_plant_takes() -> None:
    assert set(NOMINAL) <= set(INPUT_TAGS)
