"""Reads a history: the same questions whether a controller runs or not. Never writes, never blocks a writer."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.core.model import DataType, Event, Receipt, Sample, Status
from linecontrol.history import before_chunks, guarded_queries, schema, signals
from linecontrol.history.alarms import AlarmStateRow, alarm_of
from linecontrol.history.audit import AuditRow, audit_of
from linecontrol.history.guarded import BypassRow, CalibrationRow, DeviationRow
from linecontrol.history.held import HeldBlocks
from linecontrol.history.lab import LabRow, lab_of
from linecontrol.history.migrate import check_known, revision_of
from linecontrol.history.rows import (
    ALARM,
    AUDIT,
    COLUMNS,
    COMMAND,
    EVENT,
    LAB,
    RUN,
    VERSION,
    QuarantinedRow,
    RecipeRow,
    RunRow,
    decode,
    event_of,
    micros,
    receipt_of,
    run_of,
    seconds,
)
from linecontrol.history.series import Rollup, Series
from linecontrol.history.sql import DATABASE_ERRORS, engine_for, parse_url, reason_of, sqlite_path
from linecontrol.history.statements import Connection
from linecontrol.history.stats import HistoryStats, stats_of
from linecontrol.history.trend import Trend, trend_of
from linecontrol.history.versions import VersionRow, version_of

_STATUSES: dict[int, Status] = {int(status): status for status in Status}


def open_reader(url: str, line: str | None = None) -> HistoryReader:
    """Open a history read-only. ``line`` may be left out when it holds one line.

    Raises StorageError when there is none, it is of a newer program, or the line is not in it; ConfigError for a URL
    that is none.
    """
    reader = HistoryReader(url, line)
    reader.tags()
    return reader


class HistoryReader:
    """Blocking: call it from a thread, or from a program without an event loop. All times are line time [s]."""

    def __init__(self, url: str, line: str | None = None) -> None:
        self._url = parse_url(url)
        self._path = sqlite_path(self._url)
        self._engine = engine_for(self._url, is_read_only=True)
        self._line = line
        self._revision: str | None = None
        self._known_line: int | None = None
        self._known_tags: dict[str, tuple[int, bool]] = {}
        self._file_id: tuple[int, int] | None = None
        self._held = HeldBlocks()

    def __enter__(self) -> HistoryReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        self._look_at_file()
        try:
            with self._engine.connect() as connection:
                if self._revision is None:
                    self._revision = self._known_revision(connection)
                yield connection
        except DATABASE_ERRORS as error:
            self._forget()
            raise StorageError(f"the history cannot be read: {reason_of(error)}") from error

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Connection]:
        """As ``_connected``, for questions of ``statements``: with SQLite past all that SQLAlchemy does around them."""
        self._look_at_file()
        try:
            if self._path is None:
                with self._engine.connect() as connection:
                    yield connection
                return
            pooled = self._engine.raw_connection()
            try:
                base = pooled.driver_connection
                assert isinstance(base, sqlite3.Connection)  # noqa: S101 - it is an SQLite file
                base.execute("BEGIN")
                yield base
            finally:
                pooled.close()  # which ends the transaction
        except DATABASE_ERRORS as error:
            self._forget()
            raise StorageError(f"the history cannot be read: {reason_of(error)}") from error

    def _known(self, names: Sequence[str]) -> tuple[int, dict[str, tuple[int, bool]]]:
        """The line's id; id of each tag, and whether it is a bool. None of it changes while a history is open."""
        self._look_at_file()
        line_id, tags = self._known_line, self._known_tags
        if line_id is None or self._revision is None or any(name not in tags for name in names):
            with self._connected() as connection:
                return self._line_id(connection), self._tag_ids(connection, names)
        return line_id, {name: tags[name] for name in names}

    def _known_revision(self, connection: sa.Connection) -> str:
        revision = revision_of(connection)
        if revision is None:
            raise StorageError(f"{self._url.render_as_string()} holds no history yet")
        check_known(revision)
        return revision

    def _look_at_file(self) -> None:
        """A file that was replaced, or that nobody can write to, is opened anew for every question."""
        if self._path is None:
            return
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._forget()
            raise StorageError(f"there is no history at {self._path}") from None
        found = (stat.st_dev, stat.st_ino)
        if found != self._file_id or not os.access(self._path.parent, os.W_OK):
            self._forget()
            self._file_id = found

    def _forget(self) -> None:
        self._engine.dispose()
        self._revision = None
        self._known_line, self._known_tags = None, {}
        self._held.clear()

    def _line_id(self, connection: sa.Connection) -> int:
        if self._known_line is None:
            self._known_line = self._look_up_line(connection)
        return self._known_line

    def _look_up_line(self, connection: sa.Connection) -> int:
        rows = connection.execute(sa.select(schema.line.c.id, schema.line.c.name).order_by(schema.line.c.id))
        lines = {row.name: row.id for row in rows}
        if self._line is None and len(lines) == 1:
            return int(next(iter(lines.values())))
        if self._line is None or self._line not in lines:
            asked = "name one" if self._line is None else f"{self._line!r} is not in it"
            raise StorageError(f"this history holds the lines {', '.join(lines) or '(none)'}: {asked}")
        return int(lines[self._line])

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[sa.Connection, int]]:
        """A connection to read by, and the line's id; for questions of other files of this room."""
        with self._connected() as connection:
            yield connection, self._line_id(connection)

    def lines(self) -> list[str]:
        """Names of the lines in this history."""
        with self._connected() as connection:
            return list(connection.execute(sa.select(schema.line.c.name).order_by(schema.line.c.name)).scalars())

    def line_name(self) -> str:
        """The line this reader reads."""
        with self._connected() as connection:
            query = sa.select(schema.line.c.name).where(schema.line.c.id == self._line_id(connection))
            return str(connection.execute(query).scalar_one())

    def tags(self) -> dict[str, str]:
        """Recorded tags of the line, and the unit of each."""
        with self._connected() as connection:
            tag = schema.tag
            query = sa.select(tag.c.name, tag.c.unit).where(tag.c.line_id == self._line_id(connection))
            return {row.name: row.unit for row in connection.execute(query.order_by(tag.c.id))}

    def tags_by_name(self) -> dict[str, dict[str, str]]:
        """Recorded tags of the line: ``alias``, ``station``, ``unit`` and ``type`` of each."""
        with self._connected() as connection:
            tag = schema.tag
            query = sa.select(tag).where(tag.c.line_id == self._line_id(connection)).order_by(tag.c.id)
            keys = ("alias", "station", "unit", "type")
            return {row.name: {key: str(getattr(row, key)) for key in keys} for row in connection.execute(query)}

    # -- samples
    def samples(
        self,
        tags: Sequence[str],
        start: float,
        end: float | None = None,
        limit: int = 100_000,
        *,
        hold: bool = True,
    ) -> dict[str, list[Sample]]:
        """Stored samples of each tag in [start, end), oldest first, at most ``limit`` each; each holds.

        With ``hold`` the last sample at or before ``start`` comes first, under its own time, so that the value at
        ``start`` is known. Raises StorageError for a tag that is not recorded.
        """
        line_id, found = self._known(tags)
        start_us, end_us = micros(start), None if end is None else micros(end)
        answer = {}
        for name in tags:
            tag_id, is_bool = found[name]
            if self._has_chunks:
                with self._asking() as connection:
                    rows = signals.first_rows(connection, line_id, tag_id, start_us, end_us, limit, hold=hold)
            else:
                rows = self._first_of_old(tag_id, start_us, end_us, limit, hold)
            answer[name] = as_samples(rows, is_bool=is_bool)
        return answer

    def series(
        self, tags: Sequence[str], start: float, end: float | None = None, *, hold: bool = False
    ) -> dict[str, Series]:
        """The same as columns, without limit: much faster, for calculations. See ``series.Series``."""
        line_id, found = self._known(tags)
        ids = [found[name][0] for name in tags]
        start_us, end_us = micros(start), None if end is None else micros(end)
        if self._has_chunks:
            with self._asking() as connection:
                read = signals.read(connection, line_id, ids, start_us, end_us, hold=hold, held=self._held)
        else:
            with self._connected() as old:
                read = {tag: before_chunks.read(old, tag, start_us, end_us, hold=hold) for tag in ids}
        return {name: read[found[name][0]] for name in tags}

    def trend(self, tags: Sequence[str], start: float, end: float, points: int = 1000) -> dict[str, Trend]:
        """Lines to draw of [start, end): at most about ``points`` rows of each tag, extremes and outages kept."""
        found = self.series(tags, start, end, hold=True)
        return {name: trend_of(series, points) for name, series in found.items()}

    def statistics(self, tags: Sequence[str], start: float, end: float) -> dict[str, Rollup]:
        """Count, smallest, largest and mean over time of the GOOD numbers in [start, end), of each tag."""
        if not self._has_chunks:
            rows = self.series(tags, start, end, hold=True)
            return {name: signals.rollup_from(rows[name], micros(start), micros(end)) for name in tags}
        line_id, found = self._known(tags)
        ids = [found[name][0] for name in tags]
        with self._asking() as connection:
            answer = signals.statistics(connection, line_id, ids, micros(start), micros(end))
        return {name: answer[found[name][0]] for name in tags}

    def stats(self) -> HistoryStats:
        """What the samples take, by tag, and for how long the disk lasts. Raises StorageError for an older schema."""
        if not self._has_chunks:
            raise StorageError(f"the history is of schema {self._revision}; start the controller once to migrate it")
        with self._connected() as connection:
            return stats_of(connection, self._line_id(connection), self._path)

    @property
    def _has_chunks(self) -> bool:
        if self._revision is None:
            with self._connected():
                pass
        return str(self._revision) >= before_chunks.FIRST_WITH_CHUNKS

    def _first_of_old(self, tag_id: int, start_us: int, end_us: int | None, limit: int, hold: bool) -> Series:
        with self._connected() as connection:
            found = before_chunks.read(connection, tag_id, start_us, end_us, hold=hold)
        held = 1 if len(found) and found.times[0] < start_us else 0
        return found.part(0, min(len(found), limit + held))

    def _tag_ids(self, connection: sa.Connection, names: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """Id of each tag, and whether it is a bool. Neither changes while a history is open, so both are remembered."""
        if any(name not in self._known_tags for name in names):
            tag = schema.tag
            query = sa.select(tag.c.name, tag.c.id, tag.c.type).where(tag.c.line_id == self._line_id(connection))
            rows = connection.execute(query)
            self._known_tags = {row.name: (row.id, row.type == DataType.BOOL.value) for row in rows}
        missing = [name for name in names if name not in self._known_tags]
        if missing:
            raise StorageError(f"not recorded on this line: {', '.join(missing)}")
        return {name: self._known_tags[name] for name in names}

    # -- journals
    def events(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        kinds: Sequence[str] | None = None,
        source: str | None = None,
    ) -> list[Event]:
        """The newest ``limit`` events in [since, until), oldest first, in the order they were recorded.

        ``kinds``: whole kinds or their first part; ``link`` matches ``link.down`` and ``link.up``.
        """
        event = schema.event
        conditions: list[sa.ColumnElement[bool]] = []
        if kinds is not None:
            conditions = [
                sa.or_(sa.false(), *(_is_kind(event.c.kind, kind) for kind in kinds)),
            ]
        if source is not None:
            conditions.append(event.c.source == source)
        return [event_of(row) for row in self._journal(EVENT, since, until, limit, conditions)]

    def commands(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        tag: str | None = None,
    ) -> list[Receipt]:
        """The newest ``limit`` command receipts in [since, until), oldest first."""
        conditions = [] if tag is None else [schema.command.c.tag == tag]
        return [receipt_of(row) for row in self._journal(COMMAND, since, until, limit, conditions)]

    def _journal(
        self,
        kind: str,
        since: float | None,
        until: float | None,
        limit: int,
        conditions: Sequence[sa.ColumnElement[bool]],
    ) -> list[tuple[Any, ...]]:
        table = schema.metadata.tables[kind]
        with self._connected() as connection:
            query = _columns(kind).where(table.c.line_id == self._line_id(connection), *conditions)
            if since is not None:
                query = query.where(table.c.time_us >= micros(since))
            if until is not None:
                query = query.where(table.c.time_us < micros(until))
            rows = connection.execute(query.order_by(table.c.id.desc()).limit(limit)).all()
        return [tuple(row) for row in reversed(rows)]

    # -- runs
    def runs(self, limit: int = 50, state: str | None = None, recipe: str | None = None) -> list[RunRow]:
        """Newest runs first."""
        run = schema.run
        with self._connected() as connection:
            query = _columns(RUN).where(run.c.line_id == self._line_id(connection))
            if state is not None:
                query = query.where(run.c.state == state)
            if recipe is not None:
                query = query.where(run.c.recipe == recipe)
            begun = sa.func.coalesce(run.c.started_us, run.c.updated_us)
            rows = connection.execute(query.order_by(begun.desc(), run.c.run_id.desc()).limit(limit)).all()
        return [run_of(tuple(row)) for row in rows]

    def records(self, limit: int = 1000) -> list[dict[str, Any]]:
        """Batch records, newest first, without what only the controller needs of a run."""
        run = schema.run
        with self._connected() as connection:
            begun = sa.func.coalesce(run.c.started_us, run.c.updated_us)
            query = sa.select(run.c.record).where(run.c.line_id == self._line_id(connection))
            rows = connection.execute(query.order_by(begun.desc(), run.c.run_id.desc()).limit(limit)).scalars().all()
        return [json.loads(row) for row in rows]

    def run(self, run_id: str) -> RunRow | None:
        """One run; None when there is none of that name."""
        with self._connected() as connection:
            query = _columns(RUN).where(
                schema.run.c.line_id == self._line_id(connection), schema.run.c.run_id == run_id
            )
            row = connection.execute(query).first()
        return None if row is None else run_of(tuple(row))

    def versions(self, run_id: str) -> list[VersionRow]:
        """Every version of a run's record, the first first; none before the run has ended."""
        table = schema.run_version
        with self._connected() as connection:
            if not sa.inspect(connection).has_table(table.name):
                return []  # a history from before there were versions, which a reader does not migrate
            mine = sa.and_(table.c.line_id == self._line_id(connection), table.c.run_id == run_id)
            rows = connection.execute(_columns(VERSION).where(mine).order_by(table.c.version)).all()
        return [version_of(tuple(row)) for row in rows]

    def last_run(self) -> RunRow | None:
        """The run saved last; None when there has been none."""
        run = schema.run
        with self._connected() as connection:
            query = _columns(RUN).where(run.c.line_id == self._line_id(connection))
            order = (run.c.updated_us.desc(), run.c.started_us.desc(), run.c.run_id.desc())
            row = connection.execute(query.order_by(*order).limit(1)).first()
        return None if row is None else run_of(tuple(row))

    def recipe(self, recipe_hash: str) -> RecipeRow | None:
        """A recipe text as a run froze it."""
        recipe = schema.recipe
        with self._connected() as connection:
            mine = recipe.c.line_id == self._line_id(connection)
            row = connection.execute(sa.select(recipe).where(mine, recipe.c.hash == recipe_hash)).first()
        if row is None:
            return None
        return RecipeRow(row.hash, row.name, row.version, row.text, seconds(row.saved_us))

    # -- laboratory
    def lab(
        self, tag: str | None = None, since: float | None = None, until: float | None = None, limit: int = 1000
    ) -> list[LabRow]:
        """The newest ``limit`` laboratory values by the time of their sample in [since, until), oldest first.

        Values that a later entry replaces are among them.
        """
        table = schema.lab
        with self._connected() as connection:
            if not sa.inspect(connection).has_table(table.name):
                return []  # a history from before there were laboratory values, which a reader does not migrate
            query = _columns(LAB).where(table.c.line_id == self._line_id(connection))
            if tag is not None:
                query = query.where(table.c.tag == tag)
            if since is not None:
                query = query.where(table.c.sampled_us >= micros(since))
            if until is not None:
                query = query.where(table.c.sampled_us < micros(until))
            order = (table.c.sampled_us.desc(), table.c.id.desc())
            rows = connection.execute(query.order_by(*order).limit(limit)).all()
        return [lab_of(tuple(row)) for row in reversed(rows)]

    # -- alarms
    def alarms(self) -> list[AlarmStateRow]:
        """Where every alarm stands that ever did anything, by name."""
        table = schema.alarm
        with self._connected() as connection:
            if not sa.inspect(connection).has_table(table.name):
                return []  # a history from before there were alarms, which a reader does not migrate
            query = _columns(ALARM).where(table.c.line_id == self._line_id(connection))
            rows = connection.execute(query.order_by(table.c.name)).all()
        return [alarm_of(tuple(row)) for row in rows]

    # -- the guard
    def deviations(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        run_id: str | None = None,
        state: str | None = None,
    ) -> list[DeviationRow]:
        """The newest deviations whose suspect interval touches [since, until), of one run or in one state."""
        with self._connected() as connection:
            line_id = self._line_id(connection)
            return guarded_queries.deviations(connection, line_id, since, until, limit, run_id, state)

    def calibrations(self, item: str | None = None, limit: int = 1000) -> list[CalibrationRow]:
        """The calibration register, newest first."""
        with self._connected() as connection:
            return guarded_queries.calibrations(connection, self._line_id(connection), item, limit)

    def bypasses(self, since: float | None = None, until: float | None = None, limit: int = 1000) -> list[BypassRow]:
        """Bypasses of interlocks that were on some time in [since, until), newest first."""
        with self._connected() as connection:
            return guarded_queries.bypasses(connection, self._line_id(connection), since, until, limit)

    # -- audit trail
    def audit(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        who: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        before: int | None = None,
    ) -> list[AuditRow]:
        """The newest ``limit`` rows of the audit trail in [since, until), newest first.

        ``before``: only rows with a smaller number, to turn the page. Others: only rows that say just this.
        """
        table = schema.audit
        with self._connected() as connection:
            if not sa.inspect(connection).has_table(table.name):
                return []  # a history from before there was an audit trail, which a reader does not migrate
            columns = (table.c.id, *(table.c[name] for name in COLUMNS[AUDIT]))
            query = sa.select(*columns).where(table.c.line_id == self._line_id(connection))
            for column, wanted in ((table.c.who, who), (table.c.action, action), (table.c.outcome, outcome)):
                if wanted is not None:
                    query = query.where(column == wanted)
            if since is not None:
                query = query.where(table.c.time_us >= micros(since))
            if until is not None:
                query = query.where(table.c.time_us < micros(until))
            if before is not None:
                query = query.where(table.c.id < before)
            rows = connection.execute(query.order_by(table.c.id.desc()).limit(limit)).all()
        return [audit_of(tuple(row[1:]), int(row[0])) for row in rows]

    def quarantined(self, limit: int = 1000) -> list[QuarantinedRow]:
        """Rows that could not be stored, newest first."""
        table = schema.quarantine
        with self._connected() as connection:
            query = sa.select(table).where(table.c.line_id == self._line_id(connection))
            rows = connection.execute(query.order_by(table.c.id.desc()).limit(limit)).all()
        return [QuarantinedRow(seconds(row.time_us), row.kind, row.row, row.reason) for row in rows]


def as_samples(series: Series, *, is_bool: bool) -> list[Sample]:
    """Rows of a series as the samples they were."""
    times, values, statuses = series.times.tolist(), series.values.tolist(), series.statuses.tolist()
    if not series.texts and not is_bool and not np.isnan(series.values).any():
        columns = zip(values, statuses, times, strict=True)
        return [Sample(value, _status(status), time_us / 1e6) for value, status, time_us in columns]
    return [
        Sample(
            decode(None if value != value else value, series.texts.get(at), is_bool), _status(status), seconds(time_us)
        )
        for at, (value, status, time_us) in enumerate(zip(values, statuses, times, strict=True))
    ]


def _columns(kind: str) -> sa.Select[Any]:
    table = schema.metadata.tables[kind]
    return sa.select(*(table.c[name] for name in COLUMNS[kind]))


def _is_kind(column: sa.ColumnElement[str], kind: str) -> sa.ColumnElement[bool]:
    return sa.or_(column == kind, column.startswith(f"{kind.rstrip('.')}.", autoescape=True))


def _status(code: int) -> Status:
    return _STATUSES.get(code) or Status.from_code(code)
