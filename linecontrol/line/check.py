"""`linecontrol check` and `schema`: every kind of file a person writes, told of in one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from linecontrol.analysis.reconcile.file import flowsheet_problems
from linecontrol.config import Document, LineConfig, load_document, read_line, schema, shipped_dir
from linecontrol.config import check_paths as check_config_paths
from linecontrol.config.schema_files import MODELS
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.line.balance_inputs import equation_problems
from linecontrol.line.moisture_model import model_problems
from linecontrol.line.recipes import line_problems, recipe_problems
from linecontrol.recipe.schema import recipe_schema

KINDS = tuple(dict.fromkeys(("brand", "station", "line", "recipe", *MODELS)))
"""Every kind of file, those that people write most first."""

Fit = Callable[[Document, LineConfig], list[Problem]]


def check_paths(
    paths: Sequence[Path], line: str | None = None, fits: Mapping[str, Fit] | None = None
) -> tuple[list[Problem], int]:
    """Problems in these files and folders (none given: all that is shipped), and how many files were looked at.

    A recipe is also held against a line: ``line``, or else the lines among the paths, or else the shipped demo line.

    Args:
        fits: by kind, what is wrong with a study's file on a line. Without ``line`` only simulated ones are asked of.
    Raises:
        ConfigError: ``line`` is wrong.
    """
    lines = [] if line is None else [read_line(line)]
    for path in _line_files(paths) if line is None else ():
        try:
            lines.append(read_line(path))
        except ConfigError:
            continue  # check_config_paths tells what is wrong in it

    def recipe(doc: Document) -> list[Problem]:
        return recipe_problems(doc) or _misfits(doc, line_problems, lines)

    studied = [config for config in lines if line is not None or config.line.simulated]
    others = {kind: partial(_misfits, fit=fit, lines=studied) for kind, fit in (fits or {}).items()}
    problems = check_config_paths(list(paths), {"recipe": recipe, "flowsheet": flowsheet_problems, **others})
    problems += _unusable_parts(paths)
    return problems, len(_files(paths))


def _misfits(doc: Document, fit: Fit, lines: Sequence[LineConfig]) -> list[Problem]:
    return [problem for config in lines for problem in fit(doc, config)]


def schema_of(kind: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a file kind."""
    if kind != "recipe":
        return schema(kind)
    return recipe_schema()


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths or (shipped_dir(), shipped_dir("recipes")):
        inside = [file for file in path.rglob("*") if file.suffix in (".yaml", ".yml")] if path.is_dir() else [path]
        found += inside
    return found


def _unusable_parts(paths: Sequence[Path]) -> list[Problem]:
    """Models that line files among these name, and equations in them, that cannot be used."""
    problems: list[Problem] = []
    for file in _files(paths):
        try:
            if _kind_of(file) == "line":
                config = read_line(file)
                problems += [*model_problems(config), *equation_problems(config)]
        except ConfigError:
            continue  # check_config_paths tells what is wrong in it
    return problems


def _line_files(paths: Sequence[Path]) -> list[Path | str]:
    found: list[Path | str] = [file for file in _files(paths) if _kind_of(file) == "line"]
    return found or ["demo"]


def _kind_of(file: Path) -> str | None:
    """What the file says it is; None for one that cannot be read, of which ``check_config_paths`` tells."""
    try:
        return load_document(file).kind
    except ConfigError:
        return None
