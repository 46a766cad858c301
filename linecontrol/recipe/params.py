"""Typed parameters of each phase kind, and what they touch. Units stand in the names; tags carry their own.

``uses`` and ``amounts`` let a recipe be checked against a line without running it.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from linecontrol.recipe.equipment import LoopMode

Path = tuple[str | int, ...]
TagName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9_.\-]{0,39}$")]
PointName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9\-]{0,39}$")]
Amount = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=30 * 86_400, allow_inf_nan=False)]
Switch = bool | Amount
Line = Annotated[str, StringConstraints(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Use(NamedTuple):
    """A tag, loop or synchronisation point a phase touches, and where in its parameters it is named."""

    path: Path
    what: Literal["tag", "loop", "point"]
    name: str
    write: bool = False


class Quantity(NamedTuple):
    """A number in the parameters: in the unit of ``tag`` and, if ``ranged``, within its range; or in ``unit``."""

    path: Path
    tag: str | None = None
    unit: str | None = None
    ranged: bool = True


class Words(BaseModel):
    """A text in both languages of the house."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
    en: Line
    zh: Line


class Params(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    def uses(self) -> list[Use]:
        return []

    def amounts(self) -> list[Quantity]:
        return []


class StationParams(Params):
    """Run tag and the tag that says it runs (the same where a PLC has only one)."""

    command: TagName
    running: TagName

    def uses(self) -> list[Use]:
        return [Use(("command",), "tag", self.command, write=True), Use(("running",), "tag", self.running)]


class SetParams(Params):
    values: Annotated[dict[TagName, Switch], Field(min_length=1, max_length=20)]

    def uses(self) -> list[Use]:
        return [Use(("values", tag), "tag", tag, write=True) for tag in self.values]

    def amounts(self) -> list[Quantity]:
        return [Quantity(("values", tag), tag) for tag in self.values]


class LoopSetting(Params):
    """A loop's mode and numbers. With a mode other than MAN, ``op`` is where the output starts from."""

    loop: TagName
    mode: LoopMode
    sp: Amount | None = None
    op: Amount | None = None

    @model_validator(mode="after")
    def _fits_the_mode(self) -> LoopSetting:
        if self.mode == "AUTO" and self.sp is None:
            raise ValueError("mode AUTO needs sp")
        if self.mode in ("CAS", "REMOTE", "MAN") and self.sp is not None:
            raise ValueError(f"mode {self.mode} takes no sp (accepted: sp with AUTO)")
        return self

    def uses(self) -> list[Use]:
        return [Use(("loop",), "loop", self.loop, write=True)]

    def amounts(self) -> list[Quantity]:
        return [Quantity(("sp",), f"{self.loop}.SP"), Quantity(("op",), f"{self.loop}.OP")]


class LoopParams(LoopSetting):
    """As LoopSetting; with ``ramp_per_min`` the set point walks to ``sp`` from where the tag ``ramp_from`` is.

    ``ramp_start_at_least`` keeps the first set point within the loop's range when the plant is colder than that.
    """

    ramp_per_min: Annotated[Amount, Field(gt=0)] | None = None
    ramp_from: TagName | None = None
    ramp_start_at_least: Amount | None = None

    @model_validator(mode="after")
    def _ramp_is_whole(self) -> LoopParams:
        if (self.ramp_per_min is None) != (self.ramp_from is None):
            raise ValueError("ramp_per_min and ramp_from come together")
        if self.ramp_per_min is not None and self.mode != "AUTO":
            raise ValueError("a ramp needs mode AUTO")
        return self

    def uses(self) -> list[Use]:
        start = [] if self.ramp_from is None else [Use(("ramp_from",), "tag", self.ramp_from)]
        return [*super().uses(), *start]

    def amounts(self) -> list[Quantity]:
        return [*super().amounts(), Quantity(("ramp_start_at_least",), f"{self.loop}.SP")]


class FeedParams(Params):
    """Feed until ``total`` has risen by ``amount`` since the phase first began.

    Attributes:
        set: tags commanded while feeding; 0 or off afterwards. loop: a loop that feeds instead; MAN at 0 afterwards.
        stall_s: the phase fails when the total has not risen for so long [line s].
    """

    total: TagName
    amount: Annotated[Amount, Field(gt=0)]
    set: dict[TagName, Switch] = Field(default_factory=dict, max_length=20)
    loop: LoopSetting | None = None
    stall_s: Annotated[Seconds, Field(gt=0)] = 300.0

    @model_validator(mode="after")
    def _feeds_by_something(self) -> FeedParams:
        if not self.set and self.loop is None:
            raise ValueError("needs something that feeds (accepted: set, loop)")
        return self

    def uses(self) -> list[Use]:
        found = [Use(("total",), "tag", self.total)]
        found += [Use(("set", tag), "tag", tag, write=True) for tag in self.set]
        if self.loop is not None:
            found += [use._replace(path=("loop", *use.path)) for use in self.loop.uses()]
        return found

    def amounts(self) -> list[Quantity]:
        found = [Quantity(("amount",), self.total), Quantity(("stall_s",), unit="s")]
        found += [Quantity(("set", tag), tag) for tag in self.set]
        if self.loop is not None:
            found += [amount._replace(path=("loop", *amount.path)) for amount in self.loop.amounts()]
        return found


class Within(Params):
    of: Amount
    by: Annotated[Amount, Field(gt=0)]


class WaitParams(Params):
    """Wait until a tag meets one condition for ``for_s``, or another unit procedure has arrived at ``or_arrived``."""

    tag: TagName
    at_least: Amount | None = None
    at_most: Amount | None = None
    within: Within | None = None
    for_s: Seconds = 0.0
    or_arrived: PointName | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> WaitParams:
        if sum(c is not None for c in (self.at_least, self.at_most, self.within)) != 1:
            raise ValueError("needs exactly one condition (accepted: at_least, at_most, within)")
        return self

    def uses(self) -> list[Use]:
        point = [] if self.or_arrived is None else [Use(("or_arrived",), "point", self.or_arrived)]
        return [Use(("tag",), "tag", self.tag), *point]

    def amounts(self) -> list[Quantity]:
        return [
            Quantity(("at_least",), self.tag),
            Quantity(("at_most",), self.tag),
            Quantity(("within", "of"), self.tag),
            Quantity(("within", "by"), self.tag, ranged=False),
            Quantity(("for_s",), unit="s"),
        ]


class DwellParams(Params):
    time_s: Seconds

    def amounts(self) -> list[Quantity]:
        return [Quantity(("time_s",), unit="s")]


class RunOutParams(Params):
    """Wait until ``level`` has been below ``below`` (and ``rate`` below ``rate_below``) for ``for_s``."""

    level: TagName
    below: Amount
    for_s: Seconds = 30.0
    rate: TagName | None = None
    rate_below: Amount | None = None

    @model_validator(mode="after")
    def _rate_is_whole(self) -> RunOutParams:
        if (self.rate is None) != (self.rate_below is None):
            raise ValueError("rate and rate_below come together")
        return self

    def uses(self) -> list[Use]:
        rate = [] if self.rate is None else [Use(("rate",), "tag", self.rate)]
        return [Use(("level",), "tag", self.level), *rate]

    def amounts(self) -> list[Quantity]:
        rate = [] if self.rate is None else [Quantity(("rate_below",), self.rate)]
        return [Quantity(("below",), self.level), Quantity(("for_s",), unit="s"), *rate]


class SyncParams(Params):
    point: PointName

    def uses(self) -> list[Use]:
        return [Use(("point",), "point", self.point)]


class PromptParams(Params):
    text: Words


class RampParams(Params):
    """Walk a tag from where it is to ``to`` at ``per_min`` [tag unit/min]."""

    tag: TagName
    to: Amount
    per_min: Annotated[Amount, Field(gt=0)]
    step_s: Annotated[Seconds, Field(ge=1, le=60)] = 5.0

    def uses(self) -> list[Use]:
        return [Use(("tag",), "tag", self.tag, write=True)]

    def amounts(self) -> list[Quantity]:
        return [Quantity(("to",), self.tag), Quantity(("step_s",), unit="s")]
