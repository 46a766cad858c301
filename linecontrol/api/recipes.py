"""Recipes over HTTP: those in force, and the versions a site makes: drafted, approved or rejected, put in force."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from linecontrol.api.callers import caller_of, noted, permit, signed
from linecontrol.api.problems import PROBLEM_RESPONSES, responses
from linecontrol.api.rights import Right
from linecontrol.api.wire import WHO, Titles
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.line.recipe_book import Version, is_file
from linecontrol.line.run_view import iso
from linecontrol.recipe.diff import changes
from linecontrol.recipe.form import phase_fields

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

_WHY: Any = Field(min_length=1, max_length=500, pattern=r"\S", examples=["drier powder for the winter lots"])


class RecipeDraft(BaseModel):
    """A recipe whole, as GET gives it, with what was changed. Its version is given by the controller."""

    model_config = ConfigDict(extra="forbid")
    recipe: dict[str, Any]
    reason: str = _WHY
    who: str | None = WHO
    expected: str = Field("", max_length=64, description="Hash of the draft as the asker saw it; refused when changed")


class RecipeDecision(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "tried on two lots"}]})
    reason: str = _WHY
    who: str | None = WHO


class VersionOut(BaseModel):
    """One version of a recipe. Times are line time."""

    name: str = Field(examples=["kudzu-lobata-standard"])
    version: str = Field(examples=["1.1"])
    state: str = Field(description="shipped, draft, approved, active (in force), retired or rejected")
    in_force: bool = Field(description="The version a new run is started with")
    title: Titles
    hash: str
    based_on: str
    author: str
    note: str = Field(description="What was changed, and why")
    made_at: str | None
    judged_by: str
    judgement: str
    judged_at: str | None
    activated_by: str
    activation: str
    activated_at: str | None
    retired_at: str | None


class ChangeOut(BaseModel):
    where: str = Field(examples=["formula.moisture_sp.value"])
    old: Any
    new: Any


class PhaseField(BaseModel):
    """A number or switch of a phase, as a field of a form."""

    path: list[str | int]
    unit_procedure: Titles
    operation: Titles
    phase: Titles
    parameter: str = Field(examples=["values.SC-103"])
    tag: str | None
    tag_title: Titles | None
    value: Any = Field(examples=[20], description="A number, a switch, or =expression of formula names")
    unit: str
    low: float | None
    high: float | None
    is_switch: bool


class WholeVersion(VersionOut):
    recipe: dict[str, Any]
    fields: list[PhaseField]
    against: str | None = Field(description="The version it is compared with; null when there is none")
    changes: list[ChangeOut]


def known_by_name(recipe: str) -> None:
    """Refuse the path of a file: over the API only recipes that have gone through this book are run."""
    if is_file(recipe):
        raise ConfigError([Problem("", None, "recipe", f"{recipe[:80]!r} is no recipe's name", "see GET /recipes")])


def recipe_routes(line: Line) -> APIRouter:
    """The routes under ``/recipes``."""
    routes = APIRouter(tags=["recipes"], responses=responses(404, 409, 422))

    def found(name: str, version: str) -> Version:
        try:
            return line.book.version(name, version)
        except LookupError as error:
            raise HTTPException(404, str(error)) from None

    @routes.get("/recipes", responses={404: PROBLEM_RESPONSES[404]})
    async def recipes() -> list[dict[str, Any]]:
        """The master recipes this line can run, with their formula parameters and limits."""
        line.book.look()
        return [entry.summary() for entry in line.recipes()]

    @routes.get("/recipes/{name}")
    async def recipe(name: str) -> dict[str, Any]:
        """One recipe whole, in the version in force."""
        for entry in line.recipes():
            if entry.name == name:
                return entry.whole()
        raise HTTPException(404, f"there is no recipe {name!r}")

    @routes.get("/recipe-versions", response_model=list[VersionOut])
    async def everything() -> Any:
        """Every version of every recipe, drafts too."""
        return [version_view(one) for one in line.book.versions()]

    @routes.get("/recipes/{name}/versions", response_model=list[VersionOut])
    async def versions(name: str) -> Any:
        """The versions of one recipe, the newest first, the shipped original last."""
        rows = line.book.versions(name)
        if not rows:
            raise HTTPException(404, f"there is no recipe {name!r}")
        return [version_view(one) for one in rows]

    @routes.get("/recipes/{name}/versions/{version}", response_model=WholeVersion)
    async def version(
        name: str,
        version: str,
        against: Annotated[str | None, Query(max_length=20, description="another version; default: in force")] = None,
    ) -> Any:
        """One version whole, its phases' numbers as fields of a form, and what differs from the version in force."""
        one = found(name, version)
        other = line.book.force_of(name) if against is None else found(name, against)
        return whole_view(line, one, other)

    @routes.post("/recipes/{name}/versions", response_model=VersionOut, status_code=201)
    async def draft(request: Request, name: str, wish: RecipeDraft) -> Any:
        """A new draft. 422 names each field that cannot work on this line, and what is accepted there.

        ``name`` may be new: that is how a shipped recipe is copied to one of the site's own.
        """
        who = signed(request, wish.who)
        made = await line.book.draft(name, wish.recipe, who, wish.reason)
        noted(request, new=_noted(made))
        return version_view(made)

    @routes.put("/recipes/{name}/versions/{version}", response_model=VersionOut)
    async def rewrite(request: Request, name: str, version: str, wish: RecipeDraft) -> Any:
        """Rewrite a draft. 409 when it is no draft any more, or was changed since the asker saw it."""
        who = signed(request, wish.who)
        noted(request, old=_noted(found(name, version)))
        made = await line.book.draft(name, wish.recipe, who, wish.reason, version=version, expected=wish.expected)
        noted(request, new=_noted(made))
        return version_view(made)

    @routes.post("/recipes/{name}/versions/{version}/approve", response_model=VersionOut)
    async def approve(request: Request, name: str, version: str, wish: RecipeDecision) -> Any:
        """Approve a draft. 409 when the site wants four eyes and the asker wrote it."""
        return await _judged(request, name, version, wish, is_good=True)

    @routes.post("/recipes/{name}/versions/{version}/reject", response_model=VersionOut)
    async def reject(request: Request, name: str, version: str, wish: RecipeDecision) -> Any:
        """Reject a draft: one's own, or another's with the right to approve."""
        one = found(name, version)
        if one.row is None or one.row.author != caller_of(request).actor:
            permit(request, Right.APPROVE)
        return await _judged(request, name, version, wish, is_good=False)

    async def _judged(request: Request, name: str, version: str, wish: RecipeDecision, *, is_good: bool) -> Any:
        who = signed(request, wish.who)
        noted(request, old=_noted(found(name, version)))
        made = await line.book.judge(name, version, who, wish.reason, is_good=is_good)
        noted(request, new=_noted(made))
        return version_view(made)

    @routes.post("/recipes/{name}/versions/{version}/activate", response_model=VersionOut)
    async def activate(request: Request, name: str, version: str, wish: RecipeDecision) -> Any:
        """Put a version in force for the runs to come: an approved or retired one, or the shipped original."""
        who = signed(request, wish.who)
        found(name, version)
        before = line.book.force_of(name)
        noted(request, old=None if before is None else _noted(before))
        made = await line.book.activate(name, version, who, wish.reason)
        noted(request, new=_noted(made))
        return version_view(made)

    return routes


def _noted(one: Version) -> dict[str, Any]:
    """What the audit trail shows: the text itself lies with the version."""
    return {"recipe": one.recipe.name, "version": one.recipe.version, "state": one.state, "hash": one.recipe.hash[:12]}


def version_view(one: Version) -> dict[str, Any]:
    row, recipe = one.row, one.recipe
    words = ("based_on", "author", "note", "judged_by", "judgement", "activated_by", "activation")
    times = ("made_at", "judged_at", "activated_at", "retired_at")
    return {
        "name": recipe.name,
        "version": recipe.version,
        "state": one.state,
        "in_force": one.is_in_force,
        "title": recipe.title.model_dump(),
        "hash": recipe.hash,
        **{key: "" if row is None else getattr(row, key) for key in words},
        **{key: None if row is None else iso(getattr(row, key)) for key in times},
    }


def whole_view(line: Line, one: Version, other: Version | None) -> dict[str, Any]:
    text = one.recipe.model_dump(mode="json", exclude_unset=True)
    tags = line.image.tags
    rows = []
    for field in phase_fields(one.recipe, tags):
        tag = tags.get(field.tag or "")
        row = asdict(field)
        row["tag_title"] = None if tag is None else {"en": tag.title.en, "zh": tag.title.zh}
        rows.append(row)
    before = {} if other is None else other.recipe.model_dump(mode="json", exclude_unset=True)
    return {
        **version_view(one),
        "recipe": text,
        "fields": rows,
        "against": None if other is None else other.recipe.version,
        "changes": [
            {"where": change.where, "old": change.old, "new": change.new}
            for change in (changes(before, text) if other is not None else ())
        ],
    }
