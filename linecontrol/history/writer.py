"""The writer: one thread that moves rows from memory into the database, or into the spool while that is away.

Order is kept: as long as the spool holds anything, new rows go behind it. A row leaves memory only when it is durable
in one of the two. One event when the database goes away, one when it is back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from linecontrol.core.errors import LineError, StorageError
from linecontrol.core.model import Event, Severity, Status, Tag
from linecontrol.history.intake import Intake
from linecontrol.history.keeper import Keeper
from linecontrol.history.notices import Notices
from linecontrol.history.rows import (
    EVENT,
    RUN,
    SAMPLE,
    STOPPED,
    VERSION,
    Batch,
    Row,
    SampleRow,
    event_row,
    run_of,
    seconds,
)
from linecontrol.history.spool import Spool, SpoolDamage
from linecontrol.history.versions import version_of

if TYPE_CHECKING:
    from linecontrol.history.opening import Note, Opened
    from linecontrol.history.rows import RunRow
    from linecontrol.history.store import Kept, Store

log = logging.getLogger(__name__)

_RETRY_FIRST_S, _RETRY_MOST_S = 0.5, 5.0
_LAST_TURNS = 4
_SEAL_AGAIN_S = 600.0
_DRAIN_ROWS, _DRAIN_S = 20_000, 0.25
_BAD = 2  # the two top bits of a status code, from here on bad


class Writer:
    """Owns the store and the spool; everything below ``run`` happens in its thread.

    Args:
        keeper: applies the retention policy. notices: writes this room's own events.
    """

    def __init__(
        self,
        url: str,
        spool: Spool,
        line: str,
        tags: Sequence[Tag],
        intake: Intake,
        name: str,
        *,
        flush_s: float,
        keeper: Keeper,
        notices: Notices,
    ) -> None:
        self._url, self._line, self._tags, self._name = url, line, tags, name
        self._spool, self._intake, self._flush_s = spool, intake, flush_s
        self._store: Store | None = None
        self._stopping = threading.Event()
        self._next_try = 0.0
        self._retry_s = _RETRY_FIRST_S
        self._away_since: float | None = None
        self._had_opened = False
        self._next_drain = self._next_seal = 0.0
        self._keeper, self._notices = keeper, notices
        self.latest_us: int | None = None
        self.bracket_us: int | None = None
        self.bracketed: tuple[tuple[str, int], ...] = ()
        self.unstored_runs: dict[str, RunRow] = {}
        self.failure: LineError | None = None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"historian {line}", daemon=True)

    def stop(self) -> None:
        """Keep what is in memory, then end the thread."""
        self._stopping.set()
        self._intake.hurry()

    # -- the thread
    def _run(self) -> None:
        try:
            self._begin()
        except LineError as error:
            self.failure = error
            return
        except Exception as error:  # the thread's top edge: the waiting start must learn of it
            log.exception("the historian could not start")
            self.failure = StorageError(f"the historian could not start: {error!r}")
            return
        finally:
            self.ready.set()
        while not self._stopping.is_set():
            self._intake.wait(0.0 if self._can_drain() else self._flush_s)
            self._guarded_turn()
        self._finish()

    def _finish(self) -> None:
        """The last turns: what is in memory, and what these turns themselves had to say, becomes durable."""
        self._guarded_turn()
        self._next_try = 0.0  # one more look at a database that was away
        for _ in range(_LAST_TURNS):
            if self._intake.is_empty and self._spool.is_empty:
                break
            self._guarded_turn()
        self._spool.close()
        self._keeper.close()
        if self._store is not None:
            self._store.close()

    def _guarded_turn(self) -> None:
        try:
            self._turn()
        except Exception:  # the thread's top edge: rows stay in memory, the next turn tries again
            log.exception("the historian's writer stumbled")
            self._went_away("an unforeseen error, see the log")

    def _turn(self) -> None:
        self._intake.gather()
        while (batch := self._intake.head()) is not None:
            if not self._keep(batch):
                break
        self._drain()
        self._seal()
        self._tend_keeper()
        self._notices.watch_spool(self._spool.size, self._spool.most_bytes)
        self._intake.note_spool_bytes(self._spool.size)

    def _keep(self, batch: Batch) -> bool:
        """Make the oldest batch durable somewhere. False when nothing takes it now."""
        if not batch.count:
            self._intake.settle(batch)
            return True
        if self._spool.is_empty and self._is_up():
            kept = self._write([batch])
            if kept is not None:
                self._intake.settle(batch, stored=kept.stored, quarantined=kept.quarantined, duplicates=kept.duplicates)
                self._notices.no_longer_stuck()
                return True
        return self._keep_in_spool(batch)

    def _keep_in_spool(self, batch: Batch) -> bool:
        frame = self._spool.pack(batch)
        if not self._spool.has_room(frame) and batch.rows.get(SAMPLE):
            self._notices.spool_is_full(self._intake.give_up_samples(batch))
            frame = self._spool.pack(batch)
        if batch.count:
            try:
                self._spool.append(frame)
            except OSError as error:
                self._notices.stuck(str(error))
                return False
            self._remember_runs(batch)
        self._intake.settle(batch, spooled=batch.count)
        self._notices.no_longer_stuck()
        return True

    def _remember_runs(self, batch: Batch) -> None:
        for row in batch.rows.get(RUN, ()):
            self.unstored_runs = {**self.unstored_runs, row[0]: run_of(row)}
        for row in batch.rows.get(VERSION, ()):
            if (run := self.unstored_runs.get(row[0])) is not None:
                newer = replace(run, record=version_of(row).record)
                self.unstored_runs = {**self.unstored_runs, row[0]: newer}

    # -- the spool goes into the database
    def _can_drain(self) -> bool:
        is_up = self._store is not None and self._store.is_open
        return is_up and not self._spool.is_empty and time.monotonic() >= self._next_drain

    def _drain(self) -> None:
        if self._spool.is_empty or time.monotonic() < self._next_drain or not self._is_up():
            return
        until = time.monotonic() + _DRAIN_S
        while not self._spool.is_empty and time.monotonic() < until:
            try:
                waiting = self._spool.peek(_DRAIN_ROWS)
                kept = self._write([batch for batch, _ in waiting])
                if kept is None:
                    return
                self._intake.unspool(stored=kept.stored, quarantined=kept.quarantined, duplicates=kept.duplicates)
                self._spool.advance(waiting)
            except SpoolDamage as error:
                lost = self._spool.set_damage_aside()
                self._intake.unspool(stored=0, quarantined=lost)
                self._notices.spool_damaged(str(error))
            except OSError as error:
                log.warning("the spool cannot be read: %s", error)
                self._next_drain = time.monotonic() + _RETRY_MOST_S
                return
        if self._spool.is_gone:
            self.unstored_runs = {}
            self._forget_other_writers()

    def _forget_other_writers(self) -> None:
        if self._store is not None:
            try:
                self._store.forget_other_writers(self._name)
            except StorageError as error:
                self._went_away(str(error))

    # -- the tail goes into chunks
    def _seal(self) -> None:
        """Compress the tail when it is long enough. What goes wrong leaves it as it was."""
        from linecontrol.history.store import StoreMalformed

        store = self._store
        if store is None or not store.is_seal_due or time.monotonic() < self._next_seal:
            return
        try:
            store.seal()
            self._tell_all(store.take_notes())
        except StoreMalformed as error:
            self._set_aside(store, str(error))
        except StorageError as error:
            self._went_away(str(error))
        except Exception:  # rows are safe in the tail: recording goes on, and a person finds this in the log
            log.exception("the tail of the history could not be compressed")
            self._next_seal = time.monotonic() + _SEAL_AGAIN_S

    def _tend_keeper(self) -> None:
        if self._store is None or not self._store.is_open:
            return
        if (trouble := self._keeper.tend()) is not None:
            text = f"Old samples could not be archived or removed ({trouble}); it is tried again within the hour."
            self._notices.tell("historian.keeping", text, Severity.WARNING)

    # -- the database
    def _write(self, batches: list[Batch]) -> Kept | None:
        """Write, or note that the database is away and return None."""
        from linecontrol.history.store import StoreMalformed

        store = self._store
        if store is None:
            return None
        try:
            kept = store.write(batches)
        except StoreMalformed as error:
            self._set_aside(store, str(error))
        except StorageError as error:
            self._went_away(str(error))
        else:
            if kept.quarantined:
                self._notices.quarantined(kept.quarantined, batches)
            return kept
        return None

    def _set_aside(self, store: Store, reason: str) -> None:
        try:
            kind, text, _ = store.set_aside(reason)
        except StorageError as error:
            self._went_away(str(error))
            return
        self._notices.tell(kind, text, Severity.ALARM)
        self._next_try = 0.0

    def _is_up(self) -> bool:
        """Is the database open? If not, and it is time, try to open it."""
        store = self._store
        if store is not None and store.is_open:
            return True
        if store is None or time.monotonic() < self._next_try:
            return False
        try:
            opened = store.open()
        except StorageError as error:
            self._went_away(str(error))
            return False
        self._came_back(opened)
        return True

    def _went_away(self, reason: str) -> None:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since, self._retry_s = now, _RETRY_FIRST_S
            log.warning("history database away: %s", reason)
            text = f"The history database cannot be written ({reason}). Rows are kept in the spool and stored later."
            self._notices.tell("historian.away", text, Severity.ALARM, active=True)
        self._next_try = now + self._retry_s
        self._retry_s = min(self._retry_s * 2.0, _RETRY_MOST_S)

    def _came_back(self, opened: Opened) -> None:
        self._tell_all(opened.notes)
        if not self._had_opened:
            self._had_opened = True
            self._bracket(opened)
            if self._spool.is_gone:
                self._forget_other_writers()
        if self._away_since is not None:
            lasted_s = time.monotonic() - self._away_since
            self._away_since = None
            log.warning("history database back after %.1f s", lasted_s)
            text = f"The history database can be written again after {lasted_s:.1f} s; {len(self._spool)} rows follow."
            self._notices.tell("historian.back", text, Severity.ALARM, active=False)

    def _tell_all(self, notes: Sequence[Note]) -> None:
        for kind, text, is_alarm in notes:
            self._notices.tell(kind, text, Severity.ALARM if is_alarm else Severity.WARNING)

    # -- beginning
    def _begin(self) -> None:
        """Open spool and database. Raises StorageError when a person must act first."""
        from linecontrol.history.store import Store, StoreAway

        try:
            batches = self._spool.open()
        except OSError as error:
            raise StorageError(f"the spool folder cannot be used: {error}") from error
        for batch in batches:
            self._remember_runs(batch)
        self._intake.found_spooled(len(self._spool))
        if self._spool.rows:
            self.latest_us = self._notices.latest_us = self._spool.latest_us
        for path in self._spool.damaged:
            self._notices.spool_damaged(f"it was copied to {path}")
        self._store = Store(self._url, self._line, self._tags, self._spool.quarantine_path)
        try:
            opened = self._store.open()
        except StoreAway as error:
            if error.needs_person:
                raise StorageError(f"the history database cannot be used: {error}") from error
            self._went_away(str(error))
            if self._spool.rows:
                self._bracket(None)
        else:
            self._came_back(opened)

    def _bracket(self, opened: Opened | None) -> None:
        """Say in every recorded tag that nothing was recorded between the last recording and this one.

        Otherwise a reader who holds the last value would take it for good while the controller was away.
        """
        latest_us = max(self.latest_us or 0, (opened.latest_us or 0) if opened is not None else 0)
        if latest_us == 0 or self.bracket_us is not None:
            return
        self.latest_us = self._notices.latest_us = latest_us
        if opened is not None and opened.is_unclean:
            text = (
                "The recording before this one ended without being closed (crash or power cut); this is its last time."
            )
            event = Event(seconds(latest_us), STOPPED, self._line, text, Severity.WARNING)
            self._intake.add(EVENT, [event_row(event)])
            self._notices.pass_on(event)
        first, at_us = self._notices.last_seen(), latest_us + 1
        if first is not None and first * 1e6 <= at_us:
            return  # the database came late, and line time is not behind what it holds
        bad = int(Status.BAD_OUT_OF_SERVICE)
        before = {} if opened is None else {name: status for name, (_, status) in opened.last.items()}
        if self._spool.rows:
            before |= dict.fromkeys((tag.name for tag in self._tags), int(Status.GOOD))
        self.bracket_us = at_us
        self.bracketed = tuple((name, bad if status >> 30 < _BAD else status) for name, status in before.items())
        rows: list[Row] = [
            SampleRow(name, at_us, None, None, bad) for name, status in before.items() if status >> 30 < _BAD
        ]
        self._intake.add(SAMPLE, rows)
