"""Rules, margins, optimum and notations against published values and against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuning_plants import Rational, literature

from linecontrol.control.forms import (
    IsaGains,
    ParallelGains,
    SeriesGains,
    from_fb_ctrl_pid,
    from_pid_compact,
    parallel_to_isa,
    series_to_isa,
)
from linecontrol.control.pid import Pid, PidSettings, PidState
from linecontrol.control.tuning import (
    RULES,
    Limits,
    Process,
    Tuning,
    best_gains,
    first_order_of,
    from_codesys,
    half_rule,
    judged,
    load_iae,
    load_response,
    margins,
    noise_gain,
    notations,
    predict_setpoint,
    response,
    setpoint_response,
    step_response,
    tune,
)
from linecontrol.control.tuning.grain import swing
from linecontrol.control.tuning.moves import Kind
from linecontrol.control.tuning.plan import TestPlan
from linecontrol.control.tuning.rules import amigo_pi, amigo_pid, isimc_pi, lambda_pi, simc_pi, simc_pid

TIMES = st.floats(0.05, 50.0)
PROCESSES = st.builds(
    lambda gain, sign, t1, share, delay, integrating: Process(sign * gain, t1, delay, share * t1, 0.0, integrating),
    st.floats(0.01, 100.0),
    st.sampled_from([-1.0, 1.0]),
    TIMES,
    st.sampled_from([0.0, 0.4, 1.0]),
    TIMES,
    st.booleans(),
)


@pytest.mark.parametrize(
    ("plant", "published", "tolerance"),
    [
        (Rational("1/(s+1)^4", (1.0,) * 4), (1.12, 2.40, 0.619), 0.01),
        (Rational("e^-s/(0.05s+1)^2", (0.05, 0.05), 1.0), (0.242, 0.474, 0.119), 0.01),
        (Rational("four lags, 0.1", (1.0, 0.1, 0.01, 0.001)), (6.44, 0.361, 0.0367), 0.02),
    ],
)
def test_amigo_gives_the_published_gains(
    plant: Rational, published: tuple[float, float, float], tolerance: float
) -> None:
    t = np.linspace(0.0, 20.0 * plant.scale_s, 20000)
    gains = amigo_pid(first_order_of(t, plant.step_response(t)))
    assert (gains.k, gains.ti_s, gains.td_s) == pytest.approx(published, rel=tolerance)


def test_first_order_of_four_lags_is_the_published_one() -> None:
    t = np.linspace(0.0, 40.0, 20000)
    small = first_order_of(t, Rational("", (1.0,) * 4).step_response(t))
    assert small.delay_s == pytest.approx(1.425, abs=0.005)
    assert small.t1_s == pytest.approx(2.927, abs=0.01)


def test_simc_on_a_first_order_process_has_its_known_margins() -> None:
    found = margins(Process(2.0, 3.0, 1.0), simc_pi(Process(2.0, 3.0, 1.0)))
    # G C = e^(-s)/(2 s): the gain margin is pi exactly, the phase margin 90 - 28.65 degrees.
    assert found.ms == pytest.approx(1.59, abs=0.005)
    assert found.gain_margin == pytest.approx(math.pi, rel=1e-3)
    assert found.phase_margin_deg == pytest.approx(61.35, abs=0.05)
    assert found.delay_margin_s == pytest.approx(math.radians(61.35) / 0.5, rel=1e-3)


def test_simc_on_an_integrating_process_has_its_known_margins() -> None:
    process = Process(0.5, 0.0, 2.0, integrating=True)
    found = margins(process, simc_pi(process))
    assert found.ms == pytest.approx(1.70, abs=0.01)
    assert found.phase_margin_deg == pytest.approx(46.9, abs=0.3)
    assert found.gain_margin == pytest.approx(2.96, abs=0.02)


def test_rules_as_their_authors_wrote_them() -> None:
    lag = Process(2.0, 8.0, 1.0)
    assert (simc_pi(lag).k, simc_pi(lag).ti_s) == pytest.approx((2.0, 8.0))
    assert (isimc_pi(lag).k, isimc_pi(lag).ti_s) == pytest.approx(((8.0 + 1.0 / 3.0) / 4.0, 8.0))
    assert (lambda_pi(lag).k, lambda_pi(lag).ti_s) == pytest.approx((8.0 / 18.0, 8.0))
    assert (amigo_pi(Process(0.5, 0.0, 2.0, integrating=True)).k) == pytest.approx(0.35)
    two = simc_pid(Process(1.0, 6.0, 1.0, 2.0))  # series K 3, Ti 6, Td 2
    assert (two.k, two.ti_s, two.td_s) == pytest.approx((4.0, 8.0, 1.5))
    reduced = half_rule(Process(1.0, 6.0, 1.0, 2.0))
    assert (reduced.t1_s, reduced.delay_s) == pytest.approx((7.0, 2.0))


@settings(deadline=None)
@given(PROCESSES)
def test_no_rule_gives_a_gain_of_the_wrong_sign_or_none(process: Process) -> None:
    for rule in RULES:
        try:
            gains = rule.gains(process)
        except ValueError:
            assert rule.name == "SIMC PID"  # which needs a second lag
            continue
        assert math.isfinite(gains.k)
        assert gains.k * process.gain > 0.0
        assert 0.0 < gains.ti_s < math.inf
        assert margins(process, gains, points=800).stable or rule.name == "SIMC PID"


@settings(max_examples=12, deadline=None)
@given(PROCESSES, st.sampled_from(["pi", "pid"]))
def test_optimal_gains_keep_their_limits(process: Process, structure: str) -> None:
    gains = best_gains([process], Limits(1.5, 1.5), structure=structure)
    assert gains.k * process.gain > 0.0
    assert margins(process, gains).worst <= 1.5 * 1.01


@pytest.mark.parametrize("process", [Process(1.0, 2.0, 1.0), Process(-2.0, 10.0, 2.0, 5.0), Process(1.0, 1.0, 8.0)])
def test_no_gains_near_the_optimum_are_better(process: Process) -> None:
    limits = Limits(1.5, 1.5)
    best = best_gains([process], limits)
    here = load_iae(process, best)
    for k in (0.95, 1.0, 1.05):
        for ti in (0.9, 1.0, 1.1):
            for td in (0.8, 1.0, 1.2):
                other = IsaGains(best.k * k, best.ti_s * ti, best.td_s * td, best.n)
                if margins(process, other).worst <= 1.5:
                    assert load_iae(process, other) >= here * 0.995


def test_optimal_gains_hold_on_a_whole_set() -> None:
    plants = [Process(g, 10.0, d) for g in (1.0, 0.8, 1.3) for d in (3.0, 2.0, 4.5)]
    gains = best_gains(plants, Limits(1.4, 1.6))
    assert margins(plants[0], gains).worst <= 1.4 * 1.01
    assert max(margins(plant, gains).worst for plant in plants) <= 1.6 * 1.01
    free = best_gains(plants[:1], Limits(1.4, 1.6))
    assert load_iae(plants[0], free) <= load_iae(plants[0], gains)


def test_gains_of_two_signs_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in sign"):
        best_gains([Process(1.0, 1.0, 1.0), Process(-1.0, 1.0, 1.0)])


def test_wrong_sign_and_too_large_gains_are_unstable() -> None:
    process = Process(1.0, 5.0, 1.0)
    assert not margins(process, IsaGains(-1.0, 5.0)).stable
    assert not margins(process, IsaGains(30.0, 5.0)).stable
    assert judged("theirs", IsaGains(30.0, 5.0), process).iae == math.inf


@pytest.mark.parametrize("plant", literature(), ids=lambda plant: plant.name)
def test_the_gain_margin_is_where_the_loop_becomes_unstable(plant: Rational) -> None:
    gains = best_gains([plant], Limits(1.5, 1.5), structure="pi")
    edge = margins(plant, gains).gain_margin
    assert margins(plant, IsaGains(gains.k * edge * 0.98, gains.ti_s)).stable
    assert not margins(plant, IsaGains(gains.k * edge * 1.02, gains.ti_s)).stable


def test_responses_are_those_of_the_products_own_pid() -> None:
    process, gains = Process(2.0, 20.0, 6.0), IsaGains(0.6, 15.0, 2.5, 8.0, 0.7)
    dt = 0.1
    times = np.arange(0.0, 150.0, dt)
    for kind in ("load", "set point"):
        pid = Pid(PidSettings(k=0.6, ti_s=15.0, td_s=2.5, n=8.0, b=0.7, op_low=-1e6, op_high=1e6), PidState())
        pid.step(0.0, 0.0, dt, track=0.0)
        x, pipe, seen = 0.0, [0.0] * round(6.0 / dt), []
        keep = math.exp(-dt / 20.0)
        for _ in times:
            seen.append(x)
            u, _ = pid.step(0.0 if kind == "load" else 1.0, x, dt)
            pipe.append(u + (1.0 if kind == "load" else 0.0))
            x = keep * x + (1.0 - keep) * 2.0 * pipe.pop(0)
        predict = load_response if kind == "load" else setpoint_response
        told = predict(process, gains, span_s=150.0, period_s=dt)
        assert np.max(np.abs(np.interp(times, told.t_s, told.pv) - seen)) < 0.02 * np.max(np.abs(seen))
        if kind == "load":
            assert load_iae(process, gains) == pytest.approx(float(np.sum(np.abs(seen)) * dt), rel=0.02)


def test_noise_in_the_output_is_what_is_predicted() -> None:
    process, dt = Process(1.0, 20.0, 5.0), 1.0
    rng = np.random.default_rng(3)
    pid = Pid(PidSettings(k=1.0, ti_s=20.0, td_s=2.0, n=4.0, op_low=-1e6, op_high=1e6), PidState())
    pid.step(0.0, 0.0, dt, track=0.0)
    x, pipe, seen, keep = 0.0, [0.0] * 5, [], math.exp(-dt / 20.0)
    for _ in range(4000):
        u, _ = pid.step(0.0, x + rng.normal(), dt)
        seen.append(u)
        pipe.append(u)
        x = keep * x + (1.0 - keep) * pipe.pop(0)
    told = noise_gain(process, IsaGains(1.0, 20.0, 2.0, 4.0), dt)
    assert float(np.std(seen)) == pytest.approx(told, rel=0.3)


@settings(deadline=None)
@given(
    st.floats(0.001, 1e3),
    st.sampled_from([-1.0, 1.0]),
    st.floats(0.1, 1e4),
    st.sampled_from([0.0, 0.01, 0.1, 0.24, 0.25, 0.5, 1.0]),
    st.floats(2.0, 20.0),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from(["direct", "reverse"]),
)
def test_each_notation_leads_back(
    k: float, sign: float, ti: float, share: float, n: float, b: float, action: str
) -> None:
    gains = IsaGains(sign * k, ti, share * ti, n, b, 0.0)
    rows = {row.block: row for row in notations(gains, action=action, op_span=80.0)}
    for row in rows.values():
        assert set(row.values) == set(row.units)
    tight = {"rel": 1e-9, "abs": 1e-12}

    def same(back: IsaGains, gain: float, filtered: bool = True) -> None:
        assert (back.k, back.ti_s, back.td_s) == pytest.approx((gain, ti, share * ti), **tight)
        if filtered and share > 0.0:
            assert back.n == pytest.approx(n, **tight)

    same(parallel_to_isa(ParallelGains(**rows["parallel"].values)), gains.k)
    if share <= 0.25:
        same(series_to_isa(SeriesGains(**rows["series"].values)), gains.k)
    else:
        assert "no series form" in rows["series"].note
    v = rows["PID_Compact"].values
    back, turned = from_pid_compact(
        gain=v["Gain"],
        ti_s=v["Ti"],
        td_s=v["Td"],
        td_filt_ratio=v["TdFiltRatio"],
        p_weighting=v["PWeighting"],
        d_weighting=v["DWeighting"],
        invert_control=bool(v["InvertControl"]),
    )
    same(back, k * 100.0 / 80.0)
    effect = gains.k * (1.0 if action == "reverse" else -1.0)
    assert back.k * (1.0 if turned == "reverse" else -1.0) * effect > 0.0
    v = rows["FB_CTRL_PID"].values
    back = from_fb_ctrl_pid(
        kp=v["fKp"],
        tn_s=v["tTn"],
        tv_s=v["tTv"],
        td_s=v["tTd"],
        p_in_feedback_path=bool(v["bPInTheFeedbackPath"]),
        d_in_feedback_path=bool(v["bDInTheFeedbackPath"]),
    )
    same(back, effect)
    assert back.b == b
    v = rows["CODESYS PID"].values
    same(from_codesys(v["KP"], v["TN"], v["TV"]), effect, filtered=False)


@pytest.mark.parametrize(
    "process",
    [
        Process(2.0, 3.0, 1.0),
        Process(-2.0, 3.0, 1.0, 2.0),
        Process(1.0, 3.0, 0.0, 3.0, -2.0),
        Process(1.0, 3.0, 0.5, 1.0, 2.5),
        Process(0.5, 0.0, 1.0, integrating=True),
        Process(0.5, 3.0, 1.0, 0.0, -1.0, integrating=True),
        Process(0.5, 3.0, 1.0, 2.0, integrating=True),
    ],
)
def test_the_step_response_is_that_of_the_transfer_function(process: Process) -> None:
    t = np.linspace(0.0, 8.0 * process.scale_s, 500)
    lags = (process.t1_s, process.t2_s)
    other = Rational("", lags, process.delay_s, (process.zero_s,), process.gain, process.integrating)
    exact = other.step_response(t)
    assert np.max(np.abs(step_response(process, t) - exact)) < 1e-3 * np.max(np.abs(exact))
    s = np.array([0.3j, 1.0 + 2.0j]) / process.scale_s
    assert other.transfer(s) == pytest.approx(process.transfer(s))


def test_equal_lags_are_the_limit_of_unequal_ones() -> None:
    t = np.linspace(0.0, 40.0, 300)
    u = np.where(t > 3.0, 1.0, 0.0)
    same = response(Process(1.0, 4.0, 1.0, 4.0, -2.0), t, u)
    near = response(Process(1.0, 4.0 * 1.001, 1.0, 4.0 / 1.001, -2.0), t, u)
    assert np.max(np.abs(same - near)) < 1e-5


def test_a_tuning_shows_all_rules_and_keeps_its_limits() -> None:
    tuned = tune(Process(-2.0, 20.0, 6.0), period_s=1.0)
    assert tuned
    assert tuned.best.within
    assert tuned.best.gains.k < 0.0
    assert {c.rule for c in tuned.others} | set(tuned.not_served) == {rule.name for rule in RULES}
    assert all(c.formula and c.source for c in (tuned.best, *tuned.others))
    better = [c for c in tuned.others if c.within]
    assert all(c.iae >= tuned.best.iae * 0.99 for c in better)
    band = predict_setpoint(Process(-2.0, 20.0, 6.0), tuned.best.gains, period_s=1.0)
    assert float(np.max(band.pv)) <= 1.12
    assert band.pv[-1] == pytest.approx(1.0, abs=0.01)


def test_without_delay_only_noise_limits_the_gain() -> None:
    bare = Process(1.0, 5.0)
    refused = tune(bare)
    assert not refused
    assert "period_s" in refused.reason
    assert tune(bare, period_s=0.5).best.within
    held = tune(bare, limits=Limits(1.4, 1.5, hf_gain=6.0), structure="pi")
    assert held.best.hf_gain == pytest.approx(6.0, rel=1e-6)
    assert held.best.within


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="peak"):
        Limits(1.0, 1.5)
    with pytest.raises(ValueError, match="gain"):
        Process(0.0, 1.0)
    with pytest.raises(ValueError, match="unstable"):
        predict_setpoint(Process(1.0, 5.0, 1.0), IsaGains(50.0, 5.0))
    with pytest.raises(ValueError, match="period_s"):
        tune(Process(1.0, 5.0, 1.0), period_s=-1.0)


@pytest.mark.parametrize(
    "process", [Process(0.8, 40.0, 15.0), Process(-2.0, 10.0, 30.0), Process(0.05, 120.0, 40.0, 30.0)]
)
@pytest.mark.parametrize("calm", [0.5, 1.0])
def test_item_26_what_a_coarse_actuator_leaves_is_foretold_whatever_the_gains(process: Process, calm: float) -> None:
    """A loop whose output moves in steps of 0.5 goes to and fro by about what the tuner says."""
    coarse, dt = 0.5, 1.0
    tuning = tune(process, structure="pi", period_s=dt, smallest_move=coarse)
    assert isinstance(tuning, Tuning)
    gains, foretold = tuning.best.gains, swing(process, coarse)
    assert f"by about {foretold:.2g} whatever the gains" in tuning.warnings[0]
    assert tune(process, structure="pi", period_s=dt).warnings == ()

    line, level, second, integral, seen = [0.0] * (round(process.delay_s / dt) + 1), 0.0, 0.0, 0.0, []
    for n in range(12_000):
        error = 10.13 * process.gain - second  # no step of the actuator holds it
        integral += gains.k * calm * error * dt / gains.ti_s
        line.append(coarse * round((gains.k * calm * error + integral) / coarse))
        level += (process.gain * line.pop(0) - level) * (1.0 - math.exp(-dt / process.t1_s))
        second += (level - second) * (1.0 - math.exp(-dt / process.t2_s)) if process.t2_s else level - second
        if n > 6_000:
            seen.append(second)
    assert 0.1 * foretold < max(seen) - min(seen) < 1.5 * foretold


def test_a_test_moves_by_much_more_than_the_actuators_smallest_move() -> None:
    plan = {"kind": Kind.STEP, "pv_limit": 5.0, "op_low": 0.0, "op_high": 100.0, "sign": 1, "smallest_move": 0.5}
    assert TestPlan(size=2.5, **plan).size == 2.5
    with pytest.raises(ValueError, match=r"size -2 is not accepted \(accepted: 2.5 or more: the actuator moves"):
        TestPlan(size=-2, **plan)
    with pytest.raises(ValueError, match="smallest_move"):
        tune(Process(1.0, 10.0, 5.0), smallest_move=math.nan)
