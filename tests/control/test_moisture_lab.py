"""What a laboratory value tells the watch over the moisture meter: a false disagreement ends, a true one stays."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache

import pytest
from dryer_plants import AIM, MAKES, Dryer, record

from linecontrol.control.moisture import MoistureController, MoistureSample, commission
from linecontrol.control.moisture.audit import MeterAudit, told_after_h
from linecontrol.control.moisture.model import DryerModel

DT_S = 2.0


@cache
def plain() -> str:
    return json.dumps(MoistureController(commission(record(MAKES["mixed"], 1)), set_point=AIM).to_dict())


class Bench:
    """A dryer under control whose watch believes that the meter is off by so much."""

    def __init__(self, believed_pct: float, shown_pct: float = 0.0) -> None:
        self.own = MoistureController.from_dict(json.loads(plain()))
        self.inlet_c = Dryer(MAKES["mixed"], 0).inlet_for(AIM)
        self.dryer, self.shown_pct = Dryer(MAKES["mixed"], 31, DT_S, inlet_c=self.inlet_c), shown_pct
        self.pass_min(10)
        audit = self.own.audit
        audit.x[:3] = 0.0
        audit.x[3], audit.p[3, :], audit.p[:, 3], audit.p[3, 3] = believed_pct, 0.0, 0.0, 0.2**2

    def pass_min(self, minutes: float) -> set[str]:
        """Flags seen meanwhile."""
        seen: set[str] = set()
        for _ in range(round(minutes * 60.0 / DT_S)):
            row = self.dryer.step(self.inlet_c)
            row.pop("time_s")
            row["moisture_pct_wb"] += self.shown_pct
            out = self.own.step(MoistureSample(**row), DT_S)
            self.inlet_c, seen = out.inlet_sp_c, seen | set(out.flags)
        return seen


@pytest.mark.parametrize("believed_pct", [1.2, -1.2, 2.5])
def test_a_value_that_agrees_with_the_meter_ends_a_false_disagreement(believed_pct: float) -> None:
    bench = Bench(believed_pct)
    assert "disagreement" in bench.pass_min(0.1)
    bench.own.hear_laboratory(0.05, 0.25, 900.0)
    assert "disagreement" not in bench.pass_min(10)
    assert abs(bench.own.audit.bias) < 0.8


def test_a_value_that_finds_the_meter_off_as_well_keeps_it() -> None:
    bench = Bench(1.2, shown_pct=1.2)
    bench.own.hear_laboratory(1.2, 0.25, 900.0)
    assert "disagreement" in bench.pass_min(0.5)
    assert bench.own.audit.bias == pytest.approx(1.2, abs=0.2)


def test_a_value_from_long_ago_says_little_of_a_meter_that_drifts_fast() -> None:
    moved = []
    for age_s in (600.0, 4.0 * 3600.0):
        bench = Bench(0.5)
        bench.own.audit.p[5, 5] = 0.2**2
        bench.own.hear_laboratory(0.0, 0.25, age_s)
        moved.append(0.5 - bench.own.audit.bias)
    assert 0.0 < moved[1] < 0.5 * moved[0]


@pytest.mark.parametrize("value", [(math.nan, 0.2, 0.0), (0.1, 0.0, 0.0), (0.1, 0.2, -1.0)])
def test_what_is_no_value_is_refused(value: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="laboratory value"):
        MoistureController.from_dict(json.loads(plain())).hear_laboratory(*value)


UNSEEN = ("cake_pct_wb", "outlet_c", "product_c")


@cache
def without_outlet_and_cake() -> DryerModel:
    full = record(MAKES["mixed"], 1)
    return commission({name: values for name, values in full.items() if name not in UNSEEN})


def test_a_dryer_that_cannot_watch_its_meter_says_that_values_are_needed() -> None:
    model = without_outlet_and_cake()
    assert not model.watches_meter
    assert any("laboratory values a drift of 0.5 % wb/h is not seen" in warning for warning in model.warnings)
    whole = MoistureController.from_dict(json.loads(plain()))
    assert whole.model.watches_meter
    assert not any("laboratory values" in warning for warning in whole.model.warnings)
    blind = MoistureController(model)
    blind.hear_laboratory(1.0, 0.2, 0.0)  # nothing to tell, and no harm
    assert blind.audit.bias == 0.0


def test_where_nothing_watches_the_meter_the_doubt_of_it_grows_until_the_laboratory_speaks() -> None:
    watch = MeterAudit(without_outlet_and_cake())
    doubts = []
    for minute in range(180):
        watch.step(minute / 60.0, math.nan, {}, {}, 60.0)
        doubts.append(watch.bias_sd)
    assert watch.bias == watch.acted_bias == 0.0
    assert doubts == sorted(doubts)
    assert doubts[-1] > 0.8  # no estimate stands in for a meter then
    watch.hear(0.1, 0.2, 600.0)
    assert watch.bias_sd < 0.2


def test_loads_alone_find_a_steady_drift_and_leave_what_comes_and_goes() -> None:
    """No outlet air: known is only how steady this dryer is once its loads are taken out."""
    whole = MoistureController.from_dict(json.loads(plain())).model
    model = replace(whole, outlet=None)
    assert model.knows_loads
    assert told_after_h(model, 0.5) < 3.0 < told_after_h(model, 0.1)
    watch, swing_pct = MeterAudit(model), whole.moisture.noise.level_sd
    for minute in range(300):
        watch.step(swing_pct * math.sin(minute / 25.0), math.nan, {}, {}, 60.0)
        assert not watch.is_told
        assert abs(watch.acted_bias) < 0.5 * swing_pct


def test_a_load_that_nobody_measures_is_known_by_the_outlet_air() -> None:
    """Without a cake meter, moisture and outlet of the record tell how wet cake moves both; a drift moves one."""
    full = record(MAKES["mixed"], 1)
    model = commission({name: values for name, values in full.items() if name != "cake_pct_wb"})
    assert model.shared < -0.8
    assert model.shared_k_per_pct < 0.0
    found = {}
    for drift in (0.0, 0.8):
        watch = MeterAudit(model)
        for minute in range(150):
            wet_pct = 0.6 * math.sin(minute / 30.0)
            # The outlet sees it before the meter, by the powder's way between them.
            way_min = (model.moisture.way_s - model.outlet.way_s) / 60.0
            outlet_k = 0.6 * model.shared_k_per_pct * math.sin((minute + way_min) / 30.0)
            watch.step(wet_pct + drift * minute / 60.0, outlet_k, {}, {}, 60.0)
        found[drift] = watch.bias
    assert abs(found[0.0]) < 0.3
    assert found[0.8] == pytest.approx(2.0, abs=0.6)


def test_what_a_load_does_that_is_not_measured_is_not_held_against_the_meter() -> None:
    """The cake's meter is lost and the cake becomes wetter for an hour: moisture and outlet air tell of it together."""
    model = MoistureController.from_dict(json.loads(plain())).model
    k_per_pct = MeterAudit(model)._seen[1, 0]
    found = {}
    for unseen in ((), ("water",)):
        watch = MeterAudit(model)
        for minute in range(90):
            left = 0.0 if minute < 30 else 1.5
            watch.step(left, k_per_pct * left, {}, {}, 60.0, unseen)
        found[unseen] = (abs(watch.bias), watch.process)
    assert found["water",][0] < 0.5 * found[()][0]
    assert found["water",][1] > 1.2
    assert model.unseen({"heat": 0.0, "water": math.nan, "feed": 0.0}) == ["water"]
