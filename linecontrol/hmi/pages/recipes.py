"""Recipes: what is in force, what waits for approval, and one version: what differs in it, what may be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui

from linecontrol.hmi import ask
from linecontrol.hmi.pages.recipe_form import RecipeForm
from linecontrol.hmi.pages.site_tabs import site_tabs
from linecontrol.hmi.view import View

EDIT, APPROVE = "tune", "approve"
WAITING = ("draft", "approved")
STATES_IN_FORCE = ("approved", "retired", "shipped")
LONGEST_VALUE = 120


def path_of(name: str, version: str = "") -> str:
    """The page of a recipe, or of one of its versions."""
    return f"/recipes/{quote(name, safe='')}" + (f"/{quote(version, safe='')}" if version else "")


def api_path(name: str, version: str = "") -> str:
    """The API's path of a recipe's versions, or of one of them."""
    return f"/recipes/{quote(name, safe='')}/versions" + (f"/{quote(version, safe='')}" if version else "")


async def page(view: View) -> None:
    """Every recipe: the version in force, and what waits."""
    with ui.element("div").classes("page"):
        site_tabs(view, "recipes")
        rows = await view.told(view.get("/recipe-versions"))
        by_name: dict[str, list[dict[str, Any]]] = {}
        for row in rows or ():
            by_name.setdefault(row["name"], []).append(row)
        for name in sorted(by_name):
            _recipe(view, name, by_name[name])


def _recipe(view: View, name: str, rows: Sequence[dict[str, Any]]) -> None:
    force = next((row for row in rows if row["in_force"]), None)
    waiting = [row for row in rows if row["state"] in WAITING]
    with ui.element("section").classes("panel"):
        with ui.element("div").classes("list-head"):
            with ui.element("a").classes("row-link").props(f'href="{path_of(name)}"'):
                ui.label(view.of((force or rows[0])["title"]))
            with ui.element("div").classes("row-acts"):
                if force is not None:
                    ui.label(view.t("recipes.in_force", version=force["version"])).classes("badge")
                for row in waiting:
                    with ui.element("a").classes("badge waits").props(f'href="{path_of(name, row["version"])}"'):
                        ui.label(view.t(f"recipes.waits.{row['state']}", version=row["version"]))
        ui.label(name).classes("fine")


async def recipe_page(view: View, name: str) -> None:
    """The versions of one recipe, the newest first."""
    rows = await view.told(view.get(api_path(name)))
    if rows is None:
        return
    force = next((row for row in rows if row["in_force"]), rows[0])
    with ui.element("div").classes("page"):
        _head("/recipes", view.t("site.tab.recipes"), view.of(force["title"]), name)
        with ui.element("div").classes("verbs"):
            lacking = ask.lacking(view, EDIT)
            edit = f"{path_of(name, force['version'])}/edit"
            ask.offered(view.t("recipes.edit"), lambda: view.go(edit), lacking, kind="main")
            ask.offered(view.t("recipes.copy"), lambda: copied(view, name, force["version"]), lacking)
        with ui.element("section").classes("panel"):
            ui.label(view.t("recipes.versions")).classes("title")
            names = ("version", "state", "note", "author", "judged", "activated")
            ask.table([view.t(f"recipes.column.{n}") for n in names], [_cells(view, row) for row in rows], cards=True)


def _cells(view: View, row: dict[str, Any]) -> tuple[Any, ...]:
    def link() -> None:
        with ui.element("a").classes("row-link").props(f'href="{path_of(row["name"], row["version"])}"'):
            ui.label(row["version"])

    def state() -> None:
        _state(view, row)

    def signed(who: str, at: str | None, why: str) -> Any:
        def draw() -> None:
            if who:
                ui.label(f"{person(who)} · {view.when(at)}")
                ui.label(why).classes("fine breaks")

        return draw

    return (
        link,
        state,
        view.t("recipes.original") if row["state"] == "shipped" else row["note"],
        signed(row["author"], row["made_at"], ""),
        signed(row["judged_by"], row["judged_at"], row["judgement"]),
        signed(row["activated_by"], row["activated_at"], row["activation"]),
    )


def _state(view: View, row: dict[str, Any]) -> None:
    ui.label(view.t("recipes.state.in_force" if row["in_force"] else f"recipes.state.{row['state']}")).classes(
        "badge" + (" on" if row["in_force"] else " waits" if row["state"] in WAITING else "")
    )


def person(who: str) -> str:
    """A signature without its kind."""
    return who.removeprefix("operator:")


def _head(back: str, back_words: str, title: str, name: str) -> None:
    with ui.element("div").classes("list-head"):
        with ui.element("a").classes("back").props(f'href="{back}"'):
            ui.icon("chevron_left")
            ui.label(back_words)
        ui.label(title).classes("title")
        ui.label(name).classes("fine")


async def version_page(view: View, name: str, version: str) -> None:
    """One version: who made it and why, what differs from the one in force, all its values, and what may be done."""
    row = await view.told(view.get(api_path(name, version)))
    if row is None:
        return
    with ui.element("div").classes("page"):
        _head(path_of(name), view.t("recipes.all_versions"), f"{view.of(row['title'])} {version}", name)
        with ui.element("section").classes("panel"):
            with ui.element("div").classes("list-head"):
                _state(view, row)
            facts = [
                (view.t(f"recipes.column.{key}"), f"{person(row[who])} · {view.when(row[at])}: {row[why]}")
                for key, who, at, why in (
                    ("author", "author", "made_at", "note"),
                    ("judged", "judged_by", "judged_at", "judgement"),
                    ("activated", "activated_by", "activated_at", "activation"),
                )
                if row[who]
            ]
            facts.append((view.t("recipes.hash"), row["hash"][:12]))
            ask.facts(facts)
            _verbs(view, row)
        _changes(view, row)
        with ui.element("div").classes("columns"):
            _formula(view, row)
            _phases(view, row)


def _verbs(view: View, row: dict[str, Any]) -> None:
    name, version, state = row["name"], row["version"], row["state"]
    is_mine = person(row["author"]) == view.session.user
    with ui.element("div").classes("verbs"):
        words = "recipes.edit_draft" if state == "draft" else "recipes.edit_from"
        edit = f"{path_of(name, version)}/edit"
        ask.offered(view.t(words), lambda: view.go(edit), ask.lacking(view, EDIT))
        if state == "draft":
            lacking = ask.lacking(view, APPROVE)
            ask.offered(view.t("recipes.approve"), lambda: _decide(view, row, "approve"), lacking, kind="main")
            ask.offered(view.t("recipes.reject"), lambda: _decide(view, row, "reject"), "" if is_mine else lacking)
        if state in STATES_IN_FORCE and not row["in_force"]:
            lacking = ask.lacking(view, APPROVE)
            ask.offered(view.t("recipes.activate"), lambda: _decide(view, row, "activate"), lacking, kind="main")


async def _decide(view: View, row: dict[str, Any], verb: str) -> None:
    name, version = row["name"], row["version"]
    question = view.t(f"recipes.{verb}_ask", title=view.of(row["title"]), version=version)
    lines = [view.t("recipes.activate_note")] if verb == "activate" else []
    kind = "danger" if verb == "reject" else "main"
    why = await ask.reason(view, question, view.t(f"recipes.{verb}"), lines=lines, kind=kind)
    if why is not None and await view.do(f"{api_path(name, version)}/{verb}", {"reason": why}) is not None:
        view.reload()


def shown(value: Any) -> str:
    """A value of a recipe, short."""
    if value is None:
        return "–"
    text = f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


def _changes(view: View, row: dict[str, Any]) -> None:
    if row["in_force"]:
        return
    with ui.element("section").classes("panel"):
        against = row["against"]
        title = view.t("recipes.differs", version=against) if against else view.t("recipes.no_other")
        ui.label(title).classes("title")
        if row["changes"]:
            cells = [(titled(view, row, c["where"]), shown(c["old"]), shown(c["new"])) for c in row["changes"]]
            titles = [view.t(f"recipes.column.{n}") for n in ("where", "old", "new")]
            ask.table([titles[0], f"{against}: {titles[1]}", f"{row['version']}: {titles[2]}"], cells, numbers=(1, 2))
        elif against:
            ui.label(view.t("recipes.same")).classes("muted")


def titled(view: View, row: dict[str, Any], where: str) -> Any:
    """Where a change is: a formula parameter by its title, all else by its path."""
    parts = where.split(".")
    formula = row["recipe"]["formula"]

    def draw() -> None:
        if len(parts) > 2 and parts[0] == "formula" and parts[1] in formula:
            last = parts[-1]
            word = f"recipes.part.{last}"
            named = view.t(word) if view.t(word) != word else last
            ui.label(f"{view.of(formula[parts[1]]['title'])}: {named}")
        ui.label(where).classes("fine breaks")

    return draw


def _formula(view: View, row: dict[str, Any]) -> None:
    titles = [view.t(f"recipes.formula.{c}") for c in ("name", "value", "low", "high", "unit")]
    cells = []
    for about in row["recipe"]["formula"].values():
        is_switch = isinstance(about["value"], bool)
        value = view.t(f"switch.{about['value']}") if is_switch else shown(about["value"])
        ends = ["", ""] if is_switch else [shown(about.get(key)) for key in ("low", "high")]
        cells.append([view.of(about["title"]), value, *ends, view.unit(about.get("unit", ""))])
    with ui.element("section").classes("panel"):
        ui.label(view.t("recipes.formula")).classes("title")
        ask.table(titles, cells, numbers=(1, 2, 3))


def _phases(view: View, row: dict[str, Any]) -> None:
    titles = [view.t(f"recipes.phase.{c}") for c in ("name", "parameter", "value", "unit")]
    cells = [
        (
            view.of(field["phase"]),
            parameter(view, field),
            view.t(f"switch.{field['value']}") if isinstance(field["value"], bool) else shown(field["value"]),
            view.unit(field["unit"]),
        )
        for field in row["fields"]
    ]
    with ui.element("section").classes("panel"):
        ui.label(view.t("recipes.phases")).classes("title")
        ask.table(titles, cells, numbers=(2,))


def parameter(view: View, field: dict[str, Any]) -> str:
    """What a phase's parameter is called: by its tag, or by its own word."""
    word = f"recipes.parameter.{field['parameter'].rpartition('.')[2]}"
    named = view.t(word) if view.t(word) != word else ""
    if field["tag_title"]:
        tag = f"{view.of(field['tag_title'])} {field['tag']}"
        return f"{tag}: {named}" if named else tag
    return named or field["parameter"]


async def edit_page(view: View, name: str, version: str) -> None:
    """One version as a form; saving makes a new draft, or rewrites the draft it is."""
    row = await view.told(view.get(api_path(name, version)))
    if row is None:
        return
    with ui.element("div").classes("page"):
        words = view.t("recipes.editing", version=version)
        _head(path_of(name, version), words, view.of(row["title"]), name)
        labels = [parameter(view, field) for field in row["fields"]]
        RecipeForm(view, row, labels, api_path(name), path_of(name)).build()


async def copied(view: View, name: str, version: str) -> None:
    """Copy a recipe to a new one of the site's own, as a draft."""
    fields: dict[str, Any] = {}

    def more() -> None:
        fields["name"] = ui.input(view.t("recipes.new_name")).props('outlined maxlength=60 hint="a-z 0-9 -"')
        fields["en"] = ui.input(view.t("recipes.title_en")).props("outlined maxlength=100")
        fields["zh"] = ui.input(view.t("recipes.title_zh")).props("outlined maxlength=100")
        for field in fields.values():
            field.classes("field")

    why = await ask.reason(view, view.t("recipes.copy"), view.t("recipes.copy"), more=more)
    if why is None:
        return
    row = await view.told(view.get(api_path(name, version)))
    if row is None:
        return
    given = {key: str(field.value or "").strip() for key, field in fields.items()}
    title = {key: given[key] or row["title"][key] for key in ("en", "zh")}
    recipe = row["recipe"] | {"name": given["name"], "title": title, "version": "1.0"}
    if (made := await view.do(api_path(given["name"]), {"recipe": recipe, "reason": why})) is not None:
        view.go(path_of(made["name"], made["version"]))
