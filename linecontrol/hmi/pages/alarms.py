"""Alarms: what stands and waits, each with its cause and what to do; what is out of view; what has been."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.alarm_verbs import AWAY, LONGEST_CRITICAL_S, SHELVE_S, UNACKNOWLEDGED, folded, shown_verbs, why_not
from linecontrol.hmi.live import digits_of, instant
from linecontrol.hmi.pages import alarm_history
from linecontrol.hmi.view import View

TABS = ("now", "away", "proposals", "history", "figures")
MOST_SHOWN = 60  # further ones are counted: nobody reads more, and a flood must not freeze a cheap panel
RIGHT = "operate"
SECONDS_AN_HOUR = 3600


async def page(view: View, tab: str = "now") -> None:
    """Draws one part of the page."""
    with ui.element("div").classes("page alarms-page"):
        ask.tabs(view, "/alarms", TABS, tab, "alarms.tab")
        if tab == "history":
            await alarm_history.journal(view)
        elif tab == "figures":
            await alarm_history.figures(view)
        else:
            AlarmList(view, tab).build()


class AlarmList:
    """The list of one tab. An entry is drawn anew only when it has changed: nobody's finger hits what was replaced."""

    def __init__(self, view: View, tab: str) -> None:
        self._view, self._tab = view, tab
        self._open = ""  # the alarm whose details are shown
        self._unfolded: set[str] = set()
        self._entries: dict[str, tuple[str, ui.element]] = {}  # by alarm: what it shows, and where
        self._head_shown = ""

    def build(self) -> None:
        """Draws it, and goes on doing so."""
        self._head = ui.element("div")
        self._list = ui.element("div").classes("alarm-list live")
        self._foot = ui.element("div")
        self._view.watch(lambda: self._view.live.alarms_version, self._draw)

    def _rows(self) -> list[dict[str, Any]]:
        rows = [row for row in self._view.live.alarms if row.get("state") != "NORM"]
        match self._tab:
            case "away":
                return [row for row in rows if row["state"] in AWAY]
            case "proposals":
                return [row for row in rows if row.get("shelve_proposed") and row["state"] not in AWAY]
            case _:
                return [row for row in rows if row["state"] not in AWAY]

    def _draw(self) -> None:
        rows = self._rows()
        pairs = folded(rows)[:MOST_SHOWN]
        self._draw_head(rows, len(folded(rows)) - len(pairs))
        for name in [name for name in self._entries if name not in {row["name"] for row, _ in pairs}]:
            self._entries.pop(name)[1].delete()
        for place, (row, members) in enumerate(pairs):
            name = row["name"]
            shown = json.dumps([row, members, self._open, name in self._unfolded, sorted(self._view.session.rights)])
            known = self._entries.get(name)
            if known is None:
                with self._list:
                    box = ui.element("div").classes("entry")
            else:
                box = known[1]
            if known is None or known[0] != shown:
                with box.clear():
                    self._entry(row, members)
            if self._list.default_slot.children.index(box) != place:
                box.move(target_index=place)
            self._entries[name] = (shown, box)

    def _draw_head(self, rows: list[dict[str, Any]], more: int) -> None:
        view = self._view
        waiting = [row["name"] for row in rows if row["state"] in UNACKNOWLEDGED]
        shown = json.dumps([len(rows), waiting, more])
        if shown == self._head_shown:
            return
        self._head_shown = shown
        with self._head.clear(), ui.element("div").classes("list-head"):
            ui.label(view.t(f"alarms.head.{self._tab}", count=len(rows), waiting=len(waiting))).classes("title")
            if self._tab == "now":
                why = ask.lacking(view, RIGHT) or ("" if waiting else view.t("alarms.none_waiting"))
                ask.offered(view.t("alarms.acknowledge_all"), lambda: self._acknowledge(waiting), why, kind="main")
        with self._foot.clear():
            if self._tab == "proposals":
                ui.label(view.t("alarms.proposals_note")).classes("muted")
            if more:
                ui.label(view.t("alarms.more", count=more)).classes("muted")
            if not rows:
                ui.label(view.t(f"alarms.empty.{self._tab}")).classes("empty")

    def _entry(self, row: dict[str, Any], members: list[dict[str, Any]], *, is_member: bool = False) -> None:
        view, name = self._view, row["name"]
        is_open = self._open == name
        with ui.element("article").classes("alarm" + (" member" if is_member else "")) as box:
            box.props["data-priority"] = row["priority"]
            box.props["data-unseen"] = "1" if row["state"] in UNACKNOWLEDGED else "0"
            box.props["data-alarm"] = name
            with ui.element("div").classes("alarm-line"):
                with (
                    ui.element("button")
                    .classes("alarm-open")
                    .props(f"type=button aria-expanded={'true' if is_open else 'false'}") as opener
                ):
                    ui.element("span").classes("alarm-mark").props('aria-hidden="true"')
                    with ui.element("span").classes("alarm-priority"):
                        ui.label(view.t(f"priority.{row['priority']}")).classes("b")
                        ui.label(view.t(f"alarm.state.{row['state']}")).classes("fine")
                    with ui.element("span").classes("alarm-said"):
                        ui.label(view.of(row["text"])).classes("alarm-words")
                        with ui.element("span").classes("fine"):
                            ui.label(_where(view, row))
                            if (figures := figures_of(view, row)) is not None:
                                ui.label(figures).classes("v")
                    with ui.element("span").classes("alarm-age"):
                        until = row.get("shelved_until")
                        if until:
                            ui.label(view.t("alarm.back_in")).classes("fine")
                            ask.since(instant(until), until=True)
                        else:
                            ui.label(view.t("alarm.age")).classes("fine")
                            ask.since(instant(row.get("raised_at") or row.get("since")))
                opener.on("click", lambda: self._toggle(name))
                if row["state"] in UNACKNOWLEDGED:
                    why = ask.lacking(view, RIGHT)
                    button = widgets.command(view.t("alarm.do.acknowledge"), lambda: self._acknowledge([name]))
                    button.set_enabled(not why)
            if is_open:
                self._details(row)
        if members:
            self._members(row, members)

    def _members(self, row: Mapping[str, Any], members: list[dict[str, Any]]) -> None:
        view, name = self._view, row["name"]
        is_unfolded = name in self._unfolded
        with (
            ui.element("button")
            .classes("fold")
            .props(f"type=button aria-expanded={'true' if is_unfolded else 'false'}") as fold
        ):
            ui.label(view.t("alarm.members_shown" if is_unfolded else "alarm.members", count=len(members)))
        fold.on("click", lambda: self._fold(name))
        if is_unfolded:
            for member in members:
                self._entry(member, [], is_member=True)

    def _toggle(self, name: str) -> None:
        self._open = "" if self._open == name else name
        self._draw()

    def _fold(self, name: str) -> None:
        self._unfolded ^= {name}
        self._draw()

    def _details(self, row: dict[str, Any]) -> None:
        view = self._view
        with ui.element("div").classes("alarm-details"):
            rows = [
                (view.t("alarm.action"), view.of(row.get("action"))),
                (view.t("alarm.consequence"), view.of(row.get("consequence"))),
            ]
            if row.get("respond_s"):
                rows.append((view.t("alarm.respond"), view.t("minutes", minutes=view.number(row["respond_s"] / 60))))
            if row.get("detail"):
                rows.append((view.t("alarm.detail"), view.said(row["detail"])))
            rows.append((view.t("alarm.raised"), view.when(row.get("raised_at"))))
            if row.get("acked_by"):
                rows.append((view.t("alarm.acked"), f"{row['acked_by']}, {view.when(row['acked_at'])}"))
            if row.get("first_out"):
                rows.append((view.t("alarm.first_out"), row["first_out"]))
            if row.get("put_by"):
                rows.append((view.t(f"alarm.state.{row['state']}"), f"{row['put_by']}: {row.get('put_why') or ''}"))
            if row.get("shelve_proposed"):
                rows.append((view.t("alarm.proposed"), view.t(f"alarm.nuisance.{row['nuisance']}")))
            rows += [(view.when(c["time"]), f"{c['who']}: {c['text']}") for c in row.get("comments", ())]
            ask.facts([pair for pair in rows if pair[1]])
            with ui.element("div").classes("verbs"):
                for verb in shown_verbs(row):
                    key = why_not(row, verb)
                    why = ask.lacking(view, RIGHT) or (view.t(key) if key else "")
                    ask.offered(view.t(f"alarm.do.{verb}"), lambda _, v=verb: self._do(row, v), why)

    async def _acknowledge(self, names: list[str]) -> None:
        answer = await self._view.do("/alarms/acknowledge", {"names": names})
        for refused in (answer or {}).get("refused", ()):
            self._view.say(f"{refused['name']}: {self._view.said(refused['reason'])}", bad=True)

    async def _do(self, row: dict[str, Any], verb: str) -> None:
        view, name = self._view, row["name"]
        if verb == "acknowledge":
            await self._acknowledge([name])
            return
        body: dict[str, Any] = {}
        more = None
        if verb == "shelve":
            longest = LONGEST_CRITICAL_S if row["priority"] == "critical" else SHELVE_S[-1]
            body["for_s"] = SHELVE_S[0]
            more = lambda: times(view, body, longest)  # noqa: E731 - drawn inside the dialog
        said = await ask.reason(
            view,
            f"{view.t(f'alarm.do.{verb}')}: {view.of(row['text'])}",
            view.t(f"alarm.do.{verb}"),
            more=more,
            is_needed=verb in ("shelve", "out-of-service", "comment"),
            words=[view.t(f"alarm.why.{i}") for i in range(3)] if verb in ("shelve", "out-of-service") else (),
        )
        if said is None:
            return
        body |= {"text": said} if verb == "comment" else {"reason": said}
        await view.do(f"/alarms/{name}/{verb}", {**body})


def times(view: View, body: dict[str, Any], longest: int) -> None:
    """Buttons for how long to shelve; what is chosen goes into ``body``."""
    options = {
        s: view.t("minutes", minutes=s // 60) if s < SECONDS_AN_HOUR else view.t("hours", hours=s // SECONDS_AN_HOUR)
        for s in SHELVE_S
        if s <= longest
    }
    toggle = ui.toggle(options, value=body["for_s"], on_change=lambda e: body.update(for_s=e.value))
    toggle.props("no-caps unelevated").classes("times")


def _where(view: View, row: Mapping[str, Any]) -> str:
    station = view.t(f"station.{row['station']}") if row["station"] != "line" else view.t("alarm.line")
    return f"{station} · {row['name']}"


def figures_of(view: View, row: Mapping[str, Any]) -> str | None:
    """Value and limit of an alarm, as a person reads them."""
    value, limit, unit = row.get("value"), row.get("set_point"), str(row.get("unit") or "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    digits = max(digits_of(unit), 1)
    shown = f"{view.number(value, digits)} {view.unit(unit)}".strip()
    return shown if limit is None else view.t("alarm.figures", value=shown, limit=view.number(limit, digits))
