"""Who may log in, in which role; who is in now; and the tokens of scripts. An administrator's page."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui

from linecontrol.hmi import ask, texts, widgets
from linecontrol.hmi.pages.site_tabs import site_tabs
from linecontrol.hmi.view import View

ROLES = ("operator", "technician", "researcher", "supervisor", "admin")
SCOPES = ("view", "halt", "operate", "lab", "tune", "review", "approve")
TOKEN_DAYS = (7, 30, 90, 365)
MOST_IN_NAME = 60


async def page(view: View) -> None:
    """Draws the page."""
    with ui.element("div").classes("page"):
        site_tabs(view, "users")
        await Access(view).build()


class Access:
    """Three lists, drawn anew after every change."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def build(self) -> None:
        self._shown_once = ui.element("div")
        self._users = ui.element("section").classes("panel")
        self._sessions = ui.element("section").classes("panel")
        self._tokens = ui.element("section").classes("panel")
        await self._draw()

    async def _draw(self) -> None:
        view = self._view
        for box, path, draw in (
            (self._users, "/users", self._draw_users),
            (self._sessions, "/sessions", self._draw_sessions),
            (self._tokens, "/tokens", self._draw_tokens),
        ):
            rows = await view.told(view.get(path))
            if rows is not None:
                with box.clear():
                    draw(rows)

    def _head(self, title: str, words: str = "", on_click: Callable[[], Awaitable[None]] | None = None) -> None:
        with ui.element("div").classes("list-head"):
            ui.label(title).classes("title")
            if on_click is not None:
                widgets.command(words, on_click, kind="main", icon="add")

    # -- users
    def _draw_users(self, rows: Sequence[dict[str, Any]]) -> None:
        view = self._view
        self._head(view.t("users.title", count=len(rows)), view.t("users.add"), self._add)
        titles = [view.t(f"users.column.{name}") for name in ("name", "role", "language", "state", "made")]
        ask.table([*titles, ""], [self._user_cells(row) for row in rows], cards=True)
        ui.label(view.t("users.note")).classes("fine")

    def _user_cells(self, row: dict[str, Any]) -> tuple[Any, ...]:
        view, name = self._view, row["name"]
        path = f"/users/{quote(name, safe='')}"

        def state() -> None:
            ui.label(view.t("users.enabled" if row["is_enabled"] else "users.disabled")).classes(
                "" if row["is_enabled"] else "b"
            )
            if row["sessions"]:
                ui.label(view.t("users.sessions", count=row["sessions"])).classes("fine")

        def acts() -> None:
            with ui.element("div").classes("row-acts"):
                widgets.command(view.t("users.change_role"), lambda: self._change_role(row, path), kind="small")
                word = "users.disable" if row["is_enabled"] else "users.enable"
                widgets.command(view.t(word), lambda: self._shut(row, path), kind="small")
                widgets.command(view.t("users.reset"), lambda: self._reset(name, path), kind="small")
                widgets.command(view.t("users.remove"), lambda: self._remove(name, path), kind="small danger")

        language = texts.NAMES.get(row["language"], row["language"])
        return (name, view.t(f"role.{row['role']}"), language, state, view.when(row["created_at"]), acts)

    async def _add(self) -> None:
        view = self._view
        fields: dict[str, Any] = {}

        def more() -> None:
            fields["name"] = ui.input(view.t("users.column.name")).props(f"outlined maxlength={MOST_IN_NAME}")
            fields["role"] = self._role_field(ROLES[0])
            fields["language"] = ui.select(
                {code: texts.NAMES[code] for code in texts.LANGUAGES},
                value=view.language,
                label=view.t("users.column.language"),
            ).props("outlined")
            for field in fields.values():
                field.classes("field")

        why = await ask.reason(
            view, view.t("users.add"), view.t("users.add"), lines=[view.t("users.add_note")], more=more, is_needed=False
        )
        if why is None:
            return
        name = str(fields["name"].value or "").strip()
        body = {
            "name": name,
            "role": fields["role"].value,
            "language": fields["language"].value,
            "password": secrets.token_urlsafe(24),  # nobody's: the user chooses one with the one-time token
            "reason": why,
        }
        if (row := await view.do("/users", body)) is not None:
            await self._offer(row["name"], f"/users/{quote(row['name'], safe='')}", why)

    def _role_field(self, value: str) -> ui.select:
        view = self._view
        roles = {role: view.t(f"role.{role}") for role in ROLES}
        return ui.select(roles, value=value, label=view.t("users.column.role")).props("outlined").classes("field")

    async def _change_role(self, row: dict[str, Any], path: str) -> None:
        view = self._view
        fields: list[ui.select] = []
        why = await ask.reason(
            view,
            view.t("users.change_role_of", name=row["name"]),
            view.t("users.change_role"),
            lines=[view.t("users.ends_sessions")],
            more=lambda: fields.append(self._role_field(row["role"])),
        )
        if why is not None:
            await self._done(view.do(path, {"role": fields[0].value, "reason": why}, method="PATCH"))

    async def _shut(self, row: dict[str, Any], path: str) -> None:
        view = self._view
        word = "users.disable" if row["is_enabled"] else "users.enable"
        why = await ask.reason(view, view.t(f"{word}_ask", name=row["name"]), view.t(word))
        if why is not None:
            body = {"is_enabled": not row["is_enabled"], "reason": why}
            await self._done(view.do(path, body, method="PATCH"))

    async def _reset(self, name: str, path: str) -> None:
        view = self._view
        why = await ask.reason(
            view, view.t("users.reset_ask", name=name), view.t("users.reset"), lines=[view.t("users.reset_note")]
        )
        if why is not None:
            await self._offer(name, path, why)

    async def _offer(self, name: str, path: str, why: str) -> None:
        """Show the one-time token, once."""
        view = self._view
        made = await view.do(f"{path}/reset", {"reason": why})
        if made is not None:
            until = view.when(made["expires_at"])
            note = view.t("users.good_until", until=until)
            self._show_once(view.t("users.token_for", name=name), made["token"], note)
        await self._draw()

    async def _remove(self, name: str, path: str) -> None:
        view = self._view
        lines = [view.t("users.remove_note")]
        if await widgets.confirmed(
            view, view.t("users.remove_ask", name=name), lines, view.t("users.remove"), kind="danger"
        ):
            await self._done(view.do(path, None, method="DELETE"))

    async def _done(self, doing: Awaitable[Any]) -> None:
        await doing
        await self._draw()

    def _show_once(self, title: str, secret: str, note: str) -> None:
        view = self._view
        with self._shown_once.clear(), ui.element("section").classes("panel once").props('role="status"'):
            with ui.element("div").classes("list-head"):
                ui.label(title).classes("title")
                widgets.button(view.t("close"), self._shown_once.clear)
            ui.label(secret).classes("secret")
            ui.label(note).classes("muted")

    # -- sessions
    def _draw_sessions(self, rows: Sequence[dict[str, Any]]) -> None:
        view = self._view
        self._head(view.t("sessions.title", count=len(rows)))
        if not rows:
            ui.label(view.t("sessions.none")).classes("muted")
            return

        def cells(row: dict[str, Any]) -> tuple[Any, ...]:
            def end() -> None:
                path = f"/sessions/{row['id']}"
                widgets.command(
                    view.t("sessions.end"), lambda: self._done(view.do(path, None, method="DELETE")), kind="small"
                )

            state = view.t("sessions.locked" if row["locked"] else "sessions.open")
            when = (view.when(row["created_at"]), view.when(row["seen_at"]))
            return (row["user"], view.t(f"role.{row['role']}"), row["address"], *when, state, end)

        names = ("user", "role", "address", "since", "seen", "state")
        ask.table(
            [*(view.t(f"sessions.column.{name}") for name in names), ""], [cells(row) for row in rows], cards=True
        )

    # -- tokens of scripts
    def _draw_tokens(self, rows: Sequence[dict[str, Any]]) -> None:
        view = self._view
        self._head(view.t("tokens.title", count=len(rows)), view.t("tokens.add"), self._add_token)
        if not rows:
            ui.label(view.t("tokens.none")).classes("muted")
            return

        def cells(row: dict[str, Any]) -> tuple[Any, ...]:
            def revoke() -> None:
                widgets.command(view.t("tokens.revoke"), lambda: self._revoke(row), kind="small danger")

            scope = ", ".join(view.t(f"right.{one}") for one in row["scope"]) or view.t("tokens.all_rights")
            ends = view.when(row["expires_at"]) if row["expires_at"] else view.t("tokens.never_ends")
            return (row["name"], view.t(f"role.{row['role']}"), scope, row["made_by"], ends, revoke)

        names = ("name", "role", "scope", "made_by", "ends")
        ask.table([*(view.t(f"tokens.column.{name}") for name in names), ""], [cells(row) for row in rows], cards=True)

    async def _add_token(self) -> None:
        view = self._view
        fields: dict[str, Any] = {}

        def more() -> None:
            fields["name"] = ui.input(view.t("tokens.column.name")).props(f"outlined maxlength={MOST_IN_NAME}")
            fields["role"] = self._role_field("researcher")
            scopes = {right: view.t(f"right.{right}") for right in SCOPES}
            fields["scope"] = ui.select(scopes, value=["view"], multiple=True, label=view.t("tokens.column.scope"))
            fields["scope"].props("outlined use-chips")
            days = {n: view.t("audit.days", days=n) for n in TOKEN_DAYS}
            fields["days"] = ui.select(days, value=90, label=view.t("tokens.lasts")).props("outlined")
            for field in fields.values():
                field.classes("field")

        why = await ask.reason(view, view.t("tokens.add"), view.t("tokens.add"), more=more)
        if why is None:
            return
        body = {key: field.value for key, field in fields.items()} | {"reason": why}
        body["name"] = str(body["name"] or "").strip()
        if (made := await view.do("/tokens", body)) is not None:
            self._show_once(view.t("tokens.made", name=made["name"]), made["token"], view.t("tokens.once"))
        await self._draw()

    async def _revoke(self, row: dict[str, Any]) -> None:
        view = self._view
        question = view.t("tokens.revoke_ask", name=row["name"])
        if await widgets.confirmed(view, question, [], view.t("tokens.revoke"), kind="danger"):
            await self._done(view.do(f"/tokens/{row['id']}", None, method="DELETE"))
