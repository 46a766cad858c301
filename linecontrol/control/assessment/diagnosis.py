"""Why a loop swings: too quick a tuning, something outside, a sticking valve; or that it cannot be told. Pure.

All that is looked at is what a history holds: error and output. The mode's damping tells a loop near its limit (it is
stirred up and dies away again and again) from a wave that comes from outside (it goes on as it is); a valve that sticks
is told by the PV, which it explains better than the output itself does, even when a steady wave from outside is granted
to both (see ``valve``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from linecontrol.control.assessment.oscillation import Oscillation, averaged, oscillation
from linecontrol.control.assessment.series import FloatArray
from linecontrol.control.assessment.valve import Sticking, sticking

Verdict = Literal["none", "aggressive tuning", "external", "stiction", "cannot tell"]
VERDICTS: tuple[Verdict, ...] = ("none", "aggressive tuning", "external", "stiction", "cannot tell")

LASTING, DYING, CALM, WELL = 0.012, 0.016, 0.15, 0.22  # damping: a wave that goes on is below; dying, below; no swing
SHARP, BLURRED = 0.97, 0.9  # share of the power in the line: a wave that goes on is above, a dying one below
MANY_CYCLES = 12.0  # that a line's sharpness wants to tell anything
LEFT = 0.8  # of the error that the output leaves, left by a sticking valve
LEFT_BESIDE = 0.86  # the same beside a steady wave: 75 waves from outside 0.93 or more, 45 sticking valves up to 0.78
GAINED = 0.01  # of the PV's variance that it explains beyond the output
FOLLOWED = 0.45  # of the PV's variance, explained through the valve, at least
PLAIN_LEFT, PLAIN_GAINED, PLAIN_FOLLOWED = 0.45, 0.2, 0.7  # the same three where nothing swings regularly
FEWEST_CYCLES = 5.0
PER_PERIOD = 32  # samples to a period for the comparison of valves
MOST_SAMPLES = 6000
AT_LIMITS = 0.25  # of the time: a swing between the output's limits


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A verdict with its reason.

    Attributes:
        verdict: one of ``VERDICTS``. reason: with the figures, as a sentence. what_to_do: next.
        oscillation: None when there was too little to judge. valve: None when no swing was to be explained.
    """

    verdict: Verdict
    reason: str
    what_to_do: str
    oscillation: Oscillation | None = None
    valve: Sticking | None = None


WHAT_TO_DO: dict[Verdict, str] = {
    "none": "Nothing.",
    "aggressive tuning": "Reduce kp to a half or test and tune the loop anew (linecontrol tune).",
    "external": "Leave the gains; look for what swings with this period upstream, or in loops that share its flow.",
    "stiction": "In Manual, move the output by steps of 1 %: when the PV answers in jumps only, mend the valve.",
    "cannot tell": "Assess a longer stretch in automatic, without set-point changes.",
}


def diagnose(error: FloatArray, sp: FloatArray, op: FloatArray, period_s: float, at_limits: float = 0.0) -> Diagnosis:
    """Of one stretch in automatic with good values, evenly sampled every ``period_s`` [s].

    ``at_limits``: share of the time that the output stood at its limits, if it stood at both.
    """
    swing = oscillation(error, op, period_s)
    if swing is None and len(op) and np.ptp(op) == 0.0:
        return _said("cannot tell", f"the output stands at {op[0]:.4g} throughout: was it in automatic at all?", None)
    if swing is None:
        return _said("cannot tell", f"{len(op)} samples in automatic are too few", None)
    if at_limits > AT_LIMITS and swing.again > 0.5:
        text = f"the output swings between its limits ({at_limits:.0%} of the time at them)"
        return _said("aggressive tuning", text, swing)
    if not _swings(swing):
        return _calm(swing, _valve(error + sp, op, swing.period_s / period_s))
    if swing.cycles < FEWEST_CYCLES:
        text = f"it swings with a period of about {swing.period_s:.3g} s, but only {swing.cycles:.1f} times"
        return _said("cannot tell", text, swing)
    if _set_point_swings(sp, error, swing, period_s):
        return _said("external", f"its set point swings with the same period, {swing.period_s:.3g} s", swing)
    valve = _valve(error + sp, op, swing.period_s / period_s)
    if valve is not None and valve.left_beside < LEFT_BESIDE and _sticks(valve, LEFT, GAINED, FOLLOWED):
        text = (
            f"it swings every {swing.period_s:.3g} s, and a valve that sticks by {valve.band:.2g} explains the PV"
            f" better than the output does ({valve.sticking:.0%} against {valve.straight:.0%})"
        )
        return _said("stiction", text, swing, valve)
    return _linear(swing, valve)


def _swings(swing: Oscillation) -> bool:
    return swing.damping < CALM and (swing.is_regular or swing.again > 0.3 or swing.damping < 0.1)


def _sticks(valve: Sticking, left: float, gained: float, followed: float) -> bool:
    return valve.left < left and valve.sticking - valve.straight > gained and valve.sticking > followed


def _calm(swing: Oscillation, valve: Sticking | None) -> Diagnosis:
    if valve is not None and _sticks(valve, PLAIN_LEFT, PLAIN_GAINED, PLAIN_FOLLOWED):
        text = (
            f"it does not swing regularly, yet a valve that sticks by {valve.band:.2g} explains the PV far better than"
            f" the output does ({valve.sticking:.0%} against {valve.straight:.0%})"
        )
        return _said("stiction", text, swing, valve)
    if swing.damping < WELL and swing.again > 0.25 and swing.cycles >= FEWEST_CYCLES:
        return _said("cannot tell", f"it swings a little (damping {swing.damping:.2f})", swing)
    return _said("none", f"no regular swing (damping of its slowest mode {swing.damping:.2f})", swing)


def _linear(swing: Oscillation, valve: Sticking | None) -> Diagnosis:
    many = swing.cycles > MANY_CYCLES
    if swing.sharpness > SHARP and (swing.damping < LASTING or many):
        text = f"a steady wave of {swing.period_s:.3g} s that does not die away (damping {swing.damping:.3f})"
        return _said("external", text, swing, valve)
    if swing.damping > DYING or (many and swing.sharpness < BLURRED):
        text = f"swings of {swing.period_s:.3g} s are stirred up and die away slowly (damping {swing.damping:.3f})"
        return _said("aggressive tuning", text, swing, valve)
    text = f"it swings every {swing.period_s:.3g} s, but neither quite steadily nor dying away"
    return _said("cannot tell", text, swing, valve)


def _set_point_swings(sp: FloatArray, error: FloatArray, swing: Oscillation, period_s: float) -> bool:
    if float(np.std(sp)) < 0.3 * float(np.std(error)):
        return False
    own = oscillation(error, sp, period_s)
    return own is not None and own.again > 0.5 and abs(own.period_s / swing.period_s - 1.0) < 0.15


def _valve(pv: FloatArray, op: FloatArray, period: float) -> Sticking | None:
    """None when the stretch holds too few periods."""
    every = max(1, int(period / PER_PERIOD))
    y, u = averaged(pv, every)[-MOST_SAMPLES:], averaged(op, every)[-MOST_SAMPLES:]
    return sticking(y, u, period / every) if len(y) * every > FEWEST_CYCLES * period else None


def _said(verdict: Verdict, reason: str, swing: Oscillation | None, valve: Sticking | None = None) -> Diagnosis:
    return Diagnosis(verdict, reason, WHAT_TO_DO[verdict], swing, valve)
