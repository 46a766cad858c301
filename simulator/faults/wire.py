"""Troubles of the wire: what lies between a PLC's communication card and the controller."""

from __future__ import annotations

from dataclasses import replace

from simulator.faults.arguments import FailureCode, ModbusOnly, Number
from simulator.faults.kind import Kind
from simulator.faults.scene import Scene, Target, Undo


def refuse(scene: Scene, _argument: None) -> Undo:
    """Link drop: somebody pulled the plug of the communication card. Connections break and new ones are refused.

    The PLC program itself runs on, misses the heartbeat and trips.
    """
    return unplug(scene.target)


def rst(scene: Scene, _argument: None) -> Undo:
    """A switch restarts or a firewall cleans up: every open connection ends in a reset, once.

    What was on its way is lost, the next attempt to connect succeeds at once. In the log one line, gone in a second.
    """
    reset(scene.target)
    return None


def rst_storm(scene: Scene, every_s: float) -> Undo:
    """Two devices with one IP address, or a scanner in the network: connections are reset again and again.

    Connecting always works, staying connected does not. The trend shows a few points, a gap, a few points.
    """
    due_s = scene.site.time()

    def tick(now_s: float) -> None:
        nonlocal due_s
        if now_s >= due_s:
            due_s = now_s + every_s
            reset(scene.target)

    scene.site.ticks.append(tick)

    async def undo() -> None:
        scene.site.ticks.remove(tick)

    return undo


def silent(scene: Scene, _argument: None) -> Undo:
    """The communication card hangs: connections are accepted and stay open, and nothing is ever answered.

    What was asked meanwhile is lost, not answered late; afterwards the same connection works again. The PLC program
    itself runs on, misses the heartbeat and trips.
    """
    return scene.lay(scene.target.face.gate, "is_silent", True)


def half_open(scene: Scene, _argument: None) -> Undo:
    """The far side vanishes without a goodbye: a mobile router changes its network, a firewall forgets its table.

    Our side of the connection looks open for ever, and nothing comes back over it, not even after the trouble is over:
    only a new connection works then. New ones are accepted and stay mute while it lasts.
    """
    wire = scene.target.wire
    wire.era += 1
    lift = scene.site.overlays.lay(wire, "is_gone", True)

    async def undo() -> None:
        wire.era += 1
        await lift()

    return undo


def slow(scene: Scene, delay_s: float) -> Undo:
    """Every answer comes late: a radio link at its limit, or a card that serves too many clients.

    A delay below the deadline makes old values and slow scans. A longer one makes timeouts, although every request
    was carried out: a write that seems lost has been done.
    """
    return scene.lay(scene.target.wire, "delay_s", delay_s)


def word_order(scene: Scene, _argument: None) -> Undo:
    """Someone exchanged the gateway, or clicked a box in it: 32-bit values come with their words swapped.

    Flows and densities turn into absurd numbers or nothing, totals leap, while 16-bit values stay right. What is
    written in 32 bits arrives swapped, too, though it reads back as written. On OPC UA there are no words to swap.
    """
    station, plc = scene.target.plc.station, scene.target.plc
    swapped = replace(station.order, low_first=not station.order.low_first)
    lift = scene.site.overlays.lay(station, "order", swapped)
    plc.revision += 1

    async def undo() -> None:
        await lift()
        plc.revision += 1

    return undo


def exception(scene: Scene, code: int) -> Undo:
    """The PLC answers, but only with a failure: program stopped, memory card out, firmware being loaded.

    Every Modbus request gets exception 4 (or the code given), every OPC UA value BadDeviceFailure. The network lights
    blink as ever, and a ping is answered.
    """
    return scene.lay(scene.target.face, "refusing", code)


def unplug(target: Target) -> Undo:
    """Pull the plug; it is put back when the last fault that pulled it is over."""
    wire, gate = target.wire, target.face.gate
    wire.unplugged += 1
    gate.close()

    async def undo() -> None:
        wire.unplugged -= 1
        if not wire.unplugged:
            await gate.open()

    return undo


def reset(target: Target) -> None:
    """End every connection with a reset; new ones are welcome."""
    target.wire.arm_reset()
    target.face.gate.cut()


KINDS = (
    Kind("refuse", refuse, "refuse:grinding@900+30"),
    Kind("rst", rst, "rst:screening@900", is_momentary=True),
    Kind(
        "rst-storm",
        rst_storm,
        "rst-storm:drying:5@900+60",
        argument=Number("EVERY_S", "plant seconds", 5.0, 0.1, 3600.0),
    ),
    Kind("silent", silent, "silent:drying@900+20"),
    Kind("half-open", half_open, "half-open:grinding@900+60"),
    Kind(
        "slow",
        slow,
        "slow:screening:0.4@900+120",
        argument=Number("SECONDS", "real seconds", 0.5, 0.001, 600.0),
    ),
    Kind("word-order", word_order, "word-order:grinding@900+60", argument=ModbusOnly()),
    Kind("exception", exception, "exception:screening:6@900+30", argument=FailureCode()),
)
