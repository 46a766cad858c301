"""Before a run: recipe, lot, amounts with their limits, permissives with what clears each. Start asks once."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.client import ApiError
from linecontrol.hmi.view import View

PERMISSIVES_S = 1.0
MAIN_VALUES = ("root_kg", "moisture_sp")
"""Shown first and large, where a recipe has them; the others follow."""
MOST_LOTS = 12
_MODES = ("automatic", "semi-automatic")


@dataclass
class Wish:
    """What a person has put together so far."""

    recipes: list[dict[str, Any]]
    recipe: dict[str, Any]
    lots: list[str] = field(default_factory=list)
    """Lots on record, the newest first."""
    lot: str = ""
    mode: str = _MODES[0]
    fields: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, float | bool]:
        """The values that differ from the recipe's own."""
        found = {}
        for name, row in self.recipe["formula"].items():
            value = self.fields[name].value if name in self.fields else row["value"]
            if value is not None and value != row["value"]:
                found[name] = value
        return found

    def is_valid(self) -> bool:
        return all(getattr(box, "error", None) is None for box in self.fields.values())


async def start_form(view: View) -> None:
    """The form; it stays as it is while the line goes on."""
    recipes = await view.told(view.get("/recipes"))
    if not recipes:
        return
    wish = Wish(recipes, next((r for r in recipes if r["name"] == view.kept.get("recipe")), recipes[-1]))
    wish.lots = [row["lot_id"] for row in reversed(await view.told(view.get("/lots")) or [])][:MOST_LOTS]
    for row in recipes:
        if "root_kg" in row["formula"] and not view.kept.get("recipe"):
            wish.recipe = row
            break
    with ui.element("div").classes("start"):
        with ui.element("div").classes("start-left"):
            _last_run(view)
            with ui.element("section").classes("panel"):
                ui.label(view.t("run.recipe")).classes("title")
                choices = ui.element("div").classes("choices").props('role="radiogroup"')
            with ui.element("section").classes("panel") as amounts:
                pass
        with ui.element("div").classes("start-right"):
            with ui.element("section").classes("panel"):
                ui.label(view.t("run.permissives")).classes("title")
                checklist = ui.element("ul").classes("checklist")
            with ui.element("section").classes("panel start-box"):
                modes = {mode: view.t(f"run.mode.{mode}") for mode in _MODES}
                ui.radio(modes, value=wish.mode, on_change=lambda e: setattr(wish, "mode", e.value))
                go = widgets.command(view.t("run.start"), lambda: _start(view, wish), kind="main", icon="play_arrow")
                go.classes("wide tall")
                blocked = ui.label().classes("bad-words").props('role="status"')

    def choose(row: dict[str, Any]) -> None:
        wish.recipe = row
        view.remember("recipe", row["name"])
        _recipes(view, wish, choices, choose)
        _amounts(view, wish, amounts)

    async def look() -> None:
        rows = await _permissives(view, wish)
        _checklist(view, checklist, rows)
        missing = rows is None or any(not row["is_met"] for row in rows)
        lacking = ask.lacking(view, "operate")
        go.set_enabled(not missing and not lacking)
        blocked.set_text(lacking or (view.t("run.not_ready") if missing else ""))

    choose(wish.recipe)
    await look()
    ui.timer(PERMISSIVES_S, look)


def _last_run(view: View) -> None:
    """How the last run ended, until the next begins."""
    if not view.live.run:
        return
    with ui.element("section").classes("panel last-run live"):
        with ui.element("div").classes("head-line"):
            ui.label(view.t("run.last"))
            widgets.live_text("run.run_id")
        with ui.element("div").classes("figures"):
            with widgets.state(ui.element("div").classes("pill"), "run.state"):
                widgets.live_text("run.state", fmt="word", words="state")
            _figure(view, "overview.powder", "run.record.powder_kg", "kg")
            with _figure(view, "overview.yield", "run.record.extraction_yield", "%", factor=100):
                widgets.live_text("run.record.extraction_yield_u", fmt="num", digits=1, factor=100).classes(
                    "plus-minus"
                )
            _figure(view, "run.moisture_mean", "run.record.moisture_mean_pct_wb", "% wb", digits=2)
        with widgets.shown(ui.element("div").classes("said"), "run.reason"):
            widgets.live_text("run.reason", k_zh="run.reason_zh")


def _figure(view: View, title: str, name: str, unit: str, *, digits: int = 1, factor: float = 1) -> ui.element:
    with ui.element("div").classes("figure") as box:
        ui.label(view.t(title)).classes("small-title")
        widgets.live_text(name, fmt="num", digits=digits, factor=factor).classes("v")
        ui.element("span").classes("u").props["data-unit"] = view.unit(unit)
    return box


def _recipes(view: View, wish: Wish, box: ui.element, choose: Any) -> None:
    box.clear()
    with box:
        for row in wish.recipes:
            is_on = row is wish.recipe
            card = ui.element("button").classes("choice" + (" on" if is_on else ""))
            card.props(f"type=button role=radio aria-checked={'true' if is_on else 'false'}")
            card.on("click", lambda _, chosen=row: choose(chosen))
            with card:
                ui.label(view.of(row["title"])).classes("choice-title")
                ui.label(view.t("run.version", product=view.of(row["product"]), version=row["version"])).classes(
                    "muted"
                )


def _amounts(view: View, wish: Wish, box: ui.element) -> None:
    """Lot and values; each says its limits and refuses what lies outside."""
    wish.fields = {}
    formula: dict[str, dict[str, Any]] = wish.recipe["formula"]
    with box.clear():
        ui.label(view.t("run.amounts")).classes("title")
        with ui.element("div").classes("fields"):
            lots = {"": view.t("run.no_lot"), **{name: name for name in wish.lots}}  # a run takes lots on record only
            lot = ui.select(lots, value=wish.lot if wish.lot in lots else "", label=view.t("run.lot"))
            hint = "" if wish.lots else f' hint="{view.t("run.lot_first")}"'
            lot.props(f"outlined stack-label{hint}").classes("field").on_value_change(
                lambda e: setattr(wish, "lot", e.value or "")
            )
            for name in sorted(formula, key=lambda name: name not in MAIN_VALUES):
                wish.fields[name] = _value(view, formula[name])


def _value(view: View, row: dict[str, Any]) -> Any:
    title = view.of(row["title"])
    if row["type"] == "bool":
        return ui.switch(title, value=bool(row["value"])).classes("field touch")
    low, high, unit = row["low"], row["high"], view.unit(row["unit"])
    limits = view.t("run.limits", low=_short(view, low), high=_short(view, high), unit=unit)
    box = ui.number(
        title,
        value=row["value"],
        validation={
            limits: lambda v: v is not None and (low is None or v >= low) and (high is None or v <= high),
        },
    )
    box.props(f'outlined stack-label hint="{limits}" suffix="{unit}" inputmode=decimal').classes("field")
    return box


def _short(view: View, value: float | None) -> str:
    if value is None:
        return "–"
    return view.number(value, 0 if value == round(value) else 2)


async def _permissives(view: View, wish: Wish) -> list[dict[str, Any]] | None:
    try:
        found: list[dict[str, Any]] = await view.get("/runs/permissives", recipe=wish.recipe["name"])
    except ApiError:
        return None
    return found


def _checklist(view: View, box: ui.element, rows: list[dict[str, Any]] | None) -> None:
    box.clear()
    with box:
        for row in rows or []:
            with ui.element("li").classes("met" if row["is_met"] else "unmet"):
                ui.label(view.of(row["title"]))
                if not row["is_met"]:
                    own = row.get("why_zh") if view.language == "zh" else None
                    ui.label(own or view.said(row["why"])).classes("why")
                    ui.label(view.of(row["clears"])).classes("clears")


async def _start(view: View, wish: Wish) -> None:
    if not wish.is_valid():
        view.say(view.t("run.out_of_limits"), bad=True)
        return
    formula = wish.recipe["formula"]
    lines = []
    for name in dict.fromkeys((*(n for n in MAIN_VALUES if n in formula), *wish.values())):
        row, value = formula[name], wish.fields[name].value
        shown = _short(view, value) if not isinstance(value, bool) else view.t("yes" if value else "no")
        lines.append(f"{view.of(row['title'])}: {shown} {view.unit(row['unit'])}")
    if wish.lot:
        lines.append(view.t("run.lot_is", lot=wish.lot))
    question = view.t("run.start_ask", recipe=view.of(wish.recipe["title"]))
    if not await widgets.confirmed(view, question, lines, view.t("run.start")):
        return
    now = datetime.fromtimestamp(view.live.line_now(time.monotonic()) or time.time(), UTC)
    plain = re.sub(r"[^\w-]", "", wish.lot, flags=re.ASCII)  # a lot's name may hold what a run's may not
    body = {
        "recipe": wish.recipe["name"],
        "values": wish.values(),
        "mode": wish.mode,
        "lot": wish.lot or None,
        "run_id": f"{now:%Y%m%d-%H%M%S}-{plain or wish.recipe['name']}"[:60],
    }
    if (answer := await view.do("/runs", body)) is not None:
        view.say(view.t("run.started", run=answer["run_id"]))
