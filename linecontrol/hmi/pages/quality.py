"""Quality: the HACCP plan as it stands and what people do about it. One tab is one row of ``SECTIONS``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.pages import bags, quality_checks, quality_deviations, quality_interlocks, quality_limits
from linecontrol.hmi.view import View

SECTIONS: dict[str, Callable[[View], Awaitable[None]]] = {
    "limits": quality_limits.section,
    "deviations": quality_deviations.section,
    "bags": bags.bags_section,
    "lots": bags.lots_section,
    "checks": quality_checks.section,
    "interlocks": quality_interlocks.section,
}
"""Tabs in their order, each drawn by ``async def section(view)``; its title is the text ``quality.tab.NAME``."""


async def page(view: View, tab: str = "limits") -> None:
    """Draws one tab."""
    here = tab if tab in SECTIONS else next(iter(SECTIONS))
    with ui.element("div").classes("page"):
        ui.label(view.t("page.quality")).classes("title")
        ask.tabs(view, "/quality", list(SECTIONS), here, "quality.tab")
        await SECTIONS[here](view)


async def bags_page(view: View) -> None:
    """The bags, at an address of their own."""
    await page(view, "bags")
