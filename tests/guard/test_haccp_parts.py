"""Wet hold, spoilage and deviations: the pure parts of the HACCP plan."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.core.model import Text
from linecontrol.guard.deviations import Breach, DeviationBook
from linecontrol.guard.isotherm import Isotherm, Outlook, bag_activity
from linecontrol.guard.spoilage import SpoilageSums
from linecontrol.guard.wet_hold import Kinetics, WetState, advance

KINETICS = Kinetics(b=0.030, t_min_c=5.0, lag_h=2.0)
GAB = Isotherm(0.088, 15.0, 0.72, 4500.0, 4000.0, -300.0, 0.060, 0.095)


def stand(hours: float, temp_c: float, *, fresh: float = 0.0, contents: float = 50.0, step_h: float = 0.01) -> WetState:
    state = WetState()
    for _ in range(round(hours / step_h)):
        state = advance(
            state,
            KINETICS,
            contents=contents,
            least=2.0,
            per=0.02,
            fresh=fresh,
            temp_c=temp_c,
            dt_h=step_h,
        )
    return state


def test_doubling_times_of_the_growth_law() -> None:
    """1.9 h at 25 °C, 0.75 h at 37 °C, 7.7 h at 15 °C."""
    for temp_c, hours in ((25.0, 1.9), (37.0, 0.75), (15.0, 7.7)):
        assert math.log10(2.0) / KINETICS.log_per_h(temp_c) == pytest.approx(hours, rel=0.02)
    assert KINETICS.log_per_h(4.0) == 0.0


def test_a_line_that_stops_wet_ages_and_one_that_flows_does_not() -> None:
    assert stand(10.0, 28.0).growth_log == pytest.approx(1.65, abs=0.1)  # of ten hours, two are lag
    assert stand(10.0, 28.0, fresh=3.0).age_h == pytest.approx(1.0 / 3.0, rel=0.02)
    assert stand(10.0, 28.0, fresh=3.0).growth_log == 0.0
    assert stand(10.0, 28.0, contents=1.0) == WetState(temp_c=28.0)


@given(
    contents=st.one_of(st.floats(0.0, 100.0), st.just(math.nan)),
    fresh=st.one_of(st.floats(-5.0, 50.0), st.just(math.nan)),
    temp_c=st.one_of(st.floats(-10.0, 60.0), st.just(math.nan)),
    dt_h=st.floats(0.0, 100.0),
    age=st.floats(0.0, 50.0),
    growth=st.floats(0.0, 5.0),
)
def test_wet_material_never_grows_younger_by_what_is_not_known(
    contents: float, fresh: float, temp_c: float, dt_h: float, age: float, growth: float
) -> None:
    before = WetState(age, growth, 25.0)
    after = advance(before, KINETICS, contents=contents, least=2.0, per=0.02, fresh=fresh, temp_c=temp_c, dt_h=dt_h)
    assert 0.0 <= after.age_h <= 1000.0
    assert after.growth_log >= 0.0
    assert math.isfinite(after.growth_log)
    if math.isnan(contents) or (contents >= 2.0 and not fresh > 0.0):
        assert after.age_h >= before.age_h
        assert after.growth_log >= before.growth_log


@pytest.mark.parametrize(
    ("pct_wb", "temp_c", "activity"),
    [(9.59, 25.0, 0.40), (12.47, 25.0, 0.60), (13.33, 25.0, 0.65), (13.26, 40.0, 0.70), (14.18, 60.0, 0.80)],
)
def test_activities_of_the_default_isotherm(pct_wb: float, temp_c: float, activity: float) -> None:
    assert GAB.activity(pct_wb, temp_c) == pytest.approx(activity, abs=0.003)


@given(pct=st.floats(1.0, 30.0), temp_c=st.floats(5.0, 60.0), more=st.floats(0.1, 5.0))
def test_wetter_or_warmer_powder_keeps_no_better(pct: float, temp_c: float, more: float) -> None:
    here = GAB.activity(pct, temp_c)
    assert 0.0 < here <= 1.0
    assert GAB.activity(pct + more, temp_c) >= here
    assert GAB.activity(pct, temp_c + more) >= here


@given(
    pct=st.one_of(st.floats(0.0, 40.0), st.just(math.nan)), temp_c=st.one_of(st.floats(0.0, 70.0), st.just(math.nan))
)
def test_the_interval_holds_the_value_and_unknown_is_never_good_news(pct: float, temp_c: float) -> None:
    found = bag_activity(GAB, pct, temp_c, moisture_u=0.25, temp_u=0.5, store_high_c=25.0)
    outlook = found.outlook(0.65)
    if math.isnan(pct) or math.isnan(temp_c):
        assert outlook is Outlook.UNKNOWN
        return
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0
    assert (outlook is Outlook.BELOW) is (found.high <= 0.65)


def test_moisture_alone_decides_nothing() -> None:
    """The same moisture is below the limit cool and above it warm; what the isotherm may be makes it doubtful."""
    cool = bag_activity(GAB, 12.5, 20.0, moisture_u=0.01, temp_u=0.01, store_high_c=20.0)
    warm = bag_activity(GAB, 12.5, 45.0, moisture_u=0.01, temp_u=0.01, store_high_c=20.0)
    assert cool.outlook(0.65) is Outlook.DOUBTFUL
    assert warm.outlook(0.65) is Outlook.ABOVE
    assert bag_activity(GAB, 8.0, 20.0, moisture_u=0.2, temp_u=0.5, store_high_c=25.0).outlook(0.65) is Outlook.BELOW


def test_sums_of_a_run_say_what_is_not_known() -> None:
    sums = SpoilageSums()
    for pct, kg in ((12.5, 4.0), (15.0, 1.0), (math.nan, 2.0), (12.0, -1.0)):
        found = bag_activity(GAB, pct, 25.0, moisture_u=0.2, temp_u=0.5, store_high_c=25.0)
        sums.add(found, 0.65, kg)
    record = sums.record(0.65)
    assert (record["good_kg"], record["above_kg"], record["doubtful_kg"], record["unknown_kg"]) == (7.0, 1.0, 4.0, 2.0)
    assert SpoilageSums().record(0.65)["aw_worst"] is None


WET = Breach(14.6, 14.0, Text("wet", "湿"))


def test_a_deviation_reaches_from_the_last_good_reading_to_the_last_bad_one() -> None:
    book = DeviationBook()
    for now in range(10):
        assert book.tick(float(now), {}, {"CCP1": True}, {}) == []
    opened = book.tick(10.0, {"CCP1": WET}, {"CCP1": False}, {}, suspect_kg=0.2)
    assert (opened[0].since, opened[0].opened, opened[0].until) == (9.0, 10.0, None)
    assert opened[0].suspect_kg == pytest.approx(0.2)
    worse = book.tick(11.0, {"CCP1": Breach(16.0, 14.0, Text("wetter", "更湿"))}, {"CCP1": False}, {})
    assert worse[0].value == 16.0
    assert book.tick(12.0, {}, {"CCP1": False}, {}) == [], "inside for a moment is not the end"
    book.tick(13.0, {"CCP1": WET}, {"CCP1": False}, {})
    ended = book.tick(40.0, {}, {"CCP1": True}, {})
    assert (ended[0].until, ended[0].value) == (13.0, 16.0)
    again = book.tick(50.0, {"CCP1": WET}, {"CCP1": False}, {})
    assert again[0].since == 40.0


def test_a_limit_with_a_test_piece_reaches_back_to_the_last_one_passed() -> None:
    book = DeviationBook()
    book.tick(100.0, {}, {"CCP2": True}, {})
    found = book.tick(101.0, {"CCP2": WET}, {"CCP2": False}, {"CCP2": 30.0})
    assert found[0].since == 30.0
    later = DeviationBook().tick(5.0, {"CCP2": WET}, {}, {"CCP2": 30.0})
    assert later[0].since == 5.0, "a check in the future vouches for nothing"


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0.0, 1.0)), max_size=60))
def test_every_bad_moment_lies_in_a_deviation_and_no_suspect_powder_is_lost(
    steps: list[tuple[bool, bool, float]],
) -> None:
    book, found = DeviationBook(), {}
    suspect_kg = 0.0
    for now, (is_bad, may_end, kg) in enumerate(steps):
        marked = kg if is_bad else 0.0
        suspect_kg += marked
        for one in book.tick(float(now), {"C": WET} if is_bad else {}, {"C": may_end}, {}, marked):
            found[one.opened] = one
    for now, (is_bad, _, _) in enumerate(steps):
        if is_bad:
            assert any(one.since <= now <= (math.inf if one.until is None else one.until) for one in found.values())
    assert sum(one.suspect_kg for one in found.values()) == pytest.approx(suspect_kg)
