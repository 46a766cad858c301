"""What a history knows beside samples: journals, runs, the laboratory, alarms, the guard, the audit trail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from linecontrol.core.model import Event, Receipt
from linecontrol.history import guarded_queries, schema
from linecontrol.history.alarms import AlarmStateRow, alarm_of
from linecontrol.history.audit import AuditRow, audit_of
from linecontrol.history.connected import ConnectedReader
from linecontrol.history.guarded import BypassRow, CalibrationRow, DeviationRow
from linecontrol.history.lab import LabRow, lab_of
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
    event_of,
    micros,
    receipt_of,
    run_of,
    seconds,
)
from linecontrol.history.versions import VersionRow, version_of


class RecordReader(ConnectedReader):
    """Blocking, as ``HistoryReader``. All times are line time [s]."""

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


def _columns(kind: str) -> sa.Select[Any]:
    table = schema.metadata.tables[kind]
    return sa.select(*(table.c[name] for name in COLUMNS[kind]))


def _is_kind(column: sa.ColumnElement[str], kind: str) -> sa.ColumnElement[bool]:
    return sa.or_(column == kind, column.startswith(f"{kind.rstrip('.')}.", autoescape=True))
