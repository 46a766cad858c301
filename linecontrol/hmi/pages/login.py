"""Who are you? Shown where the API has users and nobody is in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from linecontrol.hmi import texts, widgets
from linecontrol.hmi.client import ApiError, ApiGone
from linecontrol.hmi.view import View


def login(view: View, then: Callable[[], None], speak: Callable[[str], Awaitable[None]]) -> None:
    """The form; ``then`` draws what comes after."""
    with ui.element("section").classes("panel narrow"):
        ui.label(view.t("login.title")).classes("title")
        user = ui.input(view.t("login.user")).props('outlined autocomplete="username" autofocus').classes("field")
        password = ui.input(view.t("login.password"), password=True, password_toggle_button=True)
        password.props('outlined autocomplete="current-password"').classes("field")
        said = ui.label().classes("bad-words").props('role="alert"')

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
                password.set_value("")

        password.on("keydown.enter", enter)
        widgets.button(view.t("login.enter"), enter, kind="main").classes("wide")
