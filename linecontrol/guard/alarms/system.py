"""All alarms of a line together: what comes and goes, what people do about it, and who is told. No clock, no I/O.

``tick`` once per control cycle, ``event`` for what the program says, the verbs for people. What happened is left in
``changes`` for whoever records it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from linecontrol.core.errors import StateError
from linecontrol.core.model import Sample, Status
from linecontrol.guard.alarms.alarm import Alarm
from linecontrol.guard.alarms.annunciation import LINGER_S, Annunciator, first_out
from linecontrol.guard.alarms.conditions import Condition, number, quiet_range
from linecontrol.guard.alarms.kpis import Came, Kpis, Log
from linecontrol.guard.alarms.model import AlarmRow, EventRow, Kind
from linecontrol.guard.alarms.nuisance import Nuisance
from linecontrol.guard.alarms.states import STANDING, UNACKNOWLEDGED, AlarmState, Signal

LOOK_AGAIN_S = 5.0  # at alarms that wait to be told
DOUBT_S = 60.0  # an event's alarm from before a restart is over when it is not told again within this


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an alarm, for the record.

    Attributes:
        verb: raised, cleared, annunciated, acknowledged, silenced, reset, shelved, unshelved, removed, returned,
            suppressed, unsuppressed, commented, proposed.
        was, state: before and after.
        who: a person's name, or ``controller``.
    """

    time: float
    alarm: Alarm
    verb: str
    was: AlarmState
    state: AlarmState
    who: str = "controller"
    why: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


_NUMBERS = frozenset({float, int, bool})


class _Watched(NamedTuple):
    """An alarm that is looked for in the samples.

    Attributes:
        low, high: see ``quiet_range``.
    """

    alarm: Alarm
    look: Condition
    tag: str
    low: float
    high: float


_VERBS = {
    Signal.ACKNOWLEDGE: "acknowledged",
    Signal.RESET: "reset",
    Signal.SHELVE: "shelved",
    Signal.UNSHELVE: "unshelved",
    Signal.SUPPRESS: "suppressed",
    Signal.UNSUPPRESS: "unsuppressed",
    Signal.REMOVE: "removed",
    Signal.RETURN: "returned",
    Signal.RAISE: "raised",
    Signal.CLEAR: "cleared",
}


class AlarmSystem:
    """The alarms of one line.

    Args:
        rows: those looked for in the samples. events: those that come of events.
        station_of: the station of a source (tag, loop or station); ``line`` for what belongs to none.
    """

    def __init__(
        self, rows: Iterable[AlarmRow], events: Iterable[EventRow], station_of: Callable[[str], str] = lambda _: "line"
    ) -> None:
        self.alarms: dict[str, Alarm] = {row.name: Alarm(row) for row in rows}
        self._events = {row.event: row for row in events}
        self._ends: dict[str, list[EventRow]] = {}
        for row in self._events.values():
            for kind in row.ends:
                self._ends.setdefault(kind, []).append(row)
        self._station_of = station_of
        self._watched = [
            _Watched(alarm, alarm.look, alarm.row.tag, *quiet_range(alarm.row))
            for alarm in self.alarms.values()
            if alarm.look is not None
        ]
        self._needs = tuple(dict.fromkeys(need for watched in self._watched for need in watched.alarm.needs))
        self.tags = tuple(
            dict.fromkeys(
                tag
                for alarm in (watched.alarm for watched in self._watched)
                for tag in (alarm.row.tag, alarm.row.against, *(need.tag for need in alarm.row.needs))
                if tag
            )
        )
        self.changes: list[Change] = []
        self.log = Log()
        self.version = 0
        self._annunciator = Annunciator()
        self._told: dict[str, AlarmRow] = {}  # annunciated and standing, in the order in which they were told
        self._waiting: dict[str, Alarm] = {}  # standing and not told
        self._by_events: list[Alarm] = []  # those that come of events
        self._odd: dict[str, Alarm] = {}  # shelved, in doubt or a nuisance: looked at in each cycle
        self._is_stirred = False
        self._next_look = 0.0
        self._run_state: str | None = None  # at the last look; None = nobody has looked yet
        self._meant_for: tuple[str, list[tuple[str, float]]] | None = None  # run state and lacking needs, and which of
        self._meaningless: list[bool] = []  # those watched mean nothing then

    # -- what comes and goes
    def tick(self, now: float, samples: Mapping[str, Sample], run_state: str) -> None:
        """One look at the samples of ``tags``."""
        if self.log.began is None:
            self.log.began = now
        self._run_state = run_state
        lacking = [need for need in self._needs if number(samples[need[0]]) < need[1]]  # not what is not known
        if (run_state, lacking) != self._meant_for:
            self._meant_for = (run_state, lacking)
            self._meaningless = [self._is_meaningless(row.alarm, run_state, lacking) for row in self._watched]
        good, suppressed = Status.GOOD, AlarmState.DSUPR
        for (alarm, look, tag, low, high), wants in zip(self._watched, self._meaningless, strict=True):
            delayed, standing = alarm.delayed, alarm.standing
            value, status, _ = samples[tag]
            if not (
                value.__class__ in _NUMBERS
                and status is good
                and low < value < high  # type: ignore[operator]  # a number, as was just asked
                and not delayed.is_on
                and delayed.since is None
            ):
                found = look(now, samples, delayed.is_on)
                if found is not delayed.is_on or delayed.since is not None:
                    delayed.tick(now, found)
            elif not standing.is_active and wants is (suppressed in standing.hidden):
                continue  # as nearly always: not there, and nobody thinks it is
            if (wants or standing.hidden) and self._suppress(now, alarm, wants=wants):
                continue
            if delayed.is_on is not standing.is_active:
                value = samples[alarm.row.tag].value
                self._signal(now, alarm, Signal.RAISE if delayed.is_on else Signal.CLEAR, value=value)
        for alarm in self._by_events:  # behind those it may follow
            if alarm.is_conditional or alarm.standing.hidden:
                self._heed(now, alarm)
        if self._odd:
            self._look_at_odd(now)
        if self._waiting and (self._is_stirred or now >= self._next_look):
            self._is_stirred, self._next_look = False, now + LOOK_AGAIN_S
            self._tell_waiting(now)

    @staticmethod
    def _is_meaningless(alarm: Alarm, run_state: str, lacking: Collection[tuple[str, float]]) -> bool:
        """Whether it is to be suppressed by design in this state of the run, with these needs not met."""
        return alarm.is_conditional and (
            run_state in alarm.row.suppressed_in or any(need in lacking for need in alarm.needs)
        )

    def _suppress(self, now: float, alarm: Alarm, *, wants: bool) -> bool:
        """Whether it is suppressed by design now. What nobody has acknowledged stays in view until somebody does."""
        standing = alarm.standing
        is_hidden = bool(standing.hidden) and AlarmState.DSUPR in standing.hidden
        if wants and not is_hidden:
            if standing.is_active:
                self._signal(now, alarm, Signal.CLEAR)
            alarm.delayed.restart()
            if standing.state not in STANDING:
                self._signal(now, alarm, Signal.SUPPRESS)
        elif wants:
            if standing.is_active is not alarm.delayed.is_on:
                standing.take(Signal.RAISE if alarm.delayed.is_on else Signal.CLEAR)
                self._touch(alarm)
        elif is_hidden:
            if standing.is_active:
                standing.take(Signal.CLEAR)
            alarm.delayed.restart()  # it means something only from now on
            self._signal(now, alarm, Signal.UNSUPPRESS)
        return wants

    def event(self, now: float, kind: str, source: str, active: bool | None, text: str) -> None:
        """An event of severity alarm, or one that ends such. ``active`` None: it happened, and is over."""
        for row in self._ends.get(kind, ()):
            self._end(now, row, source)
        row_of = self._events.get(kind)
        if row_of is None:
            if kind in self._ends or active is False or "*" not in self._events:
                return
            row_of = self._events["*"]
        if active is False:
            self._end(now, row_of, source)
            return
        alarm = self._of_event(row_of, source)
        alarm.detail, alarm.doubted_until = text, None
        self._touch(alarm)
        self._say(now, alarm, is_there=True)
        if active is None:
            self._say(now, alarm, is_there=False)

    def ends_something(self, kind: str, active: bool | None) -> bool:
        """Whether an event that is no alarm itself ends one."""
        return kind in self._ends or (active is False and kind in self._events)

    def _of_event(self, row: EventRow, source: str) -> Alarm:
        name = f"{row.source or source}.{row.name}"
        if name not in self.alarms:
            made = row.row(row.source or source, self._station_of(row.source or source))
            self.alarms[name] = Alarm(made, event=row.event)
            self._by_events.append(self.alarms[name])
        return self.alarms[name]

    def _end(self, now: float, row: EventRow, source: str) -> None:
        alarm = self.alarms.get(f"{row.source or source}.{row.name}")
        if alarm is not None:
            self._say(now, alarm, is_there=False)

    def _say(self, now: float, alarm: Alarm, *, is_there: bool, why: str = "") -> None:
        """An event says that a condition has come, or gone."""
        alarm.is_said = is_there
        self._heed(now, alarm, why)

    def _heed(self, now: float, alarm: Alarm, why: str = "") -> None:
        """Bring an alarm in line with what events said last of it, and with the state of the run."""
        if alarm.is_conditional and self._run_state is None:
            return  # the first look tells whether it means anything
        standing = alarm.standing
        wants = self._run_state in alarm.row.suppressed_in
        if alarm.doubted_until is not None and (wants or AlarmState.DSUPR in standing.hidden):
            alarm.is_said = False  # of before a restart: it must be told again to mean something later
        alarm.delayed.tick(now, alarm.is_said)
        if (wants or standing.hidden) and self._suppress(now, alarm, wants=wants):
            return
        if alarm.delayed.is_on is not standing.is_active:
            self._signal(now, alarm, Signal.RAISE if alarm.delayed.is_on else Signal.CLEAR, why=why)

    # -- what people do
    def acknowledge(self, now: float, names: Sequence[str], who: str, why: str = "") -> dict[str, str]:
        """Acknowledge alarms, and with each those it is the first-out of; answers those refused, with the reason."""
        refused = {}
        members: dict[str, list[Alarm]] = {}
        for alarm in self.alarms.values():
            if alarm.first_out is not None and alarm.state in UNACKNOWLEDGED:
                members.setdefault(alarm.first_out, []).append(alarm)
        done: set[str] = set()
        for name in names:
            if name in done:
                continue
            alarm = self._named(name)
            objection = alarm.standing.why_not(Signal.ACKNOWLEDGE)
            if objection is not None:
                refused[name] = objection
                continue
            for one in (alarm, *members.get(name, ())):
                if one.name in done or one.standing.why_not(Signal.ACKNOWLEDGE) is not None:
                    continue
                done.add(one.name)
                one.acked_by, one.acked_at = who, now
                self._signal(now, one, Signal.ACKNOWLEDGE, who, why)
        return refused

    def silence(self, now: float, who: str) -> list[str]:
        """Stop the sound of everything that sounds; answers its names. The next alarm sounds again."""
        loud = [a for a in self.alarms.values() if a.is_annunciated and not a.is_silenced and a.state in UNACKNOWLEDGED]
        for alarm in loud:
            alarm.is_silenced = True
            self._record(now, alarm, "silenced", alarm.state, who)
        return [alarm.name for alarm in loud]

    def reset(self, now: float, name: str, who: str, why: str = "") -> None:
        """Let a latched alarm go whose cause is gone. Raises StateError, as all verbs, with the reason."""
        self._by_person(now, name, Signal.RESET, who, why)

    def shelve(self, now: float, name: str, who: str, why: str, until: float) -> None:
        """Take it from view until a time [line s]; it then comes back by itself."""
        alarm = self._by_person(now, name, Signal.SHELVE, who, why, {"until": until})
        alarm.shelved_until, alarm.put_by, alarm.put_why = until, who, why
        self._odd[name] = alarm
        self._touch(alarm)

    def unshelve(self, now: float, name: str, who: str, why: str = "") -> None:
        alarm = self._by_person(now, name, Signal.UNSHELVE, who, why)
        alarm.shelved_until = None
        self._touch(alarm)

    def remove(self, now: float, name: str, who: str, why: str) -> None:
        """Take it out of service, until somebody returns it."""
        alarm = self._by_person(now, name, Signal.REMOVE, who, why)
        alarm.put_by, alarm.put_why = who, why
        self._touch(alarm)

    def return_to_service(self, now: float, name: str, who: str, why: str = "") -> None:
        self._by_person(now, name, Signal.RETURN, who, why)

    def comment(self, now: float, name: str, who: str, text: str) -> None:
        """Write something down about an alarm, in whatever state it is."""
        alarm = self._named(name)
        alarm.note(now, who, text)
        self._record(now, alarm, "commented", alarm.state, who, text)

    def _by_person(
        self, now: float, name: str, signal: Signal, who: str, why: str, more: Mapping[str, Any] | None = None
    ) -> Alarm:
        alarm = self._named(name)
        objection = alarm.standing.why_not(signal)
        if objection is not None:
            raise StateError(f"{name}: {objection}")
        self._signal(now, alarm, signal, who, why, more=more)
        return alarm

    def _named(self, name: str) -> Alarm:
        alarm = self.alarms.get(name)
        if alarm is None:
            raise KeyError(name)
        return alarm

    # -- one change
    def _signal(
        self,
        now: float,
        alarm: Alarm,
        signal: Signal,
        who: str = "controller",
        why: str = "",
        *,
        value: Any = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        was = alarm.state
        alarm.standing.take(signal)
        if alarm.state is not was:
            alarm.since = now
        if signal is Signal.RAISE:
            alarm.value, alarm.raised_at = value, now
            if alarm.state is AlarmState.UNACK:
                self._came(now, alarm)
        elif signal is Signal.CLEAR:
            alarm.habit.went(now)
            self._note_nuisance(now, alarm)
        elif alarm.state is AlarmState.UNACK and was not in STANDING:
            self._came(now, alarm)  # it comes back into view with its condition standing
        if alarm.state not in STANDING:
            self._leave(alarm)
        elif alarm.state not in UNACKNOWLEDGED:
            self._waiting.pop(alarm.name, None)
        self._record(now, alarm, _VERBS[signal], was, who, why, more)

    def _came(self, now: float, alarm: Alarm) -> None:
        alarm.acked_by, alarm.acked_at, alarm.is_silenced = "", None, False
        alarm.habit.came(now)
        self._note_nuisance(now, alarm)
        self.log.note(Came(now, alarm.name, alarm.row.priority))
        alarm.first_out = first_out(alarm.row, self._told)
        self._told.pop(alarm.name, None)
        self._waiting[alarm.name] = alarm
        if alarm.first_out is None:
            self._tell(now, alarm)

    def _tell(self, now: float, alarm: Alarm) -> None:
        again = alarm.habit.nuisance is not None or alarm.is_annunciated
        if not self._annunciator.may(now, alarm.row, again=again):
            if alarm.is_annunciated:  # told within ten minutes, and still in view
                self._told[alarm.name] = alarm.row
                self._waiting.pop(alarm.name, None)
            return
        self._annunciator.note(now, alarm.row)
        self.log.note_told(Came(now, alarm.name, alarm.row.priority))
        alarm.is_annunciated, alarm.is_silenced, alarm.first_out = True, False, None
        self._told[alarm.name] = alarm.row
        self._waiting.pop(alarm.name, None)
        self._is_stirred = True
        self._record(now, alarm, "annunciated", alarm.state)

    def _tell_waiting(self, now: float) -> None:
        """Those whose first-out has left, or that had to wait in a storm; the most urgent first."""
        for alarm in sorted(self._waiting.values(), key=lambda one: (-one.row.priority, one.raised_at or 0.0)):
            leader = first_out(alarm.row, self._told)
            if leader is not None:
                alarm.orphan_at = None
                if leader != alarm.first_out:
                    alarm.first_out = leader
                    self._touch(alarm)
                continue
            if alarm.state is not AlarmState.UNACK:
                continue
            if alarm.first_out is not None:
                alarm.orphan_at = now if alarm.orphan_at is None else alarm.orphan_at
                if now - alarm.orphan_at < LINGER_S:
                    continue
            self._tell(now, alarm)

    def _leave(self, alarm: Alarm) -> None:
        self._told.pop(alarm.name, None)
        self._waiting.pop(alarm.name, None)
        alarm.is_annunciated, alarm.first_out, alarm.orphan_at = False, None, None
        self._is_stirred = True

    def _note_nuisance(self, now: float, alarm: Alarm) -> None:
        found = alarm.habit.nuisance
        if found is not None and alarm.name not in self._odd:
            self._odd[alarm.name] = alarm
            self._record(now, alarm, "proposed", alarm.state, why=PROPOSALS[found])

    def _look_at_odd(self, now: float) -> None:
        for name, alarm in list(self._odd.items()):
            if alarm.shelved_until is not None and now >= alarm.shelved_until:
                alarm.shelved_until = None
                if AlarmState.SHLVD in alarm.standing.hidden:
                    self._signal(now, alarm, Signal.UNSHELVE, why="its time is over")
            if alarm.doubted_until is not None and now >= alarm.doubted_until:
                alarm.doubted_until = None
                self._say(now, alarm, is_there=False, why="not told again since the controller was restarted")
            if alarm.habit.is_over(now):
                self._touch(alarm)
            if alarm.shelved_until is None and alarm.doubted_until is None and alarm.habit.nuisance is None:
                self._odd.pop(name, None)

    def _record(
        self,
        now: float,
        alarm: Alarm,
        verb: str,
        was: AlarmState,
        who: str = "controller",
        why: str = "",
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._touch(alarm)
        self.changes.append(Change(now, alarm, verb, was, alarm.state, who, why, more or {}))

    def _touch(self, alarm: Alarm) -> None:
        self.version += 1
        alarm.version = self.version

    # -- what others ask
    def kpis(self, now: float, window_s: float) -> Kpis:
        """Figures of the alarm system over the last ``window_s`` [s]."""
        chattering = [a.name for a in self.alarms.values() if a.habit.nuisance is Nuisance.CHATTERING]
        stale = [a.name for a in self.alarms.values() if a.is_stale(now)]
        return self.log.kpis(now, window_s, chattering, stale)

    def remember(self, came: Sequence[Came], told: Sequence[Came]) -> None:
        """What came before a restart, in order, for the figures."""
        first = min((self.log.began or float("inf"), *(one.time for one in came[:1])))
        self.log.began = None if first == float("inf") else first
        self.log.came.extendleft(reversed(came))
        self.log.told.extendleft(reversed(told))

    def restore(self, now: float, kept: Mapping[str, Mapping[str, Any]]) -> dict[str, Exception]:
        """Take up the alarms as they were kept before a restart; what came since is not touched.

        Answers those that could not be, by name, with what was odd: they stay as they are.
        """
        odd: dict[str, Exception] = {}
        for name, state in kept.items():
            try:
                self._restore(now, name, dict(state))
            except (KeyError, TypeError, ValueError) as error:
                odd[name] = error
        return odd

    def _restore(self, now: float, name: str, state: dict[str, Any]) -> None:
        alarm = self.alarms.get(name)
        if alarm is None and (row := self._events.get(str(state.get("event", "")))) is not None:
            alarm = self._of_event(row, str(state.get("source", "")))
        if alarm is None or alarm.version:
            return
        alarm.restore(state)
        self._touch(alarm)
        if alarm.row.kind is Kind.EVENT and alarm.standing.is_active:
            alarm.doubted_until = now + DOUBT_S
        if alarm.shelved_until is not None or alarm.doubted_until is not None:
            self._odd[name] = alarm
        if alarm.state in STANDING and alarm.is_annunciated:
            self._told[name] = alarm.row
        elif alarm.state in UNACKNOWLEDGED:
            self._waiting[name] = alarm


PROPOSALS = {
    Nuisance.CHATTERING: "chattering: it came three times within a minute",
    Nuisance.FLEETING: "fleeting: three times within ten minutes it was gone again within ten seconds",
}
