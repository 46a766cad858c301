"""What the tabs of the page Compare share: which runs are meant, figures and how they are written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from linecontrol.hmi import texts, widgets
from linecontrol.hmi.charts import figure
from linecontrol.hmi.view import View

METRICS = ("yield", "moisture", "moisture_sd", "energy", "water", "powder", "diverted", "alarms", "hours")
SHARES = frozenset({"yield", "diverted"})
"""In percent: they differ by points."""
MOST_LETTERS = 2000
MOST_ENDED = 100


def where_field(view: View, again: Callable[[], Awaitable[None]]) -> Any:
    """The condition on runs, remembered for this browser."""
    field = ui.input(
        view.t("compare.where"),
        value=str(view.kept.get("compare.where") or ""),
        placeholder=view.t("compare.where.hint"),
    )
    field.props(f"outlined stack-label clearable maxlength={MOST_LETTERS} spellcheck=false").classes("field wide")

    async def find() -> None:
        view.remember("compare.where", str(field.value or "").strip() or None)
        await again()

    field.on("keydown.enter", find)
    widgets.button(view.t("compare.find"), find, icon="search")
    return field


def where_of(view: View) -> str:
    return str(view.kept.get("compare.where") or "")


def metric_field(view: View, chosen: list[str]) -> Any:
    """Figures to look at."""
    options = {name: view.t(f"compare.metric.{name}") for name in METRICS}
    field = ui.select(options, value=chosen, multiple=True, label=view.t("compare.metrics"))
    return field.props("outlined use-chips").classes("field wide")


def one_metric_field(view: View) -> Any:
    """The figure that is asked about; the yield at first."""
    options = {name: view.t(f"compare.metric.{name}") for name in METRICS}
    return ui.select(options, value="yield", label=view.t("compare.column.figure")).props("outlined").classes("field")


def apart_unit(view: View, metric: str, unit: str) -> str:
    """Unit of a difference."""
    return view.t("compare.points") if metric in SHARES else view.unit(unit)


def signed(view: View, value: float | None, significant: int = 3) -> str:
    """A difference with its sign."""
    if value is None:
        return texts.NOTHING
    return ("+" if value > 0 else "−" if value < 0 else "") + figure(view, abs(value), significant)


def percent(view: View, share: float | None) -> str:
    return texts.NOTHING if share is None else f"{view.number(100.0 * share, 0)} %"


def waiting(box: ui.element) -> None:
    """Shows that something is being worked out, until ``box`` is drawn."""
    with box.clear():
        ui.spinner(size="2em").props('color=grey-8 role="status"')


async def finished_runs(view: View) -> dict[str, str]:
    """Ended runs, newest first, and how each is called: when it began, its recipe, its lot."""
    rows = await view.worked_out("/runs", limit=MOST_ENDED) or []
    titles = await recipe_titles(view)
    found = {}
    for row in rows:
        if row["state"] in ("Complete", "Stopped", "Aborted"):
            parts = (view.when(row["started_at"]), titles.get(row["recipe"], row["recipe"]), row.get("lot"))
            found[row["run_id"]] = "  ".join(part for part in parts if part)
    return found


async def recipe_titles(view: View) -> dict[str, str]:
    """Recipes as people call them."""
    return {row["name"]: view.of(row["title"]) for row in await view.told(view.get("/recipes")) or []}


def run_field(runs: dict[str, str], label: str, at: int = 0) -> Any:
    """One run of these; at first the ``at``-th."""
    field = ui.select(runs, value=list(runs)[at], label=label, with_input=len(runs) > 8)
    return field.props("outlined").classes("field wide")
