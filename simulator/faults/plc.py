"""Troubles of the PLC itself: its program, its memory, its clock, and people at its panel."""

from __future__ import annotations

import logging

from simulator.faults.arguments import Stamped, TagValue
from simulator.faults.kind import Kind
from simulator.faults.scene import Scene, Target, Undo
from simulator.faults.wire import unplug
from simulator.plc import Answer

_log = logging.getLogger(__name__)
_TEN_YEARS_S = 315_576_000.0


def reboot(scene: Scene, _argument: None) -> Undo:
    """The cabinet loses power for a moment: connections break, all registers come back as after a cold start.

    The start number is one up, the sequence counter starts again, outputs are safe and the station does not run. With a
    duration the cabinet stays dark that long.
    """
    undo = unplug(scene.target)
    restart(scene.target)
    return undo


def freeze(scene: Scene, _argument: None) -> Undo:
    """The PLC program stands still, and its communication does not notice: it goes on to answer.

    All readings are the old ones, and so is the sequence counter; on OPC UA the time stamps are old, too. Outputs stay
    as they were, whatever is written, and no watchdog of this PLC trips any more.
    """
    target = scene.target
    lift_outputs = scene.site.overlays.lay(target, "held", target.plc.outputs())
    lift_clock = scene.site.overlays.lay(target.wire, "is_clock_held", True)

    async def undo() -> None:
        await lift_outputs()
        await lift_clock()

    return undo


def ignore_writes(scene: Scene, _argument: None) -> Undo:
    """The key switch on the cabinet is turned to LOCAL: writes are acknowledged and change nothing.

    Only a read-back shows it. Heartbeat and owner are still taken, so the watchdog stays content.
    """
    return scene.lay(scene.target.plc, "ignore_writes", True)


def external_write(scene: Scene, argument: tuple[str, float]) -> Undo:
    """Someone at the local panel changes a set point behind the controller's back.

    The register simply shows another value than the one last written over the wire; nothing else tells.
    """
    name, value = argument
    if (answer := scene.target.plc.write(name, value)) is not Answer.DONE:
        _log.warning("external-write %s=%g: the PLC says %s", name, value, answer.value)
    return None


def clock_jump(scene: Scene, ahead_s: float) -> Undo:
    """The device's clock jumps: its battery is flat, or somebody set the time zone by hand.

    On OPC UA the source time stamps of all values are off by that much, the values themselves are right and fresh. A
    controller that trusted them would take fresh values for old ones, or wait for a time that has been. Modbus carries
    no time stamps: nobody could see such a fault there, and it is refused.
    """
    return scene.lay(scene.target.wire, "clock_ahead_s", ahead_s)


def restart(target: Target) -> None:
    """Cold start; it ends a standstill of the program, too."""
    target.plc.reboot()
    target.held = None
    target.wire.is_clock_held = False


KINDS = (
    Kind("reboot", reboot, "reboot:grinding@900", is_momentary=True),
    Kind("freeze", freeze, "freeze:drying@900+20"),
    Kind("ignore-writes", ignore_writes, "ignore-writes:screening@900+60"),
    Kind(
        "external-write",
        external_write,
        "external-write:screening:SC-101=33.5@900",
        argument=TagValue(),
        is_momentary=True,
    ),
    Kind(
        "clock-jump",
        clock_jump,
        "clock-jump:drying:-3600@900+300",
        argument=Stamped("SECONDS", "s", 3600.0, -_TEN_YEARS_S, _TEN_YEARS_S),
    ),
)
