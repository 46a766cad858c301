"""What the unit procedures of a run share, and what a running phase is given: the plant plus the run.

The Bench is fenced: once its phase was ended, nothing it still tries reaches the plant. So a phase that hangs, or that
swallows its cancellation, cannot write after the safe outputs have been set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from linecontrol.core.model import Sample, Severity, Value
from linecontrol.recipe.equipment import LoopMode, PhaseFailed, Plant

SAFE_KINDS = ("held", "stopped", "aborted")


@dataclass(frozen=True, slots=True)
class Ports:
    """What the line gives to the engine.

    Attributes:
        now: line time [s since 1970, UTC].
        plant: one Plant per unit procedure.
        safe: drives the whole line to its safe outputs, ``held``, ``stopped`` or ``aborted``; returns when confirmed,
            raises when not. It may be called again with another kind while it runs (the first call is cancelled).
        save: records a snapshot (JSON-able); the newest replaces the older. ``seq`` in it only grows.
        event: (kind, text, severity, data), for the record; must not block.
        patience: lengthens a time limit where line time runs faster than the wire (Clock.patience).
    """

    now: Callable[[], float]
    plant: Callable[[str], Plant]
    safe: Callable[[str], Awaitable[None]]
    save: Callable[[dict[str, Any]], Awaitable[None]]
    event: Callable[[str, str, Severity, dict[str, Any]], None]
    patience: Callable[[float], float] = lambda line_s: line_s


class Pulse:
    """Wakes everybody who waits for something to become true. Waiters look for themselves; nothing is queued."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def beat(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def until(self, claim: Callable[[], bool]) -> None:
        while not claim():
            await self._event.wait()


@dataclass(slots=True)
class Points:
    """Synchronisation points: who meets there, and who has arrived. An arrival is never taken back."""

    meets: Mapping[str, Collection[str]]
    arrivals: dict[str, set[str]] = field(default_factory=dict)

    def arrive(self, point: str, unit: str) -> None:
        self.arrivals.setdefault(point, set()).add(unit)

    def is_passed(self, point: str) -> bool:
        return set(self.meets.get(point, ())) <= self.arrivals.get(point, set())

    def others_arrived(self, point: str, unit: str) -> bool:
        return bool(self.arrivals.get(point, set()) - {unit})

    def passed(self) -> tuple[str, ...]:
        return tuple(point for point in self.meets if self.is_passed(point))


class Wanted:
    """The outputs a unit procedure wants, in the order in which it last set them. Restart sets them again."""

    def __init__(self, entries: Iterable[Mapping[str, Any]] = ()) -> None:
        self._entries: dict[tuple[str, str], dict[str, Any]] = {}
        for entry in entries:
            what = "loop" if "loop" in entry else "tag"
            self._entries[what, str(entry[what])] = dict(entry)

    def tag(self, tag: str, value: Value, phase: str) -> None:
        self._entries.pop(("tag", tag), None)
        self._entries["tag", tag] = {"tag": tag, "value": value, "phase": phase}

    def loop(self, loop: str, mode: str | None, sp: float | None, op: float | None, phase: str) -> None:
        entry = self._entries.pop(("loop", loop), {"loop": loop, "mode": None, "sp": None, "op": None})
        given = {"mode": mode, "sp": sp, "op": op}
        entry.update({key: value for key, value in given.items() if value is not None}, phase=phase)
        self._entries["loop", loop] = entry

    def as_json(self) -> list[dict[str, Any]]:
        return [dict(entry) for entry in self._entries.values()]

    def but_of(self, phase: str) -> list[dict[str, Any]]:
        """All but what this phase set: it will set its own again when it is entered."""
        return [entry for entry in self.as_json() if entry["phase"] != phase]


class Host(Protocol):
    """What a unit procedure needs of its engine."""

    pulse: Pulse
    ports: Ports

    @property
    def points(self) -> Points: ...

    def may_begin(self, unit: str, step: str, is_begun: bool) -> bool:
        """Whether this phase may begin now: the state, the mode, a person's proceed."""
        ...

    def fail(self, unit: str, title: str, text: str) -> None:
        """A phase failed: the run goes to Holding."""
        ...

    def tell(self, kind: str, text: str, severity: Severity = Severity.INFO, **about: Any) -> None:
        """An event of this run."""
        ...

    async def save(self) -> bool:
        """Record the run now; False when that could not be done (it has been told)."""
        ...


class Bench:
    """Implements Equipment for one phase of one unit procedure."""

    def __init__(
        self, host: Host, plant: Plant, unit: str, phase: str, progress: dict[str, Any], wanted: Wanted | None
    ) -> None:
        self._host, self._plant, self._unit, self._phase = host, plant, unit, phase
        self._progress, self._wanted = progress, wanted
        self.is_live = True

    def _fence(self) -> None:
        if not self.is_live:
            raise PhaseFailed(f"{self._phase} was ended and may touch nothing any more")

    def now(self) -> float:
        return self._plant.now()

    def sample(self, tag: str) -> Sample:
        return self._plant.sample(tag)

    async def sleep(self, line_s: float) -> None:
        self._fence()
        await self._plant.sleep(line_s)

    async def wait_until(self, predicate: Callable[[], bool], timeout_s: float | None = None) -> bool:
        self._fence()
        return await self._plant.wait_until(predicate, timeout_s)

    async def set(self, tag: str, value: Value) -> None:
        self._fence()
        await self._plant.set(tag, value)
        self._fence()
        if self._wanted is not None:
            self._wanted.tag(tag, value, self._phase)

    async def set_loop(
        self, loop: str, *, mode: LoopMode | None = None, sp: float | None = None, op: float | None = None
    ) -> None:
        self._fence()
        await self._plant.set_loop(loop, mode=mode, sp=sp, op=op)
        self._fence()
        if self._wanted is not None:
            self._wanted.loop(loop, mode, sp, op, self._phase)

    async def sync(self, point: str) -> None:
        self._fence()
        host = self._host
        if not host.points.is_passed(point):
            host.points.arrive(point, self._unit)
            host.pulse.beat()
            await host.save()
        await host.pulse.until(lambda: host.points.is_passed(point))

    def arrived(self, point: str) -> bool:
        return self._host.points.others_arrived(point, self._unit)

    async def prompt(self, text_en: str, text_zh: str) -> str:
        self._fence()
        about = {"unit": self._unit, "phase": self._phase, "text_en": text_en, "text_zh": text_zh}
        self._progress["asked_at"] = self.now()
        self._host.tell("run.prompt", f"{self._unit} asks: {text_en}", Severity.WARNING, **about)
        await self._host.save()
        await self._host.pulse.until(lambda: "answered_by" in self._progress)
        return str(self._progress["answered_by"])

    def note(self, text: str) -> None:
        self._host.tell("run.note", f"{self._unit}: {text}", unit=self._unit, phase=self._phase)

    async def checkpoint(self) -> None:
        self._fence()
        await self._host.save()


async def end_tasks(tasks: Iterable[asyncio.Task[Any]], patience_s: float) -> bool:
    """Cancel these tasks and wait until they are gone, at most ``patience_s`` [real s]; False when one stays.

    What a task raised on its way out is taken note of by nobody: it was told to go.
    """
    waiting = set(tasks)
    for task in waiting:
        task.add_done_callback(_forget)
        task.cancel()
    if waiting:
        _, waiting = await asyncio.wait(waiting, timeout=patience_s)
    return not waiting


def _forget(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
