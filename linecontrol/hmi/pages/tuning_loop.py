"""One loop at the tuner: its test with limits and abort always at hand, what came of it, gains on trial and back."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.charts import figure
from linecontrol.hmi.client import ApiError
from linecontrol.hmi.live import digits_of
from linecontrol.hmi.pages.tuning_result import gains_text, result
from linecontrol.hmi.view import View

POLL_S = 1.0
LEASE_S = 30.0  # nobody looks at the page for so long: the controller ends the test by itself
BUSY = ("running", "evaluating")
KINDS = ("doublet", "step", "relay")
RIGHT = "tune"
TREND_MINUTES = 30
OWN = ("k", "ti_s", "td_s", "b")
EVENTS, MOST_EVENTS = 8, 200


class LoopDesk:
    """The page of one loop; its parts are drawn again when what they show has changed."""

    def __init__(self, view: View, loop: str) -> None:
        self._view, self._loop = view, loop
        self._row: dict[str, Any] = {}
        self._shown: tuple[Any, ...] = ()
        self._wish: dict[str, Any] = {"kind": KINDS[0]}
        self._doing: ui.label | None = None

    async def build(self) -> None:
        view, loop = self._view, self._loop
        row = await view.told(view.get(f"/tuning/{loop}"))
        if row is None:
            return
        self._row = row
        with ui.element("div").classes("page tuning-page"):
            with ui.element("div").classes("list-head"):
                with ui.element("a").classes("back").props('href="/tuning"'):
                    ui.icon("chevron_left")
                    ui.label(view.t("page.tuning"))
                ui.label(f"{loop} {row['title_zh'] if view.language == 'zh' else row['title']}").classes("title")
            with ui.element("div").classes("tuning-top live"):
                self._faceplate()
                self._gains_box = ui.element("section").classes("card gains")
                self._trends()
            self._test_box = ui.element("section").classes("panel test")
            self._result_box = ui.element("div").classes("result")
            self._events_box = ui.element("section").classes("panel")
        await self._look()
        ui.timer(POLL_S, self._look)

    # -- what always stands there
    def _faceplate(self) -> None:
        view, loop, unit = self._view, self._loop, str(self._row["unit"])
        digits = max(digits_of(unit), 2)
        op_unit = view.unit_of(f"{loop}.OP")
        with ui.element("section").classes("card loop-face"):
            for key, shown in (("pv", unit), ("sp", unit), ("op", op_unit)):
                with ui.element("div").classes("pair"):
                    ui.label(view.t(f"tuning.{key}"))
                    widgets.live_text(f"loop.{loop}.{key}", fmt="num", digits=digits).classes("v")
                    ui.label(view.unit(shown)).classes("u-text")
            with ui.element("div").classes("pair"):
                ui.label(view.t("tuning.mode"))
                widgets.live_text(f"loop.{loop}.mode", fmt="word", words="mode").classes("v")

    def _trends(self) -> None:
        view, loop = self._view, self._loop
        rows = [(f"{self._pv()} {loop}.WSP", view.t("tuning.trend_pv"), str(self._row["unit"]))]
        rows.append((f"{loop}.OP", view.t("tuning.trend_op"), view.unit_of(f"{loop}.OP")))
        for tags, title, unit in rows:
            known = [tag for tag in tags.split() if tag in view.live.tags]
            if not known:
                continue
            with ui.element("section").classes("card wide"):
                with ui.element("div").classes("head-line"):
                    ui.label(f"{title} [{view.unit(unit)}]" if unit else title)
                    ui.label(view.t("overview.minutes", minutes=TREND_MINUTES))
                canvas = ui.element("canvas").classes("spark tall")
                canvas.props["data-tags"] = " ".join(known)
                canvas.props["data-minutes"] = str(TREND_MINUTES)
                canvas.props["data-least"] = "0.5"
                canvas.props["data-digits"] = str(max(digits_of(unit), 1))

    def _pv(self) -> str:
        """The tag the loop measures: by its own number, as ISA-5.1 names it, else the soft tag of its PV."""
        letters, _, number = self._loop.partition("-")
        own = f"{letters[0]}T-{number}"
        return own if own in self._view.live.tags else f"{self._loop}.PV"

    # -- what changes
    async def _look(self) -> None:
        """Ask how the loop stands; asking keeps its test alive."""
        view = self._view
        try:
            self._row = row = await view.get(f"/tuning/{self._loop}")
        except ApiError:
            return  # the frame says when the line is away
        test = row["last_test"] or {}
        trial = row["trial"] and (row["trial"]["falls_back_to"], row["trial"]["in_use"])
        gains = (str(row["gains"]), str(trial), str(row["previous"]))
        state = (test.get("state"), test.get("end"))
        shown = (*gains, *state, view.session.rights)
        if state[0] == "running":
            self._running(test)
        if shown == self._shown:
            return
        before, self._shown = self._shown, shown
        self._draw_gains()
        if before[3:5] != shown[3:5] or not before:
            self._draw_test()
            await self._draw_result()
        elif before[:3] != shown[:3]:
            await self._draw_result()
        await self._draw_events()

    def _draw_gains(self) -> None:
        view, row, trial = self._view, self._row, self._row["trial"]
        with self._gains_box.clear():
            with ui.element("div").classes("head-line"):
                ui.label(view.t("tuning.gains"))
                if trial:
                    ui.label(view.t("tuning.on_trial")).classes("badge")
            ui.label(gains_text(view, row["gains"])).classes("v gains-now")
            if trial:
                rest = max(0.0, trial["lasts_s"] - trial["in_control_s"])
                ui.label(
                    view.t(
                        "tuning.trial_note",
                        minutes=view.number(rest / 60.0),
                        gains=gains_text(view, trial["falls_back_to"]),
                    )
                ).classes("fine")
                if not trial["in_use"]:
                    ui.label(view.t("tuning.trial_idle")).classes("fine")
            elif row["differs_from_line_file"]:
                note = view.t("tuning.differs_note", gains=gains_text(view, row["line_file"]))
                ui.label(note).classes("fine")
            else:
                ui.label(view.t("tuning.as_line_file")).classes("fine")
            with ui.element("div").classes("verbs"):
                right = ask.lacking(view, RIGHT)
                if trial:
                    ask.offered(view.t("tuning.accept"), lambda: self._signed("accept"), right, kind="main")
                none = "" if row["previous"] else view.t("tuning.no_previous")
                ask.offered(view.t("tuning.revert"), lambda: self._signed("revert"), right or none)
                ask.offered(view.t("tuning.own"), self._own, right or self._busy())

    def _busy(self) -> str:
        test = self._row["last_test"]
        return self._view.t("tuning.busy") if test and test["state"] in BUSY else ""

    # -- the test
    def _draw_test(self) -> None:
        view, test = self._view, self._row["last_test"]
        with self._test_box.clear():
            if test and test["state"] == "running":
                self._draw_running(test)
                return
            ui.label(view.t("tuning.test")).classes("title")
            if test and test["state"] == "evaluating":
                with ui.element("div").classes("waiting"):
                    ui.spinner(size="24px", color="dark")
                    ui.label(view.t("tuning.evaluating"))
                return
            self._form()

    def _form(self) -> None:
        view, wish, unit = self._view, self._wish, self._view.unit(str(self._row["unit"]))
        op_unit = view.unit(view.unit_of(f"{self._loop}.OP"))
        kinds = {kind: view.t(f"tuning.kind.{kind}") for kind in KINDS}
        with ui.element("div").classes("test-kind"):
            ui.toggle(kinds, value=wish["kind"], on_change=lambda e: self._chosen(e.value)).props(
                "no-caps unelevated"
            ).classes("times")
            self._kind_note = ui.label(view.t(f"tuning.kind_note.{wish['kind']}")).classes("muted")
        with ui.element("div").classes("form"):
            for key, shown in (
                ("size", op_unit),
                ("pv_limit", unit),
                ("pv_low", unit),
                ("pv_high", unit),
                ("longest_s", "s"),
                ("rest_s", "s"),
                ("periods", ""),
            ):
                title = view.t(f"tuning.field.{key}") + (f" [{shown}]" if shown else "")
                field = ui.number(title, value=wish.get(key), on_change=lambda e, k=key: wish.update({k: e.value}))
                field.props(f'outlined stack-label placeholder="{view.t("tuning.automatic")}"').classes("field")
        ui.label(view.t("tuning.test_note")).classes("muted")
        with ui.element("div").classes("verbs"):
            ask.offered(view.t("tuning.start"), self._start, ask.lacking(view, RIGHT), kind="main")

    def _chosen(self, kind: str) -> None:
        self._wish["kind"] = kind
        self._kind_note.set_text(self._view.t(f"tuning.kind_note.{kind}"))

    def _draw_running(self, test: dict[str, Any]) -> None:
        view, unit = self._view, self._view.unit(str(self._row["unit"]))
        with ui.element("div").classes("list-head"):
            ui.label(view.t("tuning.running", kind=view.t(f"tuning.kind.{test['kind']}"))).classes("title")
            ask.offered(view.t("tuning.abort"), self._abort, ask.lacking(view, "halt"), kind="danger")
        self._doing = ui.label().classes("b")
        with ui.element("div").classes("progress"):
            self._bar = ui.element("div").classes("bar")
        self._elapsed = ui.label().classes("muted")
        self._limits = ui.label().classes("muted")
        self._unit = unit
        ui.label(view.t("tuning.lease", seconds=view.number(LEASE_S))).classes("muted")
        self._running(test)

    def _running(self, test: dict[str, Any]) -> None:
        if self._doing is None or self._doing.is_deleted:
            return
        view = self._view
        self._doing.set_text(view.said(test["doing"]))
        part = min(1.0, test["elapsed_s"] / test["longest_s"])
        self._bar.style(f"--f:{part:.3f}")
        self._elapsed.set_text(
            view.t("tuning.elapsed", at=view.number(test["elapsed_s"]), most=view.number(test["longest_s"]))
        )
        low, high = (figure(view, x, 4) for x in test["pv_limits"])
        self._limits.set_text(view.t("tuning.limits", low=low, high=high, unit=self._unit))

    async def _start(self) -> None:
        view = self._view
        kind = view.t(f"tuning.kind.{self._wish['kind']}")
        said = await ask.reason(
            view,
            view.t("tuning.start_question", loop=self._loop, kind=kind),
            view.t("tuning.start"),
            lines=[view.t("tuning.start_note")],
        )
        if said is None:
            return
        wish = {k: v for k, v in self._wish.items() if v is not None}
        if "periods" in wish:
            wish["periods"] = int(wish["periods"])
        body = {**wish, "reason": said, "lease_s": LEASE_S}
        if await view.do(f"/tuning/{self._loop}/test", body) is not None:
            await self._look()

    async def _abort(self) -> None:
        """At once: an abort is never asked twice."""
        body = {"reason": self._view.t("tuning.abort_reason")}
        if await self._view.do(f"/tuning/{self._loop}/abort", body) is not None:
            await self._look()

    # -- gains
    async def _signed(self, verb: str) -> None:
        view, row = self._view, self._row
        to = row["previous"] if verb == "revert" else row["gains"]
        said = await ask.reason(
            view,
            view.t(f"tuning.{verb}_question", loop=self._loop),
            view.t(f"tuning.{verb}"),
            lines=[gains_text(view, to)] if to else [],
        )
        if said is not None and await view.do(f"/tuning/{self._loop}/{verb}", {"reason": said}):
            await self._look()

    async def apply(self, candidate: str, gains: dict[str, Any]) -> None:
        """Put a candidate of the test on trial."""
        view = self._view
        said = await ask.reason(
            view,
            view.t("tuning.apply_question", loop=self._loop, rule=view.said(candidate)),
            view.t("tuning.apply"),
            lines=[
                view.t("tuning.from_to", old=gains_text(view, self._row["gains"]), new=gains_text(view, gains)),
                view.t("tuning.apply_note"),
            ],
        )
        if said is not None:
            body = {"candidate": candidate, "reason": said}
            if await view.do(f"/tuning/{self._loop}/apply", body) is not None:
                await self._look()

    async def _own(self) -> None:
        view, gains = self._view, dict(self._row["gains"])

        def fields() -> None:
            for key in OWN:
                ui.number(
                    view.t(f"gain.{key}"), value=gains[key], on_change=lambda e, k=key: gains.update({k: e.value})
                ).props("outlined").classes("field")

        said = await ask.reason(
            view,
            view.t("tuning.own_question", loop=self._loop),
            view.t("tuning.apply"),
            lines=[view.t("tuning.isa_form"), view.t("tuning.apply_note")],
            more=fields,
        )
        if said is not None:
            own = {k: v for k, v in gains.items() if v is not None}
            if await view.do(f"/tuning/{self._loop}/apply", {"gains": own, "reason": said}) is not None:
                await self._look()

    # -- what came of it
    async def _draw_result(self) -> None:
        view, test = self._view, self._row["last_test"]
        if test is None or test["state"] in BUSY:
            self._result_box.clear()
            return
        if test["state"] != "done":
            with self._result_box.clear(), ui.element("section").classes("panel off"):
                ui.label(view.t(f"tuning.ended.{test['state']}")).classes("title")
                ui.label(view.said(test["failed"] or test["why"]))
                ui.label(view.t("tuning.gains_unchanged")).classes("muted")
            return
        try:
            found = await view.get(f"/tuning/{self._loop}/result")
        except ApiError:
            return
        with self._result_box.clear():
            result(view, found, self.apply, ask.lacking(view, RIGHT))

    async def _draw_events(self) -> None:
        view = self._view
        try:
            rows = await view.get("/events", limit=MOST_EVENTS, kind="tuning")
        except ApiError:
            return
        mine = [row for row in rows if row["source"] == self._loop][:EVENTS]
        self._events_box.set_visibility(bool(mine))
        with self._events_box.clear():
            ui.label(view.t("tuning.events")).classes("title")
            ask.facts([(view.when(r["time"]), view.said(r["text"])) for r in mine])
