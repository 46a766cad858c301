"""Troubles of the whole site."""

from __future__ import annotations

from simulator.faults.arguments import Choice
from simulator.faults.kind import AT_SITE, Kind
from simulator.faults.plc import restart
from simulator.faults.scene import Scene, Undo
from simulator.faults.wire import unplug

_SUPPLIES = {
    "ups": "PLCs and network run on batteries",
    "no-switch": "PLCs do, the network switch does not: all links drop",
    "no-ups": "everything is dark, the PLCs start anew",
}


def power_dip(scene: Scene, supply: str) -> Undo:
    """The lights flicker and the hall falls silent: all motors coast, the burner goes out, pumps and sprays stop.

    With batteries for PLCs and network the controller sees flows and speeds fall while its commands stand, and when the
    mains are back everything turns again by itself, the burner after its purge. Without them links drop, too, and the
    PLCs come back as after a cold start.
    """
    lifts = [scene.site.overlays.lay(scene.site.machines, "has_mains", False)]
    if supply != "ups":
        for target in scene.site.cabinets.values():
            if (plug_in := unplug(target)) is not None:
                lifts.append(plug_in)
            if supply == "no-ups":
                restart(target)

    async def undo() -> None:
        for lift in lifts:
            await lift()

    return undo


KINDS = (Kind("power-dip", power_dip, "power-dip:site:no-switch@1500+3", AT_SITE, Choice(_SUPPLIES)),)
