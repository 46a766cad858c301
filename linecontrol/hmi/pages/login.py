"""Who are you? Shown where nobody is in; with a one-time token also a new password, or the first administrator."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from linecontrol.hmi import texts, widgets
from linecontrol.hmi.client import ApiError, ApiGone
from linecontrol.hmi.view import View

Then = Callable[[], None]
Speak = Callable[[str], Awaitable[None]]


def login(view: View, then: Then, speak: Speak) -> None:
    """The form; ``then`` draws what comes after."""
    box = ui.element("section").classes("panel narrow")

    def draw(which: str) -> None:
        with box.clear():
            if which == "login":
                _enter(view, then, speak, draw)
            else:
                _with_token(view, which, draw)

    draw("login")


def _enter(view: View, then: Then, speak: Speak, draw: Callable[[str], None]) -> None:
    ui.label(view.t("login.title")).classes("title")
    user = _user(view)
    password = _password(view, "login.password", "current-password")
    said = _said()

    async def enter() -> None:
        try:
            await view.api.log_in(view.session, user.value.strip(), password.value)
        except ApiGone:
            said.set_text(view.t("link.gone"))
        except ApiError as error:
            said.set_text(view.t("login.refused") if error.status == 401 else view.said(error.detail))
        else:
            view.remember("token", view.session.token)
            if view.session.language in texts.LANGUAGES and view.session.language != view.language:
                await speak(view.session.language)
            then()
        finally:
            if not password.is_deleted:
                password.set_value("")

    password.on("keydown.enter", enter)
    widgets.button(view.t("login.enter"), enter, kind="main").classes("wide")
    with ui.element("div").classes("verbs"):
        _link(view.t("login.have_token"), lambda: draw("reset"))
        first = ui.element("div")

    async def look() -> None:
        with contextlib.suppress(ApiError):
            if (await view.api.get("/welcome")).get("needs_admin"):
                with first.clear():
                    _link(view.t("login.make_first"), lambda: draw("first"))

    ui.timer(0, look, once=True)


def _with_token(view: View, which: str, draw: Callable[[str], None]) -> None:
    """``reset``: a new password for a token from an administrator; ``first``: the first administrator."""
    ui.label(view.t(f"login.{which}.title")).classes("title")
    ui.label(view.t(f"login.{which}.note")).classes("muted")
    token = ui.input(view.t("login.token")).props('outlined autocomplete="one-time-code"').classes("field")
    user = _user(view)
    password = _password(view, "login.new_password", "new-password")
    again = _password(view, "login.again", "new-password")
    said = _said()

    async def go() -> None:
        if password.value != again.value:
            said.set_text(view.t("login.differ"))
            return
        body: dict[str, Any] = {"token": token.value.strip(), "name": user.value.strip()}
        if which == "first":
            body |= {"password": password.value, "language": view.language}
        else:
            body |= {"new_password": password.value}
        try:
            await view.api.ask("POST", f"/users/{which}", body=body, session=view.session)
        except ApiError as error:
            said.set_text(view.t("link.gone") if isinstance(error, ApiGone) else view.said(error.detail))
        else:
            draw("login")
            view.say(view.t("login.now_log_in"))

    again.on("keydown.enter", go)
    widgets.button(view.t(f"login.{which}.go"), go, kind="main").classes("wide")
    _link(view.t("login.back"), lambda: draw("login"))


def _user(view: View) -> ui.input:
    return ui.input(view.t("login.user")).props('outlined autocomplete="username"').classes("field")


def _password(view: View, words: str, kind: str) -> ui.input:
    box = ui.input(view.t(words), password=True, password_toggle_button=True)
    return box.props(f'outlined autocomplete="{kind}"').classes("field")


def _said() -> ui.label:
    return ui.label().classes("bad-words").props('role="alert"')


def _link(words: str, on_click: Callable[[], None]) -> None:
    widgets.button(words, on_click, kind="plain-link")
