"""The site: the links and stations, the historian, the line file."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.pages.site_tabs import site_tabs
from linecontrol.hmi.view import View

EVENTS = 40
COUNTERS = ("accepted", "stored", "spooled", "quarantined", "dropped", "pending")
LOOK_S = 2.0


async def page(view: View, tab: str = "links") -> None:
    """Draws one part of the page."""
    with ui.element("div").classes("page"):
        site_tabs(view, tab if tab == "file" else "links")
        if tab == "file":
            await _file(view)
        else:
            await _links(view)


# -- links and historian
async def _links(view: View) -> None:
    with ui.element("div").classes("columns live"):
        boxes = ui.element("section").classes("panel")
        history = ui.element("section").classes("panel")
    probe = ui.element("div")
    events = ui.element("section").classes("panel")

    def signature() -> str:
        return f"{view.live.status.get('stations')} {view.live.status.get('history')} {view.is_up}"

    def draw() -> None:
        stations = view.live.status.get("stations", {})
        with boxes.clear():
            ui.label(view.t("site.stations")).classes("title")
            for name, row in stations.items():
                _station(view, name, row, probe)
        with history.clear():
            _historian(view, view.live.status.get("history", {}))

    view.watch(signature, draw)
    rows = await view.told(view.get("/events", kind="link", limit=EVENTS)) or []
    with events:
        ui.label(view.t("site.link_events")).classes("title")
        if rows:
            ask.facts([(view.when(row["time"]), view.said(row["text"])) for row in rows])
        else:
            ui.label(view.t("site.no_link_events")).classes("muted")


def _station(view: View, name: str, row: dict[str, Any], probe: ui.element) -> None:
    asked = row["scans"] + row["missed"]
    share = 100.0 * row["missed"] / asked if asked else 0.0
    with ui.element("article").classes("station" + ("" if row["is_up"] and not row["objection"] else " off")):
        with ui.element("div").classes("list-head"):
            title = view.t(f"station.{name}")
            ui.label(f"{title}: {view.t('site.up' if row['is_up'] else 'site.down')}").classes("b")
            ask.offered(view.t("site.probe"), lambda: _probe(view, name, probe), ask.lacking(view, "tune"))
        rows = [
            (view.t("site.endpoint"), row["endpoint"]),
            (view.t("site.scans"), view.number(row["scans"])),
            (view.t("site.missed"), f"{view.number(row['missed'])} ({view.number(share, 1)} %)"),
            (view.t("site.writes"), view.said(row["objection"]) if row["objection"] else view.t("site.writes_yes")),
        ]
        if row["down_s"] is not None:
            rows.append((view.t("site.down_for"), f"{view.number(row['down_s'])} s"))
        ask.facts(rows)


async def _probe(view: View, name: str, box: ui.element) -> None:
    found = await view.do(f"/stations/{name}/probe", None)
    if found is None:
        return
    with box.clear(), ui.element("section").classes("panel" + ("" if found["passed"] else " off")):
        with ui.element("div").classes("list-head"):
            ui.label(view.t("site.probed", station=view.t(f"station.{name}"))).classes("title")
            widgets.button(view.t("close"), box.clear)
        if found["error"]:
            ui.label(view.said(found["error"]))
            return
        wrong = [row for row in found["tags"] if row["problem"]]
        key = "site.probe_wrong" if wrong else "site.probe_right"
        ui.label(view.t(key, count=len(wrong), all=len(found["tags"]))).classes("b")
        for notice in found["notices"]:
            ui.label(view.said(notice)).classes("note")
        ask.table(
            [view.t(f"site.column.{c}") for c in ("tag", "address", "raw", "value", "unit", "expected", "wrong")],
            [
                (
                    row["tag"],
                    row["address"],
                    row["raw"],
                    f"{row['value']:.6g}" if isinstance(row["value"], float) else str(row["value"] or ""),
                    view.unit(row["unit"]),
                    row["expected"],
                    ", ".join(view.said(word) for word in (row["problem"], row["hint"]) if word),
                )
                for row in found["tags"]
            ],
            numbers=(3,),
        )


def _historian(view: View, row: dict[str, Any]) -> None:
    ui.label(view.t("site.historian")).classes("title")
    if not row:
        return
    lost = row["dropped"] + row["quarantined"]
    ui.label(view.t("site.history_lost" if lost else "site.history_whole")).classes(
        "b" + (" bad-words" if lost else "")
    )
    ask.facts([(view.t(f"site.counter.{key}"), view.number(row[key])) for key in COUNTERS])
    balance = sum(row[key] for key in COUNTERS[1:])
    sign = "=" if balance == row["accepted"] else "≠"
    ui.label(
        view.t("site.balance", accepted=view.number(row["accepted"]), sign=sign, sum=view.number(balance))
    ).classes("muted")


# -- line file
async def _file(view: View) -> None:
    files = await view.told(view.get("/files"))
    for one in files or ():
        with ui.element("section").classes("panel"):
            ui.label(one["path"]).classes("title")
            ui.label(view.t("site.file_note")).classes("muted")
            with ui.element("pre").classes("file"):
                ui.label(one["text"])
