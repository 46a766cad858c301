"""The program inside the simulated PLC: watchdog, trips, interlocks, sequence. No sockets, no clock."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from wire_rig import DEMO, INPUTS, SENSORS, STATIONS

from simulator.plc import (
    MAX_INLET_C,
    MAX_PRODUCT_C,
    MIN_FAN_PCT,
    MIN_FEED_INLET_C,
    OVERRUN_S,
    PRODUCT_ARMED_S,
    Answer,
    Plc,
)
from simulator.profile import read_line

LINE = {station.name: station for station in read_line(DEMO).stations}
HEARTBEAT = {"screening": "HB-100", "grinding": "HB-200", "drying": "HB-300"}
RUN = {"screening": "XC-101", "grinding": "XC-201", "drying": "XC-301"}
TIMEOUT_S = 5.0


def make(station: str) -> Plc:
    plc = Plc(LINE[station], 1, SENSORS, INPUTS)
    plc.step(0.0, 0.0, SENSORS)
    return plc


def started(station: str) -> Plc:
    plc = make(station)
    plc.write(HEARTBEAT[station], 1)
    plc.write(RUN[station], 1)
    return plc


def let_trip(plc: Plc) -> None:
    plc.step(0.5, TIMEOUT_S + 0.1, SENSORS)
    assert plc.tripped


@pytest.mark.parametrize("station", STATIONS)
def test_a_heartbeat_that_changes_in_time_keeps_it_running(station: str) -> None:
    plc = started(station)
    for beat in range(50):
        plc.write(HEARTBEAT[station], beat % 7)
        plc.step(0.5, TIMEOUT_S * 0.99, SENSORS)
    assert not plc.tripped
    assert plc.value(RUN[station]) == 1.0


def test_every_output_that_was_written_is_remembered_as_it_showed_and_nothing_that_was_refused() -> None:
    plc = started("screening")
    plc.write("FV-104", 3.94)
    plc.write("FV-104", 4.35)
    plc.write("FV-104", math.inf)
    plc.overrides["FV-104"] = lambda value: value + 1.0
    plc.write("FV-104", 5.0)
    let_trip(plc)
    plc.write("FV-104", 9.0)
    assert list(plc.written) == [("FV-104", 3.94), ("FV-104", 4.35), ("FV-104", 6.0)]


@pytest.mark.parametrize("station", STATIONS)
def test_a_heartbeat_written_but_not_changed_trips(station: str) -> None:
    plc = started(station)
    for _ in range(12):
        plc.write(HEARTBEAT[station], 1)
        plc.step(0.5, 0.5, SENSORS)
    assert plc.tripped
    area = RUN[station][3]
    assert plc.value(f"XA-{area}01") == plc.value(f"XA-{area}02") == 1.0
    assert plc.outputs()[f"XS-{area}01"] == 0.0


@pytest.mark.parametrize("station", STATIONS)
def test_a_station_that_does_not_run_needs_no_heartbeat(station: str) -> None:
    plc = make(station)
    plc.step(0.5, 1000.0, SENSORS)
    assert not plc.tripped


@pytest.mark.parametrize("station", STATIONS)
def test_a_trip_is_left_only_by_off_then_on_with_a_moving_heartbeat(station: str) -> None:
    plc, run, beat = started(station), RUN[station], HEARTBEAT[station]
    let_trip(plc)
    assert plc.value(run) == 0.0
    assert plc.write(run, 1) is Answer.NOT_NOW  # no off seen
    plc.write(run, 0)
    assert plc.write(run, 1) is Answer.NOT_NOW  # no heartbeat
    assert plc.tripped
    plc.write(beat, 77)
    plc.step(0.5, TIMEOUT_S + 1, SENSORS)
    assert plc.write(run, 1) is Answer.NOT_NOW  # the heartbeat stopped again
    plc.write(beat, 78)
    assert plc.write(run, 1) is Answer.DONE
    assert not plc.tripped
    assert plc.value(run) == 1.0
    let_trip(plc)
    plc.write(beat, 79)
    assert plc.write(run, 1) is Answer.NOT_NOW  # an off from before the trip does not count


def test_a_trip_forces_safe_values_and_the_registers_say_so() -> None:
    plc = started("drying")
    for name, value in {"SC-307": 60, "TV-303": 40, "SC-302": 30, "XV-312": 0}.items():
        plc.write(name, value)
    assert plc.outputs() == {"SC-302": 30, "TV-303": 40, "SC-307": 60, "XV-312": 0, "XS-301": 1}
    let_trip(plc)
    assert plc.outputs() == {"SC-302": 0, "TV-303": 0, "SC-307": 60, "XV-312": 1, "XS-301": 0}
    assert [plc.value(name) for name in ("SC-302", "TV-303", "XV-312")] == [0, 0, 1]
    plc.write("TV-303", 50)
    assert plc.value("TV-303") == 0.0


def test_the_fan_runs_on_after_a_trip_and_then_stops() -> None:
    plc = started("drying")
    plc.write("SC-307", 60)
    let_trip(plc)
    for _ in range(int(OVERRUN_S["SC-307"] / 0.5) - 2):
        plc.step(0.5, 0.01, SENSORS)
        assert plc.outputs()["SC-307"] == 60
    for _ in range(3):
        plc.step(0.5, 0.01, SENSORS)
    assert plc.outputs()["SC-307"] == 0.0


def test_the_heater_needs_the_fan_and_does_not_come_back_by_itself() -> None:
    plc = started("drying")
    plc.write("TV-303", 40)
    assert plc.value("TV-303") == 0.0
    plc.write("SC-307", MIN_FAN_PCT)
    plc.write("TV-303", 40)
    assert plc.outputs()["TV-303"] == 0.0
    plc.write("SC-307", MIN_FAN_PCT + 1)
    assert plc.outputs()["TV-303"] == 0.0
    plc.write("TV-303", 40)
    assert plc.outputs()["TV-303"] == 40
    plc.write("SC-307", 0)
    assert plc.value("TV-303") == 0.0


@pytest.mark.parametrize(("inlet_c", "feeds"), [(59.9, 0.0), (60.1, 30.0), (math.nan, 0.0)])
def test_wet_feed_needs_proven_hot_air_and_keeps_its_set_point(inlet_c: float, feeds: float) -> None:
    plc = started("drying")
    plc.write("SC-307", 60)
    plc.write("SC-302", 30)
    plc.step(0.5, 0.1, SENSORS | {"TT-303": inlet_c})
    assert plc.outputs()["SC-302"] == feeds
    assert plc.value("SC-302") == 30


@pytest.mark.parametrize("hot", [{"TT-305": 60.5}, {"TT-303": 200.5}])
def test_too_hot_trips_the_heater_until_it_is_put_to_zero_and_cool(hot: dict[str, float]) -> None:
    plc = started("drying")
    plc.write("SC-307", 60)
    plc.write("TV-303", 40)
    plc.write("SC-302", 30)
    for _ in range(360):  # the product thermometer counts once product has been on its way for a while
        plc.step(0.5, 0.01, SENSORS)
        plc.write("HB-300", plc.value("HB-300") + 1)
    plc.step(0.5, 0.1, SENSORS | hot)
    assert plc.value("TV-303") == plc.outputs()["TV-303"] == 0.0
    assert (plc.value("XA-301"), plc.value("XA-302")) == (1.0, 0.0)
    plc.step(0.5, 0.1, SENSORS)
    plc.write("TV-303", 40)
    assert plc.value("TV-303") == 0.0
    plc.write("TV-303", 0)
    plc.step(0.5, 0.1, SENSORS)
    assert plc.value("XA-301") == 0.0
    plc.write("TV-303", 40)
    assert plc.outputs()["TV-303"] == 40


def test_an_empty_duct_may_be_hot_while_it_warms_up() -> None:
    plc = started("drying")
    plc.write("SC-307", 60)
    plc.write("TV-303", 40)
    plc.step(0.5, 0.1, SENSORS | {"TT-305": 110.0})
    assert plc.outputs()["TV-303"] == 40


def test_roots_are_fed_only_onto_a_turning_trommel() -> None:
    plc = started("screening")
    plc.write("SC-103", 12)
    plc.write("SC-101", 50)
    assert plc.outputs()["SC-101"] == 50
    plc.step(0.5, 0.1, SENSORS | {"ST-103": 0.2})
    assert plc.outputs()["SC-101"] == 0.0
    assert plc.value("SC-101") == 50


def test_grinding_moves_nothing_unless_it_runs() -> None:
    plc = make("grinding")
    for name in ("SC-201", "FV-203", "FV-204", "SC-206", "XC-209"):
        plc.write(name, 1)
    assert set(plc.outputs().values()) == {0.0}
    plc.write("XC-201", 1)
    assert set(plc.outputs().values()) == {1.0}


def test_sequence_counts_plant_seconds_and_its_check_follows() -> None:
    plc = make("grinding")
    for k in range(1, 11):
        moved = plc.step(0.5, 0.01, SENSORS)
        assert moved == (k % 2 == 0)
        assert plc.value("SEQ-200") == k // 2
        assert plc.value("CHK-200") == (k // 2) * 2654435761 % 2**32


def test_a_reboot_shows() -> None:
    plc = started("drying")
    plc.write("SC-307", 60)
    plc.write("OWN-300", 4711)
    for _ in range(10):
        plc.step(0.5, 0.1, SENSORS)
    plc.reboot()
    assert plc.value("XI-300") == 2
    assert plc.value("OWN-300") == plc.value("SEQ-300") == plc.value("XC-301") == 0
    assert plc.outputs() == {"SC-302": 0, "TV-303": 0, "SC-307": 0, "XV-312": 1, "XS-301": 0}


def test_out_of_range_and_read_only_are_refused() -> None:
    plc = make("screening")
    assert plc.write("SC-101", 100.0) is Answer.DONE
    for value in (100.01, -0.01, math.nan, math.inf):
        assert plc.write("SC-101", value) is Answer.OUT_OF_RANGE
    assert plc.write("WT-101", 1.0) is Answer.READ_ONLY
    assert plc.write("XX-999", 1.0) is Answer.READ_ONLY
    assert plc.value("SC-101") == 100.0


def test_an_unknown_tag_reads_zero_and_is_named() -> None:
    plc = Plc(LINE["screening"], 1, {name: 1.0 for name in SENSORS if name != "WT-102"}, INPUTS)
    assert "WT-102" in plc.unknown
    assert plc.value("WT-102") == 0.0
    assert "WT-101" not in plc.unknown


NAMES = {name: [p.name for p in LINE[name].points if p.writable] for name in STATIONS}


SENSES = [("TT-303", v) for v in (59.0, 61.0, 201.0, math.nan)] + [("TT-305", v) for v in (59.0, 61.0)]
SENSES += [("ST-103", v) for v in (0.0, 12.0, math.nan)]
NUMBERS = (0.0, 0.0, 1.0, 2.0, 25.0, 100.0, 100.0, -1.0, 1e9, math.nan)


def any_action(station: str, rng: Random) -> tuple[str, str, float]:
    """One thing that can happen to a PLC, nothing left out: writes of any number, beats, sensors, time, long gaps."""
    verb = rng.choices(("write", "run", "beat", "sense", "step"), (4, 1, 4, 3, 6))[0]
    if verb == "write":
        return "write", rng.choice(NAMES[station]), rng.choice(NUMBERS)
    if verb == "run":
        return "write", RUN[station], float(rng.random() < 0.8)
    if verb == "beat":
        return "write", HEARTBEAT[station], float(rng.randrange(65536))
    if verb == "sense":
        return "sense", *rng.choice(SENSES)
    return "step", rng.choice(("", "", "long")), rng.choice((0.1, 0.1, 0.1, 1.0, 6.0))


@pytest.mark.parametrize("station", STATIONS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_whatever_is_written_no_output_is_live_that_must_not_be(station: str, seed: int) -> None:
    plc = make(station)
    senses = dict(SENSORS)
    fed_s = 0.0
    area = RUN[station][3]
    full = [("write", name, 1.0 if name.startswith("X") else 100.0) for name in ("SC-307", *NAMES[station])]
    rng = Random(seed)
    for verb, name, number in [*full, *(any_action(station, rng) for _ in range(80))]:
        if verb == "write":
            plc.write(name, number)
        elif verb == "sense":
            senses[name] = number
        else:
            dt_s = PRODUCT_ARMED_S if name == "long" else 0.5
            plc.step(dt_s, number, dict(senses))
            fed_s = fed_s + dt_s if plc.outputs().get("SC-302") else 0.0
        live = plc.outputs()
        moving = {name for name, value in live.items() if value and name not in ("SC-307", "XV-312")}
        event(f"tripped {plc.tripped}, hot {plc.heater_tripped}, moving {bool(moving)}, fed {fed_s > 0}")
        if plc.tripped or not plc.running[area]:
            assert not moving
        if plc.tripped:
            assert live.get("XV-312", 1.0) == 1.0
            assert all(plc.value(name) == 0.0 for name in NAMES[station] if name[:2] in ("FV", "TV", "XC"))
        if live.get("TV-303"):
            assert live["SC-307"] > MIN_FAN_PCT
            assert not plc.value("TT-303") > MAX_INLET_C
            assert not (fed_s >= PRODUCT_ARMED_S and plc.value("TT-305") > MAX_PRODUCT_C)
        if live.get("SC-302"):
            assert live["SC-307"] > MIN_FAN_PCT
            assert plc.value("TT-303") > MIN_FEED_INLET_C
        assert all(math.isfinite(value) for value in live.values())


def test_two_areas_in_one_cabinet_run_on_their_own() -> None:
    """A third party may put screening and grinding into one PLC; tags are bound by name."""
    from dataclasses import replace

    both = replace(LINE["screening"], points=LINE["screening"].points + LINE["grinding"].points)
    plc = Plc(both, 1, SENSORS, INPUTS)
    plc.step(0.0, 0.0, SENSORS)
    plc.write("FV-203", 50)
    plc.write("FV-104", 50)
    plc.write("XC-201", 1)
    live = plc.outputs()
    assert (live["FV-203"], live["FV-104"], live["XS-101"], live["XS-201"]) == (50, 0, 0, 1)
