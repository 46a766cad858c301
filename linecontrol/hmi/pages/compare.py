"""Runs compared: laid over each other, as groups, on control charts; one in its balance, two explained; experiments.

A further tab is a row in TABS and its texts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.pages.compare_balance import balance
from linecontrol.hmi.pages.compare_charts import charts
from linecontrol.hmi.pages.compare_groups import groups
from linecontrol.hmi.pages.compare_overlay import overlay
from linecontrol.hmi.pages.compare_power import power
from linecontrol.hmi.pages.compare_surface import surface
from linecontrol.hmi.pages.compare_why import why
from linecontrol.hmi.view import View

TABS: dict[str, Callable[[View], Awaitable[None]]] = {
    "overlay": overlay,
    "groups": groups,
    "charts": charts,
    "balance": balance,
    "why": why,
    "power": power,
    "surface": surface,
}


async def page(view: View, tab: str = "overlay") -> None:
    """Draws the page."""
    here = tab if tab in TABS else "overlay"
    with ui.element("div").classes("page"):
        ui.label(view.t("page.compare")).classes("title")
        ask.tabs(view, "/compare", list(TABS), here, "compare.tab")
        await TABS[here](view)
