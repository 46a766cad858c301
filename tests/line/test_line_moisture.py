"""A strategy over the moisture loop: bumpless whoever decides, bounded in what it may bridge, honest to the guard."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.config import read_line
from linecontrol.config.line import Moisture
from linecontrol.control.loop import Mode
from linecontrol.core.errors import DeviceRefused
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import Event, Sample, Status, Text
from linecontrol.guard.divert import CriticalLimit
from linecontrol.line.build import line_tags
from linecontrol.line.lab_due import LabCheck
from linecontrol.line.loops import LoopBank, loop_needs, loop_settings, loop_words
from linecontrol.line.moisture import Answer, DryerLook, MoistureStrategy, Strategy
from linecontrol.line.moisture_model import no_better_than_pid

DEMO = read_line("demo")
ROW = Moisture(
    model="demo.moisture.json",
    inlet="TT-303",
    outlet="TT-304",
    product="TT-305",
    nir="MT-306",
    cake="MT-207",
    feed="WT-302",
    ambient="TT-309",
    humidity="MT-310",
    bridge_s=120.0,
)
GOOD = {
    "TT-303": 100.0,
    "TT-304": 47.0,
    "TT-305": 45.0,
    "MT-306": 13.0,
    "WT-313": 80.0,
    "TV-303": 30.0,
    "WT-102": 600.0,
}
GOOD |= {"MT-207": 40.0, "WT-302": 120.0, "TT-309": 15.0, "MT-310": 60.0}


class Asked(NamedTuple):
    set_point: float
    strategy: Strategy
    limits: tuple[float, float]
    meter_bias: float
    leads: bool
    is_wanted: bool


@dataclass
class Told:
    """A model that says what the test tells it, and remembers what it was asked."""

    answer: Answer = field(default_factory=lambda: Answer(110.0, 12.9, 0.2))
    error: Exception | None = None
    watches_meter: bool = True
    heard: list[tuple[float, float, float]] = field(default_factory=list)
    looks: list[DryerLook] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def hear_laboratory(self, bias: float, u: float, age_s: float) -> None:
        self.heard.append((bias, u, age_s))

    def step(
        self,
        look: DryerLook,
        *,
        set_point: float,
        strategy: Strategy,
        limits: tuple[float, float],
        meter_bias: float,
        leads: bool,
        is_wanted: bool,
        dt_s: float,
    ) -> Answer:
        self.looks.append(look)
        self.asked.append(Asked(set_point, strategy, limits, meter_bias, leads, is_wanted))
        if self.error is not None:
            raise self.error
        return self.answer


class Bench:
    """The demo's loops with a strategy on MIC-306, in cascade and automatic."""

    def __init__(self, *, watches_meter: bool = True) -> None:
        config = DEMO
        rows = loop_settings(config)
        titles, units, _ = loop_words(config)
        self.image = ProcessImage(line_tags(config))
        self.events: list[Event] = []
        self.brain = Told(watches_meter=watches_meter)
        loop = next(row for row in config.line.loops if row.name == "MIC-306")
        self.strategy = MoistureStrategy(loop, ROW, self.brain, self.events.append)
        needs = loop_needs(config)
        self.bank = LoopBank(rows, titles, units, self.image, needs, strategies={"MIC-306": self.strategy})
        self.now = 0.0
        self.values: dict[str, float | None] = dict.fromkeys((tag.name for tag in config.tags), 0.0)
        self.values.update(GOOD)
        self.tick()
        for tag, value in (("TIC-303.MODE", 1), ("TIC-303.SP", 100.0)):
            self.bank.on_write(tag, value)
        self.tick(2)
        for tag, value in (("TIC-303.MODE", 2), ("MIC-306.MODE", 0), ("MIC-306.OP", 100.0)):
            self.bank.on_write(tag, value)
        self.tick(60)
        self.bank.on_write("MIC-306.MODE", 1)
        self.tick(2)

    def tick(self, seconds: int = 1, **changes: float | None) -> None:
        self.values.update({name.replace("_", "-"): value for name, value in changes.items()})
        for _ in range(seconds):
            self.now += 1.0
            self.values["TT-303"] = self.op if self.values["TT-303"] is not None else None
            by_station: dict[str, dict[str, Sample]] = {}
            for name, value in self.values.items():
                status = Status.GOOD if value is not None else Status.BAD_SENSOR_FAILURE
                by_station.setdefault(self.image.tags[name].station, {})[name] = Sample(value, status, self.now)
            for station, samples in by_station.items():
                self.image.publish(Scan(station, self.now, samples))
            self.bank.tick(1.0, self.now, lambda _tag: True)

    @property
    def op(self) -> float:
        return self.bank._loops["MIC-306"].pid.out

    @property
    def mode(self) -> Mode:
        return self.bank.mode_of("MIC-306")

    def kinds(self) -> list[tuple[str, bool | None]]:
        return [(event.kind, event.active) for event in self.events]


def test_in_automatic_the_model_decides_within_the_loops_rate_and_limits() -> None:
    bench = Bench()
    before = bench.op
    bench.tick()
    assert bench.op == pytest.approx(before + 0.5)  # op_limits.rate_per_s
    bench.tick(60)
    assert bench.op == pytest.approx(110.0)
    bench.brain.answer = Answer(400.0, 12.9, 0.2)
    bench.tick(300)
    assert bench.op == 185.0  # op_limits.high
    assert "high" in bench.bank.view(bench.now)["MIC-306"]["limited"]
    view = bench.bank.view(bench.now)["MIC-306"]
    assert (view["strategy"], view["decides"], view["estimate"]) == ("PREDICTIVE", "PREDICTIVE", 12.9)


def test_the_model_is_told_what_applies_and_when_it_only_follows() -> None:
    bench = Bench()
    bench.tick(60)
    look, asked = bench.brain.looks[-1], bench.brain.asked[-1]
    assert look.inlet_sp_c == pytest.approx(110.0)
    assert (look.cake_pct_wb, look.feed_kg_h, look.ambient_rh_pct) == (40.0, 120.0, 60.0)
    assert asked == (12.8, Strategy.PREDICTIVE, (80.0, 185.0), 0.0, True, True)
    bench.bank.on_write("MIC-306.MODE", 0)
    bench.tick()
    assert not bench.brain.asked[-1].leads
    bench.bank.on_write("MIC-306.MODE", 1)
    bench.bank.on_write("MIC-306.STRATEGY", 0)
    bench.tick()
    assert not bench.brain.asked[-1].is_wanted
    bench.bank.on_write("MIC-306.STRATEGY", 3)
    bench.bank.on_write("TIC-303.MODE", 1)  # the inner loop listens to somebody else
    bench.tick(2)
    assert not bench.brain.asked[-1].is_wanted
    assert bench.brain.looks[-1].inlet_sp_c == pytest.approx(bench.bank.outputs["TIC-303"].sp)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["0", "1", "2", "3", "fail", "mend", "man", "auto", "wait"]), max_size=14))
def test_no_switch_and_no_fallback_makes_a_bump(moves: list[str]) -> None:
    """Whatever is switched, the output never moves faster than the loop's rate; and in MAN not at all."""
    bench = Bench()
    for move in moves:
        if move in "0123":
            bench.bank.on_write("MIC-306.STRATEGY", int(move))
        elif move == "fail":
            bench.brain.error = RuntimeError("singular")
        elif move == "mend":
            bench.brain.error = None
        elif move in ("man", "auto"):
            bench.bank.on_write("MIC-306.MODE", int(move == "auto"))
        for _ in range(4):
            before = bench.op
            bench.tick()
            assert abs(bench.op - before) <= 0.5 + 1e-9
            if bench.mode is Mode.MAN:
                assert bench.op == pytest.approx(before)


def test_the_pid_goes_on_where_the_model_left_off() -> None:
    bench = Bench()
    bench.tick(60, MT_306=12.8)
    bench.bank.on_write("MIC-306.STRATEGY", 0)
    bench.tick(5)
    assert bench.op == pytest.approx(110.0, abs=0.01)  # no error, no integral step, no bump
    assert bench.bank.view(bench.now)["MIC-306"]["decides"] == "PID"


@pytest.mark.parametrize("way", ["raises", "nothing", "blind", "unfit"])
def test_a_model_of_no_use_gives_way_to_the_pid_and_comes_back_when_healthy(way: str) -> None:
    bench = Bench()
    bench.tick(60)
    if way == "raises":
        bench.brain.error = ZeroDivisionError("no feed")
    elif way == "nothing":
        bench.brain.answer = Answer(math.nan)
    elif way == "unfit":
        bench.brain.answer = Answer(110.0, 12.9, 0.2, 0.0, ("fallback",))
    else:
        bench.tick(TT_303=None)
    bench.tick(3)
    assert bench.bank.show()["MIC-306.FALLBACK"] == 1
    assert bench.kinds() == [("moisture.fallback", True)]
    assert bench.op == pytest.approx(110.0, abs=0.6)
    bench.brain.error, bench.brain.answer = None, Answer(112.0, 12.9, 0.2)
    bench.values["TT-303"] = bench.op
    bench.tick(30)
    assert bench.bank.show()["MIC-306.FALLBACK"] == 1
    bench.tick(35)
    assert bench.bank.show()["MIC-306.FALLBACK"] == 0
    assert bench.kinds() == [("moisture.fallback", True), ("moisture.fallback", False)]
    bench.tick(60)
    assert bench.op == pytest.approx(112.0)


def test_who_chooses_pid_ends_the_fallback_to_it() -> None:
    bench = Bench()
    bench.brain.error = ZeroDivisionError("no feed")
    bench.tick(3)
    assert bench.kinds() == [("moisture.fallback", True)]
    bench.bank.on_write("MIC-306.STRATEGY", 0)
    bench.tick(2)
    assert bench.kinds() == [("moisture.fallback", True), ("moisture.fallback", False)]
    assert bench.events[-1].text == "MIC-306: PID was chosen; it no longer stands in for the model"
    bench.bank.on_write("MIC-306.STRATEGY", 3)
    bench.tick(2)
    assert bench.kinds()[2:] == [("moisture.fallback", True)], "the model still fails"


def test_the_estimate_stands_in_for_a_lost_meter_for_a_bounded_time_only() -> None:
    bench = Bench()
    bench.tick(60)
    bench.tick(100, MT_306=None)
    assert not bench.bank.outputs["MIC-306"].holding
    assert bench.bank.show()["MIC-306.BRIDGE"] == 1
    bench.brain.answer = Answer(111.0, 12.9, 0.2)
    bench.tick(10)
    assert bench.op == pytest.approx(111.0)  # control goes on
    bench.tick(20)
    assert bench.bank.outputs["MIC-306"].holding  # bridge_s is over: the loop's own rule
    assert bench.bank.show()["MIC-306.BRIDGE"] == 0
    bench.tick(40)
    assert bench.bank.outputs["MIC-306"].safe
    assert bench.kinds() == [("moisture.bridge", True), ("moisture.bridge", False)]


def test_an_estimate_nobody_can_trust_bridges_nothing() -> None:
    bench = Bench()
    bench.brain.answer = Answer(110.0, 12.9, 0.9)
    bench.tick(60)
    bench.tick(5, MT_306=None)
    assert bench.bank.outputs["MIC-306"].holding
    assert bench.kinds() == []


def test_a_meter_that_flickers_does_not_renew_its_bridge() -> None:
    bench = Bench()
    bench.tick(60)
    for _ in range(12):
        bench.tick(20, MT_306=None)
        bench.tick(5, MT_306=13.0)
    assert bench.strategy.bridged_s <= 120.0
    bench.tick(31, MT_306=None)
    assert bench.bank.outputs["MIC-306"].safe
    bench = Bench()
    bench.tick(60)
    bench.tick(100, MT_306=None)
    bench.tick(61, MT_306=13.0)
    assert bench.strategy.bridged_s == 0.0


@pytest.mark.parametrize("flag", ["nir-stuck", "disagreement"])
def test_a_doubted_meter_is_an_alarm_and_a_deviation_for_the_guard(flag: str) -> None:
    bench = Bench()
    bench.brain.answer = Answer(110.0, 12.1, 0.2, 0.9, (flag, "limited"))
    bench.tick(3)
    assert bench.kinds()[0] == (f"moisture.{flag}", True)
    assert list(bench.bank.doubts()) == [f"MIC-306-{flag}"]
    said = bench.bank.doubts()[f"MIC-306-{flag}"]
    assert said.en.startswith("Powder moisture MT-306 ")
    assert said.zh.startswith("水分仪 MT-306 ")
    assert not re.search("[a-z]", said.zh)
    assert bench.bank.doubted == {f"MIC-306-{flag}": said}
    assert bench.bank.show()["MIC-306.FLAGS"] == f"{flag} limited"
    bench.brain.answer = Answer(110.0, 12.1, 0.2, 0.9, ("no-feed",))
    bench.tick()
    assert bench.bank.doubts(), "without powder nothing has been cleared up"
    bench.brain.answer = Answer(110.0, 12.1, 0.2)
    bench.tick()
    assert (f"moisture.{flag}", False) in bench.kinds()
    assert bench.bank.doubts() == {}


def test_a_stuck_meter_is_no_measurement_for_the_loop_either() -> None:
    bench = Bench()
    bench.bank.on_write("MIC-306.STRATEGY", 0)
    bench.tick(10)
    bench.brain.answer = Answer(110.0, 12.9, 0.2, 0.0, ("nir-stuck",))
    bench.tick(100)
    assert bench.bank.show()["MIC-306.BRIDGE"] == 1
    bench.tick(25)
    assert bench.bank.outputs["MIC-306"].holding
    bench.tick(40)
    assert bench.bank.outputs["MIC-306"].safe


def test_a_small_drift_is_an_alarm_and_the_limit_is_judged_without_it_too() -> None:
    bench = Bench()
    limits = [CriticalLimit("CCP1", "MT-306", 8.0, 14.0, Text("Powder moisture", "成品水分"))]
    bench.tick(1, MT_306=13.5)
    bench.brain.answer = Answer(110.0, 13.7, 0.2, -0.3, ("nir-drift",))  # it reads 0.3 too low
    bench.tick()
    assert bench.kinds() == [("moisture.nir-drift", True)]
    assert bench.bank.doubts(limits) == {}
    bench.tick(1, MT_306=13.8)
    assert "14.10" in bench.bank.doubts(limits)["MIC-306-nir-drift"].en
    bench.brain.answer = Answer(110.0, 13.7, 0.2)
    bench.tick()
    assert bench.bank.doubts(limits) == {}
    assert bench.kinds()[-1] == ("moisture.nir-drift", False)


def test_a_load_that_is_not_measured_is_told_when_it_lasts_and_when_it_is_back() -> None:
    bench = Bench()
    good, lost = Answer(110.0, 12.9, 0.2), Answer(110.0, 12.9, 0.2, 0.0, ("load-missing",))
    bench.tick()
    bench.brain.answer = lost
    bench.tick(2, MT_207=None)
    assert bench.kinds() == [], "a scan or two may be missed"
    bench.tick(2)
    assert bench.kinds() == [("moisture.load-missing", True)]
    assert bench.events[-1].text == "MIC-306 goes without MT-207, which is not GOOD: its last level is taken"
    bench.brain.answer = Answer(110.0, 12.9, 0.2, 0.0, ("no-feed",))
    bench.tick()
    assert bench.kinds()[1:] == [], "without feed nothing is known of it"
    bench.brain.answer = good
    bench.tick(1, MT_207=40.0)
    assert bench.kinds()[1:] == [("moisture.load-missing", False)]


def test_a_load_is_missed_only_by_a_loop_that_stands_on_it() -> None:
    bench = Bench()
    bench.bank.on_write("MIC-306.MODE", 0)
    bench.brain.answer = Answer(110.0, 12.9, 0.2, 0.0, ("load-missing",))
    bench.tick(20, MT_207=None)
    assert bench.kinds() == []
    bench.bank.on_write("MIC-306.MODE", 1)
    bench.tick(2)
    assert bench.kinds() == [("moisture.load-missing", True)]
    bench.bank.on_write("MIC-306.MODE", 0)
    bench.tick()
    assert bench.kinds()[1:] == [("moisture.load-missing", False)]
    assert bench.events[-1].text == "MIC-306 no longer decides; MT-207 is still not GOOD"


def test_the_laboratorys_bias_is_told_to_the_model_which_sees_the_meter_as_it_is() -> None:
    bench = Bench()
    bench.bank._best = lambda tag, s: s._replace(value=s.number - 0.4) if tag == "MT-306" and s.is_good else s
    bench.tick(2)
    assert bench.brain.looks[-1].moisture_pct_wb == 13.0
    assert bench.brain.asked[-1].meter_bias == pytest.approx(0.4)
    assert bench.bank.outputs["MIC-306"].pv == pytest.approx(12.6)
    bench.tick(2, MT_306=None)
    assert bench.brain.asked[-1].meter_bias == pytest.approx(0.4)


def test_where_the_dryer_cannot_watch_the_meter_the_laboratory_must() -> None:
    bench, every_s = Bench(watches_meter=False), 3600.0 * ROW.lab_every_h
    due = bench.strategy.due
    assert bench.strategy.view()["lab_due_h"] == pytest.approx(ROW.lab_every_h, abs=0.1)
    bench.brain.answer = Answer(110.0, flags=("no-feed",))
    bench.tick(50)
    idle = due.unchecked_s
    bench.tick(50)
    assert due.unchecked_s == idle, "what stands still needs no sample"
    bench.brain.answer = Answer(110.0, 12.9, 0.2)
    due.unchecked_s = every_s - 10.0
    bench.tick(9)
    assert "moisture.lab-due" not in {event.kind for event in bench.events}
    bench.tick(5)
    assert bench.kinds()[-1] == ("moisture.lab-due", True)
    assert "4 h of drying" in bench.events[-1].text
    assert "lab-due" in bench.bank.show()["MIC-306.FLAGS"]
    bench.bank.hear("MT-306", LabCheck(0.1, 0.2, every_s + 1.0), bench.now)  # an old sample does not count
    assert bench.strategy.due.is_due
    bench.bank.hear("MT-306", LabCheck(0.1, 0.2, 1800.0), bench.now)
    assert bench.kinds()[-1] == ("moisture.lab-due", False)
    assert bench.strategy.view()["lab_due_h"] == pytest.approx(ROW.lab_every_h - 0.5, abs=0.01)
    assert bench.brain.heard == [(0.1, 0.2, every_s + 1.0), (0.1, 0.2, 1800.0)]
    bench.tick(30)
    assert bench.kinds().count(("moisture.lab-due", True)) == 1


def test_where_the_dryer_watches_the_meter_no_value_is_ever_due() -> None:
    bench = Bench()
    bench.strategy.due.unchecked_s = 1e6
    bench.tick(5)
    assert bench.strategy.view()["lab_due_h"] is None
    assert "lab-due" not in bench.strategy.flags


def test_while_nothing_flows_the_loop_rests_as_ever() -> None:
    bench = Bench()
    bench.tick(60)
    bench.brain.answer = Answer(130.0)
    bench.tick(300, MT_306=None, WT_313=0.0)
    assert not bench.bank.outputs["MIC-306"].safe
    assert bench.op == pytest.approx(110.0, abs=1.0)
    assert not bench.brain.asked[-1].leads


def test_only_the_strategy_can_be_commanded() -> None:
    bench = Bench()
    with pytest.raises(DeviceRefused, match="read-only"):
        bench.bank.on_write("MIC-306.EST", 12.0)
    with pytest.raises(DeviceRefused, match="read-only"):
        bench.bank.on_write("MIC-306.TRAVEL", 12.0)


def test_a_blocked_inner_loop_is_not_asked_for_more() -> None:
    bench = Bench()
    bench.brain.answer = Answer(150.0, 12.9, 0.2)
    bench.values["TT-303"] = 100.0
    for _ in range(600):  # the inlet air does not follow: the heater ends at its limit
        bench.now += 1.0
        bench.bank.tick(1.0, bench.now, lambda _tag: True)
    assert bench.bank.outputs["TIC-303"].high
    stopped = bench.op
    assert stopped < 150.0
    assert bench.brain.asked[-1].limits[1] == pytest.approx(stopped, abs=1.0)


def test_movement_and_reversals_are_counted_and_bounded_by_the_rate() -> None:
    bench = Bench()
    for n in range(60):
        bench.brain.answer = Answer(120.0 if n % 2 else 100.0, 12.9, 0.2)
        bench.tick(60)
    shown = bench.bank.show()
    travel, turns = shown["MIC-306.TRAVEL"], shown["MIC-306.TURNS"]
    assert isinstance(travel, float)
    assert isinstance(turns, int)
    assert 1000.0 < travel <= 0.5 * 3600.0
    assert 50 <= turns <= 60
    assert bench.bank.view(bench.now)["MIC-306"]["turns_per_h"] == turns


def test_commissioning_names_the_strategies_that_do_not_pay() -> None:
    told = no_better_than_pid({"manual": 0.9, "pid": 0.3, "cascade": 0.31, "feedforward": 0.295, "predictive": 0.2})
    assert [text.split()[0] for text in told] == ["cascade", "feedforward"]
    assert "0.31 and 0.30 % wb" in told[0]
    assert no_better_than_pid({"manual": 0.9, "predictive": 0.2}) == []
