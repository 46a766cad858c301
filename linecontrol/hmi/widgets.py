"""Small parts that show live values. They carry names only: the browser puts in what the broadcast brings."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, TypeVar

from nicegui import ui
from nicegui.element import Element

from linecontrol.hmi.live import digits_of
from linecontrol.hmi.view import View

E = TypeVar("E", bound=Element)


def live(element: E, name: str, shown_as: str = "text", **data: Any) -> E:
    """Let an element show a live name; see static/live.js for the ways."""
    element.props["data-k"] = name
    if shown_as != "text":
        element.props["data-as"] = shown_as
    for key, value in data.items():
        if value is not None:
            element.props["data-" + key.replace("_", "-")] = str(value)
    return element


def live_text(name: str, **data: Any) -> Element:
    """Live text: ``fmt`` num, dur, clock, pct, word (with ``words``) or plain."""
    return live(ui.element("span"), name, **data)


def state(element: E, name: str) -> E:
    """Give an element the attribute ``data-state`` with the live value, for its looks."""
    return live(element, name, "state")


def shown(element: E, name: str, equals: str | None = None) -> E:
    """Show an element while the live value is true, or equals a word."""
    return live(element, name, "show", equals=equals)


def tag_value(view: View, tag: str, *, unit: bool = True, digits: int | None = None) -> Element:
    """A tag's value with its unit; greyed and marked by its quality."""
    row = view.live.tags.get(tag, {})
    unit_text = str(row.get("unit", ""))
    with ui.element("span").classes("value") as box:
        shown = live_text(f"t.{tag}", fmt="num", digits=digits_of(unit_text) if digits is None else digits).classes("v")
        if row.get("choices"):
            words = {str(number): choice(view, word) for number, word in row["choices"]}
            shown.props["data-choices"] = json.dumps(words, ensure_ascii=False)
        if unit and unit_text:
            ui.element("span").classes("u").props["data-unit"] = view.unit(unit_text)
    box.props["title"] = f"{tag} {view.of(row.get('title'))}"
    return box


def choice(view: View, word: str) -> str:
    """A word of the line for a number, in this person's language where it is known."""
    for key in (f"mode.{word}", f"choice.{word}"):
        if (found := view.t(key)) != key:
            return found
    return word


def button(words: str, on_click: Any, *, kind: str = "", icon: str | None = None) -> ui.button:
    """A button as tall as a glove needs. ``kind``: "", main or danger."""
    found = ui.button(words, on_click=on_click, icon=icon, color=None)
    found.props("no-caps unelevated").classes(f"btn {kind}")
    return found


def command(words: str, on_click: Any, *, kind: str = "", icon: str | None = None) -> ui.button:
    """A button that changes something: out of reach while the line is away."""
    return button(words, on_click, kind=kind, icon=icon).classes("cmd")


@contextlib.contextmanager
def asking() -> Iterator[ui.dialog]:
    """A question over the page, not within the part of it that was clicked: that may be drawn anew at any time, and
    would take the question and what was typed with it."""
    with ui.context.client.content, ui.dialog() as dialog, ui.element("section").classes("panel ask"):
        yield dialog


async def confirmed(view: View, question: str, lines: list[str], yes: str, *, kind: str = "main") -> bool:
    """Ask once; True when a person said yes."""
    with asking() as dialog:
        ui.label(question).classes("title")
        for line in lines:
            ui.label(line).classes("said")
        with ui.element("div").classes("answers"):
            button(view.t("cancel"), lambda: dialog.submit(False))
            command(yes, lambda: dialog.submit(True), kind=kind)
    try:
        return bool(await dialog)
    finally:
        dialog.delete()
