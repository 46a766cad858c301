"""The numbers of a recipe's phases as the fields of a form: where each stands, its unit, what is accepted. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from linecontrol.core.model import DataType, Tag, Text
from linecontrol.recipe.model import Recipe
from linecontrol.recipe.params import Path
from linecontrol.recipe.phases import KINDS
from linecontrol.recipe.steps import MAX_LIMIT_S, TITLES, Step, compile_units, phase_specs

_SPEC_TIMES = ("time_limit_s", "expect_s")


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter of one phase.

    Attributes:
        path: where it stands in the recipe. unit_procedure, operation, phase: titles of what it belongs to.
        parameter: its name within the phase, e.g. ``values.SC-103``. tag: what it is given to or compared with.
        value: a number, a switch, or a text ``=expression``. unit, low, high: what is accepted; None = no limit known.
    """

    path: Path
    unit_procedure: Text
    operation: Text
    phase: Text
    parameter: str
    tag: str | None
    value: Any
    unit: str
    low: float | None
    high: float | None
    is_switch: bool


def phase_fields(recipe: Recipe, tags: Mapping[str, Tag]) -> list[Field]:
    """Every number and switch of every phase, in the order in which they are run. ``tags``: those of the line."""
    return list(_fields(recipe, tags))


def _fields(recipe: Recipe, tags: Mapping[str, Tag]) -> Iterator[Field]:
    every = {name: True if p.type == "bool" else p.value for name, p in recipe.formula.items()}
    steps: dict[Path, Step] = {}
    for unit in compile_units(recipe, every)[0]:
        for found in (unit.steps, *unit.restarts.values()):
            steps |= {step.path: step for step in found}
    for name, operation, spec, path, _ in phase_specs(recipe):
        procedure = recipe.procedure[name]
        title = Text(spec.title.en, spec.title.zh) if spec.title else Text(*TITLES[spec.kind])
        place = (_text(procedure.title), _text(operation.title), title)
        step = steps.get(path)
        for quantity in () if step is None else step.params.amounts():
            raw = _at(spec.params, quantity.path)
            if raw is None:
                continue
            tag = tags.get(quantity.tag or "")
            is_ranged = tag is not None and quantity.ranged and tag.type is not DataType.BOOL
            yield Field(
                (*path, "params", *quantity.path),
                *place,
                ".".join(map(str, quantity.path)),
                quantity.tag,
                raw,
                (quantity.unit or "") if tag is None else tag.unit,
                _finite(tag.low) if is_ranged and tag is not None else 0.0 if quantity.unit == "s" else None,
                _finite(tag.high) if is_ranged and tag is not None else None,
                tag is not None and tag.type is DataType.BOOL,
            )
        if spec.kind in KINDS:
            for key in _SPEC_TIMES:
                if (value := getattr(spec, key)) is not None:
                    yield Field((*path, key), *place, key, None, value, "s", 0.0, MAX_LIMIT_S, False)


def _text(words: Any) -> Text:
    return Text(words.en, words.zh)


def _at(raw: Any, path: Path) -> Any:
    for part in path:
        raw = raw.get(part) if isinstance(raw, Mapping) else None
    return raw


def _finite(end: float) -> float | None:
    return end if math.isfinite(end) else None
