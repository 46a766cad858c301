"""Files for studies on the twin: a design of experiments, and a schedule of faults."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from linecontrol.config.fields import Line, Note, Number, Row, Slug, Whole

MOST_POINTS = 65_536
FormulaName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
PlantName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,59}){1,2}$")]


class Factor(Row):
    """How one parameter is varied: over given ``values``, or between ``low`` and ``high``.

    Attributes:
        levels: of a grid between low and high, ends included.
    """

    values: Annotated[tuple[Number, ...], Field(min_length=1, max_length=1000)] | None = None
    low: Number | None = None
    high: Number | None = None
    levels: Annotated[Whole, Field(ge=2, le=1000)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        is_range = self.low is not None and self.high is not None
        if (self.values is not None) == is_range or (self.low is None) != (self.high is None):
            raise PydanticCustomError("factor", "needs either values, or low and high")
        if is_range and self.low >= self.high:  # type: ignore[operator]  # both are given
            raise PydanticCustomError("factor", "low must be below high")
        return self


class Design(Row):
    """Which parameters of recipe and plant are varied together, and how.

    Attributes:
        method: ``grid`` takes every combination; ``latin-hypercube`` and ``sobol`` spread ``points`` over the ranges.
        seed: of the spreading.
    """

    kind: Literal["design"]
    name: Slug
    method: Literal["grid", "latin-hypercube", "sobol"]
    points: Annotated[Whole, Field(ge=1, le=MOST_POINTS)] | None = None
    seed: Annotated[Whole, Field(ge=0)] = 0
    recipe: dict[FormulaName, Factor] = Field(default_factory=dict)
    plant: dict[PlantName, Factor] = Field(default_factory=dict)
    notes: Note = ""

    @field_validator("points")
    @classmethod
    def _points_fit(cls, points: int | None, info: ValidationInfo) -> int | None:
        method = info.data.get("method")
        if method == "grid" and points is not None:
            raise PydanticCustomError("design", "a grid has no points; its factors have values or levels")
        if method == "sobol" and points is not None and points & (points - 1):
            near = 1 << (points.bit_length() - 1)
            raise PydanticCustomError("design", f"sobol needs a power of two, as {near} or {2 * near} points")
        return points

    @field_validator("recipe", "plant")
    @classmethod
    def _levels_fit(cls, factors: dict[str, Factor], info: ValidationInfo) -> dict[str, Factor]:
        for name, factor in factors.items():
            if info.data.get("method") == "grid" and factor.values is None and factor.levels is None:
                raise PydanticCustomError("design", f"{name} needs values or levels in a grid, as levels: 3")
        return factors

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.recipe and not self.plant:
            raise PydanticCustomError("design", "varies nothing; name parameters under recipe or plant")
        if self.method == "grid":
            self._fits_grid()
        elif self.points is None:
            raise PydanticCustomError("design", f"{self.method} needs points")
        return self

    def _fits_grid(self) -> None:
        count = 1
        for factor in [*self.recipe.values(), *self.plant.values()]:
            count *= len(factor.values) if factor.values is not None else factor.levels or 1
        if count > MOST_POINTS:
            raise PydanticCustomError("design", f"this grid has {count} points (accepted: up to {MOST_POINTS})")


class Schedule(Row):
    """Faults in the order in which they are written.

    Attributes:
        faults: each as ``NAME:PLACE[:ARGUMENT][@START[+DURATION]]``, times in plant seconds.
    """

    kind: Literal["schedule"]
    name: Slug
    faults: Annotated[tuple[Line, ...], Field(min_length=1, max_length=1000)]
    notes: Note = ""
