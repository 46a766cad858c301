"""The laboratory's moistures, what the meter's bias is taken for, and the moisture loop's strategy and set point."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.client import LONG_DEADLINE_S
from linecontrol.hmi.pages.compare_wish import finished_runs
from linecontrol.hmi.view import View

MINUTES_AGO = (0, 10, 30, 60)
MOST_ROWS = 30
STRATEGIES = ("PID", "CASCADE", "FEEDFORWARD", "PREDICTIVE")
"""In the order of the values of the tag STRATEGY."""


async def page(view: View) -> None:
    """Draws the page."""
    with ui.element("div").classes("page"):
        ui.label(view.t("page.lab")).classes("title")
        biases = await view.told(view.get("/lab/bias")) or []
        points = await view.told(view.get("/lab/samples")) or []
        book = None
        if biases or points:
            book = LabBook(view, biases, points, await finished_runs(view) if points else {})
        with ui.element("div").classes("columns"):
            if book is not None:
                book.build()
            strategies = [Strategy(view, loop) for loop in _loops(view) if f"{loop}.STRATEGY" in view.live.tags]
            for strategy in strategies:
                strategy.build()
        if book is not None:
            await book.build_list()
        for strategy in strategies:  # last: it is worked out from the whole run
            await strategy.draw_advice()


def _loops(view: View) -> list[str]:
    return list(view.live.status.get("loops", {}))


class LabBook:
    """Enter a moisture with the time its sample was taken, or what a sample of a whole run held; see the others.

    Args:
        points: sample points of the line: their values are of a run, also of one that has long ended.
        runs: ended runs, by id, as people call them.
    """

    def __init__(
        self,
        view: View,
        biases: list[dict[str, Any]],
        points: Sequence[dict[str, Any]] = (),
        runs: Mapping[str, str] | None = None,
    ) -> None:
        self._view, self._runs = view, dict(runs or {})
        self._meters = {row["tag"]: row["unit"] for row in biases}
        self._points = {row["name"]: row for row in points}
        self._asked: tuple[Any, ...] = ()
        self._body: dict[str, Any] = {}

    def build(self) -> None:
        """Where values are entered."""
        view = self._view
        with ui.element("section").classes("panel"):
            ui.label(view.t("lab.enter")).classes("title")
            what = {tag: view.t("lab.moisture_of", tag=tag) for tag in self._meters}
            what |= {name: view.of(row["title"]) for name, row in self._points.items()}
            with ui.element("div").classes("form"):
                self._what = ui.select(what, value=next(iter(what)), label=view.t("lab.what"), on_change=self._fit)
                self._value = ui.number(step=0.1)
                options = {m: view.t("lab.ago", minutes=m) if m else view.t("lab.now") for m in MINUTES_AGO}
                self._ago = ui.select(options, value=MINUTES_AGO[1], label=view.t("lab.sampled"))
                self._run = ui.select(self._runs, value=next(iter(self._runs), None), label=view.t("lab.of_run"))
                self._note = ui.input(view.t("lab.note")).props("maxlength=500")
                for field in (self._what, self._value, self._ago, self._run, self._note):
                    field.props("outlined").classes("field")
                self._value.props("inputmode=decimal")
            self._fit()
            with ui.element("div").classes("verbs"):
                ask.offered(view.t("lab.save"), self._save, ask.lacking(view, "lab"), kind="main")
            self._saving = ui.element("div")
            self._bias = ui.element("div")

    async def build_list(self) -> None:
        """What was entered; drawn again with each further value."""
        with ui.element("section").classes("panel"):
            ui.label(self._view.t("lab.entered")).classes("title")
            self._list = ui.element("div")
        await self._draw()

    def _fit(self) -> None:
        """A meter's check has a time; a sample point's value has a run, and its range."""
        view, point = self._view, self._points.get(self._what.value)
        unit = self._meters[self._what.value] if point is None else point["unit"]
        self._value.props["label"] = f"{view.t('lab.value_of' if point else 'lab.value')} [{view.unit(unit)}]"
        self._value.props["hint"] = "" if point is None else f"{point['low']:g} – {point['high']:g}"
        self._value.update()
        self._ago.set_visibility(point is None)
        self._run.set_visibility(point is not None)

    async def _save(self) -> None:
        view = self._view
        if self._value.value is None:
            view.say(view.t("lab.value_needed"), bad=True)
            return
        now = view.live.values.get("now")
        if now is None:
            view.say(view.t("link.no_commands"), bad=True)
            return
        body = {"tag": self._what.value, "value": self._value.value, "note": self._note.value or ""}
        if self._what.value in self._meters:
            sampled = datetime.fromtimestamp(now, UTC) - timedelta(minutes=self._ago.value)
            body["sampled_at"] = sampled.isoformat(timespec="seconds")
        elif self._run.value is None:
            view.say(view.t("lab.run_needed"), bad=True)
            return
        else:
            body["run_id"] = self._run.value
        asked = (self._what.value, self._value.value, self._ago.value, self._run.value, self._note.value)
        if asked != self._asked:  # else it is asked again: by its name it is not entered twice
            self._asked, self._body = asked, body | {"lab_id": f"L{secrets.token_hex(4)}"}
        with self._saving, view.loading():  # a run's record is worked out anew
            found = await view.do("/lab", self._body, patience_s=LONG_DEADLINE_S)
        if found is not None:
            view.say(view.t(f"lab.verdict.{found['verdict']}"), bad=found["verdict"] != "used")
            self._asked = ()
            self._value.set_value(None)
            self._note.set_value("")
        await self._draw()  # also when nobody knows whether it was entered

    async def _draw(self) -> None:
        view = self._view
        biases = await view.told(view.get("/lab/bias"))
        rows = await view.told(view.get("/lab", limit=MOST_ROWS))
        if biases is None or rows is None:  # which has been said; what stood there stays
            return
        with self._bias.clear():
            ask.facts(
                [
                    (
                        view.t("lab.bias", tag=row["tag"]),
                        view.t(
                            "lab.bias_of",
                            bias=view.number(row["bias"], 2),
                            u=view.number(row["u"], 2),
                            unit=view.unit(row["unit"]),
                            count=row["values_used"],
                        ),
                    )
                    for row in biases
                ]
            )
        with self._list.clear():
            if not rows:
                ui.label(view.t("lab.none")).classes("empty")
                return
            ask.table(
                [
                    view.t(f"lab.column.{name}")
                    for name in ("sampled", "what", "value", "meter", "difference", "verdict", "who")
                ],
                [
                    (
                        view.when(row["sampled_at"]),
                        self._called(row["tag"]),
                        f"{view.number(row['value'], 2)} {view.unit(row['unit'])}",
                        view.number(row["meter"], 2),
                        view.number(row["difference"], 2),
                        view.t(f"lab.verdict.{row['verdict']}"),
                        row["who"],
                    )
                    for row in rows
                ],
                numbers=(2, 3, 4),
                cards=True,
            )

    def _called(self, tag: str) -> str:
        point = self._points.get(tag)
        return tag if point is None else self._view.of(point["title"])


class Strategy:
    """Who decides in a moisture loop, and how near the limit its set point may stand."""

    def __init__(self, view: View, loop: str) -> None:
        self._view, self._loop = view, loop

    def build(self) -> None:
        view, loop = self._view, self._loop
        with ui.element("section").classes("panel"):
            ui.label(view.t("moisture.strategy", loop=loop)).classes("title")
            with ui.element("div").classes("pair live"):
                ui.label(view.t("moisture.decides"))
                widgets.live_text(f"loop.{loop}.decides", fmt="word", words="strategy").classes("v")
                ui.label(view.t("moisture.estimate"))
                widgets.live_text(f"loop.{loop}.estimate", fmt="num", digits=2).classes("v")
            with ui.element("div").classes("verbs"):
                for value, name in enumerate(STRATEGIES):
                    button = ask.offered(
                        view.t(f"strategy.{name}"), lambda _, v=value: self._switch(v), ask.lacking(view, "tune")
                    )
                    widgets.state(button, f"t.{loop}.STRATEGY").classes(f"strategy strategy-{value}")
            self._advice = ui.element("div")

    async def _switch(self, value: int) -> None:
        view = self._view
        name = view.t(f"strategy.{STRATEGIES[value]}")
        said = await ask.reason(
            view,
            view.t("moisture.switch_question", loop=self._loop, strategy=name),
            name,
            lines=[view.t(f"strategy_note.{STRATEGIES[value]}")],
        )
        if said is not None:
            tag = f"{self._loop}.STRATEGY"
            await view.do("/commands", {"tag": tag, "value": value, "reason": said})

    async def draw_advice(self) -> None:
        view, run = self._view, self._view.live.run
        with self._advice.clear():
            ui.label(view.t("moisture.advice")).classes("title gap-above")
            if run is None or not run.get("run_id"):
                ui.label(view.t("moisture.no_run")).classes("muted")
                return
            with view.loading():
                found = await view.worked_out(f"/runs/{run['run_id']}/set-point-advice")
            if found is None:
                widgets.button(view.t("moisture.again"), self.draw_advice)
                return
            unit = view.unit(found["unit"])
            if found["set_point"] is None:
                ui.label(view.said(found["reason"])).classes("muted")
            else:
                ask.facts(
                    [
                        (view.t("moisture.advised"), f"{view.number(found['set_point'], 2)} {unit}"),
                        (view.t("moisture.present"), f"{view.number(found['present'], 2)} {unit}"),
                        (view.t("moisture.limit"), f"{view.number(found['limit'], 1)} {unit}"),
                        (view.t("moisture.bound"), view.t(f"moisture.bound.{found['bound_by']}")),
                        (view.t("moisture.stands_on"), view.t("hours", hours=view.number(found["hours"], 1))),
                    ]
                )
            with ui.element("div").classes("verbs"):
                why = ask.lacking(view, "operate") or (
                    "" if found["set_point"] is not None else view.t("moisture.none")
                )
                ask.offered(view.t("moisture.take"), lambda: self._take(run["run_id"], found), why, kind="main")
                widgets.button(view.t("moisture.again"), self.draw_advice)

    async def _take(self, run_id: str, found: dict[str, Any]) -> None:
        view = self._view
        shown = f"{view.number(found['set_point'], 2)} {view.unit(found['unit'])}"
        lines = [view.t("moisture.take_note", risk=f"{100 * found['risk']:g}")]
        if await widgets.confirmed(view, view.t("moisture.take_question", sp=shown), lines, view.t("moisture.take")):
            body = {"set_point": found["set_point"], "risk": found["risk"]}
            path = f"/runs/{run_id}/set-point-advice"  # it is worked out again before it is taken
            if await view.do(path, body, patience_s=LONG_DEADLINE_S) is not None:
                await self.draw_advice()
