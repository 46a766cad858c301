"""Interlocks as they stand: what trips them, what they refuse, what clears them, and that a bypass ends."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.core.expression import parse
from linecontrol.core.model import Text
from linecontrol.guard.interlocks import Act, Bypass, Interlock, InterlockSystem, Needs, Refuses, sentence
from linecontrol.line.interlocks import hold_text

AIR = Interlock(
    name="IL-1",
    station="drying",
    title=Text("Air flows", "有风"),
    purpose=Text("No fire", "防火"),
    value=parse("FT-307"),
    measured=Text("FT-307", "FT-307"),
    unit="kg/h",
    clears=Text("Start the fan.", "启动风机。"),
    low=600.0,
    deadband=100.0,
    delay_s=5.0,
    blind_s=20.0,
    refuses=(Refuses("TV-303", above=0.0),),
    acts=frozenset({Act.HOLD}),
    bypass_s=600.0,
)
LATCHED = replace(AIR, name="IL-2", latched=True, bypass_s=0.0, acts=frozenset({Act.STOP, Act.DIVERT}))
HEATING = replace(AIR, name="IL-3", needs=(Needs("TV-303", 2.0),), except_recipes=frozenset({"wash"}))


def system(*rows: Interlock) -> InterlockSystem:
    return InterlockSystem(rows or (AIR,))


def look(found: InterlockSystem, flow: float, start: int, seconds: int, heater: float = 50.0) -> int:
    for now in range(start, start + seconds):
        found.tick(float(now), {"FT-307": flow, "TV-303": heater})
    return start + seconds


rows = st.lists(st.tuples(st.sampled_from([400.0, 650.0, 900.0, math.nan]), st.integers(1, 25)), max_size=8)


@given(rows, st.sampled_from([None, 3.0, 40.0]), st.sampled_from([-1.0, 0.0, 40.0]), st.sampled_from(["", "wash"]))
def test_what_is_clear_refuses_nothing(
    course: list[tuple[float, int]], bypassed_at: float | None, value: float, recipe: str
) -> None:
    """A tag that is clear need not be asked for; whatever has happened before."""
    found, now = system(AIR, LATCHED, HEATING), 0
    for flow, seconds in course:
        now = look(found, flow, now, seconds)
        if bypassed_at is not None and now > bypassed_at:
            found.bypass(Bypass("B1", "IL-1", "li", "test", bypassed_at, bypassed_at + 60.0))
        refused = [found.refusal(tag, value, float(now), recipe) for tag in ("TV-303", "SC-101")]
        for tag, why in zip(("TV-303", "SC-101"), refused, strict=True):
            assert why is None or not found.is_clear(tag)
        assert found.is_clear("TV-303") is all(standing.is_met for standing in found.standings.values())


def test_it_trips_after_its_delay_and_clears_inside_its_deadband() -> None:
    found = system()
    now = look(found, 900.0, 0, 10)
    now = look(found, 500.0, now, 5)
    assert found.standings["IL-1"].is_met
    now = look(found, 500.0, now, 2)
    assert not found.standings["IL-1"].is_met
    now = look(found, 650.0, now, 30)
    assert not found.standings["IL-1"].is_met, "inside the limit, but not by the deadband"
    look(found, 701.0, now, 1)
    assert found.standings["IL-1"].is_met
    assert [change.verb for change in found.changes] == ["tripped", "cleared"]


def test_a_refusal_says_condition_value_limit_and_what_clears_it_in_both_languages() -> None:
    found = system()
    now = look(found, 500.0, 0, 10)
    refused = found.refusal("TV-303", 40.0, now)
    assert refused is not None
    assert refused.en == "IL-1 not met (Air flows): FT-307 = 500 kg/h, must be at least 600 kg/h. Start the fan."
    assert refused.zh == "IL-1 未满足（有风）：FT-307 = 500 kg/h，应不低于 600 kg/h。启动风机。"
    named = sentence(replace(AIR, measured=Text("air per heat", "风热比"), unit="kg h/m3", low=4.0), 3.14)
    assert named.en == "IL-1 not met (Air flows): air per heat = 3.14 kg h/m³, must be at least 4.00 kg h/m³"
    assert named.zh == "IL-1 未满足（有风）：风热比 = 3.14 kg h/m³，应不低于 4.00 kg h/m³"
    assert found.refusal("TV-303", 0.0, now) is None, "what is towards safety is not refused"
    inside = found.refusal("TV-303", 40.0, look(found, 650.0, now, 1))
    assert inside is not None
    assert "FT-307 = 650 kg/h, must be at least 700 kg/h" in inside.en, "inside the limit: what would clear it"
    assert found.refusal("SC-101", 40.0, now) is None


def test_a_value_that_is_missing_counts_after_its_time_and_not_before() -> None:
    found = system()
    now = look(found, 900.0, 0, 5)
    now = look(found, math.nan, now, 20)
    assert found.standings["IL-1"].is_met
    now = look(found, math.nan, now, 1)
    refused = found.refusal("TV-303", 1.0, now)
    assert refused is not None
    assert "not measured well" in refused.en
    assert "无效" in refused.zh
    never = system(replace(AIR, blind_s=math.inf))
    look(never, math.nan, 0, 1000)
    assert never.standings["IL-1"].is_met


def test_a_condition_without_meaning_is_met() -> None:
    found = system(HEATING)
    now = look(found, 0.0, 0, 60, heater=0.0)
    assert found.standings["IL-3"].is_met
    assert not found.standings["IL-3"].is_active
    now = look(found, 0.0, now, 10, heater=math.nan)  # unknown: it may burn
    assert not found.standings["IL-3"].is_met
    assert found.blocking(now, Act.HOLD, "kudzu")
    assert not found.blocking(now, Act.HOLD, "wash")
    assert found.refusal("TV-303", 5.0, now, "wash") is None


def test_a_latched_one_waits_for_a_person_and_tells_what_tripped_it() -> None:
    found = system(LATCHED)
    now = look(found, 100.0, 0, 10)
    assert (found.reset("IL-2", now) or "").startswith("its condition is still not met")
    now = look(found, 900.0, now, 10)
    refused = found.refusal("TV-303", 5.0, now)
    assert refused is not None
    assert "FT-307 = 100 kg/h" in refused.en
    assert found.reset("IL-2", now) is None
    assert found.standings["IL-2"].is_met
    assert found.reset("IL-2", now) == "IL-2 is met: there is nothing to reset"
    assert (system().reset("IL-1", 0.0) or "").startswith("IL-1 is met")


def test_a_restart_takes_up_bypasses_with_the_time_left_and_what_was_latched() -> None:
    found = system(AIR, LATCHED)
    found.restore([Bypass("B1", "IL-1", "wang", "fan swapped", 0.0, 100.0)], ["IL-2", "IL-1"], 60.0)
    assert found.standings["IL-1"].is_bypassed(99.0)
    assert not found.standings["IL-1"].is_bypassed(100.0)
    assert not found.standings["IL-2"].is_met
    assert found.standings["IL-1"].is_met, "only a latched one outlasts its cause"
    late = system()
    late.restore([Bypass("B1", "IL-1", "wang", "fan swapped", 0.0, 100.0)], [], 100.0)
    assert late.standings["IL-1"].bypass is None


@given(
    flows=st.lists(st.one_of(st.floats(0.0, 2000.0), st.just(math.nan)), max_size=60),
    begin=st.integers(0, 60),
    lasts=st.integers(1, 40),
)
def test_while_bypassed_nothing_is_refused_and_afterwards_all_is_as_without(
    flows: list[float], begin: int, lasts: int
) -> None:
    plain, bypassed = system(), system()
    bypass = Bypass("B1", "IL-1", "wang", "test", float(begin), float(begin + lasts))
    for at, flow in enumerate(flows):
        now = float(at)
        if at == begin:
            bypassed.bypass(bypass)
        for one in (plain, bypassed):
            one.tick(now, {"FT-307": flow, "TV-303": 50.0})
        if begin <= at < begin + lasts:
            assert bypassed.refusal("TV-303", 50.0, now) is None
            assert not bypassed.blocking(now)
        else:
            assert bypassed.refusal("TV-303", 50.0, now) == plain.refusal("TV-303", 50.0, now)
        assert (plain.refusal("TV-303", 50.0, now) is None) is plain.standings["IL-1"].is_met
    ends = [change for change in bypassed.changes if change.verb == "bypass-ended"]
    assert len(ends) == (begin + lasts < len(flows))


@pytest.mark.parametrize(("low", "high", "value", "word"), [(5.0, 9.0, 4.0, "at least"), (5.0, 9.0, 9.5, "at most")])
def test_the_side_that_is_broken_is_the_one_that_is_told(low: float, high: float, value: float, word: str) -> None:
    found = system(replace(AIR, low=low, high=high, deadband=0.0, delay_s=0.0))
    now = look(found, value, 0, 1)
    refused = found.refusal("TV-303", 1.0, now)
    assert refused is not None
    assert word in refused.en


def test_a_hold_says_first_what_does_not_answer_and_ends_each_sentence_once() -> None:
    found = system(AIR, replace(HEATING, name="IL-9"))
    now = look(found, math.nan, 0, 30, heater=math.nan)
    standings = [standing for standing in found.standings.values() if not standing.is_met]
    assert len(standings) == 2
    told = hold_text(standings, ["drying"])
    assert told.en.startswith("no answer of drying: look at cabinet and network; IL-1 ")
    assert told.zh.startswith("drying 无应答")
    assert ".;" not in told.en
    assert not told.en.endswith(".")
    assert not hold_text(standings, []).en.startswith("no answer")
    look(found, 100.0, now, 30, heater=5.0)  # measured, and too little: not the link's fault
    assert not hold_text([found.standings["IL-1"]], ["screening"]).en.startswith("no answer")
