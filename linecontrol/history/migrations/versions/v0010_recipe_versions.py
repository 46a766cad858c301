"""Versions of recipes that a site makes: drafts, approved ones, the one in force. Never changed once released."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "recipe_version",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("based_on", sa.String(20), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("judged_by", sa.String(200), nullable=False),
        sa.Column("judgement", sa.Text, nullable=False),
        sa.Column("judged_us", sa.BigInteger),
        sa.Column("activated_by", sa.String(200), nullable=False),
        sa.Column("activation", sa.Text, nullable=False),
        sa.Column("activated_us", sa.BigInteger),
        sa.Column("retired_us", sa.BigInteger),
    )
