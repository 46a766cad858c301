"""A flowsheet that a researcher writes down: streams as measured, balances, and what is wanted of them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from linecontrol.config.fields import Line, Note, Number, Row, Slug

StreamName = Annotated[str, Field(pattern=r"^[^\W\d]\w{0,39}$")]
"""A letter of any script, then letters, digits and _: it stands in equations."""
Equation = Annotated[str, Field(min_length=1, max_length=2000)]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Uncertain = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1000)]


class Measured(Row):
    """What was measured, with its standard uncertainty (k = 1): ``u`` in its unit, or ``u_pct`` in % of the value.

    Without ``value`` it was not measured; ``guess`` is then where the search begins.
    """

    value: Number | None = None
    u: NotNegative | None = None
    u_pct: Uncertain | None = None
    guess: Number | None = None

    @model_validator(mode="after")
    def _one_uncertainty(self) -> Self:
        given = (self.u is not None) + (self.u_pct is not None)
        if self.value is not None and given != 1:
            raise PydanticCustomError("measured", "a measured value needs u or u_pct, one of them")
        if self.value is None and given:
            raise PydanticCustomError("measured", "has an uncertainty but no value")
        if self.value is not None and self.guess is not None:
            raise PydanticCustomError("measured", "is measured and needs no guess")
        return self

    @property
    def standard_uncertainty(self) -> float | None:
        """In the unit of the value; None when it was not measured."""
        if self.value is None:
            return None
        return self.u if self.u is not None else abs(self.value) * (self.u_pct or 0.0) / 100.0


class Stream(Measured):
    """A stream, and what shares of it are starch, water and so on."""

    unit: Annotated[str, Field(max_length=20)] = ""
    fractions: dict[StreamName, Measured] = Field(default_factory=dict)


class InOut(Row):
    """What goes in is what comes out: of the whole, or ``of`` one fraction."""

    of: StreamName | None = None
    into: Annotated[tuple[StreamName, ...], Field(min_length=1, max_length=200, alias="in")]
    out: Annotated[tuple[StreamName, ...], Field(min_length=1, max_length=200)]

    @property
    def equation(self) -> str:
        """As one equation."""
        part = "" if self.of is None else self.of
        left, right = (" + ".join(f"{s} * {s}.{part}" if part else s for s in side) for side in (self.into, self.out))
        return f"{left} = {right}"


class Correlation(Row):
    """``share`` of the errors of two measured values that is common, -1..1; e.g. 0.9 for two readings of one scale."""

    of: Annotated[tuple[Line, Line], Field(min_length=2, max_length=2)]
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
    streams: Annotated[dict[StreamName, Stream], Field(min_length=1, max_length=500)]
    balances: Annotated[dict[Line, Equation | InOut], Field(min_length=1, max_length=500)]
    wanted: dict[StreamName, Equation] = Field(default_factory=dict)
    correlations: Annotated[tuple[Correlation, ...], Field(max_length=1000)] = ()
    notes: Note = ""
