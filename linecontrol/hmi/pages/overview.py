"""Page overview."""

from __future__ import annotations

from nicegui import ui

from linecontrol.hmi.view import View


async def page(view: View) -> None:
    ui.label(view.t("page.overview")).classes("title")
