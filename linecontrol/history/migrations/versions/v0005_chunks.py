"""Samples as compressed chunks behind a tail; earlier rows are carried over. Never changed once released."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from linecontrol.history.carry import carry_samples

revision = "0005"
down_revision = "0004"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _line_id() -> sa.Column[int]:
    return sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False)


def upgrade() -> None:
    _tail_and_blocks()
    _chunks()
    if not context.is_offline_mode():
        carry_samples(op.get_bind())
    op.execute("DROP VIEW readable_sample")
    op.drop_table("sample")
    _readable_view()


def _tail_and_blocks() -> None:
    op.create_table(
        "tail",
        sa.Column("id", _Id, primary_key=True),
        _line_id(),
        sa.Column("writer", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("start_us", sa.BigInteger, nullable=False),
        sa.Column("end_us", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("samples", sa.LargeBinary, nullable=False),
        sa.Column("texts", sa.Text),
    )
    op.create_table(
        "block",
        sa.Column("id", _Id, primary_key=True),
        _line_id(),
        sa.Column("start_us", sa.BigInteger, nullable=False),
        sa.Column("end_us", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("archive", sa.String(200)),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE block ALTER COLUMN data SET STORAGE EXTERNAL")  # it is compressed; parts are read
    op.create_index("block_by_time", "block", ["line_id", "start_us"])
    op.create_table(
        "axis",
        sa.Column("block_id", _Id, primary_key=True, autoincrement=False),
        sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("times", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _chunks() -> None:
    op.create_table(
        "chunk",
        sa.Column("line_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("block_id", _Id, primary_key=True, autoincrement=False),
        sa.Column("tag_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_us", sa.BigInteger, nullable=False),
        sa.Column("end_us", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("numbers", sa.Integer, nullable=False),
        sa.Column("low", sa.Double()),
        sa.Column("high", sa.Double()),
        sa.Column("weight_us", sa.BigInteger, nullable=False),
        sa.Column("integral", sa.Double(), nullable=False),
        sa.Column("last", sa.Double()),
        sa.Column("last_status", sa.BigInteger, nullable=False),
        sa.Column("axis", sa.SmallInteger),
        sa.Column("offset", sa.Integer, nullable=False),
        sa.Column("times_bytes", sa.Integer, nullable=False),
        sa.Column("values_bytes", sa.Integer, nullable=False),
        sa.Column("notes_bytes", sa.Integer, nullable=False),
        postgresql_partition_by="LIST (line_id)",
    )
    op.create_index("chunk_by_tag", "chunk", ["tag_id", "start_us"])


def _readable_view() -> None:
    dialect = op.get_context().dialect.name
    when = {
        "sqlite": "strftime('%Y-%m-%d %H:%M:%f', chunk.{0} / 1000000.0, 'unixepoch')",
        "postgresql": "to_timestamp(chunk.{0} / 1000000.0)",
    }.get(dialect, "chunk.{0}")
    op.execute(
        "CREATE VIEW readable_chunk AS SELECT line.name AS line, tag.station AS station, tag.name AS tag, "  # noqa: S608
        f"{when.format('start_us')} AS from_utc, {when.format('end_us')} AS to_utc, chunk.count AS rows, "
        "chunk.low AS lowest, chunk.high AS highest, "
        "CASE WHEN chunk.weight_us > 0 THEN chunk.integral / chunk.weight_us END AS mean_over_time, "
        "chunk.last AS last, tag.unit AS unit, CASE WHEN chunk.last_status < 1073741824 THEN 'GOOD' "
        "WHEN chunk.last_status < 2147483648 THEN 'UNCERTAIN' ELSE 'BAD' END AS last_quality, "
        "chunk.times_bytes + chunk.values_bytes + chunk.notes_bytes AS bytes "
        "FROM chunk JOIN tag ON tag.id = chunk.tag_id JOIN line ON line.id = chunk.line_id"
    )
