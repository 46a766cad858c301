"""A test on a running loop as a pure state machine: samples in, where the output should be out. No clock, no I/O.

| stage | the output | ends |
|---|---|---|
| rest | is the loop's own; noise and drift are measured | at rest: moving; not within ``patience_s``: refused |
| still | held where it was in the mean | after ``still_s`` |
| moving | as the kind of test has it, within its limits, at its rate | the moves are over: settling |
| settling | back where it was; the PV is recorded on its way back | near its start, or for as long as the moves took |
| returning | on its way back to where it was | it is there |

A limit, the time, a bad PV or a person ends it from every stage by way of *returning*. When the loop itself is taken
away (safe outputs, a mode command, the actuator lost) it ends at once and moves nothing: others move the output then.
The caller gives the loop back in any case; it never left its mode, set point and gains.
"""

from __future__ import annotations

import math
from math import isfinite

import numpy as np

from linecontrol.control.setpoint import clamp, ramp
from linecontrol.control.tuning.moves import Doublet, Kind, Pattern, Relay, Rooms, Step
from linecontrol.control.tuning.plan import End, Stage, TestPlan, TestRecord
from linecontrol.control.tuning.rest import FEWEST_AT_REST, Rest, watch_rest, why_not_at_rest

PATIENCE = 3  # bad PVs in a row that are waited out
RESTING_MOVES = 0.8  # of the test's size: so much may the output move while the PV is said to be at rest
STILL_SHARE = 0.5  # of rest_s: so long the output is held before the first move; the record of a fit begins there
KEPT_SDS = 3.0  # of the PV's noise: so far within the absolute limits the test stays
ROOM_SDS = 6.0  # of the PV's noise: so wide is a PV limit that nobody has set, at least
BACK_SHARE = 0.1  # of the largest excursion: so near its start, the PV counts as back
THERE = 1e-6  # of the size: so near, the output counts as back
SPENT_SHARE = 0.5  # of the time limit that a single leg may take


class LiveTest:
    """One test. ``tick`` is deterministic: the same samples give the same moves. Not thread-safe."""

    def __init__(self, plan: TestPlan) -> None:
        self.plan = plan
        self.stage, self.end, self.reason = Stage.REST, End.NOT_YET, ""
        self.record = TestRecord()
        self.rest: Rest | None = None
        self.base = math.nan  # the output that is returned to [output unit]
        self.started_s = math.nan
        self._now_s = math.nan
        self._since_s = math.nan  # the present stage's begin
        self._first_move_s = math.nan
        self._moves_took_s = 0.0
        self._pattern: Pattern | None = None
        self._bad = 0
        self._recent: list[float] = []
        self._from = math.nan  # the PV just before the first move [PV unit]
        self._room = plan.pv_limit
        self._peak = 0.0
        self._why_not = "there were not enough samples"
        self._pending: tuple[float, float, bool] | None = None

    @property
    def text(self) -> str:
        """What it does now, for a person."""
        if self.stage is Stage.MOVING and self._pattern is not None:
            return self._pattern.text
        return _TEXTS[self.stage]

    @property
    def is_ended(self) -> bool:
        return self.stage is Stage.ENDED

    def fitted_part(self) -> TestRecord:
        """What a fit looks at: from where the output was held still, to where the test ended."""
        r = self.record
        first = int(np.searchsorted(r.t_s, self._first_move_s - self._still_s()))
        return TestRecord(r.t_s[first:], r.op[first:], r.pv[first:], r.limited[first:])

    def pv_limits(self) -> tuple[float, float]:
        """The PV's limits in force [PV unit]; those of the plan alone before it was at rest."""
        low, high = self.plan.pv_low, self.plan.pv_high
        if self.rest is None:
            return low, high
        kept = KEPT_SDS * self.rest.noise_sd
        return max(low + kept, self.rest.mean - self._room), min(high - kept, self.rest.mean + self._room)

    def tick(self, t_s: float, pv: float, op: float, dt_s: float, *, limited: bool = False) -> float | None:
        """One sample.

        Args:
            t_s: time [s], rising. pv: PV [PV unit], NaN when it is not GOOD. op: present output [output unit].
            dt_s: since the last tick [s], > 0. limited: the output, or that of an inner loop, is at a limit.

        Returns:
            where the output should be now [output unit]; None = the loop has its output to itself.
        """
        if self.is_ended:
            return None
        if self.started_s != self.started_s:
            self.started_s = self._since_s = t_s
        self._now_s = t_s
        self._note(op)
        self._pending = (t_s, pv, limited)
        self._judge(t_s, pv)
        if self.stage is Stage.REST:
            self._watch(t_s, op)
            return None
        if self.stage is Stage.STILL:
            return self._hold_still(t_s, op, dt_s)
        if self.stage is Stage.MOVING:
            return self._move(t_s, pv, op, dt_s)
        if self.stage is Stage.SETTLING:
            return self._settle(t_s, pv, op, dt_s)
        return self._return(t_s, op, dt_s) if self.stage is Stage.RETURNING else None

    def abort(self, reason: str, *, let_go: bool = False) -> None:
        """End it. ``let_go``: at once, without moving the output back. The first reason is kept."""
        if self.is_ended:
            return
        if self.end is End.NOT_YET:
            self.end, self.reason = End.ABORTED, reason
        moved = self.stage is not Stage.REST
        self._go(Stage.RETURNING if moved and not let_go else Stage.ENDED, self._now_s)

    # --- stages ------------------------------------------------------------------------------------------------------

    def _go(self, stage: Stage, t_s: float) -> None:
        self.stage, self._since_s = stage, t_s

    def _note(self, op: float) -> None:
        """The sample before this one, with the output that really followed it."""
        if self._pending is not None:
            t_s, pv, limited = self._pending
            r = self.record
            r.t_s.append(t_s)
            r.op.append(op)
            r.pv.append(pv)
            r.limited.append(limited)

    def _judge(self, t_s: float, pv: float) -> None:
        """What ends a test by itself."""
        if self.stage is Stage.RETURNING:
            return
        if not isfinite(pv):
            self._bad += 1
            if self.stage is Stage.REST:
                self._refuse("the PV is not GOOD")
            elif self._bad > PATIENCE:
                self.abort(f"the PV was not GOOD for {self._bad} samples in a row")
            return
        self._bad = 0
        self._recent = [*self._recent[-2:], pv]
        low, high = self.pv_limits()
        middle = float(np.median(self._recent))  # of three: one noisy sample ends nothing
        if self.stage is Stage.REST:
            if not low <= middle <= high:
                self._refuse(f"the PV {middle:.4g} is outside its limits {low:.4g} to {high:.4g}")
        elif not low <= middle <= high:
            self.abort(f"the PV {middle:.4g} left its limits {low:.4g} to {high:.4g}")
        elif t_s - self._first_move_s > self.plan.longest_s and self.stage is Stage.MOVING:
            self.abort(f"the time limit of {self.plan.longest_s:g} s was reached ({self.text})")

    def _refuse(self, reason: str) -> None:
        self.end, self.reason = End.REFUSED, reason
        self._go(Stage.ENDED, self._now_s)

    def _watch(self, t_s: float, op: float) -> None:
        """Look only. The judgement is on the last ``rest_s``, and made a few times in it."""
        waited = t_s - self.started_s
        if waited < self.plan.rest_s:
            return
        if t_s - self._since_s < 0.1 * self.plan.rest_s:
            return
        self._since_s = t_s
        self._why_not = self._unrest(t_s, op)
        if not self._why_not:
            self._go(Stage.STILL, t_s)
        elif waited >= self.plan.patience_s:
            self._refuse(self._why_not)

    def _unrest(self, t_s: float, op: float) -> str:
        """Why the test cannot begin; "" when it can, and then what it starts from is known."""
        plan, r = self.plan, self.record
        first = int(np.searchsorted(r.t_s, t_s - plan.rest_s))
        times, pvs, ops = r.t_s[first:], r.pv[first:], r.op[first:]
        if len(times) < FEWEST_AT_REST:
            return f"{len(times)} samples in {plan.rest_s:g} s are too few (accepted: {FEWEST_AT_REST} or more)"
        if any(r.limited[first:]):
            return "the loop's output (or that of its inner loop) is at a limit, so that it cannot answer"
        rest = watch_rest(times, pvs)
        wanted = max(plan.pv_limit, min(ROOM_SDS * rest.noise_sd, plan.widest_pv_limit))
        low, high = plan.pv_low + KEPT_SDS * rest.noise_sd, plan.pv_high - KEPT_SDS * rest.noise_sd
        rooms = min(wanted, rest.mean - low), min(wanted, high - rest.mean)
        if min(rooms) <= 0.0:
            return f"the PV {rest.mean:.4g} is too near one of its limits {low:.4g} to {high:.4g}"
        # A step's answer needs room on its own side only
        need = rooms[plan.size * plan.sign > 0.0] if plan.kind is Kind.STEP else min(rooms)
        why = why_not_at_rest(rest, need, ramps=plan.kind is Kind.DOUBLET)
        if why and need < wanted:
            why += f"; its limits {low:.4g} to {high:.4g} are near, so another set point will help"
        if why:
            return why
        base = float(np.mean(ops))
        if max(ops) - min(ops) > RESTING_MOVES * abs(plan.size) or abs(op - base) > RESTING_MOVES * abs(plan.size):
            moved = max(ops) - min(ops)
            return (
                f"the output is not at rest: it moved by {moved:.3g} in {plan.rest_s:g} s (accepted:"
                f" {RESTING_MOVES * abs(plan.size):.3g}); wait, or put the loop in Man"
            )
        size = plan.size
        if not plan.op_low <= base + size <= plan.op_high and plan.kind is Kind.STEP:
            size = -size
        ends = (base + size,) if plan.kind is Kind.STEP else (base - abs(size), base + abs(size))
        if not all(plan.op_low <= end <= plan.op_high for end in ends):
            return f"the output {base:.4g} has no room for {size:+.4g} within {plan.op_low:g} to {plan.op_high:g}"
        self.rest, self.base, self._room = rest, base, wanted
        self._pattern = self._pattern_of(rest, rooms, size)
        return ""

    def _pattern_of(self, rest: Rest, rooms: Rooms, size: float) -> Pattern:
        plan = self.plan
        shortest_s, leg_s = STILL_SHARE * plan.rest_s, SPENT_SHARE * plan.longest_s
        if plan.kind is Kind.STEP:
            return Step(size, rest.noise_sd, rooms, shortest_s, leg_s)
        if plan.kind is Kind.DOUBLET:
            leg_s = min(0.8 * leg_s, 0.4 * plan.longest_s / plan.periods)
            rate = plan.op_rate_per_s
            return Doublet(size, rest.noise_sd, rooms, self.drift_per_s(), plan.periods, shortest_s, leg_s, rate)
        return Relay(size, rest.noise_sd, rooms, plan.sign, plan.periods, 5.0 * shortest_s, plan.longest_s)

    def _led(self, target: float, op: float, dt_s: float) -> float:
        plan = self.plan
        aim = clamp(target, plan.op_low, plan.op_high)
        return ramp(op, aim, plan.op_rate_per_s, plan.op_rate_per_s, dt_s)

    def _hold_still(self, t_s: float, op: float, dt_s: float) -> float:
        if t_s - self._since_s >= self._still_s():
            self._go(Stage.MOVING, t_s)
            self._first_move_s = t_s
            held = [pv for pv in self.record.pv[-max(5, len(self.record.pv) // 8) :] if isfinite(pv)]
            self._from = float(np.median(held)) if held else math.nan
        return self._led(self.base, op, dt_s)

    def _still_s(self) -> float:
        return STILL_SHARE * self.plan.rest_s

    def _away(self, t_s: float, pv: float) -> float:
        """PV less where it was at the first move, and less its own drift [PV unit]."""
        if self.rest is None:
            return math.nan
        return pv - self._from - self.drift_per_s() * (t_s - self._first_move_s)

    def drift_per_s(self) -> float:
        """The process's own [PV unit/s]. A loop in control holds its PV against any load: held at the output it had in
        the mean, there is no drift to allow for."""
        return 0.0 if self.plan.in_control or self.rest is None else self.rest.drift_per_s

    def _move(self, t_s: float, pv: float, op: float, dt_s: float) -> float:
        if self._pattern is None:
            raise AssertionError("moves without a pattern")
        away = self._away(t_s, pv)
        self._peak = max(self._peak, abs(away)) if away == away else self._peak
        offset = self._pattern.offset(t_s - self._first_move_s, away, op - self.base, dt_s)
        if self._pattern.failed:
            self.abort(self._pattern.failed)
            return self._led(self.base, op, dt_s)
        if offset is None:
            self._moves_took_s = t_s - self._first_move_s
            self._go(Stage.SETTLING, t_s)
            offset = 0.0
        return self._led(self.base + offset, op, dt_s)

    def _settle(self, t_s: float, pv: float, op: float, dt_s: float) -> float:
        waited, away = t_s - self._since_s, self._away(t_s, pv)
        noise = 0.0 if self.rest is None else self.rest.noise_sd
        longest_s = self._moves_took_s / (1 if self.plan.kind is Kind.STEP else self.plan.periods)
        near = abs(away) <= max(BACK_SHARE * self._peak, 2.0 * noise)
        if waited >= longest_s or (near and waited >= 0.3 * longest_s):
            self.end, self.reason = End.DONE, "the moves were made"
            self._go(Stage.RETURNING, t_s)
        return self._led(self.base, op, dt_s)

    def _return(self, t_s: float, op: float, dt_s: float) -> float | None:
        size = abs(self.plan.size)
        longest_s = 10.0 * dt_s + 4.0 * size / self.plan.op_rate_per_s
        if abs(op - self.base) <= THERE * size or t_s - self._since_s > longest_s:
            self._go(Stage.ENDED, t_s)
            return None
        return self._led(self.base, op, dt_s)


_TEXTS = {
    Stage.REST: "watching the loop at rest",
    Stage.STILL: "output held still",
    Stage.MOVING: "moving the output",
    Stage.SETTLING: "output back; the PV settles",
    Stage.RETURNING: "output on its way back",
    Stage.ENDED: "ended",
}
