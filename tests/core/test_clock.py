"""Line time that follows a plant: it never goes back, meets the plant, and waits through a hiccup but not for ever."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.core.clock import CREEP, WAITS_AFTER_S, WAITS_UNTIL_S, Clock, Course, course_to

SUMMER, WINTER = 1_750_000_000.0, 1_765_000_000.0  # June and December 2025
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
speeds = st.floats(1.0, 200.0)
shares = st.floats(0.05, 1.0)


@given(speed=speeds, share=shares, ahead=st.floats(-20.0, 20.0), every=st.floats(0.03, 0.1))
def test_the_clock_meets_a_plant_that_is_slower_than_asked(
    speed: float, share: float, ahead: float, every: float
) -> None:
    """From 20 real seconds' worth before or behind, as soon as creeping, or twice the speed, can make up for it."""
    rate = share * speed
    within_s = 2.0 + (ahead / (share - CREEP) if ahead > 0.0 else -ahead / (2.0 - share))
    here, real, plant = ahead * speed, 0.0, 0.0
    course = Course(real, here, speed)
    for _ in range(round(within_s / every)):
        shown = course.at(real)
        assert shown >= here  # never back
        here = shown
        course = course_to(here, plant, real, rate, speed)
        real, plant = real + every, plant + rate * every
    assert course.at(real) == pytest.approx(plant, abs=0.05 * speed)


@given(rate=speeds, line=st.floats(-1e6, 1e9), first=st.floats(0.0, 5.0), more=st.floats(0.0, 5.0))
def test_it_waits_through_a_hiccup_and_goes_on_alone_after_it(
    rate: float, line: float, first: float, more: float
) -> None:
    course = Course(10.0, line, rate, waits=True)
    assert course.at(10.0 + first + more) >= course.at(10.0 + first)
    waited = course.at(10.0 + WAITS_UNTIL_S) - course.at(10.0 + WAITS_AFTER_S)
    assert waited == pytest.approx(CREEP * rate * (WAITS_UNTIL_S - WAITS_AFTER_S), rel=1e-3, abs=1e-6)
    alone = course.at(10.0 + WAITS_UNTIL_S + 1.0) - course.at(10.0 + WAITS_UNTIL_S)
    assert alone == pytest.approx(rate, rel=1e-3, abs=1e-6)


async def test_a_clock_that_follows_sleeps_until_line_time_has_passed() -> None:
    clock = Clock(100.0, epoch=0.0)
    clock.follow(clock.now(), clock.real(), 25.0)
    began = clock.now()
    await clock.sleep(4.0)  # 0.04 s at its speed, four times as long at the plant's
    assert clock.now() - began >= 4.0
    clock.go_alone()
    before, at = clock.now(), clock.real()
    await clock.sleep(1.0)
    assert clock.now() - before == pytest.approx(100.0 * (clock.real() - at), abs=0.5)


async def test_a_clock_knows_how_far_its_place_is_ahead_of_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(1.0, epoch=0.0)
    try:
        for zone, summer_s, winter_s in (("UTC", 0.0, 0.0), ("CST-8", 28_800.0, 28_800.0), (BERLIN, 7_200.0, 3_600.0)):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert clock.ahead_of_utc_s(SUMMER) == summer_s
            assert clock.ahead_of_utc_s(WINTER) == winter_s
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("speed", [0.0, -1.0, 10_001.0, float("nan")])
async def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0, up to 10000"):
        Clock(speed)
