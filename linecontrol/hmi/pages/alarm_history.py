"""The alarms' journal with its filters, and the figures of the alarm system itself."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.view import View

VERBS = (
    "raised", "cleared", "annunciated", "acknowledged", "silenced", "reset", "shelved", "unshelved", "removed",
    "returned", "commented", "proposed",
)  # fmt: skip
HOURS = (1, 8, 24)
JOURNAL_ROWS = 200
FLOOD = 10  # alarms in ten minutes
RATE_GOOD = 1.0  # a 10 min
STALE_GOOD = 5


async def journal(view: View) -> None:
    """What happened to alarms, newest first; by act, alarm and time."""
    wish: dict[str, Any] = {"verb": "", "name": "", "hours": HOURS[-1]}
    with ui.element("div").classes("filters"):
        acts = {"": view.t("alarms.all_acts")} | {verb: view.t(f"alarm.did.{verb}") for verb in VERBS}
        ui.select(acts, value="", label=view.t("alarms.act"), on_change=lambda e: again(verb=e.value)).props(
            "outlined"
        ).classes("field")
        name = ui.input(view.t("alarms.name")).props("outlined clearable debounce=400").classes("field")
        name.on_value_change(lambda e: again(name=(e.value or "").strip()))
        hours = {h: view.t("hours", hours=h) for h in HOURS}
        ui.toggle(hours, value=wish["hours"], on_change=lambda e: again(hours=e.value)).props(
            "no-caps unelevated"
        ).classes("times")
    box = ui.element("div").classes("panel")

    async def again(**changed: Any) -> None:
        wish.update(changed)
        now = view.live.values.get("now")
        params: dict[str, Any] = {"limit": JOURNAL_ROWS} | {k: wish[k] for k in ("verb", "name") if wish[k]}
        if now is not None:
            params["since"] = now - wish["hours"] * 3600.0
        rows = await view.told(view.get("/alarms/journal", **params))
        with box.clear():
            if rows:
                _journal_table(view, rows)
            elif rows is not None:
                ui.label(view.t("alarms.empty.history")).classes("empty")

    await again()


def _journal_table(view: View, rows: list[dict[str, Any]]) -> None:
    titles = [view.t(f"alarms.column.{name}") for name in ("time", "act", "alarm", "priority", "who", "why")]
    ask.table(
        titles,
        [
            (
                view.when(row["time"]),
                view.t(f"alarm.did.{row['verb']}") if row["verb"] in VERBS else row["verb"],
                view.of(row["text"]) if view.language == "zh" else row["text"]["en"],
                view.t(f"priority.{row['priority']}") if row["priority"] else "",
                view.said(row["who"] or ""),
                view.said(row["why"] or ""),
            )
            for row in rows
        ],
        cards=True,
    )


async def figures(view: View) -> None:
    """ISA-18.2 figures over the last hours, each with what is thought good."""
    box = ui.element("div").classes("kpis")

    async def again(hours: int) -> None:
        found = await view.told(view.get("/alarms/kpis", hours=hours))
        if found is not None:
            with box.clear():
                _figures(view, found, hours, again)

    await again(HOURS[-1])


def _figures(view: View, found: dict[str, Any], hours: int, again: Any) -> None:
    options = {h: view.t("hours", hours=h) for h in HOURS}
    ui.toggle(options, value=hours, on_change=lambda e: again(e.value)).props("no-caps unelevated").classes("times")
    with ui.element("div").classes("tiles"):
        _tile(view, "rate", view.number(found["rate_10_min"], 2), is_good=found["rate_10_min"] <= RATE_GOOD)
        _tile(view, "peak", view.number(found["peak_annunciated"]), is_good=found["peak_annunciated"] <= FLOOD)
        _tile(view, "flood", f"{view.number(found['in_flood_pct'], 1)} %", is_good=found["in_flood_pct"] < 1.0)
        _tile(view, "all", view.number(found["alarms"]), is_good=True)
        _tile(view, "chattering", view.number(len(found["chattering"])), is_good=not found["chattering"])
        _tile(view, "stale", view.number(len(found["stale"])), is_good=len(found["stale"]) < STALE_GOOD)
    with ui.element("div").classes("columns"):
        with ui.element("section").classes("panel"):
            ui.label(view.t("kpi.top")).classes("title")
            most = max((row["alarms"] for row in found["top"]), default=1)
            for row in found["top"]:
                _share(row["name"], view.number(row["alarms"]), row["alarms"] / most)
            if not found["top"]:
                ui.label(view.t("alarms.empty.history")).classes("muted")
        with ui.element("section").classes("panel"):
            ui.label(view.t("kpi.priorities")).classes("title")
            for name in ("critical", "high", "medium", "low"):
                share = found["priorities"].get(name, 0.0)
                _share(view.t(f"priority.{name}"), f"{view.number(share, 1)} %", share / 100.0)
            ui.label(view.t("kpi.priorities_good")).classes("muted")
        if found["chattering"] or found["stale"] or found["floods"]:
            with ui.element("section").classes("panel"):
                ui.label(view.t("kpi.look_at")).classes("title")
                rows = [(name, view.t("alarm.nuisance.chattering")) for name in found["chattering"]]
                rows += [(name, view.t("kpi.stale")) for name in found["stale"]]
                rows += [
                    (view.when(row["began"]), view.t("kpi.flood_of", count=row["alarms"])) for row in found["floods"]
                ]
                ask.facts(rows)


def _tile(view: View, name: str, value: str, *, is_good: bool) -> None:
    with ui.element("section").classes("card" + ("" if is_good else " off")):
        ui.label(view.t(f"kpi.{name}")).classes("head-line")
        ui.label(value).classes("big")
        ui.label(view.t(f"kpi.{name}_good")).classes("fine muted")


def _share(name: str, value: str, part: float) -> None:
    with ui.element("div").classes("share"):
        ui.label(name).classes("share-name")
        with ui.element("div").classes("progress"):
            ui.element("div").classes("bar").style(f"--f:{part:.3f}")
        ui.label(value).classes("v")
