"""The register of calibrations, test pieces, magnet and cleaning: what is due, and entering that it was done."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.view import View


async def section(view: View) -> None:
    """Draws it; drawn again when something was entered."""
    with ui.element("section").classes("panel") as box:
        pass

    async def draw() -> None:
        rows = await view.told(view.get("/calibrations")) or []
        with box.clear():
            if not rows:
                ui.label(view.t("quality.no_checks")).classes("empty")
            for row in rows:
                _check(view, row, draw)

    await draw()


def _check(view: View, row: dict[str, Any], draw: Any) -> None:
    with ui.element("section").classes("card"):
        with ui.element("div").classes("head-line"):
            ui.label(f"{row['name']} · {view.of(row['title'])}")
            ui.label(view.t("quality.overdue") if row["is_overdue"] else "")
        ui.label(view.of(row["why"])).classes("said")
        done = f"{view.when(row['done_at'])}, {row['who']}" if row["done_at"] else view.t("quality.never")
        facts = [
            (view.t("quality.how"), f"{view.t('quality.role.' + row['responsible'])}: {view.of(row['how'])}"),
            (view.t("quality.last_done"), done),
        ]
        if row["certificate"]:
            facts.append((view.t("quality.certificate"), row["certificate"]))
        ask.facts(facts)
        right = "tune" if row["kind"] == "calibration" else "operate"
        with ui.element("div").classes("verbs"):
            why = ask.lacking(view, right)
            ask.offered(view.t("quality.passed"), lambda: _enter(view, row, "passed", draw), why, kind="main")
            ask.offered(view.t("quality.failed"), lambda: _enter(view, row, "failed", draw), why)


async def _enter(view: View, row: dict[str, Any], result: str, draw: Any) -> None:
    kept: dict[str, Any] = {}

    def more() -> None:
        kept["field"] = ui.input(view.t("quality.certificate")).props("outlined maxlength=200").classes("field")

    said = await ask.reason(
        view,
        view.t(f"quality.{result}_question", name=view.of(row["title"])),
        view.t(f"quality.{result}"),
        lines=[view.of(row["how"])],
        more=more if row["kind"] == "calibration" else None,
        is_needed=result == "failed",
    )
    if said is None:
        return
    certificate = str(kept["field"].value or "") if kept else ""
    body = {"item": row["name"], "result": result, "found": said, "certificate": certificate}
    if await view.do("/calibrations", body) is not None:
        await draw()
