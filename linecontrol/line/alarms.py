"""The alarms of a running line: looked for on the control cycle, told, acted on by people, kept across restarts.

Everything that happens to an alarm is an event ``alarm.…`` of the history; where each one stands is in its table
``alarm``, from where a new start takes it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from linecontrol.core.errors import ConfigError, LineError, Problem, StateError
from linecontrol.core.model import Event, Severity
from linecontrol.guard.alarms import UNACKNOWLEDGED, Alarm, AlarmState, AlarmSystem, Came, Priority
from linecontrol.history import AlarmStateRow
from linecontrol.line.alarm_rows import ROOM, alarm_rows, event_rows, station_of
from linecontrol.line.alarm_view import alarm_view, change_event, journal_view
from linecontrol.line.loading import Loading
from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

log = logging.getLogger(__name__)

KEPT_WITHIN_S = 1.0  # a verb waits no longer for the disk: acknowledging must work while the database is stuck
LONGEST_SHELVED_S = 12 * 3600.0  # a shift
LONGEST_CRITICAL_S = 3600.0
DAY_S = 86_400.0
MOST_REMEMBERED = 20_000
_QUIET = frozenset({"suppressed", "unsuppressed"})  # by design, with each run: no news, and found again by itself


class AlarmDesk:
    """Made before the line is opened, so that it hears everything. ``tick`` once per control cycle."""

    def __init__(self, line: Line) -> None:
        self._line = line
        stations = station_of(line.config)
        self.system = AlarmSystem(
            alarm_rows(line.config), event_rows(line.config), lambda name: stations.get(name, ROOM)
        )
        self._opened: float | None = None
        self._loading = Loading(self._read)

    # -- the line's share
    async def load(self) -> None:
        """Take up where the alarms stood. A history that is away is asked again later."""
        self._opened = self._line.clock.now()
        await self._loading.load()

    async def _read(self) -> None:
        """Take up those that nothing has happened to since the line was opened."""
        opened, history = self._opened, self._line.historian
        if opened is None:
            return
        kept = await history.alarms()
        events = await history.events(  # what came later is remembered already
            since=opened - DAY_S, until=opened, limit=MOST_REMEMBERED, kinds=["alarm.raised", "alarm.annunciated"]
        )
        now = self._line.clock.now()
        for name, error in self.system.restore(now, {row.name: row.state for row in kept}).items():
            self._tell_odd(name, error, now)
        self.system.remember(_came(events), _told(events))

    def _tell_odd(self, name: str, error: Exception, now: float) -> None:
        """An alarm whose row is none begins anew: the line is not kept from starting for it."""
        log.warning("alarm %s cannot be taken up as it was kept: %r", name, error)
        text = f"{name}: how this alarm stood before the start cannot be read; it begins anew."
        data = {"zh": f"{name}：无法读取启动前的报警状态，该报警重新开始。"}
        self._line.emit(Event(now, "alarms.unread", name, text, Severity.WARNING, data=data))

    def tick(self, now: float) -> None:
        """Look at every alarm once, on one look at the image."""
        line = self._line
        state = line.runs.state
        self.system.tick(now, line.image.as_of(now), "Idle" if state is None else str(state))
        if self.system.changes:
            self._settle()

    def note(self, event: Event) -> None:
        """An event of the line; those of severity alarm are alarms."""
        if event.kind.startswith("alarm."):
            return
        if event.severity is Severity.ALARM or self.system.ends_something(event.kind, event.active):
            self.system.event(event.time, event.kind, event.source, event.active, event.text)
            if self._opened is not None:
                self._settle()

    def close(self) -> None:
        """The line ends."""
        self._loading.close()

    def _settle(self) -> None:
        """Record what has happened."""
        changes, self.system.changes = self.system.changes, []
        told = {change.alarm.name for change in changes if change.verb == "annunciated"}
        dirty: dict[str, Alarm] = {}
        raised: set[str] = set()
        for change in changes:
            if change.verb in _QUIET:
                continue
            dirty[change.alarm.name] = change.alarm
            if change.verb == "raised":
                raised.add(change.alarm.name)
        for change in changes:
            if change.verb == "annunciated":
                self._line.runs.count_alarm()
                if change.alarm.name in raised:
                    continue  # the event of its coming says so
            if change.verb not in _QUIET:
                self._line.emit(change_event(change, is_told=change.alarm.name in told))
        for alarm in dirty.values():
            at = alarm.since if alarm.since is not None else changes[-1].time
            self._line.historian.alarm(AlarmStateRow(alarm.name, max(at, changes[-1].time), alarm.to_dict()))

    # -- what people do
    async def acknowledge(self, names: Sequence[str] | None, who: str, why: str = "") -> dict[str, Any]:
        """Acknowledge these alarms, or all that wait for it; in alarm or returned to normal.

        Answers those acknowledged and those refused, each with the reason. Raises StateError when none could be.
        """
        now, system = self._line.clock.now(), self.system
        if names is None:
            names = [a.name for a in system.alarms.values() if a.state in UNACKNOWLEDGED]
        for name in names:
            self._named(name)
        refused = system.acknowledge(now, names, who, why)
        done = [c.alarm for c in system.changes if c.verb == "acknowledged"]
        if why:
            for alarm in done:
                system.comment(now, alarm.name, who, why)
        await self._done()
        if refused and not done:
            raise StateError("; ".join(f"{name}: {reason}" for name, reason in refused.items()))
        return {
            "acknowledged": [alarm_view(alarm, now) for alarm in done],
            "refused": [{"name": name, "reason": reason} for name, reason in refused.items()],
        }

    async def silence(self, who: str) -> list[str]:
        """Stop the sound of what sounds, and name it; the next alarm sounds again."""
        names = self.system.silence(self._line.clock.now(), who)
        await self._done()
        return names

    async def shelve(self, name: str, who: str, why: str, for_s: float) -> dict[str, Any]:
        """Take an alarm from view for a time [s]. Raises ConfigError for a time too long or no reason."""
        alarm = self._named(name)
        is_critical = alarm.row.priority is Priority.CRITICAL
        longest_s = LONGEST_CRITICAL_S if is_critical else LONGEST_SHELVED_S
        problems = [*_reasoned(why)]
        if not 60.0 <= for_s <= longest_s:
            message = f"{name} cannot be shelved for {for_s / 60.0:g} min"
            problems.append(Problem("", None, "for_s", message, f"60 to {longest_s:g} s"))
        if problems:
            raise ConfigError(problems)
        now = self._line.clock.now()
        self.system.shelve(now, name, who, why, now + for_s)
        return await self._done(alarm)

    async def unshelve(self, name: str, who: str, why: str = "") -> dict[str, Any]:
        """Bring a shelved alarm back before its time."""
        alarm = self._named(name)
        self.system.unshelve(self._line.clock.now(), name, who, why)
        return await self._done(alarm)

    async def reset(self, name: str, who: str, why: str = "") -> dict[str, Any]:
        """Let a latched alarm go whose cause is gone."""
        alarm = self._named(name)
        self.system.reset(self._line.clock.now(), name, who, why)
        return await self._done(alarm)

    async def remove(self, name: str, who: str, why: str) -> dict[str, Any]:
        """Take an alarm out of service for maintenance, until it is returned. Raises ConfigError without a reason."""
        alarm = self._named(name)
        if problems := [*_reasoned(why)]:
            raise ConfigError(problems)
        self.system.remove(self._line.clock.now(), name, who, why)
        return await self._done(alarm)

    async def return_to_service(self, name: str, who: str, why: str = "") -> dict[str, Any]:
        """Put an alarm back into service."""
        alarm = self._named(name)
        self.system.return_to_service(self._line.clock.now(), name, who, why)
        return await self._done(alarm)

    async def comment(self, name: str, who: str, text: str) -> dict[str, Any]:
        """Write something down about an alarm. Raises ConfigError for an empty text."""
        alarm = self._named(name)
        if not text.strip():
            raise ConfigError([Problem("", None, "text", "is empty", "what you found or did")])
        self.system.comment(self._line.clock.now(), name, who, text)
        return await self._done(alarm)

    async def _done(self, alarm: Alarm | None = None) -> dict[str, Any]:
        """Record, and wait for the disk a little: what was answered is not lost by a power cut."""
        self._settle()
        await self._kept()
        return {} if alarm is None else alarm_view(alarm, self._line.clock.now())

    async def _kept(self) -> None:
        with contextlib.suppress(TimeoutError, LineError):
            async with asyncio.timeout(KEPT_WITHIN_S):
                await self._line.historian.flush()

    def _named(self, name: str) -> Alarm:
        alarm = self.system.alarms.get(name)
        if alarm is None:
            raise UnknownAlarm(f"there is no alarm {name!r} on this line")
        return alarm

    # -- what others ask
    def rows(self, *, everything: bool = False) -> list[dict[str, Any]]:
        """Alarms that are not normal, or all; the most urgent first."""
        now = self._line.clock.now()
        found = [a for a in self.system.alarms.values() if everything or a.state is not AlarmState.NORM]
        return [alarm_view(alarm, now) for alarm in sorted(found, key=_urgency)]

    def row(self, name: str) -> dict[str, Any]:
        """One alarm. Raises UnknownAlarm."""
        return alarm_view(self._named(name), self._line.clock.now())

    def rows_since(self, version: int) -> tuple[int, list[dict[str, Any]]]:
        """Alarms that changed after this version, those that are normal again included; and the version now."""
        if version == self.system.version:
            return version, []
        now = self._line.clock.now()
        changed = [a for a in self.system.alarms.values() if a.version > version]
        return self.system.version, [alarm_view(alarm, now) for alarm in sorted(changed, key=_urgency)]

    async def journal(
        self,
        limit: int = 100,
        *,
        name: str | None = None,
        verb: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> list[dict[str, Any]]:
        """What happened to alarms, newest first."""
        await self._kept()
        kinds = [f"alarm.{verb}" if verb else "alarm"]
        events = await self._line.historian.events(since=since, until=until, limit=limit, kinds=kinds, source=name)
        return [journal_view(event) for event in reversed(events)]

    def kpis(self, hours: float = 24.0) -> dict[str, Any]:
        """Figures of the alarm system itself over the last hours."""
        found = self.system.kpis(self._line.clock.now(), 3600.0 * hours)
        view = asdict(found)
        view["floods"] = [
            {"began": iso(flood.began), "ended": iso(flood.ended), "alarms": flood.alarms} for flood in found.floods
        ]
        view["top"] = [{"name": name, "alarms": count} for name, count in found.top]
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in view.items()}


class UnknownAlarm(LineError):
    """There is no alarm of that name."""


def _urgency(alarm: Alarm) -> tuple[int, int, float]:
    return (
        _ORDER[alarm.state],
        -alarm.row.priority,
        -(alarm.raised_at or 0.0),
    )


_ORDER = {
    state: rank
    for rank, states in enumerate(
        (
            (AlarmState.UNACK,),
            (AlarmState.LUNAK, AlarmState.RTNUN),
            (AlarmState.ACKED, AlarmState.LACKD),
            (AlarmState.SHLVD, AlarmState.OOSRV),
            (AlarmState.DSUPR,),
            (AlarmState.NORM,),
        )
    )
    for state in states
}


def _reasoned(why: str) -> Iterable[Problem]:
    if not why.strip():
        yield Problem("", None, "reason", "is empty", "why, in a few words")


def _came(events: Iterable[Event]) -> list[Came]:
    return [_one(event) for event in events if event.kind == "alarm.raised" and event.data.get("counts")]


def _told(events: Iterable[Event]) -> list[Came]:
    return [_one(event) for event in events if event.data.get("annunciated")]


def _one(event: Event) -> Came:
    word = str(event.data.get("priority", "low")).upper()
    return Came(event.time, event.source, Priority[word] if word in Priority.__members__ else Priority.LOW)
