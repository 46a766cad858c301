"""Control charts of yield, moisture and energy over the runs: which are not like the others, and since when."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.charts import SOFT, Curve, chart, figure
from linecontrol.hmi.pages.compare_wish import metric_field, where_field, where_of
from linecontrol.hmi.view import View

KINDS = ("I", "MR", "EWMA", "CUSUM")
BASELINES = (0, 10, 20, 30, 50)
MOST_SIGNALS = 30


async def charts(view: View) -> None:
    """The tab."""

    async def again() -> None:
        await _draw(view, list(metrics.value or []), int(baseline.value or 0), box, go)

    with ui.element("section").classes("panel"), ui.element("div").classes("filters"):
        where_field(view, again)
        metrics = metric_field(view, ["yield", "moisture", "energy"])
        options = {n: view.t("compare.baseline.n", n=n) if n else view.t("compare.baseline.all") for n in BASELINES}
        baseline = ui.select(options, value=0, label=view.t("compare.baseline")).props("outlined").classes("field")
        go = widgets.button(view.t("compare.go"), again, kind="main")
    box = ui.element("div").classes("page")


async def _draw(view: View, metrics: list[str], baseline: int, box: ui.element, button: ui.button) -> None:
    button.props("loading")
    wish: dict[str, Any] = {"metric": metrics or ["yield"], "where": where_of(view)}
    if baseline:
        wish["baseline"] = baseline
    found = await view.worked_out("/compare/control-charts", **wish)
    button.props(remove="loading")
    if found is None:
        return
    with box.clear():
        for one in found:
            _one(view, one)


def _one(view: View, one: dict[str, Any]) -> None:
    unit = view.unit(one["unit"])
    with ui.element("section").classes("panel"):
        ui.label(f"{view.of(one['title'])}, {unit}").classes("title")
        centre, sigma = figure(view, one["centre"], 4), figure(view, one["sigma"], 3)
        ui.label(view.t("compare.charts.about", n=len(one["runs"]), centre=centre, sigma=sigma, unit=unit)).classes(
            "muted"
        )
        with ui.element("div").classes("columns wide-columns"):
            for kind in KINDS:
                with ui.element("div"):
                    ui.label(view.t(f"compare.chart.{kind}")).classes("small-title")
                    _chart(view, one["charts"][kind], unit if kind != "CUSUM" else "σ")
        _signals(view, one)


def _chart(view: View, found: dict[str, Any], unit: str) -> None:
    x = list(range(1, len(found["points"]) + 1))
    low = frozenset(s["index"] for s in found["signals"] if s["side"] < 0)
    high = frozenset(s["index"] for s in found["signals"]) - low
    curves = [
        Curve("", x, found["points"], width=1.2, dots=True, marked=high if "also" in found else high | low),
        Curve("", x, found["lower"], SOFT, width=1.0, dash="dashed"),
        Curve("", x, found["upper"], SOFT, width=1.0, dash="dashed"),
    ]
    if "also" in found:
        curves.append(Curve("", x, found["also"], width=1.2, dots=True, marked=low))
    if found["centre"] is not None:
        curves.append(Curve("", x, [found["centre"]] * len(x), SOFT, width=1.0))
    chart(curves, unit=unit, x_name=view.t("compare.axis.run"), height=230)


def _signals(view: View, one: dict[str, Any]) -> None:
    rows = [(s["index"], kind, s["rule"]) for kind in KINDS for s in one["charts"][kind]["signals"]]
    if not rows:
        ui.label(view.t("compare.charts.calm")).classes("muted")
        return
    names = ("run", "started", "value", "chart", "what")
    ask.table(
        [view.t(f"compare.column.{name}") for name in names],
        [
            [
                str(one["runs"][index]["run_id"]),
                view.when(one["runs"][index]["started_at"]),
                figure(view, one["values"][index], 4),
                kind,
                view.t(f"compare.rule.{rule}"),
            ]
            for index, kind, rule in sorted(rows, reverse=True)[:MOST_SIGNALS]
        ],
        numbers=(2,),
    )
