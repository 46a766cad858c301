"""Runs: all of them, newest first; and the batch record of one, with its trends and what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, texts
from linecontrol.hmi.charts import INKS, Curve, chart
from linecontrol.hmi.history import points
from linecontrol.hmi.live import instant
from linecontrol.hmi.pages import exports
from linecontrol.hmi.view import View

MOST_RUNS = 200
MOST_EVENTS = 400
TRENDS = (
    ("moisture", ("drying.powder_moisture", "MIC-306.WSP")),
    ("temperatures", ("drying.inlet_air_temp", "drying.outlet_air_temp", "drying.product_temp")),
    ("rates", ("screening.root_rate", "drying.powder_rate")),
)
"""Charts of a record: tags by alias or name, on the time since the run began."""
MASSES = (
    ("root_kg", "kg", 1), ("root_starch_kg", "kg", 1), ("powder_kg", "kg", 1), ("powder_dry_starch_kg", "kg", 1),
    ("diverted_kg", "kg", 1), ("suspect_kg", "kg", 1), ("water_m3", "m3", 2), ("energy_kwh", "kWh", 1),
)  # fmt: skip
MINUTE_S = 60.0


async def page(view: View) -> None:
    """The list."""
    with ui.element("div").classes("page"):
        ui.label(view.t("page.runs")).classes("title")
        box = ui.element("div").classes("panel")

        async def draw() -> None:
            rows = await view.told(view.get("/runs", limit=MOST_RUNS))
            recipes = await view.told(view.get("/recipes")) or []
            titles = {row["name"]: row["title"] for row in recipes}
            with box.clear():
                if rows:
                    _list(view, rows, titles)
                elif rows is not None:
                    ui.label(view.t("runs.none")).classes("empty")

        await draw()
        view.watch(lambda: (view.live.values.get("run.run_id"), view.live.values.get("run.state")), _once(draw))


def _once(draw: Any) -> Any:
    """``draw`` from its second call on: the page is drawn already when it begins to be watched."""
    is_first = True

    async def later() -> None:
        await draw()

    def go() -> Any:
        nonlocal is_first
        if is_first:
            is_first = False
            return None
        return asyncio.ensure_future(later())

    return go


def _list(view: View, rows: list[dict[str, Any]], titles: Mapping[str, Any]) -> None:
    names = ("started", "recipe", "state", "root_kg", "powder_kg", "yield", "moisture", "alarms")
    cells = []
    for row in rows:

        def link(row: dict[str, Any] = row) -> None:
            with ui.element("a").classes("row-link").props(f'href="/runs/{row["run_id"]}"'):
                ui.label(view.when(row["started_at"]))

        cells.append(
            [
                link,
                view.of(titles.get(row["recipe"])) or row["recipe"],
                view.t(f"state.{row['state']}"),
                view.number(row["root_kg"], 1),
                view.number(row["powder_kg"], 1),
                yield_text(view, row),
                view.number(row["moisture_mean_pct_wb"], 2),
                view.number(row["alarms"]),
            ]
        )
    ask.table([view.t(f"runs.column.{name}") for name in names], cells, numbers=(3, 4, 5, 6, 7), cards=True)


def yield_text(view: View, row: Mapping[str, Any]) -> str:
    """Extraction yield with its standard uncertainty."""
    found, u = row.get("extraction_yield"), row.get("extraction_yield_u")
    if found is None:
        return texts.NOTHING
    return view.number(100 * found, 1) + (f" ± {view.number(100 * u, 1)}" if u is not None else "") + " %"


async def record_page(view: View, run_id: str) -> None:
    """The batch record of one run."""
    row = await view.told(view.get(f"/runs/{run_id}"))
    if row is None:
        return
    recipe = await view.told(view.get(f"/recipes/{row['recipe']}")) or {}
    with ui.element("div").classes("page"):
        with ui.element("div").classes("list-head"):
            with ui.element("a").classes("back").props('href="/runs"'):
                ui.icon("chevron_left")
                ui.label(view.t("page.runs"))
            ui.label(view.of(recipe.get("title")) or row["recipe"]).classes("title")
            if row.get("simulated"):
                ui.label(view.t("simulated")).classes("badge violet")
        _head(view, row)
        exports.buttons(view, [run_id])
        trends = ui.element("div").classes("columns wide-columns")
        with ui.element("div").classes("columns"):
            _figures(view, row)
            _values(view, row, recipe)
        events = ui.element("section").classes("panel")
    await _events(view, row, events)
    await _trends(view, row, trends)


def _head(view: View, row: dict[str, Any]) -> None:
    began, ended = instant(row["started_at"]), instant(row["ended_at"])
    with ui.element("div").classes("tiles"):
        for name, value in (
            ("state", view.t(f"state.{row['state']}")),
            ("yield", yield_text(view, row)),
            ("powder_kg", f"{view.number(row['powder_kg'], 1)} kg"),
            ("moisture", f"{view.number(row['moisture_mean_pct_wb'], 2)} {view.unit('% wb')}"),
            ("lasted", texts.duration(None if began is None or ended is None else ended - began)),
        ):
            with ui.element("section").classes("card"):
                ui.label(view.t(f"runs.{name}")).classes("head-line")
                ui.label(value).classes("big")
    if row.get("reason"):
        ui.label(view.said(str(row["reason"]))).classes("note")


def _figures(view: View, row: dict[str, Any]) -> None:
    with ui.element("section").classes("panel"):
        ui.label(view.t("runs.measured")).classes("title")
        rows = [
            (view.t("runs.id"), row["run_id"]),
            *(
                (view.t(f"runs.{key}"), view.species(str(row[key])) if key == "species" else str(row[key]))
                for key in ("lot", "species", "season")
                if row.get(key)
            ),
            (view.t("runs.started"), view.when(row["started_at"])),
            (view.t("runs.ended"), view.when(row["ended_at"])),
            *((view.t(f"runs.{key}"), _with(view, row.get(key), unit, digits)) for key, unit, digits in MASSES),
            (view.t("runs.moisture_sd"), _with(view, row.get("moisture_sd_pct_wb"), "% wb", 2)),
            (view.t("runs.out_of_band"), texts.duration(row.get("out_of_band_s"))),
            (view.t("runs.alarms"), view.number(row["alarms"])),
            (view.t("runs.samples"), view.number(row["samples"])),
        ]
        ask.facts(rows)
        ui.label(view.t("runs.yield_note")).classes("muted")


def _with(view: View, value: float | None, unit: str, digits: int) -> str:
    return texts.NOTHING if value is None else f"{view.number(value, digits)} {view.unit(unit)}"


def _values(view: View, row: dict[str, Any], recipe: dict[str, Any]) -> None:
    """The control recipe's values: what this run was frozen with."""
    with ui.element("section").classes("panel"):
        ui.label(view.t("runs.values", version=str(row.get("recipe_version") or ""))).classes("title")
        formula = recipe.get("formula", {})
        rows = []
        for name, value in (row.get("values") or {}).items():
            about = formula.get(name, {})
            shown = view.t(f"switch.{value}") if isinstance(value, bool) else f"{value:g}"
            changed = "" if name not in formula or formula[name]["value"] == value else f" {view.t('runs.changed')}"
            title = view.of(about.get("title")) or name
            rows.append((title, f"{shown} {view.unit(about.get('unit', ''))}{changed}".strip()))
        ask.facts(rows)


async def _trends(view: View, row: dict[str, Any], box: ui.element) -> None:
    began = instant(row["started_at"])
    if began is None:
        return
    end = instant(row["ended_at"]) or float(view.live.values.get("now") or began)
    chosen = [(name, [t for t in (view.live.tag_of(alias) for alias in aliases) if t]) for name, aliases in TRENDS]
    wanted = [tag for _, tags in chosen for tag in tags]
    with box, view.loading():
        found = await view.told(points(view.api, view.session, wanted, began, end)) if wanted else None
    if found is None:
        return
    with box:
        for name, tags in chosen:
            if not any(found.get(tag) for tag in tags):
                continue
            with ui.element("section").classes("panel"):
                ui.label(view.t(f"runs.trend.{name}")).classes("title")
                curves = [
                    Curve(
                        view.of(view.live.tags[tag]["title"]),
                        [(t - began) / MINUTE_S for t, _ in found[tag]],
                        [v for _, v in found[tag]],
                        INKS[i],
                        dash="dashed" if tag.endswith(".WSP") else "",
                        step=tag.endswith(".WSP"),
                    )
                    for i, tag in enumerate(tags)
                ]
                unit = view.unit(view.unit_of(tags[0]))
                chart(curves, unit=unit, x_name=view.t("axis.minutes"), height=240)


async def _events(view: View, row: dict[str, Any], box: ui.element) -> None:
    began, ended = instant(row["started_at"]), instant(row["ended_at"])
    wish: dict[str, Any] = {"limit": MOST_EVENTS} | ({} if began is None else {"since": began - 1.0})
    if ended is not None:
        wish["until"] = ended + 1.0
    with box:
        ui.label(view.t("runs.events")).classes("title")
        with view.loading():
            found = await view.told(view.get("/events", **wish))
        ask.table(
            [view.t("runs.column.time"), view.t("runs.column.what"), view.t("runs.column.severity")],
            [(view.when(one["time"]), view.told_by(one), view.t(f"severity.{one['severity']}")) for one in found or ()],
        )
