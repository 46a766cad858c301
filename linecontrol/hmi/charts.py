"""Charts of finished things: records, fits, predictions, runs. Live values are drawn by static/spark.js instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from linecontrol.hmi import texts
from linecontrol.hmi.view import View

VALUE, SOFT, INK, HAIR = "#0f3468", "#8a949b", "#1d2730", "#b9bfc3"
INKS = (VALUE, "#6d6e71", "#2f7d7a", "#7a4b8f")
_FONT = "inherit"


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: in the legend; empty: not in it. x, y: None in y is a gap. dash: "" or dashed. step: held values.
        right: belongs to the axis on the right.
        dots: every point is drawn; those ``marked``, by their place, stand out.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    color: str = VALUE
    width: float = 1.8
    dash: str = ""
    step: bool = False
    right: bool = False
    dots: bool = False
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Shade:
    """An area between two heights over x, behind the lines. None in low or high is a gap."""

    name: str
    x: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]
    color: str = "#e8c34a"


def chart(
    curves: Sequence[Curve],
    *,
    unit: str = "",
    right_unit: str = "",
    x_name: str = "",
    marks: Sequence[float] = (),
    uprights: Sequence[float] = (),
    shade: Shade | None = None,
    height: int = 220,
) -> ui.echart:
    """Lines over time. ``marks`` are heights, ``uprights`` times drawn as thin lines, as limits and phases are."""
    has_right = any(curve.right for curve in curves)
    names = [curve.name for curve in curves if curve.name]
    options: dict[str, Any] = {
        "animation": False,
        "textStyle": {"fontFamily": _FONT, "color": INK},
        "grid": {"left": 8, "right": 14 if not has_right else 8, "top": 34, "bottom": 30, "containLabel": True},
        "legend": {
            "data": names,
            "top": 2,
            "left": 84,
            "icon": "rect",
            "itemWidth": 22,
            "itemHeight": 3,
            "textStyle": {"color": INK},
        },
        "tooltip": {"trigger": "axis", "confine": True, "axisPointer": {"lineStyle": {"color": SOFT}}},
        "xAxis": {
            "type": "value",
            "name": x_name,
            "nameLocation": "middle",
            "nameGap": 22,
            "min": "dataMin",
            "max": "dataMax",
            "splitLine": {"show": False},
            "axisLine": {"lineStyle": {"color": SOFT}},
            "axisLabel": {"color": INK, "hideOverlap": True, "showMaxLabel": False},
        },
        "yAxis": [_axis(unit)] + ([_axis(right_unit) | {"splitLine": {"show": False}}] if has_right else []),
        "series": [_series(curve) for curve in curves],
    }
    if uprights and options["series"]:
        options["series"][-1]["markLine"] = {
            "silent": True,
            "symbol": "none",
            "label": {"show": False},
            "lineStyle": {"color": SOFT, "type": "dotted"},
            "data": [{"xAxis": x} for x in uprights],
        }
    if shade is not None:
        options["series"] += _shaded(shade)
        options["legend"]["data"].append(shade.name)
    if marks and options["series"]:
        options["series"][0]["markLine"] = {
            "silent": True,
            "symbol": "none",
            "label": {"show": False},
            "lineStyle": {"color": "#b85400", "type": "dashed"},
            "data": [{"yAxis": y} for y in marks],
        }
    found = ui.echart(options).classes("plot")
    found.style(f"height:{height}px")
    return found


def _axis(unit: str) -> dict[str, Any]:
    return {
        "type": "value",
        "scale": True,
        "name": unit,
        "nameTextStyle": {"color": SOFT},
        "splitNumber": 4,
        "splitLine": {"lineStyle": {"color": HAIR, "opacity": 0.6}},
        "axisLabel": {"color": INK},
    }


def _series(curve: Curve) -> dict[str, Any]:
    return {
        "name": curve.name,
        "type": "line",
        "showSymbol": curve.dots,
        "symbol": "circle",
        "symbolSize": 5,
        "step": "end" if curve.step else False,
        "yAxisIndex": 1 if curve.right else 0,
        "data": [_point(curve, i, x, y) for i, (x, y) in enumerate(zip(curve.x, curve.y, strict=False))],
        "lineStyle": {"color": curve.color, "width": curve.width, "type": curve.dash or "solid"},
        "itemStyle": {"color": curve.color},
        "emphasis": {"disabled": True},
    }


def _point(curve: Curve, i: int, x: float, y: float | None) -> Any:
    point = [_plain(x), _plain(y)]
    if i not in curve.marked:
        return point
    return {"value": point, "symbolSize": 12, "itemStyle": {"color": "#b85400"}}


def _shaded(shade: Shade) -> list[dict[str, Any]]:
    """Two stacked series, of which only the upper one's area is seen."""
    base: dict[str, Any] = {
        "type": "line",
        "stack": "shade",
        "stackStrategy": "all",
        "showSymbol": False,
        "silent": True,
        "lineStyle": {"opacity": 0},
        "tooltip": {"show": False},
        "z": 1,
    }
    rise = [None if a is None or b is None else b - a for a, b in zip(shade.low, shade.high, strict=True)]
    points = [[[_plain(x), _plain(y)] for x, y in zip(shade.x, ys, strict=True)] for ys in (shade.low, rise)]
    area = {"areaStyle": {"color": shade.color, "opacity": 0.4}, "itemStyle": {"color": shade.color}}
    return [base | {"data": points[0]}, base | area | {"data": points[1], "name": shade.name}]


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 5)


def figure(view: View, value: float | None, significant: int = 3) -> str:
    """A number with so many significant figures, as people write it."""
    if value is None or not math.isfinite(value):
        return texts.NOTHING
    if value == 0.0:
        return view.number(0.0)
    digits = max(0, significant - 1 - math.floor(math.log10(abs(value))))
    return view.number(value, min(digits, 6))
