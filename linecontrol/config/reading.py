"""From a document to a model, with every problem told in words a technician can act on."""

from __future__ import annotations

import copy
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from linecontrol.config.document import Document, Loc
from linecontrol.config.fields import PATTERNS, near_names
from linecontrol.core.errors import Problem

M = TypeVar("M", bound=BaseModel)
MAX_PROBLEMS = 200
_ROWS = (
    "tags",
    "loops",
    "alarms",
    "events",
)  # lists whose wrong rows are left out, so that the other rows are still checked


@dataclass(frozen=True)
class Checked(Generic[M]):
    """A document and the model read from it.

    Attributes:
        model: None when the file is too wrong to check it further.
        problems: found while reading.
        rows: for each list in which wrong rows were left out, where the remaining ones stand in the file.
    """

    doc: Document
    model: M | None
    problems: tuple[Problem, ...] = ()
    rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def row(self, key: str, index: int) -> int:
        """Place in the file of the model's row ``index`` of the list ``key``."""
        return self.rows[key][index] if key in self.rows else index

    def declared(self, key: str) -> frozenset[str]:
        """Names of all rows of a list as the file has them, wrong ones too: a reference to one is not lost."""
        rows = self.doc.data.get(key)
        names = (row.get("name") for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
        return frozenset(name for name in names if isinstance(name, str))


def read_model(doc: Document, model: type[M]) -> Checked[M]:
    """Read a document as ``model``. Problems are in the answer, nothing is raised."""
    try:
        return Checked(doc, model.model_validate(doc.data))
    except ValidationError as error:
        errors = error.errors(include_url=False)
    pruned, rows = _without(doc, errors)
    try:
        rest = model.model_validate(pruned) if pruned is not None else None
    except ValidationError:
        rest = None
    return Checked(doc, rest, tuple(_problems(doc, model, errors)), rows)


def _without(doc: Document, errors: list[ErrorDetails]) -> tuple[dict[str, Any] | None, dict[str, tuple[int, ...]]]:
    """The data without unknown keys and without wrong rows; None when something else is wrong too."""
    data = copy.deepcopy(doc.data)
    dropped: dict[str, set[int]] = {}
    for error in errors:
        loc = error["loc"]
        if error["type"] == "extra_forbidden":
            _drop_key(data, loc)
        elif len(loc) > 1 and loc[0] in _ROWS and isinstance(loc[1], int):
            dropped.setdefault(str(loc[0]), set()).add(loc[1])
        else:
            return None, {}
    rows: dict[str, tuple[int, ...]] = {}
    for key, wrong in dropped.items():
        rows[key] = tuple(i for i in range(len(data[key])) if i not in wrong)
        data[key] = [data[key][i] for i in rows[key]]
    return data, rows


def _drop_key(data: Any, loc: Loc) -> None:
    for part in loc[:-1]:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            continue
    if isinstance(data, dict):
        data.pop(loc[-1], None)


def told(doc: Document, model: type[BaseModel], errors: Sequence[ErrorDetails]) -> list[Problem]:
    """Pydantic's errors for this document in words a technician can act on, each place once."""
    return list(_problems(doc, model, errors))


def _problems(doc: Document, model: type[BaseModel], errors: Sequence[ErrorDetails]) -> Iterator[Problem]:
    seen: set[tuple[int, str]] = set()
    for at, error in enumerate(_without_choices(doc, errors)):
        if at >= MAX_PROBLEMS:
            yield doc.problem((), f"{len(errors) - at} more problems are not shown")
            return
        message, accepted = _words(doc, model, error, error["loc"])
        problem = doc.problem(error["loc"], message, accepted)
        if (problem.line or 0, problem.key) not in seen:
            seen.add((problem.line or 0, problem.key))
            yield problem


_CHOICE = re.compile(r"bool|int|float|str|constrained-\w+|function-.*|.*\[.*\]")


def _without_choices(doc: Document, errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Errors at places of the file.

    Where a value may be of several kinds, pydantic adds the kind to the place and tells an error for each. That it is
    neither true nor false comes last here: nearly always a number was meant.
    """
    placed: list[ErrorDetails] = []
    for error in errors:
        loc = tuple(part for part in error["loc"] if part != "[key]")
        while len(loc) > doc.steps(loc) and _CHOICE.fullmatch(str(loc[-1])):
            loc = loc[:-1]
        placed.append({**error, "loc": loc})
    return sorted(placed, key=lambda error: "boolean" in error["msg"])


_TYPES = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number, not nan or inf",
    "bool_type": "true or false",
    "scalar": "a number, true or false, or a text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than": "above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "below {lt}",
    "less_than_equal": "{le} or less",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
}


def _words(doc: Document, model: type[BaseModel], error: ErrorDetails, loc: Loc) -> tuple[str, str]:
    kind, ctx = error["type"], error.get("ctx", {})
    shown = _shown(doc, loc, error["input"])
    if kind == "missing":
        return "is missing", _described(model, loc)
    if kind == "extra_forbidden":
        return "unknown key", near_names(str(loc[-1]), _keys(model, loc[:-1]))
    if kind in ("literal_error", "enum"):
        return f"{shown} is not accepted", str(ctx.get("expected", "")).replace("'", "")
    if kind in _TYPES:
        if loc and loc[-1] == "address" and not isinstance(error["input"], (dict, list)):
            text = doc.text_of(loc) or ""
            return f"{shown} is read as a number, not as an address", f'the address in quotes: "{text}"'
        return f"{shown} is not {_TYPES[kind]}", _TYPES[kind]
    if kind in _BOUNDS:
        bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in ctx.items()}
        return f"{shown} is not accepted", _BOUNDS[kind].format(**bounds)
    if kind == "string_pattern_mismatch":
        pattern = str(ctx.get("pattern", ""))
        return f"{shown} is not accepted", PATTERNS.get(pattern, pattern)
    if kind in ("too_long", "too_short"):
        most, least = ctx.get("max_length"), ctx.get("min_length")
        accepted = f"up to {most}" if most is not None else f"at least {least}"
        return f"holds {ctx.get('actual_length')} entries", accepted
    return in_two(error["msg"].removeprefix("Value error, "), shown)


def in_two(message: str, shown: str) -> tuple[str, str]:
    """What is wrong, and what is accepted where the message says so."""
    text, found, accepted = message.rpartition(" (accepted: ")
    if found:
        return text, accepted.removesuffix(")")
    if message.startswith("Input should be "):
        return f"{shown} is not accepted", message.removeprefix("Input should be ")
    return message, ""


def _shown(doc: Document, loc: Loc, value: Any) -> str:
    text = doc.text_of(loc)
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = text if text is not None else str(value)
    text = "".join(c if c.isprintable() else "?" for c in text[:60])
    return repr(text) if isinstance(value, str) else text


def _described(model: type[BaseModel], loc: Loc) -> str:
    keys = _keys(model, loc[:-1])
    return f"a key {loc[-1]}:" if loc and loc[-1] in keys else ""


def _keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """Keys accepted at a place of the file."""
    row: type[BaseModel] | None = model
    for part in loc:
        found = _field(row, part) if row is not None else None
        if found is not None:
            row = found
    return [] if row is None else [f.alias or name for name, f in row.model_fields.items()]


def _field(row: type[BaseModel], part: str | int) -> type[BaseModel] | None:
    for name, info in row.model_fields.items():
        if part == (info.alias or name):
            return _row_in(info.annotation)
    return None


def _row_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as ``tuple[Area, ...]`` or ``dict[str, StationAt] | None``."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    for inner in typing.get_args(annotation):
        found = _row_in(inner)
        if found is not None:
            return found
    return None
