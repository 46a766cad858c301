"""A loop's faceplate (level 3): PV, SP, OP, mode. A change is confirmed, answered by a receipt, shown as read back."""

from __future__ import annotations

import math
from typing import Any

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.client import ApiError, ApiGone, ApiSlow
from linecontrol.hmi.live import digits_of
from linecontrol.hmi.view import View

_OUTPUT_MODE, _SET_POINT_MODE = 0, 1
_FLAGS = ("holding",)


def faceplate(view: View, loop: str) -> None:
    """Opens over the page; closes itself when it is left."""
    row = view.live.status["loops"][loop]
    title = row["title_zh"] if view.language == "zh" else row["title"]
    with ui.context.client.content, ui.dialog(value=True) as dialog, ui.element("section") as panel:
        panel.classes("panel faceplate live")
        with ui.element("div").classes("head-line"):
            ui.label(title).classes("title")
            ui.label(loop).classes("muted")
        with ui.element("div").classes("bars"):
            for key, tag, scale in (
                ("pv", row["pv_tag"], f"{loop}.SP"),
                ("sp", f"{loop}.WSP", f"{loop}.SP"),
                ("op", f"{loop}.OP", f"{loop}.OP"),
            ):
                _bar(view, loop, key, tag, view.live.tags.get(scale, {}))
        with widgets.shown(ui.element("div").classes("flag"), f"loop.{loop}.holding"):
            ui.label(view.t("loop.holding"))
        if view.session.may("operate"):
            _modes(view, loop)
            with ui.element("div").classes("answers even"):
                widgets.command(view.t("loop.set_sp"), lambda: change(view, f"{loop}.SP"))
                widgets.command(view.t("loop.set_op"), lambda: change(view, f"{loop}.OP"))
        else:
            ui.label(ask.lacking(view, "operate")).classes("muted")
        with ui.element("div").classes("answers"):
            widgets.button(view.t("close"), dialog.close)
    dialog.on("hide", dialog.delete)


def _bar(view: View, loop: str, key: str, tag: str, scale: dict[str, Any]) -> None:
    unit = view.unit_of(f"{loop}.OP") if key == "op" else str(view.live.status["loops"][loop]["unit"])
    low, high = scale.get("low"), scale.get("high")
    with ui.element("div").classes("upright"):
        ui.label(view.t(f"loop.{key}")).classes("small-title")
        with ui.element("div"):
            widgets.live_text(f"t.{tag}", fmt="num", digits=digits_of(unit)).classes("v")
            ui.element("span").classes("u").props["data-unit"] = view.unit(unit)
        if low is not None and high is not None:
            with ui.element("div").classes("tall-bar"):
                widgets.live(ui.element("div").classes(f"bar fill {key}"), f"t.{tag}", "bar", low=low, high=high)
                if key == "pv":
                    widgets.live(ui.element("div").classes("bar tick"), f"t.{loop}.WSP", "bar", low=low, high=high)
            ui.label(f"{view.number(low)} … {view.number(high)}").classes("ends")


def _modes(view: View, loop: str) -> None:
    choices = view.live.tags.get(f"{loop}.MODE", {}).get("choices", [])
    with ui.element("div").classes("command-row mode-row"):
        ui.label(view.t("run.mode")).classes("small-title")
        for number, word in choices:
            with widgets.state(ui.element("div").classes(f"mode-box for-{word}"), f"loop.{loop}.mode"):
                widgets.command(view.t(f"mode.{word}"), lambda n=number, w=word: _mode(view, loop, n, w)).classes(
                    "mode"
                )


async def _mode(view: View, loop: str, number: int, word: str) -> None:
    question = view.t("change.mode", loop=loop, mode=view.t(f"mode.{word}"))
    if await widgets.confirmed(view, question, [], view.t("change.do")):
        await send(view, f"{loop}.MODE", number)


async def change(view: View, tag: str) -> None:
    """Ask for a new value of a tag, within its limits; then for a yes; then say what the device answered."""
    row = view.live.tags[tag]
    present = view.live.sample(tag)[0]
    with widgets.asking() as dialog:
        ui.label(view.t("change.what", tag=f"{tag} {view.of(row['title'])}")).classes("title")
        box, read = _entry(view, row, present)

        def go_on() -> None:
            if (found := read()) is not None:  # otherwise the field says what is accepted
                dialog.submit(found)

        with ui.element("div").classes("answers"):
            widgets.button(view.t("cancel"), lambda: dialog.submit(None))
            widgets.command(view.t("change.next"), go_on, kind="main")
    box.run_method("focus")
    value = await dialog
    dialog.delete()
    if value is None:
        return
    unit, digits = view.unit(row["unit"]), digits_of(row["unit"])
    old = _written(view, row, present, digits)
    new = _written(view, row, value, max(digits, 2) if isinstance(value, float) and value % 1 else digits)
    lines = [view.t("change.from_to", old=old, new=new, unit=unit)]
    if await widgets.confirmed(view, view.t("change.ask", tag=tag), lines, view.t("change.do")):
        await send(view, tag, value)


def _written(view: View, row: dict[str, Any], value: Any, digits: int) -> str:
    if value is None:
        return "–"
    word = dict(row["choices"]).get(value)
    if word is not None:
        return widgets.choice(view, word)
    if isinstance(value, bool):
        return view.t("bool.true" if value else "bool.false")
    return value if isinstance(value, str) else view.number(value, digits)


def _entry(view: View, row: dict[str, Any], present: Any) -> tuple[Any, Any]:
    """The field for this kind of tag, and what reads it; None while it is not acceptable."""
    if row["choices"]:
        options = {number: widgets.choice(view, word) for number, word in row["choices"]}
        chosen = ui.select(options, value=present if present in options else None).props("outlined").classes("field")
        return chosen, lambda: chosen.value
    if isinstance(present, bool):
        switch = ui.radio({True: view.t("bool.true"), False: view.t("bool.false")}, value=present).props("inline")
        return switch, lambda: switch.value
    low, high = row["low"], row["high"]
    limits = view.t(
        "run.limits",
        low="–" if low is None else view.number(low, 0 if low % 1 == 0 else 2),
        high="–" if high is None else view.number(high, 0 if high % 1 == 0 else 2),
        unit=view.unit(row["unit"]),
    )

    def fits(value: float | None) -> bool:
        return (
            value is not None
            and math.isfinite(value)
            and (low is None or value >= low)
            and (high is None or value <= high)
        )

    box = ui.number(view.t("change.value"), value=present, validation={limits: fits})
    box.props(f'outlined stack-label hint="{limits}" suffix="{view.unit(row["unit"])}" inputmode=decimal').classes(
        "field"
    )
    return box, lambda: box.value if fits(box.value) else None


async def send(view: View, tag: str, value: Any) -> None:
    """Command a tag; the receipt is said as it came. What the page shows is what is read back."""
    if not view.is_up:
        view.say(view.t("link.no_commands"), bad=True)
        return
    try:
        receipt = await view.api.post("/commands", {"tag": tag, "value": value}, view.session)
    except ApiSlow:
        view.say(view.t("link.unsure"), bad=True)
    except ApiGone:
        view.say(view.t("link.gone"), bad=True)
    except ApiError as error:
        word = "receipt.failed" if error.status == 502 else "receipt.refused"
        view.say(view.t(word, tag=tag, why=view.said(error.detail)), bad=True)
    else:
        shown = _written(view, view.live.tags[tag], receipt["readback"], 2)
        view.say(view.t("receipt.confirmed", tag=tag, value=shown, unit=view.unit(view.unit_of(tag))))
