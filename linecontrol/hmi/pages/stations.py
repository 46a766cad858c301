"""One station (level 2): its loops, its trend, and every value with its quality and age."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import widgets
from linecontrol.hmi.live import digits_of
from linecontrol.hmi.pages import quality_interlocks
from linecontrol.hmi.pages.faceplate import change, faceplate
from linecontrol.hmi.pages.trend import trend
from linecontrol.hmi.view import View

INNER = ("boot_id", "probe_constant", "sequence", "sequence_check", "heartbeat", "owner")
"""Ends of the aliases of what controller and PLC say to each other; shown folded away."""


async def page(view: View, station: str) -> None:
    """Draws the page of a station, drawn again when the line tells of other tags."""
    with ui.element("div").classes("station-page") as box:
        pass

    def draw() -> None:
        with box.clear():
            _tabs(view, station)
            rows = [row for row in view.live.tags.values() if row["station"] == station]
            if not rows:
                ui.label(view.t("station.none")).classes("muted")
                return
            with ui.element("div").classes("station-top"):
                with ui.element("div").classes("loops"):
                    for loop in loops_of(view, station):
                        _loop(view, loop)
                trend(view, rows, station)
            _values(view, rows)

    await quality_interlocks.panel(view, station)
    view.watch(lambda: (tuple(view.live.tags), tuple(loops_of(view, station))), draw)


def loops_of(view: View, station: str) -> list[str]:
    """The loops whose PV is measured at this station."""
    loops: dict[str, dict[str, Any]] = view.live.status.get("loops", {})
    tags = view.live.tags
    return [name for name, row in loops.items() if tags.get(row["pv_tag"], {}).get("station") == station]


def _tabs(view: View, station: str) -> None:
    with ui.element("nav").classes("tabs"):
        for name in view.live.status.get("stations", {}):
            tab = ui.element("a").classes("tab" + (" on" if name == station else ""))
            tab.props(f'href="/stations/{name}"')
            if name == station:
                tab.props("aria-current=true")
            with tab:
                with widgets.state(ui.element("span").classes("up-mark"), f"station.{name}.is_up"):
                    pass
                ui.label(view.t(f"station.{name}"))
        with widgets.shown(ui.element("div").classes("objection"), f"station.{station}.objection"):
            widgets.live_text(f"station.{station}.objection", k_zh=f"station.{station}.objection_zh")


def _loop(view: View, name: str) -> None:
    """A loop as a card: PV, SP, OP, mode; a touch opens its faceplate."""
    row = view.live.status["loops"][name]
    title = row["title_zh"] if view.language == "zh" else row["title"]
    digits = digits_of(row["unit"])
    card = ui.element("button").classes("card loop").props("type=button")
    card.on("click", lambda: faceplate(view, name))
    with card:
        with ui.element("div").classes("head-line"):
            ui.label(title)
            ui.label(name)
        with ui.element("div").classes("loop-row"):
            for key, unit in (("pv", row["unit"]), ("sp", row["unit"]), ("op", view.unit_of(f"{name}.OP"))):
                with ui.element("div").classes("figure"):
                    ui.label(view.t(f"loop.{key}.short")).classes("small-title")
                    with ui.element("div"):
                        shown = digits if key != "op" else digits_of(unit)
                        widgets.live_text(f"loop.{name}.{key}", fmt="num", digits=shown).classes("v")
                        ui.element("span").classes("u").props["data-unit"] = view.unit(unit)
            with widgets.state(ui.element("div").classes("loop-mode"), f"loop.{name}.mode"):
                widgets.live_text(f"loop.{name}.mode", fmt="word", words="mode")


def _values(view: View, rows: list[dict[str, Any]]) -> None:
    shown = [row for row in rows if not row["alias"].endswith(INNER)]
    inner = [row for row in rows if row["alias"].endswith(INNER)]
    with ui.element("section").classes("panel"):
        ui.label(view.t("station.values")).classes("title")
        _table(view, shown)
        with ui.expansion(view.t("station.inner")).classes("inner"):
            _table(view, inner)


def _table(view: View, rows: list[dict[str, Any]]) -> None:
    with ui.element("div").classes("values live").props("role=table"):
        for row in rows:
            _row(view, row)


def _row(view: View, row: dict[str, Any]) -> None:
    name = row["name"]
    with ui.element("div").classes("value-row").props("role=row"):
        ui.label(name).classes("tag-name").props("role=cell")
        ui.label(view.of(row["title"])).classes("tag-title").props("role=cell")
        widgets.tag_value(view, name).props("role=cell").classes("tag-value")
        with ui.element("span").classes("quality").props("role=cell"):
            widgets.live_text(f"quality.{name}", fmt="word", words="quality")
        widgets.live_text(f"age.{name}", fmt="age").classes("age").props("role=cell")
        if row["writable"] and not row["alias"].endswith(INNER) and view.session.may("operate"):
            edit = (
                ui.element("button")
                .classes("edit cmd")
                .props(f'type=button aria-label="{view.t("change.what", tag=name)}"')
            )
            edit.on("click", lambda: change(view, name))
            with edit:
                ui.icon("edit")
        else:
            ui.element("span")
