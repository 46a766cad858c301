"""Tests on a running loop: what they find, what they keep to, and that they always give the loop back."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from control_plants import good, normal_step
from hypothesis import given, settings
from hypothesis import strategies as st
from live_plants import OP0, PV0, LivePlant, made, plan

from linecontrol.control.forms import IsaGains
from linecontrol.control.loop import Loop, LoopInputs, LoopSettings, Mode
from linecontrol.control.pid import PidSettings
from linecontrol.control.tuning.evaluate import evaluate, why_not_fit
from linecontrol.control.tuning.live import LiveTest
from linecontrol.control.tuning.moves import Kind
from linecontrol.control.tuning.plan import End, Stage, TestRecord

KINDS = list(Kind)
PRESENT = IsaGains(0.2, 300.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("gain", "seed"), [(2.0, 1), (-2.0, 2)])
def test_a_settling_process_is_found_and_left_as_it_was(kind: Kind, gain: float, seed: int) -> None:
    sign = 1 if gain > 0.0 else -1
    test = LiveTest(plan(kind, sign=sign))
    plant = LivePlant(gain=gain, noise=0.1, seed=seed)
    outputs = made(test, plant)
    assert (test.end, test.stage) == (End.DONE, Stage.ENDED)
    assert outputs[-1] == pytest.approx(OP0, abs=1e-5)
    found = evaluate(
        kind,
        test.fitted_part(),
        IsaGains(sign * 0.2, 300.0),
        sign=sign,
        period_s=1.0,
        structure="pi",
        size=test.plan.size,
    )
    assert found, found.found or found.tuning
    process = found.candidates and found.found.process  # type: ignore[union-attr]
    assert process
    if not process.integrating:
        assert process.gain == pytest.approx(gain, rel=0.2)
    best = found.candidates[0]
    assert best.gains.k * sign > 0.0
    assert best.margins.worst <= 1.4
    assert best.worst.stable
    assert found.present is not None
    assert best.iae < found.present.iae
    load = found.predicted[best.rule].load
    assert load is not None
    assert all(load.low <= load.pv + 1e-9)
    assert all(load.high >= load.pv - 1e-9)


@pytest.mark.parametrize("ramp", [0.0, 0.02])
def test_a_doublet_leaves_an_integrating_process_where_it_would_have_been(ramp: float) -> None:
    test = LiveTest(plan(Kind.DOUBLET))
    plant = LivePlant(gain=0.02, t2_s=3.0, integrating=True, noise=0.05, ramp_per_s=ramp, seed=3)
    outputs = made(test, plant)
    assert test.end is End.DONE
    away = plant.x2  # what the test alone has done
    assert abs(away) <= 0.02 * 5.0 + 1e-6  # at most one second of the move
    assert sum(op - OP0 for op in outputs) == pytest.approx(0.0, abs=5.0)
    found = evaluate(
        Kind.DOUBLET,
        test.fitted_part(),
        PRESENT,
        sign=1,
        period_s=1.0,
        structure="pi",
        size=test.plan.size,
        drift_per_s=test.drift_per_s(),
    )
    assert found
    assert found.found.process.gain == pytest.approx(0.02, rel=0.15)  # type: ignore[union-attr]


def test_doublets_can_be_repeated_each_without_a_net_move() -> None:
    test = LiveTest(plan(Kind.DOUBLET, periods=3))
    plant = LivePlant(gain=0.02, t2_s=0.0, integrating=True, noise=0.05, seed=1)
    outputs = made(test, plant)
    assert test.end is End.DONE
    assert abs(plant.x2) <= 0.02 * 5.0 * 3
    ways = [op > OP0 for op in outputs if abs(op - OP0) > 4.9]
    assert sum(a != b for a, b in pairwise(ways)) == 5


@settings(deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    gain=st.sampled_from([-8.0, -2.0, -0.2, 0.0, 0.2, 2.0, 8.0]),
    integrating=st.booleans(),
    delay=st.integers(0, 60),
    noise=st.sampled_from([0.0, 0.05, 0.5, 3.0]),
    size=st.sampled_from([1.0, 5.0, -5.0, 30.0]),
    start=st.sampled_from([40.0, 2.0, 99.0]),
    sign=st.sampled_from([1, -1]),
    rate=st.sampled_from([0.3, 2.0, math.inf]),
    stop=st.none() | st.integers(0, 800),
    let_go=st.booleans(),
    bad=st.sets(st.integers(0, 900), max_size=12),
)
def test_whatever_happens_limits_and_rate_are_kept_and_the_output_comes_back(
    kind: Kind,
    gain: float,
    integrating: bool,
    delay: int,
    noise: float,
    size: float,
    start: float,
    sign: int,
    rate: float,
    stop: int | None,
    let_go: bool,
    bad: set[int],
) -> None:
    test = LiveTest(plan(kind, size=size, sign=sign, op_rate_per_s=rate, longest_s=900.0, op_low=0.0, op_high=99.5))
    plant = LivePlant(gain=0.01 * gain if integrating else gain, delay_s=delay, noise=noise, integrating=integrating)
    op = start
    outputs = [op]
    for n in range(4000):
        if n == stop:
            test.abort("a person", let_go=let_go)
        moved = test.stage is not Stage.REST
        asked = test.tick(float(n), math.nan if n in bad else plant.pv(), op, 1.0)
        if asked is not None:
            assert moved or test.stage is not Stage.REST
            assert 0.0 <= asked <= 99.5
            assert abs(asked - op) <= rate * (1 + 1e-9) + 1e-12
            op = asked
        outputs.append(op)
        plant.step(op - start + OP0)
        if test.is_ended:
            break
    assert test.is_ended, "a test ends"
    assert test.reason
    assert test.tick(1e6, PV0, op, 1.0) is None
    if test.end is End.REFUSED:
        assert outputs == [start] * len(outputs), "a refused test has moved nothing"
    if not let_go:
        assert op == pytest.approx(start, abs=1e-4)


@settings(deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    gains=st.builds(IsaGains, k=st.floats(0.05, 1.5), ti_s=st.floats(40.0, 900.0), td_s=st.sampled_from([0.0, 4.0])),
    noise=st.sampled_from([0.0, 0.1]),
    stop=st.none() | st.integers(60, 500),
    let_go=st.booleans(),
)
def test_a_loop_in_control_lends_and_takes_back_its_output_without_a_bump(
    kind: Kind, gains: IsaGains, noise: float, stop: int | None, let_go: bool
) -> None:
    """At the start the output moves no further than the PID has moved it in the minute before; at the return by no more
    than the PV's own movement explains. Mode, set point and gains are never touched."""
    pid = PidSettings(
        k=gains.k, ti_s=gains.ti_s, td_s=gains.td_s, op_rate_up_per_s=2.0, op_rate_down_per_s=2.0, gap_s=5.0
    )
    row = LoopSettings(name="X", pv="XT", op="XV", pid=pid, sp_low=0.0, sp_high=200.0, sp_initial=PV0)
    loop, plant = Loop(row, output=OP0), LivePlant(noise=noise, seed=4)
    test = LiveTest(plan(kind, in_control=True))
    loop.tick(LoopInputs(1.0, good(plant.pv()), mode=Mode.AUTO))
    recent, held_back = [OP0], False
    for n in range(1, 3000):
        if n == stop:
            test.abort("a person", let_go=let_go)
        pv, before, stage = plant.pv(), loop.pid, test.stage
        lead = test.tick(float(n), pv, before.out, 1.0)
        out = loop.tick(LoopInputs(1.0, good(pv), lead=lead))
        moved = abs(out.output - before.out)
        if lead is not None and stage is Stage.REST:
            assert moved <= max(max(recent) - min(recent), 1e-9)
        elif lead is None and n > 1 and not held_back:  # after a tick at the rate limit it catches up, test or no test
            assert moved <= normal_step(pid, before, loop.pid, 1.0)
        recent, held_back = [*recent[-59:], out.output], out.rate
        assert (out.mode, out.sp) == (Mode.AUTO, PV0)
        plant.step(out.output)
        if test.is_ended and n > 600:
            break
    assert test.is_ended
    assert loop.settings == row


@pytest.mark.parametrize(
    ("plant", "changes", "told"),
    [
        (LivePlant(noise=4.0), {}, "noise"),
        (LivePlant(ramp_per_s=0.2), {}, "not steady"),
        (LivePlant(), {"size": 70.0, "kind": Kind.DOUBLET}, "no room"),
        (LivePlant(), {"pv_high": 100.0}, "too near one of its limits"),
        (LivePlant(), {"pv_high": 99.0}, "outside its limits"),
    ],
)
def test_a_process_that_is_not_at_rest_is_left_alone(plant: LivePlant, changes: dict[str, object], told: str) -> None:
    test = LiveTest(plan(**{"kind": Kind.STEP, **changes}))  # type: ignore[arg-type]
    outputs = made(test, plant)
    assert test.end is End.REFUSED
    assert told in test.reason
    assert set(outputs) == {OP0}


def test_an_oscillating_loop_is_refused_by_name() -> None:
    test = LiveTest(plan(Kind.STEP))
    made(test, LivePlant(noise=0.05), pv_of=lambda n, pv: pv + 5.0 * math.sin(n / 3.0))
    assert test.end is End.REFUSED
    assert "oscillates (about 18" in test.reason


def test_a_limited_or_bad_loop_is_refused_and_a_slow_output_is_waited_for() -> None:
    bad = LiveTest(plan(Kind.STEP))
    made(bad, LivePlant(), pv_of=lambda n, pv: math.nan if n == 30 else pv)
    assert bad.end is End.REFUSED
    assert "not GOOD" in bad.reason
    limited = LiveTest(plan(Kind.STEP))
    for n in range(300):
        limited.tick(float(n), PV0, OP0, 1.0, limited=True)
    assert limited.end is End.REFUSED
    assert "at a limit" in limited.reason
    moving = LiveTest(plan(Kind.STEP))
    for n in range(150):
        moving.tick(float(n), PV0, OP0 + max(0.0, 80.0 - n) * 0.2, 1.0)
    assert moving.stage is not Stage.REST, "it waits until the output has come to rest, then begins"


@pytest.mark.parametrize("kind", KINDS)
def test_a_pv_that_leaves_its_limits_ends_the_test_and_the_output_goes_back(kind: Kind) -> None:
    test = LiveTest(plan(kind, pv_limit=6.0))
    # A load that comes in the middle: the test cannot know it
    outputs = made(test, LivePlant(noise=0.05), pv_of=lambda n, pv: pv + (7.0 if n > 130 else 0.0))
    assert test.end is End.ABORTED
    assert "left its limits 9" in test.reason
    assert outputs[-1] == pytest.approx(OP0, abs=1e-5)


def test_one_noisy_sample_ends_nothing_and_a_lost_pv_does() -> None:
    spike = LiveTest(plan(Kind.STEP))
    made(spike, LivePlant(noise=0.05), pv_of=lambda n, pv: pv + (300.0 if n == 130 else 0.0))
    assert spike.end is End.DONE
    lost = LiveTest(plan(Kind.STEP))
    outputs = made(lost, LivePlant(noise=0.05), pv_of=lambda n, pv: math.nan if n >= 130 else pv)
    assert lost.end is End.ABORTED
    assert "not GOOD for 4 samples" in lost.reason
    assert outputs[-1] == pytest.approx(OP0, abs=1e-5)


def test_time_is_limited_and_the_first_reason_is_kept() -> None:
    test = LiveTest(plan(Kind.RELAY, longest_s=100.0))
    outputs = made(test, LivePlant(noise=0.02))
    assert test.end is End.ABORTED
    assert "time limit of 100 s" in test.reason
    test.abort("something else")
    assert "time limit" in test.reason
    assert outputs[-1] == pytest.approx(OP0, abs=1e-5)


def test_a_relay_that_cannot_leave_its_hysteresis_says_which_size_would() -> None:
    test = LiveTest(plan(Kind.RELAY, size=2.0))
    made(test, LivePlant(gain=0.1, t1_s=20.0, noise=0.2, seed=2))
    assert test.end is End.ABORTED
    assert "inside the hysteresis" in test.reason
    size = float(test.reason.rsplit(" ", 1)[1])
    again = LiveTest(plan(Kind.RELAY, size=3.0 * size))
    made(again, LivePlant(gain=0.1, t1_s=20.0, noise=0.2, seed=2))
    assert again.end is End.DONE, again.reason


def test_a_relay_whose_pv_does_not_come_back_gives_up() -> None:
    test = LiveTest(plan(Kind.RELAY))
    outputs = made(test, LivePlant(noise=0.05), pv_of=lambda n, pv: pv + (12.0 if n > 250 else 0.0))
    assert test.end is End.ABORTED
    assert outputs[-1] == pytest.approx(OP0, abs=1e-5)


def test_a_relay_makes_its_moves_smaller_when_the_pv_goes_too_far() -> None:
    test = LiveTest(plan(Kind.RELAY, size=20.0, pv_limit=12.0, op_rate_per_s=math.inf))
    outputs = made(test, LivePlant(gain=3.0, t1_s=60.0, delay_s=12, noise=0.02))
    assert test.end is End.DONE, test.reason
    first, last = max(outputs[:140]) - OP0, max(outputs[-150:]) - OP0
    assert first == pytest.approx(20.0)
    assert last < 0.8 * first


def test_data_that_cannot_be_trusted_are_not_fitted() -> None:
    n = 100
    good = TestRecord([float(k) for k in range(n)], [40.0] * n, [100.0] * n, [False] * n)
    assert why_not_fit(good) is None
    for record, code in (
        (TestRecord(), "record"),
        (TestRecord(good.t_s, good.op, good.pv, [True] * 10 + [False] * 90), "limited"),
        (TestRecord(good.t_s, good.op, [math.nan] * 20 + [100.0] * 80, good.limited), "missing"),
        (TestRecord([*good.t_s[:-1], 400.0], good.op, good.pv, good.limited), "time"),
    ):
        refused = why_not_fit(record)
        assert refused is not None
        assert refused.code == code
        assert not evaluate(Kind.STEP, record, PRESENT, sign=1, period_s=1.0, structure="pi", size=5.0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"size": 0.0}, "size"),
        ({"size": math.nan}, "size"),
        ({"pv_limit": 0.0}, "pv_limit"),
        ({"pv_low": 5.0, "pv_high": 4.0}, "pv_high"),
        ({"op_rate_per_s": 0.0}, "op_rate_per_s"),
        ({"sign": 0}, "sign"),
        ({"patience_s": 1.0}, "patience_s"),
        ({"longest_s": math.inf}, "longest_s"),
        ({"periods": 0}, "periods"),
        ({"op_low": 100.0}, "op_high"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_by_name(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=rf"^{told} .*accepted"):
        plan(Kind.STEP, **changes)
