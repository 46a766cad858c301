"""The pages, by task. A page is a file here and a row in this list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from linecontrol.hmi.pages import alarms, bags, lab, overview, run, runs, site, stations, tuning


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        path: its address; ``{name}`` parts are given to ``build`` by name.
        name: its title is the text ``page.NAME``.
        right: a word of the API's table of rights; who lacks it neither sees nor opens the page.
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
    Page("/", "overview", "view", overview.page, "account_tree"),
    Page("/run", "run", "view", run.page, "play_circle"),
    Page("/stations/{station}", "stations", "view", stations.page, "speed", "/stations/screening"),
    Page("/alarms", "alarms", "view", alarms.page, "notifications"),
    Page("/alarms/{tab}", "alarms", "view", alarms.page),
    Page("/tuning", "tuning", "tune", tuning.page, "tune"),
    Page("/tuning/{loop}", "tuning", "tune", tuning.loop_page),
    Page("/lab", "lab", "lab", lab.page, "science"),
    Page("/bags", "bags", "view", bags.page, "shopping_bag"),
    Page("/runs", "runs", "view", runs.page, "inventory_2"),
    Page("/runs/{run_id}", "runs", "view", runs.record_page),
    Page("/site", "site", "view", site.page, "settings_input_component"),
    Page("/site/{tab}", "site", "view", site.page),
)
