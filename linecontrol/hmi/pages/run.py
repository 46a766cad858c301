"""Start a run, see it through, answer it: recipe, lot, amounts and permissives; then the procedure view."""

from __future__ import annotations

from nicegui import ui

from linecontrol.hmi.pages.run_start import start_form
from linecontrol.hmi.pages.run_view import procedure
from linecontrol.hmi.view import View


async def page(view: View) -> None:
    """The procedure while a run is in hand, the form while none is."""
    with ui.element("div").classes("run-page") as box:
        pass

    async def draw() -> None:
        with box.clear(), view.loading():
            if is_under_way(view):
                await procedure(view)
            else:
                await start_form(view)

    view.watch(lambda: (is_under_way(view), run_id(view)), draw)


def run_id(view: View) -> str:
    """The run in hand; empty when there is none."""
    return str(view.live.run["run_id"]) if view.live.run else ""


def is_under_way(view: View) -> bool:
    """Whether there is a run that has not ended."""
    run = view.live.run
    return run is not None and not run["is_ended"] and run["state"] != "Idle"
