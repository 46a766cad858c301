"""Sees to it that the outputs of a resting run are safe, and stay so.

The engine writes safe outputs once, when a run is held, stopped or aborted. A station that could not take them just
then (away, refusing, its program standing still, its key switch on LOCAL) may come back with whatever it had. So each
cycle compares what the PLCs show with what it should be, and writes again.

* Held: for as long as it lasts, unless the run's mode is Manual: then a person has taken the outputs over.
* Stopped, Aborted: until each station has shown its safe outputs once; after that a person may move them.
* Complete: a station that comes back is brought to rest; what the recipe left is its own business.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from linecontrol.core.errors import LineError
from linecontrol.core.model import Event, Severity, Value
from linecontrol.core.rules import same_value
from linecontrol.recipe.states import RunMode, RunState

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

PATIENCE_S = 3.0  # so long a read-back may lag behind a write [line s, at least as much real time]
AGAIN_S = 10.0
_KINDS = {
    RunState.HELD: "held",
    RunState.STOPPED: "stopped",
    RunState.ABORTED: "aborted",
    RunState.COMPLETE: "stopped",
}


class RestKeeper:
    """``tick`` once per control cycle."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._safe: dict[str, dict[str, list[tuple[str, Value]]]] = {
            name: {kind: list(values.items()) for kind, values in station.profile.safe_outputs.named()}
            for name, station in line.config.stations.items()
        }
        self._patience_s = line.clock.patience(PATIENCE_S, 2.0)
        self._state: RunState | None = None
        self._unsafe_since: dict[str, float] = {}
        self._tried_at: dict[str, float] = {}
        self._open: set[str] = set()  # stations that have not shown their safe outputs yet
        self._back: set[str] = set()
        self._writing: asyncio.Task[None] | None = None

    def came_back(self, station: str) -> None:
        """A station was claimed (again): its outputs may be anything."""
        self._back.add(station)

    def tick(self, now: float) -> None:
        """Compare, and write where it is time."""
        state = self._line.runs.state
        kind = _KINDS.get(state) if state is not None else None
        if state is not self._state:
            self._state = state
            self._unsafe_since.clear()
            self._tried_at.clear()
            self._open = set(self._safe)
        if kind is None:
            self._back.clear()  # a run under way sees to its stations itself
            return
        if self._writing is not None and not self._writing.done():
            return
        if self._back:
            back, self._back = self._back, set()
            self._write(kind, f"{', '.join(sorted(back))} came back while the run is {state}", back)
            return
        late = [name for name in sorted(self._watched()) if self._is_late(name, kind, now)]
        if late:
            self._write(kind, f"outputs of {', '.join(late)} are not safe while the run is {state}", set(late))

    def _watched(self) -> set[str]:
        engine = self._line.runs.engine
        if self._state is RunState.HELD and engine is not None and engine.mode is not RunMode.MANUAL:
            return set(self._safe)
        return self._open if self._state in (RunState.STOPPED, RunState.ABORTED) else set()

    def _is_late(self, name: str, kind: str, now: float) -> bool:
        """Whether this station has shown unsafe outputs for long enough to be written to again."""
        line = self._line
        if line.stations[name].why_not_write() is not None:
            self._unsafe_since.pop(name, None)
            return False
        due = [(tag, value) for tag, value in self._safe[name][kind] if line.interlocks.postpones(tag, value) is None]
        samples = [(line.image.tags[tag], line.image.at(tag, now), value) for tag, value in due]
        if any(not sample.is_good for _, sample, _ in samples):
            return False
        if all(same_value(value, sample.value, tag.step) for tag, sample, value in samples):
            self._unsafe_since.pop(name, None)
            if len(due) == len(self._safe[name][kind]):
                self._open.discard(name)
            return False
        since = self._unsafe_since.setdefault(name, now)
        again_s = max(AGAIN_S, self._patience_s)
        return now - since >= self._patience_s and now - self._tried_at.get(name, float("-inf")) >= again_s

    def _write(self, kind: str, reason: str, stations: set[str]) -> None:
        self._tried_at.update(dict.fromkeys(stations, self._line.clock.now()))
        self._writing = asyncio.ensure_future(self._drive(kind, reason, stations))

    async def _drive(self, kind: str, reason: str, stations: set[str]) -> None:
        try:
            await self._line.drive(kind, reason, stations.__contains__)
        except LineError as error:
            now = self._line.clock.now()
            self._line.emit(Event(now, "run.safe_failed", "line", f"{reason}: {error}", Severity.ALARM))
