"""Rules for the HACCP plan of a line file beyond the types of its fields. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from linecontrol.config.document import Loc
from linecontrol.config.fields import near_names
from linecontrol.config.haccp import CriticalLimit
from linecontrol.config.line import Guard
from linecontrol.config.scene import Scene
from linecontrol.core.errors import Problem


def own_tags(guard: Guard | None) -> frozenset[str]:
    """Soft tags that the plan gives the line: hours until a check is due, growth in standing wet material, bag aw."""
    if guard is None:
        return frozenset()
    names = [f"{check.name}.DUE_H" for check in guard.checks]
    if guard.wet_hold is not None:
        names += ["WET.AGE_H", "WET.GROWTH"]
    if guard.spoilage is not None:
        names += ["BAG.AW", "BAG.AW_HIGH"]
    return frozenset(names)


def haccp_problems(scene: Scene, guard: Guard) -> Iterator[Problem]:
    """Everything wrong with limits, checks, wet hold and spoilage."""
    names: set[str] = set()
    for at, check in enumerate(guard.checks):
        loc: Loc = ("guard", "checks", at)
        if check.name in names:
            yield scene.doc.problem((*loc, "name"), f"the check {check.name} is given twice", "a name of its own")
        names.add(check.name)
        if check.tag is not None:
            yield from scene.unknown((*loc, "tag"), check.tag)
    for at, limit in enumerate(guard.critical_limits):
        loc = ("guard", "critical_limits", at)
        for n, name in enumerate(limit.checked_by):
            if name not in names:
                accepted = near_names(name, sorted(names)) or "a name of guard.checks"
                yield scene.doc.problem((*loc, "checked_by", n), f"there is no check {name}", accepted)
        if limit.since_check and not limit.checked_by:
            yield scene.doc.problem((*loc, "since_check"), "no check vouches for it", "checked_by: names of checks")
        yield from _operational(scene, loc, limit)
        room = math.inf if limit.low is None or limit.high is None else limit.high - limit.low
        if limit.guard_band > 0.0 and room > 0.0 and 2.0 * limit.guard_band >= room:
            message = f"a guard band of {limit.guard_band:g} leaves nothing between the limits"
            yield scene.doc.problem((*loc, "guard_band"), message, f"less than {room / 2.0:g}")
    if guard.wet_hold is not None:
        for at, vessel in enumerate(guard.wet_hold.vessels):
            for key in ("contents", "fresh", "temp"):
                yield from scene.number(("guard", "wet_hold", "vessels", at, key), getattr(vessel, key))
    if guard.spoilage is not None:
        for key in ("moisture", "temp"):
            yield from scene.number(("guard", "spoilage", key), getattr(guard.spoilage, key))
        gab = guard.spoilage.isotherm
        if not gab.xm_low <= gab.xm <= gab.xm_high:
            message = f"{gab.xm:g} does not lie between xm_low and xm_high"
            loc = ("guard", "spoilage", "isotherm", "xm")
            yield scene.doc.problem(loc, message, f"{gab.xm_low:g} to {gab.xm_high:g}")


def _operational(scene: Scene, loc: Loc, limit: CriticalLimit) -> Iterator[Problem]:
    low = -math.inf if limit.low is None else limit.low
    high = math.inf if limit.high is None else limit.high
    for key, value in (("low", limit.operational.low), ("high", limit.operational.high)):
        if value is not None and low < high and not low <= value <= high:
            message = f"the operational limit {value:g} lies outside the critical ones"
            yield scene.doc.problem((*loc, "operational", key), message, f"{low:g} to {high:g}")
