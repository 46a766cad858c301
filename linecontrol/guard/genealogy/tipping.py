"""Roots that came into the hopper, as its scale and the scale behind it see them, whoever named a lot or not. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

_SMOOTH_S = 5.0
_FORGET_S = 300.0  # the two scales differ by some kilograms an hour: what crept in over so long is theirs
_TAKEN_S = 30.0  # roots that were taken out are gone sooner
_GAP_S = 30.0


@dataclass(frozen=True, slots=True)
class TipLimit:
    """What counts as roots tipped in.

    Attributes:
        least_kg: less is noise of the scale, > 0. settle_s: so long without more, and it was one tip, > 0 [line s].
    """

    least_kg: float
    settle_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Tip:
    """Roots, or the water and mud on them, that came into the hopper.

    Attributes:
        since, until: from when to when its scale rose [s]. kg: by how much more than what was fed explains.
    """

    since: float
    until: float
    kg: float


class TipState(NamedTuple):
    """What is remembered from look to look; begin with ``TipState()``.

    Attributes:
        fed_kg: has left the hopper so far. came_kg: level and what has left, smoothed a little. base_kg: of it, what
            was there before. since: start of a rise that has not settled, NaN = none; risen_kg: the most of it so far,
            and ``risen_at`` when it was last more.
    """

    at: float = math.nan
    fed_kg: float = 0.0
    came_kg: float = math.nan
    base_kg: float = math.nan
    since: float = math.nan
    risen_kg: float = 0.0
    risen_at: float = math.nan


def watch_hopper(
    limit: TipLimit, state: TipState, now: float, level_kg: float, feed_kg_h: float
) -> tuple[TipState, Tip | None]:
    """One look at both scales; the tip that has just settled, if one has.

    What the scale of the hopper shows and what has left it add up to what came in. That sum stands still while
    nothing is tipped; a rise by more than ``least_kg`` that lasts is a tip. Roots that somebody takes out lower it,
    and it goes on from there. While a scale is not readable, or after a gap of more than half a minute, it starts anew.

    Args:
        now: [s], rising. level_kg: in the hopper. feed_kg_h: leaves it; NaN = not known, for either.
    """
    step_s = now - state.at
    if not (math.isfinite(level_kg) and math.isfinite(feed_kg_h)):
        return TipState(), None
    if not 0.0 <= step_s <= _GAP_S:
        return TipState(at=now, came_kg=level_kg, base_kg=level_kg), None
    fed_kg = state.fed_kg + feed_kg_h * step_s / 3600.0
    came_kg = state.came_kg + (level_kg + fed_kg - state.came_kg) * min(1.0, step_s / _SMOOTH_S)
    rise_kg = came_kg - state.base_kg
    if math.isnan(state.since):
        if rise_kg >= limit.least_kg:
            return TipState(now, fed_kg, came_kg, state.base_kg, now, rise_kg, now), None
        share = min(1.0, step_s / (_FORGET_S if rise_kg > 0.0 else _TAKEN_S))
        return TipState(now, fed_kg, came_kg, state.base_kg + rise_kg * share), None
    state = state._replace(at=now, fed_kg=fed_kg, came_kg=came_kg)
    if rise_kg > state.risen_kg + limit.least_kg / 4.0:
        return state._replace(risen_kg=rise_kg, risen_at=now), None
    if now - state.risen_at < limit.settle_s:
        return state, None
    settled = state._replace(base_kg=came_kg, since=math.nan, risen_kg=0.0, risen_at=math.nan)
    return settled, Tip(state.since, state.risen_at, rise_kg) if rise_kg >= limit.least_kg else None
