"""Rules for the loops of a line file. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from linecontrol.config.document import Loc
from linecontrol.config.fields import near_names, unit_problem
from linecontrol.config.files import model_path
from linecontrol.config.line import Loop, Moisture
from linecontrol.config.scene import Scene
from linecontrol.config.tag_rules import wire_of
from linecontrol.core.errors import Problem
from linecontrol.core.model import DataType

MOST_RESOLUTION = 0.02  # of the output's span


def loop_problems(scene: Scene) -> Iterator[Problem]:
    """Everything wrong with the loops: names, measurements, outputs, limits, and who drives whom."""
    names: dict[str, int] = {}
    outputs: dict[str, str] = {}
    for place, loop in enumerate(scene.line.loops):
        at = scene.checked.row("loops", place)
        loc: Loc = ("loops", at)
        first = names.setdefault(loop.name, at)
        if first != at:
            message = f"the loop {loop.name} is given twice (first on line {scene.doc.line_of(('loops', first))})"
            yield scene.doc.problem((*loc, "name"), message, "a name of its own")
        elif loop.name in scene.owners:
            yield scene.doc.problem((*loc, "name"), f"{loop.name} is a tag already", "a name of its own")
        driver = outputs.setdefault(loop.op, loop.name)
        if driver != loop.name:
            yield scene.doc.problem((*loc, "op"), f"{loop.op} is driven by {driver} already", "an output of its own")
        yield from _pv_problems(scene, loc, loop)
        yield from _sp_problems(scene, loc, loop)
        yield from _op_problems(scene, loc, loop)
        yield from _ratio_problems(scene, loc, loop)
        if loop.moisture is not None:
            yield from _moisture_problems(scene, (*loc, "moisture"), loop, loop.moisture)
        if loop.needs is not None:
            yield from scene.number((*loc, "needs", "tag"), loop.needs.tag)
    yield from _circles(scene)


def _pv_problems(scene: Scene, loc: Loc, loop: Loop) -> Iterator[Problem]:
    yield from scene.number((*loc, "pv"), loop.pv)
    tag = scene.tag(loop.pv)
    wrong = unit_problem(loop.unit)
    if wrong is not None:
        yield scene.doc.problem((*loc, "unit"), *wrong)
    elif tag is not None and tag.type not in (DataType.BOOL, DataType.STRING) and tag.unit != loop.unit:
        yield scene.doc.problem((*loc, "unit"), f"{loop.pv} is in {tag.unit!r}, not {loop.unit!r}", repr(tag.unit))


def _sp_problems(scene: Scene, loc: Loc, loop: Loop) -> Iterator[Problem]:
    sp, tag = loop.sp, scene.tag(loop.pv)
    if not sp.low < sp.high:
        yield scene.doc.problem((*loc, "sp", "high"), f"{sp.high:g} is not above low", f"above {sp.low:g}")
        return
    yield from scene.within((*loc, "sp", "initial"), sp.initial, sp.low, sp.high, "the limits of the set point")
    if tag is not None and tag.type not in (DataType.BOOL, DataType.STRING):
        for key, value in (("low", sp.low), ("high", sp.high)):
            yield from scene.within((*loc, "sp", key), value, tag.low, tag.high, f"the range of {loop.pv}")


def _op_problems(scene: Scene, loc: Loc, loop: Loop) -> Iterator[Problem]:
    limits = loop.op_limits
    if not limits.low < limits.high:
        message = f"{limits.high:g} is not above low"
        yield scene.doc.problem((*loc, "op_limits", "high"), message, f"above {limits.low:g}")
        return
    most = MOST_RESOLUTION * (limits.high - limits.low)
    if limits.resolution > most and not loop.op.endswith(".SP"):
        message = f"{limits.resolution:g} is so coarse that the process would feel it"
        yield scene.doc.problem((*loc, "op_limits", "resolution"), message, f"0 to {most:g}")
    span = _op_span(scene, loop)
    if span is None:
        yield from _op_target_problems(scene, loc, loop)
        return
    for key, value in (("low", limits.low), ("high", limits.high)):
        yield from scene.within((*loc, "op_limits", key), value, *span, f"the range of {loop.op}")


def _op_span(scene: Scene, loop: Loop) -> tuple[float, float] | None:
    """Values the output may take; None when there is something wrong with it."""
    if loop.op.endswith(".SP"):
        inner = next((other for other in scene.line.loops if f"{other.name}.SP" == loop.op), None)
        return (inner.sp.low, inner.sp.high) if inner is not None and inner is not loop else None
    tag = scene.tag(loop.op)
    if tag is None or tag.type in (DataType.BOOL, DataType.STRING) or not tag.writable:
        return None
    return None if next(_op_target_problems(scene, (), loop), None) is not None else (tag.low, tag.high)


def _op_target_problems(scene: Scene, loc: Loc, loop: Loop) -> Iterator[Problem]:
    loc = (*loc, "op")
    if loop.op.endswith(".SP"):
        others = [f"{other.name}.SP" for other in scene.line.loops if other.name != loop.name]
        if loop.op.removesuffix(".SP") in scene.checked.declared("loops") - {loop.name}:
            return
        yield scene.doc.problem(loc, f"{loop.op} is no set point of another loop", near_names(loop.op, others))
        return
    found = scene.owners.get(loop.op)
    writable = [n for n, (_, p) in scene.owners.items() if p.tag.writable and p.tag.type is not DataType.BOOL]
    yield from scene.unknown(loc, loop.op, writable)
    if found is None:
        return
    site, placed = found
    tag = placed.tag
    if tag.type in (DataType.BOOL, DataType.STRING):
        yield scene.doc.problem(loc, f"{loop.op} is a {tag.type}", "a tag that is a number")
        return
    if not tag.writable:
        yield scene.doc.problem(loc, f"{loop.op} is not writable", near_names(loop.op, writable))
        return
    if site.profile is not None and loop.op in (site.profile.heartbeat, site.profile.owner):
        yield scene.doc.problem(loc, f"{loop.op} belongs to the station itself", "an actuator")
    wire = wire_of(tag, site.brand) if site.brand is not None else None
    if wire is not None and site.brand is not None:
        run = site.brand.is_wear_limited(wire.table, wire.register, tag.type.words)
        if run is not None:
            message = f"a loop writes {loop.op} all the time, but it wears out: {run.why}"
            yield scene.doc.problem(loc, message, "another register")


def _ratio_problems(scene: Scene, loc: Loc, loop: Loop) -> Iterator[Problem]:
    if loop.ratio is None:
        return
    loc = (*loc, "ratio")
    ratio = loop.ratio
    yield from scene.number((*loc, "tag"), ratio.tag)
    if ratio.factor == 0.0:
        yield scene.doc.problem((*loc, "factor"), "a factor of 0 is no ratio", "any other number")
    if not ratio.low < ratio.high:
        yield scene.doc.problem((*loc, "high"), f"{ratio.high:g} is not above low", f"above {ratio.low:g}")
        return
    if loop.sp.low < loop.sp.high:
        for key, value in (("low", ratio.low), ("high", ratio.high)):
            what = "the limits of the set point"
            yield from scene.within((*loc, key), value, loop.sp.low, loop.sp.high, what)


_MOISTURE_UNITS = {
    "inlet": "°C",
    "outlet": "°C",
    "product": "°C",
    "nir": "% wb",
    "cake": "% wb",
    "feed": "kg/h",
    "ambient": "°C",
    "humidity": "%",
}


def _moisture_problems(scene: Scene, loc: Loc, loop: Loop, rows: Moisture) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for key, unit in _MOISTURE_UNITS.items():
        name = getattr(rows, key)
        yield from scene.number((*loc, key), name)
        tag = scene.tag(name)
        if tag is not None and tag.type not in (DataType.BOOL, DataType.STRING) and tag.unit != unit:
            yield scene.doc.problem((*loc, key), f"{name} is in {tag.unit!r}", repr(unit))
        if (first := seen.setdefault(name, key)) != key:
            yield scene.doc.problem((*loc, key), f"{name} is the {first} already", "a measurement of its own")
    if rows.nir != loop.pv and scene.is_declared(loop.pv):
        yield scene.doc.problem((*loc, "nir"), f"{rows.nir} is not the loop's measurement", loop.pv)
    inner = next((other for other in scene.line.loops if f"{other.name}.SP" == loop.op and other is not loop), None)
    if not loop.op.endswith(".SP"):
        message = "the output of a moisture strategy is the set point of the inlet air's loop"
        yield scene.doc.problem((*loc, "inlet"), message, f"op: <loop on {rows.inlet}>.SP")
    elif inner is not None and inner.pv != rows.inlet and scene.is_declared(inner.pv):
        yield scene.doc.problem((*loc, "inlet"), f"{inner.name} controls {inner.pv}, not {rows.inlet}", inner.pv)
    path = model_path(rows.model, scene.doc.path) if rows.model is not None else None
    if path is not None and not path.is_file():
        accepted = "a file, named from the folder of the line file; linecontrol moisture commission makes one"
        yield scene.doc.problem((*loc, "model"), f"{path} cannot be found", accepted)


def _circles(scene: Scene) -> Iterator[Problem]:
    """Loops that drive each other in a ring; told once, at the ring's first loop."""
    drives = {loop.name: loop.op.removesuffix(".SP") for loop in scene.line.loops if loop.op.endswith(".SP")}
    told: set[str] = set()
    for place, loop in enumerate(scene.line.loops):
        path = [loop.name]
        while (inner := drives.get(path[-1])) is not None and inner not in path:
            path.append(inner)
        if inner == loop.name and len(path) > 1 and not told & set(path):
            told |= set(path)
            loc: Loc = ("loops", scene.checked.row("loops", place), "op")
            yield scene.doc.problem(loc, f"loops drive each other in a ring: {' -> '.join([*path, inner])}")
