"""The balance of the run in hand, and new versions of finished runs' records when the laboratory speaks later.

Reconciling is slow arithmetic: it is done in a process of its own, once when a run has ended and once for every
laboratory value that comes after. Nothing of it touches the control cycle but the running sums.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from linecontrol.analysis.run_balance import Inputs, LabValue, balance_record
from linecontrol.analysis.run_sums import RunSums
from linecontrol.config.balance import SHARE_OF
from linecontrol.control.meter_bias import Verdict
from linecontrol.core.errors import ConfigError, LineError
from linecontrol.core.model import Event, Severity
from linecontrol.history import RunRow, VersionRow
from linecontrol.line.aside import aside
from linecontrol.line.balance_inputs import balance_sums, equation_problems, run_footprint, run_inputs
from linecontrol.line.run_view import iso
from linecontrol.recipe.states import ENDED, RunState

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

PATIENCE_S = 10.0  # that a person waits for the version a value makes [real s]
AGAIN_S = 60.0  # between tries at a version that could not be made [line s]
_ENDED = frozenset(state.value for state in ENDED)
CONTROLLER = "controller"


def is_of_roots(record: Mapping[str, Any]) -> bool:
    """Whether a run has anything to balance: a cleaning run has not."""
    return record.get("root_kg") != 0.0


class BalanceDesk:
    """Balances of one line's runs. ``tick`` once per control cycle while a run is under way.

    Raises ConfigError for equations that cannot be read.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        problems = equation_problems(line.config)
        if problems:
            raise ConfigError(problems)
        self.sums: RunSums | None = balance_sums(line.config)
        self._run_id = ""
        self._found: dict[str, Any] = {}
        self._finishing: asyncio.Task[None] | None = None
        self._revising = asyncio.Lock()
        self._due: dict[str, tuple[str, str]] = {}
        self._trying: asyncio.Task[None] | None = None
        self._next_s = -math.inf
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the run in hand
    def begin(self) -> None:
        """A run begins: its sums begin from here."""
        self.sums, self._found, self._run_id = balance_sums(self._line.config), {}, ""
        self.tick(self._line.clock.now())

    def tick(self, now: float) -> None:
        """Take in one look at the image."""
        if self.sums is not None:
            self.sums.advance(self._line.image.as_of(now))

    def state(self) -> dict[str, Any] | None:
        """For the run's snapshot."""
        return None if self.sums is None else self.sums.to_dict()

    def restore(self, saved: Mapping[str, Any] | None) -> None:
        """Go on with what a stopped controller had saved; None = it had nothing, and this run gets no balance."""
        self.begin()
        if saved is None:
            self.sums = None
        elif self.sums is not None:
            self.sums.restore(saved)

    def fields(self, run_id: str, powder_kg: float) -> dict[str, Any]:
        """The part of the run's record that is known here: what it took so far; its balance once it has ended."""
        if self.sums is None:
            return {}
        took = run_footprint(self._line.config, self.sums, powder_kg)
        return took | (self._found if run_id == self._run_id else {})

    def ended(self, run_id: str) -> None:
        """The run in hand has ended: make its balance, once."""
        if self._run_id == run_id or self.sums is None or self._line.config.line.balance is None:
            return
        self._run_id, self._found = run_id, {}
        self._finishing = asyncio.ensure_future(self._finish(run_id, self._line.runs.current_record(), self.sums))

    async def settled(self, run_id: str, patience_s: float) -> None:
        """Wait until the balance of the run in hand is there, if it is being made; at most so long."""
        if self._run_id == run_id and self._finishing is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if math.isinf(patience_s) else patience_s):
                    await asyncio.shield(self._finishing)

    async def _finish(self, run_id: str, record: dict[str, Any], sums: RunSums) -> None:
        balance = self._line.config.line.balance
        if balance is None or not is_of_roots(record):
            return
        is_complete = record["state"] == RunState.COMPLETE.value
        inputs = run_inputs(self._line.config, balance, sums, is_complete=is_complete)
        try:
            await self._make(run_id, record, inputs, 1, CONTROLLER, "the run has ended")
        except LineError as error:
            self._not_made(run_id, CONTROLLER, "the run has ended", error)

    async def take_up(self, row: RunRow | None) -> None:
        """Make the balance of a run that ended just before the controller did."""
        if row is None or row.state not in _ENDED or "balance" in row.record or not row.snapshot.get("sums"):
            return
        sums = balance_sums(self._line.config)
        if sums is not None:
            sums.restore(row.snapshot["sums"])
            await self._finish(row.run_id, row.record, sums)

    # -- versions
    async def revise(self, run_id: str, who: str, why: str) -> None:
        """The laboratory has spoken of a run: if it has ended, its record gets a new version. Tried again when the
        history is away. On a busy machine it goes on behind, after ``PATIENCE_S``."""
        task = asyncio.ensure_future(self._revise(run_id, who, why))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(task)

    async def _revise(self, run_id: str, who: str, why: str) -> None:
        try:
            async with self._revising:
                await self.settled(run_id, math.inf)  # the first version may not know this value: it comes after
                record = await self._line.runs.record(run_id)
                if record is None or record["state"] not in _ENDED or not record.get("balance"):
                    return  # the run's own end will take the value in
                inputs = Inputs.from_dict(record["balance"]["inputs"])
                await self._make(run_id, record, inputs, int(record["version"]) + 1, who, why)
        except LineError as error:
            self._not_made(run_id, who, why, error)

    async def _make(
        self, run_id: str, record: Mapping[str, Any], inputs: Inputs, version: int, who: str, why: str
    ) -> None:
        line = self._line
        found = await aside(balance_record, inputs, await self._laboratory(run_id, record), run_id)
        now = line.clock.now()
        found |= {"version": version, "version_at": iso(now), "version_by": who, "version_why": why}
        if self._run_id == run_id:
            self._found = found
        await line.historian.save_version(VersionRow(run_id, version, now, who, why, {**record, **found}))
        if version > 1:
            text = f"the record of {run_id} has version {version}: {why} ({who})"
            line.emit(Event(now, "run.version", run_id, text, data={"version": version}))
        gross = found["balance"].get("gross_error")
        if gross is not None and gross["found"]:
            text = f"{run_id}, balance: {found['balance']['statement']}"
            line.emit(Event(now, "balance.gross_error", run_id, text, Severity.WARNING))

    def _not_made(self, run_id: str, who: str, why: str, error: LineError) -> None:
        """Told once; tried again every minute."""
        now = self._line.clock.now()
        if run_id not in self._due:
            text = f"{run_id}: its record could not be brought up to date ({error}); it is tried again"
            self._line.emit(Event(now, "run.version", run_id, text, Severity.WARNING))
        self._due[run_id] = (who, why)
        self._next_s = now + AGAIN_S

    def again(self, now: float) -> None:
        """Once per control cycle: versions that could not be made are tried again now and then."""
        if self._due and now >= self._next_s and (self._trying is None or self._trying.done()):
            self._trying = asyncio.ensure_future(self._try_due())

    async def _try_due(self) -> None:
        self._next_s = self._line.clock.now() + AGAIN_S
        for run_id, (who, why) in list(self._due.items()):
            del self._due[run_id]
            if run_id == self._run_id and "version" not in self._found and self.sums is not None:
                await self._finish(run_id, self._line.runs.current_record(), self.sums)
            else:
                await self.revise(run_id, who, why)

    def close(self) -> None:
        """The line ends; what is not made yet is made from the run's snapshot at the next start."""
        for task in self._under_way():
            task.cancel()

    async def closed(self) -> None:
        """After ``close``: nothing of it is left, its process neither."""
        await asyncio.gather(*self._under_way(), return_exceptions=True)

    def _under_way(self) -> list[asyncio.Task[Any]]:
        return [task for task in (self._finishing, self._trying, *self._tasks) if task is not None]

    async def _laboratory(self, run_id: str, record: Mapping[str, Any]) -> list[LabValue]:
        """Everything the laboratory has said of a run and that is believed.

        A check of a meter that the book of the meters does not have in hand (it is old, or the controller has just
        begun) is taken as the record has it.
        """
        line = self._line
        kept = (record.get("balance") or {}).get("laboratory", [])
        old = [LabValue(**row) for row in kept if row["meter"] is not None and not line.lab.has(row["lab_id"])]
        found = [*old, *await line.samples.of_run(run_id)]
        for meter in line.config.line.laboratory:
            share = SHARE_OF.get(next(tag.unit for tag in line.config.tags if tag.name == meter.tag))
            if share is None:
                continue
            for row, mean, verdict in line.lab.of_run(meter.tag, run_id):
                if verdict is Verdict.USED:
                    found.append(
                        LabValue(
                            row.lab_id,
                            row.tag,
                            row.value * share,
                            row.u * share,
                            meter.sampling_u * share,
                            mean * share,
                        )
                    )
        return found
