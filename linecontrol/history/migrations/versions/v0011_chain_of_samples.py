"""The hash chain also covers samples, tags, commands and versions of recipes. Never changed once released.

What lies there already is linked by the first program that opens the database, which states it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_COVERED = "audit bag bypass calibration deviation event lab lot lot_use recipe run run_version signed_act"  # before


def upgrade() -> None:
    op.add_column("tail", sa.Column("hash", sa.String(64)))
    for column, default in (
        (sa.Column("kinds", sa.Text, nullable=False), _COVERED),
        (sa.Column("journal_count", sa.BigInteger, nullable=False), "0"),
        (sa.Column("journal_hash", sa.String(64), nullable=False), "0" * 64),
        (sa.Column("tail_id", sa.BigInteger, nullable=False), "0"),
        (sa.Column("tail_hash", sa.String(64), nullable=False), ""),
    ):
        column.server_default = sa.DefaultClause(default)
        op.add_column("chain_head", column)
