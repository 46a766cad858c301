"""What an actuator that makes no small moves does to a loop: a coarse valve, a heater's slots, a stem that sticks.

Between the two outputs it can hold, a loop with integral action goes to and fro for ever; gains change how fast, hardly
how far. So it is told before they are applied, and a test must move by much more than the actuator's grain.
"""

from __future__ import annotations

from linecontrol.control.tuning.models import Process

LEAST_MOVES = 5.0
"""A test's move is at least so many of the smallest: its size is then known to a fifth."""


def swing(process: Process, smallest_move: float) -> float:
    """How far the PV goes to and fro, peak to peak, whatever the gains [PV unit]; an estimate.

    Self-regulating: between the levels of two neighbouring outputs, |K| q. Integrating: at their mean rate, half of
    |K| q, for the delay and lags on either side of each turn.
    """
    levels = abs(process.gain) * smallest_move
    return levels * (process.t1_s + process.t2_s + process.delay_s) if process.integrating else levels


def warning(process: Process, smallest_move: float) -> str:
    """The same as a sentence; empty for an actuator that makes any move."""
    if smallest_move <= 0.0:
        return ""
    return (
        f"the actuator makes no move below {smallest_move:.3g}: the PV will go to and fro by about"
        f" {swing(process, smallest_move):.2g} whatever the gains; only a finer actuator or a repaired valve betters"
        " that"
    )


def least_size(smallest_move: float) -> float:
    """The smallest move of a test [output unit]."""
    return LEAST_MOVES * smallest_move
