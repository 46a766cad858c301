"""The words of the alarm system, after ANSI/ISA-18.2-2016 (IEC 62682): kinds, priorities, and one alarm's row.

An alarm calls for a response by a person. What calls for none is an event and no alarm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from linecontrol.core.model import Text


class Kind(StrEnum):
    """What an alarm watches."""

    HIGH = "high"  # value at or above a limit
    LOW = "low"  # value at or below a limit
    RATE = "rate"  # value moves faster than a limit, up or down
    DEVIATION = "deviation"  # measurement away from its set point
    STUCK = "stuck"  # value does not move although it should
    QUALITY = "quality"  # value is not GOOD
    MISMATCH = "mismatch"  # command without effect: what is commanded and what is seen differ
    WATCHDOG = "watchdog"  # a counter that must move stands still
    MODEL = "model"  # a measurement and what a model foretells differ
    ON = "on"  # a switch is on that should be off
    EVENT = "event"  # a part of the program says so


class Priority(IntEnum):
    """How urgent a response is. Their share of all alarms should be about 80, 15 and 5 % (low, medium, high)."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Needs:
    """An alarm means something only while this tag is at ``least`` or more [tag unit]; else suppressed by design."""

    tag: str
    least: float


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm as it was rationalised.

    Attributes:
        name: unique on the line, e.g. ``TT-305.HIGH``.
        tag: what is watched; for an event its source.
        limit: set point [tag unit; per minute for a rate; band for stuck]; NaN where the kind has none.
        deadband: how far inside the limit the value must come back before the alarm clears [tag unit].
        window_s: over which a rate is taken, or for which a value must stand still [s].
        against: the tag it is compared with (set point, command, estimate).
        on_delay_s, off_delay_s: for which the condition must last before the alarm comes, or goes [s].
        latched: stays until a person resets it, also when its cause is gone.
        group: alarms of one group that come while one of them stands are told by that one (first-out).
        follows: events' kinds and alarms' kinds that explain this alarm: while such an alarm stands, it tells of this.
        suppressed_in: run states in which it is suppressed by design.
        idle_below: below this value it means nothing, e.g. a flow of nothing that does not move [tag unit].
        text, consequence, action: what is wrong, what comes of it, what to do; in both languages.
        respond_s: time a person has [s].
    """

    name: str
    tag: str
    station: str
    kind: Kind
    priority: Priority
    text: Text
    consequence: Text
    action: Text
    respond_s: float
    unit: str = ""
    limit: float = math.nan
    deadband: float = 0.0
    window_s: float = 60.0
    against: str = ""
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    latched: bool = False
    group: str = ""
    follows: frozenset[str] = frozenset()
    suppressed_in: frozenset[str] = frozenset()
    needs: tuple[Needs, ...] = ()
    idle_below: float = -math.inf


@dataclass(frozen=True, slots=True)
class EventRow:
    """How events of one kind become alarms: one alarm for each source.

    Attributes:
        event: kind of the event, e.g. ``link.down``; ``*`` = any that has no row of its own.
        ends: kinds of events that end it as well as its own with ``active`` False.
        name: the part of the alarm's name behind the source, e.g. ``LINK-DOWN``.
        source: name used instead of the event's source (the source of a run's events is the run); "" = the event's.
        titles: what sources are called, where the name alone tells nobody anything: of checks and interlocks.
    """

    event: str
    name: str
    priority: Priority
    text: Text
    consequence: Text
    action: Text
    respond_s: float
    ends: frozenset[str] = frozenset()
    source: str = ""
    latched: bool = False
    leads_station: bool = False
    follows: frozenset[str] = frozenset()
    suppressed_in: frozenset[str] = frozenset()
    titles: Mapping[str, Text] = field(default_factory=dict)

    def row(self, source: str, station: str) -> AlarmRow:
        """The alarm of one source."""
        title = self.titles.get(source)
        called = Text(source, source) if title is None else Text(f"{title.en} ({source})", f"{title.zh}（{source}）")
        return AlarmRow(
            name=f"{source}.{self.name}",
            tag=source,
            station=station,
            kind=Kind.EVENT,
            priority=self.priority,
            text=_filled(self.text, called),
            consequence=_filled(self.consequence, called),
            action=_filled(self.action, called),
            respond_s=self.respond_s,
            latched=self.latched,
            group=station if self.leads_station else "",
            follows=self.follows,
            suppressed_in=self.suppressed_in,
        )


def _filled(text: Text, source: Text) -> Text:
    return Text(text.en.replace("{source}", source.en), text.zh.replace("{source}", source.zh))
