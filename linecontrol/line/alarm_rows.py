"""From the files to the rows of the alarm system: alarms on tags, loops and estimates, defaults, and those of events.

Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from linecontrol.config import LineConfig
from linecontrol.config.alarm import DefaultAlarm, EstimateAlarm, LoopAlarm, NeedsTag, Rational, TagAlarm
from linecontrol.config.alarm_rules import alarm_name
from linecontrol.core.model import Tag, Text
from linecontrol.guard.alarms import AlarmRow, EventRow, Kind, Needs, Priority
from linecontrol.line.quality_tags import quality_tags

ROOM = "line"
IDLE_SHARE = 0.02  # a value this close to the low end of its range shows nothing that would have to move
FROM_MAN = 1.0  # a loop's MODE above MAN: it works on its set point


def alarm_rows(config: LineConfig) -> list[AlarmRow]:
    """Every alarm that is looked for in the samples of this line; a row of a file stands before a default."""
    tags = {tag.name: tag for tag in config.tags}
    rows = [
        _tag_row(row, tags[row.tag], name)
        for name, station in config.stations.items()
        for row in station.profile.alarms
    ]
    rows += [_loop_row(config, row, tags) for row in config.line.alarms]
    estimates = {tag.name: tag for tag in quality_tags(config)}
    rows += [_estimate_row(row, estimates[row.tag]) for row in config.line.estimate_alarms]
    known = {row.name for row in rows}
    return [*rows, *(row for row in _defaults(config, tags) if row.name not in known)]


def event_rows(config: LineConfig) -> list[EventRow]:
    """Alarms that come of events."""
    guard = config.line.guard
    interlocks = [row for station in config.stations.values() for row in station.profile.interlocks]
    titles = {row.name: Text(row.title.en, row.title.zh) for row in (*interlocks, *config.line.interlocks)}
    titles |= {name: Text(row.profile.title.en, row.profile.title.zh) for name, row in config.stations.items()}
    titles |= {} if guard is None else {row.name: Text(row.title.en, row.title.zh) for row in guard.checks}
    return [
        EventRow(
            event=row.event,
            name=row.name,
            ends=frozenset(row.ends),
            source=row.source or "",
            leads_station=row.leads_station,
            titles=titles,
            **_rational(row),
        )
        for row in config.controller_alarms.events
    ]


def station_of(config: LineConfig) -> Mapping[str, str]:
    """The station of each tag, loop and station, by name; what is not in it belongs to the line as a whole."""
    found = {tag.name: tag.station for tag in config.tags} | {name: name for name in config.stations}
    return found | {loop.name: found[loop.pv] for loop in config.line.loops if loop.pv in found}


def control_relevant(config: LineConfig) -> tuple[str, ...]:
    """Tags that a loop or the guard acts on: without them there is no control."""
    names = [loop.pv for loop in config.line.loops]
    guard = config.line.guard
    if guard is not None:
        names += [row.tag for row in guard.critical_limits]
        names += [guard.gate.position, guard.flow.tag, guard.good_total]
    return tuple(dict.fromkeys(names))


def _defaults(config: LineConfig, tags: Mapping[str, Tag]) -> Iterator[AlarmRow]:
    loops = {loop.pv: loop for loop in config.line.loops}
    for default in config.controller_alarms.defaults:
        names = control_relevant(config) if default.kind == "quality" else loops
        for name in names:
            tag = tags[name]
            needs = [Needs(loops[name].name + ".MODE", FROM_MAN)] if default.kind == "stuck" else []
            yield _default_row(default, tag, (*needs, *_flow_needed(config, name)))


def _flow_needed(config: LineConfig, name: str) -> tuple[Needs, ...]:
    """What must flow for a tag to be measured at all: a moisture meter without powder shows nothing."""
    guard = config.line.guard
    for loop in config.line.loops:
        if loop.pv == name and loop.needs is not None:
            return (Needs(loop.needs.tag, loop.needs.min),)
    if guard is not None and name in {row.tag for row in guard.critical_limits}:
        return (Needs(guard.flow.tag, guard.flow.min),)
    return ()


def _default_row(default: DefaultAlarm, tag: Tag, needs: tuple[Needs, ...]) -> AlarmRow:
    words = _rational(default)
    for key in ("text", "consequence", "action"):
        words[key] = _filled(words[key], tag)
    return AlarmRow(
        name=f"{tag.name}.{default.kind.upper()}",
        tag=tag.name,
        station=tag.station,
        kind=Kind(default.kind),
        unit=tag.unit,
        window_s=default.window_s or 60.0,
        on_delay_s=default.on_delay_s,
        off_delay_s=default.off_delay_s,
        group=tag.station if default.kind == "quality" else "",
        needs=needs,
        idle_below=tag.low + IDLE_SHARE * (tag.high - tag.low) if default.kind == "stuck" else -math.inf,
        **words,
    )


def _tag_row(row: TagAlarm, tag: Tag, station: str) -> AlarmRow:
    group = row.group or (station if row.kind == "quality" else "")
    return AlarmRow(
        tag=tag.name,
        station=station,
        unit=tag.unit,
        against=row.command or "",
        group=group,
        needs=_needs(row.needs),
        idle_below=-math.inf if row.idle_below is None else row.idle_below,
        **_watched(row),
    )


def _loop_row(config: LineConfig, row: LoopAlarm, tags: Mapping[str, Tag]) -> AlarmRow:
    loop = next(one for one in config.line.loops if one.name == row.loop)
    pv = tags[loop.pv]
    needs = _needs(row.needs)
    if row.kind == "deviation":
        needs = (Needs(f"{loop.name}.MODE", FROM_MAN), *needs)
    if loop.needs is not None:
        needs = (*needs, Needs(loop.needs.tag, loop.needs.min))
    return AlarmRow(
        tag=pv.name,
        station=pv.station,
        unit=loop.unit,
        against=f"{loop.name}.{'WSP' if row.kind == 'deviation' else 'EST'}",
        group=row.group or "",
        needs=needs,
        **_watched(row),
    )


def _estimate_row(row: EstimateAlarm, tag: Tag) -> AlarmRow:
    return AlarmRow(
        tag=tag.name, station=ROOM, unit=tag.unit, group=row.group or "", needs=_needs(row.needs), **_watched(row)
    )


def _needs(rows: tuple[NeedsTag, ...]) -> tuple[Needs, ...]:
    return tuple(Needs(row.tag, row.min) for row in rows)


def _watched(row: TagAlarm | LoopAlarm | EstimateAlarm) -> dict[str, Any]:
    return {
        "name": alarm_name(row),
        "kind": Kind(row.kind),
        "limit": _limit(row),
        "deadband": row.deadband,
        "window_s": row.window_s or 60.0,
        "on_delay_s": row.on_delay_s,
        "off_delay_s": row.off_delay_s,
        **_rational(row),
    }


def _limit(row: TagAlarm | LoopAlarm | EstimateAlarm) -> float:
    if row.limit is None:
        return 0.0 if row.kind == "mismatch" else math.nan
    return row.limit


def _rational(row: Rational) -> dict[str, Any]:
    return {
        "priority": Priority[row.priority.upper()],
        "text": row.text.text(),
        "consequence": row.consequence.text(),
        "action": row.action.text(),
        "respond_s": row.respond_s,
        "latched": row.latched,
        "suppressed_in": frozenset(row.suppressed_in),
        "follows": frozenset(row.follows),
    }


def _filled(text: Text, tag: Tag) -> Text:
    def fill(words: str, title: str) -> str:
        return words.replace("{tag}", tag.name).replace("{title}", title)

    return Text(fill(text.en, tag.title.en), fill(text.zh, tag.title.zh))
