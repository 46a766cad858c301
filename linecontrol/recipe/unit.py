"""One unit procedure on its way: its phases in order, each with its time limit; recalled and begun again any time.

It decides nothing about the run: when it may go on, and what a failure means, is the engine's.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Coroutine, Mapping
from typing import Any

from linecontrol.core.model import Severity
from linecontrol.recipe.bench import Bench, Host, Wanted, end_tasks
from linecontrol.recipe.equipment import PhaseFailed
from linecontrol.recipe.feed import drive_loop
from linecontrol.recipe.params import StationParams
from linecontrol.recipe.phases import KINDS, switch_station
from linecontrol.recipe.progress import UnitStatus, remaining_s
from linecontrol.recipe.steps import Step, Unit

CANCEL_PATIENCE_S = 1.0  # real time a phase gets to let go before it is fenced off and left behind
RESTORE_LIMIT_S = 300.0  # line time to set a unit's outputs again


class UnitRun:
    """Attributes:
    index: the current phase; ``len(unit.steps)`` when finished.
    progress: by phase name, JSON-able; a phase is in it from its beginning on.
    is_ready: outputs are set again after a Restart.
    """

    def __init__(self, unit: Unit, host: Host) -> None:
        self.unit = unit
        self.name = unit.name
        self.index = 0
        self.progress: dict[str, dict[str, Any]] = {}
        self.wanted = Wanted()
        self.is_ready = False
        self._host = host
        self._plant = host.ports.plant(unit.name)
        self._task: asyncio.Task[None] | None = None
        self._bench: Bench | None = None
        self._entered: tuple[dict[str, Any], float, float] | None = None
        self._is_parked = False
        self._waits_for_proceed = False

    @property
    def is_finished(self) -> bool:
        return self.index >= len(self.unit.steps)

    @property
    def step(self) -> Step | None:
        return None if self.is_finished else self.unit.steps[self.index]

    @property
    def is_at_breakpoint(self) -> bool:
        """Between phases, at the end, not begun, or in a phase that only waits for somebody."""
        return self.is_finished or self._is_parked or self._task is None or self._task.done()

    @property
    def is_on_its_way(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def waits_for_proceed(self) -> bool:
        return self._waits_for_proceed and self._is_parked

    def begin(self, restoring: bool) -> None:
        """Go on with the current phase; with ``restoring`` the outputs wanted so far are set first."""
        self.is_ready = False
        self._task = asyncio.create_task(self._run(restoring), name=f"unit {self.name}")

    def recall(self) -> None:
        """From now on nothing of this unit reaches the plant. Takes effect at once; ``gone`` waits for the tasks."""
        if self._bench is not None:
            self._bench.is_live = False
        if self._task is not None and not self._task.done():
            self._task.cancel()

    async def gone(self) -> None:
        """Wait until a recalled unit has let go, at most about twice the patience."""
        if self._task is not None:
            await end_tasks([self._task], 2 * CANCEL_PATIENCE_S)
            self._task = None
        self._is_parked = self._waits_for_proceed = False

    async def _run(self, restoring: bool) -> None:
        title = "outputs after a restart"
        try:
            if restoring and self.step is not None and self.progress:
                await self._restore(self.step)
            self.is_ready = True
            while (step := self.step) is not None:
                title = step.title.en
                await self._may_begin(step)
                await self._perform(step, self.progress.setdefault(step.name, {}), self.wanted)
                self.index += 1
                self._host.tell("run.phase", f"{self.name}: {title} done", unit=self.name, phase=step.name, to="done")
                await self._host.save()
        except PhaseFailed as error:
            self._host.fail(self.name, title, str(error))
        except Exception as error:  # noqa: BLE001 - top edge of a task: a defect holds the run, it never kills it
            self._host.fail(self.name, title, f"internal error, {type(error).__name__}: {error}")
        finally:
            self._host.pulse.beat()

    async def _may_begin(self, step: Step) -> None:
        """Wait at the breakpoint before a phase until state, mode and person let it begin."""
        is_begun = step.name in self.progress
        self._is_parked, self._waits_for_proceed = True, not is_begun
        self._host.pulse.beat()
        await self._host.pulse.until(lambda: self._host.may_begin(self.name, step.name, is_begun))
        self._is_parked, self._waits_for_proceed = KINDS[step.kind].waits, False
        verb = "goes on with" if is_begun else "begins"
        self.progress.setdefault(step.name, {})
        text = f"{self.name} {verb}: {step.title.en}"
        title = {"en": step.title.en, "zh": step.title.zh}
        to = "again" if is_begun else "begun"
        self._host.tell("run.phase", text, unit=self.name, phase=step.name, title=title, to=to)
        await self._host.save()

    async def _perform(self, step: Step, progress: dict[str, Any], wanted: Wanted | None) -> None:
        """One phase from its entry to its end, within its time limit [line s, without the time it was held]."""
        bench = Bench(self._host, self._plant, self.name, step.name, progress, wanted)
        limit_s = self._host.ports.patience(step.limit_s)
        taken_s = float(progress.get("elapsed_s", 0.0))
        self._entered = (progress, self._plant.now(), taken_s)
        try:
            in_time = await self._limited(bench, KINDS[step.kind].run(bench, step.params, progress), limit_s - taken_s)
        finally:
            self._tick()
            self._entered = None
        progress = self.progress.get(step.name, progress)  # the one left to us, if the phase was left behind
        if not in_time:
            progress["elapsed_s"] = 0.0  # after a Restart it may take its time once more
            wish = progress.get("waiting_for")
            raise PhaseFailed(f"not done within its {limit_s:g} s{f'; it waited for {wish}' if wish else ''}")
        progress.pop("waiting_for", None)

    async def _limited(self, bench: Bench, work: Coroutine[Any, Any, None], limit_s: float) -> bool:
        """Run ``work`` on this bench for at most ``limit_s`` [line s]; False when it took longer."""
        self._bench = bench
        task = asyncio.create_task(work)
        clock = asyncio.create_task(self._plant.sleep(max(limit_s, 0.0)))
        try:
            await asyncio.wait({task, clock}, return_when=asyncio.FIRST_COMPLETED)
            is_done = task.done()
        finally:
            bench.is_live = False
            is_gone = await end_tasks([task, clock], CANCEL_PATIENCE_S)
            if not is_gone:
                self._leave_behind()
        if is_done:
            if task.cancelled():
                raise PhaseFailed("was cancelled from outside")
            task.result()
        else:
            clock.result()  # a clock that broke is not a time limit
        return is_done

    def _leave_behind(self) -> None:
        """A phase did not end when told. It is fenced; its progress is replaced by a copy it cannot reach."""
        self.progress = copy.deepcopy(self.progress)
        text = f"{self.name}: a phase did not end when told to; it is cut off from the plant"
        self._host.tell("run.phase_stuck", text, Severity.WARNING, unit=self.name)

    async def _restore(self, current: Step) -> None:
        """The operation's restart phases, then every output as it was last set by an earlier phase."""
        for step in self.unit.restarts.get(current.operation, ()):
            self._host.tell("run.phase", f"{self.name} restarts: {step.title.en}", unit=self.name, phase=step.name)
            await self._perform(step, {}, None)
        entries = self.wanted.but_of(current.name)
        if not entries:
            return
        bench = Bench(self._host, self._plant, self.name, "outputs", {}, None)
        names = ", ".join(str(entry.get("tag") or entry.get("loop")) for entry in entries)
        self._host.tell("run.outputs", f"{self.name}: sets again {names}", unit=self.name, outputs=entries)
        if not await self._limited(bench, self._set_again(bench, entries), self._host.ports.patience(RESTORE_LIMIT_S)):
            raise PhaseFailed(f"outputs were not as wanted within {RESTORE_LIMIT_S:g} s ({names})")

    async def _set_again(self, bench: Bench, entries: list[dict[str, Any]]) -> None:
        running = {s.params.command: s.params.running for s in self.unit.steps if isinstance(s.params, StationParams)}
        for entry in entries:
            if "loop" in entry:
                if entry["mode"] is not None:
                    await drive_loop(bench, entry["loop"], entry["mode"], entry["sp"], entry["op"])
            elif entry["value"] is True and entry["tag"] in running:
                await switch_station(bench, entry["tag"], running[entry["tag"]], True)
            else:
                await bench.set(entry["tag"], entry["value"])

    def _tick(self) -> None:
        """Bring the time taken up to date."""
        if self._entered is not None:
            progress, since, taken_s = self._entered
            progress["elapsed_s"] = taken_s + self._plant.now() - since

    def snapshot(self) -> dict[str, Any]:
        self._tick()
        return {"index": self.index, "progress": copy.deepcopy(self.progress), "wanted": self.wanted.as_json()}

    def load(self, snapshot: Mapping[str, Any]) -> None:
        index = int(snapshot["index"])
        if not 0 <= index <= len(self.unit.steps):
            raise ValueError(f"{self.name} has no phase {index}")
        self.index = index
        self.progress = {str(name): dict(progress) for name, progress in snapshot["progress"].items()}
        self.wanted = Wanted(snapshot["wanted"])

    def status(self, time_left_s: float) -> UnitStatus:
        self._tick()
        step = self.step
        progress = {} if step is None else self.progress.get(step.name, {})
        waits = self.waits_for_proceed
        return UnitStatus(
            name=self.name,
            title=self.unit.title,
            number=min(self.index + 1, len(self.unit.steps)),
            count=len(self.unit.steps),
            operation=None if step is None else step.operation_title,
            phase=None if step is None else step.name,
            kind=None if step is None else step.kind,
            phase_title=None if step is None else step.title,
            waiting_for=str(progress.get("waiting_for", "")),
            point=None if step is None else step.point,
            waits_for_proceed=waits,
            done_fraction=progress.get("done_fraction"),
            remaining_s=None if step is None else remaining_s(step, progress),
            elapsed_s=float(progress.get("elapsed_s", 0.0)),
            limit_s=None if step is None else step.limit_s,
            time_left_s=time_left_s,
            is_finished=self.is_finished,
        )
