"""Gains on trial: good ones are left alone, whatever set point and load do; bad ones are told by the behaviour."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from control_plants import Fopdt, good
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.control.forms import IsaGains
from linecontrol.control.loop import Loop, LoopInputs, LoopSettings, Mode
from linecontrol.control.pid import PidSettings
from linecontrol.control.tuning.recovery import Point, usual_error, why_take_back
from linecontrol.control.tuning.writable import why_not_writable

OLD = IsaGains(0.6, 80.0)
LOOP = LoopSettings(
    name="XIC-1",
    pv="XT-1",
    op="XV-1",
    pid=PidSettings(k=OLD.k, ti_s=OLD.ti_s, op_rate_up_per_s=2.0, op_rate_down_per_s=2.0, gap_s=5.0),
    sp_low=0.0,
    sp_high=200.0,
    sp_initial=100.0,
)


def behaviour(
    gains: IsaGains, *, seed: int, sp_step: float = 0.0, load_step: float = 0.0, seconds: int = 900
) -> tuple[list[Point], list[Point], str]:
    """A loop on 2/(80 s + 1) e^-10s at rest with the old gains, then with these; what is judged, every fifth second."""
    rng = np.random.default_rng(seed)
    plant = Fopdt(2.0, 80.0, 10.0, 1.0, y0=100.0, u0=40.0)
    loop = Loop(LOOP, output=40.0)
    before: list[Point] = []
    after: list[Point] = []
    for n in range(300 + seconds):
        change = n == 300
        out = loop.tick(
            LoopInputs(
                1.0,
                good(plant.y + float(rng.normal(0.0, 0.15))),
                mode=Mode.AUTO if n == 0 else None,
                sp=100.0 + sp_step if n == 500 and sp_step else None,
                gains=gains if change else None,
            )
        )
        plant.step(out.output, load_step if n > 600 else 0.0)
        if n > 0:
            (before if n < 300 else after).append(Point(float(n), out.sp, out.pv, out.high, out.low, out.rate))
        if after and len(after) % 5 == 0:
            why = why_take_back(before, after, floor=2.0, ti_s=max(gains.ti_s, OLD.ti_s))
            if why:
                return before, after, why
    return before, after, ""


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gains", [OLD, IsaGains(1.5, 60.0), IsaGains(0.3, 120.0), IsaGains(1.0, 45.0, 5.0)])
def test_gains_that_serve_are_left_alone(gains: IsaGains, seed: int) -> None:
    _, after, why = behaviour(gains, seed=seed, sp_step=20.0, load_step=15.0)
    assert why == ""
    assert len(after) == 900


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("gains", "told"),
    [
        (IsaGains(30.0, 20.0), "rate limit|oscillat|from one limit"),
        (IsaGains(8.0, 15.0), "oscillat|rate limit"),
        (IsaGains(1.2, 4.0), "oscillat|from one limit|rate limit"),
    ],
)
def test_gains_that_do_not_serve_are_told_by_the_loop(gains: IsaGains, told: str, seed: int) -> None:
    _, after, why = behaviour(gains, seed=seed)
    assert why
    assert any(word in why for word in told.split("|")), why
    assert len(after) < 600


def test_a_loop_that_has_gone_slack_is_told_when_a_load_comes() -> None:
    _, _, why = behaviour(IsaGains(0.01, 3000.0), seed=1, load_step=30.0)
    assert "error (root mean square)" in why


def test_an_output_at_its_limit_counts_only_if_it_was_not_there_before() -> None:
    calm = [Point(float(n), 100.0, 100.0) for n in range(200)]
    pinned = [Point(float(n), 100.0, 100.5, high=True) for n in range(200, 300)]
    assert "at its limit for 100%" in why_take_back(calm, pinned, floor=1.0, ti_s=5.0)
    was = [p._replace(t_s=p.t_s - 300.0) for p in pinned]
    assert why_take_back(was, pinned, floor=1.0, ti_s=5.0) == ""


def test_a_set_point_step_in_the_past_hardly_counts_as_usual_error() -> None:
    points = [Point(float(n), 100.0, 100.0 + (0.1 if n % 2 else -0.1)) for n in range(300)]
    stepped = [p._replace(sp=120.0) if 100 <= n < 130 else p for n, p in enumerate(points)]
    assert usual_error(stepped) == pytest.approx(usual_error(points), rel=0.05)
    assert math.isnan(usual_error([]))


@settings(deadline=None)
@given(
    bad=st.builds(IsaGains, k=st.floats(0.05, 60.0), ti_s=st.floats(1.0, 2000.0), td_s=st.floats(0.0, 30.0)),
    at=st.integers(310, 400),
    sp=st.floats(60.0, 140.0),
)
def test_taking_gains_back_makes_no_bump(bad: IsaGains, at: int, sp: float) -> None:
    """At the tick of apply and of taking back, the output moves by what the PV's and set point's own movement makes."""
    plant = Fopdt(2.0, 80.0, 10.0, 1.0, y0=100.0, u0=40.0)
    loop = Loop(replace(LOOP, pid=replace(LOOP.pid, op_rate_up_per_s=math.inf, op_rate_down_per_s=math.inf)), 40.0)
    for n in range(450):
        before, gains_before = loop.pid, loop.settings.pid
        if n in (300, at):
            loop.set_gains(bad if n == 300 else OLD)
        out = loop.tick(LoopInputs(1.0, good(plant.y), mode=Mode.AUTO if n == 0 else None, sp=sp if n == 250 else None))
        s = loop.settings.pid
        if n in (300, at):
            moved = abs(out.pv - before.pv)
            integral = abs(s.ki) * max(abs(out.sp - out.pv), abs(before.sp - before.pv))
            derivative = abs(s.kd) * abs(loop.pid.slope - before.slope)
            assert abs(out.output - before.out) <= abs(s.gain) * moved + integral + derivative + 1e-9
            assert gains_before != s or bad == OLD
        plant.step(out.output)


@pytest.mark.parametrize(
    ("gains", "told"),
    [
        (IsaGains(-1.0, 10.0), "k -1"),
        (IsaGains(1e-9, 10.0), "k 1e-09"),
        (IsaGains(1e6, 10.0), "k 1e"),
        (IsaGains(1.0, math.inf), "ti_s inf"),
        (IsaGains(1.0, 0.01), "ti_s 0.01"),
        (IsaGains(1.0, 10.0, 1e6), "td_s"),
        (IsaGains(1.0, 10.0, 1.0, 0.5), "n 0.5"),
        (IsaGains(1.0, 10.0, 1.0, math.inf), "n inf"),
    ],
)
def test_gains_no_loop_may_have_are_refused(gains: IsaGains, told: str) -> None:
    assert told in why_not_writable(gains)


@pytest.mark.parametrize("value", [math.nan, 0.0, math.inf, -math.inf])
def test_gains_that_are_no_numbers_cannot_even_be_made(value: float) -> None:
    with pytest.raises(ValueError, match=r"k .* is not accepted"):
        IsaGains(value, 10.0)


def test_usual_gains_may_be_written() -> None:
    assert why_not_writable(IsaGains(0.9, 85.0, 0.0, 8.0, 0.6)) == ""
