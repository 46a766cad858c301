"""Assessment: verdicts on loops of known trouble, the index against theory, wear counted by hand, ranking."""

from __future__ import annotations

import math

import numpy as np
import pytest
from assessment_loops import CLASSES, WAVES, Loop, outside, simulate
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from tuning_plants import dates

import linecontrol.control
from linecontrol.control.assessment import Assessment, assess, harris, oscillation, rank, read_series, wear


def of(loop: Loop, **more: object) -> Assessment:
    return assess(loop.t_s, loop.pv, loop.sp, loop.op, **more)  # type: ignore[arg-type]


def test_verdicts_are_right_and_stiction_is_not_said_lightly() -> None:
    right, lightly = 0, 0
    for kind in CLASSES:
        for seed in range(100, 108):
            verdict = of(simulate(kind, seed)).diagnosis.verdict
            right += verdict == kind
            lightly += verdict == "stiction" and kind != "stiction"
    assert right >= 27  # of 32: 85 %
    assert lightly <= 1


@pytest.mark.parametrize("wave", WAVES)
def test_a_wave_from_outside_is_no_valve(wave: str) -> None:
    told = [of(outside(wave, seed)).diagnosis for seed in (0, 1, 4, 7, 10)]
    assert "stiction" not in {one.verdict for one in told}
    assert [one.verdict for one in told].count("external") >= 3


def test_a_valve_that_swings_steadily_is_still_a_valve() -> None:
    """A limit cycle is all but a steady wave itself; its edges are what tells."""
    told = [of(simulate("stiction", seed)).diagnosis for seed in (0, 11, 13, 206)]
    assert [one.verdict for one in told] == ["stiction"] * 4
    assert max(one.valve.left_beside for one in told if one.valve) < 0.8


def test_a_verdict_does_not_depend_on_units_or_direction() -> None:
    loop = simulate("stiction", 1)
    here = of(loop).diagnosis
    there = assess(loop.t_s + 1.7e9, -100.0 * loop.pv, -100.0 * loop.sp, 0.01 * loop.op + 3.0).diagnosis
    assert here.verdict == there.verdict == "stiction"
    assert here.oscillation is not None
    assert there.oscillation is not None
    assert here.oscillation.period_s == pytest.approx(there.oscillation.period_s, rel=1e-3)


def test_the_swing_of_a_wave_is_measured() -> None:
    t = np.arange(3000.0)
    rng = np.random.default_rng(0)
    wave = np.sin(2.0 * math.pi * t / 75.0)
    swing = oscillation(2.0 * wave + 0.2 * rng.normal(size=3000), 5.0 * wave + 0.2 * rng.normal(size=3000), 1.0)
    assert swing is not None
    assert swing.period_s == pytest.approx(75.0, rel=0.02)
    assert swing.amplitude == pytest.approx(2.0, rel=0.05)
    assert swing.is_regular
    assert swing.is_loaded
    assert swing.crossings >= 6
    assert swing.damping < 0.02


def test_noise_does_not_swing() -> None:
    rng = np.random.default_rng(1)
    error = rng.normal(size=3000)
    swing = oscillation(error, np.asarray(lfilter([1.0], [1.0, -0.95], error)), 1.0)
    assert swing is None or not swing.is_regular


@pytest.mark.parametrize("delay", [3, 8])
def test_the_index_of_a_known_series(delay: int) -> None:
    """y = (1 + f1 q^-1 + ...) a: what is left when only values `delay` old are known is the first `delay` terms."""
    rng = np.random.default_rng(2)
    y = np.asarray(lfilter([1.0], [1.0, -0.9], rng.normal(size=20_000)))
    powers = 0.9 ** (2.0 * np.arange(2000))
    found = harris(y, delay)
    assert found is not None
    truth = float(powers[:delay].sum() / powers.sum())
    assert found.low <= truth <= found.high
    assert found.index == pytest.approx(truth, abs=0.03)
    assert list(found.by_delay) == list(range(max(1, delay - 2), delay + 3))
    assert list(found.by_delay.values()) == sorted(found.by_delay.values())


def test_the_interval_of_the_index_covers() -> None:
    powers = 0.8 ** (2.0 * np.arange(500))
    truth = float(powers[:4].sum() / powers.sum())
    held = 0
    for seed in range(40):
        y = np.asarray(lfilter([1.0], [1.0, -0.8], np.random.default_rng(seed).normal(size=1500)))
        found = harris(y, 4)
        assert found is not None
        held += found.low <= truth <= found.high
    assert held >= 33  # 38 are to be expected


@pytest.mark.parametrize("samples", [0, 1, 199])
def test_too_few_samples_have_no_index(samples: int) -> None:
    assert harris(np.random.default_rng(3).normal(size=samples), 2) is None


def test_perfect_control_has_an_index_of_one_and_the_delay_must_be_sensible() -> None:
    found = harris(np.random.default_rng(3).normal(size=4000), 2)
    assert found is not None
    assert found.index > 0.97
    with pytest.raises(ValueError, match="1 sample"):
        harris(np.zeros(500), 0)
    assert harris(np.zeros(500), 1) is None


def test_wear_counted_by_hand() -> None:
    t = np.arange(0.0, 60.0)
    op = np.full(60, 50.0)
    op[10:20], op[20:30], op[30:] = 60.0, 55.0, 100.0
    found = wear(read_series(t, np.zeros(60), np.zeros(60), op), (0.0, 100.0))
    assert found.travel == pytest.approx(10.0 + 5.0 + 45.0)
    assert found.travel_per_h == pytest.approx(3600.0)
    assert found.reversals_per_h == pytest.approx(120.0)
    assert found.high_share == pytest.approx(0.5)
    assert found.low_share == 0.0


def test_service_factor_good_share_and_iae() -> None:
    t = np.arange(0.0, 200.0)
    pv = np.full(200, 12.0)
    pv[50:60] = np.nan
    auto = t >= 100.0
    found = assess(t, pv, np.full(200, 10.0), np.linspace(0, 50, 200), auto=auto.tolist())
    assert found.service_factor == pytest.approx(0.5)
    assert found.good_share == pytest.approx(0.95)
    assert found.iae == pytest.approx(200.0)
    assert found.iae_per_h == pytest.approx(7200.0)
    assert found.mean_error == pytest.approx(2.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.3), st.booleans())
def test_gaps_and_uneven_times_never_break_it(seed: int, lost: float, short: bool) -> None:
    rng = np.random.default_rng(seed)
    n = 60 if short else 700
    t = np.cumsum(rng.uniform(0.5, 1.5, n))
    pv = rng.normal(size=n)
    pv[rng.uniform(size=n) < lost] = np.nan
    op = np.where(rng.uniform(size=n) < 0.1, np.nan, np.cumsum(rng.normal(size=n)))
    if np.count_nonzero(np.isfinite(pv)) < 50:
        return
    found = assess(t, pv, np.zeros(n), op, delay_s=3.0)
    assert 0.0 <= found.good_share <= 1.0
    assert found.wear.travel >= 0.0
    assert found.harris is None or 0.0 <= found.harris.low <= found.harris.index <= found.harris.high <= 1.0


def test_loops_are_ranked_by_what_mending_them_is_worth() -> None:
    found = {kind: of(simulate(kind, 3), delay_s=8.0) for kind in CLASSES}
    order = rank(found, dict.fromkeys(CLASSES, 10.0))
    shares = [share for _, share in order if share is not None]
    assert shares == sorted(shares, reverse=True)
    assert dict(order)["external"] > dict(order)["none"]  # type: ignore[operator]
    assert order[0][1] is not None
    assert order[0][1] == pytest.approx(2.0 * (found[order[0][0]].worth.sd - _possible(found[order[0][0]])) / 10.0)


def _possible(row: Assessment) -> float:
    assert row.worth.sd_possible is not None
    return row.worth.sd_possible


def test_a_swinging_set_point_is_something_outside() -> None:
    t = np.arange(2500.0)
    rng = np.random.default_rng(5)
    sp = 60.0 + 3.0 * np.sin(2.0 * math.pi * t / 120.0)
    pv = np.asarray(60.0 + lfilter([0.1], [1.0, -0.9], sp - 60.0)) + 0.05 * rng.normal(size=2500)
    found = assess(t, pv, sp, 50.0 + 4.0 * (sp - pv))
    assert found.diagnosis.verdict == "external"
    assert "set point" in found.diagnosis.reason


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"delay_s": -1.0}, "delay_s"),
        ({"op_limits": (5.0, 5.0)}, "op_limits"),
        ({"period_s": 0.0}, "step"),
        ({"auto": [True]}, "lengths differ"),
    ],
)
def test_what_is_not_accepted_is_said(more: dict[str, object], told: str) -> None:
    loop = simulate("none", 1)
    with pytest.raises(ValueError, match=told):
        of(loop, **more)


def test_a_slack_loop_is_not_told_to_be_left_alone_and_a_good_one_is() -> None:
    """First-order lag of 30 s behind 10 s of delay, slow load: SIMC gains against an eighth of them."""
    advice = {}
    for share in (1.0, 0.125):
        rng = np.random.default_rng(3)
        pv, op, load, state, integral = np.zeros(4000), np.zeros(4000), 0.0, 0.0, 0.0
        for k in range(1, 4000):
            load = 0.99 * load + 0.1 * float(rng.normal())
            state += ((op[k - 11] if k > 11 else 0.0) + load - state) * (1.0 - math.exp(-1.0 / 30.0))
            pv[k] = state + 0.05 * float(rng.normal())
            integral += pv[k] / 30.0
            op[k] = -1.5 * share * (pv[k] + integral)
        told = assess(np.arange(4000.0), pv, np.zeros(4000), op, delay_s=10.0)
        assert told.diagnosis.verdict == "none"
        advice[share] = told.diagnosis
    assert advice[1.0].what_to_do == "Nothing."
    assert "tune" in advice[0.125].what_to_do
    assert "Harris" in advice[0.125].reason


def test_what_stands_still_is_named() -> None:
    t = np.arange(600.0)
    wave, still = np.sin(t / 9.0), np.zeros(600)
    stuck = assess(t, still, still, wave, delay_s=1e5)
    assert "PV stands at 0" in stuck.diagnosis.reason
    assert "instrument" in stuck.diagnosis.what_to_do
    assert any("no Harris index" in text for text in stuck.warnings)
    assert "output stands at 0" in assess(t, wave, still, still).diagnosis.reason
    with pytest.raises(ValueError, match=r"sample 2: 1 s follows 1 s"):
        assess([0.0, 1.0, 1.0, *t[3:]], wave, still, wave)


def test_dates_are_read_as_the_times_they_are() -> None:
    loop = simulate("aggressive tuning", 5)
    told = assess(loop.t_s, loop.pv, loop.sp, loop.op, delay_s=8.0)
    for times in dates(loop.t_s - loop.t_s[0]):
        there = assess(times, loop.pv, loop.sp, loop.op, delay_s=8.0)
        assert (there.period_s, there.iae_per_h, there.harris) == (told.period_s, told.iae_per_h, told.harris)
        assert there.diagnosis == told.diagnosis
    with pytest.raises(ValueError, match="dates of one kind"):
        assess(["yesterday"] * len(loop.pv), loop.pv, loop.sp, loop.op)  # type: ignore[list-item]


def test_the_package_offers_it() -> None:
    loop = simulate("none", 2)
    assert linecontrol.control.assess(loop.t_s, loop.pv, loop.sp, loop.op).diagnosis.verdict == "none"
    assert linecontrol.control.rank({}) == []
