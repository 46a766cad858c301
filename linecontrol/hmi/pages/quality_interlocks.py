"""Interlocks: condition, value, limit, what clears each; a supervisor's bypass, and resetting a latched one."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.client import ApiError
from linecontrol.hmi.view import View

AGAIN_S = 2.0
MINUTES = (10, 30, 60, 120)


async def section(view: View) -> None:
    """All of the line."""
    await panel(view)


async def panel(view: View, station: str | None = None) -> None:
    """Those of one station, or of the whole line; drawn again when one has changed."""
    with ui.element("section").classes("panel") as box:
        pass
    seen: list[Any] = []

    async def draw() -> None:
        try:
            rows = await view.get("/interlocks")
        except ApiError:
            return  # the banner tells that the line does not answer
        rows = [row for row in rows if station in (None, row["station"])]
        key = [(row["name"], row["state"], row["can_reset"], row["value"]) for row in rows]
        if key == seen:
            return
        seen[:] = key
        with box.clear():
            ui.label(view.t("quality.interlocks")).classes("title")
            for row in rows:
                _interlock(view, row, draw)

    await draw()
    ui.timer(AGAIN_S, draw)


def _interlock(view: View, row: dict[str, Any], draw: Any) -> None:
    value = f"{view.of(row['called'])} = {view.number(row['value'], 1)} {view.unit(row['unit'])}"
    limits = [f"≥ {view.number(row['low'], 1)}"] if row["low"] is not None else []
    limits += [f"≤ {view.number(row['high'], 1)}"] if row["high"] is not None else []
    with ui.element("div").classes("card"):
        with ui.element("div").classes("head-line"):
            ui.label(f"{row['name']} · {view.of(row['title'])}")
            ui.label(view.t(f"quality.interlock.{row['state']}"))
        ui.label(f"{value}   ({', '.join(limits)})").classes("note")
        if row["state"] == "blocking":
            does = [refused["tag"] for refused in row["refuses"]] + [
                view.t(f"quality.then.{act}") for act in row["then"]
            ]
            ui.label(view.t("quality.blocks", what=", ".join(does))).classes("said")
            ui.label(view.of(row["clears"])).classes("said")
        if row["bypass"] is not None:
            by = row["bypass"]
            words = view.t("quality.bypassed", who=by["who"], until=view.when(by["until"]), why=by["reason"])
            ui.label(words).classes("said")
        with ui.element("div").classes("verbs"):
            if row["can_reset"]:
                ask.offered(view.t("quality.reset"), lambda: _reset(view, row, draw), ask.lacking(view, "operate"))
            if row["bypass"] is not None:
                why = ask.lacking(view, "operate")
                ask.offered(view.t("quality.end_bypass"), lambda: _end(view, row, draw), why)
            elif row["state"] == "blocking":
                why = ask.lacking(view, "approve") or ("" if row["bypass_s"] > 0 else view.t("quality.no_bypass"))
                ask.offered(view.t("quality.bypass"), lambda: _bypass(view, row, draw), why)


async def _bypass(view: View, row: dict[str, Any], draw: Any) -> None:
    kept: dict[str, Any] = {}
    allowed = [minutes for minutes in MINUTES if 60 * minutes <= row["bypass_s"]] or [int(row["bypass_s"] // 60)]

    def more() -> None:
        options = {minutes: view.t("quality.minutes", minutes=minutes) for minutes in allowed}
        kept["for"] = (
            ui.select(options, value=allowed[0], label=view.t("quality.for")).props("outlined").classes("field")
        )

    said = await ask.reason(
        view,
        view.t("quality.bypass_question", name=row["name"]),
        view.t("quality.bypass"),
        lines=[view.of(row["purpose"])],
        more=more,
    )
    if said is None:
        return
    body = {"reason": said, "for_s": 60.0 * kept["for"].value}
    if await view.do(f"/interlocks/{row['name']}/bypass", body) is not None:
        await draw()


async def _end(view: View, row: dict[str, Any], draw: Any) -> None:
    if await view.do(f"/interlocks/{row['name']}/bypass/end", {}) is not None:
        await draw()


async def _reset(view: View, row: dict[str, Any], draw: Any) -> None:
    question = view.t("quality.reset_question", name=row["name"])
    said = await ask.reason(view, question, view.t("quality.reset"), lines=[view.of(row["clears"])], is_needed=False)
    if said is not None and await view.do(f"/interlocks/{row['name']}/reset", {"reason": said}) is not None:
        await draw()
