"""Does an output have an effect? A burner that is out, a valve that is stuck: the output stands at its limit and the
measurement does not come nearer. Pure.

Without this a PID opens a heater to its limit and waits there for ever, and whoever resets the burner gets all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

NEARER_SHARE = 0.1  # of ``beyond``: coming nearer by less than this may be noise


@dataclass(frozen=True, slots=True)
class EffectLimit:
    """When an output is without effect. Raises ValueError naming field and accepted range.

    Attributes:
        beyond: the measurement is farther than this from the set point [PV unit], > 0, finite.
        within_s: and has not come nearer for this long with the output at its limit [s], > 0, finite.
    """

    beyond: float
    within_s: float

    def __post_init__(self) -> None:
        for name, value in (("beyond", self.beyond), ("within_s", self.within_s)):
            if not 0.0 < value < math.inf:
                raise ValueError(f"no_effect.{name} {value!r} is not accepted (accepted: above 0, finite)")


class EffectState(NamedTuple):
    """Attributes: nearest: smallest distance seen while at the limit [PV unit]; waited_s: time since then [s]."""

    nearest: float = math.inf
    waited_s: float = 0.0


def watch_effect(
    limit: EffectLimit, state: EffectState, distance: float, dt_s: float, *, is_at_limit: bool
) -> tuple[EffectState, bool]:
    """One cycle.

    Args:
        distance: of the measurement from the set point [PV unit], >= 0; NaN = it is not known, and nothing is judged.
        is_at_limit: the output's own limit holds it, on the side on which it would bring the measurement nearer.

    Returns:
        new state, and whether the output is without effect.
    """
    if not is_at_limit or math.isnan(distance) or distance <= limit.beyond:
        return EffectState(), False
    if distance <= state.nearest - NEARER_SHARE * limit.beyond:
        return EffectState(distance), False
    waited = state._replace(waited_s=state.waited_s + dt_s)
    return waited, waited.waited_s >= limit.within_s
