"""Rules for alarm rows beyond the types of their fields. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from linecontrol.config.alarm import ControllerAlarms, EstimateAlarm, LoopAlarm, TagAlarm, Watched
from linecontrol.config.document import Document, Loc
from linecontrol.config.fields import near_names
from linecontrol.config.reading import Checked
from linecontrol.core.errors import Problem
from linecontrol.core.model import DataType, Tag

LEAST_WINDOW_S = 5.0
MOST_DEADBAND = 0.2  # of the tag's range: a wider one keeps an alarm standing that is long over
_LIMIT = {"high": True, "low": True, "rate": True, "deviation": True, "model": True, "stuck": None, "mismatch": None}
_WINDOW = {"rate": True, "stuck": True, "watchdog": True}
_NUMBERS = ("high", "low", "rate", "stuck", "deviation", "model")

Find = Callable[[str], Tag | None]
Unknown = Callable[[Loc, str], Iterator[Problem]]


def alarm_name(row: TagAlarm | LoopAlarm | EstimateAlarm) -> str:
    """Name of the alarm, as ``TT-305.HIGH``."""
    of = row.loop if isinstance(row, LoopAlarm) else row.tag
    return f"{of}.{(row.name or row.kind).upper()}"


def tag_alarm_problems(
    doc: Document, rows: Sequence[tuple[int, TagAlarm]], find: Find, unknown: Unknown
) -> Iterator[Problem]:
    """What is wrong with alarms on tags. ``find`` gives a sound tag, ``unknown`` the problem of none."""
    yield from _named_once(doc, rows)
    for at, row in rows:
        loc: Loc = ("alarms", at)
        yield from unknown((*loc, "tag"), row.tag)
        yield from _keys(doc, loc, row)
        tag = find(row.tag)
        if tag is not None:
            yield from _fits(doc, loc, row, tag)
        yield from _command(doc, loc, row, find, unknown)
        yield from needs_problems(doc, loc, row, find, unknown)


def needs_problems(doc: Document, loc: Loc, row: Watched, find: Find, unknown: Unknown) -> Iterator[Problem]:
    for n, need in enumerate(row.needs):
        here: Loc = (*loc, "needs", n)
        yield from unknown((*here, "tag"), need.tag)
        other = find(need.tag)
        if other is not None and not other.low <= need.min <= other.high:
            message = f"{need.min:g} lies outside the range of {need.tag}"
            yield doc.problem((*here, "min"), message, f"{other.low:g} to {other.high:g}")


def loop_alarm_problems(
    doc: Document, rows: Sequence[tuple[int, LoopAlarm]], loops: dict[str, Tag | None], models: set[str]
) -> Iterator[Problem]:
    """What is wrong with alarms on loops. ``loops``: their measured tag; ``models``: those with a model."""
    yield from _named_once(doc, rows)
    for at, row in rows:
        loc: Loc = ("alarms", at)
        yield from _keys(doc, loc, row)
        if row.loop not in loops:
            yield doc.problem((*loc, "loop"), f"there is no loop {row.loop}", near_names(row.loop, sorted(loops)))
            continue
        if row.kind == "model" and row.loop not in models:
            message = f"{row.loop} has no model to disagree with"
            yield doc.problem((*loc, "loop"), message, ", ".join(sorted(models)) or "a loop with moisture.model")
        tag = loops[row.loop]
        if tag is not None and row.limit is not None:
            yield from _apart(doc, loc, row, tag)


def estimate_alarm_problems(
    doc: Document, rows: Sequence[tuple[int, EstimateAlarm]], own: frozenset[str]
) -> Iterator[Problem]:
    """What is wrong with alarms on the line's own estimates. ``own``: those it has."""
    yield from _named_once(doc, rows, "estimate_alarms")
    for at, row in rows:
        loc: Loc = ("estimate_alarms", at)
        yield from _keys(doc, loc, row)
        if row.tag not in own:
            accepted = near_names(row.tag, sorted(own)) or "what guard.checks, wet_hold and spoilage estimate"
            yield doc.problem((*loc, "tag"), f"{row.tag} is no estimate of this line", accepted)
        if row.kind == "high" and row.limit is not None and row.limit > 0.0:  # it would have to fall below 0 to clear
            yield from _band(doc, loc, row.deadband, row.limit, "")


def controller_problems(checked: Checked[ControllerAlarms]) -> Iterator[Problem]:
    """What is wrong with the file of the controller's own alarms."""
    doc, file = checked.doc, checked.model
    if file is None:
        return
    for key in ("event", "name"):
        seen: set[str] = set()
        for at, row in enumerate(file.events):
            word = getattr(row, key)
            if word in seen:
                yield doc.problem(("events", at, key), f"{word} is given twice", f"each {key} once")
            seen.add(word)
    kinds: set[str] = set()
    for at, default in enumerate(file.defaults):
        if default.kind in kinds:
            yield doc.problem(("defaults", at, "kind"), f"{default.kind} is given twice", "each kind once")
        kinds.add(default.kind)
        if default.kind == "stuck" and default.window_s is None:
            yield doc.problem(("defaults", at, "window_s"), "is missing", "a key window_s:")


def _named_once(
    doc: Document,
    rows: Sequence[tuple[int, TagAlarm]] | Sequence[tuple[int, LoopAlarm]] | Sequence[tuple[int, EstimateAlarm]],
    section: str = "alarms",
) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for at, row in rows:
        name = alarm_name(row)
        if first.setdefault(name, at) != at:
            line = doc.line_of((section, first[name]))
            yield doc.problem(
                (section, at, "name"), f"the alarm {name} is given twice (line {line})", "a key name: of its own"
            )


def _keys(doc: Document, loc: Loc, row: TagAlarm | LoopAlarm | EstimateAlarm) -> Iterator[Problem]:
    """Keys a kind must have, and those it cannot."""
    for key, rule, value in (("limit", _LIMIT, row.limit), ("window_s", _WINDOW, row.window_s)):
        wanted = rule.get(row.kind, False)
        if wanted and value is None:
            yield doc.problem((*loc, key), f"is missing: a {row.kind} alarm needs it", f"a key {key}:")
        elif wanted is False and value is not None:
            yield doc.problem((*loc, key), f"says nothing of a {row.kind} alarm", "leave it out")
    if row.window_s is not None and row.window_s < LEAST_WINDOW_S:
        yield doc.problem((*loc, "window_s"), f"{row.window_s:g} s is too short", f"{LEAST_WINDOW_S:g} or more")
    if row.limit is None and row.deadband:
        yield doc.problem((*loc, "deadband"), "is there without a limit", "leave it out")
    if isinstance(row, TagAlarm):
        if row.kind == "mismatch" and row.command is None:
            yield doc.problem((*loc, "command"), "is missing: a mismatch alarm needs it", "a key command:")
        elif row.kind != "mismatch" and row.command is not None:
            yield doc.problem((*loc, "command"), f"says nothing of a {row.kind} alarm", "leave it out")
        if row.idle_below is not None and row.kind != "stuck":
            yield doc.problem((*loc, "idle_below"), f"says nothing of a {row.kind} alarm", "leave it out")


def _fits(doc: Document, loc: Loc, row: TagAlarm, tag: Tag) -> Iterator[Problem]:
    """Type, limit and deadband against the tag."""
    is_number = tag.type not in (DataType.BOOL, DataType.STRING)
    if row.kind == "on" and tag.type is not DataType.BOOL:
        yield doc.problem((*loc, "kind"), f"{tag.name} is a {tag.type}, and not on or off", "a bool tag")
    elif row.kind in _NUMBERS and not is_number:
        yield doc.problem((*loc, "kind"), f"{tag.name} is a {tag.type}, and has no {row.kind}", "on, quality, mismatch")
    elif row.limit is not None and row.kind in ("high", "low"):
        if not tag.low < row.limit < tag.high:
            message = f"{row.limit:g} lies outside the range of {tag.name}"
            yield doc.problem((*loc, "limit"), message, f"between {tag.low:g} and {tag.high:g} {tag.unit}".rstrip())
            return
        room = row.limit - tag.low if row.kind == "high" else tag.high - row.limit
        yield from _band(doc, loc, row.deadband, min(room, MOST_DEADBAND * (tag.high - tag.low)), tag.unit)
    elif row.limit is not None and is_number:
        yield from _apart(doc, loc, row, tag)


def _apart(doc: Document, loc: Loc, row: TagAlarm | LoopAlarm, tag: Tag) -> Iterator[Problem]:
    """A limit of a difference: above 0, and less than the whole range."""
    limit, span = row.limit or 0.0, tag.high - tag.low
    least = 0.0 if row.kind in ("stuck", "mismatch") else math.ulp(0.0)
    if not least <= limit < span and row.kind != "rate":
        accepted = f"{'0' if least == 0.0 else 'above 0'}, below {span:g} {tag.unit}".rstrip()
        yield doc.problem((*loc, "limit"), f"{limit:g} is not accepted", accepted)
    elif row.kind == "rate" and not limit > 0.0:
        yield doc.problem((*loc, "limit"), f"{limit:g} is not accepted", f"above 0 {tag.unit}/min")
    elif row.kind != "stuck":
        yield from _band(doc, loc, row.deadband, limit, tag.unit)


def _band(doc: Document, loc: Loc, deadband: float, most: float, unit: str) -> Iterator[Problem]:
    if deadband and not deadband < most:
        message = f"{deadband:g} is so wide that the alarm would not clear"
        yield doc.problem((*loc, "deadband"), message, f"0 to below {most:g} {unit}".rstrip())


def _command(doc: Document, loc: Loc, row: TagAlarm, find: Find, unknown: Unknown) -> Iterator[Problem]:
    if row.command is None:
        return
    yield from unknown((*loc, "command"), row.command)
    command, tag = find(row.command), find(row.tag)
    if command is not None and not command.writable:
        yield doc.problem((*loc, "command"), f"{row.command} is not writable", "a writable tag")
    elif command is not None and tag is not None and DataType.STRING in (command.type, tag.type):
        yield doc.problem((*loc, "command"), "a text is no command that could be followed", "numbers or switches")
