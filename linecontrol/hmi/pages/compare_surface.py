"""A designed experiment as a response surface: what its factors do, and the setting to try next. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.charts import INK, SOFT, figure
from linecontrol.hmi.pages.compare_wish import apart_unit, one_metric_field, signed, where_field, where_of
from linecontrol.hmi.view import View

MODELS = ("auto", "linear", "interactions", "quadratic")
SEEN_P = 0.05
SHADES = ("#f3f4f4", "#c3d0de", "#7d9bb5", "#3f6a94", "#0f3468")
"""From the least to the most: lightness alone tells, so that it is read without colour too."""
TRIED, PROPOSED = "#1d2730", "#b85400"


async def surface(view: View) -> None:
    """The tab."""

    async def again() -> None:
        wish = {"metric": metric.value, "goal": goal.value, "model": model.value, "where": where_of(view)}
        await _draw(view, wish, box, go)

    with ui.element("section").classes("panel"):
        ui.label(view.t("compare.surface.note")).classes("muted")
        with ui.element("div").classes("filters"):
            where_field(view, again)
            metric = one_metric_field(view)
            goals = {one: view.t(f"compare.goal.{one}") for one in ("max", "min")}
            goal = ui.toggle(goals, value="max").props("no-caps unelevated").classes("times")
            models = {one: view.t(f"compare.model.{one}") for one in MODELS}
            model = ui.select(models, value="auto", label=view.t("compare.model"))
            model.props("outlined").classes("field")
            go = widgets.button(view.t("compare.work_out"), again, kind="main")
    box = ui.element("div").classes("page")


async def _draw(view: View, wish: dict[str, Any], box: ui.element, button: ui.button) -> None:
    button.props("loading")
    found = await view.worked_out("/compare/surface", **wish)
    parameters = None if found is None else await _parameters(view)
    button.props(remove="loading")
    with box.clear():
        if found is None or parameters is None:
            return
        with ui.element("div").classes("columns wide-columns"):
            _proposal(view, found, parameters)
            if found["map"] is not None:
                _map(view, found, parameters)
        _effects(view, found, parameters)


async def _parameters(view: View) -> dict[str, Any]:
    """Recipe values by name: their titles and units."""
    found: dict[str, Any] = {}
    for recipe in await view.told(view.get("/recipes")) or []:
        found |= recipe["formula"]
    return found


def _title(view: View, name: str, parameters: Mapping[str, Any]) -> str:
    """A recipe value as people call it; a product or square of them in the same way."""
    if "*" in name:
        return " × ".join(_title(view, one, parameters) for one in name.split("*"))
    if name.endswith("^2"):
        return f"{_title(view, name[:-2], parameters)}²"
    return view.of(parameters.get(name, {}).get("title")) or name


def _with_unit(view: View, name: str, parameters: Mapping[str, Any]) -> str:
    unit = view.unit(parameters.get(name, {}).get("unit") or "")
    return f"{_title(view, name, parameters)}, {unit}" if unit else _title(view, name, parameters)


def _proposal(view: View, found: dict[str, Any], parameters: Mapping[str, Any]) -> None:
    proposal, factors = found["proposal"], found["surface"]["factors"]
    unit, apart = view.unit(found["unit"]), apart_unit(view, found["metric"], found["unit"])
    with ui.element("section").classes("panel"):
        ui.label(view.t("compare.surface.better" if proposal["is_better"] else "compare.surface.none")).classes("title")
        names = ("factor", "tried", "instead_of", "proposed")
        ask.table(
            [view.t(f"compare.column.{name}") for name in names],
            [
                [
                    _with_unit(view, name, parameters),
                    f"{figure(view, row['low'], 4)} … {figure(view, row['high'], 4)}",
                    figure(view, proposal["instead_of"].get(name), 4),
                    figure(view, proposal["at"][name], 4),
                ]
                for name, row in factors.items()
            ],
            numbers=(1, 2, 3),
            cards=True,
        )
        expected, low, high = (proposal[key] for key in ("expected", "expected_low", "expected_high"))
        gain = f"{signed(view, proposal['gain'])} {apart}"
        span = f"{signed(view, proposal['gain_low'])} … {signed(view, proposal['gain_high'])}"
        around = f"{figure(view, low, 4)} … {figure(view, high, 4)}"
        interval = view.t("compare.column.interval")
        ask.facts(
            [
                (view.t("compare.surface.expected"), f"{figure(view, expected, 4)} {unit} ({interval}: {around})"),
                (view.t("compare.surface.gain"), f"{gain} ({interval}: {span})"),
            ]
        )
        if proposal["on_border"]:
            ends = ", ".join(_title(view, name, parameters) for name in proposal["on_border"])
            ui.label(view.t("compare.surface.border", names=ends)).classes("note")
        ui.label(view.t("compare.surface.person")).classes("muted")


def _map(view: View, found: dict[str, Any], parameters: Mapping[str, Any]) -> None:
    """The response over its two strongest factors, the others as proposed; settings that were tried are dots."""
    drawn, unit = found["map"], view.unit(found["unit"])
    names = (drawn["across"], drawn["up"])
    x, y = drawn["x"], drawn["y"]
    cells = [[xi, yi, round(z, 5)] for yi, row in zip(y, drawn["z"], strict=True) for xi, z in zip(x, row, strict=True)]
    low, high = min(cell[2] for cell in cells), max(cell[2] for cell in cells)
    axes = [_axis(_with_unit(view, name, parameters), values) for name, values in zip(names, (x, y), strict=True)]
    options: dict[str, Any] = {
        "animation": False,
        "textStyle": {"fontFamily": "inherit", "color": INK},
        "grid": {"left": 14, "right": 96, "top": 40, "bottom": 32, "containLabel": True},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": axes[0] | {"nameLocation": "middle", "nameGap": 28},
        "yAxis": axes[1] | {"nameTextStyle": {"align": "left", "color": SOFT}},
        "visualMap": {
            "min": low,
            "max": high if high > low else low + 1.0,
            "dimension": 2,
            "seriesIndex": 0,
            "calculable": False,
            "precision": 2,
            "right": 0,
            "top": "middle",
            "itemHeight": 160,
            "text": [f"{figure(view, high, 4)} {unit}", f"{figure(view, low, 4)} {unit}"],
            "textStyle": {"color": INK},
            "inRange": {"color": list(SHADES)},
        },
        "series": [
            _cells(cells, x, y),
            _dots(view.t("compare.surface.dots"), drawn["tried"], "circle", 7, TRIED),
            _dots(view.t("compare.column.proposed"), [drawn["at"]], "diamond", 16, PROPOSED),
        ],
        "legend": {"top": 2, "right": 96, "itemWidth": 12, "textStyle": {"color": INK}, "data": []},
    }
    options["legend"]["data"] = [row["name"] for row in options["series"][1:]]
    with ui.element("section").classes("panel"):
        ui.label(f"{view.of(found['title'])}, {unit}").classes("title")
        plot = ui.echart(options).classes("plot").style("height:340px")
        plot.props["role"], plot.props["aria-label"] = "img", view.of(found["title"])
        if drawn["held"]:
            held = ", ".join(
                f"{_title(view, name, parameters)} {figure(view, value, 4)}" for name, value in drawn["held"].items()
            )
            ui.label(view.t("compare.surface.held", names=held)).classes("muted")


def _axis(name: str, values: list[float]) -> dict[str, Any]:
    half = (values[1] - values[0]) / 2.0
    return {
        "type": "value",
        "name": name,
        "nameTextStyle": {"color": SOFT},
        "min": round(values[0] - half, 6),
        "max": round(values[-1] + half, 6),
        "splitLine": {"show": False},
        "axisLine": {"lineStyle": {"color": SOFT}},
        "axisLabel": {"color": INK, "showMinLabel": False, "showMaxLabel": False, "hideOverlap": True},
    }


CELL = """(params, api) => {
  const half = [HALF_X, HALF_Y];
  const a = api.coord([api.value(0) - half[0], api.value(1) + half[1]]);
  const b = api.coord([api.value(0) + half[0], api.value(1) - half[1]]);
  return {type: 'rect', shape: {x: a[0], y: a[1], width: b[0] - a[0] + 0.6, height: b[1] - a[1] + 0.6},
    style: {fill: api.visual('color')}};
}"""


def _cells(cells: list[list[float]], x: list[float], y: list[float]) -> dict[str, Any]:
    """One rectangle for each point of the grid: a heat map of ECharts wants words on its axes, not numbers."""
    drawing = CELL.replace("HALF_X", f"{(x[1] - x[0]) / 2.0:g}").replace("HALF_Y", f"{(y[1] - y[0]) / 2.0:g}")
    return {"type": "custom", ":renderItem": drawing, "data": cells, "encode": {"x": 0, "y": 1}, "z": 1}


def _dots(name: str, points: list[list[float]], symbol: str, size: int, color: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": name,
        "data": points,
        "symbol": symbol,
        "symbolSize": size,
        "itemStyle": {"color": color, "borderColor": "#ffffff", "borderWidth": 1},
        "z": 5,
    }


def _effects(view: View, found: dict[str, Any], parameters: Mapping[str, Any]) -> None:
    fitted, apart = found["surface"], apart_unit(view, found["metric"], found["unit"])
    names = ("term", "effect_of", "u", "p_single", "verdict")
    with ui.element("section").classes("panel"):
        ui.label(view.t("compare.surface.effects")).classes("title")
        ui.label(view.t("compare.surface.effects.note")).classes("muted")
        ask.table(
            [view.t(f"compare.column.{name}") for name in names],
            [
                [
                    _title(view, row["name"], parameters),
                    f"{signed(view, row['value'])} {apart}",
                    figure(view, row["u"], 2),
                    "< 0.001" if row["p"] < 0.001 else view.number(row["p"], 3),
                    view.t("compare.surface.works" if row["p"] < SEEN_P else "compare.surface.unseen"),
                ]
                for row in fitted["terms"]
                if row["name"] != "1"
            ],
            numbers=(1, 2, 3),
            cards=True,
        )
        share = figure(view, 100.0 * (fitted["r2_adjusted"] or 0.0), 2)
        model, spread = view.t(f"compare.model.{fitted['model']}"), f"{figure(view, fitted['sd'], 2)} {apart}"
        about = view.t(
            "compare.surface.about", runs=fitted["runs"], model=model, sd=spread, df=fitted["df"], share=share
        )
        ui.label(about).classes("muted")
        if fitted["lots"]:
            ui.label(view.t("compare.surface.lots", lots=fitted["lots"])).classes("muted")
        if fitted["lack_p"] is not None and fitted["lack_p"] < SEEN_P:
            ui.label(view.t("compare.surface.lack")).classes("bad-words")
