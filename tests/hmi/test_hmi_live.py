"""The latest values: what browsers are sent, when the line counts as gone, what needs a person."""

from __future__ import annotations

from typing import Any

from linecontrol.hmi.live import SILENCE_S, Live
from linecontrol.hmi.well import concerns
from linecontrol.sentences import Sentences

T0 = "2026-01-12T06:30:00.000Z"


def tag(name: str, alias: str, unit: str = "", **more: Any) -> dict[str, Any]:
    row = {"name": name, "alias": alias, "unit": unit, "station": "drying", "title": {"en": alias, "zh": alias}}
    return row | {"low": 0.0, "high": 100.0, "writable": False, "choices": []} | more


def sample(value: Any, quality: str = "GOOD", age_s: float = 0.1) -> dict[str, Any]:
    return {"value": value, "quality": quality, "status": "Good", "time": T0, "age_s": age_s}


def heard(live: Live, tags: dict[str, Any], mono: float = 0.0, run: Any = None, **more: Any) -> dict[str, Any]:
    live.take({"type": "update", "tags": tags, "run": run, **more}, mono)
    return live.changes(mono)


def new() -> Live:
    live = Live()
    live.take_tags([tag("TT-303", "drying.inlet_air_temp", "°C"), tag("WQ-313", "drying.good_total", "kg")])
    return live


def test_only_changes_are_sent_and_a_change_below_what_is_shown_is_none() -> None:
    live = new()
    assert heard(live, {"TT-303": sample(95.04)})["t.TT-303"] == [95.0, "good"]
    assert "t.TT-303" not in heard(live, {"TT-303": sample(95.01)}, 0.5)
    assert heard(live, {"TT-303": sample(None, "BAD")}, 1.0)["t.TT-303"] == [None, "bad"]


def test_silence_is_noticed_and_so_is_its_end() -> None:
    live = new()
    assert live.changes(0.0)["link"] == "wait" if "link" in live.changes(0.0) else live.values["link"] == "wait"
    assert heard(live, {}, 1.0)["link"] == "up"
    assert "link" not in live.changes(1.0 + SILENCE_S)
    assert live.changes(1.1 + SILENCE_S)["link"] == "down"
    assert heard(live, {}, 9.0)["link"] == "up"
    live.lose()
    assert live.changes(9.1)["link"] == "down"


def test_a_run_that_is_gone_takes_its_values_with_it() -> None:
    live = new()
    run = {"run_id": "a", "state": "Running", "units": {"drying": {"text": "TT-303 on", "fraction": 0.25}}, "loops": {}}
    found = heard(live, {}, run=run)
    assert found["run.state"] == "Running"
    assert found["run.units.drying.fraction"] == 0.25
    assert heard(live, {}, 0.5)["run.state"] is None


def test_ages_are_told_in_steps_so_that_clocks_do_not_tick_over_the_wire() -> None:
    live = new()
    assert heard(live, {"TT-303": sample(1.0)})["age.TT-303"] == 0
    live.take_status({"time": "2026-01-12T06:30:07.000Z", "speed": 1.0}, 0.2)
    assert live.changes(0.2)["age.TT-303"] == 5
    live.take_status({"time": "2026-01-12T06:30:08.000Z", "speed": 1.0}, 0.4)
    assert "age.TT-303" not in live.changes(0.4)


def test_the_banner_shows_the_gravest_and_newest_that_nobody_has_acknowledged() -> None:
    live = new()
    rows = [
        {"name": name, "state": state, "priority": priority, "since": since, "text": {"en": name, "zh": name}}
        for name, state, priority, since in (
            ("low-new", "UNACK", "low", "5"),
            ("high-old", "UNACK", "high", "1"),
            ("high-new", "RTNUN", "high", "4"),
            ("acked", "ACKED", "critical", "9"),
            ("medium", "LUNAK", "medium", "2"),
        )
    ]
    found = heard(live, {}, alarms=rows)
    assert [row["name"] for row in found["alarms"]] == ["high-new", "high-old", "medium"]
    assert found["alarms.waiting"] == 4


def test_what_needs_a_person_is_named_gravest_first() -> None:
    aliases = {"drying.powder_rate": "WT", "drying.gate_position": "ZT", "drying.powder_moisture": "MT"}
    calm = {"t.WT": [90, "good"], "t.ZT": [0, "good"], "t.MT": [12.8, "good"], "station.drying.is_up": True}
    assert concerns(calm, aliases, ["drying"]) == []
    bad = calm | {"station.drying.is_up": False, "run.state": "Held", "t.ZT": [1, "good"], "alarms.waiting": 2}
    keys = [key for key, _ in concerns(bad, aliases, ["drying"])]
    assert keys == ["well.station_away", "well.Held", "well.alarms", "well.diverted"]
    idle = calm | {"t.WT": [0, "good"], "t.ZT": [1, "good"], "t.MT": [None, "bad"]}
    assert concerns(idle, aliases, ["drying"]) == []


def test_the_controllers_sentences_are_told_in_chinese_part_by_part() -> None:
    s = Sentences.shipped()
    assert s.translated("not started: drying is not connected; screening is not connected", "zh") == (
        "未启动：干燥工段 未连接；筛选工段 未连接"
    )
    assert s.translated("WT-301 ≥ 20 for 5 s, 2 s so far", "zh") == "WT-301 ≥ 20，持续 5 秒，已 2 秒"
    assert s.translated("something nobody knows", "zh") == "something nobody knows"
    assert s.translated("drying is not connected", "en") == "drying is not connected"
