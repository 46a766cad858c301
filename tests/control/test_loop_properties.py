"""Properties of a loop under anything a technician, a plant or a wire can do to it, and its memory."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from control_plants import bad, good, normal_step
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.control.forms import IsaGains
from linecontrol.control.loop import Downstream, Loop, LoopInputs, LoopSettings, Mode
from linecontrol.control.loop_memory import restore_loop, save_loop
from linecontrol.control.loop_settings import OnBadPv, Ratio
from linecontrol.control.pid import PidSettings
from linecontrol.core.model import Sample, Status
from simulator.yaml_text import load_yaml

PID = PidSettings(k=2.0, ti_s=30.0, td_s=4.0, b=0.7, op_low=0.0, op_high=100.0, gap_s=5.0)
BASE = LoopSettings(
    name="XIC-1",
    pv="XT-1",
    op="XV-1",
    pid=PID,
    sp_low=0.0,
    sp_high=200.0,
    sp_initial=100.0,
    ratio=Ratio("WT-1", 2.0, 10.0, 190.0),
    hold_s=5.0,
)
ODD = [math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324]

pvs = st.one_of(
    st.floats(60.0, 140.0).map(good),
    st.floats(95.0, 105.0).map(good),
    st.just(good(98.0)),
    st.sampled_from([*map(good, ODD), bad(), Sample(99.0, Status.UNCERTAIN, 0.0), Sample("text", Status.GOOD, 0.0)]),
)
gains = st.builds(
    IsaGains,
    k=st.floats(-8, 8).filter(lambda k: abs(k) > 0.05),
    ti_s=st.sampled_from([3.0, 40.0, 900.0, math.inf]),
    td_s=st.sampled_from([0.0, 1.0, 20.0]),
    n=st.floats(1, 20),
    b=st.floats(0, 1),
    c=st.floats(0, 1),
)
op_limits = st.tuples(st.floats(0, 60), st.floats(30, 100))  # some of them the wrong way round


@st.composite
def inputs(draw: st.DrawFn, *, limits: bool = True) -> LoopInputs:
    """A tick: usually quiet, now and then a command, a fault or nonsense."""

    def rarely(values: st.SearchStrategy[object]) -> object:
        return draw(values) if draw(st.integers(0, 3)) == 0 else None

    return LoopInputs(
        dt_s=draw(st.sampled_from([1.0, 1.0, 1.0, 0.5, 1.9, 40.0])),
        pv=draw(pvs),
        mode=rarely(st.sampled_from(Mode)),  # type: ignore[arg-type]
        sp=rarely(st.floats(-50, 250) | st.sampled_from(ODD)),  # type: ignore[arg-type]
        op=rarely(st.floats(-20, 120) | st.sampled_from(ODD)),  # type: ignore[arg-type]
        gains=rarely(gains),  # type: ignore[arg-type]
        op_limits=rarely(op_limits) if limits else None,  # type: ignore[arg-type]
        cascade_sp=rarely(st.floats(-50, 250) | st.sampled_from(ODD)),  # type: ignore[arg-type]
        ratio=rarely(st.floats(0, 100).map(good) | st.just(bad())),  # type: ignore[arg-type]
        downstream=rarely(  # type: ignore[arg-type]
            st.builds(Downstream, st.booleans(), st.floats(0, 100), st.booleans(), st.booleans())
        ),
        readback=rarely(st.floats(-5, 105).map(good) | st.just(bad())),  # type: ignore[arg-type]
        op_available=draw(st.integers(0, 9)) > 0,
        feedforward=rarely(st.floats(-20, 20) | st.sampled_from(ODD)),  # type: ignore[arg-type]
        lead=rarely(st.floats(-20, 120) | st.sampled_from(ODD)),  # type: ignore[arg-type]
    )


@settings(max_examples=60, deadline=None)
@given(
    ticks=st.lists(inputs(), min_size=5, max_size=40),
    rate=st.sampled_from([0.5, 3.0, math.inf]),
    sp_rate=st.sampled_from([1.0, math.inf]),
    action=st.sampled_from(OnBadPv),
)
def test_output_is_always_finite_inside_its_limits_and_keeps_its_rate(
    ticks: list[LoopInputs], rate: float, sp_rate: float, action: OnBadPv
) -> None:
    pid = replace(PID, op_rate_up_per_s=rate, op_rate_down_per_s=rate)
    loop = Loop(replace(BASE, pid=pid, sp_rate_per_s=sp_rate, on_bad_pv=action, fallback_op=30.0), output=50.0)
    for x in ticks:
        before, sp_before, mode_before = loop.pid.out, loop.sp, loop.mode
        out = loop.tick(x)
        low, high = loop.settings.pid.op_low, loop.settings.pid.op_high
        assert math.isfinite(out.output)
        assert math.isfinite(out.sp)
        assert loop.settings.sp_low <= out.sp <= loop.settings.sp_high
        if out.op is not None:
            assert out.op == out.output
            # our own moves keep the rate; walking into moved limits does too, and never goes away from them
            assert abs(out.op - before) <= rate * x.dt_s * (1 + 1e-9) + 1e-9
            assert low <= out.op <= high or low > out.op >= before or high < out.op <= before
        if mode_before is not Mode.MAN and out.mode is not Mode.MAN:
            assert abs(out.sp - sp_before) <= sp_rate * x.dt_s * (1 + 1e-9)
        if out.safe:
            assert (out.op, out.mode) == (None, Mode.MAN)
        if out.led:
            assert out.op is not None
            assert not out.safe
            assert not out.downstream.in_cascade
        if out.holding:
            assert out.mode is not Mode.MAN
            assert math.isnan(out.pv)


@settings(max_examples=60, deadline=None)
@given(ticks=st.lists(inputs(limits=False), min_size=5, max_size=40))
def test_no_change_of_mode_source_gains_or_quality_makes_a_bump(ticks: list[LoopInputs]) -> None:
    """|du| is never more than what P, I and D of *this* sample's movement explain (or the feed-forward's own step)."""
    loop = Loop(BASE, output=50.0)
    for x in ticks:
        before, mode_before = loop.pid, loop.mode
        out = loop.tick(x)
        is_free = out.op is None or out.led or out.mode is Mode.MAN or out.mode is not mode_before
        assert out.terms.held is out.holding or is_free
        if out.op is None or out.holding or out.led or out.mode is Mode.MAN:
            continue  # followed, held, led by a test or commanded by hand: checked in the other property
        if out.mode is not mode_before or out.terms.restarted:
            assert out.output == pytest.approx(before.out, abs=1e-9)
        else:
            allowed = normal_step(loop.settings.pid, before, loop.pid, x.dt_s)
            ff = abs((loop.pid.ff or 0.0) - (before.ff or 0.0)) if None not in (loop.pid.ff, before.ff) else 0.0
            assert abs(out.output - before.out) <= allowed + ff


def test_manual_moves_at_the_rate_then_leaves_the_actuator_alone() -> None:
    loop = Loop(replace(BASE, pid=replace(PID, op_rate_up_per_s=5.0, op_rate_down_per_s=5.0)))
    first = loop.tick(LoopInputs(1.0, good(90.0), readback=good(33.0)))
    assert (first.op, first.output) == (None, 33.0)  # nothing is written at start; what is there is taken over
    written = [loop.tick(LoopInputs(1.0, good(90.0), op=50.0 if n == 0 else None)).op for n in range(6)]
    assert written == [38.0, 43.0, 48.0, 50.0, None, None]
    for _ in range(4):  # the read-back may lag behind our write
        assert loop.tick(LoopInputs(1.0, good(90.0), readback=good(33.0))).output == 50.0
        if loop.unwritten_s >= 5.0:
            break
    for _ in range(3):  # then a difference is somebody at the local panel
        local = loop.tick(LoopInputs(1.0, good(90.0), readback=good(70.0)))
    assert (local.op, local.output) == (None, 70.0)


@pytest.mark.parametrize(
    ("mode", "x", "reason"),
    [
        (Mode.MAN, {"sp": 500.0}, "accepted: 0 to 200"),
        (Mode.MAN, {"sp": math.nan}, "accepted: 0 to 200"),
        (Mode.MAN, {"op": 101.0}, "accepted: 0 to 100"),
        (Mode.MAN, {"op": math.nan}, "accepted: 0 to 100"),
        (Mode.AUTO, {"op": 50.0}, "accepted: in MAN"),
        (Mode.REMOTE, {"sp": 50.0}, "accepted: in MAN or AUTO"),
        (Mode.AUTO, {"op_limits": (60.0, 40.0)}, "op_high"),
        (Mode.AUTO, {"op_limits": (math.nan, 40.0)}, "op_low"),
        (Mode.AUTO, {"sp_limits": (60.0, 40.0)}, "sp.high"),
        (Mode.AUTO, {"mode": 7}, "accepted: MAN, AUTO, CAS, REMOTE"),
        (Mode.MAN, {"op": 50.0, "op_available": False}, "does not listen"),
    ],
)
def test_a_command_that_is_not_accepted_is_refused_with_a_reason_and_changes_nothing(
    mode: Mode, x: dict[str, object], reason: str
) -> None:
    loop = Loop(BASE, output=40.0)
    for _ in range(2):
        loop.tick(LoopInputs(1.0, good(100.0), mode=mode if mode is not loop.mode else None, ratio=good(50.0)))
    kept = (loop.settings, loop.mode, loop.sp_local, loop.op_target)
    out = loop.tick(LoopInputs(1.0, good(100.0), ratio=good(50.0), **x))  # type: ignore[arg-type]
    assert len(out.refused) == 1
    assert reason in out.refused[0]
    assert (loop.settings, loop.mode, loop.sp_local, loop.op_target) == kept


def test_while_safe_is_demanded_nothing_is_written_whatever_is_commanded_but_a_mode() -> None:
    loop = Loop(BASE, output=20.0)
    loop.tick(LoopInputs(1.0, good(100.0), mode=Mode.AUTO))
    for _ in range(6):
        out = loop.tick(LoopInputs(1.0, bad()))
    assert out.safe
    for command in ({"op_limits": (30.0, 90.0)}, {"op": 50.0}, {"sp": 120.0}, {"gains": IsaGains(1.0, 20.0)}):
        out = loop.tick(LoopInputs(1.0, bad(), **command))  # type: ignore[arg-type]
        assert (out.op, out.safe) == (None, True)
        assert bool(out.refused) is ("op" in command)
    for _ in range(20):
        assert loop.tick(LoopInputs(1.0, good(100.0), readback=good(0.0))).op is None
    out = loop.tick(LoopInputs(1.0, good(100.0), mode=Mode.MAN, op=50.0))
    assert (out.safe, out.op) == (False, 50.0)


def test_moved_limits_leave_a_manual_output_alone_until_it_is_commanded_or_in_control() -> None:
    pid = replace(PID, op_rate_up_per_s=2.0, op_rate_down_per_s=2.0)
    for command in ({"op": 50.0}, {"mode": Mode.AUTO}):
        loop = Loop(replace(BASE, pid=pid), output=80.0)
        for n in range(5):
            out = loop.tick(LoopInputs(1.0, good(100.0), op_limits=(0.0, 60.0) if n == 0 else None))
            assert (out.op, out.output) == (None, 80.0)
        walked = [loop.tick(LoopInputs(1.0, good(100.0), **command)).op]  # type: ignore[arg-type]
        walked += [loop.tick(LoopInputs(1.0, good(100.0))).op for _ in range(9)]
        assert walked == [80.0 - 2.0 * (n + 1) for n in range(10)]


def test_a_long_pause_does_not_make_the_set_point_or_a_manual_output_jump() -> None:
    pid = replace(PID, op_rate_up_per_s=2.0, op_rate_down_per_s=2.0)
    loop = Loop(replace(BASE, pid=pid, sp_rate_per_s=1.0), output=40.0)
    loop.tick(LoopInputs(1.0, good(100.0), mode=Mode.AUTO))
    loop.tick(LoopInputs(1.0, good(100.0), sp=180.0))
    before = loop.sp
    out = loop.tick(LoopInputs(3600.0, good(100.0)))
    assert out.sp == before + 5.0
    assert out.terms.restarted
    manual = Loop(replace(BASE, pid=pid), output=40.0)
    manual.tick(LoopInputs(1.0, good(100.0), op=90.0))
    assert manual.tick(LoopInputs(3600.0, good(100.0))).op == 52.0


def test_set_point_follows_the_pv_in_manual_when_asked_to() -> None:
    loop = Loop(replace(BASE, sp_tracks_pv=True), output=40.0)
    out = loop.tick(LoopInputs(1.0, good(87.0)))
    assert (out.sp, out.sp_target) == (87.0, 87.0)
    out = loop.tick(LoopInputs(1.0, good(87.5), mode=Mode.AUTO))
    out = loop.tick(LoopInputs(1.0, good(87.5)))
    assert out.sp == 87.0
    keeps = Loop(BASE, output=40.0)
    assert keeps.tick(LoopInputs(1.0, good(87.0), sp=120.0)).sp == 120.0


@settings(deadline=None)
@given(ticks=st.lists(inputs(), min_size=4, max_size=30), cut=st.integers(1, 29))
def test_a_saved_loop_goes_on_the_same_and_after_a_restart_it_lands_in_manual(
    ticks: list[LoopInputs], cut: int
) -> None:
    loop = Loop(BASE, output=50.0)
    for x in ticks[:cut]:
        loop.tick(x)
    saved = json.loads(json.dumps(save_loop(loop), allow_nan=False))
    twin = restore_loop(BASE, saved, after_restart=False)
    restarted = restore_loop(BASE, saved)
    assert (restarted.mode, restarted.safe) == (Mode.MAN, False)
    limits = loop.settings.pid
    assert restarted.pid.out == min(max(loop.pid.out, limits.op_low), limits.op_high)
    assert restarted.settings == loop.settings
    assert restarted.tick(LoopInputs(1.0, good(100.0))).op is None
    for x in ticks[cut:]:
        assert repr(twin.tick(x)) == repr(loop.tick(x))


def test_a_restarted_loop_takes_over_what_the_actuator_has_become_meanwhile() -> None:
    loop = Loop(BASE, output=80.0)
    loop.tick(LoopInputs(1.0, good(100.0), mode=Mode.AUTO))
    again = restore_loop(BASE, save_loop(loop))
    assert again.tick(LoopInputs(1.0, good(100.0))).output == pytest.approx(80.0)
    out = again.tick(LoopInputs(1.0, good(100.0), readback=good(0.0)))
    assert (out.op, out.output) == (None, 0.0)
    assert again.tick(LoopInputs(1.0, good(90.0), mode=Mode.AUTO, readback=good(0.0))).op == 0.0
    for spoiled in ({}, {**save_loop(loop), "pid": {}}, {**save_loop(loop), "sp": math.inf}, {"loop": "OTHER"}):
        with pytest.raises(ValueError, match="not a saved state of loop XIC-1"):
            restore_loop(BASE, spoiled)


ROWS = load_yaml((Path(__file__).parents[2] / "plc_profiles/lines/demo.yaml").read_text("utf-8"))["loops"]


def test_every_loop_of_the_demo_line_is_built_from_its_row() -> None:
    loops = {row["name"]: LoopSettings.from_row(row) for row in ROWS}
    assert loops["MIC-306"].inner == "TIC-303"
    assert loops["TIC-303"].inner is None
    assert loops["MIC-306"].pid.gain < 0.0 < loops["TIC-303"].pid.gain
    for row in ROWS:
        one, pid = loops[row["name"]], loops[row["name"]].pid
        assert (one.pv, one.op, one.hold_s) == (row["pv"], row["op"], row["bad_pv"]["hold_s"])
        assert (pid.k, pid.ti_s, pid.op_high) == (row["gains"]["k"], row["gains"]["ti_s"], row["op_limits"]["high"])
        assert pid.op_rate_up_per_s == pid.op_rate_down_per_s == row["op_limits"]["rate_per_s"]
        assert (one.sp_low, one.sp_rate_per_s) == (row["sp"]["low"], row["sp"].get("rate_per_s", math.inf))
        assert (one.ratio is None) is ("ratio" not in row)
        assert pid.gap_s == 5.0
    for one in loops.values():
        Loop(one).tick(LoopInputs(1.0, good(one.sp_initial), mode=Mode.AUTO))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("gains.k", 0, r"gains\.k 0\.0 .*not 0"),
        ("gains.ti_s", -1, r"gains\.ti_s"),
        ("gains.form", "ideal", r"gains\.form .*isa, parallel, series"),
        ("gains.kp", 1.0, r"gains\.kp is not known"),
        ("gains.b", 2, r"gains\.b .*0 to 1"),
        ("gains.k", math.nan, r"gains\.k nan"),
        ("gains.k", True, r"gains\.k True"),
        ("gains.k", None, r"gains\.k None"),
        ("sp.initial", 500, r"sp\.initial .*20 to 190"),
        ("sp.low", 300, r"sp\.high .*above sp\.low 300"),
        ("sp.rate_per_s", 0, r"sp\.rate_per_s"),
        ("op_limits.low", 100, r"op_limits\.high .*above 100"),
        ("op_limits.low", "x", r"op_limits\.low 'x'"),
        ("op_limits.rate_per_s", 0, r"op_limits\.rate_up_per_s"),
        ("bad_pv.hold_s", -1, r"bad_pv\.hold_s"),
        ("bad_pv.action", "boom", r"bad_pv\.action .*safe, manual, fallback"),
        ("bad_pv.action", "fallback", r"bad_pv\.fallback_op None .*0 to 100"),
        ("action", "up", r"action .*direct, reverse"),
        ("sp", 3, r"sp 3 .*table"),
        ("op_limits", {"low": 0}, r"op_limits\.high is missing"),
        ("pv", "", r"pv '' .*a name"),
        ("ratio", {"tag": "WT-1", "factor": 0, "low": 0, "high": 1}, r"ratio\.factor"),
        ("ratio", {"tag": "WT-1", "factor": 1, "low": 2, "high": 1}, r"ratio\.high .*at least"),
        ("watch", {"low": 5, "high": 1}, r"watch\.high"),
    ],
)
def test_a_wrong_row_is_refused_naming_loop_key_and_what_is_accepted(path: str, value: object, message: str) -> None:
    row = json.loads(json.dumps(ROWS[0]))
    *parts, key = path.split(".")
    target = row
    for part in parts:
        target = target[part]
    target[key] = value
    with pytest.raises(ValueError, match=rf"^loop TIC-303: {message}"):
        LoopSettings.from_row(row)


def test_gains_may_be_written_in_any_form() -> None:
    row = json.loads(json.dumps(ROWS[0]))
    row["gains"] = {"form": "parallel", "kp": 0.9, "ki_per_s": 0.01, "kd_s": 9.0, "tf_s": 2.0, "b": 0.6}
    pid = LoopSettings.from_row(row).pid
    assert (pid.k, pid.ti_s, pid.td_s, pid.filter_s) == (0.9, 90.0, 10.0, pytest.approx(2.0))
    row["gains"] = {"form": "series", "k": 0.5, "ti_s": 40.0, "td_s": 10.0, "tf_s": 1.0}
    pid = LoopSettings.from_row(row).pid
    assert (pid.k, pid.ti_s, pid.td_s) == (0.625, 50.0, 8.0)
