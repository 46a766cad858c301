"""Runs chosen from a list, laid over each other against the golden band of others; what they are apart, in figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, texts, widgets
from linecontrol.hmi.charts import INKS, Curve, Shade, chart, figure
from linecontrol.hmi.pages import exports
from linecontrol.hmi.pages.compare_wish import METRICS, percent, recipe_titles, signed, where_field, where_of
from linecontrol.hmi.view import View

MOST_RUNS = 200
MOST_DRAWN = 60
MOST_DEVIATIONS = 25
LEAST_GOLDEN = 3
ALIGNS = ("start", "end", "phase")
USUAL = ("drying.powder_moisture", "drying.inlet_air_temp", "drying.outlet_air_temp")
COLORS = (*INKS, "#b85400", "#1f7a33", "#a0195b", "#5f7d95")
MINUTE_S = 60.0


@dataclass
class Wish:
    """What a person has chosen so far."""

    drawn: list[str] = field(default_factory=list)
    golden: list[str] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    align: str = "phase"

    def why_not(self, view: View) -> str:
        """What is missing; empty when nothing is."""
        if not self.drawn and not self.golden:
            return view.t("compare.pick")
        if 0 < len(self.golden) < LEAST_GOLDEN:
            return view.t("compare.pick_golden")
        if len({*self.drawn, *self.golden}) > MOST_DRAWN:
            return view.t("compare.pick_most", most=MOST_DRAWN)
        return ""


async def overlay(view: View) -> None:
    """The tab."""
    known = [name for name in (view.live.tag_of(alias) for alias in USUAL) if name]
    wish = Wish(signals=known)

    async def draw() -> None:
        await _draw(view, wish, found, go)

    with ui.element("section").classes("panel"):
        with ui.element("div").classes("filters"):
            where_field(view, lambda: _list(view, wish, rows))
        ui.label(view.t("compare.choose")).classes("muted")
        rows = ui.element("div").classes("choose-runs")
        with ui.element("div").classes("filters"):
            _signals(view, wish)
            ways = {name: view.t(f"compare.align.{name}") for name in ALIGNS}
            ui.toggle(ways, value=wish.align, on_change=lambda e: setattr(wish, "align", e.value)).props(
                "no-caps unelevated"
            ).classes("times")
            go = widgets.button(view.t("compare.go"), draw, kind="main")
    found = ui.element("div").classes("page")
    await _list(view, wish, rows)


def _signals(view: View, wish: Wish) -> None:
    options = {
        name: f"{name}  {view.of(row.get('title'))}" for name, row in view.live.tags.items() if not row.get("choices")
    }
    picker = ui.select(
        options,
        value=[name for name in wish.signals if name in options],
        multiple=True,
        with_input=True,
        label=view.t("compare.signals"),
        on_change=lambda e: setattr(wish, "signals", list(e.value or [])),
    )
    picker.props("outlined use-chips").classes("field wide")


async def _list(view: View, wish: Wish, box: ui.element) -> None:
    found = await view.worked_out("/runs", limit=MOST_RUNS, where=where_of(view))
    if found is None:
        return
    titles = await recipe_titles(view)
    there = {row["run_id"] for row in found}
    wish.drawn, wish.golden = ([run for run in runs if run in there] for runs in (wish.drawn, wish.golden))
    with box.clear():
        if not found:
            ui.label(view.t("compare.none")).classes("empty")
            return
        names = ("draw", "golden", "started", "recipe", "lot", "yield", "alarms")
        cells = [
            [
                _box(view, wish.drawn, row["run_id"], "draw"),
                _box(view, wish.golden, row["run_id"], "golden"),
                view.when(row["started_at"]),
                titles.get(row["recipe"], row["recipe"]),
                row.get("lot") or texts.NOTHING,
                _yield(view, row),
                view.number(row.get("alarms")),
            ]
            for row in found
        ]
        ask.table([view.t(f"compare.column.{name}") for name in names], cells, numbers=(5, 6), cards=True)


def _box(view: View, chosen: list[str], run: str, what: str) -> Any:
    def draw() -> None:
        def change(on: bool) -> None:
            if on and run not in chosen:
                chosen.append(run)
            elif not on and run in chosen:
                chosen.remove(run)

        box = ui.checkbox(value=run in chosen, on_change=lambda e: change(bool(e.value)))
        box.props(f'aria-label="{view.t(f"compare.column.{what}")} {run}" data-run={run} data-what={what}')

    return draw


def _yield(view: View, row: dict[str, Any]) -> str:
    value = row.get("extraction_yield")
    return texts.NOTHING if value is None else f"{view.number(100.0 * value, 1)} %"


async def _draw(view: View, wish: Wish, box: ui.element, button: ui.button) -> None:
    if why := wish.why_not(view):
        view.say(why, bad=True)
        return
    button.props("loading")
    drawn = wish.drawn or wish.golden
    laid = await view.worked_out(
        "/compare/overlay", run=wish.drawn, golden=wish.golden, signal=wish.signals, align=wish.align
    )
    figures = None if laid is None else await view.worked_out("/compare", run=drawn)
    button.props(remove="loading")
    if laid is None or figures is None:
        return
    with box.clear():
        with ui.element("div").classes("columns wide-columns"):
            for signal in laid["signals"]:
                _signal(view, signal, wish)
        if laid["deviations"]:
            _deviations(view, laid, wish)
        _side_by_side(view, figures)
        exports.buttons(view, drawn)


def _signal(view: View, signal: dict[str, Any], wish: Wish) -> None:
    minutes = [t / MINUTE_S for t in signal["axis_s"]]
    shown = [run for run in signal["runs"] if run in wish.drawn] or list(signal["runs"])
    curves = [
        Curve(run, minutes, signal["runs"][run], COLORS[i % len(COLORS)], width=1.4) for i, run in enumerate(shown)
    ]
    shade = None
    if band := signal.get("band"):
        shade = Shade(view.t("compare.band"), minutes, band["low"], band["high"])
    with ui.element("section").classes("panel"):
        title = view.of(view.live.tags.get(signal["tag"], {}).get("title"))
        ui.label(f"{signal['tag']} {title}").classes("title")
        chart(
            curves,
            unit=view.unit(signal["unit"]),
            x_name=view.t(f"compare.axis.{wish.align}"),
            uprights=[phase["begin_s"] / MINUTE_S for phase in signal["phases"]],
            shade=shade,
            height=280,
        )


def _deviations(view: View, laid: dict[str, Any], wish: Wish) -> None:
    rows = [row for row in laid["deviations"] if not wish.drawn or row["run_id"] in wish.drawn]
    names = ("run", "signal", "phase", "score", "outside", "mean", "worst")
    with ui.element("section").classes("panel"):
        ui.label(view.t("compare.deviations")).classes("title")
        ui.label(view.t("compare.deviations.note")).classes("muted")
        ask.table(
            [view.t(f"compare.column.{name}") for name in names],
            [
                [
                    row["run_id"],
                    row["tag"],
                    (view.of(row["title"]) or row["phase"]) if row["phase"] else view.t("compare.whole"),
                    view.number(row["score"], 2),
                    percent(view, row["outside"]),
                    f"{signed(view, row['mean'])} {view.unit(view.unit_of(row['tag']))}".strip(),
                    view.number(row["worst_at_s"] / MINUTE_S, 1),
                ]
                for row in rows[:MOST_DEVIATIONS]
            ],
            numbers=(3, 4, 5, 6),
        )


def _side_by_side(view: View, found: dict[str, Any]) -> None:
    runs = [str(run["run_id"]) for run in found["runs"]]
    with ui.element("section").classes("panel"):
        ui.label(view.t("compare.side_by_side")).classes("title")
        ask.table(
            [view.t("compare.column.figure"), *runs],
            [
                [
                    f"{view.t('compare.metric.' + row['metric'])} {view.unit(row['unit'])}".replace(" 1", ""),
                    *(_apart(view, row, i) for i in range(len(runs))),
                ]
                for row in found["figures"]
                if row["metric"] in METRICS
            ],
            numbers=tuple(range(1, len(runs) + 1)),
        )


def _apart(view: View, row: dict[str, Any], i: int) -> str:
    value, apart = row["values"][i], row["apart"][i]
    more = "" if i == 0 or not apart else f" ({signed(view, apart)})"
    return figure(view, value, 4) + more
