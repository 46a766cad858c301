"""Recipes as data: the master recipe a person writes, and the control recipe a run is frozen with.

Header, formula and procedure are apart (ISA-88): a phase parameter is a literal or ``"=expression"`` of formula names.
Nothing here knows a plant; ``check`` compares a recipe with a line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from linecontrol.core.errors import ConfigError, Problem
from linecontrol.recipe.formula import Interval
from linecontrol.recipe.params import Amount, Path, Seconds, Words
from linecontrol.recipe.steps import Fault, Unit, compile_units

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9\-]{0,63}$")]
FormulaName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Expression = Annotated[str, StringConstraints(pattern=r"^=", max_length=200)]
UnitText = Annotated[str, StringConstraints(max_length=12, pattern=r"^[A-Za-z0-9°%/ ·]*$")]
FormulaValue = bool | float
MAX_PHASES = 400
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Parameter(BaseModel):
    """One formula parameter: what a person may choose for a run, in its unit and within its limits."""

    model_config = _STRICT
    title: Words
    type: Literal["number", "int", "bool"] = "number"
    unit: UnitText = ""
    value: bool | Amount
    low: Amount | None = None
    high: Amount | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Parameter:
        if self.type == "bool":
            if self.low is not None or self.high is not None or self.unit:
                raise ValueError("a bool has no unit, low or high")
        elif self.low is None or self.high is None or not self.low <= self.high:
            raise ValueError(f"needs low and high, low not above high (given: {self.low}, {self.high})")
        if (problem := self.objection(self.value)) is not None:
            raise ValueError(f"value {problem} (accepted: {self.accepted})")
        return self

    @property
    def accepted(self) -> str:
        if self.type == "bool":
            return "true or false"
        kind = "whole number, " if self.type == "int" else ""
        return f"{kind}{self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}"

    @property
    def range(self) -> Interval:
        return (0.0, 1.0) if self.type == "bool" else (float(self.low or 0.0), float(self.high or 0.0))

    def objection(self, value: object) -> str | None:
        """What is wrong with this value, or None."""
        shown = f"{str(value)[:40]}{' ' + self.unit if self.unit else ''}"
        if self.type == "bool":
            return None if isinstance(value, bool) else f"{shown} is not a switch"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{shown} is not a number"
        low, high = self.range
        if value < low:
            return f"{shown} is too small"
        if value > high:
            return f"{shown} is too large"
        if not low <= value <= high:
            return f"{shown} is not a number"
        return f"{shown} is not a whole number" if self.type == "int" and value != int(value) else None


class PhaseSpec(BaseModel):
    """One phase as written.

    Attributes:
        when: ``=name`` of a bool parameter; the phase is left out of a run where it is false.
        time_limit_s, expect_s: limit and usual length [line s]; the kind has defaults.
    """

    model_config = _STRICT
    name: Slug
    kind: str
    title: Words | None = None
    when: Expression | None = None
    time_limit_s: Annotated[Seconds, Field(gt=0)] | Expression | None = None
    expect_s: Seconds | Expression | None = None
    params: dict[str, Any] = Field(default_factory=dict, max_length=20)


class Operation(BaseModel):
    """Phases in order. ``restart`` runs first when a held run is restarted in this operation."""

    model_config = _STRICT
    name: Slug
    title: Words
    phases: Annotated[list[PhaseSpec], Field(min_length=1, max_length=100)]
    restart: Annotated[list[PhaseSpec], Field(max_length=20)] = Field(default_factory=list)


class UnitProcedure(BaseModel):
    model_config = _STRICT
    title: Words
    operations: Annotated[list[Operation], Field(min_length=1, max_length=30)]


class Recipe(BaseModel):
    """A master recipe. Unit procedures carry the names of their stations and run at the same time."""

    model_config = _STRICT
    kind: Literal["recipe"]
    name: Slug
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?$")]
    title: Words
    product: Words
    description: Words | None = None
    stations: Annotated[list[Slug], Field(min_length=1, max_length=16)]
    formula: Annotated[dict[FormulaName, Parameter], Field(max_length=64)]
    points: Annotated[dict[Slug, Words], Field(max_length=64)] = {}
    procedure: Annotated[dict[Slug, UnitProcedure], Field(min_length=1, max_length=16)]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Recipe:
        """The recipe in this mapping (as YAML or JSON gives it).

        Raises pydantic.ValidationError with the path of everything that is wrong.
        """
        recipe = cls.model_validate(mapping)
        faults = [*_own_faults(recipe), *compile_units(recipe, recipe.defaults)[1]]
        if faults:
            raise _validation_error(faults)
        return recipe

    @property
    def defaults(self) -> dict[str, FormulaValue]:
        return {name: parameter.value for name, parameter in self.formula.items()}

    @property
    def text(self) -> str:
        """The recipe as one line of JSON; equal for two files that say the same in other layout."""
        dumped = self.model_dump(mode="json", exclude_unset=True)
        return json.dumps(dumped, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    @property
    def hash(self) -> str:
        """sha256 of ``text``, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def control(self, chosen: Mapping[str, object] | None = None) -> ControlRecipe:
        """Freeze it with these formula values (text is read as a number or true/false); the others keep their default.

        Raises ConfigError that names each wrong parameter, its value and what is accepted.
        """
        values, problems = self.defaults, []
        for name, given in (chosen or {}).items():
            parameter = self.formula.get(name)
            if parameter is None:
                problems.append(_problem(name, "is not a parameter of this recipe", ", ".join(self.formula) or "none"))
                continue
            value = _read(given)
            if (objection := parameter.objection(value)) is not None:
                problems.append(_problem(name, objection, parameter.accepted))
            else:
                values[name] = value if isinstance(value, bool) else float(value) + 0.0  # no minus zero
        units, faults = compile_units(self, values) if not problems else ((), [])
        problems += [Problem(self.name, None, _dotted(f.path), f.message, f.accepted) for f in faults]
        if problems:
            raise ConfigError(problems)
        return ControlRecipe(self, values, units)


class ControlRecipe:
    """A recipe frozen for one run: its text, its hash, the chosen values, the compiled unit procedures.

    ``hash`` is of the master recipe's text, so runs of one recipe with other values have one hash; the values stand
    beside it in every record.
    """

    __slots__ = ("_recipe", "_text", "_units", "_values", "hash")

    def __init__(self, recipe: Recipe, values: Mapping[str, FormulaValue], units: Sequence[Unit]) -> None:
        self._recipe = recipe
        self._values = dict(values)
        self._units = tuple(units)
        self._text = recipe.text
        self.hash = recipe.hash

    @classmethod
    def from_text(cls, text: str, values: Mapping[str, object]) -> ControlRecipe:
        """The control recipe of a recorded run. Raises ValidationError or ConfigError."""
        return Recipe.from_mapping(json.loads(text)).control(values)

    @property
    def name(self) -> str:
        return self._recipe.name

    @property
    def version(self) -> str:
        return self._recipe.version

    @property
    def recipe(self) -> Recipe:
        return self._recipe

    @property
    def text(self) -> str:
        return self._text

    @property
    def values(self) -> dict[str, FormulaValue]:
        return dict(self._values)

    @property
    def units(self) -> tuple[Unit, ...]:
        return self._units

    @property
    def points(self) -> dict[str, frozenset[str]]:
        """Which unit procedures meet at each synchronisation point."""
        met: dict[str, set[str]] = {}
        for unit in self._units:
            for step in unit.steps:
                if step.kind == "sync":
                    met.setdefault(step.params.point, set()).add(unit.name)  # type: ignore[attr-defined]
        return {point: frozenset(units) for point, units in met.items()}


def _own_faults(recipe: Recipe) -> list[Fault]:
    faults: list[Fault] = []
    for unit in recipe.procedure:
        if unit not in recipe.stations:
            accepted = ", ".join(recipe.stations)
            faults.append(Fault(("procedure", unit), "is not among this recipe's stations", accepted))
    count = sum(len(o.phases) + len(o.restart) for unit in recipe.procedure.values() for o in unit.operations)
    if count > MAX_PHASES:
        faults.append(Fault(("procedure",), f"has {count} phases", f"up to {MAX_PHASES}"))
    return faults


def _read(given: object) -> bool | float:
    """A formula value from a person's text; what cannot be read becomes NaN or stays for ``objection`` to refuse."""
    if isinstance(given, bool | int | float):
        return given
    word = str(given).strip().lower()
    if word in ("true", "yes", "on"):
        return True
    if word in ("false", "no", "off"):
        return False
    try:
        return float(word)
    except ValueError:
        return given  # type: ignore[return-value]


def parse_sets(texts: Sequence[str]) -> dict[str, str]:
    """``["root_kg=300"]`` as a mapping. Raises ConfigError for anything but ``name=value`` or a name given twice."""
    chosen: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name or not value.strip():
            raise ConfigError([_problem(text[:60], "is not a choice", "name=value, e.g. root_kg=300")])
        if name in chosen:
            raise ConfigError([_problem(name, "is given twice", "once")])
        chosen[name] = value.strip()
    return chosen


def _problem(key: str, message: str, accepted: str) -> Problem:
    return Problem("--set", None, key, message, accepted)


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)


def _validation_error(faults: Sequence[Fault]) -> ValidationError:
    details = [
        InitErrorDetails(
            type=PydanticCustomError("recipe", "{text}", {"text": fault.text}), loc=fault.path, input=fault.given
        )
        for fault in faults
    ]
    return ValidationError.from_exception_data("Recipe", details)
