"""Groups of runs compared: means, differences with their intervals and effect sizes, lots accounted for."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, texts, widgets
from linecontrol.hmi.charts import figure
from linecontrol.hmi.pages.compare_wish import apart_unit, metric_field, signed, where_field, where_of
from linecontrol.hmi.view import View

BY = ("recipe", "lot", "species", "season", "mode", "policy", "line_type")


async def groups(view: View) -> None:
    """The tab."""

    async def again() -> None:
        await _draw(view, str(by.value), list(metrics.value or []), box, go)

    with ui.element("section").classes("panel"), ui.element("div").classes("filters"):
        where_field(view, again)
        by = ui.select({name: view.t(f"compare.by.{name}") for name in BY}, value="recipe", label=view.t("compare.by"))
        by.props("outlined").classes("field")
        metrics = metric_field(view, ["yield"])
        go = widgets.button(view.t("compare.go"), again, kind="main")
    box = ui.element("div").classes("page")


async def _draw(view: View, by: str, metrics: list[str], box: ui.element, button: ui.button) -> None:
    button.props("loading")
    found = await view.worked_out("/compare", by=by, metric=metrics or ["yield"], where=where_of(view))
    button.props(remove="loading")
    if found is None:
        return
    with box.clear():
        for one in found["compared"]:
            _one(view, one, by)


def _called(view: View, by: str, name: str) -> str:
    """A group in words, where it has any."""
    return texts.catalogue(view.language).get(f"compare.group.{by}.{name}", name)


def _one(view: View, one: dict[str, Any], by: str) -> None:
    unit, apart = view.unit(one["unit"]), apart_unit(view, one["metric"], one["unit"])
    with ui.element("section").classes("panel"):
        ui.label(f"{view.of(one['title'])}, {unit}").classes("title")
        ask.table(
            [view.t(f"compare.column.{name}") for name in ("group", "n", "mean_of", "sd")],
            [
                [
                    _called(view, by, row["name"]),
                    view.number(row["n"]),
                    figure(view, row["mean"], 4),
                    figure(view, row["sd"], 3),
                ]
                for row in one["groups"]
            ],
            numbers=(1, 2, 3),
        )
        names = ("difference", "interval", "effect", "p", "verdict")
        effects = {(row["a"], row["b"]): row["effect"] for row in one["without_lots"]}
        ask.table(
            ["", *(view.t(f"compare.column.{name}") for name in names)],
            [_difference(view, row, apart, by, effects.get((row["a"], row["b"]))) for row in one["differences"]],
            numbers=(1, 2, 3, 4),
        )
        ui.label(_lots(view, one, apart)).classes("muted")


def _difference(view: View, row: dict[str, Any], unit: str, by: str, effect: float | None) -> list[str]:
    size = f"{figure(view, row['seen_with_80_pct'], 2)} {unit}"
    p = row["p_adjusted"]
    verdict = view.t("compare.found") if row["is_found"] else view.t("compare.not_found", size=size)
    return [
        view.t("compare.less", a=_called(view, by, row["a"]), b=_called(view, by, row["b"])),
        f"{signed(view, row['difference'])} {unit}",
        f"{signed(view, row['low'])} … {signed(view, row['high'])}",
        texts.NOTHING if effect is None else signed(view, effect, 2),
        texts.NOTHING if p is None else "< 0.001" if p < 0.001 else view.number(p, 3),
        verdict,
    ]


def _lots(view: View, one: dict[str, Any], unit: str) -> str:
    model = one["lots"]
    if model is None:
        return view.t("compare.lots.none")
    key = "compare.lots.within" if model["is_within"] else "compare.lots.between"
    lot, rest = figure(view, model["sd_lot"], 2), figure(view, model["sd_rest"], 2)
    return view.t(key, lots=model["lots"], lot=lot, rest=rest, unit=unit)
