"""A run in hand: its unit procedures side by side, its questions, and the commands that are legal now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.view import View

COMMANDS = (
    ("Hold", "pause_circle", ""),
    ("Restart", "play_circle", ""),
    ("Pause", "pause", ""),
    ("Resume", "play_arrow", ""),
    ("Stop", "stop", ""),
    ("Abort", "dangerous", "danger"),
)
HALTING = frozenset({"Hold", "Stop", "Abort"})
"""Towards safety: left to a session that has locked itself."""
ASKED = frozenset({"Restart", "Stop", "Abort"})
MODES = ("Automatic", "Semi-automatic", "Manual")


async def procedure(view: View) -> None:
    """The page while a run is in hand."""
    plan = await view.told(view.get("/runs/current/procedure"))
    if plan is None:
        return
    _figures(view)
    held = ui.element("div")
    questions = ui.element("div")
    commands = ui.element("section").classes("panel commands")
    columns = ui.element("div").classes("units")
    view.watch(lambda: _key(view, "state", "reason", "cause"), lambda: _held(view, held))
    view.watch(lambda: _key(view, "prompts"), lambda: _questions(view, questions))
    view.watch(lambda: (_key(view, "legal", "state", "mode"), _waits(view)), lambda: _commands(view, commands))
    view.watch(lambda: _places(view), lambda: _units(view, plan, columns))


def _key(view: View, *names: str) -> str:
    run = view.live.run or {}
    return repr([run.get(name) for name in names])


def _places(view: View) -> tuple[Any, ...]:
    units: Mapping[str, Mapping[str, Any]] = (view.live.run or {}).get("units", {})
    return tuple((name, row["phase"], row["is_finished"]) for name, row in units.items())


def _waits(view: View) -> bool:
    return any(row.get("waits_for_proceed") for row in (view.live.run or {}).get("units", {}).values())


def _figures(view: View) -> None:
    with ui.element("section").classes("panel figures live"):
        with ui.element("div").classes("figure grow"):
            widgets.live_text("run.run_id").classes("small-title")
            widgets.live_text("run.title.{lang}").classes("title")
            with ui.element("div").classes("progress"):
                widgets.live(ui.element("div").classes("bar"), "run.fraction", "bar", low=0, high=1)
        for title, name, data, unit in (
            ("run.elapsed", "run.elapsed_s", {"fmt": "dur"}, ""),
            ("run.remaining", "run.remaining_s", {"fmt": "dur"}, ""),
            ("run.roots", "run.record.root_kg", {"fmt": "num", "digits": 1}, "kg"),
            ("overview.powder", "run.record.powder_kg", {"fmt": "num", "digits": 1}, "kg"),
            ("overview.yield", "run.record.extraction_yield", {"fmt": "num", "digits": 1, "factor": 100}, "%"),
        ):
            with ui.element("div").classes("figure"):
                ui.label(view.t(title)).classes("small-title")
                with ui.element("div"):
                    widgets.live_text(name, **data).classes("v")
                    if unit:
                        ui.element("span").classes("u").props["data-unit"] = view.unit(unit)


# -- held, and why
def _held(view: View, box: ui.element) -> None:
    """Why it is held and since when; with the question whether it may go on."""
    run = view.live.run or {}
    box.clear()
    if run.get("state") not in ("Held", "Paused", "Holding") or not run.get("reason"):
        return
    with box, ui.element("section").classes("panel held").props('role="alert"'):
        ui.label(view.t("run.held_because", state=view.t(f"state.{run['state']}"))).classes("title")
        own = run.get("reason_zh") if view.language == "zh" else None
        ui.label(own or view.said(run["reason"])).classes("said")
        ui.label(view.t("run.since", since=view.when(run["since"]))).classes("muted")
        if "Restart" in run["legal"]:
            with ui.element("div").classes("answers"):
                ask.offered(view.t("command.Stop"), lambda: _command(view, "Stop"), ask.lacking(view, "halt"))
                why = ask.lacking(view, "operate")
                go_on = view.t("run.go_on")
                ask.offered(go_on, lambda: _command(view, "Restart"), why, kind="main", icon="play_circle")


# -- questions
def _questions(view: View, box: ui.element) -> None:
    box.clear()
    with box:
        for prompt in (view.live.run or {}).get("prompts", ()):
            with ui.element("section").classes("panel question").props('role="alert"'):
                ui.label(view.of(prompt["text"])).classes("title")
                ui.label(view.t("run.asked_since", since=view.when(prompt["since"]))).classes("muted")
                with ui.element("div").classes("answers"):
                    name = view.t("run.answer_as", name=view.session.user)
                    why = ask.lacking(view, "operate")
                    ask.offered(name, lambda: _send(view, "answer"), why, kind="main", icon="done")


# -- commands
def _commands(view: View, box: ui.element) -> None:
    run = view.live.run or {}
    legal, state = run.get("legal", ()), str(run.get("state", ""))
    with box.clear():
        with ui.element("div").classes("command-row"):
            for name, icon, kind in COMMANDS:
                lacking = ask.lacking(view, "halt" if name in HALTING else "operate")
                can = name in legal and not lacking
                button = widgets.command(
                    view.t(f"command.{name}"), lambda name=name: _command(view, name), kind=kind, icon=icon
                )
                button.set_enabled(can)
                if not can:
                    why = lacking or view.t("run.not_while", state=view.t(f"state.{state}"))
                    button.props(f'title="{why}" aria-description="{why}"')
                    with button:
                        ui.label(why).classes("why-not")
        with ui.element("div").classes("command-row mode-row"):
            ui.label(view.t("run.mode")).classes("small-title")
            may_operate = view.session.may("operate")
            for mode in MODES:
                is_on = run.get("mode") == mode
                button = widgets.command(view.t(f"mode.{mode}"), lambda mode=mode: _mode(view, mode))
                button.classes("mode" + (" on" if is_on else "")).props(f"aria-pressed={'true' if is_on else 'false'}")
                button.set_enabled(may_operate)
            if _waits(view) and may_operate:
                widgets.command(view.t("run.proceed"), lambda: _send(view, "proceed"), kind="main", icon="skip_next")


async def _command(view: View, name: str) -> None:
    """Give a command; what cannot be taken back is asked once, Hold never."""
    if name in ASKED:
        question = view.t(f"ask.{name}")
        kind = "danger" if name == "Abort" else "main"
        if not await widgets.confirmed(view, question, [], view.t(f"command.{name}"), kind=kind):
            return
    await _send(view, name.lower())


async def _mode(view: View, mode: str) -> None:
    if mode == (view.live.run or {}).get("mode"):
        return
    if await widgets.confirmed(view, view.t(f"ask.mode.{mode}"), [], view.t(f"mode.{mode}")):
        await _send(view, mode.lower())


async def _send(view: View, word: str) -> None:
    run = view.live.run
    if run is not None:
        await view.do(f"/runs/{run['run_id']}/commands", {"command": word})


# -- unit procedures
def _units(view: View, plan: Mapping[str, Any], box: ui.element) -> None:
    units: Mapping[str, Mapping[str, Any]] = (view.live.run or {}).get("units", {})
    box.clear()
    with box:
        for unit in plan["units"]:
            row = units.get(unit["name"], {})
            with ui.element("section").classes("panel unit"):
                with ui.element("div").classes("head-line"):
                    ui.label(view.of(unit["title"])).classes("title")
                    widgets.live_text(f"run.units.{unit['name']}.number", fmt="num").classes("of")
                    ui.label(f"/ {len(unit['phases'])}")
                _phases(view, unit, row)


def _phases(view: View, unit: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """Done, present and coming; what lies far behind or ahead is folded away on a small screen."""
    names = [phase["name"] for phase in unit["phases"]]
    is_over = bool(row.get("is_finished"))
    here = len(names) if is_over else names.index(row["phase"]) if row.get("phase") in names else 0
    operation = None
    with ui.element("ol").classes("phases"):
        for i, phase in enumerate(unit["phases"]):
            if phase["operation"] != operation:
                operation = phase["operation"]
                ui.element("li").classes("operation").props["data-title"] = view.of(operation)
            stand = "done" if i < here else "here" if i == here else "ahead"
            far = " far" if abs(i - here) > 3 else ""
            with ui.element("li").classes(f"phase {stand}{far}{' sync' if phase['point'] else ''}"):
                ui.label(view.of(phase["title"])).classes("phase-title")
                if phase["point"]:
                    ui.label(view.of(phase["point"])).classes("point")
                if stand == "here":
                    _present(unit["name"])


def _present(unit: str) -> None:
    name = f"run.units.{unit}"
    with widgets.shown(ui.element("div").classes("progress"), f"{name}.has_fraction"):
        widgets.live(ui.element("div").classes("bar"), f"{name}.fraction", "bar", low=0, high=1)
    with ui.element("div").classes("waiting"):
        widgets.live_text(f"{name}.text", k_zh=f"{name}.text_zh")
        with widgets.shown(ui.element("span").classes("rest"), f"{name}.remaining_s"):
            widgets.live_text(f"{name}.remaining_s", fmt="dur")
