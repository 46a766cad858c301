"""The parts of the site as a row of links: only those that this person may see."""

from __future__ import annotations

from nicegui import ui

from linecontrol.hmi.view import View

TABS: tuple[tuple[str, str, str], ...] = (
    ("links", "/site/links", "view"),
    ("recipes", "/recipes", "view"),
    ("file", "/site/file", "view"),
    ("users", "/users", "administer"),
    ("audit", "/audit", "review"),
)
"""Name (its text is ``site.tab.NAME``), address, right."""


def site_tabs(view: View, here: str) -> None:
    """Draws the row; ``here`` is the part that is shown."""
    with ui.element("nav").classes("tabs").props(f'aria-label="{view.t("page.site")}"'):
        for name, path, right in TABS:
            if view.session.may(right):
                link = ui.element("a").classes("tab" + (" on" if name == here else ""))
                link.props(f'href="{path}"' + (' aria-current="page"' if name == here else ""))
                with link:
                    ui.label(view.t(f"site.tab.{name}"))
