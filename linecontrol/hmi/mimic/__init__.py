"""The mimic: the closed line from hopper to bag, drawn from data for the tags that the line really has.

Only constants and names go into the drawing; values are put in by the page (static/live.js). Machines stand in the
order of the flow, row after row; a machine whose tags the line lacks is left out, and its neighbours close up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from linecontrol.hmi.live import digits_of

CELL_W, CELL_H, GAP = 156, 184, 16
MIDDLE = 56  # of a symbol, from the top of its cell
_HALF = 44  # a pipe ends this far from the middle of a symbol
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine on this line; tags by name.

    Attributes:
        on, flow, inlet: (tag, above) - it runs, stuff comes to it, water or cake comes in from above.
        level: (tag, empty, full). position: of the divert gate.
    """

    id: str
    row: int
    symbol: str
    station: str
    values: tuple[str, ...]
    on: tuple[str, float] | None = None
    flow: tuple[str, float] | None = None
    inlet: tuple[str, float] | None = None
    level: tuple[str, float, float] | None = None
    position: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)


class Units(NamedTuple):
    """``of`` gives a tag's unit, ``written`` how people write it."""

    of: Callable[[str], str]
    written: Callable[[str], str]


@cache
def _file(name: str) -> Any:
    return json.loads((_HERE / name).read_text(encoding="utf-8"))


def machines_of(tag_of: Callable[[str], str | None]) -> list[Machine]:
    """The machines of a line. ``tag_of`` gives the tag of an alias, None when the line has none."""
    found = []
    for row in _file("machines.json"):
        values = {alias: tag for alias in row["values"] if (tag := tag_of(alias)) is not None}
        if not values:
            continue
        tied: dict[str, Any] = {}
        for key in ("on", "flow", "inlet", "level"):
            if key in row and (tag := tag_of(row[key][0])) is not None:
                tied[key] = (tag, *row[key][1:])
        if "position" in row:
            tied["position"] = tag_of(row["position"])
        found.append(
            Machine(
                row["id"],
                row["row"],
                row["symbol"],
                row["station"],
                tuple(values.values()),
                aliases={tag: alias for alias, tag in values.items()},
                **tied,
            )
        )
    return found


def drawing(machines: Sequence[Machine], columns: int, t: Callable[[str], str], units: Units) -> str:
    """The drawing with so many machines side by side, as SVG.

    Args:
        columns: 0 keeps the rows of the data; otherwise rows are filled one after the other.
        t: texts ``machine.ID`` and ``mimic.ALIAS``.
    """
    places = _places(machines, columns)
    width = (max(x for x, _ in places.values()) + 1) * CELL_W
    height = (max(y for _, y in places.values()) + 1) * (CELL_H + GAP) - GAP
    parts = [f'<svg class="mimic" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(t("page.overview"))}">']
    for before, machine in pairwise(machines):
        if machine.flow is not None:
            parts.append(_pipe(places[before.id], places[machine.id], machine))
    parts += [_handover(places[last.id], places[machine.id], machine) for last, machine in _handovers(machines)]
    parts += [_machine(machine, places[machine.id], t, units) for machine in machines]
    return "".join(parts) + "</svg>"


def _places(machines: Sequence[Machine], columns: int) -> dict[str, tuple[int, int]]:
    """Column and row of each machine."""
    if columns:
        return {machine.id: (i % columns, i // columns) for i, machine in enumerate(machines)}
    rows = sorted({machine.row for machine in machines})
    places = {}
    for y, row in enumerate(rows):
        for x, machine in enumerate(m for m in machines if m.row == row):
            places[machine.id] = (x, y)
    return places


def _centre(place: tuple[int, int]) -> tuple[float, float]:
    return (place[0] + 0.5) * CELL_W, place[1] * (CELL_H + GAP) + MIDDLE


def _bound(tie: tuple[str, float] | None) -> str:
    return "" if tie is None else f' data-k="t.{escape(tie[0])}" data-as="on" data-above="{tie[1]}"'


def _line(points: Sequence[tuple[float, float]], tie: tuple[str, float] | None, kind: str = "") -> str:
    """A pipe with an arrow at its end."""
    (x0, y0), (x, y) = points[-2:]
    turn = 0 if x > x0 else 180 if x < x0 else 90 if y > y0 else -90
    path = "M" + "L".join(f"{a:g} {b:g}" for a, b in points)
    arrow = f'<path class="arrow" d="M0 0l-9-6v12z" transform="translate({x:g} {y:g}) rotate({turn})"/>'
    return f'<g class="pipe {kind}"{_bound(tie)}><path d="{path}"/>{arrow}</g>'


def _pipe(start: tuple[int, int], end: tuple[int, int], machine: Machine) -> str:
    (x0, y0), (x1, y1) = _centre(start), _centre(end)
    if y0 == y1:
        return _line([(x0 + _HALF, y0), (x1 - _HALF, y1)], machine.flow)
    lane = y1 - MIDDLE - GAP / 2 + 2
    right, left = x0 + CELL_W / 2 - 4, x1 - CELL_W / 2 + 4
    return _line(
        [(x0 + _HALF, y0), (right, y0), (right, lane), (left, lane), (left, y1), (x1 - _HALF, y1)], machine.flow
    )


def _handover(start: tuple[int, int], end: tuple[int, int], machine: Machine) -> str:
    """From the end of one part of the line to the machine in the next that is fed from above."""
    (x0, y0), (x1, y1) = _centre(start), _centre(end)
    lane = y1 - MIDDLE - GAP / 2
    right = x0 + CELL_W / 2 - 2
    return _line([(x0 + _HALF, y0), (right, y0), (right, lane), (x1, lane), (x1, y1 - 36)], machine.inlet)


def _handovers(machines: Sequence[Machine]) -> list[tuple[Machine, Machine]]:
    found = []
    for row in sorted({machine.row for machine in machines})[1:]:
        before = [m for m in machines if m.row < row]
        fed = [m for m in machines if m.row == row and m.inlet is not None]
        if before and fed:
            found.append((before[-1], fed[0]))
    return found


def _machine(machine: Machine, place: tuple[int, int], t: Callable[[str], str], units: Units) -> str:
    x, y = _centre(place)
    parts = [f'<g class="machine" id="m-{machine.id}-{place[0]}-{place[1]}" transform="translate({x:g} {y:g})">']
    if machine.inlet is not None and machine.symbol != "hopper":
        parts.append(_line([(0, -MIDDLE + 4), (0, -36)], machine.inlet, "water"))
    parts.append(f'<g class="symbol"{_bound(machine.on)}>{_file("symbols.json")[machine.symbol]}')
    if machine.symbol != "outlets":
        parts.append(
            '<g class="mark" transform="translate(34 -34)"><rect x="-7" y="-7" width="14" height="14" rx="7"/>'
        )
        parts.append('<path class="runs" d="M-2.500-4l6 4-6 4z"/><path class="rests" d="M-3-3h6v6h-6z"/></g>')
    parts.append("</g>")
    if machine.level is not None:
        tag, low, high = machine.level
        parts.append(
            '<g class="level" transform="translate(-48 -32)"><rect class="well" width="8" height="64"/>'
            f'<rect class="full" width="8" height="64" data-k="t.{tag}" data-as="bar" '
            f'data-low="{low}" data-high="{high}"/></g>'
        )
    if machine.position is not None:
        parts.append(_outlets(machine, t, units))
    else:
        parts.append(f'<text class="name" y="56" text-anchor="middle">{escape(t(f"machine.{machine.id}"))}</text>')
        for i, tag in enumerate(machine.values):
            parts.append(_value(machine.aliases[tag], tag, 75 + 18 * i, t, units))
    return "".join(parts) + "</g>"


def _value(alias: str, tag: str, y: float, t: Callable[[str], str], units: Units) -> str:
    unit = units.of(tag)
    shown = f'<tspan class="v" data-k="t.{tag}" data-fmt="num" data-digits="{digits_of(unit)}">–</tspan>'
    return (
        f'<text class="label" x="-72" y="{y:g}">{escape(t(f"mimic.{alias}"))}</text>'
        f'<text class="reading" x="68" y="{y:g}" text-anchor="end">{shown}'
        f'<tspan class="u" dx="3">{escape(units.written(unit))}</tspan></text>'
    )


def _outlets(machine: Machine, t: Callable[[str], str], units: Units) -> str:
    """Where the powder goes: one row an outlet, the present one marked by shape, frame and word."""
    parts = [f'<g{_bound(machine.flow)}><g class="outlets" data-k="t.{machine.position}" data-as="state">']
    for i, tag in enumerate(machine.values):
        y = -46 + 52 * i
        parts.append(
            f'<g class="outlet to-{i}" transform="translate(-44 {y})">'
            '<rect class="bin" width="118" height="46" rx="4"/>'
            f'<path class="here" d="M-8 23l-12-8v16z"/>'
            f'<text class="name" x="8" y="18">{escape(t(f"gate.{i}"))}</text>'
            f'<text class="reading" x="110" y="37" text-anchor="end">'
            f'<tspan class="v" data-k="t.{tag}" data-fmt="num" data-digits="1">–</tspan>'
            f'<tspan class="u" dx="3">{escape(units.written(units.of(tag)))}</tspan></text></g>'
        )
    return "".join(parts) + "</g></g>"
