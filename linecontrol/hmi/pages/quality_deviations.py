"""Deviations from the limits: what is suspect, what the plan asks for, and recording what was done."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.view import View

MOST_ROWS = 50


async def section(view: View) -> None:
    """Draws it; drawn again when an action was recorded."""
    with ui.element("section").classes("panel") as box:
        pass

    async def draw() -> None:
        rows = await view.told(view.get("/deviations", limit=MOST_ROWS)) or []
        with box.clear():
            if not rows:
                ui.label(view.t("quality.no_deviations")).classes("empty")
            for row in rows:
                _deviation(view, row, draw)

    await draw()


def _deviation(view: View, row: dict[str, Any], draw: Any) -> None:
    until = view.when(row["until"]) if row["until"] else view.t("quality.going_on")
    with ui.element("section").classes("card"):
        with ui.element("div").classes("head-line"):
            ui.label(f"{row['ccp']} · {view.t('quality.deviation.' + row['state'])}")
            ui.label(row["run_id"] or "")
        ui.label(view.of(row["text"])).classes("said")
        stage = view.said(row["stage"])
        facts = [
            (
                view.t("quality.suspect"),
                view.t("quality.from_to", since=view.when(row["since"]), until=until, stage=stage),
            ),
            (view.t("quality.suspect_kg"), f"{view.number(row['suspect_kg'], 2)} kg"),
            (view.t("quality.asked_for"), view.of(row["corrective_action"])),
        ]
        if row["action"]:
            facts.append((view.t("quality.done_by", who=row["acted_by"]), row["action"]))
        if row["closed_by"]:
            facts.append((view.t("quality.closed_by"), f"{row['closed_by']}, {view.when(row['closed_at'])}"))
        ask.facts(facts)
        if row["state"] == "closed":
            return
        with ui.element("div").classes("verbs"):
            ask.offered(view.t("quality.act"), lambda: _act(view, row, draw), ask.lacking(view, "operate"), kind="main")
            why = ask.lacking(view, "approve")
            if not why and row["state"] == "open":
                why = view.t("quality.act_first")
            ask.offered(view.t("quality.close"), lambda: _close(view, row, draw), why)


async def _act(view: View, row: dict[str, Any], draw: Any) -> None:
    said = await ask.reason(
        view,
        view.t("quality.act_question", name=row["ccp"]),
        view.t("quality.act"),
        lines=[view.of(row["corrective_action"])],
    )
    if said and await view.do(f"/deviations/{row['deviation_id']}/action", {"action": said}) is not None:
        await draw()


async def _close(view: View, row: dict[str, Any], draw: Any) -> None:
    question = view.t("quality.close_question", name=row["ccp"])
    body = await ask.signature(view, question, view.t("quality.close"), "close", lines=[row["action"]])
    if body is not None and await view.do(f"/deviations/{row['deviation_id']}/close", body) is not None:
        await draw()
