"""`linecontrol check` and `schema`: every kind of file a person writes, told of in one way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linecontrol.config import Document, read_line, schema, shipped_dir
from linecontrol.config import check_paths as check_config_paths
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.line.moisture_model import model_problems
from linecontrol.line.recipes import line_problems, recipe_problems
from linecontrol.recipe.model import Recipe

KINDS = ("brand", "station", "line", "recipe", "design", "schedule")


def check_paths(paths: Sequence[Path]) -> tuple[list[Problem], int]:
    """Problems in these files and folders (none given: all that is shipped), and how many files were looked at.

    A recipe is also held against the shipped demo line, unless lines are among the paths: then against those.
    """
    seen = set()

    def recipe(doc: Document) -> list[Problem]:
        seen.add(doc.path)
        own = recipe_problems(doc)
        return own or [problem for config in lines for problem in line_problems(doc, config)]

    lines = []
    for path in _line_files(paths):
        try:
            lines.append(read_line(path))
        except ConfigError:
            continue  # check_config_paths tells what is wrong in it
    problems = check_config_paths(list(paths), {"recipe": recipe})
    problems += [problem for config in lines for problem in model_problems(config)]
    return problems, len(_files(paths))


def schema_of(kind: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a file kind."""
    if kind != "recipe":
        return schema(kind)
    made = Recipe.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths or (shipped_dir(), shipped_dir("recipes")):
        inside = [file for file in path.rglob("*") if file.suffix in (".yaml", ".yml")] if path.is_dir() else [path]
        found += inside
    return found


def _line_files(paths: Sequence[Path]) -> list[Path | str]:
    found: list[Path | str] = [file for file in _files(paths) if file.parent.name == "lines"]
    return found or ["demo"]
