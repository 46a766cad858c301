"""Compares a recipe with a line, without running it: tags, loops, ranges at every formula limit, units, deadlocks.

Pure. What it finds is a list; an empty list means the recipe may run on this line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from linecontrol.core.model import DataType, Tag
from linecontrol.recipe.formula import ExpressionError, Interval, bounds, is_expression, names, parse, unit_of
from linecontrol.recipe.model import PhaseSpec, Recipe
from linecontrol.recipe.params import Path, Quantity, Use
from linecontrol.recipe.steps import Fault, Step, compile_units, phase_specs

Finding = tuple[Path, str, str]
"""Path in the recipe, what is wrong, what is accepted."""


def check(
    recipe: Recipe,
    tags: Mapping[str, Tag],
    loops: Collection[str],
    stations: Collection[str],
    reserved: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Everything in this recipe that cannot work on this line.

    Args:
        tags: all tags of the line. A loop's ``TIC-303.SP`` and ``.OP`` may be among them: then they are range-checked.
        reserved: tags a recipe must not write, and who owns them, e.g. ``{"XV-312": "guard"}``.
    """
    faults: list[Fault] = []
    for i, station in enumerate(recipe.stations):
        if station not in stations:
            faults.append(Fault(("stations", i), f"this line has no station {station}", ", ".join(stations)))
    specs = {path: (unit, spec) for unit, _, spec, path, _ in phase_specs(recipe)}
    for step in _steps(recipe):
        unit, spec = specs[step.path]
        for use in step.params.uses():
            faults += _of_use(unit, step, use, tags, loops, reserved or {})
        for quantity in step.params.amounts():
            faults += _of_quantity(recipe, spec, step, quantity, tags)
    faults += _of_points(recipe)
    faults += _of_limits(recipe.text)
    return sorted({(f.path, f.message, f.accepted) for f in faults}, key=lambda finding: list(map(str, finding[0])))


def _steps(recipe: Recipe) -> Iterator[Step]:
    """Every phase compiled, also those a switch leaves out by default."""
    every = {name: True if p.type == "bool" else p.value for name, p in recipe.formula.items()}
    for unit in compile_units(recipe, every)[0]:
        yield from unit.steps
        for steps in unit.restarts.values():
            yield from steps


def _of_use(
    unit: str, step: Step, use: Use, tags: Mapping[str, Tag], loops: Collection[str], reserved: Mapping[str, str]
) -> Iterator[Fault]:
    path = (*step.path, "params", *use.path)
    if use.what == "loop":
        if use.name not in loops:
            yield Fault(path, f"unknown loop {use.name}", ", ".join(sorted(loops)) or "none, the line has no loops")
        return
    if use.what == "point":
        return
    tag = tags.get(use.name)
    if tag is None:
        yield Fault(path, f"unknown tag {use.name}", _alike(use.name, tags))
    elif use.name in reserved and use.write:
        yield Fault(path, f"{use.name} belongs to the {reserved[use.name]}", "tags a recipe may write")
    elif use.write and not tag.writable:
        yield Fault(path, f"{use.name} is read-only", _alike(use.name, {n: t for n, t in tags.items() if t.writable}))
    elif use.write and tag.station != unit:
        yield Fault(path, f"{use.name} belongs to station {tag.station}, not to {unit}", f"tags of {unit}")
    elif step.kind in ("start_station", "stop_station") and tag.type is not DataType.BOOL:
        yield Fault(path, f"{use.name} is a {tag.type}", "a bool tag")


def _of_quantity(
    recipe: Recipe, spec: PhaseSpec, step: Step, quantity: Quantity, tags: Mapping[str, Tag]
) -> Iterator[Fault]:
    raw = _at(spec.params, quantity.path)
    tag = tags.get(quantity.tag or "")
    if raw is None or (tag is None and quantity.unit is None):
        return
    path = (*step.path, "params", *quantity.path)
    if tag is not None and quantity.ranged and tag.type is DataType.BOOL:
        if not isinstance(_at(step.params.model_dump(), quantity.path), bool):
            yield Fault(path, f"{tag.name} is a switch", "true or false")
        return
    if isinstance(_at(step.params.model_dump(), quantity.path), bool):
        yield Fault(path, f"{quantity.tag} takes a number", f"a number{f' in {tag.unit}' if tag and tag.unit else ''}")
        return
    unit = quantity.unit if tag is None else tag.unit
    ranges = {name: p.range for name, p in recipe.formula.items()}
    try:
        if is_expression(raw):
            found = unit_of(parse(raw), {name: p.unit for name, p in recipe.formula.items()})
            if found is not None and found != unit:
                yield Fault(path, f"{raw} is in {found or 'no unit'}", unit or "a number without a unit")
        if tag is not None and quantity.ranged:
            yield from _of_range(path, raw, bounds(parse(raw), ranges) if is_expression(raw) else (raw, raw), tag)
    except ExpressionError as error:
        yield Fault(path, str(error))


def _of_range(path: Path, raw: object, reach: Interval, tag: Tag) -> Iterator[Fault]:
    low, high = reach
    if low < tag.low or high > tag.high:
        unit = f" {tag.unit}" if tag.unit else ""
        span = f"{low:g}{unit}" if low == high else f"{raw}, which reaches from {low:g} to {high:g}{unit},"
        yield Fault(path, f"{span} is outside the range of {tag.name}", f"{tag.low:g} to {tag.high:g}{unit}")


def _of_points(recipe: Recipe) -> Iterator[Fault]:
    """Each point is met by two or more unit procedures, once by each, in an order in which all can meet."""
    order: dict[str, list[str]] = {unit: [] for unit in recipe.procedure}
    place: dict[tuple[str, str], Path] = {}
    for unit, _, spec, path, _ in phase_specs(recipe):
        if spec.kind != "sync":
            continue
        point = str(spec.params.get("point"))
        if point in order[unit]:
            yield Fault((*path, "params", "point"), f"{unit} comes to {point} twice", "once in a unit procedure")
            continue
        order[unit].append(point)
        place[unit, point] = (*path, "params", "point")
    for point in recipe.points:
        if not any(point in met for met in order.values()):
            known = ", ".join(dict.fromkeys(point for met in order.values() for point in met)) or "no point at all"
            yield Fault(("points", point), "no phase comes to this point", known)
    for (unit, point), path in place.items():
        if not any(point in points for other, points in order.items() if other != unit):
            yield Fault(path, f"{unit} alone comes to {point}", "a point two or more unit procedures come to")
    for unit, _, spec, path, _ in phase_specs(recipe):
        wanted = spec.params.get("or_arrived")
        if wanted is not None and not any(wanted in points for other, points in order.items() if other != unit):
            yield Fault((*path, "params", "or_arrived"), f"no other unit procedure comes to {wanted}", "a point of one")
    for unit, point in _stuck(order):
        met = " and ".join(u for u in order if point in order[u])
        yield Fault(
            place[unit, point],
            f"deadlock: {unit} waits at {point} while others wait at a point {unit} has still before it",
            f"the same order of points in {met}",
        )


def _stuck(order: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Where unit procedures stand when none can go on any more; empty when all come to their end."""
    ahead = {unit: list(points) for unit, points in order.items()}
    while True:
        open_points = [
            points[0]
            for points in ahead.values()
            if points and all(points[0] not in other or other[0] == points[0] for other in ahead.values())
        ]
        if not open_points:
            return [(unit, points[0]) for unit, points in ahead.items() if points]
        for points in ahead.values():
            if points and points[0] == open_points[0]:
                points.pop(0)


@lru_cache(maxsize=64)
def _of_limits(text: str) -> tuple[Fault, ...]:
    """The parameters are also accepted with each formula value at its limits, one by one and all together.

    Only the recipe's own text tells, so that a recipe is looked through once and not at each of its starts.
    """
    return tuple(_at_limits(Recipe.model_validate_json(text)))


def _at_limits(recipe: Recipe) -> Iterator[Fault]:
    base = recipe.defaults
    lows = {n: _end(recipe, n, 0) for n in recipe.formula}
    highs = {n: _end(recipe, n, 1) for n in recipe.formula}
    used = set().union(*(_names_in(spec) for _, _, spec, _, _ in phase_specs(recipe)))
    choices = [(lows, "all at their low limit"), (highs, "all at their high limit")]
    for name in sorted(used & set(base)):
        choices += [({**base, name: ends[name]}, f"{name} = {ends[name]:g}") for ends in (lows, highs)]
    for values, which in choices:
        for fault in compile_units(recipe, values)[1]:
            yield Fault(fault.path, f"{fault.message}, with {which}", fault.accepted)


def _end(recipe: Recipe, name: str, end: int) -> bool | float:
    parameter = recipe.formula[name]
    return bool(end) if parameter.type == "bool" else parameter.range[end]


def _names_in(spec: PhaseSpec) -> set[str]:
    found: set[str] = set()
    waiting: list[Any] = [spec.params, spec.time_limit_s, spec.expect_s]
    while waiting:
        raw = waiting.pop()
        if isinstance(raw, Mapping):
            waiting += raw.values()
        elif isinstance(raw, list):
            waiting += raw
        elif is_expression(raw):
            found |= names(parse(raw))
    return found


def _at(raw: Any, path: Path) -> Any:
    for part in path:
        raw = raw.get(part) if isinstance(raw, Mapping) else None
    return raw


def _alike(name: str, tags: Collection[str]) -> str:
    """Tags with the same number or the same letters, for a reader who mistyped one."""
    letters, _, number = name.partition("-")
    near = [t for t in tags if t.partition("-")[0] == letters or t.partition("-")[2] == number]
    return ", ".join(sorted(near)[:8]) or "a tag of the line"
