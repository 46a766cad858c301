"""The ``bags`` section of a line file: which tags tell of the bags, and how each machine mixes what goes through it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from linecontrol.config.fields import Flag, Name, Row, Slug, Whole

Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Share = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, lt=1)]
Source = Annotated[str, Field(min_length=1, max_length=1000)]

BAG = "bag"
"""The place of the bag itself, beside the machines."""


class MixingMachine(Row):
    """One machine: plug flow, then ``tanks`` equal stirred tanks. In the order of the product's way.

    ``flow``: tag of what comes in [unit/h]. Of the tanks one of three says what they hold: ``mean_s``, the mean
    residence time while something flows; ``holdup`` [the flow's unit]; or the tag ``level`` times ``per_unit``.
    ``plug_s``: plug flow that runs while something flows. ``is_queue``: first in, first out, as a hopper of roots.
    ``points``: measuring points at its inlet, which a critical limit may name as its ``stage``. ``tip_kg``: of a hopper
    that lots are tipped into; a rise of its ``level`` [kg] by so much, beyond what ``flow`` explains, is told.
    """

    name: Slug
    station: Slug
    flow: Name
    tanks: Annotated[Whole, Field(ge=0, le=20)] = 1
    mean_s: NotNegative = 0.0
    holdup: NotNegative = 0.0
    level: Name | None = None
    per_unit: Positive = 1.0
    plug_s: NotNegative = 0.0
    is_queue: Flag = False
    tip_kg: Positive | None = None
    points: tuple[Slug, ...] = ()
    source: Source


class Bags(Row):
    """Bags and the way to them.

    ``count``: bags closed so far; without it a bag is taken as full at ``nominal_kg``. ``weight``: the open bag on its
    scale [kg]. ``change``: asks the bagging machine for a new bag, at the end of a run. ``moisture`` [% wb] and
    ``temperature`` [°C] of the powder at bagging; its water activity follows from ``guard.spoilage``.
    ``least_lot_share``, ``least_suspect_share``: of a bag; what is less is not counted. ``margin_s``: a suspect
    interval reaches so much farther at either end, because times of passage are not known better [line s].
    ``memory_h``: so far back powder is followed [line h].
    """

    count: Name | None = None
    weight: Name | None = None
    change: Name | None = None
    moisture: Name
    temperature: Name
    nominal_kg: Positive = 25.0
    least_lot_share: Share = 0.005
    least_suspect_share: Share = 0.001
    margin_s: NotNegative = 15.0
    step_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=1, le=60)] = 10.0
    memory_h: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=1, le=48)] = 8.0
    machines: Annotated[tuple[MixingMachine, ...], Field(min_length=1, max_length=40)]
