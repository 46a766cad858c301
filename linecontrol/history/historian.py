"""The historian: keeps samples, events, commands and runs of one line, and answers for ranges of them.

The event loop only ever puts rows into memory; one thread (writer.py) makes them durable at least every ``flush_s``.
Nothing on the loop touches a database or a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from linecontrol.core.errors import StorageError
from linecontrol.core.image import Scan
from linecontrol.core.model import Event, Receipt, Sample, Tag
from linecontrol.history.alarms import AlarmStateRow, alarm_row
from linecontrol.history.answers import Answers
from linecontrol.history.audit import AuditRow, audit_row
from linecontrol.history.guarded import (
    BypassRow,
    CalibrationRow,
    DeviationRow,
    bypass_row,
    calibration_row,
    deviation_row,
)
from linecontrol.history.intake import Counters, Intake
from linecontrol.history.keeper import Keeper
from linecontrol.history.lab import LabRow, lab_row
from linecontrol.history.lots import TraceRow, trace_row
from linecontrol.history.notices import Notices
from linecontrol.history.onchange import POISON, OnChange
from linecontrol.history.policy import Policy
from linecontrol.history.rows import (
    ALARM,
    AUDIT,
    BYPASS,
    CALIBRATION,
    COMMAND,
    DEVIATION,
    EVENT,
    LAB,
    QUARANTINE,
    RECIPE,
    RUN,
    SAMPLE,
    STARTED,
    STOPPED,
    VERSION,
    RecipeRow,
    Row,
    RunRow,
    command_row,
    event_row,
    micros,
    recipe_row,
    run_row,
    seconds,
)
from linecontrol.history.spool import Spool
from linecontrol.history.versions import VersionRow, version_row
from linecontrol.history.writer import Writer

log = logging.getLogger(__name__)

T = TypeVar("T")

_STOP_PATIENCE_S = 4.5


class Historian(Answers):
    """Keeps the history of one line.

    Args:
        url: any SQLAlchemy URL of a synchronous driver (``sqlite:////path/history.db``, ``postgresql://…``).
        spool_dir: folder for what cannot be written while the database is away.
        line: name of the line; several lines may share a database and a spool folder.
        tags: what may be offered.
        keepalive_s: an unchanged value is stored again after this [line s].
        flush_s: what is offered is durable after at most about this [real s].
        spool_most_bytes: size of the spool; beyond it samples are dropped and counted.
        memory_rows: rows that may wait in memory when neither database nor spool takes any.
        save_patience_s: how long ``save_run`` and ``stop`` wait for durability [real s].
        policy: how long samples are kept; None = for ever.
        on_event: takes the historian's own events (database away, back, spool filling), on the event loop.
    """

    def __init__(
        self,
        url: str,
        spool_dir: Path,
        line: str,
        tags: Sequence[Tag],
        *,
        keepalive_s: float = 60.0,
        flush_s: float = 0.5,
        spool_most_bytes: int = 512 * 2**20,
        memory_rows: int = 500_000,
        save_patience_s: float = 5.0,
        on_event: Callable[[Event], None] | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._url, self._line = url, line
        self._tags = {tag.name: tag for tag in tags}
        self._filter = OnChange(keepalive_s, {tag.name: tag.deadband for tag in tags})
        self._save_patience_s = save_patience_s
        self._on_event = on_event
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen_at: float | None = None
        self._is_announced = False
        self._is_running = False
        name = secrets.token_hex(8)
        self._intake = Intake(name, memory_rows)
        self._writer = Writer(
            url,
            Spool(spool_dir, line, spool_most_bytes),
            line,
            tuple(tags),
            self._intake,
            name,
            flush_s=flush_s,
            keeper=Keeper(url, line, policy or Policy()),
            notices=Notices(line, self._intake, self._pass_on, lambda: self._seen_at),
        )

    # -- life
    async def start(self) -> None:
        """Open or make the database, take up what an earlier recording left in the spool.

        A database that is away now is waited for, with everything going to the spool. Raises StorageError when a
        person must act first (no permission, no such folder, made by a newer program), ConfigError for a wrong URL.
        """
        self._loop = asyncio.get_running_loop()
        self._writer.thread.start()
        try:
            await asyncio.to_thread(self._writer.ready.wait)
        except asyncio.CancelledError:
            self._writer.stop()
            raise
        if self._writer.failure is not None:
            await asyncio.to_thread(self._writer.thread.join, _STOP_PATIENCE_S)
            raise self._writer.failure
        if self._writer.bracket_us is not None:
            for tag, status in self._writer.bracketed:
                self._filter.prime(tag, self._writer.bracket_us, status)
        self._is_running = True

    async def stop(self) -> None:
        """Keep what is in memory, then close. Takes at most 5 s, or ``save_patience_s`` if that is longer.

        May be called twice, or before ``start``.
        """
        if not self._is_running:
            return
        self._is_running = False
        held = self._filter.close()
        self._intake.saw(0, -len(held))
        self._intake.add(SAMPLE, held)
        if self._is_announced and self._seen_at is not None:
            text = "The recording was stopped."
            self._add(EVENT, event_row, Event(self._seen_at, STOPPED, self._line, text))
        self._intake.close()
        self._writer.stop()
        await asyncio.to_thread(self._writer.thread.join, max(_STOP_PATIENCE_S, self._save_patience_s - 0.5))
        if self._writer.thread.is_alive():
            log.error("the historian did not finish in time; %d rows were not kept", self.counters.pending)
        if self._reader is not None:
            self._reader.close()

    @property
    def counters(self) -> Counters:
        """What became of every row; see Counters."""
        return self._intake.counters

    def latest_time(self) -> float | None:
        """Newest recorded line time [s]; None when this line has no history. A simulated line goes on from here."""
        before_us = self._writer.bracket_us or self._writer.latest_us
        before = None if before_us is None else seconds(before_us)
        known = [time for time in (before, self._seen_at) if time is not None]
        return max(known, default=None)

    # -- what is offered
    def offer(self, scan: Scan) -> None:
        """Take in a scan. Never blocks, never raises: what cannot be stored is quarantined."""
        poisoned = 0

        def refuse(name: str, sample: Sample, error: Exception) -> None:
            nonlocal poisoned
            poisoned += 1
            self._quarantine(SAMPLE, (name, *sample), error)

        try:
            scan_us = micros(scan.time)
        except POISON:
            scan_us = micros(self._seen_at or 0.0)
        self._saw(scan_us)
        known = scan
        if not scan.samples.keys() <= self._tags.keys():
            for name in scan.samples.keys() - self._tags.keys():
                refuse(name, scan.samples[name], ValueError("the tag is not one of this line"))
            known = scan._replace(samples={name: s for name, s in scan.samples.items() if name in self._tags})
        rows = self._filter.admit_scan(known, scan_us, refuse)
        self._intake.saw(len(scan.samples), len(scan.samples) - len(rows) - poisoned)
        if rows:
            self._intake.add(SAMPLE, rows)

    def event(self, event: Event) -> None:
        """Journal an event. Never blocks; durable within the flush time."""
        self._add(EVENT, event_row, event)

    def command(self, receipt: Receipt) -> None:
        """Journal what became of a command. Never blocks; durable within the flush time."""
        self._add(COMMAND, command_row, receipt)

    async def save_run(self, run: RunRow) -> None:
        """Keep a run. When this returns it is durable, in the database or in the spool.

        Raises StorageError when that could not be confirmed in time; it may still be kept later.
        """
        await self._durable(RUN, _checked(run_row, run))

    async def save_version(self, version: VersionRow) -> None:
        """Keep a version of a finished run's record; the newest is what the run shows. As ``save_run``."""
        await self._durable(VERSION, _checked(version_row, version))

    async def save_recipe(self, recipe: RecipeRow) -> None:
        """Keep a recipe text under its hash; as ``save_run``."""
        await self._durable(RECIPE, _checked(recipe_row, recipe))

    async def save_lab(self, lab: LabRow) -> None:
        """Keep a laboratory value; as ``save_run``."""
        await self._durable(LAB, _checked(lab_row, lab))

    def alarm(self, alarm: AlarmStateRow) -> None:
        """Keep where an alarm stands. Never blocks; durable within the flush time (``flush`` waits for it)."""
        try:
            row = _checked(alarm_row, alarm)
        except StorageError as error:
            self._quarantine(ALARM, (alarm,), error)
            return
        self._intake.add(ALARM, [row])

    def deviation(self, deviation: DeviationRow) -> None:
        """Keep a deviation as it stands. Never blocks; durable within the flush time (``flush`` waits for it)."""
        try:
            row = _checked(deviation_row, deviation)
        except StorageError as error:
            self._quarantine(DEVIATION, (deviation,), error)
            return
        self._intake.add(DEVIATION, [row])

    async def save_deviation(self, deviation: DeviationRow) -> None:
        """Keep a deviation with what a person did about it; as ``save_run``."""
        await self._durable(DEVIATION, _checked(deviation_row, deviation))

    async def save_calibration(self, calibration: CalibrationRow) -> None:
        """Keep an entry of the calibration register; as ``save_run``."""
        await self._durable(CALIBRATION, _checked(calibration_row, calibration))

    async def save_bypass(self, bypass: BypassRow) -> None:
        """Keep a bypass of an interlock; as ``save_run``."""
        await self._durable(BYPASS, _checked(bypass_row, bypass))

    async def save_trace(self, *rows: TraceRow) -> None:
        """Keep lots, uses of lots, bags and acts; as ``save_run``."""
        for row in rows[:-1]:
            self._trace(row)
        for row in rows[-1:]:
            await self._durable(*_checked_trace(row))

    def trace(self, row: TraceRow) -> None:
        """Keep one of them. Never blocks; durable within the flush time."""
        try:
            self._trace(row)
        except StorageError as error:
            self._quarantine("trace", (row,), error)

    def _trace(self, row: TraceRow) -> None:
        kind, cells = _checked_trace(row)
        self._intake.add(kind, [cells])

    async def save_audit(self, audit: AuditRow) -> None:
        """Keep a row of the audit trail; as ``save_run``."""
        await self._durable(AUDIT, _checked(audit_row, audit))

    async def flush(self) -> None:
        """Wait until everything taken in so far is durable. Raises StorageError as ``save_run``."""
        await self._durable(None, ())

    async def _durable(self, kind: str | None, row: Row) -> None:
        if not self._is_running:
            raise StorageError("the historian is not running")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def ack() -> None:  # from the writer's thread; the loop may be gone by then
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, done)

        self._intake.add(kind or EVENT, [row] if kind else [], ack)
        try:
            async with asyncio.timeout(self._save_patience_s):
                await done
        except TimeoutError:
            raise StorageError(
                f"not durable after {self._save_patience_s:g} s: neither the database nor the spool takes anything"
            ) from None

    def _add(self, kind: str, to_row: Callable[[T], Row], record: T) -> None:
        try:
            row = to_row(record)
        except POISON as error:
            self._quarantine(kind, (record,), error)
            return
        self._saw(row[0])
        self._intake.add(kind, [row])

    def _quarantine(self, kind: str, row: Row, error: Exception) -> None:
        shown = json.dumps([repr(cell)[:2000] for cell in row])
        reason = ascii(str(error))[1:-1]
        self._intake.add(QUARANTINE, [(micros(self._seen_at or 0.0), kind, shown, reason)])

    def _saw(self, time_us: int) -> None:
        """Remember the newest line time, and announce the recording with the first one."""
        time = seconds(time_us)
        self._seen_at = time if self._seen_at is None else max(self._seen_at, time)
        if self._is_announced or not self._is_running:
            return
        self._is_announced = True
        before_us = self._writer.latest_us
        gap = "" if before_us is None else f" Nothing was recorded for {max(0.0, time - seconds(before_us)):.1f} s."
        text = f"Recording started.{gap}"
        self._intake.add(EVENT, [event_row(Event(time, STARTED, self._line, text))])

    def _pass_on(self, event: Event) -> None:
        """From the writer's thread: an event of our own, for the displays."""
        if self._on_event is not None and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(self._on_event, event)


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _checked_trace(row: TraceRow) -> tuple[str, Row]:
    kind = trace_row(row)[0]
    return kind, _checked(lambda one: trace_row(one)[1], row)


def _checked(to_row: Callable[[T], Row], record: T) -> Row:
    """The row, with everything refused that a database might refuse later: an acknowledged run must be a run."""
    try:
        row = to_row(record)
        for cell in row:
            if isinstance(cell, str) and "\x00" in cell:
                raise ValueError("a text holds a NUL character")
            if isinstance(cell, str):
                cell.encode("utf-8")
    except POISON as error:
        raise StorageError(f"this cannot be kept: {error}") from error
    return row
