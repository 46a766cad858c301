"""Rules for the ``bags`` section of a line file beyond the types of its fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from linecontrol.config.bags import BAG, Bags
from linecontrol.config.document import Loc
from linecontrol.config.fields import near_names
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
    yield from _stage_problems(scene, bags)


def _stage_problems(scene: Scene, bags: Bags) -> Iterator[Problem]:
    """A critical limit is measured somewhere on the way of the powder, or nobody knows which bags it is about."""
    points = [point for machine in bags.machines for point in machine.points]
    places = [BAG, *(machine.name for machine in bags.machines), *points, *scene.sites]
    for at, machine in enumerate(bags.machines):
        for n, point in enumerate(machine.points):
            if places.count(point) > 1:
                loc: Loc = ("bags", "machines", at, "points", n)
                yield scene.doc.problem(loc, f"{point} is taken already", "a name of its own")
    guard = scene.line.guard
    for at, limit in enumerate(guard.critical_limits if guard is not None else ()):
        if limit.stage not in places:
            loc = ("guard", "critical_limits", at, "stage")
            accepted = near_names(limit.stage, places) or ", ".join(dict.fromkeys(places))
            yield scene.doc.problem(loc, f"{limit.stage} is no machine or measuring point of bags.machines", accepted)
