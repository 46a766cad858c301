"""What a loop test has shown: is the data good enough, the model with its doubt, gains with what they will do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.charts import SOFT, VALUE, Curve, chart, figure
from linecontrol.hmi.view import View

Apply = Callable[[str, dict[str, Any]], Awaitable[None]]
PARTS = (("gain", ""), ("t1_s", "s"), ("t2_s", "s"), ("zero_s", "s"), ("delay_s", "s"))
SETTLED = 0.05  # of a set-point step: within it the PV counts as settled
BAND = "#8fa5c2"
MARGINS = ("ms", "mt", "gain_margin", "phase_margin_deg")


def gains_text(view: View, gains: dict[str, Any]) -> str:
    """Gains in one line, ISA form."""
    ti = "∞" if gains["ti_s"] is None else f"{figure(view, gains['ti_s'])} s"
    td = f"{figure(view, gains['td_s'])} s"
    return f"K {figure(view, gains['k'])} · Ti {ti} · Td {td} · b {figure(view, gains['b'], 2)}"


def result(view: View, found: dict[str, Any], apply: Apply, why: str) -> None:
    """Draws it all. ``why``: why nothing may be applied; empty when it may."""
    _quality(view, found)
    with ui.element("div").classes("columns"):
        _record(view, found)
        if found["model"] is not None:
            _model(view, found["model"])
    if found["candidates"] or found["present"]:
        Proposals(view, found, apply, why).build()


def _quality(view: View, found: dict[str, Any]) -> None:
    refusal, model = found["refusal"], found["model"]
    with ui.element("section").classes("panel" + (" off" if refusal else "")):
        ui.label(view.t("tuning.quality")).classes("title")
        if refusal:
            ui.label(view.t("tuning.refused")).classes("b")
            ui.label(view.said(refusal["reason"]))
        elif model:
            ratio = model["step_noise_ratio"]
            words = view.t("tuning.good_data")
            if ratio is not None:
                words = view.t("tuning.good_data_ratio", ratio=figure(view, ratio))
            ui.label(words).classes("b")
        for sentence in found["warnings"]:
            ui.label(view.said(sentence)).classes("note")


def _record(view: View, found: dict[str, Any]) -> None:
    record, model = found["record"], found["model"]
    curves = [Curve(view.t("tuning.pv"), record["t_s"], record["pv"], VALUE)]
    if model is not None:
        offset = (record["pv"][0] or 0.0) - (model["measured"][0] or 0.0) if record["pv"] and model["measured"] else 0.0
        fitted = [None if y is None else y + offset for y in model["fitted"]]
        curves.append(Curve(view.t("tuning.fit"), model["t_s"], fitted, "#b85400", 1.6, "dashed"))
    curves.append(Curve(view.t("tuning.op"), record["t_s"], record["op"], SOFT, 1.4, step=True, right=True))
    with ui.element("section").classes("panel"):
        ui.label(view.t("tuning.record")).classes("title")
        chart(
            curves,
            unit=view.unit(found["unit"]),
            right_unit=view.unit(found["op_unit"]),
            x_name=view.t("axis.seconds"),
            height=250,
        )


def _model(view: View, model: dict[str, Any]) -> None:
    with ui.element("section").classes("panel"):
        ui.label(view.t("tuning.model")).classes("title")
        ui.label(view.t(f"tuning.model.{model['kind']}")).classes("b")
        rows = []
        for key, unit in PARTS:
            interval = model["intervals"].get(key)
            if interval is None:
                continue
            low, high = ("?" if x is None else figure(view, x) for x in interval)
            value = f"{figure(view, model[key])} {unit}".strip()
            rows.append((view.t(f"tuning.part.{key}"), value, view.t("tuning.interval", low=low, high=high)))
        rows.append((view.t("tuning.noise"), figure(view, model["noise_sd"]), ""))
        ask.table([view.t("tuning.part"), view.t("tuning.value"), view.t("tuning.doubt")], rows, numbers=(1,))


class Proposals:
    """Gains side by side, the chosen ones' prediction beside today's, their notations, and Apply."""

    def __init__(self, view: View, found: dict[str, Any], apply: Apply, why: str) -> None:
        self._view, self._found, self._apply, self._why = view, found, apply, why
        self._chosen = 0

    def build(self) -> None:
        self._box = ui.element("div").classes("result")
        self._draw()

    def _draw(self) -> None:
        view, found = self._view, self._found
        with self._box.clear():
            with ui.element("section").classes("panel"):
                ui.label(view.t("tuning.proposals")).classes("title")
                self._table()
                ui.label(view.t("tuning.margins_note")).classes("muted")
            if not found["candidates"]:
                return
            row = found["candidates"][self._chosen]
            with ui.element("section").classes("panel chosen"):
                with ui.element("div").classes("list-head"):
                    ui.label(view.t("tuning.predicted", rule=self._rule(row))).classes("title")
                    unstable = "" if row["worst"]["stable"] else view.t("tuning.not_stable")
                    ask.offered(
                        view.t("tuning.apply"),
                        lambda: self._apply(row["rule"], row["gains"]),
                        self._why or unstable,
                        kind="main",
                    )
                with ui.element("div").classes("columns"):
                    for key in ("setpoint", "load"):
                        self._prediction(row, key)
                self._answers(row)
                with ui.expansion(view.t("tuning.notations")).classes("fold-box"):
                    self._notations(row)

    def _rule(self, row: dict[str, Any]) -> str:
        return self._view.said(row["rule"])

    def _table(self) -> None:
        view, found = self._view, self._found
        titles = [view.t("tuning.rule"), "", "K", "Ti s", "Td s", "b", *(view.t(f"margin.{m}") for m in MARGINS)]
        rows: list[list[Any]] = []
        for i, row in enumerate(found["candidates"]):
            rows.append(self._cells(row, self._rule(row), i))
        if found["present"]:
            rows.insert(min(1, len(rows)), self._cells(found["present"], view.t("tuning.present"), None))
        ask.table(titles, rows, numbers=(2, 3, 4, 5, 6, 7, 8, 9))

    def _cells(self, row: dict[str, Any], name: str, i: int | None) -> list[Any]:
        view, g, m, w = self._view, row["gains"], row["margins"], row["worst"]
        if m["stable"]:
            worst = view.t("tuning.unstable") if w["ms"] is None else figure(view, w["ms"])
            shown = [f"{figure(view, m['ms'])} ({worst})", *(figure(view, m[key]) for key in MARGINS[1:])]
        else:
            shown = [view.t("tuning.unstable"), "–", "–", "–"]

        def pick() -> None:
            if i is None:
                return
            button = ui.element("button").classes("pick" + (" on" if i == self._chosen else ""))
            button.props(f"type=button aria-pressed={'true' if i == self._chosen else 'false'}")
            with button:
                ui.label(view.t("tuning.chosen" if i == self._chosen else "tuning.choose"))
            button.on("click", lambda: self._pick(i))

        title = name if row["within"] or i is None else view.t("tuning.beyond", rule=name)
        if i == 0:
            title = view.t("tuning.best", rule=name)
        return [title, pick, *(figure(view, g[key]) for key in ("k", "ti_s", "td_s", "b")), *shown]

    def _pick(self, i: int) -> None:
        self._chosen = i
        self._draw()

    def _prediction(self, row: dict[str, Any], key: str) -> None:
        view, found = self._view, self._found
        band, present = row[key], (found["present"] or {}).get(key)
        if band is None:
            return
        size = found["sp_step"] if key == "setpoint" else found["load_step"]
        unit = view.unit(found["unit"] if key == "setpoint" else found["op_unit"])
        curves = [
            Curve(view.t("tuning.new"), band["t_s"], band["pv"], VALUE, 2.2),
            Curve(view.t("tuning.doubt"), band["t_s"], band["low"], BAND, 1.0),
            Curve("", band["t_s"], band["high"], BAND, 1.0),
        ]
        if present is not None:
            curves.append(Curve(view.t("tuning.present"), present["t_s"], present["pv"], "#6d6e71", 1.8, "dashed"))
        with ui.element("div").classes("half"):
            ui.label(view.t(f"tuning.step.{key}", size=figure(view, size), unit=unit)).classes("fine")
            chart(curves, unit=view.unit(found["unit"]), x_name=view.t("axis.seconds"), height=220)

    def _answers(self, row: dict[str, Any]) -> None:
        view, present = self._view, self._found["present"]
        columns = [row] + ([present] if present else [])
        titles = ["", view.t("tuning.new"), *([view.t("tuning.present")] if present else [])]
        rows = [
            (view.t("tuning.overshoot"), *(_overshoot(view, r["setpoint"]) for r in columns)),
            (view.t("tuning.settles"), *(_settles(view, r["setpoint"]) for r in columns)),
            (view.t("tuning.load_worst"), *(_worst(view, r["load"]) for r in columns)),
            (view.t("tuning.noise_gain"), *(figure(view, r["noise_gain"]) for r in columns)),
        ]
        ask.table(titles, rows, numbers=(1, 2))

    def _notations(self, row: dict[str, Any]) -> None:
        view = self._view
        rows = []
        for one in row.get("notations", ()):
            values = [
                f"{name} = {figure(view, value, 4) if not isinstance(value, bool) else view.t(f'switch.{value}')}"
                + (f" {one['units'][name]}" if one["units"].get(name) else "")
                for name, value in one["values"].items()
            ]
            rows.append(
                (one["block"], ", ".join(values), one["formula"] + (f" ({one['note']})" if one["note"] else ""))
            )
        ask.table([view.t("tuning.block"), view.t("tuning.values"), view.t("tuning.formula")], rows)


def _overshoot(view: View, band: dict[str, Any] | None) -> str:
    if band is None or not band["pv"] or not band["pv"][-1]:
        return "–"
    over = max((x / band["pv"][-1] for x in band["pv"] if x is not None), default=1.0) - 1.0
    return f"{view.number(100.0 * max(over, 0.0))} %"


def _settles(view: View, band: dict[str, Any] | None) -> str:
    if band is None or not band["pv"] or not band["pv"][-1]:
        return "–"
    pv, t, end = band["pv"], band["t_s"], band["pv"][-1]
    last = max((n for n, x in enumerate(pv) if x is None or abs(x / end - 1.0) > SETTLED), default=0)
    return f"{view.number(t[min(last + 1, len(t) - 1)])} s"


def _worst(view: View, band: dict[str, Any] | None) -> str:
    if band is None:
        return "–"
    ends = [x for row in (band["low"], band["high"]) for x in row]
    return view.t("tuning.unbounded") if any(x is None for x in ends) else figure(view, max(abs(x) for x in ends))
