"""A relay test as a pure state machine, and its evaluation. No clock, no I/O: times and PVs in, outputs out.

The output is switched between centre + up and centre - down (unlike, so that the static gain can be told) when the PV
leaves a band of hysteresis about the set point. Evaluated is the *whole record*, by least squares with a constant load
and an unknown start, never by the formula of the switching times' asymmetry: that one silently gives wrong, even
negative, gains when a load acts during the test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite

import numpy as np

from linecontrol.control.pid_settings import Action
from linecontrol.control.tuning.identification import Identified, identify
from linecontrol.control.tuning.record import Numbers, Refusal
from linecontrol.control.tuning.times import Times, seconds

WIDEST_RELAY_GAIN = 0.1  # half the 95 % interval of K over K
FEWEST_SWITCHES = 4  # after the first half-period
LOAD_SHIFT = 0.1  # of the PV's range: a mean of the residuals that moves by more is a load
PATIENCE = 3  # bad PVs in a row that are waited out
ADVICE = {
    "not-settled": "record more periods, or make larger moves, unlike to either side (2 : 1)",
    "restless": "wait until the load rests, then repeat with larger moves, unlike to either side (2 : 1)",
}
"""What would do instead where ``identify`` asks for a step or a doublet."""


class Phase(StrEnum):
    """Where a test stands."""

    RUNNING = "running"
    DONE = "done"  # as many periods as asked for
    ABORTED = "aborted"  # by a limit, by time, by a bad PV or by a person; the output is back at the centre


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """What a person sets. Raises ValueError naming field and accepted range.

    Attributes:
        centre: output before and after the test [output unit]. up, down: moves to either side [output unit], > 0,
            best unlike, such as 2 : 1. op_low, op_high: output limits; the moves must fit.
        pv_centre: the PV the test turns about [PV unit], about where it rests. hysteresis: half-band [PV unit], > 0,
            at least 3 standard deviations of the noise. pv_low, pv_high: PV limits; beyond, the test is aborted.
        action: of the loop; "reverse" = a larger output raises the PV.
        periods: full ones to record after the first half-period, 2 to 20. longest_s: time limit [s], > 0.
    """

    centre: float
    up: float
    down: float
    op_low: float
    op_high: float
    pv_centre: float
    hysteresis: float
    pv_low: float
    pv_high: float
    action: Action = "reverse"
    periods: int = 4
    longest_s: float = 3600.0

    def __post_init__(self) -> None:
        room_up, room_down = self.op_high - self.centre, self.centre - self.op_low
        _accept("up", self.up, 0.0 < self.up <= room_up, f"above 0, up to {room_up:g}")
        _accept("down", self.down, 0.0 < self.down <= room_down, f"above 0, up to {room_down:g}")
        _accept("hysteresis", self.hysteresis, 0.0 < self.hysteresis < math.inf, "above 0, finite")
        lowest, highest = self.pv_centre - self.hysteresis, self.pv_centre + self.hysteresis
        _accept("pv_low", self.pv_low, self.pv_low < lowest, f"below pv_centre less hysteresis, {lowest:g}")
        _accept("pv_high", self.pv_high, self.pv_high > highest, f"above pv_centre plus hysteresis, {highest:g}")
        _accept("periods", self.periods, 2 <= self.periods <= 20, "2 to 20")
        _accept("longest_s", self.longest_s, 0.0 < self.longest_s < math.inf, "above 0 s, finite")


def _accept(name: str, value: object, ok: bool, accepted: str) -> None:
    if not ok:
        raise ValueError(f"{name} {value!r} is not accepted (accepted: {accepted})")


@dataclass(frozen=True, slots=True)
class RelayState:
    """What the test remembers.

    Attributes:
        phase: running, done or aborted. reason: why it ended ("" while it runs). op: output now [output unit].
        switches: so far. started_s: time of the first sample [s], NaN before it. bad: PVs missing in a row.
    """

    phase: Phase = Phase.RUNNING
    reason: str = ""
    op: float = math.nan
    high: bool = True
    switches: int = 0
    started_s: float = math.nan
    bad: int = 0


def start(settings: RelaySettings) -> RelayState:
    """Before the first sample; the output at the centre."""
    return RelayState(op=settings.centre)


def abort(settings: RelaySettings, state: RelayState, reason: str) -> RelayState:
    """End it now; the output goes back to the centre. A test that has ended keeps its first reason."""
    if state.phase is not Phase.RUNNING:
        return state
    return replace(state, phase=Phase.ABORTED, reason=reason, op=settings.centre)


def step(settings: RelaySettings, state: RelayState, pv: float | None, t_s: float) -> tuple[float, RelayState]:
    """One sample: PV [PV unit] (None or NaN = bad) at time ``t_s`` [s]. Returns output [output unit] and new state."""
    if state.phase is not Phase.RUNNING:
        return state.op, state
    if state.started_s != state.started_s:
        state = replace(state, started_s=t_s, op=settings.centre + settings.up)
    if pv is None or not isfinite(pv):
        state = replace(state, bad=state.bad + 1)
        if state.bad > PATIENCE:
            state = abort(settings, state, f"the PV was bad for {state.bad} samples in a row")
        return state.op, state
    state = replace(state, bad=0)
    ended = _ended(settings, state, pv, t_s)
    if ended:
        state = abort(settings, state, ended)
        return state.op, state
    state = _switched(settings, state, pv)
    if state.switches > 2 * settings.periods:
        said = f"{settings.periods} periods recorded"
        state = replace(state, phase=Phase.DONE, reason=said, op=settings.centre)
    return state.op, state


def _ended(settings: RelaySettings, state: RelayState, pv: float, t_s: float) -> str:
    if not settings.pv_low <= pv <= settings.pv_high:
        return f"the PV {pv:g} left its limits {settings.pv_low:g} to {settings.pv_high:g}"
    if t_s - state.started_s > settings.longest_s:
        return f"the time limit of {settings.longest_s:g} s was reached after {state.switches} switches"
    return ""


def _switched(settings: RelaySettings, state: RelayState, pv: float) -> RelayState:
    off = (pv - settings.pv_centre) * (1.0 if settings.action == "reverse" else -1.0)
    if state.high and off > settings.hysteresis:
        return replace(state, high=False, op=settings.centre - settings.down, switches=state.switches + 1)
    if not state.high and off < -settings.hysteresis:
        return replace(state, high=True, op=settings.centre + settings.up, switches=state.switches + 1)
    return state


def identify_relay(
    t_s: Times,
    u: Numbers,
    y: Numbers,
    *,
    good: Sequence[bool] | None = None,
    expected_sign: int | None = None,
    classes: Sequence[str] | None = None,
    widest_gain: float = WIDEST_RELAY_GAIN,
) -> Identified | Refusal:
    """The process behind a relay test, whatever constant load acted on it, or an explicit refusal.

    Arguments as ``identify``. The record may start at rest or not, and may hold the time before and after the test.
    """
    try:
        t, op = seconds(t_s), np.asarray(u, dtype=np.float64)
    except ValueError as error:
        return Refusal("time", str(error))
    known = np.isfinite(op)
    at = t[known][1:][np.diff(op[known]) != 0.0]
    if len(at) < FEWEST_SWITCHES:
        return Refusal("no-step", f"the output switched {len(at)} times (accepted: {FEWEST_SWITCHES} or more)")
    # Up to the second switch the PV still shows outputs from before the record, in its delay.
    skip_s = float(at[1] - t[0]) if len(at) > FEWEST_SWITCHES else float(at[0] - t[0])
    found = identify(
        t,
        u,
        y,
        good=good,
        classes=classes,
        drift=False,
        settling=True,
        skip_s=skip_s,
        expected_sign=expected_sign,
        widest_gain=widest_gain,
        prefer="fopdt",
    )
    if isinstance(found, Refusal):
        return _advised(found)
    moved = _moved_load(found)
    return found if moved is None else moved


def _advised(refused: Refusal) -> Refusal:
    """The same refusal; what would do is told for a relay test, after the reason's last semicolon."""
    wrong, _, _ = refused.reason.rpartition("; ")
    advice = ADVICE.get(refused.code)
    return refused if advice is None or not wrong else replace(refused, reason=f"{wrong}; {advice}")


def _moved_load(found: Identified) -> Refusal | None:
    """A load that moved during the test shows as a mean of the residuals that differs between its halves."""
    rest = found.measured - found.fitted
    half = len(rest) // 2
    jump = abs(float(np.mean(rest[half:]) - np.mean(rest[:half])))
    swing = float(np.ptp(found.measured))
    if jump <= LOAD_SHIFT * swing:
        return None
    return Refusal(
        "drift",
        f"the load moved during the test: the PV's mean shifted by {jump:.3g} that the output does not explain (its"
        f" range is {swing:.3g}); repeat when the process is calm",
    )
