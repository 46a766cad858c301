"""The recipes a line can run: found, read, checked against the line, and frozen for a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from linecontrol.config import Document, LineConfig, load_document, shipped_dir, told
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.core.model import Tag
from linecontrol.line.loops import loop_settings, loop_words, soft_tags
from linecontrol.recipe.check import check
from linecontrol.recipe.model import ControlRecipe, Recipe


@dataclass(frozen=True, slots=True)
class RecipeEntry:
    """A recipe file and the master recipe in it."""

    path: Path
    recipe: Recipe

    @property
    def name(self) -> str:
        return self.recipe.name

    def summary(self) -> dict[str, Any]:
        """What a person chooses by."""
        recipe = self.recipe
        return {
            "name": recipe.name,
            "version": recipe.version,
            "hash": recipe.hash,
            "title": recipe.title.model_dump(),
            "product": recipe.product.model_dump(),
            "stations": list(recipe.stations),
            "formula": {name: row.model_dump(mode="json") for name, row in recipe.formula.items()},
        }

    def whole(self) -> dict[str, Any]:
        return self.recipe.model_dump(mode="json", exclude_unset=True)


def recipe_problems(doc: Document) -> list[Problem]:
    """What is wrong in a recipe file by itself."""
    try:
        Recipe.from_mapping(doc.data)
    except ValidationError as error:
        return told(doc, Recipe, error.errors(include_url=False))
    return []


def line_problems(doc: Document, config: LineConfig) -> list[Problem]:
    """What in a recipe file cannot work on this line."""
    try:
        recipe = Recipe.from_mapping(doc.data)
    except ValidationError:
        return []
    return [doc.problem(loc, message, accepted) for loc, message, accepted in findings(recipe, config)]


def findings(recipe: Recipe, config: LineConfig) -> list[tuple[tuple[int | str, ...], str, str]]:
    settings = loop_settings(config)
    tags: dict[str, Tag] = {tag.name: tag for tag in config.tags}
    tags |= {tag.name: tag for tag in soft_tags(settings, *loop_words(config))}
    reserved = {config.line.guard.gate.tag: "the divert guard"} if config.line.guard else {}
    for name, station in config.stations.items():
        roles = (station.profile.heartbeat, station.profile.owner)
        reserved |= {tag: f"the station {name}" for tag in roles if tag is not None}
    return check(recipe, tags, {row.name for row in settings}, set(config.stations), reserved)


def shipped_recipes() -> list[RecipeEntry]:
    """Every shipped recipe, by name. Raises ConfigError when one is wrong."""
    return list(_recipes_in(shipped_dir("recipes")))


@cache
def _recipes_in(folder: Path) -> tuple[RecipeEntry, ...]:
    """Read once: a line started again in the same process, as in a campaign, needs no new look at shipped files."""
    return tuple(read_recipe(path) for path in sorted(folder.glob("*.yaml")))


def read_recipe(path: Path) -> RecipeEntry:
    """Raises ConfigError with every problem in the file."""
    doc = load_document(path)
    if problems := recipe_problems(doc):
        raise ConfigError(problems)
    return RecipeEntry(path, Recipe.from_mapping(doc.data))


def find_recipe(name: str) -> RecipeEntry:
    """A recipe by file path or by the name of a shipped one. Raises ConfigError saying which there are."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return read_recipe(Path(name))
    entries = shipped_recipes()
    for entry in entries:
        if entry.name == name:
            return entry
    accepted = ", ".join(entry.name for entry in entries)
    raise ConfigError([Problem("", None, "recipe", f"there is no recipe {name!r}", accepted)])


def prepare(config: LineConfig, name: str, values: Mapping[str, float | bool]) -> ControlRecipe:
    """A recipe frozen for a run on this line. Raises ConfigError naming what is wrong, and where."""
    entry = find_recipe(name)
    wrong = findings(entry.recipe, config)
    if wrong:
        where = ((".".join(str(part) for part in loc), message, accepted) for loc, message, accepted in wrong)
        raise ConfigError([Problem(str(entry.path), None, *row) for row in where])
    return entry.recipe.control(values)
