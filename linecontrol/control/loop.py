"""A loop as a technician knows it: PID, modes, set-point source and ramp, bad PV, cascade. Pure: time comes in as dt.

It knows no tags, no image and no gate: the line hands it samples and commands, and submits what it wants written.

| situation | output | then |
|---|---|---|
| PV not GOOD, not finite, out of range, spike | held, integral frozen, at most ``hold_s`` | safe / manual / fallback |
| PV stuck (flat line) | held, flagged; does not lead to safe by itself | goes on when it moves again |
| PV good again within ``hold_s`` | goes on within one sample, no bump | |
| actuator not available (trip, local, e-stop) | not written; follows the read-back | goes on from there |
| inner loop not in cascade | not written; follows the inner set point | goes on from there |
| set-point source bad | set point held, at most ``hold_s`` | AUTO at that set point |
| a test leads the output | goes where it is led, at its rate; the set point stays | goes on from there |
| no tick for five periods | held for one tick | goes on from there |
| restart of the program | MAN, nothing written | waits for a command |

A change of mode or set-point source leaves the output where it is in that tick; a change of gains or limits moves it
by no more than the PV's own movement does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from typing import Any

from linecontrol.control.forms import IsaGains
from linecontrol.control.loop_io import Downstream, LoopInputs, LoopOutput
from linecontrol.control.loop_settings import LoopSettings, Mode, OnBadPv
from linecontrol.control.pid import GAP_PERIODS, PidState, Terms, step
from linecontrol.control.pv_watch import WatchState, watch_pv
from linecontrol.control.setpoint import clamp, ramp, wanted_set_point

__all__ = ["Downstream", "Loop", "LoopInputs", "LoopOutput", "LoopSettings", "Mode"]

SETTLE_PERIODS = 5.0  # after an own write the read-back is given this long before it is taken for somebody else's
_SLACK_S = 1e-9  # sums of dt are not exact
_new = tuple.__new__  # builds a record in half the time; every loop makes two in every cycle


class Loop:
    """One loop. ``tick`` is deterministic: same inputs, same outputs, bit for bit. Not thread-safe.

    Starts in MAN and writes nothing until commanded.
    """

    def __init__(self, settings: LoopSettings, output: float = 0.0) -> None:
        self.settings = settings
        self.mode = Mode.MAN
        self.pid = PidState(out=clamp(output, settings.pid.op_low, settings.pid.op_high))
        self.sp = settings.sp_initial  # working set point
        self.sp_local = settings.sp_initial  # what AUTO goes to
        self.op_target = self.pid.out  # what MAN goes to
        self.bad_s = 0.0
        self.source_bad_s = 0.0
        self.unwritten_s = math.inf
        self.safe = False
        self.holding = False
        self.overridden = False  # another algorithm decided the output in this tick
        self.watch = WatchState()
        self._events: list[str] = []
        self._refused: list[str] = []

    def tick(self, x: LoopInputs) -> LoopOutput:
        """One cycle. Raises ValueError when ``x.dt_s`` is not above 0 and finite."""
        if not 0.0 < x.dt_s < math.inf:
            raise ValueError(f"dt_s {x.dt_s} is not accepted (accepted: above 0 s, finite)")
        self._events, self._refused = [], []
        self.overridden = False
        pv, doubt = self._believed_pv(x)
        before = self.mode
        self._take_commands(x, pv)
        following = _follows(x)
        earlier = (self.pid, self.bad_s, self.holding)
        if self.mode is Mode.MAN or following or isfinite(pv):
            self.bad_s, self.holding = 0.0, False
        else:
            self.holding = self._wait_for_pv(x.dt_s, doubt)
        led = x.lead is not None and isfinite(x.lead) and not (following or self.safe or self._expired())
        asked = self.sp if self.holding or led else self._move_set_point(x, pv)
        self.unwritten_s += x.dt_s
        op: float | None
        if following:
            op, terms = self._follow(x, pv)
        elif led and x.lead is not None:
            op, terms = self._lead(x, pv, x.lead)
        elif self.mode is Mode.MAN:
            op, terms = self._manual(x, pv)
        else:
            op, terms = self._control(x, pv, led=self.mode is not before)
            if terms.held and not self.holding:  # the PID could make nothing of this PV: as good as none
                pv, doubt = math.nan, "absurd"
                self.pid, self.bad_s, self.holding = earlier
                self.holding = self._wait_for_pv(x.dt_s, doubt)
                op, terms = self._control(x, pv, led=False) if self.holding else self._manual(x, pv)
        if op is not None:
            self.unwritten_s = 0.0
        return self._output(x, op, terms, pv, doubt, asked, following, led=led)

    # --- measurement and commands ------------------------------------------------------------------------------------

    def _believed_pv(self, x: LoopInputs) -> tuple[float, str]:
        sample, doubt = x.pv, ""
        if self.settings.watch is not None:
            sample, self.watch, doubt = watch_pv(self.settings.watch, self.watch, sample, x.dt_s)
        pv = sample.number
        if isfinite(pv):
            return pv, doubt
        return math.nan, doubt or "quality"

    def _take_commands(self, x: LoopInputs, pv: float) -> None:
        if x.op_limits is not None:
            self._attempt(self.set_op_limits, *x.op_limits)
        if x.sp_limits is not None:
            self._attempt(self.set_sp_limits, *x.sp_limits)
        if x.gains is not None:
            self._attempt(self.set_gains, x.gains)
        if x.mode is not None:
            self._change_mode(x.mode, x, pv)
        if x.sp is not None:
            self._command_sp(x.sp)
        if x.op is not None:
            self._command_op(x.op, x)

    def _attempt(self, change: Callable[..., None], *values: Any) -> None:
        try:
            change(*values)
        except ValueError as error:
            self._refused.append(str(error))

    def set_gains(self, g: IsaGains) -> None:
        """New gains; bumpless."""
        pid = replace(self.settings.pid, k=g.k, ti_s=g.ti_s, td_s=g.td_s, n=g.n, tf_s=None, b=g.b, c=g.c)
        self.settings = replace(self.settings, pid=pid)

    def set_op_limits(self, low: float, high: float) -> None:
        """New output limits; in control the output walks into them at its rate, in MAN it is not moved.

        Raises ValueError and changes nothing when low is not below high, or the fallback output would lie outside.
        """
        pid = replace(self.settings.pid, op_low=float(low), op_high=float(high))
        self.settings = replace(self.settings, pid=pid)
        if self.op_target != self.pid.out:
            self.op_target = clamp(self.op_target, low, high)

    def set_sp_limits(self, low: float, high: float) -> None:
        """Raises ValueError and changes nothing when low is not below high."""
        initial = clamp(self.settings.sp_initial, low, high)
        self.settings = replace(self.settings, sp_low=float(low), sp_high=float(high), sp_initial=initial)
        self.sp_local = clamp(self.sp_local, low, high)

    def _change_mode(self, wanted: Mode, x: LoopInputs, pv: float) -> None:
        """Take a mode command. Any taken mode command also acknowledges a demanded SAFE."""
        if wanted not in tuple(Mode):
            self._refused.append(f"mode {wanted} is not known (accepted: {', '.join(m.name for m in Mode)})")
            return
        wanted = Mode(wanted)
        if self.mode is Mode.MAN and wanted is not Mode.MAN and not isfinite(pv) and x.op_available:
            self._refused.append(f"mode {wanted.name}: the PV is not good (accepted: MAN until it is)")
            return
        if wanted in (Mode.CAS, Mode.REMOTE) and not isfinite(self._asked_sp(wanted, x)):
            self._refused.append(
                f"mode {wanted.name}: its set-point source is missing or not good (accepted: MAN, AUTO)"
            )
            return
        if wanted is not self.mode:
            if self.mode is Mode.MAN and isfinite(self.settings.sp_rate_per_s) and isfinite(pv):
                self.sp = clamp(pv, self.settings.sp_low, self.settings.sp_high)
            self.mode = wanted
        self.op_target = self.pid.out  # also from MAN to MAN: an output under way to its target stops where it is
        self.safe = False
        self.bad_s = self.source_bad_s = 0.0

    def _command_sp(self, sp: float) -> None:
        s = self.settings
        if self.mode in (Mode.CAS, Mode.REMOTE):
            self._refused.append(
                f"set point {sp!r}: it comes from elsewhere in {self.mode.name} (accepted: in MAN or AUTO)"
            )
        elif self.mode is Mode.MAN and s.sp_tracks_pv:
            self._refused.append(f"set point {sp!r}: it follows the PV in MAN (accepted: in AUTO)")
        elif not s.sp_low <= sp <= s.sp_high:
            self._refused.append(f"set point {sp!r} is not accepted (accepted: {s.sp_low:g} to {s.sp_high:g})")
        else:
            self.sp_local = float(sp)

    def _command_op(self, op: float, x: LoopInputs) -> None:
        low, high = self.settings.pid.op_low, self.settings.pid.op_high
        if self.mode is not Mode.MAN:
            self._refused.append(f"output {op!r}: the loop is in {self.mode.name} (accepted: in MAN)")
        elif self.safe:
            self._refused.append(f"output {op!r}: safe outputs are demanded (accepted: after a mode command)")
        elif _follows(x):
            self._refused.append(f"output {op!r}: the actuator or inner loop does not listen to this loop now")
        elif not low <= op <= high:
            self._refused.append(f"output {op!r} is not accepted (accepted: {low:g} to {high:g})")
        else:
            self.op_target = float(op)

    # --- bad PV and set point ----------------------------------------------------------------------------------------

    def _wait_for_pv(self, dt_s: float, doubt: str) -> bool:
        """Count the hold and act when it expires. Returns whether the loop still holds.

        A stuck PV is held without counting: it is doubted, not lost.
        """
        if not self.holding:
            self._events.append(f"output held: PV not believed ({doubt})")
        if doubt == "stuck":
            return True
        s, expired_before = self.settings, self._expired()
        self.bad_s += dt_s
        if not self._expired() or expired_before:
            return True
        if s.on_bad_pv is OnBadPv.FALLBACK:
            self._events.append(f"PV bad for {self.bad_s:g} s: output goes to {s.fallback_op:g}")
            return True
        self.mode, self.op_target = Mode.MAN, self.pid.out
        self.safe = s.on_bad_pv is OnBadPv.SAFE
        then = "safe outputs demanded" if self.safe else "output stays"
        self._events.append(f"PV bad for {self.bad_s:g} s: loop to MAN, {then}")
        return False

    def _expired(self) -> bool:
        return self.bad_s > self.settings.hold_s + _SLACK_S

    def _asked_sp(self, mode: Mode, x: LoopInputs) -> float:
        return wanted_set_point(mode, self.settings, self.sp_local, x.cascade_sp, x.program_sp, x.ratio)

    def _move_set_point(self, x: LoopInputs, pv: float) -> float:
        """Move the working set point. Returns what its source asks for, before limits and ramp."""
        s = self.settings
        if self.mode is Mode.MAN:
            if s.sp_tracks_pv and isfinite(pv):
                self.sp_local = clamp(pv, s.sp_low, s.sp_high)
            ramped = isfinite(s.sp_rate_per_s)
            self.sp = clamp(pv, s.sp_low, s.sp_high) if ramped and isfinite(pv) else self.sp_local
            return self.sp
        asked = self._asked_sp(self.mode, x)
        if isfinite(asked):
            self.source_bad_s = 0.0
        else:
            asked = self.sp
            self.source_bad_s += x.dt_s
            if self.source_bad_s > s.hold_s + _SLACK_S:
                self._events.append(f"set-point source bad for {self.source_bad_s:g} s: {self.mode.name} to AUTO")
                self.mode, self.sp_local, self.source_bad_s = Mode.AUTO, self.sp, 0.0
        dt_s = min(x.dt_s, GAP_PERIODS * s.period_s)
        self.sp = ramp(self.sp, clamp(asked, s.sp_low, s.sp_high), s.sp_rate_per_s, s.sp_rate_per_s, dt_s)
        if self.mode is not Mode.AUTO:
            self.sp_local = self.sp
        return asked

    # --- output ------------------------------------------------------------------------------------------------------

    def _follow(self, x: LoopInputs, pv: float) -> tuple[None, Terms]:
        """Something else moves what our output would move: be where it is."""
        if x.op_available and x.downstream is not None:
            there = x.downstream.sp
        else:
            there = math.nan if x.readback is None else x.readback.number
        terms = self._step(x, pv, track=there)
        self.op_target = self.pid.out
        return None, terms

    def _lead(self, x: LoopInputs, pv: float, lead: float) -> tuple[float, Terms]:
        """A test moves the output: within its limits, at its rate. The PID tracks, so that it can go on at any tick."""
        s = self.settings.pid
        dt_s = min(x.dt_s, GAP_PERIODS * self.settings.period_s)
        aim = clamp(lead, s.op_low, s.op_high)
        aim = ramp(self.pid.out, aim, s.op_rate_up_per_s, s.op_rate_down_per_s, dt_s)
        # Outside limits that were moved the PID walks it in, as in MAN.
        terms = self._step(x, pv, track=aim if s.op_low <= aim <= s.op_high else math.nan)
        self.op_target = self.pid.out
        return self.pid.out, terms

    def _manual(self, x: LoopInputs, pv: float) -> tuple[float | None, Terms]:
        """Go to the commanded output at the output's rate; then write nothing and follow the read-back."""
        s, out = self.settings.pid, self.pid.out
        if self.op_target != out:
            dt_s = min(x.dt_s, GAP_PERIODS * self.settings.period_s)
            aim = ramp(out, self.op_target, s.op_rate_up_per_s, s.op_rate_down_per_s, dt_s)
            # Outside limits that were moved, the PID walks it in: a tracked value would be cut to the limit at once.
            terms = self._step(x, pv, track=aim if s.op_low <= aim <= s.op_high else math.nan)
            return self.pid.out, terms
        if not s.op_low <= out <= s.op_high:
            return None, self._rest(x)
        settled = self.unwritten_s > SETTLE_PERIODS * self.settings.period_s
        there = x.readback.number if settled and x.readback is not None else math.nan
        terms = self._step(x, pv, track=there)
        self.op_target = self.pid.out
        return None, terms

    def _rest(self, x: LoopInputs) -> Terms:
        """In MAN, limits moved past the output do not move the actuator: it walks in once commanded or in control."""
        p = self.pid
        ff = p.ff or 0.0
        self.pid = p._replace(bad_s=p.bad_s + x.dt_s)
        return Terms(p.p, p.i, p.d, ff, p.out - (p.p + p.i + p.d + ff), held=True)

    def _control(self, x: LoopInputs, pv: float, *, led: bool) -> tuple[float, Terms]:
        """The PID's tick. ``led``: mode or source has just changed, so the output stays this once."""
        s, track = self.settings, math.nan if led else None
        if s.on_bad_pv is OnBadPv.FALLBACK and s.fallback_op is not None and self._expired():
            up, down = s.pid.op_rate_up_per_s, s.pid.op_rate_down_per_s
            track = ramp(self.pid.out, s.fallback_op, up, down, min(x.dt_s, GAP_PERIODS * s.period_s))
        elif x.override is not None and isfinite(x.override) and not (led or self.holding):
            return self._overridden(x, pv, x.override)
        terms = self._step(x, pv, track=track)
        self.op_target = self.pid.out
        return self.pid.out, terms

    def _overridden(self, x: LoopInputs, pv: float, asked: float) -> tuple[float, Terms]:
        """Another algorithm's output, under the same limits, rate and downstream blocks; the PID is kept there."""
        self.overridden = True
        s, d, out = self.settings.pid, x.downstream, self.pid.out
        aim = clamp(asked, s.op_low, s.op_high)
        if d is not None and ((d.blocks_up and aim > out) or (d.blocks_down and aim < out)):
            aim = out
        dt_s = min(x.dt_s, GAP_PERIODS * self.settings.period_s)
        there = ramp(out, aim, s.op_rate_up_per_s, s.op_rate_down_per_s, dt_s)
        terms = self._step(x, pv, track=there if s.op_low <= there <= s.op_high else math.nan)
        self.op_target = self.pid.out
        return self.pid.out, terms._replace(high=asked > s.op_high, low=asked < s.op_low, rate=there != aim)

    def _step(self, x: LoopInputs, pv: float, *, track: float | None) -> Terms:
        d = x.downstream
        _, self.pid, terms = step(
            self.settings.pid,
            self.pid,
            self.sp,
            pv,
            x.dt_s,
            feedforward=x.feedforward,
            track=track,
            applied=x.applied,
            block_up=d is not None and d.blocks_up,
            block_down=d is not None and d.blocks_down,
        )
        return terms

    def _output(
        self,
        x: LoopInputs,
        op: float | None,
        terms: Terms,
        pv: float,
        doubt: str,
        asked: float,
        following: bool,
        *,
        led: bool,
    ) -> LoopOutput:
        d, in_control = x.downstream, self.mode is not Mode.MAN and not following and not led
        at_top = in_control and (terms.high or (d is not None and d.blocks_up))
        at_bottom = in_control and (terms.low or (d is not None and d.blocks_down))
        if self.settings.pid.gain < 0.0:  # a higher set point wants a lower output
            at_top, at_bottom = at_bottom, at_top
        inner = (
            self.mode is Mode.CAS and not self.holding and not following and not led,
            self.sp,
            at_top or (in_control and asked > self.sp),
            at_bottom or (in_control and asked < self.sp),
        )
        found = (
            op,
            self.pid.out,
            self.mode,
            self.sp,
            self.sp if self.mode in (Mode.CAS, Mode.REMOTE) else self.sp_local,
            pv,
            self.holding,
            self.bad_s,
            doubt,
            self.safe,
            following,
            self.source_bad_s > 0.0,
            terms.high,
            terms.low,
            terms.rate,
            terms,
            _new(Downstream, inner),
            tuple(self._events),
            tuple(self._refused),
            led,
            self.overridden,
        )
        return _new(LoopOutput, found)


def _follows(x: LoopInputs) -> bool:
    return not x.op_available or (x.downstream is not None and not x.downstream.in_cascade)
