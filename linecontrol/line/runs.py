"""The run in hand: starting it, commanding it, its totals, its record, and taking it up again after a crash."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from linecontrol.analysis.extraction import Extraction
from linecontrol.analysis.metrics import RUN_DATA, TRIAL_DATA
from linecontrol.core.errors import ConfigError, LineError, Problem, StateError, StorageError
from linecontrol.core.model import Event, Severity
from linecontrol.history import RecipeRow, RunRow, VersionRow
from linecontrol.line.limits import limits_in_force
from linecontrol.line.plant import LinePlant
from linecontrol.line.run_view import iso, run_view
from linecontrol.recipe.bench import Ports
from linecontrol.recipe.engine import Engine
from linecontrol.recipe.model import ControlRecipe
from linecontrol.recipe.states import ENDED, RunCommand, RunMode, RunState, legal

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

LOOK_BACK_S = 6.0
"""So long a start waits for a run of before to be taken up [real s]: who waits for the answer has 8 s."""
UNDER_WAY = frozenset(RunState) - ENDED - {RunState.IDLE}
_MODES = {mode.value.lower(): mode for mode in RunMode}


class RunDirector:
    """Directs the one run a line can have in hand, and answers for all it has had."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._limits = limits_in_force(line.config)
        self.engine: Engine | None = None
        self.extraction: Extraction | None = None
        self.on_view: Callable[[Mapping[str, Any]], None] | None = None
        self._base: dict[str, int] = {}
        self._final_counts: dict[str, int] | None = None
        self._alarms = 0
        self._roots: dict[str, str | None] = {}
        self._trial: dict[str, Any] = {}
        self._saved_at = float("-inf")
        self._saving: asyncio.Task[Any] | None = None
        self._starting = asyncio.Lock()
        self._looked_back = asyncio.Event()

    # -- state others ask for
    @property
    def state(self) -> RunState | None:
        return None if self.engine is None else self.engine.state

    @property
    def is_under_way(self) -> bool:
        return self.engine is not None and self.engine.state in UNDER_WAY

    def owner_of(self, tag: str) -> tuple[str, str] | None:
        """The recipe holds every actuator of the line while a run is under way, unless its mode is Manual."""
        engine = self.engine
        if engine is None or not self.is_under_way or engine.mode is RunMode.MANUAL:
            return None
        row = self._line.image.tags.get(tag)
        if row is None or row.station == self._line.soft_station:
            return None
        return "recipe", f"run {engine.run_id} is {engine.state} in {engine.mode}; change its mode to Manual first"

    def looked_back(self) -> None:
        """What an earlier controller left under way is in hand again, or there was nothing: runs may be started."""
        self._looked_back.set()

    async def _until_looked_back(self) -> None:
        """A run that is being taken up drives the same machines: no other may begin meanwhile. Raises StateError."""
        try:
            async with asyncio.timeout(LOOK_BACK_S):
                await self._looked_back.wait()
        except TimeoutError:
            raise StateError("not started: a run of before is still being taken up; try again in a moment") from None

    # -- commands
    async def start(
        self,
        recipe: str,
        values: Mapping[str, float | bool],
        *,
        who: str,
        mode: str = "automatic",
        run_id: str | None = None,
        lot: str | None = None,
        roots: Mapping[str, str] | None = None,
        trial: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Start a run; returns its view.

        ``lot``: of the roots in the hopper, as it is registered. ``roots``: what is known of them beside that, by
        ``RUN_DATA``; it goes into the record. ``trial``: on the twin, what it was made with, by ``TRIAL_DATA``.
        The same ``run_id`` again starts nothing and returns the run that has it, with ``is_repeat``. Raises ConfigError
        for a wrong recipe or value, StateError naming the failed permissives or the run in hand.
        """
        await self._until_looked_back()
        async with self._starting:
            if run_id is not None and self.engine is not None and self.engine.run_id == run_id:
                return self.view_of_current() | {"is_repeat": True}
            chosen = mode_named(mode)
            await self._line.book.load()
            control = self._line.book.prepare(recipe, values)
            known = self._line.lots.known(lot) if lot is not None else None
            of_lot = {"species": known.species, "season": known.season} if known is not None else {}
            if self.engine is not None and self.is_under_way:
                raise StateError(f"run {self.engine.run_id} is {self.engine.state}; Stop or Abort it first")
            failed = self._line.permissives(control, is_first=True)
            if failed:
                raise StateError("not started: " + "; ".join(failed))
            if run_id is not None and await self._line.historian.run(run_id) is not None:
                raise StateError(f"there has been a run {run_id!r} already")
            now = self._line.clock.now()
            await self._line.historian.save_recipe(
                RecipeRow(control.hash, control.name, control.version, control.text, now)
            )
            self._begin(control)
            self._roots = {name: (roots or {}).get(name) or of_lot.get(name) or None for name in RUN_DATA}
            self._trial = dict(trial or {})
            engine = self.engine = Engine(control, self._ports())
            name = run_id or self._new_id(control, now)
            self._line.bags.begin(name)
            engine.start(name, who, chosen)
            if lot is not None:
                await self._line.lots.use(name, lot, who=who, note="in the hopper at the start")
            return self.view_of_current()

    async def command(self, run_id: str, command: str, *, who: str, reason: str = "") -> dict[str, Any]:
        """Give the run in hand a command; returns its view. Raises StateError with the reason when it is not legal."""
        engine = self.engine
        if engine is None or engine.run_id != run_id:
            raise StateError(f"run {run_id!r} is not in hand")
        word = command.strip().lower()
        if word in _MODES:
            engine.set_mode(_MODES[word], who)
        elif word in ("proceed", "answer"):
            self._proceed(engine, who)
        else:
            try:
                wanted = RunCommand(word.capitalize())
            except ValueError:
                accepted = ", ".join(c.value.lower() for c in RunCommand if c is not RunCommand.START)
                more = f"{accepted}, proceed, {', '.join(_MODES)}"
                raise ConfigError([Problem("", None, "command", f"{command!r} is not a command", more)]) from None
            if wanted is RunCommand.START:
                raise StateError("a run is started once; start another with POST /runs")
            goes_on = wanted in (RunCommand.RESTART, RunCommand.RESUME) and wanted in legal(engine.state)
            if goes_on and (failed := self._line.permissives(engine.recipe, is_first=False)):
                raise StateError(f"no {wanted} yet: " + "; ".join(failed))
            engine.command(wanted, who, reason)
        return self.view_of_current()

    @staticmethod
    def _proceed(engine: Engine, who: str) -> None:
        """Answer every prompt and let every waiting phase begin."""
        status = engine.status()
        waiting = [unit.name for unit in status.units if unit.waits_for_proceed]
        if not status.prompts and not waiting:
            raise StateError(f"run {engine.run_id}: nothing waits for an answer or a proceed")
        for prompt in status.prompts:
            engine.answer(prompt.id, who)
        for unit in waiting:
            engine.proceed(unit, who)

    def hold(self, text: str, cause: str, zh: str = "") -> None:
        """Hold the run because of the plant. Does nothing when there is none to hold."""
        if self.engine is not None and self.engine.state in (
            RunState.RUNNING,
            RunState.PAUSING,
            RunState.PAUSED,
            RunState.RESTARTING,
        ):
            self.engine.command(RunCommand.HOLD, "controller", text, cause, zh)

    def stop(self, text: str, cause: str, zh: str = "") -> None:
        """Stop the run because of the plant. Does nothing when there is none to stop."""
        if self.engine is not None and RunCommand.STOP in legal(self.engine.state):
            self.engine.command(RunCommand.STOP, "controller", text, cause, zh)

    async def finished(self, run_id: str) -> None:
        """Wait until the run has ended, or was Held by something other than a person (which then needs one)."""
        engine = self.engine
        if engine is None or engine.run_id != run_id:
            return
        while True:
            await engine.wait_for(*ENDED, RunState.HELD)
            await engine.settled()
            by_person = engine.reason is not None and engine.reason.cause == "operator"
            if engine.state in ENDED or (engine.state is RunState.HELD and not by_person):
                return
            await self._line.clock.sleep(1.0)

    async def settled(self, patience_s: float = 10.0) -> None:
        """Wait until the run rests in a state that waits for a command, at most ``patience_s`` [real s]."""
        if self.engine is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self.engine.settled()

    # -- the control cycle's share
    def tick(self, dt_s: float, now: float) -> None:
        """Once per control cycle: totals, and now and then the record."""
        if self.engine is None or self.extraction is None:
            return
        if self.is_under_way:
            self.extraction.advance(self._line.image.as_of(now), dt_s)
            self._line.balances.tick(now)
            real = self._line.clock.real()
            if real - self._saved_at >= self._line.wiring.save_period_s and (
                self._saving is None or self._saving.done()
            ):
                self._saved_at = real
                self._saving = asyncio.ensure_future(self.engine.save())
        elif self.engine.state in ENDED:
            self._line.balances.ended(self.engine.run_id)
        self._line.balances.again(now)
        if self.on_view is not None:
            self.on_view(self.view_of_current())

    def count_alarm(self) -> None:
        """A person was told of an alarm."""
        if self.is_under_way:
            self._alarms += 1

    # -- records
    def _begin(self, control: ControlRecipe) -> None:
        self.extraction = self._line.new_extraction(control.values)
        now = self._line.clock.now()
        if self.extraction is not None:
            self.extraction.advance(self._line.image.as_of(now), 0.0)
        self._line.balances.begin()
        self._alarms = 0
        self._line.haccp.begin()
        self._final_counts = None
        self._base = {key: -count for key, count in self._counts().items()}

    def _counts(self) -> dict[str, int]:
        """Running totals of this process, of which the record shows the run's share."""
        counts = {"samples": self._line.historian.counters.accepted}
        for name, station in self._line.stations.items():
            key = self._line.config.stations[name].endpoint.protocol
            counts[key] = counts.get(key, 0) + station.link.counters.reads
        return counts

    def _run_counts(self, engine: Engine) -> dict[str, int]:
        """The run's share of the totals; it stands still once the run has ended."""
        if self._final_counts is not None:
            return dict(self._final_counts)
        counts = {key: count + self._base.get(key, 0) for key, count in self._counts().items()}
        if engine.state in ENDED:
            self._final_counts = counts
        return dict(counts)

    def current_record(self) -> dict[str, Any]:
        """The batch record of the run in hand, as it stands."""
        engine = self.engine
        if engine is None:
            raise StateError("there is no run in hand")
        counts = self._run_counts(engine)
        measured = self.extraction.record() if self.extraction is not None else {}
        return {
            "run_id": engine.run_id,
            "recipe": engine.recipe.name,
            "recipe_hash": engine.recipe.hash,
            "state": engine.state.value,
            "started_at": iso(engine.started_at),
            "ended_at": iso(engine.ended_at),
            "utc_offset_s": self._line.clock.ahead_of_utc_s(engine.started_at or self._line.clock.now()),
            **measured,
            **self._line.balances.fields(engine.run_id, measured.get("powder_kg") or 0.0),
            "samples": counts.pop("samples"),
            "reads": {"modbus": counts.get("modbus", 0), "opcua": counts.get("opcua", 0)},
            "alarms": self._alarms,
            "line": self._line.config.line.name,
            **self._limits,
            "simulated": self._line.config.line.simulated,
            "recipe_version": engine.recipe.version,
            "values": engine.recipe.values,
            **self._roots,
            **self._trial,
            "mode": engine.mode.value,
            "reason": engine.reason.text if engine.reason is not None else None,
            "reason_zh": (engine.reason.zh or None) if engine.reason is not None else None,
            **self._line.haccp.record(),
        }

    async def record(self, run_id: str, patience_s: float = 5.0) -> dict[str, Any] | None:
        """The batch record of any run; None when there is none of that id.

        The balance of a run that has just ended is waited for, so long [real s]; on a busy machine it comes later.
        """
        engine = self.engine
        if engine is not None and engine.run_id == run_id:
            if engine.state in ENDED:
                self._line.balances.ended(run_id)
                await self._line.balances.settled(run_id, patience_s)
            return self.current_record()
        row = await self._line.historian.run(run_id)
        return None if row is None else row.record

    async def versions(self, run_id: str) -> list[VersionRow]:
        """Every version of a run's record, the first first. Raises StorageError."""
        return await self._line.historian.versions(run_id)

    async def spans(self, limit: int = 200) -> list[tuple[str, float | None, float | None]]:
        """Name, start and end [line s] of the latest runs, newest first; None = not yet. Raises StorageError."""
        found = []
        if self.engine is not None and self.engine.run_id:
            found.append((self.engine.run_id, self.engine.started_at, self.engine.ended_at))
        kept = await self._line.historian.runs(limit)
        return found + [(r.run_id, r.started_at, r.ended_at) for r in kept if not found or r.run_id != found[0][0]]

    async def records(self, limit: int) -> list[dict[str, Any]]:
        """Records, newest first, without the balances behind their yields."""
        rows = [without_balance(row.record) for row in await self._line.historian.runs(limit)]
        current = without_balance(self.current_record()) if self.engine is not None and self.engine.run_id else None
        if current is None:
            return rows
        return [current, *(row for row in rows if row.get("run_id") != current["run_id"])][:limit]

    def view(self) -> dict[str, Any] | None:
        """The run in hand for people; None when there is none."""
        return None if self.engine is None else self.view_of_current()

    def view_of_current(self) -> dict[str, Any]:
        engine = self.engine
        if engine is None:
            raise StateError("there is no run in hand")
        now = self._line.clock.now()
        return run_view(engine.status(), now, self._line.bank.view(now), without_balance(self.current_record()))

    # -- keeping and taking up
    async def _save(self, snapshot: dict[str, Any]) -> None:
        engine = self.engine
        if engine is None or not engine.run_id:
            return
        self._line.bags.save()
        await self._line.historian.save_run(
            RunRow(
                run_id=engine.run_id,
                recipe=engine.recipe.name,
                recipe_hash=engine.recipe.hash,
                state=engine.state.value,
                updated_at=self._line.clock.now(),
                started_at=engine.started_at,
                ended_at=engine.ended_at,
                record=self.current_record(),
                snapshot={
                    "engine": snapshot,
                    "extraction": self.extraction.to_dict() if self.extraction is not None else None,
                    "sums": self._line.balances.state(),
                    "guard": self._line.guard.to_dict() if self._line.guard is not None else None,
                    "haccp": self._line.haccp.to_dict(),
                    "bags": self._line.bags.to_dict(),
                    "counts": self._run_counts(engine),
                    "alarms": self._alarms,
                },
            )
        )

    async def unfinished(self) -> RunRow | None:
        """The run a stopped controller left under way."""
        row = await self.last()
        return row if row is not None and row.snapshot and RunState(row.state) in UNDER_WAY else None

    async def last(self) -> RunRow | None:
        """The run saved last; None when there is none, or the history is away."""
        try:
            return await self._line.historian.last_run()
        except StorageError:
            return None

    async def take_up(self, row: RunRow) -> None:
        """Go on with a run that was under way: it is Held, and says why and since when. Heat does not come back."""
        snapshot = row.snapshot
        control = ControlRecipe.from_text(snapshot["engine"]["recipe"]["text"], snapshot["engine"]["recipe"]["values"])
        self.extraction = self._line.new_extraction(control.values, snapshot["extraction"])
        self._line.balances.restore(snapshot.get("sums"))
        if self._line.guard is not None and snapshot["guard"] is not None:
            self._line.guard.restore(snapshot["guard"])
        self._line.haccp.take_up(snapshot.get("haccp"))
        self._alarms = int(snapshot["alarms"])
        self._roots = {name: row.record.get(name) for name in RUN_DATA}
        self._trial = {name: row.record[name] for name in TRIAL_DATA if name in row.record}
        self._final_counts = None
        here = self._counts()
        self._base = {key: int(snapshot["counts"].get(key, 0)) - here.get(key, 0) for key in here}
        await self._line.bags.take_up(row.run_id, snapshot.get("bags"))
        self.engine = Engine.resume(snapshot["engine"], self._ports())

    async def close_as_lost(self, row: RunRow) -> None:
        """Record a run as Aborted whose plant is gone (a simulated one that ended with its controller)."""
        text = "the simulated plant it ran on is gone"
        record = {**row.record, "state": RunState.ABORTED.value, "reason": text}
        with contextlib.suppress(LineError):
            await self._line.historian.save_run(
                RunRow(
                    row.run_id,
                    row.recipe,
                    row.recipe_hash,
                    RunState.ABORTED.value,
                    self._line.clock.now(),
                    row.started_at,
                    row.updated_at,
                    record,
                )
            )

    async def let_go(self) -> None:
        """Nothing is driven by the run any more; its state stays, and the next start takes it up as Held."""
        if self.engine is not None:
            await self.engine.close()

    async def save(self) -> None:
        """Record the run as it stands. Takes as long as the history does."""
        if self.engine is not None:
            await self.engine.save()

    def _ports(self) -> Ports:
        line = self._line

        def event(kind: str, text: str, severity: Severity, data: dict[str, Any]) -> None:
            rest = {key: value for key, value in data.items() if key != "active"}
            run_id = str(data.get("run_id", "run"))
            line.emit(Event(line.clock.now(), kind, run_id, text, severity, data.get("active"), rest))

        return Ports(
            now=line.clock.now,
            plant=lambda unit: LinePlant(line, unit),
            safe=line.drive_safe,
            save=self._save,
            event=event,
            patience=line.clock.patience,
        )

    def _new_id(self, control: ControlRecipe, now: float) -> str:
        return f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{control.name}"


def without_balance(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as a list or a live view has room for: its yields and figures, not the streams behind them."""
    return {key: value for key, value in record.items() if key != "balance"}


def mode_named(word: str) -> RunMode:
    """Raises ConfigError saying which modes there are."""
    try:
        return _MODES[word.strip().lower()]
    except KeyError:
        raise ConfigError([Problem("", None, "mode", f"{word!r} is not a mode", ", ".join(_MODES))]) from None
