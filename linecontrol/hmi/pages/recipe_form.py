"""A recipe as a form: formula parameters with their limits, the phases' numbers with what the line accepts of each."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui

from linecontrol.hmi import ask, widgets
from linecontrol.hmi.client import ApiError
from linecontrol.hmi.view import View

ENDS = ("value", "low", "high")


class RecipeForm:
    """The form of one version. What is wrong is told by the API, and shown at the field it is about.

    Args:
        row: the version as the API gives it. labels: of its ``fields``, in their order.
        api: the path its versions are saved at. page: the page of the recipe.
    """

    def __init__(self, view: View, row: dict[str, Any], labels: Sequence[str], api: str, page: str) -> None:
        self._view, self._row, self._labels, self._api, self._page = view, row, labels, api, page
        self._boxes: dict[str, tuple[list[Any], Any, Any]] = {}  # by dotted path: path, what it was, its box

    def build(self) -> None:
        view = self._view
        self._said = ui.element("section").classes("panel off").props('role="alert"')
        self._said.set_visibility(False)
        with ui.element("section").classes("panel"):
            ui.label(view.t("recipes.formula")).classes("title")
            with ui.element("div").classes("formula-form"):
                for name, about in self._row["recipe"]["formula"].items():
                    self._parameter(name, about)
        groups: dict[str, list[int]] = {}
        for i, field in enumerate(self._row["fields"]):
            groups.setdefault(view.of(field["unit_procedure"]), []).append(i)
        for title, members in groups.items():
            with ui.element("details").classes("panel fold-box"):
                with ui.element("summary").classes("recipe-head"):
                    ui.label(title).classes("b")
                    ui.label(view.t("recipes.fields", count=len(members))).classes("fine")
                with ui.element("div").classes("fields"):
                    for i in members:
                        self._phase_field(self._row["fields"][i], self._labels[i])
        with ui.element("div").classes("verbs save-bar"):
            words = "recipes.save_draft" if self._row["state"] == "draft" else "recipes.save_new"
            ask.offered(view.t(words), self._save, ask.lacking(view, "tune"), kind="main")
            widgets.button(view.t("cancel"), lambda: view.go(self._page))

    def _parameter(self, name: str, about: dict[str, Any]) -> None:
        view = self._view
        unit = view.unit(about.get("unit", ""))
        with ui.element("div").classes("formula-row"):
            ui.label(view.of(about["title"]) + (f" [{unit}]" if unit else "")).classes("formula-name")
            if isinstance(about["value"], bool):
                self._keep(["formula", name, "value"], about["value"], ui.switch(value=about["value"]).classes("touch"))
                return
            for end in ENDS:
                self._number(["formula", name, end], about[end], view.t(f"recipes.part.{end}"), "")

    def _phase_field(self, field: dict[str, Any], label: str) -> None:
        view = self._view
        title = f"{view.of(field['phase'])} · {label}"
        if isinstance(field["value"], bool):
            self._keep(field["path"], field["value"], ui.switch(title, value=field["value"]).classes("field touch"))
            return
        ends = ["–" if field[key] is None else f"{field[key]:g}" for key in ("low", "high")]
        is_open = field["low"] is None and field["high"] is None
        hint = "" if is_open else view.t("run.limits", low=ends[0], high=ends[1], unit=view.unit(field["unit"]))
        self._number(field["path"], field["value"], title, hint)

    def _number(self, path: list[Any], value: Any, label: str, hint: str) -> None:
        view = self._view
        shown = f"{value:.12g}" if isinstance(value, int | float) else str(value)
        is_right: Callable[[Any], bool] = lambda text: _read(text) is not None  # noqa: E731 - as NiceGUI takes it
        box = ui.input(label, value=shown, validation={view.t("recipes.number_or"): is_right})
        box.props(f'outlined dense stack-label hint="{hint}"').classes("field").tooltip(label)
        self._keep(path, value, box)

    def _keep(self, path: list[Any], value: Any, box: Any) -> None:
        self._boxes[".".join(map(str, path))] = (path, value, box)

    def wanted(self) -> dict[str, Any]:
        """The recipe with what was typed; what was left alone stays as it was written."""
        recipe: dict[str, Any] = copy.deepcopy(self._row["recipe"])
        for path, old, box in self._boxes.values():
            new = box.value if isinstance(old, bool) else _read(box.value)
            if new is not None and new != old:
                at: Any = recipe
                for part in path[:-1]:
                    at = at[part]
                at[path[-1]] = new
        return recipe

    async def _save(self) -> None:
        view, row = self._view, self._row
        if any(getattr(box, "error", None) for _, _, box in self._boxes.values()):
            view.say(view.t("recipes.not_a_number"), bad=True)
            return
        why = await ask.reason(view, view.t("recipes.what_changed"), view.t("recipes.save"))
        if why is None:
            return
        body: dict[str, Any] = {"recipe": self.wanted(), "reason": why}
        method, path = "POST", self._api
        if row["state"] == "draft":
            method, path = "PUT", f"{path}/{quote(row['version'], safe='')}"
            body["expected"] = row["hash"]
        try:
            made = await view.api.ask(method, path, view.session, body=body)
        except ApiError as error:
            self._show(error)
            return
        view.go(f"{self._page}/{quote(made['version'], safe='')}")

    def _show(self, error: ApiError) -> None:
        """Each problem at the top, and at its field."""
        view = self._view
        rows = [one for one in error.errors if one.get("field")]
        self._said.set_visibility(True)
        with self._said.clear():
            ui.label(view.t("recipes.not_saved")).classes("title")
            for one in rows:
                tail = view.t("recipes.accepted", accepted=one["accepted"]) if one.get("accepted") else ""
                ui.label(f"{one['field']}: {view.said(one['message'])} {tail}".strip()).classes("breaks")
                if (found := self._boxes.get(one["field"])) is not None and isinstance(found[2], ui.input):
                    found[2].error = f"{view.said(one['message'])} {tail}".strip()
            if not rows:
                ui.label(view.said(error.detail))
        ui.run_javascript("document.querySelector('.main').scrollTo(0, 0)")


def _read(text: Any) -> float | str | None:
    """A number, or a text that begins with =; None for neither."""
    word = str(text if text is not None else "").strip()
    if word.startswith("="):
        return word
    try:
        found = float(word)
    except ValueError:
        return None
    if found != found or abs(found) > 1e9:
        return None
    return int(found) if found == int(found) else found
