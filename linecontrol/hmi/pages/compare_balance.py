"""Where the material of a run went, by its reconciled balance: starch, mass, water, as wide as there are kilograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, texts
from linecontrol.hmi.charts import INK, INKS, SOFT, figure
from linecontrol.hmi.pages.compare_wish import finished_runs, run_field, waiting
from linecontrol.hmi.view import View

QUANTITIES = ("starch", "mass", "water", "solids")
"""What may be drawn, in this order; the line file's balances say which there are."""
SPREAD = "#7d9bb5"
NARROW_PX = 560
ON_A_PHONE = {
    "right": 104,
    "nodeWidth": 8,
    "label": {"fontSize": 11, "width": 98, "overflow": "break", "lineHeight": 13},
}


async def balance(view: View) -> None:
    """The tab."""
    runs = await finished_runs(view)
    with ui.element("section").classes("panel"):
        if not runs:
            ui.label(view.t("compare.none_ended")).classes("empty")
            return
        with ui.element("div").classes("filters"):
            chosen = run_field(runs, view.t("compare.column.run"))
    box = ui.element("div").classes("page")

    async def again() -> None:
        await _draw(view, str(chosen.value), box)

    chosen.on_value_change(again)
    await again()


async def _draw(view: View, run: str, box: ui.element) -> None:
    waiting(box)
    found = await view.worked_out(f"/runs/{run}/flows")
    record = None if found is None else await view.worked_out(f"/runs/{run}")
    with box.clear():
        if found is None or record is None:
            return
        _yield(view, record)
        by_name = {row["quantity"]: row["flows"] for row in found}
        for name in QUANTITIES:
            if by_name.get(name):
                with ui.element("section").classes("panel"):
                    ui.label(view.t(f"compare.flows.{name}")).classes("title")
                    _sankey(view, by_name[name])


def _yield(view: View, record: dict[str, Any]) -> None:
    low, high = record.get("extraction_yield_low_95"), record.get("extraction_yield_high_95")
    if low is None or high is None:
        return
    suspects = [row["names"] for row in (record["balance"].get("gross_error") or {}).get("suspects", [])]
    named = ", ".join(sorted({name for names in suspects for name in names})) or view.t("compare.balance.no_suspects")
    share = figure(view, 100.0 * record["extraction_yield_reconciled"], 3)
    between = f"{figure(view, 100.0 * low, 3)} … {figure(view, 100.0 * high, 3)} %"
    with ui.element("section").classes("panel"):
        ask.facts(
            [
                (view.t("compare.balance.yield"), f"{share} %"),
                (view.t("compare.column.interval"), between),
                (view.t("compare.balance.suspects"), named),
            ]
        )


def _sankey(view: View, flows: Sequence[dict[str, Any]]) -> None:
    """Places are nodes; what comes from outside or goes there is one of its own, named after the stream."""
    sizes: dict[str, list[float]] = {}
    links, outer = [], set()
    for flow in flows:
        stream = view.of(flow["title"])
        source = view.said(flow["source"]) or f"{stream} "  # a stream that comes in may bear the name of one that goes
        target = view.said(flow["target"]) or stream
        outer |= {name for name, place in ((source, flow["source"]), (target, flow["target"])) if not place}
        links.append({"source": source, "target": target, "value": round(flow["kg"], 3)})
        sizes.setdefault(source, [0.0, 0.0])[1] += flow["kg"]
        sizes.setdefault(target, [0.0, 0.0])[0] += flow["kg"]
    nodes = [
        {
            "name": name,
            "itemStyle": {"color": INKS[2] if name in outer else INKS[0]},
            "label": {"formatter": f"{name.strip()}  {figure(view, max(both), 3)} kg"},
        }
        for name, both in sizes.items()
    ]
    series = {
        "type": "sankey",
        "data": nodes,
        "links": links,
        "left": 8,
        "right": 190,
        "top": 10,
        "bottom": 10,
        "nodeWidth": 12,
        "nodeGap": 16,
        "draggable": False,
        "label": {"color": INK, "fontSize": 13},
        "lineStyle": {"color": SPREAD, "opacity": 0.45, "curveness": 0.5},
        "itemStyle": {"borderWidth": 0},
    }
    options: dict[str, Any] = {
        "baseOption": {
            "animation": False,
            "textStyle": {"fontFamily": "inherit", "color": SOFT},
            "tooltip": {"trigger": "item", "confine": True},
            "series": [series],
        },
        "media": [{"query": {"maxWidth": NARROW_PX}, "option": {"series": [ON_A_PHONE]}}],
    }
    height = max(220, 44 * max(len(nodes) // 2, 4))
    said = "; ".join(f"{link['source'].strip()} → {link['target']}: {link['value']} kg" for link in links)
    with ui.element("div").classes("table-box"):
        chart = ui.echart(options, renderer="svg").style(f"height:{height}px; width:100%; min-width:300px")
    chart.props["role"], chart.props["aria-label"] = "img", said or texts.NOTHING
