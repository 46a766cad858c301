"""Why one run made more powder than another: the difference in kilograms, step by step, as a waterfall."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.charts import INK, SOFT, figure
from linecontrol.hmi.pages.compare_wish import finished_runs, run_field, signed, waiting
from linecontrol.hmi.view import View

MORE, LESS, WHOLE = "#2f7d7a", "#b85400", "#6d6e71"
LABEL_PX = 98  # "Concentrating" and "Unaccounted" in one line; the chart is as wide as its bars' names need
INTERVAL = """(params, api) => {
  const top = api.coord([api.value(0), api.value(2)]), low = api.coord([api.value(0), api.value(1)]), w = 6;
  const line = (x1, y1, x2, y2) =>
    ({type: 'line', shape: {x1, y1, x2, y2}, style: {stroke: '#1d2730', lineWidth: 1.2}});
  return {type: 'group', children: [line(low[0], low[1], top[0], top[1]), line(low[0] - w, low[1], low[0] + w, low[1]),
    line(top[0] - w, top[1], top[0] + w, top[1])]};
}"""


async def why(view: View) -> None:
    """The tab."""
    runs = await finished_runs(view)
    with ui.element("section").classes("panel"):
        if len(runs) < 2:
            ui.label(view.t("compare.none_ended")).classes("empty")
            return
        ui.label(view.t("compare.why.note")).classes("muted")
        with ui.element("div").classes("filters"):
            a = run_field(runs, view.t("compare.why.a"), 1)
            b = run_field(runs, view.t("compare.why.b"), 0)
    box = ui.element("div").classes("page")

    async def again() -> None:
        await _draw(view, (str(a.value), str(b.value)), box)

    a.on_value_change(again)
    b.on_value_change(again)
    await again()


async def _draw(view: View, runs: tuple[str, str], box: ui.element) -> None:
    waiting(box)
    found = await view.worked_out(f"/runs/{runs[0]}/attribution/{runs[1]}")
    with box.clear():
        if found is None:
            return
        kg = view.unit("kg")
        with ui.element("section").classes("panel"):
            apart = f"{signed(view, found['difference']['kg'])} ± {figure(view, found['difference']['u'], 2)} {kg}"
            ui.label(view.t("compare.why.title", apart=apart)).classes("title")
            _waterfall(view, found)
        with ui.element("section").classes("panel"):
            names = ("step", "kg", "interval", "factor_a", "factor_b")
            ask.table(
                [view.t(f"compare.column.{name}") for name in names],
                [
                    [
                        view.of(step["title"]),
                        f"{signed(view, step['kg'])} {kg}",
                        f"{signed(view, step['low_95'])} … {signed(view, step['high_95'])}",
                        figure(view, step["factor_a"], 4),
                        figure(view, step["factor_b"], 4),
                    ]
                    for step in found["steps"]
                ],
                numbers=(1, 2, 3, 4),
                cards=True,
            )
            if found["left_out"]:
                ui.label(view.t("compare.why.left_out", n=len(found["left_out"]))).classes("muted")


def _waterfall(view: View, found: dict[str, Any]) -> None:
    """Bars from the one run's powder to the other's, each with its 95 % interval."""
    a, b = found["powder_a"]["kg"], found["powder_b"]["kg"]
    names, bars, intervals, level = [view.t("compare.why.bar_a")], [_bar(0.0, a, WHOLE)], [], a
    for i, step in enumerate(found["steps"], 1):
        names.append(view.of(step["title"]))
        bars.append(_bar(level, level + step["kg"], MORE if step["kg"] >= 0.0 else LESS))
        intervals.append([i, round(level + step["low_95"], 4), round(level + step["high_95"], 4)])
        level += step["kg"]
    names.append(view.t("compare.why.bar_b"))
    bars.append(_bar(0.0, b, WHOLE))
    ends = [a, b, *(value for row in intervals for value in row[1:])]
    margin = 0.1 * (max(ends) - min(ends)) or 1.0
    floor = max(0.0, min(ends) - margin)
    base = [max(floor, low) for low, _, _ in bars]
    options = {
        "animation": False,
        "textStyle": {"fontFamily": "inherit", "color": INK},
        "grid": {"left": 8, "right": 14, "top": 34, "bottom": 8, "containLabel": True},
        "xAxis": {
            "type": "category",
            "data": names,
            "axisLabel": {"color": INK, "interval": 0, "width": LABEL_PX, "overflow": "break", "lineHeight": 14},
            "axisTick": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "name": view.unit("kg"),
            "min": round(floor, 3),
            "max": round(max(ends) + margin, 3),
            "axisLabel": {"color": INK, "showMinLabel": False, "showMaxLabel": False},
            "splitLine": {"lineStyle": {"color": SOFT, "opacity": 0.3}},
        },
        "series": [
            {"type": "bar", "stack": "w", "silent": True, "itemStyle": {"color": "transparent"}, "data": base},
            {
                "type": "bar",
                "stack": "w",
                "silent": True,
                "barWidth": "55%",
                "data": [
                    {"value": high - low_shown, "itemStyle": {"color": color}}
                    for low_shown, (_, high, color) in zip(base, bars, strict=True)
                ],
            },
            {"type": "custom", ":renderItem": INTERVAL, "silent": True, "data": intervals, "z": 5},
        ],
    }
    with ui.element("div").classes("table-box"):
        chart = ui.echart(options, renderer="svg").style(
            f"height:360px; width:100%; min-width:{(LABEL_PX + 12) * len(names) + 70}px"
        )
    said = "; ".join(f"{view.of(step['title'])} {signed(view, step['kg'])} kg" for step in found["steps"])
    chart.props["role"], chart.props["aria-label"] = "img", said


def _bar(start: float, end: float, color: str) -> tuple[float, float, str]:
    return (round(min(start, end), 4), round(max(start, end), 4), color)
