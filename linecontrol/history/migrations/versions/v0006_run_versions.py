"""Versions of a run's record: a laboratory value that comes later makes a new one. Never changed once released."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "run_version",
        sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.String(200), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
