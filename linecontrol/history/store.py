"""Writes batches into the database. One thread, one connection, one transaction per call of ``write``.

Samples go into the tail, packed, and from there into compressed chunks (``sealing``).
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.core.model import Tag
from linecontrol.history import chain_store, schema
from linecontrol.history.chain import NOT_OURS, Link
from linecontrol.history.chain_samples import NOTED_IN_SQLITE
from linecontrol.history.damaged import set_damaged_aside
from linecontrol.history.inserts import commit_samples, insert, insert_samples
from linecontrol.history.migrate import bring_up_to_date
from linecontrol.history.opening import (
    Note,
    Opened,
    add_tags,
    hold_line,
    look_back,
    marks,
    move_mark,
    register_line,
    register_tags,
    tag_ids,
)
from linecontrol.history.rows import COLUMNS, QUARANTINE, SAMPLE, Batch, Row
from linecontrol.history.sealing import NOTHING_FRESH, fresh, seal_tail
from linecontrol.history.sql import (
    DATABASE_ERRORS,
    Fault,
    engine_for,
    fault_of,
    needs_person,
    parse_url,
    reason_of,
    sqlite_path,
)

_QUICK_CHECK_UP_TO_BYTES = 64 * 2**20


class StoreAway(StorageError):
    """The database cannot take anything now. ``needs_person``: waiting will not help (no permission, no such place)."""

    def __init__(self, reason: str, *, needs_person: bool = False) -> None:
        super().__init__(reason)
        self.needs_person = needs_person


class StoreMalformed(StorageError):
    """The database file is damaged, or no database."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the rows of one ``write``."""

    stored: int = 0
    quarantined: int = 0
    duplicates: int = 0


class Store:
    """The database of one line, for writing. Raises StoreAway, StoreMalformed or SchemaRefused, nothing else."""

    def __init__(self, url: str, line: str, tags: Sequence[Tag], quarantine_path: Path) -> None:
        self._quarantine_path = quarantine_path
        self._url = parse_url(url)
        self._path = sqlite_path(self._url)
        self._engine = engine_for(self._url)
        self._line = line
        self._tags = tags
        self._connection: sa.Connection | None = None
        self._base: sqlite3.Connection | None = None
        self._file_id: tuple[int, int] | None = None
        self._line_id = 0
        self._ids: dict[str, int] = {}
        self._was_checked = False
        self._marks: dict[str, int] = {}
        self._fresh = NOTHING_FRESH
        self._notes: list[Note] = []

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> Opened:
        """Connect, migrate, register line and tags. A malformed SQLite file is set aside and a new one begun."""
        opened = Opened()
        try:
            self._open(opened)
        except StoreMalformed as error:
            opened.notes.append(self.set_aside(str(error)))
            self._open(opened)
        return opened

    def _open(self, opened: Opened) -> None:
        self.close()
        with self._mapped_errors():
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            backup = bring_up_to_date(self._engine, self._path)
            if backup is not None:
                text = f"The history was migrated to schema {schema.REVISIONS[-1]}; a copy from before is {backup}."
                opened.notes.append(("historian.migrated", text, False))
            self._connection = self._engine.connect()
            base = self._connection.connection.driver_connection
            self._base = base if isinstance(base, sqlite3.Connection) else None
            if self._path is not None:
                stat = self._path.stat()
                self._file_id = (stat.st_dev, stat.st_ino)
            with self._connection.begin():
                if not hold_line(self._connection, self._line):
                    raise StoreAway(
                        f"another controller records a line {self._line!r} into this database; every line of a site "
                        "needs a name of its own",
                        needs_person=True,
                    )
                self._line_id = register_line(self._connection, self._line)
                if (stated := chain_store.begin(self._connection, self._line_id)) is not None:
                    opened.notes.append(("evidence.chain_begun", stated, False))
                opened.notes += register_tags(self._connection, self._line_id, self._tags)
                self._ids = tag_ids(self._connection, self._line_id)
                try:
                    self._look_back(self._connection, opened)
                except NOT_OURS as error:
                    raise StoreMalformed(str(error)) from error
                if self._base is not None:
                    self._base.execute(NOTED_IN_SQLITE)
                self._marks = marks(self._connection, self._line_id)
                self._fresh = fresh(self._connection, self._line_id)
            self._check_after_crash(self._connection, opened)

    def _look_back(self, connection: sa.Connection, opened: Opened) -> None:
        try:
            look_back(connection, self._line_id, self._ids, opened)
        except NOT_OURS:
            note = set_damaged_aside(connection, self._line_id)
            if note is None:
                raise
            opened.notes.append(note)
            look_back(connection, self._line_id, self._ids, opened)

    def _check_after_crash(self, connection: sa.Connection, opened: Opened) -> None:
        if self._was_checked or self._path is None:
            return
        self._was_checked = True
        if opened.is_unclean and self._path.stat().st_size <= _QUICK_CHECK_UP_TO_BYTES:
            with connection.begin():
                verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if verdict != "ok":
                raise StoreMalformed(str(verdict))

    def write(self, batches: Sequence[Batch]) -> Kept:
        """Store these in one durable transaction; what was stored before under the same number is not stored again."""
        with self._mapped_errors():
            self._check_file()
            try:
                return self._samples_alone(batches) or self._transaction(batches, is_careful=False)
            except KeyError:
                self._add_unknown_tags(batches)
            except DATABASE_ERRORS as error:
                if fault_of(error) is not Fault.ROW:
                    raise
                self._add_unknown_tags(batches)
            return self._transaction(batches, is_careful=True)

    def _samples_alone(self, batches: Sequence[Batch]) -> Kept | None:
        """The usual case, a batch of samples into SQLite, without all that others need; None when it is another."""
        if len(batches) != 1 or self._base is None:
            return None
        (batch,) = batches
        samples = batch.rows.get(SAMPLE)
        if not samples or len(batch.rows) > 1 or batch.number <= self._marks.get(batch.writer, 0):
            return None
        packed = commit_samples(self._base, self._line_id, self._ids, samples, (batch.writer, batch.number))
        self._marks[batch.writer] = batch.number
        self._fresh = self._fresh.and_also(packed.start_us, packed.end_us, packed.rows)
        return Kept(packed.rows)

    def _transaction(self, batches: Sequence[Batch], *, is_careful: bool) -> Kept:
        connection = self._open_connection()
        rows = quarantined = duplicates = 0
        added = self._fresh
        moved: dict[str, int] = {}
        links: list[Link] = []
        with connection.begin():
            for batch in batches:
                rows += batch.count
                if batch.number <= max(self._marks.get(batch.writer, 0), moved.get(batch.writer, 0)):
                    duplicates += batch.count
                    continue
                quarantined += self._insert(connection, batch, links, is_careful=is_careful)
                moved[batch.writer] = batch.number
                if samples := list(batch.rows.get(SAMPLE, ())):
                    first_us, last_us = samples[0][1], samples[-1][1]  # near enough: they come in order
                    added = added.and_also(min(first_us, last_us), max(first_us, last_us), len(samples))
            chain_store.append(connection, self._line_id, links)
        self._marks |= moved
        self._fresh = added
        return Kept(rows - quarantined, quarantined, duplicates)

    def _insert(self, connection: sa.Connection, batch: Batch, links: list[Link], *, is_careful: bool) -> int:
        """Rows and the mark of a batch; what became evidence is added to ``links``. Returns how many it quarantined."""
        quarantined, is_marked = 0, False
        for kind, rows in batch.rows.items():
            if is_careful:
                quarantined += self._insert_carefully(connection, batch, kind, rows, links)
            else:
                self._insert_rows(connection, batch, kind, rows, links)
                is_marked = is_marked or kind == SAMPLE  # a row of the tail is a mark as well
            quarantined += len(rows) if kind == QUARANTINE else 0
        if not is_marked:
            move_mark(connection, self._line_id, batch.writer, batch.number)
        return quarantined

    def _insert_rows(
        self, connection: sa.Connection, batch: Batch, kind: str, rows: Sequence[Row], links: list[Link]
    ) -> None:
        if kind == SAMPLE:
            insert_samples(connection, self._line_id, self._ids, rows, (batch.writer, batch.number))
        else:
            insert(connection, self._line_id, kind, rows, links)

    @property
    def is_seal_due(self) -> bool:
        """Is the tail long enough to be compressed?"""
        return self.is_open and self._fresh.is_due

    def seal(self) -> int:
        """Compress the whole tail into a block. Returns how many rows were sealed."""
        with self._mapped_errors():
            self._check_file()
            connection = self._open_connection()
            try:
                sealed = seal_tail(connection, self._line_id)
            except NOT_OURS:
                with connection.begin():
                    note = set_damaged_aside(connection, self._line_id)
                if note is None:
                    raise
                self._notes.append(note)
                sealed = seal_tail(connection, self._line_id)
            self._fresh = NOTHING_FRESH
            return sealed

    def take_notes(self) -> list[Note]:
        """What has come up since the last time and is worth an event."""
        notes, self._notes = self._notes, []
        return notes

    def forget_other_writers(self, writer: str) -> None:
        """The spool is empty: marks of earlier recordings are no longer needed."""
        mark = schema.spool_state
        with self._mapped_errors(), self._open_connection().begin():
            self._open_connection().execute(
                mark.delete().where(mark.c.line_id == self._line_id, mark.c.writer != writer)
            )

    # -- rows
    def _insert_carefully(
        self, connection: sa.Connection, batch: Batch, kind: str, rows: Sequence[Row], links: list[Link]
    ) -> int:
        """Insert rows, halving around those that cannot be stored; these are quarantined. Returns how many."""
        made: list[Link] = []
        try:
            with connection.begin_nested():
                self._insert_rows(connection, batch, kind, rows, made)
        except DATABASE_ERRORS as error:
            if fault_of(error) is not Fault.ROW:
                raise
            if len(rows) == 1:
                self._quarantine(connection, kind, rows[0], reason_of(error))
                return 1
        else:
            links += made
            return 0
        half = len(rows) // 2
        return self._insert_carefully(connection, batch, kind, rows[:half], links) + self._insert_carefully(
            connection, batch, kind, rows[half:], links
        )

    def _quarantine(self, connection: sa.Connection, kind: str, row: Row, reason: str) -> None:
        record = {
            "line_id": self._line_id,
            "time_us": time.time_ns() // 1000,
            "kind": kind,
            "row": json.dumps(dict(zip(COLUMNS[kind], row, strict=False)), default=repr),
            "reason": reason.encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00"),
        }
        try:
            with connection.begin_nested():
                connection.execute(schema.quarantine.insert(), record)
        except DATABASE_ERRORS as error:
            if fault_of(error) is not Fault.ROW:
                raise
            with self._quarantine_path.open("a", encoding="ascii") as file:
                file.write(json.dumps(record) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def _add_unknown_tags(self, batches: Sequence[Batch]) -> None:
        """Tags of an earlier line file that still wait in the spool."""
        named = {str(row[0]) for batch in batches for row in batch.rows.get(SAMPLE, ())}
        unknown = sorted(named - self._ids.keys())
        if not unknown:
            return
        blank = {"line_id": self._line_id, "alias": "", "station": "", "unit": "", "type": ""}
        connection = self._open_connection()
        with connection.begin():
            links = add_tags(connection, [{**blank, "name": name} for name in unknown])
            chain_store.append(connection, self._line_id, links)
            self._ids = tag_ids(connection, self._line_id)

    # -- the file and the connection
    def _open_connection(self) -> sa.Connection:
        if self._connection is None:
            raise StoreAway("the database is not open")
        return self._connection

    def _check_file(self) -> None:
        """SQLite would go on writing into a file that was removed, and nobody would ever see it."""
        if self._path is None:
            return
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - a third less than the path's own, once a commit
        except FileNotFoundError as error:
            raise StoreAway(f"the file {self._path} was removed") from error
        if (stat.st_dev, stat.st_ino) != self._file_id:
            raise StoreAway(f"the file {self._path} was replaced")

    def set_aside(self, reason: str) -> tuple[str, str, bool]:
        """Rename the damaged file; never delete it. Returns the note for an alarm."""
        self.close()
        if self._path is None:
            raise StoreAway(f"the database says it is damaged: {reason}", needs_person=True)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        aside = self._path.with_name(f"{self._path.name}.malformed-{stamp}")
        while aside.exists():
            aside = aside.with_name(f"{aside.name}x")
        try:
            for ending in ("", "-wal", "-shm"):
                part = self._path.with_name(self._path.name + ending)
                if part.exists():
                    part.rename(aside.with_name(aside.name + ending))
        except OSError as error:
            raise StoreAway(
                f"{self._path} is damaged ({reason}) and cannot be set aside: {error}", needs_person=True
            ) from error
        text = f"The history file was damaged ({reason}). It was set aside as {aside}, and a new one was begun."
        return ("historian.malformed", text, True)

    def close(self) -> None:
        """Let go of the connection. Never raises."""
        connection, self._connection = self._connection, None
        self._base = None
        if connection is not None:
            with contextlib.suppress(*DATABASE_ERRORS):
                connection.invalidate()
            with contextlib.suppress(*DATABASE_ERRORS):
                connection.close()

    @contextlib.contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except StorageError:
            self.close()
            raise
        except DATABASE_ERRORS as error:
            self.close()
            if fault_of(error) is Fault.MALFORMED:
                raise StoreMalformed(reason_of(error)) from error
            raise StoreAway(reason_of(error), needs_person=needs_person(error)) from error
