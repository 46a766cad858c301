"""A flowsheet that a researcher writes down: streams as measured, balances, and what is wanted of them."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from linecontrol.config.fields import Line, Note, Number, Row, Slug

LARGEST = 1e15  # as in equations: beyond it products leave what a computer can hold
SMALLEST_U = 1e-15  # of what is not known exactly: a square of it is still far from nothing
LETTERS = 40
_NAME = rf"^[^\W\d]\w{{0,{LETTERS - 1}}}$"


def _written_alike(name: str) -> str:
    """In the one form that equations are read in (NFKC): full-width letters, ligatures and the micro sign have two."""
    return unicodedata.normalize("NFKC", name)


def _wanted_name(name: str) -> str:
    alike = _written_alike(name)
    if not (name.isidentifier() and alike.isidentifier()) or len(alike) > LETTERS:
        accepted = f"a letter of any script or _, then letters, digits and _, up to {LETTERS}"
        raise PydanticCustomError("name", f"{_shown(name)} is not accepted (accepted: {accepted})")
    return name


def _stream_name(name: str) -> str:
    alike = _written_alike(_wanted_name(name))
    if keyword.iskeyword(alike):
        accepted = f"any other name, as {alike}_ or {alike}_1"
        raise PydanticCustomError("name", f"{alike!r} cannot stand in an equation (accepted: {accepted})")
    return alike


def _shown(name: str) -> str:
    return repr("".join(c if c.isprintable() else "?" for c in name[:60]))


def _name_schema() -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": _NAME})


WantedName = Annotated[str, AfterValidator(_wanted_name), _name_schema()]
"""A letter of any script, then letters, digits and _."""
StreamName = Annotated[str, AfterValidator(_stream_name), _name_schema()]
"""The same as it stands in equations: in normal form, and no word that these keep to themselves, as ``in``."""


def _up_to(most: int) -> BeforeValidator:
    """Of a mapping, with how many rows it has: of one with too many, pydantic does not count them."""

    def check(rows: Any) -> Any:
        if isinstance(rows, dict) and len(rows) > most:
            raise PydanticCustomError("many", f"holds {len(rows)} entries (accepted: up to {most})")
        return rows

    return BeforeValidator(check)


def told_apart(rows: Any) -> Any:
    """Of a mapping by name: no two that are one in an equation, of which the first would be lost."""
    seen: dict[str, str] = {}
    for name in map(str, rows if isinstance(rows, dict) else ()):
        other = seen.setdefault(_written_alike(name), name)
        if other != name:
            said = f"{_shown(other)} and {_shown(name)} are one name in an equation"
            raise PydanticCustomError("name", f"{said} (accepted: names that differ otherwise)")
    return rows


MOST_ROWS = 500
Equation = Annotated[str, Field(min_length=1, max_length=2000)]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Uncertain = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1000)]


def _between(low: float, high: float, why: str = "") -> Callable[[float], float]:
    def check(number: float) -> float:
        if not low <= number <= high:
            accepted = f"{low:g} to {high:g}{why}"
            raise PydanticCustomError("range", f"{number:g} is not accepted (accepted: {accepted})")
        return number

    return check


_SHARE = "; a percentage as a share, 20.5 % as 0.205"
Size = Annotated[
    Number,
    AfterValidator(_between(-LARGEST, LARGEST)),
    WithJsonSchema({"type": "number", "minimum": -LARGEST, "maximum": LARGEST}),
]
Share = Annotated[
    Number,
    AfterValidator(_between(0.0, 1.0, _SHARE)),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1}),
]


class Measured(Row):
    """What was measured, with its standard uncertainty (k = 1): ``u`` in its unit, or ``u_pct`` in % of the value.

    Without ``value`` it was not measured; ``guess`` is then where the search begins.
    """

    value: Size | None = None
    u: Annotated[NotNegative, AfterValidator(_between(0.0, LARGEST))] | None = None
    u_pct: Uncertain | None = None
    guess: Size | None = None

    @model_validator(mode="after")
    def _one_uncertainty(self) -> Self:
        given = (self.u is not None) + (self.u_pct is not None)
        if self.value is not None and given != 1:
            accepted = "u in the unit of the value, or u_pct in % of it, k = 1"
            said = "a measured value needs u or u_pct, one of them"
            raise PydanticCustomError("measured", f"{said} (accepted: {accepted})")
        if self.value is None and given:
            raise PydanticCustomError("measured", "has an uncertainty but no value (accepted: both, or neither)")
        if self.value is not None and self.guess is not None:
            raise PydanticCustomError("measured", "is measured and needs no guess (accepted: value, or guess)")
        if (self.u or self.u_pct) and not SMALLEST_U <= (self.standard_uncertainty or 0.0) <= LARGEST:
            said = f"{self.u_pct:g} % of {self.value:g}" if self.u_pct else f"u {self.u:g}"
            accepted = f"u in the unit of the value, {SMALLEST_U:g} to {LARGEST:g}, or u: 0 for known exactly"
            raise PydanticCustomError("measured", f"{said} is not accepted (accepted: {accepted})")
        return self

    @property
    def standard_uncertainty(self) -> float | None:
        """In the unit of the value; None when it was not measured."""
        if self.value is None:
            return None
        return self.u if self.u is not None else abs(self.value) * (self.u_pct or 0.0) / 100.0


class Fraction(Measured):
    """A share of a stream, 0 to 1."""

    value: Share | None = None
    guess: Share | None = None


class Stream(Measured):
    """A stream, and what shares of it are starch, water and so on."""

    unit: Annotated[str, Field(max_length=20)] = ""
    fractions: Annotated[dict[StreamName, Fraction], BeforeValidator(told_apart)] = Field(default_factory=dict)


class InOut(Row):
    """What goes in is what comes out: of the whole, or ``of`` one fraction."""

    of: StreamName | None = None
    into: Annotated[tuple[StreamName, ...], Field(min_length=1, max_length=200, alias="in")]
    out: Annotated[tuple[StreamName, ...], Field(min_length=1, max_length=200)]

    @field_validator("into", "out")
    @classmethod
    def _each_stream_once(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        before = info.data.get("into", ())
        for name in names:
            if (before + names).count(name) > 1:
                said = f"{name} stands in this balance more than once"
                raise PydanticCustomError("in_out", f"{said} (accepted: each stream once, in or out)")
        return names

    @property
    def equation(self) -> str:
        """As one equation."""
        part = "" if self.of is None else self.of
        left, right = (" + ".join(f"{s} * {s}.{part}" if part else s for s in side) for side in (self.into, self.out))
        return f"{left} = {right}"


def _in_out(row: Any) -> Any:
    """A mapping is meant as ``in`` and ``out``: what is wrong in it is told, and not that it is no text."""
    if isinstance(row, dict):
        return InOut.model_validate(row)
    if not isinstance(row, (str, InOut)):
        accepted = "an equation as roots = powder + fibre, or in:, out: and of:"
        raise PydanticCustomError("balance", f"is no balance (accepted: {accepted})")
    return row


BalanceRow = Annotated[Equation | InOut, BeforeValidator(_in_out)]


Correlated = Annotated[Line, AfterValidator(_written_alike)]
"""A stream, or a fraction as ``stream.fraction``."""


class Correlation(Row):
    """``share`` of the errors of two measured values that is common, -1..1; e.g. 0.9 for two readings of one scale."""

    of: Annotated[tuple[Correlated, Correlated], Field(min_length=2, max_length=2)]
    share: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1, le=1)]


class FlowsheetFile(Row):
    """Streams, balances and what is wanted.

    Attributes:
        balances: by name, an equation of streams and fractions, as ``roots * roots.starch = milk * milk.starch``, or
            ``in``, ``out`` and ``of``.
        wanted: by name, an expression of them.
    """

    kind: Literal["flowsheet"]
    name: Slug
    streams: Annotated[
        dict[StreamName, Stream],
        Field(min_length=1, max_length=MOST_ROWS),
        BeforeValidator(told_apart),
        _up_to(MOST_ROWS),
    ]
    balances: Annotated[dict[Line, BalanceRow], Field(min_length=1, max_length=MOST_ROWS), _up_to(MOST_ROWS)]
    wanted: dict[WantedName, Equation] = Field(default_factory=dict)
    correlations: Annotated[tuple[Correlation, ...], Field(max_length=1000)] = ()
    notes: Note = ""
