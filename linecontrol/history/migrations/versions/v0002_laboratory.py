"""Values from the laboratory. Never changed once released."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "lab",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
        sa.Column("lab_id", sa.String(60), nullable=False),
        sa.Column("tag", sa.String(200), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("u", sa.Double(), nullable=False),
        sa.Column("sampled_us", sa.BigInteger, nullable=False),
        sa.Column("entered_us", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(200)),
        sa.Column("replaces", sa.String(60)),
        sa.UniqueConstraint("line_id", "lab_id", name="lab_once_per_line"),
    )
    op.create_index("lab_by_time", "lab", ["line_id", "sampled_us"])
