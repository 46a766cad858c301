"""How many runs it takes to see a difference, and what fewer or more would show."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.charts import Curve, chart, figure
from linecontrol.hmi.pages.compare_wish import apart_unit, one_metric_field, where_field, where_of
from linecontrol.hmi.view import View

CHANCES = (0.8, 0.9, 0.95)
PERCENT, UNIT = "%", ""


async def power(view: View) -> None:
    """The tab."""

    async def again() -> None:
        wish = {
            "see": f"{size.value:g}{of.value}" if size.value else "0",
            "metric": metric.value,
            "paired": bool(paired.value),
            "power": chance.value,
            "where": where_of(view),
        }
        await _draw(view, wish, box, go)

    with ui.element("section").classes("panel"):
        ui.label(view.t("compare.power.note")).classes("muted")
        with ui.element("div").classes("filters"):
            where_field(view, again)
            metric = one_metric_field(view)
            size = ui.number(view.t("compare.power.see"), value=1.0, min=0.0)
            size.props("outlined inputmode=decimal").classes("field")
            ways = {PERCENT: view.t("compare.power.of_mean"), UNIT: view.t("compare.power.in_unit")}
            of = ui.toggle(ways, value=PERCENT).props("no-caps unelevated").classes("times")
            chance = ui.select(
                {one: f"{view.number(100 * one)} %" for one in CHANCES}, value=0.8, label=view.t("compare.power.chance")
            )
            chance.props("outlined").classes("field")
            paired = ui.switch(view.t("compare.power.paired")).classes("touch")
            go = widgets.button(view.t("compare.work_out"), again, kind="main")
    box = ui.element("div").classes("page")


async def _draw(view: View, wish: dict[str, Any], box: ui.element, button: ui.button) -> None:
    button.props("loading")
    found = await view.worked_out("/compare/power", **wish)
    button.props(remove="loading")
    with box.clear():
        if found is None:
            return
        unit = apart_unit(view, found["metric"], found["unit"])
        needed = found["needed"]
        kind = "paired" if found["paired"] else "single"
        with ui.element("section").classes("panel"):
            ui.label(view.t(f"compare.power.needed.{kind}", n=view.number(needed["each"]))).classes("title")
            mean = found["mean"]
            share = "" if not mean else f" ({figure(view, 100.0 * found['difference'] / abs(mean), 2)} %)"
            rows = [
                (view.t("compare.power.difference"), f"{figure(view, found['difference'])} {unit}{share}"),
                (view.t("compare.column.mean_of"), f"{figure(view, mean, 4)} {view.unit(found['unit'])}"),
                (view.t(f"compare.power.sd.{kind}"), f"{figure(view, found['sd'])} {unit}"),
                (view.t("compare.power.chance"), f"{view.number(100.0 * found['power'])} %"),
            ]
            if needed["low"] != needed["high"]:
                between = f"{view.number(needed['low'])} … {view.number(needed['high'])}"
                rows.append((view.t("compare.power.open"), between))
            ask.facts(rows)
        _shows(view, found, unit, kind)


def _shows(view: View, found: dict[str, Any], unit: str, kind: str) -> None:
    """What so many runs show: the smallest true difference seen with this chance."""
    rows = found["shows"]
    with ui.element("section").classes("panel"):
        ui.label(view.t("compare.power.shows")).classes("title")
        chart(
            [Curve("", [row["each"] for row in rows], [row["shows"] for row in rows], dots=True)],
            unit=unit,
            x_name=view.t(f"compare.power.each.{kind}"),
            marks=[found["difference"]],
            height=240,
        )
        ask.table(
            [view.t(f"compare.power.each.{kind}"), f"{view.t('compare.column.difference')}, {unit}"],
            [[view.number(row["each"]), figure(view, row["shows"])] for row in rows],
            numbers=(0, 1),
        )
