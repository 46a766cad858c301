"""Root lots, bags, signed acts, and the hash chain over the evidence. Never changed once released.

The chain itself is begun by the first program that opens the database: with a statement of what lay there before it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _line_id(*, is_key: bool = False) -> sa.Column[int]:
    return sa.Column(
        "line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=is_key, autoincrement=False, nullable=False
    )


def upgrade() -> None:
    _lots()
    _bags()
    _chain()


def _lots() -> None:
    op.create_table(
        "lot",
        _line_id(is_key=True),
        sa.Column("lot_id", sa.String(60), primary_key=True),
        sa.Column("species", sa.String(100), nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("grower", sa.Text, nullable=False),
        sa.Column("harvested", sa.String(10), nullable=False),
        sa.Column("received_kg", sa.Double(), nullable=False),
        sa.Column("received_us", sa.BigInteger, nullable=False),
        sa.Column("season", sa.String(60), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
    )
    op.create_table(
        "lot_use",
        sa.Column("id", _Id, primary_key=True),
        _line_id(),
        sa.Column("use_id", sa.String(60), nullable=False),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("lot_id", sa.String(60), nullable=False),
        sa.Column("from_us", sa.BigInteger, nullable=False),
        sa.Column("entered_us", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.UniqueConstraint("line_id", "use_id", name="lot_use_once_per_line"),
    )
    op.create_index("lot_use_by_run", "lot_use", ["line_id", "run_id"])


def _bags() -> None:
    op.create_table(
        "bag",
        _line_id(is_key=True),
        sa.Column("bag_id", sa.String(200), primary_key=True),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("opened_us", sa.BigInteger, nullable=False),
        sa.Column("closed_us", sa.BigInteger),
        sa.Column("weight_kg", sa.Double(), nullable=False),
        sa.Column("moisture_mean", sa.Double()),
        sa.Column("moisture_max", sa.Double()),
        sa.Column("temp_c", sa.Double()),
        sa.Column("aw", sa.Double()),
        sa.Column("aw_low", sa.Double()),
        sa.Column("aw_high", sa.Double()),
        sa.Column("suspect_kg", sa.Double(), nullable=False),
        sa.Column("lots", sa.Text, nullable=False),
        sa.Column("suspects", sa.Text, nullable=False),
        sa.Column("passage", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
    )
    op.create_index("bag_by_run", "bag", ["line_id", "run_id", "number"])
    op.create_table(
        "bag_lot",
        _line_id(is_key=True),
        sa.Column("bag_id", sa.String(200), primary_key=True),
        sa.Column("lot_id", sa.String(60), primary_key=True),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("kg", sa.Double(), nullable=False),
    )
    op.create_index("bag_lot_by_lot", "bag_lot", ["line_id", "lot_id"])
    op.create_table(
        "signed_act",
        sa.Column("id", _Id, primary_key=True),
        _line_id(),
        sa.Column("act_id", sa.String(60), nullable=False),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("meaning", sa.Text, nullable=False),
        sa.UniqueConstraint("line_id", "act_id", name="signed_act_once_per_line"),
    )
    op.create_index("signed_act_by_run", "signed_act", ["line_id", "run_id"])


def _chain() -> None:
    op.create_table(
        "chain",
        _line_id(is_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("row_key", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "chain_head",
        _line_id(is_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
