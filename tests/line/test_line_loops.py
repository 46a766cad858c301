"""The loop bank: cascade order, soft tags, who owns what, and a loop that rests while there is nothing to control."""

import math
from dataclasses import replace

import pytest

from linecontrol.config import read_line
from linecontrol.control.loop import Mode
from linecontrol.core.errors import DeviceRefused
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import Sample, Status
from linecontrol.line.loops import LoopBank, loop_needs, loop_settings, loop_words, soft_tags


class Bench:
    def __init__(self, resolution: float = 0.0) -> None:
        config = read_line("demo")
        settings = [replace(row, op_resolution=resolution) for row in loop_settings(config)]
        titles, units, op_units = loop_words(config)
        tags = [*config.tags, *soft_tags(settings, titles, units, op_units)]
        self.image = ProcessImage(tags)
        self.bank = LoopBank(settings, titles, units, self.image, loop_needs(config))
        self.now = 0.0
        self.values: dict[str, float | None] = dict.fromkeys((tag.name for tag in config.tags), 0.0)
        self.values.update({"TT-303": 100.0, "MT-306": 13.0, "WT-313": 80.0, "TV-303": 30.0, "WT-102": 600.0})
        self.show()

    def show(self, **changes: float | None) -> None:
        self.values.update({name.replace("_", "-"): value for name, value in changes.items()})
        by_station: dict[str, dict[str, Sample]] = {}
        for name, value in self.values.items():
            status = Status.GOOD if value is not None else Status.BAD_SENSOR_FAILURE
            by_station.setdefault(self.image.tags[name].station, {})[name] = Sample(value, status, self.now)
        for station, samples in by_station.items():
            self.image.publish(Scan(station, self.now, samples))

    def tick(self, seconds: int = 1) -> dict[str, float]:
        written: dict[str, float] = {}
        for _ in range(seconds):
            self.now += 1.0
            self.show()
            written = {write.tag: write.value for write in self.bank.tick(1.0, self.now, lambda _tag: True)}
        return written

    def cascade(self) -> None:
        self.bank.on_write("TIC-303.MODE", 1)
        self.bank.on_write("TIC-303.SP", 100.0)
        self.tick()
        self.bank.on_write("TIC-303.MODE", 2)
        self.tick()
        self.bank.on_write("MIC-306.MODE", 0)
        self.bank.on_write("MIC-306.OP", 110.0)
        self.tick(30)


def test_an_outer_output_reaches_the_inner_set_point_in_the_same_cycle() -> None:
    bench = Bench()
    bench.cascade()
    shown = bench.bank.show()
    assert shown["MIC-306.OP"] == 110.0
    assert shown["TIC-303.SP"] == shown["TIC-303.WSP"] == 110.0
    assert bench.tick()["TV-303"] > 0.0


def test_who_owns_what_follows_the_mode() -> None:
    bench = Bench()
    assert bench.bank.owner_of("TV-303") is None
    bench.cascade()
    assert bench.bank.owner_of("TV-303") == ("loop:TIC-303", "TIC-303 is in CAS")
    owner = bench.bank.owner_of("TIC-303.SP")
    assert owner is not None
    assert "MIC-306" in owner[1]
    assert bench.bank.is_own("loop:TIC-303", "TV-303")
    assert not bench.bank.is_own("loop:MIC-306", "TV-303")
    bench.bank.release(bench.bank.moving(["TV-303"]))
    assert bench.bank.owner_of("TV-303") is None
    bench.tick()
    assert {row["mode"] for name, row in bench.bank.view(bench.now).items() if name in ("TIC-303", "MIC-306")} == {
        "MAN"
    }


def test_leaving_man_on_a_bad_measurement_is_refused() -> None:
    bench = Bench()
    bench.show(TT_303=None)
    with pytest.raises(DeviceRefused, match="not GOOD"):
        bench.bank.on_write("TIC-303.MODE", 1)


def test_no_powder_is_no_fault_but_a_lost_meter_is() -> None:
    bench = Bench()
    bench.cascade()
    bench.bank.on_write("MIC-306.MODE", 1)
    bench.tick(5)
    before = bench.bank.show()["MIC-306.OP"]
    bench.show(MT_306=None, WT_313=0.0)  # the hopper ran empty: nothing flows, nothing to measure
    bench.tick(300)
    assert not bench.bank.outputs["MIC-306"].safe
    assert bench.bank.mode_of("MIC-306") is Mode.AUTO
    assert bench.bank.show()["MIC-306.OP"] == pytest.approx(before, abs=1.0)
    bench.show(MT_306=13.0, WT_313=80.0)
    bench.tick(3)
    bench.show(MT_306=None)  # powder flows and cannot be measured
    bench.tick(40)
    assert bench.bank.outputs["MIC-306"].safe


def test_in_man_an_output_is_taken_also_while_nothing_flows() -> None:
    bench = Bench()
    bench.show(MT_306=None, WT_313=0.0)
    bench.cascade()
    assert bench.bank.show()["MIC-306.OP"] == 110.0


def test_gains_change_without_a_bump() -> None:
    bench = Bench()
    bench.cascade()
    before = bench.tick()["TV-303"]
    bench.bank.on_write("TIC-303.K", 1.8)
    after = bench.tick()["TV-303"]
    assert math.isclose(before, after, abs_tol=0.5)
    assert bench.bank.show()["TIC-303.K"] == 1.8


def test_moves_too_small_for_the_actuator_are_written_once_they_last_and_a_persons_always() -> None:
    bench = Bench(resolution=0.2)
    bench.bank.on_write("TIC-303.OP", 30.0)
    bench.tick(20)
    bench.bank.on_write("TIC-303.OP", 30.1)
    assert bench.tick()["TV-303"] == 30.1
    bench.show(TV_303=30.1)
    bench.bank.on_write("TIC-303.MODE", 1)
    bench.bank.on_write("TIC-303.SP", 100.2)
    moves = [bench.tick().get("TV-303") for _ in range(20)]
    assert moves[:2] == [None, None]
    first = next(move for move in moves if move is not None)
    assert 0.0 < abs(first - 30.1) < 1.0
