"""Runs one control recipe: the run's state machine, its commands and modes, and how it survives a crash.

A command is judged and takes effect in one step, without waiting: of two at the same instant one wins and the other is
told why. What has to be done then (recall the phases, safe outputs, record) is done by one driving task, which a later
command may interrupt at any point; so Stop and Abort are accepted even while a phase hangs or safe outputs are slow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from linecontrol.core.errors import ConfigError, StateError, StorageError
from linecontrol.core.model import Severity
from linecontrol.recipe import record
from linecontrol.recipe.bench import Points, Ports, Pulse, end_tasks
from linecontrol.recipe.model import ControlRecipe
from linecontrol.recipe.progress import Prompt, Reason, RunStatus
from linecontrol.recipe.record import ACTIVE, Run
from linecontrol.recipe.states import DONE, ENDED, TRANSIENT, RunCommand, RunMode, RunState, after
from linecontrol.recipe.unit import CANCEL_PATIENCE_S, UnitRun

SAFE_DEADLINE_S = 30.0  # real time until "safe outputs not confirmed" is told and the state goes on
SAVE_DEADLINE_S = 10.0  # real time until a record that does not come back is told and left
_SAFE = {RunState.HOLDING: "held", RunState.STOPPING: "stopped", RunState.ABORTING: "aborted"}


class Engine:
    """One recipe on one line; one run at a time."""

    def __init__(self, recipe: ControlRecipe, ports: Ports) -> None:
        self.recipe = recipe
        self.ports = ports
        self.pulse = Pulse()
        self._driver: asyncio.Task[None] | None = None
        self._savers: set[asyncio.Task[bool]] = set()
        self._save_lock = asyncio.Lock()
        self._seq = 0
        self._is_recorded = True
        self._has_alarm = False
        self._run = self._blank()

    def _blank(self) -> Run:
        """A run that has not begun: what a Reset leads to."""
        units = {unit.name: UnitRun(unit, self) for unit in self.recipe.units}
        return Run(self.recipe, units, Points(self.recipe.points))

    @property
    def run_id(self) -> str:
        return self._run.run_id

    @property
    def state(self) -> RunState:
        return self._run.state

    @property
    def mode(self) -> RunMode:
        return self._run.mode

    @property
    def reason(self) -> Reason | None:
        """Why the run is Held, Paused, Stopped or Aborted; None while it goes well."""
        return self._run.reason

    @property
    def started_at(self) -> float | None:
        """Line time [s since 1970]; None = not yet."""
        return self._run.started_at

    @property
    def ended_at(self) -> float | None:
        """Line time [s since 1970]; None = not yet."""
        return self._run.ended_at

    @property
    def points(self) -> Points:
        return self._run.points

    # ---- commands ----

    def start(self, run_id: str, who: str, mode: RunMode = RunMode.AUTOMATIC) -> str:
        """Start; returns the run id. The same start again changes nothing and returns the same id.

        Raises StateError with the reason when another run is on.
        """
        if not run_id or len(run_id) > 80:
            raise ValueError("a run id has 1 to 80 characters")
        if self.state is not RunState.IDLE and self.run_id == run_id:
            return run_id
        self._judge(RunCommand.START)
        run = self._run
        run.run_id, run.mode, run.started_at = run_id, mode, self.ports.now()
        run.restores = mode is RunMode.MANUAL
        self._enter(RunState.RUNNING, who, f"started by {who}")
        return run_id

    def command(
        self, command: RunCommand, who: str, reason: str = "", cause: str = "operator", reason_zh: str = ""
    ) -> RunState:
        """Give any command but Start; returns the state it led to, at once. Raises StateError with the reason.

        ``reason_zh``: the reason in Chinese, where it is known.
        """
        if command is RunCommand.START:
            raise ValueError("start() starts a run: it takes a run id")
        target = self._judge(command)
        text = f"{command} by {who}{f': {reason}' if reason else ''}"
        if command is not RunCommand.RESET:
            self._run.reason = Reason(reason or text, cause, self.ports.now(), who, reason_zh)
        if command in (RunCommand.RESTART, RunCommand.RESUME):
            self._run.reason = None
        self._enter(target, who, text)
        if command is RunCommand.RESET:
            self._run = self._blank()
        return self.state

    def _judge(self, command: RunCommand) -> RunState:
        try:
            return after(self.state, command)
        except StateError as error:
            raise StateError(f"run {self.run_id}: {error}" if self.run_id else str(error)) from None

    def set_mode(self, mode: RunMode, who: str) -> None:
        """Automatic, Semi-automatic or Manual, at any time; recorded with who took over.

        Manual ends the phases that run, leaves the outputs as they are, and lets none begin. Leaving Manual, the recipe
        sets the outputs it wants again, as after a Restart, and its phases go on.
        """
        if mode is self.mode:
            return
        old, self._run.mode = self.mode, mode
        if mode is RunMode.MANUAL:
            self._run.restores = True
            if self.state in ACTIVE:
                self._recall()
        self.tell("run.mode", f"{mode}, was {old}, by {who}", who=who, mode=mode.value, was=old.value)
        self.pulse.beat()
        task = asyncio.create_task(self.save(), name="recipe mode record")
        self._savers.add(task)
        task.add_done_callback(self._savers.discard)

    def proceed(self, unit: str, who: str) -> None:
        """Let the next phase of this unit procedure begin (Semi-automatic). Raises StateError when none waits."""
        run = self._run.units.get(unit)
        step = None if run is None else run.step
        if self.mode is not RunMode.SEMI_AUTOMATIC or run is None or step is None or not run.waits_for_proceed:
            waiting = ", ".join(u.name for u in self._run.units.values() if u.waits_for_proceed) or "none"
            raise StateError(f"{unit} waits for no proceed (mode {self.mode}; waiting: {waiting})")
        self._run.proceeds[unit] = step.name
        self.tell("run.proceed", f"{unit}: {step.title.en}, by {who}", unit=unit, phase=step.name, who=who)
        self.pulse.beat()

    def answer(self, prompt_id: str, who: str) -> None:
        """Answer a prompt. Raises StateError when it is not asked (any more)."""
        found = next((prompt for prompt in self.prompts() if prompt.id == prompt_id), None)
        if found is None:
            raise StateError(f"prompt {prompt_id} is not asked now (answered already, or the run is {self.state})")
        self._run.units[found.unit].progress[found.phase]["answered_by"] = who
        self.tell("run.answer", f"{found.text.en}: {who}", unit=found.unit, phase=found.phase, who=who)
        self.pulse.beat()

    # ---- the state machine ----

    def _enter(self, state: RunState, who: str, text: str) -> None:
        """The one place where the state changes."""
        old, self._run.state = self.state, state
        if state in _SAFE:
            self._recall()
        if state in ENDED:
            self._run.ended_at = self.ports.now()
        self.tell("run.state", f"{old} to {state}: {text}", who=who, was=old.value, to=state.value)
        self._alarm(text)
        self.pulse.beat()
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive(), name="recipe engine")

    def _alarm(self, text: str) -> None:
        """One alarm for a hold nobody asked for; it ends when a person restarts, stops or aborts the run."""
        reason, is_held = self._run.reason, self.state in (RunState.HOLDING, RunState.HELD)
        is_due = is_held and reason is not None and reason.cause != "operator"
        if is_due is not self._has_alarm:
            self._has_alarm = is_due
            severity = Severity.ALARM if is_due else Severity.INFO
            zh = {"zh": reason.zh} if is_due and reason is not None and reason.zh else {}
            self.tell("run.held", text if is_due else f"no longer held: {text}", severity, active=is_due, **zh)

    async def _drive(self) -> None:
        while True:
            while self.state in TRANSIENT:
                await self._pass_through(self.state)
            await self.save()
            if self.state not in TRANSIENT:
                self.pulse.beat()
                return

    async def _pass_through(self, here: RunState) -> None:
        """Do what this transient state is for, until it is done or a command or failure has led elsewhere."""
        work = asyncio.create_task(self._work_of(here))
        moved = asyncio.create_task(self.pulse.until(lambda: self.state is not here))
        try:
            await asyncio.wait({work, moved}, return_when=asyncio.FIRST_COMPLETED)
            if self.state is not here:
                return
            error = None if work.cancelled() else work.exception()
            if error is not None and here in ACTIVE:
                self._hold_for(f"internal error, {type(error).__name__}: {error}", "controller")
                return
            if error is not None or work.cancelled():
                self._tell_unsafe(_SAFE.get(here, "stopped"), str(error))
            self._enter(DONE[here], "engine", "done")
        finally:
            await end_tasks([work, moved], CANCEL_PATIENCE_S)

    async def _work_of(self, state: RunState) -> None:
        if state in _SAFE:
            await self._everybody_gone()
            await asyncio.gather(self._safe(_SAFE[state]), self.save())
        elif state is RunState.RUNNING:
            await self._run_units()
        elif state is RunState.PAUSING:
            await asyncio.gather(
                self.save(), self.pulse.until(lambda: all(u.is_at_breakpoint for u in self._run.units.values()))
            )
        else:
            await self.save()
            await self._restart()

    async def _run_units(self) -> None:
        is_first = all(u.index == 0 and not u.progress for u in self._run.units.values())
        if not await self.save() and is_first:
            self._hold_for("the start could not be recorded", "controller")
            return
        while not self._run.is_finished:
            if self._run.restores:
                await self._everybody_gone()
                await self.pulse.until(lambda: self.mode is not RunMode.MANUAL)
            await self._begin_units()
            await self.pulse.until(lambda: self._run.restores or self._run.is_finished)
        await self._everybody_gone()
        await self._safe("stopped")

    async def _restart(self) -> None:
        self._run.restores = True
        if self.mode is RunMode.MANUAL:
            return  # the outputs are the operator's until Manual is left
        await self._begin_units()
        units = self._run.units.values()
        await self.pulse.until(lambda: self._run.restores or all(u.is_ready or u.is_finished for u in units))

    async def _begin_units(self) -> None:
        idle = [unit for unit in self._run.units.values() if not unit.is_finished and not unit.is_on_its_way]
        for unit in idle:
            await unit.gone()
        # looked at again after the wait, and nothing waits from here on: a Hold or Manual from now on recalls them
        if self.state in (RunState.RUNNING, RunState.RESTARTING) and self.mode is not RunMode.MANUAL:
            for unit in idle:
                unit.begin(self._run.restores)
            self._run.restores = False

    def _recall(self) -> None:
        for unit in self._run.units.values():
            unit.recall()

    async def _everybody_gone(self) -> None:
        await asyncio.gather(*(unit.gone() for unit in self._run.units.values()))

    async def _safe(self, kind: str) -> None:
        """Safe outputs; what goes wrong is told and added to the reason, and never keeps the run from its state."""
        try:
            async with asyncio.timeout(SAFE_DEADLINE_S):
                await self.ports.safe(kind)
        except TimeoutError:
            self._tell_unsafe(kind, f"not confirmed within {SAFE_DEADLINE_S:g} s")
        except Exception as error:  # noqa: BLE001 - top edge: whatever the line could not do, the state machine goes on
            self._tell_unsafe(kind, str(error) or type(error).__name__)

    def _tell_unsafe(self, kind: str, why: str) -> None:
        text = f"safe outputs ({kind}) failed: {why}"
        self.tell("run.safe_failed", text, Severity.ALARM, safe=kind)
        if (old := self._run.reason) is not None:
            zh = f"{old.zh}；{text}" if old.zh else ""
            self._run.reason = Reason(f"{old.text}; {text}", old.cause, old.since, old.who, zh)

    def _hold_for(self, text: str, cause: str) -> None:
        if self.state in ACTIVE:
            self._run.reason = Reason(text, cause, self.ports.now(), "engine")
            self._enter(RunState.HOLDING, "engine", text)

    # ---- what unit procedures ask of their host ----

    def may_begin(self, unit: str, step: str, is_begun: bool) -> bool:
        if self.state is not RunState.RUNNING or self.mode is RunMode.MANUAL:
            return False
        return self.mode is RunMode.AUTOMATIC or is_begun or self._run.proceeds.get(unit) == step

    def fail(self, unit: str, title: str, text: str) -> None:
        self.tell("run.phase_failed", f"{unit}, {title}: {text}", Severity.WARNING, unit=unit)
        self._hold_for(f"{unit}, {title}: {text}", "phase")

    def tell(self, kind: str, text: str, severity: Severity = Severity.INFO, **about: Any) -> None:
        self.ports.event(kind, text, severity, {"run_id": self.run_id, **about})

    async def save(self) -> bool:
        """Record the run now; False (and one event per outage) when the port fails or does not come back."""
        try:
            async with asyncio.timeout(SAVE_DEADLINE_S), self._save_lock:
                await self.ports.save(self.snapshot())
        except Exception as error:  # noqa: BLE001 - top edge: a run that cannot be recorded is told, not killed
            if self._is_recorded:
                self.tell("run.not_recorded", str(error) or type(error).__name__, Severity.ALARM, active=True)
            self._is_recorded = False
            return False
        if not self._is_recorded:
            self.tell("run.recorded", "the run is recorded again", active=False)
        self._is_recorded = True
        return True

    # ---- what others see ----

    def prompts(self) -> tuple[Prompt, ...]:
        """Questions that wait for an answer now."""
        return record.prompts(self._run)

    def status(self) -> RunStatus:
        return record.status(self._run)

    def snapshot(self) -> dict[str, Any]:
        """All that is needed to go on after a crash, JSON-able. Cheap: ask for it every two seconds and keep it."""
        self._seq += 1
        return record.snapshot(self._run, self._seq, self.ports.now())

    async def wait_for(self, *states: RunState) -> RunState:
        """Wait until the run is found in one of these states; returns it."""
        await self.pulse.until(lambda: self.state in states)
        return self.state

    async def settled(self) -> RunState:
        """Wait until the state is quiescent and recorded; returns it."""
        while self._driver is not None and not self._driver.done():
            await asyncio.wait({self._driver})
        return self.state

    # ---- life ----

    @classmethod
    def resume(cls, snapshot: Mapping[str, Any], ports: Ports) -> Engine:
        """The run of this snapshot, after the controller has stopped without warning.

        A run that was under way goes to its safe outputs and is then Held, and says since when; nothing else is written
        until a person restarts it. One that was stopping or aborting is brought to that end.
        Raises StorageError when the snapshot cannot be read.
        """
        try:
            engine = cls(record.frozen_recipe(snapshot), ports)
            engine._take_over(snapshot)
        except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
            raise StorageError(f"the recorded run cannot be read: {type(error).__name__}: {error}") from error
        return engine

    def _take_over(self, snapshot: Mapping[str, Any]) -> None:
        record.load(self._run, snapshot)
        self._seq = int(snapshot["seq"])
        was, stopped_at, reason = self.state, float(snapshot["line_time"]), self.reason
        if was is RunState.IDLE or was in ENDED:
            return
        if was in (RunState.STOPPING, RunState.ABORTING):
            self._enter(was, "engine", "the controller had stopped meanwhile")
            return
        if reason is None or reason.cause != "controller":  # a second crash while Held tells of the first
            when = datetime.fromtimestamp(stopped_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            before = f" ({reason.text[:200]})" if reason is not None else ""
            text = f"controller stopped at {when}, the run was {was}{before}; resume with Restart"
            reason = Reason(text, "controller", stopped_at, "engine")
        self._run.reason = reason
        self._enter(RunState.HOLDING, "engine", reason.text)

    async def close(self) -> None:
        """Let go without changing the run's state: the controller ends. ``resume`` goes on from the last snapshot."""
        self._recall()
        driver = [] if self._driver is None else [self._driver]
        await end_tasks([*driver, *self._savers], 3 * CANCEL_PATIENCE_S)
        await self._everybody_gone()
