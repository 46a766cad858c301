"""Page stations."""

from __future__ import annotations

from nicegui import ui

from linecontrol.hmi.view import View


async def page(view: View, station: str) -> None:
    ui.label(view.t(f"station.{station}")).classes("title")
