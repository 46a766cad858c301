"""The checklist items that need a loop around the PID: 9, 13, 17, 18, 30. The number is in the test's name."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from control_plants import Fopdt, bad, good

from linecontrol.control.loop import Downstream, Loop, LoopInputs, LoopOutput, LoopSettings, Mode
from linecontrol.control.loop_settings import OnBadPv, Ratio
from linecontrol.control.pid import PidSettings
from linecontrol.control.pv_watch import PvWatch, WatchState, flat_line_samples, in_range, is_spike, watch_pv
from linecontrol.core.model import Sample, Status

HEATER = LoopSettings(
    name="TIC-303",
    pv="TT-303",
    op="TV-303",
    pid=PidSettings(k=0.9, ti_s=90.0, b=0.6, op_rate_up_per_s=2.0, op_rate_down_per_s=2.0),
    sp_low=20.0,
    sp_high=190.0,
    sp_initial=20.0,
    sp_rate_per_s=1.0,
)


def in_auto(settings: LoopSettings = HEATER, pv: float = 150.0, sp: float = 150.0, op: float = 60.0) -> Loop:
    """A loop that has run in AUTO at this point for a while."""
    loop = Loop(settings)
    loop.tick(LoopInputs(1.0, good(pv), op=op, readback=good(op)))
    for _ in range(100):
        loop.tick(LoopInputs(1.0, good(pv)))
    loop.tick(LoopInputs(1.0, good(pv), sp=sp))
    loop.tick(LoopInputs(1.0, good(pv), mode=Mode.AUTO))
    for _ in range(3):
        loop.tick(LoopInputs(1.0, good(pv)))
    return loop


def test_item_09_changing_the_set_point_source_is_bumpless_and_ramped() -> None:
    """9. Local -> remote -> cascade -> local: no output step at the change, and the set point moves at its ramp."""
    settings = replace(HEATER, ratio=Ratio("WT-102", 10.0, 30.0, 180.0))
    loop = in_auto(settings)
    last = loop.tick(LoopInputs(1.0, good(150.0)))
    sps = [last.sp]
    outs = [last.output]
    for mode, steps in ((Mode.REMOTE, 20), (Mode.CAS, 40), (Mode.AUTO, 5), (Mode.MAN, 5), (Mode.AUTO, 5)):
        for n in range(steps):
            x = LoopInputs(1.0, good(150.0), mode=mode if n == 0 else None, ratio=good(16.0), cascade_sp=130.0)
            out = loop.tick(x)
            assert out.mode is mode
            assert not out.refused
            if n == 0:
                assert out.output == pytest.approx(outs[-1], abs=1e-9)
            sps.append(out.sp)
            outs.append(out.output)
    assert np.max(np.abs(np.diff(sps[:66]))) <= 1.0 + 1e-9  # until MAN, where the set point shown is the PV
    assert max(sps) == 160.0
    assert sps[60] == pytest.approx(130.0)
    assert sps[61:66] == [pytest.approx(130.0)] * 5  # AUTO takes over the set point it finds
    step = np.max(np.abs(np.diff(outs)))
    assert step <= 0.9 * 0.6 * 1.0 + 0.9 / 90.0 * 20.0 + 1e-9  # K b dSP of the ramp + one integral step

    unramped = in_auto(replace(settings, sp_rate_per_s=math.inf))
    before = unramped.tick(LoopInputs(1.0, good(150.0))).output
    jump = unramped.tick(LoopInputs(1.0, good(150.0), mode=Mode.REMOTE, ratio=good(16.0)))
    assert (jump.sp, jump.output) == (160.0, pytest.approx(before, abs=1e-9))


def test_item_09_a_lost_source_holds_the_set_point_then_falls_to_auto() -> None:
    """9. Remote or cascade source bad: set point held for hold_s, then AUTO at that set point, said once."""
    loop = in_auto(replace(HEATER, ratio=Ratio("WT-102", 10.0, 30.0, 180.0), hold_s=10.0))
    for n in range(20):
        out = loop.tick(LoopInputs(1.0, good(150.0), mode=Mode.REMOTE if n == 0 else None, ratio=good(15.5)))
    events = []
    for n in range(1, 14):
        out = loop.tick(LoopInputs(1.0, good(150.0), ratio=bad()))
        events += out.events
        assert out.sp == 155.0
        assert out.mode is (Mode.REMOTE if n <= 10 else Mode.AUTO)
        assert out.source_bad is (n <= 10)
    assert len(events) == 1
    assert "REMOTE to AUTO" in events[0]
    assert loop.tick(LoopInputs(1.0, good(150.0), mode=Mode.REMOTE, ratio=bad())).refused
    assert loop.tick(LoopInputs(1.0, good(150.0), mode=Mode.CAS)).refused


class Cascade:
    """Moisture over inlet air temperature, ticked as a line would: outer first, then inner, then the plant."""

    def __init__(self) -> None:
        pid = PidSettings(k=4.0, ti_s=150.0, td_s=20.0, n=5.0, b=0.5, action="direct", op_low=90.0, op_high=185.0)
        pid = replace(pid, op_rate_up_per_s=0.5, op_rate_down_per_s=0.5)
        self.outer = Loop(
            LoopSettings(
                name="MIC-306",
                pv="MT-306",
                op="TIC-303.SP",
                pid=pid,
                sp_low=9.0,
                sp_high=13.5,
                sp_initial=12.8,
            ),
            output=140.0,
        )
        self.inner = Loop(HEATER, output=60.0)
        self.air = Fopdt(2.0, 90.0, 0.0, 1.0, y0=140.0, u0=60.0)
        self.moisture = Fopdt(-0.11, 120.0, 50.0, 1.0, y0=12.8, u0=140.0)
        self.seen = Downstream(False, 140.0)
        self.last = (self.outer.pid.out, self.inner.pid.out)

    def tick(self, *, load: float = 0.0, noise: float = 0.0, **commands: object) -> tuple[LoopOutput, LoopOutput]:
        outer_commands = {k[6:]: v for k, v in commands.items() if k.startswith("outer_")}
        inner_commands = {k[6:]: v for k, v in commands.items() if k.startswith("inner_")}
        a = self.outer.tick(
            LoopInputs(1.0, good(self.moisture.y + noise), downstream=self.seen, **outer_commands)  # type: ignore[arg-type]
        )
        b = self.inner.tick(LoopInputs(1.0, good(self.air.y), cascade_sp=a.output, **inner_commands))  # type: ignore[arg-type]
        self.seen = b.downstream
        self.air.step(b.output)
        self.moisture.step(self.air.y, load)
        self.last = (a.output, b.output)
        return a, b

    def settle_in_cascade(self, seconds: int = 600) -> None:
        self.tick(inner_mode=Mode.AUTO, inner_sp=140.0)
        self.tick(outer_mode=Mode.AUTO)
        self.tick(inner_mode=Mode.CAS)
        for _ in range(seconds):
            self.tick()


@pytest.mark.parametrize("inner_mode", [Mode.MAN, Mode.AUTO])
def test_item_13_with_the_inner_loop_out_of_cascade_the_outer_follows_it(inner_mode: Mode) -> None:
    """13. Inner not in cascade: the outer follows its PV / set point and writes nothing; closing makes no bump."""
    line = Cascade()
    line.settle_in_cascade()
    assert line.outer.mode is Mode.AUTO
    line.tick(inner_mode=inner_mode, outer_sp=12.0)  # a lasting error, which would wind the outer up
    if inner_mode is Mode.AUTO:
        line.tick(inner_sp=160.0)
    else:
        line.tick(inner_op=75.0)
    for _ in range(900):
        a, b = line.tick()
        assert a.op is None
        assert a.following
        assert a.mode is Mode.AUTO
    expected = 160.0 if inner_mode is Mode.AUTO else line.air.y
    assert a.output == pytest.approx(expected, abs=0.05)
    valve, sp = b.output, b.sp
    a, b = line.tick(inner_mode=Mode.CAS)
    assert b.output == pytest.approx(valve, abs=1e-9)
    assert b.sp == pytest.approx(sp, abs=0.05)
    for _ in range(5):
        before = (a.output, b.output)
        a, b = line.tick()
        assert a.op is not None
        assert abs(a.output - before[0]) <= 0.5 + 1e-9
        assert abs(b.output - before[1]) <= 0.9 * 0.6 * 0.5 + 0.2


def test_item_13_an_inner_loop_that_holds_is_followed_too_and_reports_what_blocks_it() -> None:
    """13. Inner PV bad: the outer waits at the inner set point; inner at a limit: its direction is reported blocked."""
    line = Cascade()
    line.settle_in_cascade()
    out = line.inner.tick(LoopInputs(1.0, bad(), cascade_sp=line.last[0]))
    assert out.holding
    assert out.downstream.in_cascade is False
    hot = in_auto(replace(HEATER, sp_rate_per_s=math.inf))
    for _ in range(200):
        out = hot.tick(LoopInputs(1.0, good(100.0)))
    assert (out.output, out.high) == (100.0, True)
    assert (out.downstream.blocks_up, out.downstream.blocks_down) == (True, False)
    cooler = in_auto(replace(HEATER, pid=replace(HEATER.pid, action="direct"), sp_rate_per_s=math.inf))
    for _ in range(200):
        out = cooler.tick(LoopInputs(1.0, good(190.0)))
    assert out.high
    assert (out.downstream.blocks_up, out.downstream.blocks_down) == (False, True)
    clamped = in_auto()
    clamped.tick(LoopInputs(1.0, good(150.0), mode=Mode.CAS, cascade_sp=150.0))
    assert clamped.tick(LoopInputs(1.0, good(150.0), cascade_sp=400.0)).downstream.blocks_up


def test_item_17_in_a_loop_bad_pv_holds_then_safe_and_one_good_sample_recovers() -> None:
    """17. HOLD: output frozen at most hold_s; then SAFE is demanded, the loop is in MAN and writes nothing."""
    loop = in_auto(sp=155.0)
    before = loop.tick(LoopInputs(1.0, good(150.0)))
    for n in range(1, 31):
        out = loop.tick(LoopInputs(1.0, bad()))
        assert (out.op, out.holding, out.safe, out.bad_s) == (before.output, True, False, float(n))
        assert len(out.events) == (1 if n == 1 else 0)
    good_again = loop.tick(LoopInputs(1.0, good(150.0)))
    assert not good_again.holding
    assert good_again.output == pytest.approx(before.output, abs=1e-9)

    for _ in range(31):
        out = loop.tick(LoopInputs(1.0, bad()))
    assert (out.op, out.mode, out.safe, out.holding) == (None, Mode.MAN, True, False)
    assert "safe outputs demanded" in out.events[0]
    out = loop.tick(LoopInputs(1.0, bad(), mode=Mode.AUTO))
    assert "PV is not good" in out.refused[0]
    assert out.safe
    for _ in range(10):  # good again: it does not start by itself, and follows what the actuator was put to
        out = loop.tick(LoopInputs(1.0, good(140.0), readback=good(0.0)))
        assert (out.op, out.mode, out.safe) == (None, Mode.MAN, True)
    assert out.output == 0.0
    out = loop.tick(LoopInputs(1.0, good(140.0), mode=Mode.AUTO, readback=good(0.0)))
    assert (out.op, out.safe, out.mode) == (0.0, False, Mode.AUTO)


@pytest.mark.parametrize("absurd", [1e308, -1e308, 1e30])
def test_item_17_a_good_but_absurd_pv_counts_as_lost_and_leads_to_safe(absurd: float) -> None:
    """17. What the PID cannot use is held for at most hold_s too, however GOOD its quality says it is."""
    loop = in_auto(sp=155.0)
    before = loop.tick(LoopInputs(1.0, good(150.0)))
    for n in range(1, 31):
        out = loop.tick(LoopInputs(1.0, good(absurd)))
        assert (out.op, out.holding, out.doubt, out.bad_s) == (before.output, True, "absurd", float(n))
    out = loop.tick(LoopInputs(1.0, good(absurd)))
    assert (out.op, out.mode, out.safe) == (None, Mode.MAN, True)
    fallback = in_auto(replace(HEATER, on_bad_pv=OnBadPv.FALLBACK, fallback_op=20.0, hold_s=5.0))
    for _ in range(40):
        out = fallback.tick(LoopInputs(1.0, good(absurd)))
    assert (out.op, out.holding) == (pytest.approx(20.0), True)
    assert fallback.tick(LoopInputs(1.0, good(150.0))).holding is False


@pytest.mark.parametrize("action", list(OnBadPv))
def test_item_18_what_follows_a_lost_pv_is_chosen_per_loop_and_logged(action: OnBadPv) -> None:
    """18. Action after the hold: safe, manual or fallback, chosen per loop, one event each."""
    settings = replace(HEATER, on_bad_pv=action, fallback_op=20.0, hold_s=5.0)
    loop = in_auto(settings, op=60.0)
    events: list[str] = []
    for _ in range(50):
        out = loop.tick(LoopInputs(1.0, bad(Status.BAD_SENSOR_FAILURE)))
        events += out.events
    assert len(events) == 2
    expected = {
        OnBadPv.SAFE: (None, Mode.MAN, True, 60.0),
        OnBadPv.MANUAL: (None, Mode.MAN, False, 60.0),
        OnBadPv.FALLBACK: (20.0, Mode.AUTO, False, 20.0),
    }[action]
    assert (out.op, out.mode, out.safe, out.output) == (*expected[:3], pytest.approx(expected[3], abs=1e-6))


def test_item_18_range_rate_and_spike() -> None:
    """18. Out of range is BAD; a spike is refused for two samples, then UNCERTAIN; a real new level is believed."""
    assert in_range(5.0, 0.0, 10.0)
    assert not in_range(math.nan, 0.0, 10.0)
    assert not is_spike(5.0, math.nan, 1.0, 1.0)
    watch = PvWatch(low=0.0, high=40.0, rate_per_s=0.5)

    def run(values: list[float]) -> list[str]:
        state, words = WatchState(), []
        for value in values:
            sample, state, why = watch_pv(watch, state, good(value), 1.0)
            assert sample.is_good is (why == "")
            assert math.isnan(sample.number) is (why != "")
            words.append(why)
        return words

    assert run([12.0, 12.2, 20.0, 12.3, 12.1]) == ["", "", "spike", "", ""]
    assert run([12.0, 41.0, -0.1, 12.0]) == ["", "range", "range", ""]
    assert run([12.0] + [14.0] * 5) == ["", "spike", "spike", "rate", "", ""]
    sample, _, _ = watch_pv(watch, WatchState(), good(99.0), 1.0)
    assert sample == Sample(None, Status.BAD_OUT_OF_RANGE, 0.0)


@pytest.mark.parametrize(
    ("noise_sd", "quantum", "tau_s"), [(0.2, 0.0, 0.0), (0.2, 0.01, 0.0), (0.2, 0.1, 0.0), (0.2, 0.01, 5.0)]
)
def test_item_18_flat_line_is_found_fast_and_not_on_a_live_signal(
    noise_sd: float, quantum: float, tau_s: float
) -> None:
    """18. Flat line, noisy and quantised: found within 10 s, fewer than 1 false alarm in 8 h."""
    samples = flat_line_samples(noise_sd, quantum)
    keep = math.exp(-1.0 / tau_s) if tau_s else 0.0
    samples = samples if not tau_s else 2 * samples  # coloured noise repeats more
    assert 2 <= samples <= 10
    watch, state = PvWatch(flat_s=float(samples)), WatchState()
    rng = np.random.default_rng(18)
    white, x, false_alarms = rng.normal(0, noise_sd * math.sqrt(1 - keep * keep), 28_800), 0.0, 0
    for n in range(28_800):
        x = keep * x + white[n]
        value = 12.8 + x + 0.3 * math.sin(n / 400)
        value = round(value / quantum) * quantum if quantum else value
        _, state, why = watch_pv(watch, state, good(value), 1.0)
        false_alarms += why == "stuck"
    assert false_alarms <= 1
    dead = []
    for _ in range(15):
        sample, state, why = watch_pv(watch, state, good(value), 1.0)
        dead.append(why)
    assert dead.index("stuck") < 10
    assert sample.status is Status.UNCERTAIN_SENSOR_NOT_ACCURATE
    moved, state, why = watch_pv(watch, state, good(value + 0.5), 1.0)
    assert (why, moved.is_good) == ("", True)


def test_item_18_when_quantisation_hides_the_noise_no_flat_line_time_is_claimed() -> None:
    """18. A steady PV with coarse steps cannot be told from a dead one: the answer is "not by this" (inf)."""
    assert flat_line_samples(0.02, 0.1) == math.inf
    assert flat_line_samples(0.0, 0.1) == math.inf
    assert flat_line_samples(0.2, 0.1) < flat_line_samples(0.2, 0.3) < math.inf
    for key, value in (("high", -1.0), ("rate_per_s", 0.0), ("flat_s", math.nan), ("flat_band", -1.0)):
        with pytest.raises(ValueError, match=rf"watch\.{key} .*accepted"):
            PvWatch.from_row({"low": 0.0, key: value})
    with pytest.raises(ValueError, match=r"watch\.flt_s is not known"):
        PvWatch.from_row({"flt_s": 3})


def test_item_18_a_stuck_pv_freezes_the_loop_but_does_not_lead_to_safe_by_itself() -> None:
    """18. Stuck: action frozen and flagged for as long as it lasts; goes on at once when the PV lives again."""
    loop = in_auto(sp=155.0)
    loop.settings = replace(loop.settings, watch=PvWatch(flat_s=5.0, low=0.0, high=250.0))
    rng = np.random.default_rng(1)
    for _ in range(20):
        live = loop.tick(LoopInputs(1.0, good(150.0 + float(rng.normal(0, 0.1)))))
    assert not live.holding
    outs = [loop.tick(LoopInputs(1.0, good(150.0))) for _ in range(200)]
    assert outs[-1].doubt == "stuck"
    assert outs[-1].holding
    assert not outs[-1].safe
    assert len({out.output for out in outs[6:]}) == 1
    again = loop.tick(LoopInputs(1.0, good(150.05)))
    assert not again.holding
    assert abs(again.output - outs[-1].output) < 0.2


@pytest.mark.parametrize(
    ("fault", "inputs", "output", "writes", "mode", "safe"),
    [
        ("wire out, 10 s", {"pv": bad()}, 60.0, True, Mode.AUTO, False),
        ("wire out, 40 s", {"pv": bad()}, 60.0, False, Mode.MAN, True),
        ("sensor open, 10 s", {"pv": bad(Status.BAD_SENSOR_FAILURE)}, 60.0, True, Mode.AUTO, False),
        ("sensor open, 40 s", {"pv": bad(Status.BAD_SENSOR_FAILURE)}, 60.0, False, Mode.MAN, True),
        ("NaN on the wire, 10 s", {"pv": good(math.nan)}, 60.0, True, Mode.AUTO, False),
        ("heater trip, 40 s", {"op_available": False, "readback": good(0.0)}, 0.0, False, Mode.AUTO, False),
        (
            "e-stop, 40 s",
            {"op_available": False, "readback": good(0.0), "pv": bad(), "mode": Mode.MAN},
            0.0,
            False,
            Mode.MAN,
            False,
        ),
        (
            "whole station lost, 40 s",
            {"pv": bad(), "readback": bad(), "op_available": False},
            60.0,
            False,
            Mode.AUTO,
            False,
        ),
    ],
)
def test_item_30_table_of_faults_and_outputs(
    fault: str, inputs: dict[str, object], output: float, writes: bool, mode: Mode, safe: bool
) -> None:
    """30. Wire out, sensor open, heater trip, e-stop: each has its stated output, and recovery makes no bump."""
    loop = in_auto(op=60.0)
    seconds = int(fault.rsplit(", ", 1)[1].removesuffix(" s"))
    for _ in range(seconds):
        out = loop.tick(LoopInputs(**{"dt_s": 1.0, "pv": good(150.0), **inputs}))  # type: ignore[arg-type]
    assert out.output == pytest.approx(output, abs=1e-9)
    assert (out.op is not None, out.mode, out.safe) == (writes, mode, safe)
    back = loop.tick(LoopInputs(1.0, good(140.0), readback=good(out.output)))
    assert back.mode is mode  # nothing starts by itself
    assert abs(back.output - out.output) <= 2.0  # at most one step of the rate limit
