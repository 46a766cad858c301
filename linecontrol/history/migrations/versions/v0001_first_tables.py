"""First tables: lines, tags, samples, events, commands, runs, recipes, quarantine, spool state.

Never changed once released: what a schema was is a fact.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _line_id(*, is_key: bool = False) -> sa.Column[int]:
    return sa.Column(
        "line_id",
        sa.Integer,
        sa.ForeignKey("line.id"),
        primary_key=is_key,
        autoincrement=False,
        nullable=False,
    )


def upgrade() -> None:
    _lines_and_tags()
    _samples()
    _journals()
    _runs()
    _housekeeping()
    _readable_view()


def _lines_and_tags() -> None:
    op.create_table(
        "line",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
    )
    op.create_table(
        "tag",
        sa.Column("id", sa.Integer, primary_key=True),
        _line_id(),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("alias", sa.String(200), nullable=False),
        sa.Column("station", sa.String(200), nullable=False),
        sa.Column("unit", sa.String(50), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.UniqueConstraint("line_id", "name", name="tag_once_per_line"),
    )


def _samples() -> None:
    op.create_table(
        "sample",
        sa.Column("tag_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double()),
        sa.Column("status", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text),
        sqlite_with_rowid=False,
    )


def _journals() -> None:
    op.create_table(
        "event",
        sa.Column("id", _Id, primary_key=True),
        _line_id(),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("active", sa.SmallInteger),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("data", sa.Text),
    )
    op.create_index("event_by_time", "event", ["line_id", "time_us"])
    op.create_table(
        "command",
        sa.Column("id", _Id, primary_key=True),
        _line_id(),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("tag", sa.String(200), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("expected", sa.Text),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("old", sa.Text),
        sa.Column("readback", sa.Text),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("command_by_time", "command", ["line_id", "time_us"])


def _runs() -> None:
    op.create_table(
        "run",
        _line_id(is_key=True),
        sa.Column("run_id", sa.String(200), primary_key=True),
        sa.Column("recipe", sa.String(200), nullable=False),
        sa.Column("recipe_hash", sa.String(200), nullable=False),
        sa.Column("state", sa.String(50), nullable=False),
        sa.Column("started_us", sa.BigInteger),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
    )
    op.create_index("run_by_update", "run", ["line_id", "updated_us"])
    op.create_table(
        "recipe",
        _line_id(is_key=True),
        sa.Column("hash", sa.String(200), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("saved_us", sa.BigInteger, nullable=False),
    )


def _housekeeping() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", _Id, primary_key=True),
        _line_id(),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("row", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "spool_state",
        _line_id(is_key=True),
        sa.Column("writer", sa.String(64), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )


def _readable_view() -> None:
    dialect = op.get_context().dialect.name
    if dialect == "sqlite":
        when = "strftime('%Y-%m-%d %H:%M:%f', sample.time_us / 1000000.0, 'unixepoch')"
    elif dialect == "postgresql":
        when = "to_timestamp(sample.time_us / 1000000.0)"
    else:
        when = "sample.time_us"
    op.execute(
        "CREATE VIEW readable_sample AS SELECT line.name AS line, tag.station AS station, tag.name AS tag, "  # noqa: S608
        f"{when} AS time_utc, sample.value AS value, tag.unit AS unit, "
        "CASE WHEN sample.status < 1073741824 THEN 'GOOD' WHEN sample.status < 2147483648 THEN 'UNCERTAIN' "
        "ELSE 'BAD' END AS quality, sample.text AS text "
        "FROM sample JOIN tag ON tag.id = sample.tag_id JOIN line ON line.id = tag.line_id"
    )
