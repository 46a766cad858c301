"""The PID checklist, one test per item; the number is in its name. Items 9, 13, 18 and 30 are in test_loop_checklist.

Items 26 and 27 belong to the tuner.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from control_plants import Fopdt, closed_loop, normal_step, total
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from linecontrol.control import forms
from linecontrol.control.action import refuse_wrong_sign
from linecontrol.control.pid import Pid, PidSettings, PidState, step

WIDE = {"op_low": -1e6, "op_high": 1e6}


def warm(s: PidSettings, sp: float = 50.0, pv: float = 48.0, out: float = 40.0, samples: int = 3) -> PidState:
    """A state with nonzero error, led to ``out``."""
    state = PidState(out=out)
    for _ in range(samples):
        _, state, _ = step(s, state, sp, pv, 1.0, track=out)
    return state


@given(
    k=st.floats(-50, 50).filter(lambda k: abs(k) > 1e-3),
    ti=st.floats(1e-2, 1e5),
    share=st.floats(0.0, 0.25),
    n=st.floats(1, 100),
)
def test_item_01_forms_convert_exactly_and_series_is_refused_where_it_does_not_exist(
    k: float, ti: float, share: float, n: float
) -> None:
    """1. ISA, parallel, series accepted; conversion exact both ways (1e-12); series only if Ti >= 4 Td."""
    isa = forms.IsaGains(k, ti, share * ti, n, 0.3, 0.1)
    for there, back in ((forms.isa_to_parallel, forms.parallel_to_isa), (forms.isa_to_series, forms.series_to_isa)):
        again = back(there(isa))  # type: ignore[operator]
        assert again.k == pytest.approx(isa.k, rel=1e-12)
        assert again.ti_s == pytest.approx(isa.ti_s, rel=1e-12)
        assert again.td_s == pytest.approx(isa.td_s, rel=1e-12, abs=1e-300)
        assert again.tf_s == pytest.approx(isa.tf_s, rel=1e-12, abs=1e-300)
        assert (again.b, again.c) == (0.3, 0.1)
    with pytest.raises(ValueError, match="no series form"):
        forms.isa_to_series(replace(isa, td_s=ti * 0.2501))


def test_item_01_step_responses_of_the_three_forms_are_equal() -> None:
    """1. Step responses equal: each form as its own transfer function, in scipy."""
    isa = forms.IsaGains(2.0, 60.0, 12.0, 6.0, 1.0, 1.0)
    par, ser = forms.isa_to_parallel(isa), forms.isa_to_series(isa)
    tf = isa.tf_s
    f = np.array([tf, 1.0])
    a = np.polymul([isa.k * isa.ti_s, isa.k], f) + np.append(isa.k * isa.ti_s * np.array([isa.td_s, 0.0]), 0.0)
    b = np.polymul([par.kp, par.ki_per_s], f) + np.array([par.kd_s, 0.0, 0.0])
    rest = ser.k * np.array([ser.ti_s + ser.td_s, 1.0])  # series without its pure derivative k Ti Td s^2
    c = np.polymul(rest, f) + np.array([ser.k * ser.ti_s * ser.td_s, 0.0, 0.0])
    t = np.linspace(0.0, 300.0, 301)
    _, ya = signal.step((a, np.polymul([isa.ti_s, 0.0], f)), T=t)
    _, yb = signal.step((b, np.polymul([1.0, 0.0], f)), T=t)
    _, yc = signal.step((c, np.polymul([ser.ti_s, 0.0], f)), T=t)
    assert np.max(np.abs(ya - yb)) < 1e-9
    assert np.max(np.abs(ya - yc)) < 1e-9


def test_item_02_disturbance_response_does_not_depend_on_the_set_point_weights() -> None:
    """2. Weights b, c in [0, 1]; response to a load independent of them (max difference < 1e-9)."""
    load = np.where(np.arange(400) > 20, 5.0, 0.0)
    runs = []
    for b, c in ((0.0, 0.0), (0.5, 1.0), (1.0, 0.3)):
        s = PidSettings(k=2.0, ti_s=30, td_s=5, b=b, c=c, **WIDE)
        runs.append(closed_loop(s, Fopdt(1.0, 40.0, 8.0, 1.0), np.zeros(400), load)[1])
    assert np.ptp(runs[0]) > 1.0
    assert max(np.max(np.abs(runs[0] - run)) for run in runs[1:]) < 1e-9
    for name in ("b", "c"):
        for value in (-0.01, 1.01, math.nan):
            with pytest.raises(ValueError, match=rf"^{name} .*accepted: 0 to 1"):
                PidSettings(**{name: value})


def test_item_03_noise_gain_is_bounded_by_k_times_one_plus_n() -> None:
    """3. D filter Td/N; high-frequency gain <= K(1+N), stated, and set by N or Tf (white noise)."""
    noise = np.random.default_rng(3).normal(0.0, 1.0, 4000)

    def ratio(s: PidSettings) -> float:
        pid = Pid(s, PidState(out=0.0))
        out = np.array([pid.step(0.0, float(y), 1.0)[0] for y in noise])
        return float(np.std(np.diff(out)) / np.std(np.diff(noise)))

    ratios = []
    for n in (2.0, 8.0, 20.0):
        s = PidSettings(k=1.5, ti_s=1e6, td_s=40.0, n=n, **WIDE)
        assert s.hf_gain == pytest.approx(1.5 * (1 + n))
        ratios.append(ratio(s))
        assert 0.5 * s.hf_gain < ratios[-1] <= s.hf_gain
    assert ratios == sorted(ratios)
    assert ratio(PidSettings(k=1.5, ti_s=1e6, td_s=40.0, tf_s=20.0, **WIDE)) == pytest.approx(ratios[0], rel=1e-12)


def test_item_04_derivative_is_on_the_pv_so_a_set_point_step_makes_no_impulse() -> None:
    """4. D on PV default: first sample after a set-point step moves by K b dSP plus the integral step."""
    s = PidSettings(k=3.0, ti_s=60.0, td_s=15.0, b=0.4, **WIDE)
    state = warm(s, sp=50.0, pv=50.0)
    out, state, terms = step(s, state, 60.0, 50.0, 1.0)
    integral_step = 3.0 / 60.0 * 0.5 * 10.0  # trapezoid over the sample in which the step came
    assert out - 40.0 == pytest.approx(3.0 * 0.4 * 10.0 + integral_step, abs=1e-9)
    assert terms.d == 0.0


@pytest.mark.parametrize("mode", ["back-calculation", "conditional"])
@pytest.mark.parametrize(("k", "ti", "td"), [(1.0, 100.0, 0.0), (2.0, 60.0, 10.0), (0.5, 20.0, 2.0)])
def test_item_05_leaves_the_limit_at_once_after_a_long_saturation(mode: str, k: float, ti: float, td: float) -> None:
    """5. Anti-windup: 400 s at the limit, error flips: off the limit in <= 2 samples, below the middle within Ti."""
    s = PidSettings(k=k, ti_s=ti, td_s=td, anti_windup=mode)  # type: ignore[arg-type]
    pid = Pid(s, PidState(out=50.0))
    error = 30.0 / k
    for _ in range(400):
        out, terms = pid.step(50.0, 50.0 - error, 1.0)
    assert out == 100.0
    assert terms.high
    after = [pid.step(50.0, 50.0 + error, 1.0)[0] for _ in range(round(ti))]
    assert after[1] < 100.0
    assert after[-1] < 50.0


@pytest.mark.parametrize("mode", ["back-calculation", "conditional"])
def test_item_05_overshoot_after_saturation_is_at_most_1_3_times_the_linear_one(mode: str) -> None:
    """5. Overshoot <= 1.3 x linear; Tt can be set, and without anti-windup the same test fails."""
    sp, load = np.full(1500, 80.0), np.zeros(1500)

    def overshoot(s: PidSettings) -> float:
        return float(np.max(closed_loop(s, Fopdt(1.0, 100.0, 15.0, 1.0), sp, load)[0]) - 80.0)

    base = PidSettings(k=3.0, ti_s=70.0, op_low=0.0, op_high=100.0, anti_windup=mode)  # type: ignore[arg-type]
    linear = overshoot(replace(base, op_low=-1e5, op_high=1e5))
    assert linear > 5.0
    assert overshoot(base) <= 1.3 * linear
    if mode == "back-calculation":
        assert overshoot(replace(base, tt_s=5.0)) <= 1.3 * linear
        assert overshoot(replace(base, tt_s=1e9)) > 1.3 * linear


def test_item_05_a_step_that_is_dropped_is_not_corrected_for() -> None:
    """5. An integral step of several spans (short Ti, long dt) is dropped; only the excess left counts."""
    s = PidSettings(k=4.0, ti_s=3.0, gap_s=1000.0)
    state = warm(s, 50.0, 50.0, 50.0)
    out, state, terms = step(s, state, 52.0, 50.0, 200.0)
    assert out == pytest.approx(58.0)  # P only: 50 + 4 * 2
    assert terms.tracking == pytest.approx(0.0, abs=1e-9)
    assert terms.high is False


@given(error=st.floats(-40, 40), k=st.floats(0.1, 10), ti=st.floats(5, 500), manual=st.floats(20, 80))
def test_item_06_manual_to_auto_moves_by_no_more_than_one_integral_step(
    error: float, k: float, ti: float, manual: float
) -> None:
    """6. Bumpless man -> auto with nonzero error: |du| <= one I step (1e-9)."""
    s = PidSettings(k=k, ti_s=ti, td_s=ti / 8)
    state = warm(s, 50.0, 50.0 - error, manual)
    out, _, _ = step(s, state, 50.0, 50.0 - error, 1.0)
    assert abs(out - manual) <= k / ti * abs(error) + 1e-9


def test_item_07_auto_to_manual_holds_the_output_and_manual_follows() -> None:
    """7. Bumpless auto -> man: output held; the manual value is followed exactly, within limits."""
    s = PidSettings(k=2.0, ti_s=40.0, td_s=6.0)
    state = warm(s)
    for n in range(20):
        out, state, _ = step(s, state, 50.0, 48.0 + 0.1 * n, 1.0)
    held, state, _ = step(s, state, 50.0, 51.0, 1.0, track=out)
    assert held == out
    for manual, expected in ((out + 3.0, out + 3.0), (250.0, 100.0), (-5.0, 0.0)):
        now, state, terms = step(s, state, 50.0, 51.0, 1.0, track=manual)
        assert now == pytest.approx(expected)
        assert total(terms) == pytest.approx(now, abs=1e-9)


def test_item_08_ten_thousand_changes_of_tuning_make_no_bump() -> None:
    """8. Bumpless change of K, Ti, Td, N, b, c, deadband and dt while running: |du| <= one normal step."""
    rng = np.random.default_rng(8)
    state = warm(PidSettings(k=1.0, ti_s=50.0))
    pv, unexplained, jumped = 48.0, 0.0, 0.0
    for _ in range(10_000):
        s = PidSettings(
            k=float(rng.uniform(0.1, 8.0)),
            ti_s=float(rng.choice([math.inf, 10.0 ** rng.uniform(0.5, 3)])),
            td_s=float(rng.choice([0.0, rng.uniform(0.1, 40.0)])),
            n=float(rng.uniform(2, 20)),
            b=float(rng.uniform()),
            c=float(rng.uniform()),
            deadband=float(rng.choice([0.0, 0.5])),
        )
        pv = 50.0 + 0.95 * (pv - 50.0) + float(rng.normal(0, 0.2))
        dt_s = float(rng.uniform(0.5, 2.0))
        before = state
        out, state, _ = step(s, state, 50.0, pv, dt_s)
        unexplained = max(unexplained, abs(out - before.out) - normal_step(s, before, state, dt_s))
        jumped = max(jumped, abs(s.gain * (s.b * 50.0 - pv) - before.p))
    assert unexplained <= 0.0
    assert jumped > 100.0  # what a controller without the correction would have done


def test_item_10_output_limits_are_absolute_asymmetric_and_can_be_moved_live() -> None:
    """10. Narrowing brings the output in at once and leaves no wind-up behind; widening makes no jump."""
    for mode in ("back-calculation", "conditional"):
        s = PidSettings(k=1.0, ti_s=40.0, op_low=-20.0, op_high=90.0, anti_windup=mode)  # type: ignore[arg-type]
        pid = Pid(s, PidState(out=50.0))
        for _ in range(200):
            out, _ = pid.step(50.0, 30.0, 1.0)
        assert out == 90.0
        pid.settings = replace(s, op_high=60.0)
        out, terms = pid.step(50.0, 30.0, 1.0)
        assert out == 60.0
        assert terms.high
        assert pid.step(50.0, 51.0, 1.0)[0] < 60.0  # the error flips: off the new limit within one sample
        for _ in range(200):
            out, _ = pid.step(50.0, 30.0, 1.0)
        pid.settings = s
        after, _ = pid.step(50.0, 30.0, 1.0)
        assert out == 60.0
        assert 60.0 < after <= 60.0 + 20.0 / 40.0 + 1e-9
        for _ in range(400):
            out, terms = pid.step(50.0, 80.0, 1.0)
        assert out == -20.0
        assert terms.low


def test_item_11_rate_limits_up_and_down_are_separate_and_anti_windup_sees_them() -> None:
    """11. Rate limits up / down; the integral follows the rate-limited value (position form)."""
    s = PidSettings(k=2.0, ti_s=30.0, op_rate_up_per_s=0.5, op_rate_down_per_s=2.0)
    pid = Pid(s, PidState(out=50.0))
    outs = [50.0]
    flags = []
    for n in range(200):
        out, terms = pid.step(50.0 if n < 100 else 20.0, 40.0, 1.0)
        outs.append(out)
        flags.append(terms.rate)
    moves = np.diff(outs)
    assert np.max(moves) == pytest.approx(0.5)
    assert np.min(moves) == pytest.approx(-2.0)
    assert any(flags)

    def overshoot(settings_: PidSettings) -> float:
        pv, _ = closed_loop(settings_, Fopdt(1.0, 30.0, 5.0, 1.0), np.full(900, 60.0), np.zeros(900))
        return float(np.max(pv)) - 60.0

    slow = PidSettings(k=3.0, ti_s=25.0, op_rate_up_per_s=0.4, op_rate_down_per_s=0.4)
    assert overshoot(slow) < 0.5 * overshoot(replace(slow, tt_s=1e9))


def pinned_cascade(*, protected: bool, valve_high: float) -> float:
    """Overshoot of the outer PV after the inner valve was needed beyond its limit for an hour."""
    outer = PidSettings(k=1.5, ti_s=70.0, op_low=0.0, op_high=200.0)
    inner = PidSettings(k=2.0, ti_s=10.0, op_low=-500.0, op_high=valve_high)
    inner_plant, outer_plant = Fopdt(1.0, 10.0, 0.0, 1.0), Fopdt(1.0, 60.0, 5.0, 1.0)
    a, b = Pid(outer), Pid(inner)
    x = y = 0.0
    a.step(0.0, 0.0, 1.0, track=0.0)
    b.step(0.0, 0.0, 1.0, track=0.0)
    high, worst = False, 0.0
    for n in range(6000):
        load = -60.0 if 300 <= n < 3900 else 0.0
        sp_in, _ = a.step(50.0, y, 1.0, block_up=protected and high)
        valve, terms = b.step(sp_in, x, 1.0)
        high = terms.high
        x = inner_plant.step(valve, load)
        y = outer_plant.step(x)
        if n >= 3900:
            worst = max(worst, y - 50.0)
    return worst


def test_item_12_a_pinned_secondary_does_not_wind_up_the_primary() -> None:
    """12. External reset: secondary pinned for 1 h, recovery overshoot <= 1.1 x the unpinned one; override select."""
    linear = pinned_cascade(protected=True, valve_high=500.0)
    assert linear > 1.0
    assert pinned_cascade(protected=True, valve_high=100.0) <= 1.1 * linear
    assert pinned_cascade(protected=False, valve_high=100.0) > 1.1 * linear

    # override by a low selector: for an hour the other controller's 30 passes, ours must stay near it
    s = PidSettings(k=1.0, ti_s=60.0)
    pid = Pid(s, PidState(out=30.0))
    for _ in range(3600):
        out, _ = pid.step(50.0, 45.0, 1.0, applied=30.0)
    assert 30.0 < out <= 30.0 + 5.0 + 1e-6  # K e Tt/Ti above the selected value, no more
    assert pid.step(50.0, 56.0, 1.0, applied=30.0)[0] < 30.0  # takes over within one sample when it wants less

    conditional = replace(s, anti_windup="conditional")
    pid = Pid(conditional, warm(conditional, 50.0, 45.0, 40.0))
    for _ in range(3600):
        out, _ = pid.step(50.0, 45.0, 1.0, applied=30.0)
    assert out == pytest.approx(40.0, abs=1e-9)  # it asks for more than passes: it does not integrate further up


def test_item_14_feedforward_acts_before_the_limits_and_stays_out_of_the_integral() -> None:
    """14. FF before limiting, not in I; bumpless on and off; a NaN keeps the last value."""
    s = PidSettings(k=1.0, ti_s=50.0)
    state = warm(s, 50.0, 50.0, 40.0)
    out, state, _ = step(s, state, 50.0, 50.0, 1.0, feedforward=12.0)
    assert out == pytest.approx(40.0, abs=1e-9)
    integral = state.i
    for ff, expected in ((15.0, 43.0), (2.0, 30.0), (math.nan, 30.0), (1e308, 30.0), (100.0, 100.0), (12.0, 40.0)):
        out, state, terms = step(s, state, 50.0, 50.0, 1.0, feedforward=ff)
        assert out == pytest.approx(expected, abs=1e-9)
        assert not terms.held  # a broken feed-forward is no reason to stop controlling
        assert total(terms) == pytest.approx(out, abs=1e-9)
        if ff != 100.0:
            assert state.i == pytest.approx(integral, abs=1e-12)
        else:
            assert terms.high
            state = state._replace(i=integral, i_low=0.0)  # at the limit anti-windup rightly acted
    out, state, _ = step(s, state, 50.0, 50.0, 1.0, feedforward=None)
    assert out == pytest.approx(40.0, abs=1e-9)


def iae_with_times(dts: np.ndarray) -> float:
    """IAE of a load answer when the controller runs at these intervals and the plant every 0.1 s."""
    s = PidSettings(k=2.5, ti_s=35.0, td_s=6.0, n=8.0, **WIDE)
    plant = Fopdt(1.0, 60.0, 10.0, 0.1)
    _, state, _ = step(s, PidState(), 0.0, 0.0, 1.0, track=0.0)
    iae = out = 0.0
    for dt_s in dts:
        fine = round(float(dt_s) / 0.1)
        for _ in range(fine):
            iae += abs(plant.step(out, 10.0)) * 0.1
        out, state, _ = step(s, state, 0.0, plant.y, fine * 0.1)
    return iae


def test_item_15_uneven_sampling_costs_less_than_five_percent_and_a_gap_is_not_integrated() -> None:
    """15. dt jitter +-50 %, 10 % missing: IAE within 5 %; dt <= 0 refused; after a long gap the output is held."""
    rng = np.random.default_rng(15)
    even = iae_with_times(np.ones(600))
    times = np.cumsum(1.0 + rng.uniform(-0.25, 0.25, 600))  # intervals between 0.5 and 1.5 s
    times = np.round(times[rng.uniform(size=600) > 0.1], 1)
    uneven = iae_with_times(np.diff(times, prepend=0.0)[np.diff(times, prepend=0.0) > 0.05])
    assert uneven == pytest.approx(even, rel=0.05)

    s = PidSettings(k=2.0, ti_s=20.0, td_s=3.0)
    state = warm(s)
    for dt_s in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="dt_s"):
            step(s, state, 50.0, 48.0, dt_s)
    for _ in range(5):
        out, state, terms = step(s, state, 50.0, 48.0, 1.0)
        assert not terms.restarted
    held, state, terms = step(s, state, 50.0, 45.0, 3600.0)
    assert held == out
    assert terms.restarted
    out, state, _ = step(s, state, 50.0, 45.0, 1.0)
    assert abs(out - held) <= 2.0 / 20.0 * 5.0 + 1e-9
    slower = PidSettings(k=2.0, ti_s=20.0, gap_s=10.0)
    assert step(slower, warm(slower), 50.0, 48.0, 9.0)[2].restarted is False
    assert step(slower, warm(slower), 50.0, 48.0, 11.0)[2].restarted is True
    state, restarts = warm(s), 0
    for _ in range(30):  # a slower rhythm that stays is taken for the new usual one
        _, state, terms = step(s, state, 50.0, 48.0, 20.0)
        restarts += terms.restarted
    assert 1 <= restarts <= 5


def test_item_16_the_integral_is_exact_and_the_derivative_never_rings() -> None:
    """16. I exact; with Td/N = dt/10 the D answer to a PV step has no sign alternation."""
    s = PidSettings(k=2.0, ti_s=40.0, td_s=1.0, n=10.0, **WIDE)
    state = warm(PidSettings(k=2.0, ti_s=40.0, td_s=1.0, n=10.0, **WIDE), 0.0, 0.0, 0.0)
    ds = []
    for n in range(6):
        _, state, terms = step(s, state, 0.0, 1.0, 1.0)
        ds.append(terms.d)
        assert terms.i == pytest.approx(-2.0 / 40.0 * (n + 0.5), abs=1e-12)
    assert ds[0] < -1.9
    assert all(a <= b <= 0.0 for a, b in pairwise(ds))

    pi = PidSettings(k=2.0, ti_s=40.0, **WIDE)
    state = warm(pi, 0.0, 0.0, 0.0)
    t = 0.0
    for dt_s in (0.3, 1.0, 2.5, 0.7, 1.4):  # a ramp of the error has an exact integral at any spacing
        t += dt_s
        _, state, terms = step(pi, state, 0.0, -3.0 * t, dt_s)
        assert terms.i == pytest.approx(2.0 / 40.0 * 3.0 * t * t / 2.0, rel=1e-12)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1e308, -1e308, 1e30])
@pytest.mark.parametrize("spoilt", ["pv", "sp"])
def test_item_17_a_poisoned_sample_holds_the_output_and_does_no_harm(poison: float, spoilt: str) -> None:
    """17. NaN / inf / absurd: output held, flagged, I frozen; back within one good sample."""
    s = PidSettings(k=3.0, ti_s=20.0, td_s=5.0)
    state = warm(s)
    for _ in range(10):
        out, state, _ = step(s, state, 50.0, 48.0, 1.0)
    integral = state.i
    for _ in range(3):
        pv, sp = (poison, 50.0) if spoilt == "pv" else (48.0, poison)
        held, state, terms = step(s, state, sp, pv, 1.0)
        assert (held, state.i, terms.held) == (out, integral, True)
        assert total(terms) == pytest.approx(held, abs=1e-9)
    again, state, terms = step(s, state, 50.0, 48.0, 1.0)
    assert not terms.held
    assert 0.0 < abs(again - out) <= 3.0 / 20.0 * 2.0 + 1e-9


@pytest.mark.parametrize("wild", [1e6, -1e6, 5e-324])
def test_item_17_one_wild_but_finite_sample_does_not_empty_the_integral(wild: float) -> None:
    """17. A single absurd GOOD value moves a PI's integral by a few samples' worth, not for ever."""
    s = PidSettings(k=3.0, ti_s=100.0)
    state = warm(s, 50.0, 50.0, 40.0)
    _, state, _ = step(s, state, 50.0, wild, 1.0)
    for _ in range(2):
        out, state, _ = step(s, state, 50.0, 50.0, 1.0)
    assert abs(out - 40.0) < 10.0


def test_item_17_recovers_without_bump_after_a_short_and_a_long_outage() -> None:
    """17. After a short outage the PV's own movement counts; after a long one the output goes on where it was held."""
    s = PidSettings(k=3.0, ti_s=20.0)
    for bad_samples, new_pv in ((3, 48.0), (3, 48.5), (60, 20.0)):
        pid = Pid(s, warm(s))
        for _ in range(10):
            out, _ = pid.step(50.0, 48.0, 1.0)
        for _ in range(bad_samples):
            assert pid.step(50.0, math.nan, 1.0)[0] == out
        again, terms = pid.step(50.0, new_pv, 1.0)
        moved = 3.0 * abs(new_pv - 48.0) if bad_samples < 5 else 0.0
        assert abs(again - out) <= moved + 3.0 / 20.0 * abs(50.0 - new_pv) + 1e-9
        assert terms.restarted is (bad_samples > 5)
    first = PidState(out=33.0)
    assert step(s, first, 50.0, math.nan, 1.0)[0] == 33.0
    assert step(s, first, 50.0, math.nan, 1.0, track=44.0)[0] == 44.0  # manual works without a PV


def test_item_17_an_output_led_without_a_pv_is_where_control_goes_on_from() -> None:
    """17. Saturated P controller, PV lost, output moved by hand meanwhile: no jump back with the first good sample."""
    s = PidSettings(k=6.0, ti_s=math.inf)
    state = warm(s, 50.0, 48.0, 40.0)
    for _ in range(3):
        out, state, _ = step(s, state, 50.0, 70.0, 1.0)
    assert out == 0.0
    moved, state, _ = step(s, state, 50.0, math.nan, 1.0, track=42.0)
    out, state, _ = step(s, state, 50.0, 70.0, 1.0)
    assert out == pytest.approx(moved, abs=1e-9)


def test_item_19_action_is_explicit_and_a_wrong_sign_is_refused_with_a_message() -> None:
    """19. Direct / reverse explicit, K < 0 allowed; wrong sign found by a step test and refused."""
    direct, negative = PidSettings(k=2.0, ti_s=30, td_s=4, action="direct"), PidSettings(k=-2.0, ti_s=30, td_s=4)
    a, b = warm(direct), warm(negative)
    for pv in (48.0, 51.0, 53.5, 49.0):
        out_a, a, _ = step(direct, a, 50.0, pv, 1.0)
        out_b, b, _ = step(negative, b, 50.0, pv, 1.0)
        assert out_a == out_b
    assert refuse_wrong_sign(PidSettings(k=4.0, action="direct"), 10.0, -1.1, 0.1) is None
    message = refuse_wrong_sign(PidSettings(k=4.0, action="reverse"), 10.0, -1.1, 0.1)
    assert message is not None
    assert "wrong sign" in message
    assert "accepted: action direct" in message
    assert refuse_wrong_sign(PidSettings(k=-4.0), 10.0, -1.1, 0.1) is None
    for op_change, pv_change, noise in ((0.0, 1.0, 0.1), (10.0, 0.1, 0.2), (10.0, math.nan, 0.2), (10.0, 0.0, 0.0)):
        assert "says nothing" in str(refuse_wrong_sign(PidSettings(k=4.0), op_change, pv_change, noise))


def test_item_20_without_integral_the_bias_stays_and_without_derivative_it_is_a_pi() -> None:
    """20. Ti = inf: no division, the bias keeps the last output; Td = 0: bit-identical PI."""
    p_only = PidSettings(k=2.0, ti_s=math.inf)
    state = warm(p_only, 50.0, 48.0, 40.0)
    assert step(p_only, state, 50.0, 48.0, 1.0)[0] == pytest.approx(40.0, abs=1e-12)
    for _ in range(500):
        out, state, _ = step(p_only, state, 50.0, 10.0, 1.0)  # saturated: the bias must not be eaten
    assert out == 100.0
    out, state, _ = step(p_only, state, 50.0, 48.0, 1.0)
    assert out == pytest.approx(40.0, abs=1e-9)
    rng = np.random.default_rng(20)
    a = b = warm(PidSettings(k=2.0, ti_s=30.0))
    textbook, last = a.i, 2.0
    for pv in rng.normal(49.5, 1.0, 500):
        out_a, a, _ = step(PidSettings(k=2.0, ti_s=30.0, td_s=0.0, n=3.0, c=1.0), a, 50.0, float(pv), 1.0)
        out_b, b, _ = step(PidSettings(k=2.0, ti_s=30.0, n=20.0), b, 50.0, float(pv), 1.0)
        error = 50.0 - float(pv)
        textbook += 2.0 / 30.0 * 0.5 * (error + last)
        last = error
        assert out_a == out_b
        assert out_a == pytest.approx(2.0 * error + textbook, abs=1e-9)


def test_item_21_inside_the_deadband_the_output_is_quiet_and_there_is_no_limit_cycle() -> None:
    """21. Gap: integral quiet inside the band; quantised PV settles to a constant output."""

    def last_outputs(deadband: float) -> np.ndarray:
        s = PidSettings(k=1.5, ti_s=30.0, deadband=deadband)
        plant, state = Fopdt(1.0, 40.0, 8.0, 1.0), PidState()
        _, state, _ = step(s, state, 0.0, 0.0, 1.0, track=0.0)
        outs = []
        for n in range(3000):
            pv = round(plant.y + 0.02 * math.sin(2.3 * n))  # whole units only
            out, state, _ = step(s, state, 50.3, float(pv), 1.0)
            plant.step(out)
            outs.append(out)
        return np.array(outs[-1000:])

    assert np.ptp(last_outputs(1.0)) == 0.0
    assert np.ptp(last_outputs(0.0)) > 0.5
    s = PidSettings(k=1.5, ti_s=30.0, deadband=1.0)
    edge = warm(s, 50.0, 49.0)  # continuous at the edge: no jump of K * deadband
    out, edge, _ = step(s, edge, 50.0, 48.999, 1.0)
    assert abs(out - 40.0) < 0.01


def test_item_22_deterministic_and_can_be_saved_and_restored_mid_run() -> None:
    """22. Same inputs, bit-identical outputs; state through JSON and back continues the same (1e-12, in fact 0)."""
    s = PidSettings(k=2.0, ti_s=30.0, td_s=5.0, op_rate_up_per_s=1.0, op_low=0.0, op_high=60.0)
    rng = np.random.default_rng(22)
    pvs = [float(x) for x in rng.normal(50.0, 3.0, 400)]

    def run(stop_at: int | None) -> list[float]:
        pid, outs = Pid(s), []
        for n, pv in enumerate(pvs):
            if n == stop_at:
                pid = Pid(s, PidState.from_dict(json.loads(json.dumps(pid.state.to_dict(), allow_nan=False))))
            outs.append(pid.step(50.0, pv if n % 50 else math.nan, 1.0, feedforward=None if n < 99 else 5.0)[0])
        return outs

    straight = run(None)
    assert straight == run(None)
    for stop_at in (1, 50, 51, 200):
        assert run(stop_at) == straight
    assert PidState.from_dict(PidState().to_dict()).out == 0.0
    for spoiled in ({}, {**PidState().to_dict(), "i": "x"}, {**PidState().to_dict(), "i": math.nan}):
        with pytest.raises(ValueError, match="saved PID state"):
            PidState.from_dict(spoiled)


def test_item_23_thirty_days_of_a_tiny_error_leave_no_drift() -> None:
    """23. 30 days at 1 s: the integral is off by < 1e-6; in fact < 1e-12, where a plain sum is off by > 1e-10."""
    s = PidSettings(k=1.0, ti_s=1000.0)
    state = warm(s, 50.0, 50.0, 50.0)
    error = 1e-9
    samples, plain = 30 * 86_400, state.i
    for _ in range(samples):
        _, state, _ = step(s, state, 50.0, 50.0 - error, 1.0)
        plain += s.ki * error
    grown = (50.0 - (50.0 - error)) * (samples - 0.5) / 1000.0  # the first trapezoid starts at zero error
    assert abs((state.i - 50.0) - grown) < 1e-12
    assert abs((plain - 50.0) - error * samples / 1000.0) > 1e-10


def test_item_24_units_are_explicit() -> None:
    """24. K in engineering units and % span; Ti in s; import from other notations, never 1/min silently."""
    k = 0.9  # % of output per °C, output 0..100 %, PV 20..190 °C
    assert forms.gain_in_percent_span(k, 170.0, 100.0) == pytest.approx(1.53)
    assert forms.gain_from_percent_span(1.53, 170.0, 100.0) == pytest.approx(k)
    assert forms.gain_from_proportional_band(50.0, 170.0, 100.0) == pytest.approx(2.0 * 100 / 170)
    assert forms.ti_s_from_minutes(1.5) == 90.0
    assert forms.ti_s_from_repeats_per_minute(0.5) == 120.0
    assert forms.ti_s_from_repeats_per_minute(0.0) == math.inf
    gains, action = forms.from_pid_compact(
        gain=2.0, ti_s=60.0, td_s=12.0, td_filt_ratio=0.2, p_weighting=0.8, d_weighting=0.0, invert_control=True
    )
    assert (gains.n, gains.b, action) == (pytest.approx(5.0), 0.8, "direct")
    beckhoff = forms.from_fb_ctrl_pid(kp=2.0, tn_s=60.0, tv_s=12.0, td_s=1.5, d_in_feedback_path=True)
    assert (beckhoff.n, beckhoff.b, beckhoff.c) == (pytest.approx(8.0), 1.0, 0.0)
    assert forms.from_fb_ctrl_pid(kp=2.0, tn_s=0.0, tv_s=0.0, td_s=0.0).ti_s == math.inf
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="accepted"):
            forms.ti_s_from_minutes(bad)
        with pytest.raises(ValueError, match="accepted"):
            forms.gain_in_percent_span(1.0, bad, 100.0)


@settings(deadline=None)
@given(data=st.data())
def test_item_25_terms_sum_to_the_output_and_flags_are_true(data: st.DataObject) -> None:
    """25. P + I + D + FF + tracking = output (1e-9); flags high / low / rate say what holds it."""
    number = st.floats(-1e3, 1e3)
    odd = st.sampled_from([math.nan, math.inf, -math.inf])
    state = PidState(out=data.draw(st.floats(0, 100)))
    for _ in range(25):
        s = data.draw(some_settings())
        before = state
        out, state, terms = step(
            s,
            state,
            data.draw(number),
            data.draw(number | odd),
            data.draw(st.floats(0.01, 30.0)),
            feedforward=data.draw(st.none() | number | odd),
            track=data.draw(st.none() | number | odd),
            applied=data.draw(st.none() | number | odd),
            block_up=data.draw(st.booleans()),
            block_down=data.draw(st.booleans()),
        )
        assert math.isfinite(out)
        assert total(terms) == pytest.approx(out, abs=1e-9 * (1 + abs(terms.p) + abs(terms.i) + abs(terms.d)))
        inside_before = s.op_low <= before.out <= s.op_high
        assert s.op_low <= out <= s.op_high or not inside_before
        assert sum((terms.high, terms.low, terms.rate)) <= 1
        assert not terms.high or out == s.op_high
        assert not terms.low or out == s.op_low


@st.composite
def some_settings(draw: st.DrawFn) -> PidSettings:
    low = draw(st.floats(-50, 50))
    return PidSettings(
        k=draw(st.floats(-20, 20).filter(lambda k: abs(k) > 1e-3)),
        ti_s=draw(st.sampled_from([0.5, 10.0, 300.0, math.inf])),
        td_s=draw(st.sampled_from([0.0, 0.2, 30.0])),
        n=draw(st.floats(0.5, 50)),
        b=draw(st.floats(0, 1)),
        c=draw(st.floats(0, 1)),
        op_low=low,
        op_high=low + draw(st.floats(1, 100)),
        op_rate_up_per_s=draw(st.sampled_from([0.1, 5.0, math.inf])),
        op_rate_down_per_s=draw(st.sampled_from([0.1, 5.0, math.inf])),
        tt_s=draw(st.sampled_from([None, 0.0, 1.0, 100.0])),
        deadband=draw(st.sampled_from([0.0, 1.0])),
        anti_windup=draw(st.sampled_from(["back-calculation", "conditional"])),
    )


def test_item_28_a_step_makes_few_calls() -> None:
    """28. Speed, in a form that does not depend on the machine: calls per step. For us see tests/benchmarks/pid.py."""
    s = PidSettings(k=4, ti_s=150, td_s=20, n=5, b=0.5, op_low=0, op_high=185, op_rate_up_per_s=0.5)
    state = warm(s)
    calls = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        step(s, state, 50.0, 10.0, 1.0, feedforward=3.0)  # the longest way: rate-limited, derivative, feed-forward
    finally:
        sys.setprofile(None)
    assert 5 < calls <= 30


GAIN_SETS = [
    (k, ti, td, n, b, c)
    for (k, ti), (td, n), (b, c) in zip(
        [(0.3, 5.0), (1.0, 20.0), (2.5, 60.0), (-1.5, 30.0), (8.0, 400.0)] * 4,
        [(0.0, 8.0)] * 2
        + [(2.0, 5.0), (10.0, 8.0), (30.0, 20.0), (4.0, 2.0), (1.0, 100.0), (15.0, 3.0), (6.0, 12.0)] * 2
        + [(50.0, 10.0)] * 4,
        [(1.0, 0.0), (0.0, 0.0), (0.5, 1.0), (1.0, 1.0)] * 5,
        strict=True,
    )
]


@pytest.mark.parametrize("gains", GAIN_SETS)
def test_item_29_equals_the_continuous_controller(gains: tuple[float, ...]) -> None:
    """29. 2-DOF; equal to scipy's exact response of the *continuous* controller to the same piecewise linear input."""
    k, ti, td, n, b, c = gains
    rng = np.random.default_rng(29)
    t = np.arange(400) * 0.5
    r = np.cumsum(rng.normal(0, 0.5, 400)) * (np.arange(400) > 0)
    y = np.cumsum(rng.normal(0, 0.5, 400)) * (np.arange(400) > 0)
    r[0] = y[0] = 0.0
    tf = td / n if td > 0 else 1.0
    lti = signal.StateSpace(
        [[0.0, 0.0], [0.0, -1.0 / tf]],
        [[1.0, -1.0], [c / tf, -1.0 / tf]],
        [[k / ti, -k * td / tf]],
        [[k * b + k * td / tf * c, -k - k * td / tf]],
    )
    _, expected, _ = signal.lsim(lti, np.column_stack([r, y]), t, interp=True)
    s = PidSettings(k=k, ti_s=ti, td_s=td, n=n, b=b, c=c, **WIDE)
    pid = Pid(s)
    got = np.array([pid.step(float(r[i]), float(y[i]), 0.5, track=0.0 if i == 0 else None)[0] for i in range(400)])
    assert np.max(np.abs(expected)) > 1.0
    assert np.max(np.abs(got - expected)) < 1e-6


def test_item_29_the_closed_loop_converges_to_the_continuous_one() -> None:
    """29. Set-point answer of the sampled loop goes to scipy's continuous loop as dt goes to 0."""
    k, ti, td, n, b = 2.0, 30.0, 5.0, 8.0, 0.6
    tf = td / n
    # plant x1' = (u - x1)/40; controller states x2 = int(r - y), x3 = filtered y
    a = np.array([[0.0] * 3, [-1.0, 0.0, 0.0], [1 / tf, 0.0, -1 / tf]])
    u_row = np.array([-k - k * td / tf, k / ti, k * td / tf])
    a[0] = (u_row - np.array([1.0, 0.0, 0.0])) / 40.0
    loop = signal.StateSpace(a, [[k * b / 40.0], [1.0], [0.0]], [[1.0, 0.0, 0.0]], [[0.0]])
    errors = []
    for dt_s in (0.4, 0.2, 0.1):
        count = round(150 / dt_s)
        _, expected = signal.step(loop, T=np.arange(count + 1) * dt_s)
        s = PidSettings(k=k, ti_s=ti, td_s=td, n=n, b=b, **WIDE)
        pv, _ = closed_loop(s, Fopdt(1.0, 40.0, 0.0, dt_s), np.ones(count + 1), np.zeros(count + 1), dt_s)
        errors.append(float(np.max(np.abs(pv - expected))))
    assert errors[0] < 0.02
    assert errors[0] / errors[2] > 3.0  # first order in dt
