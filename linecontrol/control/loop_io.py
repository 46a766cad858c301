"""What goes into a loop each tick, and what comes out. Only records."""

from __future__ import annotations

from typing import NamedTuple

from linecontrol.control.forms import IsaGains
from linecontrol.control.loop_settings import Mode
from linecontrol.control.pid import Terms
from linecontrol.core.model import Sample


class Downstream(NamedTuple):
    """The inner loop as its outer loop must see it.

    Attributes:
        in_cascade: the inner loop follows our output now. While False, we follow it instead.
        sp: the set point from which it would start, or works with [our output unit].
        blocks_up, blocks_down: raising or lowering its set point further would change nothing.
    """

    in_cascade: bool
    sp: float
    blocks_up: bool = False
    blocks_down: bool = False


class LoopInputs(NamedTuple):
    """One tick's inputs. ``mode``, ``sp``, ``op``, ``gains`` and the limits are *commands*, given once (None = none).

    Attributes:
        dt_s: line time since the last tick [s], > 0.
        pv: the measurement, as it may be acted on now.
        cascade_sp: ``output`` of the outer loop [PV unit].
        program_sp: set point of a program, for REMOTE on a loop without ratio [PV unit].
        ratio: latest sample of the ratio's tag.
        downstream: the inner loop; None when the output is an actuator.
        readback: what the actuator says its output is [output unit].
        op_available: False while something else holds the actuator (PLC trip, local switch, safe outputs, e-stop):
            the loop then writes nothing and follows the read-back.
        applied: what a selector really passed on last tick [output unit].
        feedforward: [output unit]; None = off.
        override: output of another algorithm that decides in AUTO instead of the PID, within the loop's limits and
            rate; the PID tracks it, so that it goes on from there when it ends (None, NaN) [output unit].
        lead: a test moves the output there, at the output's rate [output unit]; None = no test. Mode, set point and
            gains stay as they are meanwhile, and the PID goes on from where the output was led to.
    """

    dt_s: float
    pv: Sample
    mode: Mode | None = None
    sp: float | None = None
    op: float | None = None
    gains: IsaGains | None = None
    op_limits: tuple[float, float] | None = None
    sp_limits: tuple[float, float] | None = None
    cascade_sp: float | None = None
    program_sp: float | None = None
    ratio: Sample | None = None
    downstream: Downstream | None = None
    readback: Sample | None = None
    op_available: bool = True
    applied: float | None = None
    feedforward: float | None = None
    override: float | None = None
    lead: float | None = None


class LoopOutput(NamedTuple):
    """One tick's result.

    Attributes:
        op: write this to the op tag [output unit]; None = do not write.
        output: present output, written or followed [output unit]; always finite. The inner loop's ``cascade_sp``.
        mode: mode after this tick.
        sp: working set point, after limits and ramp [PV unit]; sp_target: where it is going.
        pv: measurement used [PV unit]; NaN when it was not believed.
        holding: PV bad (or stuck) while in control: output and integral are frozen.
        bad_s: for how long the PV has been bad while in control [s].
        doubt: why the PV is not believed: "", "quality", "range", "spike", "rate", "stuck", "absurd".
        safe: the hold has expired: put the station to its safe outputs and hold the run. Stays until a mode command.
        following: the output follows the inner loop or the actuator, since neither listens to us now.
        source_bad: the set-point source is bad; the set point is held.
        high, low, rate: that limit holds the output.
        downstream: this loop as its outer loop must see it.
        events: what changed by itself, one sentence each, for the journal.
        refused: commands not taken, each with what is accepted.
        led: a test moves the output now. overridden: another algorithm decided it; the PID only tracked.
    """

    op: float | None
    output: float
    mode: Mode
    sp: float
    sp_target: float
    pv: float
    holding: bool
    bad_s: float
    doubt: str
    safe: bool
    following: bool
    source_bad: bool
    high: bool
    low: bool
    rate: bool
    terms: Terms
    downstream: Downstream
    events: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    led: bool = False
    overridden: bool = False
