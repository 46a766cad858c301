"""One interlock: the row, what it refuses, and a bypass of it. Plain records."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from linecontrol.core.expression import Expression
from linecontrol.core.model import Text, Value


class Act(StrEnum):
    """What an interlock does to the run while its condition is not met, besides refusing commands."""

    START = "start"  # no run is started
    HOLD = "hold"  # the run is held, and not restarted
    STOP = "stop"  # the run is stopped, and not restarted
    DIVERT = "divert"  # powder goes to rework


@dataclass(frozen=True, slots=True)
class Needs:
    """The condition means something only while ``tag`` is at ``least`` or more [tag unit]."""

    tag: str
    least: float


@dataclass(frozen=True, slots=True)
class Refuses:
    """Commands to ``tag`` with a value above ``above`` or below ``below`` [tag unit]."""

    tag: str
    above: float = math.inf
    below: float = -math.inf

    def is_meant(self, value: Value) -> bool:
        """Whether a command with this value is refused."""
        return not isinstance(value, str) and (float(value) > self.above or float(value) < self.below)


@dataclass(frozen=True, slots=True)
class Interlock:
    """One row of a station or line file.

    Attributes:
        name: unique on the line, e.g. ``IL-301``. station: whose file holds it; "line" for the line's own.
        title: the condition that must be met, as a short sentence. purpose: what it protects.
        value: what is measured. measured: what people call it.
        low, high: it must lie between them [unit]; one may be infinite.
        deadband: how far inside it must be to be met again [unit].
        delay_s: for how long it must be outside to count [line s].
        blind_s: for how long the value may be missing before that counts as not met [line s]; inf = for ever.
        needs: outside of these the condition has no meaning, and is met.
        clears: what a person does so that it is met again.
        bypass_s: longest bypass a supervisor may set [line s]; 0 = it cannot be bypassed.
        latched: once not met, a person resets it.
        stage: where powder that a deviation of it is about came past; empty = all of the station.
        except_recipes: runs of these recipes are started, held and diverted as if it were met.
    """

    name: str
    station: str
    title: Text
    purpose: Text
    value: Expression
    unit: str
    clears: Text
    measured: Text
    low: float = -math.inf
    high: float = math.inf
    deadband: float = 0.0
    delay_s: float = 0.0
    blind_s: float = 30.0
    needs: tuple[Needs, ...] = ()
    refuses: tuple[Refuses, ...] = ()
    acts: frozenset[Act] = frozenset()
    bypass_s: float = 0.0
    latched: bool = False
    except_recipes: frozenset[str] = frozenset()
    source: str = ""
    stage: str = ""

    @property
    def tags(self) -> frozenset[str]:
        """Every tag it looks at."""
        return frozenset({*self.value.tags, *(need.tag for need in self.needs)})


@dataclass(frozen=True, slots=True)
class Bypass:
    """A supervisor has set an interlock out of action for a time.

    Attributes:
        since, until: line time [s since 1970, UTC]; it ends at ``until`` by itself.
        ended, ended_by: when and by whom it was ended before; None and "" = not.
    """

    bypass_id: str
    interlock: str
    who: str
    reason: str
    since: float
    until: float
    ended: float | None = None
    ended_by: str = ""

    def is_on(self, now: float) -> bool:
        """Whether it holds at this line time."""
        return self.ended is None and self.since <= now < self.until
