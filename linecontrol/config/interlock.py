"""Interlocks and permissives as rows of a station file or a line file; docs/quality.md shows one of each kind."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from linecontrol.config.alarm import Delay, NeedsTag, Said
from linecontrol.config.fields import Bilingual, Flag, Line, Name, Number, Row, Slug

ActWord = Literal["start", "hold", "stop", "divert"]


class RefusesTag(Row):
    """Commands to ``tag`` with a value above ``above`` or below ``below`` [tag unit] are refused."""

    tag: Name
    above: Number | None = None
    below: Number | None = None


class InterlockRow(Row):
    """A condition that must be met, what is refused or done while it is not, and what clears it.

    ``value``: a tag, or arithmetic over tags (``linecontrol.core.expression``); it must lie between ``low`` and
    ``high``. ``measured``: what people call it; without it they read it as it is written. ``deadband``: how far
    inside it must be to be met again. ``delay_s``: for how long outside [line s]. ``blind_s``: for so long the
    value may be missing; without it, for ever. ``needs``: where else it has no meaning. ``refuses``: commands;
    ``then``: what is done to the run. ``bypass_s``: the longest bypass; 0 = it has none. ``latched``: a person
    resets it. ``except_recipes``: runs it is nothing to. ``oprp``: it is an operational prerequisite of the HACCP
    plan: a trip is a deviation. ``stage``: the machine, or the measuring point at its inlet, where powder that the
    deviation is about came past (section ``bags`` of the line file); without it all its station.
    """

    name: Name
    title: Bilingual
    purpose: Said
    value: Line
    measured: Bilingual | None = None
    unit: Annotated[str, Field(max_length=20)] | None = None
    low: Number | None = None
    high: Number | None = None
    deadband: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)] = 0.0
    delay_s: Delay = 0.0
    blind_s: Delay | None = 30.0
    needs: tuple[NeedsTag, ...] = ()
    refuses: tuple[RefusesTag, ...] = ()
    then: tuple[ActWord, ...] = ()
    clears: Said
    bypass_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=86_400)] = 0.0
    latched: Flag = False
    except_recipes: tuple[Slug, ...] = ()
    oprp: Flag = False
    stage: Slug | None = None
    source: Annotated[str, Field(max_length=400)] = ""

    @property
    def limits(self) -> tuple[float, float]:
        """Low and high [unit]; infinite where there is none."""
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
