"""Is the loop's action the right way round? Judged from a step of the output, before the loop may run on its own."""

from __future__ import annotations

from math import isfinite

from linecontrol.control.pid_settings import Action, PidSettings

CLEAR = 3.0  # the PV must move by at least this many noise standard deviations to say anything


def right_action(k: float, process_gain: float) -> Action:
    """The action that gives negative feedback for this gain and process gain [PV unit / output unit], both not 0."""
    return "reverse" if k * process_gain > 0.0 else "direct"


def refuse_wrong_sign(settings: PidSettings, op_change: float, pv_change: float, noise_sd: float = 0.0) -> str | None:
    """Why this loop must not be closed, or None when its sign is right.

    Args:
        op_change, pv_change: a step of the output and the settled answer of the PV [output unit, PV unit].
        noise_sd: standard deviation of the PV at rest [PV unit], >= 0.
    """
    if not (isfinite(op_change) and isfinite(pv_change) and isfinite(noise_sd)) or op_change == 0.0:
        return "the step test says nothing: the output did not move, or a value is not a number"
    if pv_change == 0.0 or abs(pv_change) < CLEAR * noise_sd:
        return (
            f"the step test says nothing: the PV moved by {pv_change:g}, which is less than {CLEAR:g} times its noise"
            f" ({noise_sd:g}); repeat with a larger step"
        )
    process_gain = pv_change / op_change
    if settings.gain * process_gain > 0.0:
        return None
    right = right_action(settings.k, process_gain)
    return (
        f"wrong sign: the PV moved by {pv_change:+g} for an output step of {op_change:+g} (process gain"
        f" {process_gain:+g}), so {settings.action} action with k {settings.k:g} drives the PV away from its set point;"
        f" accepted: action {right}"
    )
