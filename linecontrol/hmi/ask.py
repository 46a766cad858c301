"""Small dialogs and buttons that pages share: a reason asked for, a command that says why it is not to be had."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.element import Element

from linecontrol.hmi import widgets
from linecontrol.hmi.view import View

SHORT = 8
"""Characters of a cell that is not broken into lines."""
MOST_CHARACTERS = 500


def tabs(view: View, base: str, names: Sequence[str], here: str, words: str) -> None:
    """Links in a row to the parts of a page; ``words`` is the first part of their texts' keys."""
    with ui.element("nav").classes("tabs"):
        for name in names:
            link = ui.element("a").classes("tab" + (" on" if name == here else ""))
            link.props(f'href="{base}/{name}"' + (' aria-current="page"' if name == here else ""))
            with link:
                ui.label(view.t(f"{words}.{name}"))


def offered(words: str, on_click: Any, why: str = "", *, kind: str = "", icon: str | None = None) -> ui.button:
    """A command; with ``why`` it is shown but cannot be given, and the reason stands below it."""
    with ui.element("div").classes("offered"):
        button = widgets.command(words, on_click, kind=kind, icon=icon)
        if why:
            button.disable()
            ui.label(why).classes("why")
    return button


def lacking(view: View, right: str) -> str:
    """Why somebody without this right, or who was away too long, may not; empty for who has it."""
    if view.session.may(right):
        return ""
    return view.t("locked.first" if view.session.is_locked else "right.lacking")


async def reason(
    view: View,
    question: str,
    yes: str,
    *,
    lines: Sequence[str] = (),
    more: Callable[[], None] | None = None,
    words: Sequence[str] = (),
    is_needed: bool = True,
    kind: str = "main",
) -> str | None:
    """Ask once, with a reason; None when it was called off. ``more`` draws further fields, ``words`` are usual ones."""
    with widgets.asking() as dialog:
        ui.label(question).classes("title")
        for line in lines:
            ui.label(line).classes("said")
        if more is not None:
            more()
        field = ui.input(view.t("ask.reason" if is_needed else "ask.comment"))
        field.props(f"outlined autofocus maxlength={MOST_CHARACTERS}").classes("field")
        if words:
            with ui.element("div").classes("usual"):
                for word in words:
                    widgets.button(word, lambda _, to=word: field.set_value(to), kind="usual-word")
        said = ui.label().classes("bad-words").props('role="alert"')

        def go() -> None:
            if is_needed and not str(field.value or "").strip():
                said.set_text(view.t("ask.reason_needed"))
                return
            dialog.submit(str(field.value or "").strip())

        field.on("keydown.enter", go)
        with ui.element("div").classes("answers"):
            widgets.button(view.t("cancel"), lambda: dialog.submit(None))
            widgets.command(yes, go, kind=kind)
    try:
        found = await dialog
        return None if found is None else str(found)
    finally:
        dialog.delete()


async def signature(
    view: View, question: str, yes: str, decision: str, *, lines: Sequence[str] = (), kind: str = "main"
) -> dict[str, Any] | None:
    """Ask for a reason and, once more, for the password; shows what is signed. The request's body; None: called off."""
    meanings = await view.told(view.get("/signatures")) or {}
    fields: dict[str, ui.input] = {}

    def more() -> None:
        if view.session.is_demo:
            fields["user"] = ui.input(view.t("login.user")).props("outlined").classes("field")
        password = ui.input(view.t("ask.password"), password=True).props('outlined autocomplete="off"')
        fields["password"] = password.classes("field")

    said = await reason(view, question, yes, lines=[*lines, view.of(meanings.get(decision))], more=more, kind=kind)
    if said is None:
        return None
    return {"reason": said, "lang": view.language} | {name: str(field.value or "") for name, field in fields.items()}


def since(at: float | None, *, until: bool = False) -> Element:
    """How long ago (or, with ``until``, how long from now) a line time [s since 1970] is; counts on by itself."""
    box = ui.element("span").classes("value")
    if at is not None:
        box.props["data-until" if until else "data-since"] = str(at)
    return box


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Names and what they are, one below the other."""
    with ui.element("dl").classes("facts"):
        for name, what in rows:
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                ui.label(what)


def table(
    titles: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[int] = (), cards: bool = False
) -> Element:
    """A plain table that scrolls sideways within itself. A cell is a text, or a function that draws it.

    ``cards``: on a phone each row is a card with the titles beside its cells, for tables of many columns.
    """
    kind = "plain cards" if cards else "plain"
    with ui.element("div").classes("table-box") as box, ui.element("table").classes(kind):
        with ui.element("thead"), ui.element("tr"):
            for i, title in enumerate(titles):
                with ui.element("th").classes("n" if i in numbers else ""):
                    ui.label(title)
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for i, cell in enumerate(row):
                        with ui.element("td").classes("n" if i in numbers else "") as td:
                            if cards:
                                td.props["data-label"] = titles[i]
                            if cell == "":
                                td.classes("blank")
                            if callable(cell):
                                cell()
                            else:
                                if len(str(cell)) <= SHORT:
                                    td.classes("short")
                                ui.label(str(cell))
    return box
