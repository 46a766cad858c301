"""The pages, by task. A page is a file here and a row in this list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from linecontrol.hmi.pages import (
    alarms,
    audit,
    compare,
    lab,
    overview,
    quality,
    recipes,
    run,
    runs,
    site,
    stations,
    tuning,
    users,
)


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
        also: first parts of the addresses of further pages that its entry stands for.
    """

    path: str
    name: str
    right: str
    build: Callable[..., Awaitable[Any]]
    icon: str = ""
    start: str = ""
    also: tuple[str, ...] = ()

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
    Page("/quality", "quality", "view", quality.page, "verified", also=("bags",)),
    Page("/quality/{tab}", "quality", "view", quality.page),
    Page("/bags", "quality", "view", quality.bags_page),
    Page("/lab", "lab", "lab", lab.page, "science"),
    Page("/runs", "runs", "view", runs.page, "inventory_2"),
    Page("/runs/{run_id}", "runs", "view", runs.record_page),
    Page("/compare", "compare", "view", compare.page, "compare_arrows"),
    Page("/compare/{tab}", "compare", "view", compare.page),
    Page("/site", "site", "view", site.page, "settings_input_component", also=("recipes", "users", "audit")),
    Page("/site/{tab}", "site", "view", site.page),
    Page("/recipes", "recipes", "view", recipes.page),
    Page("/recipes/{name}", "recipes", "view", recipes.recipe_page),
    Page("/recipes/{name}/{version}", "recipes", "view", recipes.version_page),
    Page("/recipes/{name}/{version}/edit", "recipes", "tune", recipes.edit_page),
    Page("/users", "users", "administer", users.page),
    Page("/audit", "audit", "review", audit.page),
)
