"""Rows of alarms made in one line, and a system whose clock stands where the test puts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linecontrol.core.model import Sample, Status, Text, Value
from linecontrol.guard.alarms import AlarmRow, AlarmSystem, EventRow, Kind, Priority

TEXT = Text("text", "文本")


def row(name: str = "T-1.HIGH", kind: Kind = Kind.HIGH, **more: Any) -> AlarmRow:
    """An alarm on the tag before the dot, at 10."""
    given: dict[str, Any] = {"tag": name.partition(".")[0], "station": "dryer", "limit": 10.0, "respond_s": 60.0}
    given |= {"priority": Priority.MEDIUM, "text": TEXT, "consequence": TEXT, "action": TEXT} | more
    return AlarmRow(name=name, kind=kind, **given)


def event(kind: str, name: str, **more: Any) -> EventRow:
    given: dict[str, Any] = {"priority": Priority.HIGH, "text": TEXT, "consequence": TEXT, "action": TEXT}
    return EventRow(event=kind, name=name, **(given | {"respond_s": 60.0} | more))


def good(value: Value, now: float = 0.0) -> Sample:
    return Sample(value, Status.GOOD, now)


BAD = Sample(None, Status.BAD_SENSOR_FAILURE, 0.0)


class Bench:
    """A system, and what it recorded. ``tick(T_1=12)`` sets tags (``_`` for ``-``) and lets a second pass."""

    def __init__(self, *rows: AlarmRow | EventRow) -> None:
        alarms = [one for one in rows if isinstance(one, AlarmRow)]
        events = [one for one in rows if isinstance(one, EventRow)]
        self.system = AlarmSystem(alarms, events, lambda source: source.partition("/")[0])
        self.now = 0.0
        self.samples: dict[str, Sample] = dict.fromkeys(self.system.tags, good(0.0))
        self.changes: list[tuple[str, str]] = []
        self.run_state = "Running"

    def tick(self, seconds: float = 1.0, **values: Value | None) -> None:
        for name, value in values.items():
            self.samples[name.replace("_", "-")] = BAD if value is None else good(value)
        for _ in range(round(seconds)):
            self.now += 1.0
            self.system.tick(self.now, self.samples, self.run_state)
            self.drain()

    def event(self, kind: str, source: str = "dryer", active: bool | None = True) -> None:
        self.system.event(self.now, kind, source, active, "what happened")
        self.drain()

    def drain(self) -> None:
        self.changes += [(one.alarm.name, one.verb) for one in self.system.changes]
        self.system.changes.clear()

    def state(self, name: str) -> str:
        return self.system.alarms[name].state.value

    def told(self) -> list[str]:
        return [name for name, verb in self.changes if verb == "annunciated"]

    def verbs(self, name: str) -> list[str]:
        return [verb for one, verb in self.changes if one == name]

    def states(self) -> Mapping[str, str]:
        return {name: self.state(name) for name in self.system.alarms}
