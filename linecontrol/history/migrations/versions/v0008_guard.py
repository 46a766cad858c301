"""Deviations from limits, the calibration register, bypasses of interlocks. Never changed once released."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _line_key() -> sa.Column[int]:
    return sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "deviation",
        _line_key(),
        sa.Column("deviation_id", sa.String(60), primary_key=True),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("ccp", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("stage", sa.String(100), nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("opened_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger),
        sa.Column("value", sa.Double),
        sa.Column("limit", sa.Double),
        sa.Column("unit", sa.String(50), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("text_zh", sa.Text, nullable=False),
        sa.Column("corrective_action", sa.Text, nullable=False),
        sa.Column("corrective_action_zh", sa.Text, nullable=False),
        sa.Column("responsible", sa.String(20), nullable=False),
        sa.Column("suspect_kg", sa.Double, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("acted_by", sa.String(200), nullable=False),
        sa.Column("acted_us", sa.BigInteger),
        sa.Column("closed_by", sa.String(200), nullable=False),
        sa.Column("closed_us", sa.BigInteger),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("deviation_by_run", "deviation", ["line_id", "run_id"])
    op.create_table(
        "calibration",
        _line_key(),
        sa.Column("calibration_id", sa.String(60), primary_key=True),
        sa.Column("item", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("tag", sa.String(200), nullable=False),
        sa.Column("done_us", sa.BigInteger, nullable=False),
        sa.Column("due_us", sa.BigInteger, nullable=False),
        sa.Column("entered_us", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("result", sa.String(20), nullable=False),
        sa.Column("found", sa.Text, nullable=False),
        sa.Column("certificate", sa.Text, nullable=False),
    )
    op.create_index("calibration_by_item", "calibration", ["line_id", "item", "done_us"])
    op.create_table(
        "bypass",
        _line_key(),
        sa.Column("bypass_id", sa.String(60), primary_key=True),
        sa.Column("interlock", sa.String(100), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("ended_by", sa.String(200), nullable=False),
    )
