"""Lots and bags: what is in the hopper, what became of it, what may be released, and papers for it.

Two tabs of Quality, because a bag is released for what was done about the deviations that touch it.
"""

from __future__ import annotations

from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, texts, widgets
from linecontrol.hmi.view import View

MOST_RUNS = 30
LOT_FIELDS = ("lot_id", "species", "received_kg", "origin", "grower", "harvested")
VERBS = {"good": ("hold", "reject"), "held": ("release", "reject"), "released": ("hold", "reject")}
"""What may be decided about a bag, by its status."""


async def bags_section(view: View) -> None:
    """The tab of Quality with the bags of a run."""
    await RunBags(view).build()


async def lots_section(view: View) -> None:
    """The tab of Quality with the root lots."""
    with ui.element("div").classes("columns"):
        await Lots(view).build()


class Lots:
    """Lots on record; register one, and change the lot at the hopper."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def build(self) -> None:
        """Draws the section."""
        view = self._view
        with ui.element("section").classes("panel"):
            ui.label(view.t("bags.register")).classes("title")
            with ui.element("div").classes("form"):
                self._fields: dict[str, Any] = {
                    name: ui.input(view.t(f"bags.lot.{name}")).props("outlined maxlength=100").classes("field")
                    for name in LOT_FIELDS
                }
            self._fields["received_kg"].props("inputmode=decimal")
            self._fields["harvested"].props('stack-label placeholder="2026-01-10"')
            with ui.element("div").classes("verbs"):
                ask.offered(view.t("bags.lot.add"), self._add, ask.lacking(view, "operate"), kind="main")
        self._box = ui.element("section").classes("panel")
        await self._draw()

    async def _add(self) -> None:
        view = self._view
        body = {name: str(field.value or "").strip() for name, field in self._fields.items()}
        try:
            wish = {**body, "received_kg": float(body["received_kg"].replace(",", "."))}
        except ValueError:
            view.say(view.t("bags.lot.kg_needed"), bad=True)
            return
        if await view.do("/lots", wish) is not None:
            for field in self._fields.values():
                field.set_value("")
            await self._draw()

    async def _draw(self) -> None:
        view = self._view
        rows = await view.told(view.get("/lots")) or []
        with self._box.clear():
            ui.label(view.t("bags.lots")).classes("title")
            if not rows:
                ui.label(view.t("bags.no_lots")).classes("empty")
                return
            names = ("lot_id", "species", "received_kg", "origin", "harvested")
            ask.table(
                [view.t(f"bags.lot.{name}") for name in names],
                [[_cell(view, name, row[name]) for name in names] for row in rows[-8:]],
                numbers=(2,),
            )
            run = view.live.run
            if run is None or not run.get("run_id") or run.get("is_ended"):
                return
            with ui.element("div").classes("form"):
                chosen = ui.select(
                    [row["lot_id"] for row in rows], value=rows[-1]["lot_id"], label=view.t("bags.lot.next")
                )
                chosen.props("outlined").classes("field")
            with ui.element("div").classes("verbs"):
                why = ask.lacking(view, "operate")
                ask.offered(view.t("bags.lot.use"), lambda: self._use(run["run_id"], chosen.value), why, kind="main")

    async def _use(self, run_id: str, lot: str) -> None:
        view = self._view
        if await view.do(f"/runs/{run_id}/lots", {"lot": lot}) is not None:
            view.say(view.t("bags.lot.used", lot=lot))


class RunBags:
    """The bags of a run with their decisions, its suspect intervals, and its papers."""

    def __init__(self, view: View, run_id: str = "") -> None:
        self._view, self._run_id = view, run_id

    async def build(self) -> None:
        """Draws the section."""
        view = self._view
        runs = await view.told(view.get("/runs", limit=MOST_RUNS)) or []
        names = {row["run_id"]: f"{view.when(row['started_at'])}  {row['recipe']}" for row in runs}
        self._run_id = self._run_id or next(iter(names), "")
        with ui.element("section").classes("panel"):
            ui.label(view.t("bags.of_run")).classes("title")
            if not names:
                ui.label(view.t("runs.none")).classes("empty")
                return
            chosen = ui.select(names, value=self._run_id, label=view.t("bags.run"), on_change=self._choose)
            chosen.props("outlined").classes("field")
            self._box = ui.element("div")
        await self._draw()

    async def _choose(self, event: Any) -> None:
        self._run_id = str(event.value)
        await self._draw()

    async def _draw(self) -> None:
        view = self._view
        found = await view.told(view.get(f"/runs/{self._run_id}/bags"))
        with self._box.clear():
            if found is None:
                return
            self._papers()
            if not found["bags"]:
                ui.label(view.t("bags.none")).classes("empty")
            else:
                self._table(found["bags"])
            if found["suspects"]:
                self._suspects(found["suspects"])

    def _papers(self) -> None:
        view = self._view
        with ui.element("div").classes("verbs"):
            widgets.button(view.t("bags.labels"), lambda: self._load("labels", "html"), icon="qr_code_2")
            widgets.button(view.t("bags.evidence"), lambda: self._load("evidence", "html"), icon="fact_check")
            widgets.button(view.t("bags.evidence_json"), lambda: self._load("evidence", "json"), icon="data_object")

    async def _load(self, what: str, form: str) -> None:
        view = self._view
        params = {"lang": view.language} | ({"form": form} if what == "evidence" else {})
        content = await view.told(view.api.paper(f"/runs/{self._run_id}/{what}", view.session, **params))
        if content is not None:
            ui.download.content(content, f"{self._run_id}.{what}.{form}")

    def _table(self, bags: list[dict[str, Any]]) -> None:
        view = self._view
        rows = []
        for bag in bags:
            aw = texts.NOTHING
            if bag["water_activity"] is not None:
                low, high = (view.number(bag[f"water_activity_{side}"], 2) for side in ("low", "high"))
                aw = f"{view.number(bag['water_activity'], 2)} ({low}–{high})"
            roots = ", ".join(f"{self._lot(lot['lot_id'])} {view.number(100 * lot['share'])} %" for lot in bag["lots"])
            why = "; ".join(view.said(one["why"]) for one in bag["suspects"]) or texts.NOTHING
            status = view.t(f"bags.status.{bag['status']}")
            weight, moisture = view.number(bag["weight_kg"], 2), view.number(bag["moisture_mean_pct_wb"], 2)
            rows.append([str(bag["number"]), status, weight, moisture, aw, roots, why, self._verbs(bag)])
        names = ("number", "status", "weight", "moisture", "aw", "roots", "why", "decide")
        ask.table([view.t(f"bags.column.{name}") for name in names], rows, numbers=(0, 2, 3), cards=True)

    def _lot(self, name: str) -> str:
        return self._view.t("bags.unknown_lot") if name == "?" else name

    def _verbs(self, bag: dict[str, Any]) -> Any:
        view = self._view

        def draw() -> None:
            with ui.element("div").classes("verbs"):
                for verb in VERBS.get(bag["status"], ()):
                    right = "operate" if verb == "hold" else "approve"
                    kind = "danger" if verb == "reject" else "main" if verb == "release" else ""
                    ask.offered(
                        view.t(f"bags.verb.{verb}"),
                        lambda _, verb=verb: self._decide(bag["bag_id"], verb),
                        ask.lacking(view, right),
                        kind=kind,
                    )

        return draw

    async def _decide(self, bag_id: str, verb: str) -> None:
        """Ask for the reason and, for what is signed, the password once more."""
        view = self._view
        question, yes = view.t(f"bags.question.{verb}", bag=bag_id), view.t(f"bags.verb.{verb}")
        body: dict[str, Any] | None
        if verb == "hold":
            said = await ask.reason(view, question, yes)
            body = None if said is None else {"reason": said}
        else:
            body = await ask.signature(view, question, yes, verb, kind="danger" if verb == "reject" else "main")
        if body is None:
            return
        if await view.do(f"/bags/{bag_id}/{verb}", body) is not None:
            await self._draw()

    def _suspects(self, suspects: list[dict[str, Any]]) -> None:
        view = self._view
        ui.label(view.t("bags.suspects")).classes("title gap-above")
        rows = []
        for one in suspects:

            def act(one: dict[str, Any] = one) -> None:
                if one["action"]:
                    ui.label(f"{one['action']} ({one['acted_by'].partition(':')[2] or one['acted_by']})")
                else:
                    why = ask.lacking(view, "operate")
                    ask.offered(view.t("bags.act"), lambda: self._act(one["id"]), why, kind="main")

            rows.append([view.when(one["since"]), view.when(one["until"]), view.said(one["why"]), act])
        ask.table([view.t(f"bags.suspect.{name}") for name in ("since", "until", "why", "action")], rows, cards=True)

    async def _act(self, suspect_id: str) -> None:
        view = self._view
        said = await ask.reason(view, view.t("bags.act_question", suspect=suspect_id), view.t("bags.act"))
        if (
            said is not None
            and await view.do(f"/runs/{self._run_id}/suspects/{suspect_id}", {"action": said}) is not None
        ):
            await self._draw()


def _cell(view: View, name: str, value: Any) -> str:
    """One cell of the table of lots."""
    if name == "received_kg":
        return view.number(value, 0)
    return view.species(value) if name == "species" and value else value or texts.NOTHING
