"""The catalogue of faults without a socket: each begins and ends, tells its story, and refuses what it cannot take."""

from __future__ import annotations

import copy
import inspect
import itertools
import math
from pathlib import Path

import pytest
from wire_rig import DEMO, StandInPlant

from simulator.__main__ import main
from simulator.faults import CATALOGUE, GROUPS, LIBRARY, FaultError, Kind, Wire, read_fault, read_schedule
from simulator.faults.catalogue import chapter
from simulator.floor import Cabinet, Floor
from simulator.plant import Plant
from simulator.plc import Plc
from simulator.profile import Station, read_line

REPO = DEMO.parents[2]
EXAMPLE = REPO / "docs" / "examples" / "bad-day.yaml"


class BarePlug:
    def __init__(self) -> None:
        self.is_silent = False
        self.is_open = True
        self.cuts = 0

    async def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def cut(self) -> None:
        self.cuts += 1


class BareFace:
    """A face with nothing behind it: what faults do to it can be read off."""

    def __init__(self, _station: Station, _plc: Plc) -> None:
        self.gate = BarePlug()
        self.wire = Wire()
        self.refusing = 0

    def failure_code(self, text: str) -> int:
        return int(text, 0) if text else 4


def bare_floor(plant: Plant | StandInPlant | None = None) -> Floor[BareFace]:
    floor = Floor(read_line(DEMO), plant or Plant(seed=1), BareFace)
    floor.scan(1.0, 1.0)
    return floor


async def begin(floor: Floor[BareFace], text: str) -> str:
    fault = read_fault(text, floor.cabinets)
    await floor.faults.begin(fault)
    return fault.key


def state_of(cabinet: Cabinet[BareFace]) -> dict[str, object]:
    """All that a fault of wire, PLC or instrument could change in a cabinet."""
    face, plc, wire = cabinet.face, cabinet.plc, cabinet.wire
    return {
        "gate": (face.gate.is_silent, face.gate.is_open),
        "face": face.refusing,
        "wire": [getattr(wire, name) for name in wire.__slots__ if name not in ("era", "arm_reset")],
        "plc": (plc.ignore_writes, dict(plc.overrides), dict(plc.registers), cabinet.held, cabinet.station.order),
    }


def upsets_of(plant: Plant) -> dict[str, object]:
    """Plain attributes of the machines that are flags and shares, not their contents."""
    parts = {name: part for name, part in vars(plant).items() if hasattr(part, "__dict__") and name != "books"}
    found: dict[str, object] = {"mains": plant.has_mains, "gate": plant.packing.gate.is_stuck}
    for name, part in parts.items():
        found |= {f"{name}.{key}": value for key, value in vars(part).items() if isinstance(value, (bool, float))}
    valves = [plant.actuator(tag) for tag in ("FV-104", "FV-203", "FV-204")]
    found["valves"] = [valve.is_stuck for valve in (*valves, plant.heater_valve)]
    found["blinding"] = list(plant.sieves.blinding)
    return found


# -- every one of them


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.name)
async def test_each_fault_begins_changes_something_and_ends(kind: Kind) -> None:
    """Undone, all is as before; what is over in a moment leaves its trace instead."""
    floor = bare_floor()
    plant = floor.plant
    assert isinstance(plant, Plant)

    def everything() -> dict[str, object]:
        cabinets = {name: state_of(cabinet) for name, cabinet in floor.cabinets.items()}
        cuts = {name: (cabinet.face.gate.cuts, cabinet.plc.boot_id) for name, cabinet in floor.cabinets.items()}
        return copy.deepcopy({"cabinets": cabinets, "plant": upsets_of(plant), "cuts": cuts})

    before = everything()
    fault = read_fault(kind.example.partition("@")[0] + ("" if kind.is_momentary else "@0+10"), floor.cabinets)
    await floor.faults.begin(fault)
    await floor.faults.advance(1.0)
    during = everything()
    assert during != before, "it changes nothing"
    if kind.is_momentary:
        assert floor.faults.active == []
        return
    assert floor.faults.active == [fault.key]
    assert await floor.faults.clear(fault.key)
    after = everything()
    assert after["cabinets"] == before["cabinets"]
    assert after["plant"] == before["plant"]
    assert floor.faults.active == []
    assert not await floor.faults.clear("all")


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.name)
def test_each_fault_tells_its_story_and_has_an_example(kind: Kind) -> None:
    sentences = [part for part in " ".join(kind.story.split()).split(". ") if part.strip()]
    assert len(sentences) >= 2, kind.story
    assert len(kind.story.split()) >= 20
    assert inspect.getdoc(LIBRARY[kind.name]) == kind.story
    fault = read_fault(kind.example, bare_floor().cabinets)
    assert fault.name == kind.name
    assert fault.place in (kind.places or ("screening", "grinding", "drying"))


async def test_each_fault_may_come_while_all_the_others_last() -> None:
    floor = bare_floor()
    plant = floor.plant
    assert isinstance(plant, Plant)
    before = {name: state_of(cabinet) for name, cabinet in floor.cabinets.items()}, upsets_of(plant)
    lasting = [kind for kind in CATALOGUE.values() if not kind.is_momentary]
    floor.plan([kind.example.partition("@")[0] + f"@{5 * k}+200" for k, kind in enumerate(lasting)])
    while floor.time_s < 5 * len(lasting) + 210:
        await floor.faults.advance(floor.time_s)
        floor.step(1.0, 1.0)
    assert floor.faults.active == []
    now = {name: state_of(cabinet) for name, cabinet in floor.cabinets.items()}, upsets_of(plant)
    for name, state in now[0].items():
        assert {**state, "plc": None} == {**before[0][name], "plc": None}
        assert floor.cabinets[name].plc.overrides == {}
        assert floor.cabinets[name].held is None
    for what, value in now[1].items():
        if isinstance(value, bool) and not what.startswith(("sensors", "optics", "clocks")):
            assert value == before[1][what], what
    for name, ledger in plant.ledgers.items():
        assert ledger.relative_error < 1e-9, name


# -- faults that overlap


async def test_faults_that_overlap_on_one_thing_end_in_any_order() -> None:
    floor = bare_floor()
    cabinet = floor.cabinets["grinding"]
    first, second = await begin(floor, "exception:grinding:6"), await begin(floor, "exception:grinding:4")
    await floor.faults.clear(first)
    assert cabinet.face.refusing == 4
    await floor.faults.clear(second)
    assert cabinet.face.refusing == 0

    first, second = await begin(floor, "refuse:grinding"), await begin(floor, "power-dip:site:no-switch")
    await floor.faults.clear(first)
    assert not cabinet.face.gate.is_open, "the dip still lasts"
    await floor.faults.clear(second)
    assert cabinet.face.gate.is_open

    plc = cabinet.plc
    true = plc.value("DT-204")
    first, second = await begin(floor, "offset:grinding:DT-204=5"), await begin(floor, "offset:grinding:DT-204=2")
    assert plc.value("DT-204") == pytest.approx(true + 7)
    await floor.faults.clear(first)
    assert plc.value("DT-204") == pytest.approx(true + 2)
    await begin(floor, "nan:grinding:DT-204")
    assert math.isnan(plc.value("DT-204"))
    await floor.faults.clear("nan:grinding:DT-204")
    assert plc.value("DT-204") == pytest.approx(true + 2)
    await floor.faults.clear(second)
    assert plc.value("DT-204") == true


async def test_the_same_fault_again_begins_anew() -> None:
    floor = bare_floor()
    await begin(floor, "silent:drying@0+5")
    await begin(floor, "silent:drying@0+50")
    await floor.faults.advance(10.0)
    assert floor.cabinets["drying"].face.gate.is_silent
    await floor.faults.advance(50.0)
    assert not floor.cabinets["drying"].face.gate.is_silent


async def test_a_fault_that_is_planned_twice_happens_twice() -> None:
    floor = bare_floor()
    floor.plan(["silent:drying@10+5", "silent:drying@100+5"])
    gate = floor.cabinets["drying"].face.gate
    seen = []
    for time_s in (9.0, 12.0, 20.0, 102.0, 110.0):
        await floor.faults.advance(time_s)
        seen.append(gate.is_silent)
    assert seen == [False, True, False, True, False]
    floor.plan(["silent:drying@200+5"])
    await floor.faults.clear("silent:drying")
    await floor.faults.advance(201.0)
    assert not gate.is_silent, "cleared by somebody: also what was planned"


# -- PLCs and instruments


async def test_a_frozen_program_keeps_its_readings_and_its_outputs() -> None:
    plant = StandInPlant()
    floor = bare_floor(plant)
    plc = floor.cabinets["screening"].plc
    plc.write("XC-101", 1.0)
    plc.write("SC-103", 12.0)
    floor.step(1.0, 1.0)
    assert plant.inputs["SC-103"] == 12.0
    await begin(floor, "freeze:screening")
    seen, sequence = plc.value("WT-102"), plc.value("SEQ-100")
    plant.sensors["WT-102"] = 1.0
    assert plc.write("SC-103", 3.0)
    for _ in range(10):
        moved = floor.step(1.0, 1.0)
        assert "screening" not in moved
        assert "grinding" in moved
    assert (plc.value("WT-102"), plc.value("SEQ-100")) == (seen, sequence)
    assert plant.inputs["SC-103"] == 12.0, "the output stays whatever is written"
    assert not plc.tripped, "and no watchdog notices"
    await floor.faults.clear("all")
    floor.step(1.0, 1.0)
    assert plc.value("WT-102") == 1.0
    assert plc.value("SEQ-100") == sequence + 1
    await begin(floor, "freeze:screening")
    await begin(floor, "reboot:screening")
    floor.step(1.0, 1.0)
    floor.step(1.0, 1.0)
    assert plant.inputs["SC-103"] == 0.0, "a cold start ends the standstill"
    assert plc.value("SEQ-100") == 2


async def test_drift_noise_and_dropout_are_functions_of_plant_time() -> None:
    plant = StandInPlant()
    floor = bare_floor(plant)
    plc = floor.cabinets["screening"].plc
    await begin(floor, "drift:screening:WT-101=36")
    await begin(floor, "noise:screening:WT-102=10")
    await begin(floor, "dropout:screening:FT-104=0.3")
    shown = []
    for _ in range(400):
        floor.step(1.0, 1.0)
        values = {tag: plc.value(tag) for tag in ("WT-101", "WT-102", "FT-104")}
        again = {tag: plc.value(tag) for tag in values}
        assert repr(values) == repr(again), "looking twice changes nothing"
        shown.append(values)
    assert shown[-1]["WT-101"] == pytest.approx(300.0 + 36 * 400 / 3600)
    errors = [row["WT-102"] - 812.5 for row in shown]
    mean = sum(errors) / 400
    sd = (sum((error - mean) ** 2 for error in errors) / 399) ** 0.5
    assert abs(mean) < 2.0
    assert 8.5 < sd < 11.5
    gone = [math.isnan(row["FT-104"]) for row in shown]
    assert 80 <= sum(gone) <= 160
    assert sum(a != b for a, b in itertools.pairwise(gone)) > 40, "it comes and goes"


async def test_a_storm_of_resets_cuts_at_its_period() -> None:
    floor = bare_floor()
    floor.plan(["rst-storm:drying:5@10+20"])
    gate = floor.cabinets["drying"].face.gate
    cuts = []
    while floor.time_s < 60:
        await floor.faults.advance(floor.time_s)
        cuts.append(gate.cuts)
        floor.step(1.0, 1.0)
    assert cuts[9] == 0
    assert cuts[10:30] == [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5
    assert cuts[-1] == 4


# -- what cannot be


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("burner-trip:drying", "accepted: heater"),
        ("burner-trip", "accepted: heater"),
        ("power-dip:drying", "accepted: site"),
        ("power-dip:site:maybe", "accepted: ups, no-switch, no-ups"),
        ("stuck-valve:rasp", "accepted: trommel, sieves, concentrator, heater"),
        ("slow:drying:0", "accepted: SECONDS 0.001..600 real seconds, 0.5 if left out"),
        ("slow:drying:long", "'long' is not a number"),
        ("slow:drying:nan", "accepted: SECONDS"),
        ("word-order:drying", "accepted: screening, grinding"),
        ("clock-jump:screening:60", "screening is on Modbus, which carries no time stamps"),
        ("clock-jump:grinding", "(accepted: drying)"),
        ("exception:screening:9", "accepted: 1, 2, 3, 4, 5, 6, 7, 8, 10, 11"),
        ("exception:drying:much", "not a whole number"),
        ("refuse:drying:now", "it takes none"),
        ("drift:drying:MT-306", "accepted: TAG=PER_HOUR"),
        ("noise:drying:MT-306=-1", "accepted: SD 0..1e"),
        ("offset:drying:MT-306=inf", "accepted: VALUE"),
        ("dropout:drying:MT-306=2", "accepted: SHARE 0..1"),
        ("screen-tear:sieves:1.5", "SHARE 0..1"),
        ("silent:drying@-5", "START from 0"),
        ("silent:drying@5+0", "DURATION above 0"),
        ("silent:drying@5+", "accepted: @START or @START"),
        ("fire:drying", r"written NAME:PLACE\[:ARGUMENT\]\[@START\[\+DURATION\]\]"),
    ],
)
def test_what_cannot_be_is_refused_with_what_is_accepted(text: str, says: str) -> None:
    with pytest.raises(FaultError, match=says):
        read_fault(text, bare_floor().cabinets)


def test_a_plant_without_machines_has_no_process_faults() -> None:
    with pytest.raises(FaultError, match=r"StandInPlant.*no machines"):
        read_fault("blade-break:rasp", bare_floor(StandInPlant()).cabinets)


# -- files, command line, guide


def test_the_example_schedule_is_accepted() -> None:
    faults = read_schedule(EXAMPLE)
    floor = bare_floor()
    floor.plan(faults)
    assert len(faults) >= 5
    assert len({read_fault(fault, floor.cabinets).name for fault in faults}) == len(faults)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("kind: design\nfaults: [a]", "kind: schedule"),
        ("- a", "kind: schedule"),
        ("kind: schedule\nfalts: [a]", r"falts: not known \(accepted keys: kind, name, faults, notes\)"),
        ("kind: schedule\nname: x", "faults must be a list of texts"),
        ("kind: schedule\nfaults: [{a: b}]", "faults must be a list of texts"),
        ("kind: [", "not readable as YAML"),
    ],
)
def test_a_wrong_schedule_is_refused_by_name(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "day.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(FaultError, match=f"day.yaml: .*{says}"):
        read_schedule(path)
    with pytest.raises(FaultError, match="absent"):
        read_schedule(tmp_path / "absent.yaml")


def test_the_command_line_lists_all_and_refuses_a_schedule_that_does_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["--list-faults"]) == 0
    told = capsys.readouterr().out
    for kind in CATALOGUE.values():
        assert kind.form in told
        assert " ".join(kind.story.split())[:40] in " ".join(told.split())
    path = tmp_path / "day.yaml"
    path.write_text('kind: schedule\nname: day\nfaults: ["blade-break:drum@5"]\n', encoding="utf-8")
    assert main(["--schedule", str(path)]) == 2
    assert "accepted: rasp" in caplog.text


def test_the_guide_has_the_whole_catalogue() -> None:
    guide = (REPO / "docs" / "faults.md").read_text(encoding="utf-8")
    assert chapter().strip() in guide, "docs/faults.md: put the present catalogue.chapter() into it"
    for group in GROUPS:
        assert f"\n## {group[0].upper()}{group[1:]}\n" in guide
