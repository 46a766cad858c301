"""The pages, by task. A page is a file here and a row in this list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from linecontrol.hmi.pages import alarms, lab, overview, run, runs, site, stations, tuning


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        path: its address; ``{name}`` parts are given to ``build`` by name.
        name: its title is the text ``page.NAME``.
        right: who lacks it neither sees nor opens the page; empty: everybody who is in.
        build: draws it, ``async def page(view, **parts)``.
        icon: in the navigation; empty: not in it.
        start: where its entry in the navigation leads, when that is not ``path``.
    """

    path: str
    name: str
    right: str
    build: Callable[..., Awaitable[Any]]
    icon: str = ""
    start: str = ""

    @property
    def entry(self) -> str:
        return self.start or self.path


PAGES: tuple[Page, ...] = (
    Page("/", "overview", "", overview.page, "account_tree"),
    Page("/run", "run", "", run.page, "play_circle"),
    Page("/stations/{station}", "stations", "", stations.page, "speed", "/stations/screening"),
    Page("/alarms", "alarms", "", alarms.page, "notifications"),
    Page("/alarms/{tab}", "alarms", "", alarms.page),
    Page("/tuning", "tuning", "tune", tuning.page, "tune"),
    Page("/tuning/{loop}", "tuning", "tune", tuning.loop_page),
    Page("/lab", "lab", "lab", lab.page, "science"),
    Page("/runs", "runs", "", runs.page, "inventory_2"),
    Page("/runs/{run_id}", "runs", "", runs.record_page),
    Page("/site", "site", "", site.page, "settings_input_component"),
    Page("/site/{tab}", "site", "", site.page),
)
