"""Rules for the ``bags`` section of a line file beyond the types of its fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from linecontrol.config.bags import BAG, Bags
from linecontrol.config.document import Document, Loc
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
        if machine.tip_kg is not None and (at > 0 or machine.level is None):
            yield scene.doc.problem(
                (*loc, "tip_kg"), "roots are seen to be tipped in by the scale of the first machine", "its level"
            )
    yield from _stage_problems(scene, bags)


def _stage_problems(scene: Scene, bags: Bags) -> Iterator[Problem]:
    """What makes powder suspect lies somewhere on its way, or nobody knows which bags it is about."""
    points = [point for machine in bags.machines for point in machine.points]
    places = [BAG, *(machine.name for machine in bags.machines), *points, *scene.sites]
    for at, machine in enumerate(bags.machines):
        for n, point in enumerate(machine.points):
            if places.count(point) > 1:
                loc: Loc = ("bags", "machines", at, "points", n)
                yield scene.doc.problem(loc, f"{point} is taken already", "a name of its own")

    def misplaced(doc: Document, loc: Loc, stage: str | None) -> Iterator[Problem]:
        if stage is not None and stage not in places:
            accepted = near_names(stage, places) or ", ".join(dict.fromkeys(places))
            yield doc.problem(loc, f"{stage} is no machine or measuring point of bags.machines", accepted)

    guard = scene.line.guard
    for at, limit in enumerate(guard.critical_limits if guard is not None else ()):
        yield from misplaced(scene.doc, ("guard", "critical_limits", at, "stage"), limit.stage)
    for at, row in enumerate(scene.line.interlocks):
        yield from misplaced(scene.doc, ("interlocks", scene.checked.row("interlocks", at), "stage"), row.stage)
    for checked in {site.at.profile: site.checked for site in scene.sites.values()}.values():
        if checked is not None and checked.model is not None:
            for at, row in enumerate(checked.model.interlocks):
                loc = ("interlocks", checked.row("interlocks", at), "stage")
                yield from misplaced(checked.doc, loc, row.stage)
