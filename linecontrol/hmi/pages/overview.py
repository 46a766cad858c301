"""The line at one glance (level 1): is all well, how far is the run, and the mimic from hopper to bag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element

from linecontrol.hmi import mimic, widgets
from linecontrol.hmi.live import digits_of
from linecontrol.hmi.view import View

SPARKS = (
    ("drying.powder_moisture", "MIC-306.WSP"),
    ("drying.inlet_air_temp", "TIC-303.WSP"),
    ("drying.powder_rate", ""),
)
"""The embedded trends: a tag by alias, and the set point drawn beside it."""
SCALES = (("drying.powder_moisture", "MIC-306"), ("drying.inlet_air_temp", "TIC-303"))
"""The analogue scales: a tag by alias, and the loop that keeps it."""
SPARK_MINUTES = 30
SPARK_LEAST = 0.05  # of a tag's range
BAND = 0.12  # width of the normal band around the set point, as part of the scale
_VARIANTS = (("wide", 0), ("middle", 4), ("tall", 3))


async def page(view: View) -> None:
    """Draws the page; drawn again when the line tells of other tags."""
    with ui.element("div").classes("overview") as box:
        pass

    def draw() -> None:
        with box.clear():
            _strip(view)
            _mimic(view)
            _sparks(view)

    view.watch(lambda: tuple(view.live.tags), draw)


def _strip(view: View) -> None:
    with ui.element("div").classes("strip live"):
        with ui.element("section").classes("card well-card"):
            widgets.live(ui.element("ul").classes("wells"), "well", "well")
        with ui.element("section").classes("card"):
            with ui.element("div").classes("head-line"):
                widgets.live_text("run.title.{lang}")
                widgets.live_text("run.fraction", fmt="pct").classes("after-percent")
            with ui.element("div").classes("big"):
                widgets.live_text("run.remaining_s", fmt="dur")
                ui.label(view.t("run.left")).classes("u")
            with ui.element("div").classes("progress"):
                widgets.live(ui.element("div").classes("bar"), "run.fraction", "bar", low=0, high=1)
        with ui.element("section").classes("card"):
            ui.label(view.t("overview.powder")).classes("head-line")
            with ui.element("div").classes("big"):
                widgets.live_text("run.record.powder_kg", fmt="num", digits=1)
                _unit(view, "kg")
            with ui.element("div").classes("pair"):
                ui.label(view.t("overview.yield"))
                widgets.live_text("run.record.extraction_yield", fmt="num", digits=1, factor=100).classes("v")
                widgets.live_text("run.record.extraction_yield_u", fmt="num", digits=1, factor=100).classes(
                    "plus-minus"
                )
                _unit(view, "%")
        for alias, loop in SCALES:
            tag = view.live.tag_of(alias)
            if tag is not None:
                _scale(view, tag, loop)


def _scale(view: View, tag: str, loop: str) -> None:
    row = view.live.tags[tag]
    unit = str(row["unit"])
    with ui.element("section").classes("card"):
        with ui.element("div").classes("head-line"):
            ui.label(view.of(row["title"]))
            ui.label(tag)
        with ui.element("div").classes("big"):
            widgets.live_text(f"t.{tag}", fmt="num", digits=digits_of(unit)).classes("v")
            _unit(view, unit)
        set_point = view.live.tags.get(f"{loop}.WSP")
        if set_point is None or set_point["low"] is None or set_point["high"] is None:
            return
        spread = (set_point["high"] - set_point["low"]) * 0.25
        ends = {"low": round(set_point["low"] - spread, 3), "high": round(set_point["high"] + spread, 3)}
        with ui.element("div").classes("scale").style(f"--band:{BAND}"):
            widgets.live(ui.element("div").classes("band"), f"t.{loop}.WSP", "bar", **ends)
            widgets.live(ui.element("div").classes("sp"), f"t.{loop}.WSP", "bar", **ends)
            widgets.live(ui.element("div").classes("at"), f"t.{tag}", "bar", **ends)
        with ui.element("div").classes("pair"):
            ui.label(view.t("loop.sp"))
            widgets.live_text(f"t.{loop}.WSP", fmt="num", digits=digits_of(unit)).classes("v")
            widgets.live_text(f"loop.{loop}.mode", fmt="word", words="mode")


def _unit(view: View, unit: str) -> Element:
    found = ui.element("span").classes("u")
    found.props["data-unit"] = view.unit(unit)
    return found


def _mimic(view: View) -> None:
    machines = mimic.machines_of(view.live.tag_of)
    if not machines:
        return
    with ui.element("section").classes("panel mimic-panel"):
        for name, columns in _VARIANTS:
            drawing = mimic.drawing(machines, columns, view.t, mimic.Units(view.unit_of, view.unit))
            ui.html(drawing, sanitize=False).classes(f"mimic-box {name}")  # constants and escaped names only


def _least(row: Mapping[str, Any]) -> float:
    """The least height of a trend in the tag's unit: noise must not look like an event."""
    return 1.0 if row["low"] is None or row["high"] is None else (row["high"] - row["low"]) * SPARK_LEAST


def _sparks(view: View) -> None:
    with ui.element("div").classes("sparks live"):
        for alias, set_point in SPARKS:
            tag = view.live.tag_of(alias)
            if tag is None:
                continue
            row = view.live.tags[tag]
            with ui.element("section").classes("card"):
                with ui.element("div").classes("head-line"):
                    ui.label(view.t("overview.trend", what=view.of(row["title"]), unit=view.unit(str(row["unit"]))))
                    ui.label(view.t("overview.minutes", minutes=SPARK_MINUTES))
                canvas = ui.element("canvas").classes("spark")
                canvas.props["data-tags"] = f"{tag} {set_point}" if set_point in view.live.tags else tag
                canvas.props["data-minutes"] = str(SPARK_MINUTES)
                canvas.props["data-least"] = str(_least(row))
                canvas.props["data-digits"] = str(digits_of(str(row["unit"])))
