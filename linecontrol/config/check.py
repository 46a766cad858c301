"""``check_paths``: everything wrong with a set of files, told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from linecontrol.config.design import Design, Schedule
from linecontrol.config.document import Document, shown_path
from linecontrol.config.fields import near_names
from linecontrol.config.files import shipped_dir
from linecontrol.config.flowsheet import FlowsheetFile
from linecontrol.config.library import Library
from linecontrol.config.reading import read_model
from linecontrol.config.schema_files import MODELS
from linecontrol.core.errors import Problem

STUDIES: Mapping[str, type[BaseModel]] = {"design": Design, "schedule": Schedule, "flowsheet": FlowsheetFile}
Checker = Callable[[Document], list[Problem]]


def check_paths(paths: Sequence[Path | str] = (), extra_kinds: Mapping[str, Checker] | None = None) -> list[Problem]:
    """Check files, and folders with all YAML files below them; without paths, all shipped files.

    The key ``kind:`` of a file says what it is. A line is checked with the stations and brands it names.

    Args:
        extra_kinds: checks for kinds this room does not know, as ``recipe``, and further ones for files without a
            problem of their own, as ``schedule``; shipped recipes are only checked when it holds one for them.
    Returns:
        Every problem in the order found, each once; empty when all is well.
    """
    extra = dict(extra_kinds or {})
    library = Library()
    for file in files_in(paths, with_recipes="recipe" in extra):
        if file.is_dir():
            library.tell([Problem(shown_path(file), None, "", "holds no YAML file", "*.yaml")])
        else:
            _check_file(library, file, extra)
    return library.problems


def files_in(paths: Sequence[Path | str] = (), *, with_recipes: bool = False) -> list[Path]:
    """The files ``check_paths`` looks at, each once; a folder without any stands for itself."""
    wanted = [Path(path) for path in paths]
    if not wanted:
        wanted = [shipped_dir(), shipped_dir("recipes")] if with_recipes else [shipped_dir()]
    return list(dict.fromkeys(file for path in wanted for file in _files(path)))


def check_document(doc: Document, extra_kinds: Mapping[str, Checker] | None = None) -> list[Problem]:
    """Check one document that was read already, by its kind; files it names are read as well."""
    library = Library()
    library.adopt(doc)
    _check_file(library, doc.path, dict(extra_kinds or {}))
    return library.problems


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml")) or [path]


def _check_file(library: Library, path: Path, extra: Mapping[str, Checker]) -> None:
    doc = library.document(path)
    if doc is None:
        return
    kind = doc.kind
    if kind == "brand":
        library.brand(path)
    elif kind == "station":
        library.station(path)
    elif kind == "line":
        library.line(path)
    elif kind == "alarms":
        library.controller_alarms(path)
    elif kind is not None and kind in STUDIES:
        own = read_model(doc, STUDIES[kind]).problems
        library.tell(own or (extra[kind](doc) if kind in extra else []))
    elif kind is not None and kind in extra:
        library.tell(extra[kind](doc))
    else:
        known = sorted({*MODELS, *extra})
        found = f"{kind[:40]!r} is not a kind of file" if kind is not None else "is missing or not a text"
        accepted = near_names(kind, known) if kind is not None else ", ".join(known)
        library.tell_kind(doc, found, accepted)
