"""The limits of the HACCP plan as they stand, and whether the powder being bagged may spoil."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.client import ApiError
from linecontrol.hmi.view import View

AGAIN_S = 2.0


async def section(view: View) -> None:
    """Draws it; drawn again every two seconds."""
    with ui.element("section").classes("panel") as box:
        pass

    async def draw() -> None:
        try:
            plan = await view.get("/ccp")
        except ApiError:
            return  # the banner tells that the line does not answer
        with box.clear():
            _limits(view, plan["limits"])
            if plan["spoilage"] is not None:
                _spoilage(view, plan["spoilage"])

    await draw()
    ui.timer(AGAIN_S, draw)


def _limits(view: View, rows: list[dict[str, Any]]) -> None:
    if not rows:
        ui.label(view.t("quality.no_plan")).classes("empty")
        return
    titles = [view.t(f"quality.column.{name}") for name in ("limit", "state", "value", "critical", "inner", "action")]
    ask.table(titles, [_row(view, row) for row in rows], numbers=(2,), cards=True)


def _row(view: View, row: dict[str, Any]) -> tuple[str, ...]:
    unit = view.unit(row["unit"])
    standard = row["standard"]
    source = view.of(row["source"])
    if standard is not None:
        verified = view.t("quality.verified" if standard["text_verified"] else "quality.not_verified")
        source = f"{standard['name']} ({verified})"
    return (
        f"{row['name']} {view.of(row['title'])} · {row['tag']} · {source}",
        view.t(f"quality.state.{row['state']}"),
        f"{view.number(row['value'], 2)} {unit}",
        _between(view, row["low"], row["high"], unit),
        _between(view, row["operational"]["low"], row["operational"]["high"], unit),
        f"{view.t('quality.role.' + row['responsible'])}: {view.of(row['corrective_action'])}",
    )


def _between(view: View, low: float | None, high: float | None, unit: str) -> str:
    if low is None and high is None:
        return "–"
    if low is None:
        return f"≤ {view.number(high, 1)} {unit}"
    if high is None:
        return f"≥ {view.number(low, 1)} {unit}"
    return f"{view.number(low, 1)} – {view.number(high, 1)} {unit}"


def _spoilage(view: View, row: dict[str, Any]) -> None:
    ui.label(view.t("quality.spoilage")).classes("title gap-above")
    known = row["aw"] is not None
    between = f"{view.number(row['aw_low'], 2)} – {view.number(row['aw_high'], 2)}" if known else "–"
    ask.facts(
        [
            (view.t("quality.aw"), view.number(row["aw"], 2) if known else "–"),
            (view.t("quality.aw_between"), between),
            (view.t("quality.aw_limit"), view.number(row["limit"], 2)),
            (view.t("quality.outlook"), view.t(f"quality.outlook.{row['outlook']}")),
        ]
    )
    ui.label(view.t("quality.spoilage_note")).classes("muted")
