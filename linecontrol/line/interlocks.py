"""The interlocks of a running line: looked at on the control cycle, told, bypassed by a supervisor, kept.

What happens to one is an event ``interlock.…``; bypasses lie in the history's table ``bypass``, from where a new start
takes them up: a restart neither ends a bypass nor makes it longer.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from linecontrol.core.errors import ConfigError, LineError, Problem, StateError
from linecontrol.core.model import Command, Event, Severity, Text, Value, numbers
from linecontrol.guard.interlocks import Act, Bypass, Change, InterlockSystem, Standing, refusal_text, sentence
from linecontrol.history import BypassRow
from linecontrol.line.interlock_rows import interlock_rows
from linecontrol.line.loading import Loading
from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

SHORTEST_BYPASS_S = 60.0
MOST_EVENTS = 2000
_HOLDING = (Act.STOP, Act.HOLD)


class UnknownInterlock(LineError):
    """There is no interlock of that name."""


class InterlockDesk:
    """``tick`` once per control cycle, before anything is commanded."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.system = InterlockSystem(interlock_rows(line.config))
        self._tags = tuple(self.system.tags)
        self._loading = Loading(self._read)
        self._bypassed: set[str] = set()  # by people since the start: what is on record from before it is over

    # -- the line's share
    async def load(self) -> None:
        """Take up bypasses that still run, and what has tripped and waits to be reset. A history that is away is asked
        again later."""
        await self._loading.load()

    async def _read(self) -> None:
        kept = await self._line.historian.bypasses(since=self._line.clock.now())
        events = await self._line.historian.events(limit=MOST_EVENTS, kinds=["interlock"])
        now = self._line.clock.now()
        last = {
            event.source: event.kind for event in events if event.kind in ("interlock.tripped", "interlock.cleared")
        }
        latched = [name for name, kind in last.items() if kind == "interlock.tripped"]
        earlier = [_bypass_of(row) for row in kept if row.interlock not in self._bypassed]
        self.system.restore(earlier, latched, now)
        for standing in self.system.standings.values():
            if standing.bypass is not None and standing.row.name not in self._bypassed:
                self._tell_bypass(standing.bypass, now)

    def tick(self, now: float) -> None:
        """One look at every condition, on one look at the image."""
        line = self._line
        self.system.tick(now, numbers(line.image.as_of(now), self._tags))
        if self.system.changes:
            changes, self.system.changes = self.system.changes, []
            for change in changes:
                self._tell(change)

    def _tell(self, change: Change) -> None:
        """What only refuses commands or a start is no alarm: it says so to whoever asks."""
        emit, now, name, text = self._line.emit, change.time, change.name, change.text
        data = {"zh": text.zh}
        if change.verb == "bypass-ended":
            emit(Event(now, "interlock.bypassed", name, text.en, Severity.ALARM, active=False, data=data))
        elif not self.system.standings[name].row.acts - {Act.START}:
            emit(Event(now, f"interlock.{change.verb}", name, text.en, Severity.INFO, data=data))
        elif change.verb == "tripped":
            emit(Event(now, "interlock.tripped", name, text.en, Severity.ALARM, active=True, data=data))
        else:
            emit(Event(now, "interlock.cleared", name, text.en, Severity.INFO, active=False, data=data))

    def close(self) -> None:
        """The line ends."""
        self._loading.close()

    # -- what others act on
    def _recipe(self) -> str:
        engine = self._line.runs.engine
        return engine.recipe.name if engine is not None and self._line.runs.is_under_way else ""

    def refusal(self, command: Command) -> Text | None:
        """Why an interlock is against this command, with what clears it."""
        if self.system.is_clear(command.tag):
            return None
        return self.system.refusal(command.tag, command.value, self._line.clock.now(), self._recipe())

    def postpones(self, tag: str, value: Value) -> Text | None:
        """Why this safe output has to wait, as a fan that must overrun; None = it is written at once."""
        return self.system.refusal(tag, value, self._line.clock.now())

    def blocks_loop(self, tag: str) -> bool:
        """Whether a loop may not move this actuator now."""
        if self.system.is_clear(tag):
            return False
        high = self._line.image.tags[tag].high
        return self.system.refusal(tag, high, self._line.clock.now(), self._recipe()) is not None

    def to_hold(self, now: float) -> tuple[Act, Text] | None:
        """What must happen to the run in hand, and why; the stronger of several."""
        if self.system.are_all_met:
            return None
        for act in _HOLDING:
            if found := self.system.blocking(now, act, self._recipe()):
                silent = [name for name, station in self._line.stations.items() if not station.is_up]
                return act, hold_text(found, silent)
        return None

    def doubts(self, now: float) -> dict[str, str]:
        """Interlocks that divert powder, as deviations for the gate."""
        if self.system.are_all_met:
            return {}
        found = self.system.blocking(now, Act.DIVERT, self._recipe())
        return {standing.row.name: sentence(standing.row, standing.told_value).en for standing in found}

    def against_start(self, recipe: str, now: float, *, is_first: bool) -> list[Standing]:
        """Interlocks that forbid a start of this recipe; those that only hold or stop, also a Restart."""
        acts = (Act.START, *_HOLDING) if is_first else _HOLDING
        found = {s.row.name: s for act in acts for s in self.system.blocking(now, act, recipe)}
        return list(found.values())

    # -- what people do
    def _named(self, name: str) -> Standing:
        standing = self.system.standings.get(name)
        if standing is None:
            raise UnknownInterlock(f"there is no interlock {name!r} on this line")
        return standing

    async def bypass(self, name: str, who: str, why: str, for_s: float) -> dict[str, Any]:
        """Set an interlock out of action for ``for_s`` [line s]; durable when this returns.

        Raises StateError for one that cannot be bypassed, ConfigError for a time too long or no reason, StorageError
        when the bypass cannot be recorded: then there is none.
        """
        standing, now = self._named(name), self._line.clock.now()
        row = standing.row
        if row.bypass_s <= 0.0:
            raise StateError(f"{name} cannot be bypassed: {row.purpose.en}")
        problems = []
        if not why.strip():
            problems.append(Problem("", None, "reason", "is empty", "why, in a few words"))
        if not SHORTEST_BYPASS_S <= for_s <= row.bypass_s:
            message = f"{name} cannot be bypassed for {for_s / 60.0:g} min"
            problems.append(Problem("", None, "for_s", message, f"{SHORTEST_BYPASS_S:g} to {row.bypass_s:g} s"))
        if problems:
            raise ConfigError(problems)
        bypass = Bypass(f"B{secrets.token_hex(6)}", name, who, why.strip(), now, now + for_s)
        await self._line.historian.save_bypass(_bypass_row(bypass))
        self._bypassed.add(name)
        self.system.bypass(bypass)
        self._tell_bypass(bypass, now)
        return self.row(name)

    async def end_bypass(self, name: str, who: str, why: str = "") -> dict[str, Any]:
        """End a bypass before its time. Raises StateError when there is none."""
        standing, now = self._named(name), self._line.clock.now()
        old = standing.bypass
        if old is None or not old.is_on(now):
            raise StateError(f"{name} is not bypassed")
        ended = Bypass(old.bypass_id, name, old.who, old.reason, old.since, old.until, now, who)
        self.system.bypass(ended)  # towards safety first; the record follows
        text = Text(
            f"{name}: bypass ended by {who}{f': {why}' if why else ''}",
            f"{name}：{who} 取消旁路{f'：{why}' if why else ''}",
        )
        self._line.emit(
            Event(now, "interlock.bypassed", name, text.en, Severity.ALARM, active=False, data={"zh": text.zh})
        )
        await self._line.historian.save_bypass(_bypass_row(ended))
        return self.row(name)

    async def reset(self, name: str, who: str, why: str = "") -> dict[str, Any]:
        """Let a latched interlock go whose cause is gone. Raises StateError with the reason."""
        standing, now = self._named(name), self._line.clock.now()
        refused = self.system.reset(name, now)
        if refused is not None:
            raise StateError(refused)
        text = Text(
            f"{name}: reset by {who}{f': {why}' if why else ''}", f"{name}：{who} 复位{f'：{why}' if why else ''}"
        )
        self._line.emit(Event(now, "interlock.reset", name, text.en, Severity.INFO, data={"zh": text.zh}))
        self.tick(now)
        return self.row(standing.row.name)

    def _tell_bypass(self, bypass: Bypass, now: float) -> None:
        minutes = (bypass.until - now) / 60.0
        text = Text(
            f"{bypass.interlock} is bypassed by {bypass.who} for {minutes:.0f} min: {bypass.reason}",
            f"{bypass.interlock} 已由 {bypass.who} 旁路 {minutes:.0f} 分钟：{bypass.reason}",
        )
        data = {"zh": text.zh, "who": bypass.who, "reason": bypass.reason, "until": bypass.until}
        self._line.emit(
            Event(now, "interlock.bypassed", bypass.interlock, text.en, Severity.ALARM, active=True, data=data)
        )

    # -- what others ask
    def rows(self) -> list[dict[str, Any]]:
        """Every interlock as it stands; those that block first, then the bypassed."""
        now = self._line.clock.now()
        found = [interlock_view(standing, now) for standing in self.system.standings.values()]
        return sorted(found, key=lambda row: (_ORDER[row["state"]], row["name"]))

    def row(self, name: str) -> dict[str, Any]:
        """One interlock. Raises UnknownInterlock."""
        return interlock_view(self._named(name), self._line.clock.now())


_ORDER = {"blocking": 0, "bypassed": 1, "met": 2, "idle": 3}


def interlock_view(standing: Standing, now: float) -> dict[str, Any]:
    """An interlock for people and programs: condition, value, limit, state, what it refuses, what clears it."""
    row, bypass = standing.row, standing.bypass
    is_bypassed = standing.is_bypassed(now)
    state = (
        "bypassed" if is_bypassed else "blocking" if not standing.is_met else "met" if standing.is_active else "idle"
    )
    why = None if standing.is_met else refusal_text(row, standing.told_value)
    return {
        "name": row.name,
        "station": row.station,
        "title": _both(row.title),
        "purpose": _both(row.purpose),
        "measured": row.value.text,
        "called": _both(row.measured),
        "value": _finite(standing.value),
        "low": _finite(row.low),
        "high": _finite(row.high),
        "unit": row.unit,
        "state": state,
        "is_met": standing.is_met,
        "since": iso(standing.unmet_since),
        "why": None if why is None else _both(why),
        "clears": _both(row.clears),
        "refuses": [
            {"tag": refused.tag, "above": _finite(refused.above), "below": _finite(refused.below)}
            for refused in row.refuses
        ],
        "then": sorted(act.value for act in row.acts),
        "is_latched": row.latched,
        "can_reset": row.latched and not standing.is_met and standing.is_condition_met,
        "bypass_s": row.bypass_s,
        "bypass": None
        if bypass is None or not is_bypassed
        else {
            "who": bypass.who,
            "reason": bypass.reason,
            "since": iso(bypass.since),
            "until": iso(bypass.until),
            "left_s": round(bypass.until - now, 1),
        },
        "source": row.source,
    }


def hold_text(found: Sequence[Standing], silent: Sequence[str]) -> Text:
    """Why a run is held. Where a condition is not measured for a station is ``silent``, that is said first."""
    texts = [refusal_text(standing.row, standing.told_value) for standing in found]
    if silent and any(math.isnan(standing.told_value) for standing in found):
        names = ", ".join(silent)
        texts.insert(0, Text(f"no answer of {names}: look at cabinet and network", f"{names} 无应答：检查控制柜和网络"))
    en, zh = ([one.rstrip(".。") for one in side] for side in zip(*((t.en, t.zh) for t in texts), strict=True))
    return Text("; ".join(en), "；".join(zh))


def _both(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _bypass_row(b: Bypass) -> BypassRow:
    return BypassRow(b.bypass_id, b.interlock, b.who, b.reason, b.since, b.until, b.ended, b.ended_by)


def _bypass_of(b: BypassRow) -> Bypass:
    return Bypass(b.bypass_id, b.interlock, b.who, b.reason, b.since, b.until, b.ended, b.ended_by)
