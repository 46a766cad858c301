"""A trend from live back into the record without a gap. The chart is filled by the browser (static/trend.js)."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from linecontrol.hmi.live import digits_of
from linecontrol.hmi.view import View

SPANS_MIN = (10, 30, 120, 480)
FIRST = {
    "screening": ("screening.root_rate", "screening.wash_water"),
    "grinding": ("grinding.milk_density", "grinding.rasp_power"),
    "drying": ("drying.powder_moisture", "drying.inlet_air_temp"),
}
"""What is drawn at first, by station; a station not named here begins with its first measurement."""
MOST = 4


def trend(view: View, rows: list[dict[str, Any]], station: str) -> None:
    """A chart with a choice of the station's measurements, spans, a step back, a step on, and back to live."""
    numbers = [row for row in rows if row["unit"]]
    first = [row for row in numbers if row["alias"] in FIRST.get(station, ())] or numbers[:1]
    chosen = [row["name"] for row in first]
    with ui.element("section").classes("panel trend-box"):
        with ui.element("div").classes("trend-head"):
            options = {row["name"]: f"{row['name']} {view.of(row['title'])}" for row in numbers}
            picker = ui.select(options, value=chosen, multiple=True, label=view.t("trend.what", most=MOST))
            picker.props(f"outlined dense use-chips max-values={MOST}").classes("field picker")
            with ui.element("div").classes("spans"):
                _tool("chevron_left", view.t("trend.back"), "back")
                for minutes in SPANS_MIN:
                    words = (
                        view.t("trend.minutes", n=minutes) if minutes < 60 else view.t("trend.hours", n=minutes // 60)
                    )
                    _tool("", words, f"span:{minutes}")
                _tool("chevron_right", view.t("trend.on"), "on")
                _tool("", view.t("trend.live"), "live")
        chart = ui.echart({"series": []}, renderer="canvas").classes("chart")
        chart.classes("trend")
        chart.props["data-tags"] = " ".join(chosen)
        chart.props["data-about"] = _about(view, numbers)

    def choose() -> None:
        ui.run_javascript(f"line.trend?.choose({chart.id}, {list(picker.value or [])!r})")

    picker.on_value_change(choose)


def _about(view: View, rows: list[dict[str, Any]]) -> str:
    """Title, unit and decimals of each measurement, for the chart."""
    about = {
        row["name"]: [view.of(row["title"]), view.unit(row["unit"]), digits_of(row["unit"]), row["unit"]]
        for row in rows
    }
    return json.dumps(about, ensure_ascii=False)


def _tool(icon: str, words: str, does: str) -> None:
    button = ui.element("button").classes("tool").props(f'type=button title="{words}" aria-label="{words}"')
    button.props["data-trend"] = does
    with button:
        if icon:
            ui.icon(icon)
        else:
            ui.label(words)
