"""Rules for the ``bags`` section of a line file beyond the types of its fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from linecontrol.config.bags import BAG, Bags
from linecontrol.config.document import Loc
from linecontrol.config.scene import Scene
from linecontrol.core.errors import Problem
from linecontrol.core.model import DataType


def bag_problems(scene: Scene, bags: Bags) -> Iterator[Problem]:
    """Tags that must be there, and machines that say what they hold."""
    for key in ("count", "weight", "moisture", "temperature"):
        name = getattr(bags, key)
        if name is not None:
            yield from scene.number(("bags", key), name)
    if bags.change is not None:
        yield from scene.unknown(("bags", "change"), bags.change)
        tag = scene.tag(bags.change)
        if tag is not None and (tag.type is not DataType.BOOL or not tag.writable):
            yield scene.doc.problem(
                ("bags", "change"), f"{bags.change} is no writable bool", "a writable tag of type bool"
            )
    if scene.line.guard is None:
        yield scene.doc.problem(("bags",), "the line has no guard to say which powder is good", "a section guard")
    seen: set[str] = {BAG}
    for at, machine in enumerate(bags.machines):
        loc: Loc = ("bags", "machines", at)
        if machine.name in seen:
            yield scene.doc.problem((*loc, "name"), f"{machine.name} is taken already", "a name of its own")
        seen.add(machine.name)
        if machine.station not in scene.sites:
            names = ", ".join(scene.sites)
            yield scene.doc.problem((*loc, "station"), f"{machine.station} is no station of this line", names)
        yield from scene.number((*loc, "flow"), machine.flow)
        if machine.level is not None:
            yield from scene.number((*loc, "level"), machine.level)
        said = sum((machine.mean_s > 0.0, machine.holdup > 0.0, machine.level is not None))
        if machine.is_queue and machine.mean_s > 0.0:
            yield scene.doc.problem((*loc, "mean_s"), "a queue is told by what it holds", "level or holdup")
        elif (machine.tanks > 0 or machine.is_queue) and said != 1:
            yield scene.doc.problem(loc, "one of three must say what it holds", "mean_s, holdup or level")
    isotherm = bags.isotherm
    if not isotherm.monolayer_low <= isotherm.monolayer_db <= isotherm.monolayer_high:
        message = f"{isotherm.monolayer_db:g} lies outside monolayer_low and monolayer_high"
        accepted = f"{isotherm.monolayer_low:g} to {isotherm.monolayer_high:g}"
        yield scene.doc.problem(("bags", "isotherm", "monolayer_db"), message, accepted)
