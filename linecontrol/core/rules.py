"""Rules of the gate: pure functions that say why a command may not pass. None = no objection.

The order matters only for which reason is told first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from linecontrol.core.model import Command, DataType, Sample, Tag, Text, Value

# Safe outputs and the guard pass where a person or a recipe may not.
PRIVILEGED = frozenset({"guard", "system"})


class Situation(NamedTuple):
    """What a rule may look at.

    Attributes:
        tag: the tag asked for. present: its latest sample.
        owner: which kind of asker holds the tag now, and why; None = nobody.
        station_objection: why the station cannot be written to; None = it can.
        interlock: what interlock is against this value, with what clears it; None = none.
    """

    tag: Tag
    present: Sample
    owner: tuple[str, str] | None
    station_objection: str | None
    interlock: Text | None = None


Rule = Callable[[Command, Situation], str | None]


def is_writable(command: Command, situation: Situation) -> str | None:
    return None if situation.tag.writable else f"{command.tag} is read-only"


def has_right_kind(command: Command, situation: Situation) -> str | None:
    """A bool for a bool, a finite number for a number, one of the choices where there are choices."""
    tag, value = situation.tag, command.value
    if tag.type is DataType.STRING:
        return None if isinstance(value, str) else f"{tag.name} takes a text, not {value!r}"
    if isinstance(value, str):
        return f"{tag.name} takes {_choices(tag) if tag.choices else 'a number'}, not {value!r}"
    if tag.type is DataType.BOOL:
        return None if value in (0, 1) else f"{tag.name} takes true or false, not {value!r}"
    if isinstance(value, bool) or not math.isfinite(value):
        return f"{tag.name} takes a finite number, not {value!r}"
    if tag.choices and value not in {choice for choice, _ in tag.choices}:
        return f"{tag.name} takes {_choices(tag)}, not {value:g}"
    return None


def _choices(tag: Tag) -> str:
    return "one of " + ", ".join(f"{number} = {word}" for number, word in tag.choices)


def is_in_range(command: Command, situation: Situation) -> str | None:
    tag, value = situation.tag, command.value
    if isinstance(value, str):
        return None
    if not tag.low <= value <= tag.high:
        unit = f" {tag.unit}" if tag.unit else ""
        return f"{value:g}{unit} is outside the range of {tag.name} (accepted: {tag.low:g} to {tag.high:g}{unit})"
    return None


def is_for_the_owner(command: Command, situation: Situation) -> str | None:
    owner = situation.owner
    if owner is None or command.source in PRIVILEGED or command.who == owner[0] or command.source == owner[0]:
        return None
    return f"{command.tag} is held by {owner[0]}: {owner[1]}"


def is_not_interlocked(command: Command, situation: Situation) -> str | None:
    """Safe outputs and the divert gate are never refused: what is towards safety has no permissive."""
    if situation.interlock is None or command.source in PRIVILEGED:
        return None
    return f"{command.tag} is interlocked: {situation.interlock.en}"


def is_reachable(_command: Command, situation: Situation) -> str | None:
    return situation.station_objection


def is_as_seen(command: Command, situation: Situation) -> str | None:
    """A command given from a stale screen is refused: the asker saw another value than the present one."""
    if command.expected is None or same_value(command.expected, situation.present.value, situation.tag.step):
        return None
    return f"{command.tag} is now {situation.present.value}, no longer {command.expected} as the asker saw it"


def same_value(asked: Value | None, found: Value | None, step: float) -> bool:
    """Equal but for the wire's rounding: within half a step. A whole step apart, good and rework would be the same."""
    if asked is None or found is None or isinstance(asked, str) or isinstance(found, str):
        return asked == found
    return abs(float(asked) - float(found)) <= step * 0.500001


RULES: tuple[Rule, ...] = (
    is_writable,
    has_right_kind,
    is_in_range,
    is_for_the_owner,
    is_not_interlocked,
    is_reachable,
    is_as_seen,
)
