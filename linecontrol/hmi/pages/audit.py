"""The audit trail: every change that was asked for; who, when, what, old, new, why, and what came of it."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.pages.site_tabs import site_tabs
from linecontrol.hmi.view import View

ROWS = 100
DAYS = (1, 7, 31, 366)
DAY_S = 86_400.0
OUTCOMES = ("done", "repeated", "refused", "denied", "failed")
ACTIONS = {
    "session": "POST /session",
    "command": "POST /commands",
    "run_start": "POST /runs",
    "run_command": "POST /runs/{run_id}/commands",
    "alarm_ack": "POST /alarms/acknowledge",
    "shelve": "POST /alarms/{name}/shelve",
    "lab": "POST /lab",
    "gains": "POST /tuning/{loop}/apply",
    "recipe_draft": "POST /recipes/{name}/versions",
    "recipe_approve": "POST /recipes/{name}/versions/{version}/approve",
    "recipe_activate": "POST /recipes/{name}/versions/{version}/activate",
    "user_add": "POST /users",
    "user_change": "PATCH /users/{name}",
    "token_add": "POST /tokens",
    "log_out": "DELETE /session",
    "unlock": "POST /session/unlock",
    "password": "PUT /session/password",
    "language": "PUT /session/language",
    "recipe_rewrite": "PUT /recipes/{name}/versions/{version}",
    "recipe_reject": "POST /recipes/{name}/versions/{version}/reject",
    "advice": "POST /runs/{run_id}/set-point-advice",
    "lot_add": "POST /lots",
    "lot_use": "POST /runs/{run_id}/lots",
    "suspect": "POST /runs/{run_id}/suspects/{suspect_id}",
    "bag_hold": "POST /bags/{bag_id}/hold",
    "bag_release": "POST /bags/{bag_id}/release",
    "bag_reject": "POST /bags/{bag_id}/reject",
    "silence": "POST /alarms/silence",
    "unshelve": "POST /alarms/{name}/unshelve",
    "alarm_reset": "POST /alarms/{name}/reset",
    "comment": "POST /alarms/{name}/comment",
    "out_of_service": "POST /alarms/{name}/out-of-service",
    "in_service": "POST /alarms/{name}/return",
    "bypass": "POST /interlocks/{name}/bypass",
    "bypass_end": "POST /interlocks/{name}/bypass/end",
    "interlock_reset": "POST /interlocks/{name}/reset",
    "deviation_action": "POST /deviations/{deviation_id}/action",
    "deviation_close": "POST /deviations/{deviation_id}/close",
    "check": "POST /calibrations",
    "test": "POST /tuning/{loop}/test",
    "test_abort": "POST /tuning/{loop}/abort",
    "gains_accept": "POST /tuning/{loop}/accept",
    "gains_revert": "POST /tuning/{loop}/revert",
    "probe": "POST /stations/{name}/probe",
    "user_first": "POST /users/first",
    "user_reset": "POST /users/reset",
    "user_delete": "DELETE /users/{name}",
    "user_token": "POST /users/{name}/reset",
    "session_end": "DELETE /sessions/{session_id}",
    "token_revoke": "DELETE /tokens/{token_id}",
}
"""Every route that changes something, by the word of its text; those that people look for most come first."""
_ELSEWHERE = ("reason", "note")  # has a column of its own
_WORDS = {route: word for word, route in ACTIONS.items()}


async def page(view: View) -> None:
    """Draws the page."""
    with ui.element("div").classes("page"):
        site_tabs(view, "audit")
        await Trail(view).build()


class Trail:
    """The rows that fit the filters, newest first, a hundred at a time."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._wish: dict[str, Any] = {"who": "", "action": "", "outcome": "", "days": DAYS[1]}
        self._rows: list[dict[str, Any]] = []

    async def build(self) -> None:
        view = self._view
        with ui.element("div").classes("filters"):
            who = ui.input(view.t("audit.who")).props("outlined clearable debounce=400").classes("field")
            who.on_value_change(lambda e: self._again(who=(e.value or "").strip()))
            did = {route: view.t(f"audit.did.{word}") for word, route in ACTIONS.items()}
            actions = {"": view.t("audit.all")} | did
            ui.select(
                actions, value="", label=view.t("audit.action"), on_change=lambda e: self._again(action=e.value)
            ).props("outlined").classes("field")
            outcomes = {"": view.t("audit.all")} | {word: view.t(f"audit.outcome.{word}") for word in OUTCOMES}
            ui.select(
                outcomes, value="", label=view.t("audit.came_of_it"), on_change=lambda e: self._again(outcome=e.value)
            ).props("outlined").classes("field")
            days = {n: view.t("audit.days", days=n) for n in DAYS}
            ui.toggle(days, value=DAYS[1], on_change=lambda e: self._again(days=e.value)).props(
                "no-caps unelevated"
            ).classes("times")
        with ui.element("section").classes("panel"):
            self._box = ui.element("div")
            self._foot = ui.element("div").classes("answers")
        await self._again()

    async def _again(self, **changed: Any) -> None:
        self._wish.update(changed)
        self._rows = []
        await self._more()

    async def _more(self) -> None:
        view, wish = self._view, self._wish
        params: dict[str, Any] = {"limit": ROWS} | {k: wish[k] for k in ("action", "outcome") if wish[k]}
        if wish["who"]:
            params["who"] = wish["who"] if ":" in wish["who"] else f"operator:{wish['who']}"
        now = view.live.values.get("now")
        if isinstance(now, int | float):
            params["since"] = max(0.0, now - wish["days"] * DAY_S)
        if self._rows:
            params["before"] = self._rows[-1]["number"]
        found = await view.told(view.get("/audit", **params))
        if found is None:
            return
        self._rows += found
        with self._box.clear():
            if self._rows:
                self._table()
            else:
                ui.label(view.t("audit.none")).classes("empty")
        with self._foot.clear():
            if len(found) == ROWS:
                widgets.button(view.t("audit.more"), self._more)

    def _table(self) -> None:
        view = self._view
        names = ("number", "time", "who", "what", "old", "new", "why", "outcome")
        ask.table([view.t(f"audit.column.{n}") for n in names], [self._cells(row) for row in self._rows], cards=True)

    def _cells(self, row: dict[str, Any]) -> tuple[Any, ...]:
        view = self._view

        def who() -> None:
            ui.label(row["who"])
            role = view.t(f"role.{row['role']}") if row["role"] else ""
            ui.label(" · ".join(word for word in (role, row["address"]) if word)).classes("fine")

        def what() -> None:
            if row["action"] in _WORDS:
                ui.label(view.t(f"audit.did.{_WORDS[row['action']]}"))
            ui.label(f"{row['action'].partition(' ')[0]} {row['target']}").classes("fine breaks")

        def outcome() -> None:
            words = view.t(f"audit.outcome.{row['outcome']}") if row["outcome"] in OUTCOMES else row["outcome"]
            ui.label(words).classes("b" if row["outcome"] in ("done", "repeated") else "bad-words")
            if row["detail"]:
                ui.label(view.said(row["detail"])).classes("fine breaks")

        when = view.when(row["time"])
        return (row["number"], when, who, what, _json_cell(row["old"]), _json_cell(row["new"]), row["why"], outcome)


def _json_cell(text: str | None) -> Any:
    """What was written down as JSON, a member a line."""

    def draw() -> None:
        try:
            found = json.loads(text or "null")
        except ValueError:
            found = text
        rows = found.items() if isinstance(found, dict) else [("", found)] if found is not None else []
        with ui.element("div").classes("fine breaks audit-json"):
            for key, value in rows:
                if key in _ELSEWHERE:
                    continue
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                ui.label(f"{key}: {shown}" if key else str(shown))

    return draw
