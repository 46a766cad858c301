"""Tuning (for technicians): which loop is most worth it, and then that loop's test, model, proposals and trial."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import widgets
from linecontrol.hmi.charts import figure
from linecontrol.hmi.live import instant
from linecontrol.hmi.pages.tuning_loop import LoopDesk
from linecontrol.hmi.view import View

STRETCHES_S = (900, 3600, 8 * 3600)
LAST_RUN = 0
SHORTEST_S, LONGEST_S = 60.0, 24 * 3600.0
MINUTE_S, HOUR_S = 60, 3600


async def page(view: View) -> None:
    """The loops of the line, first what is most worth mending."""
    runs = await view.told(view.get("/runs", limit=1)) or []
    last = _stretch_of(runs[0]) if runs else None
    with ui.element("div").classes("page"):
        with ui.element("div").classes("list-head"):
            ui.label(view.t("tuning.which")).classes("title")
            options = {
                s: view.t("minutes", minutes=s // MINUTE_S) if s < HOUR_S else view.t("hours", hours=s // HOUR_S)
                for s in STRETCHES_S
            }
            if last is not None:
                options = {LAST_RUN: view.t("tuning.last_run"), **options}
            first = next(iter(options))
            ui.toggle(options, value=first, on_change=lambda e: draw(e.value)).props("no-caps unelevated").classes(
                "times"
            )
        ui.label(view.t("tuning.which_note")).classes("muted")
        box = ui.element("div").classes("loop-list live")

    async def draw(chosen: int) -> None:
        loops = await view.told(view.get("/tuning"))
        if loops is None:
            return
        rows = {row["loop"]: row for row in loops}
        show(rows, [])  # judging a whole run takes seconds, and who knows his loop need not wait for it
        stretch = last if chosen == LAST_RUN and last is not None else {"last_s": chosen}
        show(rows, await view.worked_out("/assessment", **stretch) or [])

    def show(rows: dict[str, dict[str, Any]], judged: list[dict[str, Any]]) -> None:
        said = {row["loop"]: row for row in judged if row["loop"] in rows}
        with box.clear():
            for name in [*said, *(name for name in rows if name not in said)]:
                _loop_card(view, rows[name], said.get(name))

    await draw(first)


def _stretch_of(run: dict[str, Any]) -> dict[str, float] | None:
    """The stretch of a run, as the assessment is asked for it; None when it is too short for one."""
    began, ended = instant(run["started_at"]), instant(run["ended_at"])
    if began is None or ended is None:
        return None
    length = ended - began
    return {"last_s": min(length, LONGEST_S), "end": ended} if length >= SHORTEST_S else None


async def loop_page(view: View, loop: str) -> None:
    """One loop."""
    await LoopDesk(view, loop).build()


def _loop_card(view: View, row: dict[str, Any], judged: dict[str, Any] | None) -> None:
    name, unit = row["loop"], view.unit(row["unit"])
    verdict = None if judged is None or judged["reason"] else judged["verdict"]
    is_odd = verdict not in (None, "none", "cannot tell")
    with ui.element("a").classes("panel loop-card" + (" off" if is_odd else "")).props(f'href="/tuning/{name}"'):
        with ui.element("div").classes("loop-name"):
            ui.label(name).classes("b")
            ui.label(row["title_zh"] if view.language == "zh" else row["title"])
        with ui.element("div").classes("loop-now"):
            widgets.live_text(f"loop.{name}.pv", fmt="num", digits=2).classes("v")
            ui.label(unit).classes("u-text")
            widgets.live_text(f"loop.{name}.mode", fmt="word", words="mode").classes("fine")
        with ui.element("div").classes("loop-said"):
            if verdict is None:
                reason = "" if judged is None else judged["reason"]
                ui.label(view.said(reason) if reason else view.t("tuning.not_judged")).classes("muted")
            else:
                ui.label(view.t(f"verdict.{verdict}")).classes("b")
                spread = view.t("tuning.spread", sd=figure(view, judged["sd_error"]) if judged else "", unit=unit)
                auto = view.t(
                    "tuning.in_auto", part=view.number(100 * (judged["service_factor"] or 0)) if judged else ""
                )
                ui.label(f"{spread} · {auto}").classes("fine")
        with ui.element("div").classes("loop-state"):
            if row["trial"]:
                ui.label(view.t("tuning.on_trial")).classes("badge")
            elif row["differs_from_line_file"]:
                ui.label(view.t("tuning.differs")).classes("badge")
            ui.icon("chevron_right")
