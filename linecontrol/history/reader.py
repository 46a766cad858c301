"""Reads a history: the same questions whether a controller runs or not. Never writes, never blocks a writer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.core.model import DataType, Event, Receipt, Sample, Status
from linecontrol.history import schema
from linecontrol.history.alarms import AlarmStateRow, alarm_of
from linecontrol.history.audit import AuditRow, audit_of
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
from linecontrol.history.sql import DATABASE_ERRORS, engine_for, parse_url, reason_of, sqlite_path

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
        if self._path is not None and not self._path.exists():
            raise StorageError(f"there is no history at {self._path}")
        try:
            with self._engine.connect() as connection:
                revision = revision_of(connection)
                if revision is None:
                    raise StorageError(f"{self._url.render_as_string()} holds no history yet")
                check_known(revision)
                yield connection
        except DATABASE_ERRORS as error:
            raise StorageError(f"the history cannot be read: {reason_of(error)}") from error

    def _line_id(self, connection: sa.Connection) -> int:
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

    def tags(self) -> dict[str, str]:
        """Recorded tags of the line, and the unit of each."""
        with self._connected() as connection:
            tag = schema.tag
            query = sa.select(tag.c.name, tag.c.unit).where(tag.c.line_id == self._line_id(connection))
            return {row.name: row.unit for row in connection.execute(query.order_by(tag.c.id))}

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
        with self._connected() as connection:
            found = self._tag_ids(connection, tags)
            answer = {}
            for name in tags:
                tag_id, is_bool = found[name]
                rows = _sample_rows(connection, tag_id, start, end, limit, hold)
                answer[name] = [
                    Sample(decode(value, text, is_bool), _status(status), seconds(time_us))
                    for time_us, value, text, status in rows
                ]
        return answer

    def _tag_ids(self, connection: sa.Connection, names: Sequence[str]) -> dict[str, tuple[int, bool]]:
        tag = schema.tag
        query = sa.select(tag.c.name, tag.c.id, tag.c.type).where(
            tag.c.line_id == self._line_id(connection), tag.c.name.in_(list(names))
        )
        found = {row.name: (row.id, row.type == DataType.BOOL.value) for row in connection.execute(query)}
        missing = [name for name in names if name not in found]
        if missing:
            raise StorageError(f"not recorded on this line: {', '.join(missing)}")
        return found

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

    def run(self, run_id: str) -> RunRow | None:
        """One run; None when there is none of that name."""
        with self._connected() as connection:
            query = _columns(RUN).where(
                schema.run.c.line_id == self._line_id(connection), schema.run.c.run_id == run_id
            )
            row = connection.execute(query).first()
        return None if row is None else run_of(tuple(row))

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


def _sample_rows(
    connection: sa.Connection, tag_id: int, start: float, end: float | None, limit: int, hold: bool
) -> list[tuple[int, float | None, str | None, int]]:
    """The one reading place that knows that a sample is a row."""
    sample = schema.sample
    columns = sa.select(sample.c.time_us, sample.c.value, sample.c.text, sample.c.status).where(
        sample.c.tag_id == tag_id
    )
    start_us = micros(start)
    rows: list[Any] = []
    if hold:
        before = columns.where(sample.c.time_us < start_us).order_by(sample.c.time_us.desc()).limit(1)
        at_start = sa.select(sample.c.time_us).where(sample.c.tag_id == tag_id, sample.c.time_us == start_us)
        if connection.execute(at_start).first() is None:
            rows += connection.execute(before).all()
    inside = columns.where(sample.c.time_us >= start_us)
    if end is not None:
        inside = inside.where(sample.c.time_us < micros(end))
    rows += connection.execute(inside.order_by(sample.c.time_us).limit(limit)).all()
    return rows


def _columns(kind: str) -> sa.Select[Any]:
    table = schema.metadata.tables[kind]
    return sa.select(*(table.c[name] for name in COLUMNS[kind]))


def _is_kind(column: sa.ColumnElement[str], kind: str) -> sa.ColumnElement[bool]:
    return sa.or_(column == kind, column.startswith(f"{kind.rstrip('.')}.", autoescape=True))


def _status(code: int) -> Status:
    return _STATUSES.get(code) or Status.from_code(code)
